/* conn_test.c - two engines, one wire. */
#include "engine_kit.h"

TEST(two_engines_complete_a_call)
{
	struct kit *k = kit_create(NULL, NULL);
	kit_call(k);
	kit_call(k);
	kit_destroy(k);
}

TEST(two_engines_complete_a_call_for_every_size_of_read)
{
	for (size_t chop = 1; chop < 80; chop++) {
		struct kit *k = kit_create(NULL, NULL);
		k->chop = chop;
		kit_call(k);
		kit_destroy(k);
	}
}

TEST(ids_run_out_in_order)
{
	struct kit *k = kit_create(NULL, NULL);
	k->a.conn->next_id = H2_MAX_STREAM_ID - 2;
	CHECK_EQ(h2_conn_ids_left(k->a.conn), 2);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, true);
	CHECK_EQ(h2_stream_id(s), H2_MAX_STREAM_ID - 2);
	s = kit_open(k, KIT_REQUEST, true);
	CHECK_EQ(h2_stream_id(s), H2_MAX_STREAM_ID);
	CHECK_EQ(h2_conn_ids_left(k->a.conn), 0);
	CHECK_EQ(h2_conn_open_slots(k->a.conn), 0);
	CHECK(kit_open(k, KIT_REQUEST, true) == NULL);
	kit_run(k);
	CHECK_EQ(kit_count(&k->b, H2_EV_MESSAGE), 2);
	CHECK(!h2_conn_is_dead(k->b.conn));
	kit_destroy(k);
}

TEST(pushes_out_of_order_are_dropped_and_counted)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *t, *s = kit_open_call(k, &t);
	kit_push_data(t, "early", 5, false);
	kit_push_fields(t, EVENT_TRAILERS, KIT_TRAILERS, true);
	kit_push_fields(s, EVENT_HEAD, KIT_REQUEST, false);
	CHECK_EQ(k->books.bugs, 3);
	k->books.bugs = 0;
	kit_push_fields(t, EVENT_INFO, KIT_FIELDS(":status", "103"), false);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, false);
	kit_push_fields(t, EVENT_INFO, KIT_FIELDS(":status", "103"), false);
	CHECK_EQ(k->books.bugs, 1);
	k->books.bugs = 0;
	kit_run(k);
	CHECK_EQ(kit_count(&k->a, H2_EV_MESSAGE), 2);
	CHECK(!h2_conn_is_dead(k->a.conn) && !h2_conn_is_dead(k->b.conn));
	kit_destroy(k);
}

static int64_t window_of(struct h2_stream *s)
{
	struct h2_stream_info info;
	h2_stream_inspect(s, &info);
	return info.receive_window_bytes;
}

/* Pushes what fits into the far side's window and takes it there, without credit; bytes. */
static uint32_t fill(struct kit *k, struct h2_stream *from, struct h2_stream *to)
{
	static uint8_t zeros[65536];
	uint32_t sum = 0;
	for (int64_t room; (room = window_of(to)) > 0; sum += (uint32_t)room) {
		room = room < (int64_t)sizeof(zeros) ? room : (int64_t)sizeof(zeros);
		kit_push_data(from, zeros, (size_t)room, false);
		kit_run(k);
	}
	return sum;
}

TEST(a_crowded_connections_streams_get_by_with_smaller_windows_and_move_on)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	k->b.auto_credit = false;
	kit_run(k);
	struct h2_stream *t = k->b.events[k->b.count - 1].stream;
	CHECK_EQ(window_of(t), 262144);
	CHECK_EQ(fill(k, s, t), 262144);
	h2_conn_set_crowded(k->b.conn, true);
	h2_stream_credit(t, 65536);
	CHECK_EQ(window_of(t), 0); /* of 131,072 three quarters are still held */
	CHECK_EQ(k->books.windows_shrunk, 1);
	h2_stream_credit(t, 262144 - 65536);
	CHECK_EQ(window_of(t), 65536); /* nothing is held: the smaller window, whole */
	kit_run(k);
	for (int i = 0; i < 10; i++) { /* however long it lasts, the stream goes on */
		uint32_t bytes = fill(k, s, t);
		CHECK(bytes >= 16384);
		h2_stream_credit(t, bytes);
		CHECK_EQ(window_of(t), 32768);
		kit_run(k);
	}
	CHECK_EQ(k->books.windows_shrunk, 3);
	h2_conn_set_crowded(k->b.conn, false);
	for (int i = 0; i < 40; i++) {
		uint32_t bytes = fill(k, s, t);
		h2_stream_credit(t, bytes);
		kit_run(k);
	}
	CHECK_EQ(window_of(t), 262144);
	CHECK_EQ(k->books.windows_shrunk, 3);
	kit_destroy(k);
}

