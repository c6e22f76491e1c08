/* tx_large_test.c - header sections that are larger than the peer said it takes (RFC 9113 6.5.2,
 * SETTINGS_MAX_HEADER_LIST_SIZE) are not sent, and their owner hears of it. */
#include "engine_kit.h"

/* Two engines, of which one told the other that it takes so many bytes. */
static struct kit *with_limit(enum h2_role whose, uint32_t bytes)
{
	struct h2_options o = h2_options_default(whose);
	o.header_list_bytes = bytes;
	struct kit *k = kit_create(whose == H2_CLIENT ? &o : NULL, whose == H2_SERVER ? &o : NULL);
	kit_run(k);
	kit_forget(&k->a);
	kit_forget(&k->b);
	return k;
}

/* `f` with one more field, so that the list is of that size. */
static struct fields *grown(struct fields *f, uint32_t bytes)
{
	size_t len = bytes - f->list_bytes - FIELD_BYTES - 1;
	char *text = calloc(1, len + 1);
	memset(text, 'x', len);
	CHECK_EQ(fields_add(f, "x", 1, text, len), 0);
	free(text);
	CHECK_EQ(f->list_bytes, bytes);
	return f;
}

static struct h2_stream *server_side(struct kit *k)
{
	struct h2_event *ev = kit_last(&k->b, H2_EV_MESSAGE);
	return ev ? ev->stream : NULL;
}

static uint64_t refused(const struct kit *k)
{
	return k->books.faults[H2_FAULT_PEER_HEADER_LIST];
}

TEST(a_request_as_large_as_the_server_takes_goes_and_a_larger_one_is_refused_before_it_is_sent)
{
	static const uint32_t limits[] = {400, 16384, 16384 + 32, 100000};
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct kit *k = with_limit(H2_SERVER, limits[i]);
		struct event large = {
			.kind = EVENT_HEAD, .fields = grown(KIT_REQUEST, limits[i] + 1)};
		struct h2_stream *s;
		CHECK_EQ(h2_conn_open(k->a.conn, &large, &s), ERR_INVALID);
		CHECK(!h2_conn_wants_write(k->a.conn));
		CHECK_EQ(refused(k), 1);
		CHECK_EQ(h2_conn_open_streams(k->a.conn), 0);
		s = kit_open(k, grown(KIT_REQUEST, limits[i]), true);
		REQUIRE(s != NULL);
		CHECK_EQ(h2_stream_id(s), 1);
		kit_run(k);
		CHECK_EQ(kit_count(&k->b, H2_EV_MESSAGE), 1);
		CHECK(!kit_last(&k->b, H2_EV_MESSAGE)->oversized);
		CHECK_EQ(refused(k), 1);
		kit_destroy(k);
	}
}

TEST(before_the_servers_settings_and_without_a_limit_every_request_goes)
{
	struct kit *k = kit_create(NULL, NULL);
	CHECK(kit_open(k, grown(KIT_REQUEST, 90000), true) != NULL);
	kit_run(k);
	CHECK_EQ(kit_count(&k->b, H2_EV_MESSAGE), 1);
	CHECK_EQ(refused(k), 0);
	kit_destroy(k);
}

/* A call of a client that takes 300 bytes; its server side. */
static struct h2_stream *small_client(struct kit **k)
{
	*k = with_limit(H2_CLIENT, 300);
	kit_open(*k, KIT_REQUEST, true);
	kit_run(*k);
	struct h2_stream *t = server_side(*k);
	kit_forget(&(*k)->b);
	return t;
}

/* The response is what the owner pushed after it was told. */
static void finish_call(struct kit *k, struct h2_stream *t, const char *content)
{
	kit_push_fields(t, EVENT_TRAILERS, KIT_TRAILERS, true);
	kit_run(k);
	CHECK_MEM(k->a.data, k->a.data_len, content, strlen(content));
	struct h2_event *last = kit_last(&k->a, H2_EV_MESSAGE);
	CHECK(last && last->ev.kind == EVENT_TRAILERS && !last->oversized);
	CHECK(kit_last(&k->a, H2_EV_CLOSED) && kit_last(&k->b, H2_EV_CLOSED));
	CHECK_EQ(kit_count(&k->b, H2_EV_TOO_LARGE), 1);
	CHECK_EQ(refused(k), 1);
	kit_destroy(k);
}

