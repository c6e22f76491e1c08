/* conn_test.c - two engines, one wire. */
#include "engine_kit.h"

static struct h2_stream *server_stream(struct kit *k)
{
	for (int i = k->b.count; i-- > 0;)
		if (k->b.events[i].kind == H2_EV_MESSAGE && k->b.events[i].ev.kind == EVENT_HEAD)
			return k->b.events[i].stream;
	return NULL;
}

static void one_call(struct kit *k)
{
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	REQUIRE(s != NULL);
	kit_push_data(s, "hello", 5, true);
	kit_run(k);
	struct h2_stream *t = server_stream(k);
	REQUIRE(t != NULL);
	CHECK_MEM(k->b.data, k->b.data_len, "hello", 5);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, false);
	kit_push_data(t, "world", 5, false);
	kit_push_fields(t, EVENT_TRAILERS, KIT_TRAILERS, true);
	kit_run(k);
	CHECK_MEM(k->a.data, k->a.data_len, "world", 5);
	CHECK(kit_last(&k->a, H2_EV_CLOSED) != NULL);
	CHECK(kit_last(&k->b, H2_EV_CLOSED) != NULL);
	CHECK(kit_last(&k->a, H2_EV_DEAD) == NULL);
	CHECK(kit_last(&k->b, H2_EV_DEAD) == NULL);
	struct h2_event *trailers = kit_last(&k->a, H2_EV_MESSAGE);
	CHECK_EQ(trailers->ev.kind, EVENT_TRAILERS);
	CHECK(trailers->ev.end);
	h2_stream_release(s);
	h2_stream_release(t);
	kit_forget(&k->a);
	kit_forget(&k->b);
}

TEST(two_engines_complete_a_call)
{
	struct kit *k = kit_create(NULL, NULL);
	one_call(k);
	one_call(k);
	kit_destroy(k);
}

TEST(two_engines_complete_a_call_for_every_size_of_read)
{
	for (size_t chop = 1; chop < 80; chop++) {
		struct kit *k = kit_create(NULL, NULL);
		k->chop = chop;
		one_call(k);
		kit_destroy(k);
	}
}

TAP_MAIN()