TEST(credit_that_was_never_owed_ends_the_connection_as_a_bug)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *t;
	kit_open_call(k, &t);
	h2_stream_credit(t, 1);
	kit_run(k);
	CHECK_EQ(k->books.bugs, 1);
	k->books.bugs = 0;
	CHECK_EQ(kit_last(&k->b, H2_EV_DEAD)->code, H2_INTERNAL_ERROR);
	kit_destroy(k);
}

TEST(an_idle_connection_is_small_and_owns_no_slab)
{
	struct kit *k = kit_create(NULL, NULL);
	for (int i = 0; i < 3; i++)
		kit_call(k);
	h2_conn_settle(k->a.conn);
	h2_conn_settle(k->b.conn);
	CHECK_EQ(slab_pool_out(k->pool), 0);
	CHECK(k->a.conn->table.cap == 0 && k->a.conn->out.cap == H2_OUT_INLINE_SEGS);
	CHECK(sizeof(struct h2_conn) <= 1024);
	CHECK(sizeof(struct h2_stream) <= 200);
	kit_destroy(k);
}

TEST(many_streams_at_once_are_kept_apart)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *s[500];
	kit_run(k);
	for (uint32_t i = 0; i < 500; i++) {
		s[i] = kit_open(k, KIT_REQUEST, false);
		REQUIRE(s[i] != NULL);
		h2_stream_set_user(s[i], &s[i]);
	}
	kit_run(k);
	CHECK_EQ(h2_conn_open_streams(k->b.conn), 500);
	for (uint32_t i = 0; i < 500; i += 2)
		h2_stream_reset(s[i], H2_CANCEL);
	for (uint32_t i = 1; i < 500; i += 2)
		kit_push_data(s[i], &i, sizeof(i), true);
	kit_run(k);
	unsigned n = 0;
	for (int e = 0; e < k->b.count; e++) {
		struct h2_event *ev = &k->b.events[e];
		n += ev->kind == H2_EV_MESSAGE && ev->ev.kind == EVENT_DATA && ev->ev.end;
	}
	CHECK_EQ(n, 250);
	CHECK_EQ(kit_count(&k->b, H2_EV_RESET), 250);
	CHECK_EQ(h2_conn_open_streams(k->b.conn), 250);
	CHECK_EQ(h2_conn_open_streams(k->a.conn), 250);
	CHECK(h2_stream_user(s[7]) == &s[7] && h2_stream_conn(s[7]) == k->a.conn);
	kit_destroy(k);
}

static struct kit_bytes late;

TEST(late_frames_of_many_cancelled_streams_are_ignored)
{
	struct kit *k = kit_create(NULL, NULL);
	kit_run(k);
	for (uint32_t i = 0; i < 1000; i++)
		h2_stream_release(kit_open(k, KIT_REQUEST, false));
	size_t len;
	free(kit_drain(&k->a, &len));
	for (int round = 0; round < 30; round++) {
		late.len = 0;
		for (uint32_t id = 1; id < 2000; id += 2) {
			if (round == 0)
				kit_frame(&late, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS, id, "\x88",
					1);
			kit_frame(&late, H2_FRAME_DATA, 0, id, "late", 4);
		}
		kit_feed(k, &k->a, late.at, late.len);
	}
	CHECK(!h2_conn_is_dead(k->a.conn));
	CHECK_EQ(h2_conn_unwritten(k->a.conn), 0);
	CHECK_EQ(k->a.data_len, 0);
	kit_destroy(k);
}