TEST(a_response_head_that_the_client_does_not_take_is_told_of_and_another_may_follow)
{
	struct kit *k;
	struct h2_stream *t = small_client(&k);
	kit_push_fields(t, EVENT_HEAD, grown(KIT_RESPONSE, 301), false);
	kit_push_data(t, "lost", 4, false); /* before it is told */
	kit_poll(&k->b);
	kit_run(k);
	CHECK_EQ(kit_count(&k->a, H2_EV_MESSAGE), 0);
	struct h2_event *told = kit_last(&k->b, H2_EV_TOO_LARGE);
	REQUIRE(told && told->stream == t && told->head);
	kit_push_fields(t, EVENT_HEAD, grown(KIT_RESPONSE, 300), false);
	kit_push_data(t, "good", 4, false);
	finish_call(k, t, "good");
}

TEST(trailers_that_the_client_does_not_take_are_told_of_and_others_may_follow)
{
	struct kit *k;
	struct h2_stream *t = small_client(&k);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, false);
	kit_push_data(t, "good", 4, false);
	kit_run(k);
	kit_push_fields(t, EVENT_TRAILERS, grown(KIT_TRAILERS, 301), true);
	kit_push_fields(t, EVENT_TRAILERS, KIT_TRAILERS, true); /* before it is told: dropped */
	kit_poll(&k->b);
	kit_run(k);
	struct h2_event *told = kit_last(&k->b, H2_EV_TOO_LARGE);
	REQUIRE(told && told->stream == t && !told->head);
	CHECK(kit_last(&k->a, H2_EV_CLOSED) == NULL);
	finish_call(k, t, "good");
}

TEST(trailers_behind_data_are_judged_when_they_are_reached)
{
	struct kit *k;
	struct h2_stream *t = small_client(&k);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, false);
	kit_push_data(t, "good", 4, false);
	kit_push_fields(t, EVENT_TRAILERS, grown(KIT_TRAILERS, 301), true);
	CHECK_EQ(refused(k), 0);
	kit_run(k);
	REQUIRE(kit_last(&k->b, H2_EV_TOO_LARGE) != NULL);
	finish_call(k, t, "good");
}

TEST(an_interim_head_that_the_client_does_not_take_is_left_out)
{
	struct kit *k;
	struct h2_stream *t = small_client(&k);
	kit_push_fields(t, EVENT_INFO, grown(KIT_FIELDS(":status", "103"), 301), false);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, true);
	kit_run(k);
	CHECK_EQ(kit_count(&k->a, H2_EV_MESSAGE), 1);
	CHECK_EQ(kit_count(&k->b, H2_EV_TOO_LARGE), 0);
	CHECK(kit_last(&k->b, H2_EV_CLOSED) != NULL);
	CHECK_EQ(refused(k), 1);
	kit_destroy(k);
}

TEST(a_stream_may_be_reset_or_given_up_before_it_is_told)
{
	for (int how = 0; how < 3; how++) {
		struct kit *k;
		struct h2_stream *t = small_client(&k);
		kit_push_fields(t, EVENT_HEAD, grown(KIT_RESPONSE, 301), false);
		if (how == 0)
			h2_stream_reset(
				t, H2_NO_ERROR); /* nothing is queued: it waits for nothing */
		else if (how == 1)
			h2_stream_release(t);
		else
			h2_conn_kill(k->b.conn, H2_NO_ERROR, "gone");
		kit_run(k);
		CHECK_EQ(kit_count(&k->b, H2_EV_TOO_LARGE), 0);
		CHECK_EQ(kit_count(&k->a, H2_EV_RESET), how < 2);
		kit_destroy(k);
	}
}

TEST(a_stream_that_nobody_answers_for_is_reset)
{
	static uint8_t much[1500];
	struct h2_options o = h2_options_default(H2_CLIENT);
	o.header_list_bytes = 300;
	o.stream_window_bytes = 1000;
	struct kit *k = kit_create(&o, NULL);
	k->a.auto_credit = false;
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	kit_run(k);
	struct h2_stream *t = server_side(k);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, false);
	kit_push_data(t, much, sizeof(much), false);
	kit_push_fields(t, EVENT_TRAILERS, grown(KIT_TRAILERS, 301), true);
	h2_stream_reset(t, H2_NO_ERROR); /* when the response is out, as it seems */
	h2_stream_release(t);
	kit_run(k);
	CHECK_EQ(kit_count(&k->a, H2_EV_RESET), 0);
	h2_stream_credit(s, 1000);
	kit_run(k);
	struct h2_event *reset = kit_last(&k->a, H2_EV_RESET);
	REQUIRE(reset != NULL);
	CHECK_EQ(reset->code, H2_INTERNAL_ERROR);
	CHECK_EQ(k->a.data_len, sizeof(much));
	kit_destroy(k);
}

TAP_MAIN()