TEST(every_value_of_a_setting_counts_and_one_pass_is_made)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	struct h2_stream_info info;
	uint8_t p[30] = {0}, frame[13];
	static const uint32_t calm[5] = {0, 200000, 5, 70000, 65536};
	kit_run(k);
	kit_feed(k, &k->a, frame, h2_frame_put_window(frame, 1, 10));
	h2_stream_inspect(s, &info);
	int64_t before = info.send_window_bytes;
	for (int last = 0; last < 2; last++) {
		for (int i = 0; i < 5; i++) {
			h2_put_u16(p + 6 * i, H2_SETTING_INITIAL_WINDOW_SIZE);
			h2_put_u32(p + 6 * i + 2, i == 2 && last ? H2_WINDOW_MAX_BYTES : calm[i]);
		}
		late.len = 0;
		kit_frame(&late, H2_FRAME_SETTINGS, 0, 0, p, sizeof(p));
		kit_feed(k, &k->a, late.at, late.len);
		if (!last) {
			h2_stream_inspect(s, &info);
			CHECK_EQ(info.send_window_bytes, before - 262144 + 65536);
		}
	}
	REQUIRE(kit_last(&k->a, H2_EV_DEAD) != NULL);
	CHECK_EQ(kit_last(&k->a, H2_EV_DEAD)->code, H2_FLOW_CONTROL_ERROR);
	kit_destroy(k);
}

/* A conversation with everything in it; failures are expected, so it checks nothing. */
static void anything(struct kit *k)
{
	static uint8_t big[20000];
	struct h2_stream *s[3] = {NULL};
	for (int i = 0; i < 3; i++)
		s[i] = kit_open(k,
			KIT_FIELDS(":method", "POST", ":scheme", "http", ":path", "/a/b", "cookie",
				"a=1", "cookie", "b=2", "x-own", "value"),
			false);
	kit_run(k);
	for (int i = 0; i < 3 && s[i]; i++) {
		kit_push_data(s[i], big, i ? sizeof(big) : 300, false);
		kit_push_data(s[i], big, 3000, false);
		if (i)
			kit_push_fields(s[i], EVENT_TRAILERS, KIT_FIELDS("x-end", "1"), true);
	}
	kit_run(k);
	int events = k->b.count;
	for (int i = 0; i < events; i++) {
		struct h2_event *ev = &k->b.events[i];
		if (ev->kind != H2_EV_MESSAGE || ev->ev.kind != EVENT_HEAD)
			continue;
		kit_push_fields(ev->stream, EVENT_HEAD, KIT_RESPONSE, false);
		kit_push_data(ev->stream, big, sizeof(big), false);
		kit_push_fields(ev->stream, EVENT_TRAILERS, KIT_TRAILERS, true);
		h2_stream_reset(ev->stream, H2_NO_ERROR);
	}
	if (s[0])
		h2_stream_reset(s[0], H2_CANCEL);
	h2_conn_drain(k->b.conn, "drain");
	kit_run(k);
}

/* Was the failure still to come? Then everything has been failed once. */
static bool failure_pending(void)
{
	bool pending = false;
	for (int i = 0; i < 1000 && !pending; i++) {
		void *p = mem_alloc(1);
		pending = !p;
		mem_free(p);
	}
	mem_fail_after(0);
	return pending;
}

/* The kit tries again where its own allocation fails, so every one of the engine's gets its turn.
 */
TEST(every_failed_allocation_leaves_the_books_even)
{
	for (size_t chop = 0; chop < 60; chop += 29) {
		bool over = false;
		for (long nth = 1; !over; nth++) {
			struct kit *k = kit_create(NULL, NULL);
			k->chop = chop;
			mem_fail_after(nth);
			anything(k);
			over = failure_pending();
			kit_destroy(k);
			REQUIRE(nth < 20000);
		}
	}
}

TEST(a_connection_that_can_not_be_made_leaves_nothing)
{
	struct h2_options o = h2_options_default(H2_SERVER);
	struct h2_books books = {0};
	struct slab_pool *pool = slab_pool_create(1);
	struct h2_conn *c = NULL;
	long live = mem_live_blocks();
	for (long nth = 1; !c; nth++) {
		mem_fail_after(nth);
		c = h2_conn_create(H2_SERVER, &o, pool, &books);
		mem_fail_after(0);
		if (!c) {
			CHECK_EQ(mem_live_blocks(), live);
			CHECK_EQ(books.conns, 0);
		}
		REQUIRE(nth < 20);
	}
	h2_conn_destroy(c);
	slab_pool_destroy(pool);
}

TAP_MAIN()
