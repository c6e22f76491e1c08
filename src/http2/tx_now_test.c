/* tx_now_test.c - what is framed as it is pushed, and what is not. */
#include "tx_kit.h"

/* Pushes at once, if that may be: the bytes that were admitted. */
static uint32_t push_now(struct h2_stream *s, const void *bytes, uint32_t len, bool end)
{
	struct event ev = {.kind = EVENT_DATA, .end = end, .data = kit_slice(bytes, len)};
	return h2_stream_push_now(s, &ev);
}

TEST(a_small_payload_that_nothing_waits_before_is_framed_at_once)
{
	struct kit *k = client(0);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false), *t = kit_open(k, KIT_REQUEST, false);
	struct h2_stream_info info;
	drain(k);
	CHECK_EQ(push_now(s, payload, 100, false), 100);
	CHECK_EQ(push_now(t, payload, 2048, false), 2048);
	CHECK(h2_conn_wants_write(k->a.conn));
	CHECK_EQ(h2_conn_unwritten(k->a.conn), 9 + 100 + 9 + 2048);
	CHECK_EQ(k->books.held_bytes, 2148);
	CHECK_EQ(k->books.data_bytes_out, 2148);
	h2_stream_inspect(s, &info);
	CHECK_EQ(info.queued_bytes, 0);
	CHECK_EQ(info.send_window_bytes, 65535 - 100);
	CHECK_EQ(info.conn_send_window_bytes, 65535 - 2148);
	drain(k);
	check_content(1, payload, 100);
	check_content(3, payload, 2048);
	CHECK_EQ(frames(H2_FRAME_DATA), 2);
	CHECK_EQ(kit_count(&k->a, H2_EV_ADMITTED), 0);
	CHECK_EQ(k->books.held_bytes, 0);
	CHECK_EQ(push_now(s, payload + 100, 1, false), 1); /* the next output */
	drain(k);
	check_content(1, payload + 100, 1);
	done(k);
}

TEST(what_follows_in_the_same_output_is_queued_and_merges)
{
	struct kit *k = client(0);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false), *t = kit_open(k, KIT_REQUEST, false);
	CHECK_EQ(push_now(s, payload, 100, false), 100);
	for (unsigned i = 1; i < 10; i++)
		CHECK_EQ(push_now(s, payload + i * 100, 100, false), 0);
	CHECK_EQ(push_now(t, payload, 10, false), 0); /* now something waits before it */
	drain(k);
	CHECK_EQ(frames(H2_FRAME_DATA), 3);
	check_content(1, payload, 1000);
	check_content(3, payload, 10);
	CHECK_EQ(kit_count(&k->a, H2_EV_ADMITTED), 2);
	done(k);
}

TEST(an_end_is_in_the_frame_that_goes_at_once)
{
	struct kit *k = client(0);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false), *t = kit_open(k, KIT_REQUEST, false);
	struct h2_stream_info info;
	drain(k);
	CHECK_EQ(push_now(s, payload, 10, true), 10);
	h2_stream_inspect(s, &info);
	CHECK(info.local_ended);
	CHECK_EQ(push_now(s, payload, 10, false), 0); /* behind the end: dropped */
	CHECK_EQ(push_now(t, payload, 10, false), 10);
	CHECK_EQ(push_now(t, payload, 0, true), 0);
	drain(k);
	CHECK_EQ(frames(H2_FRAME_DATA), 3);
	struct h2_frame f;
	const uint8_t *p;
	REQUIRE(kit_find(wire, wire_len, H2_FRAME_DATA, 0, &f, &p));
	CHECK(f.id == 1 && f.flags == H2_FLAG_END_STREAM && f.len == 10);
	REQUIRE(kit_find(wire, wire_len, H2_FRAME_DATA, 2, &f, &p));
	CHECK(f.id == 3 && f.flags == H2_FLAG_END_STREAM && f.len == 0);
	CHECK_EQ(k->books.bugs, 0);
	done(k);
}

TEST(trailers_follow_what_went_at_once)
{
	struct kit *k = client(0);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	drain(k);
	CHECK_EQ(push_now(s, payload, 10, false), 10);
	struct event trailers = {.kind = EVENT_TRAILERS, .end = true, .fields = KIT_TRAILERS};
	CHECK_EQ(h2_stream_push_now(s, &trailers), 0);
	drain(k);
	CHECK_EQ(wire[3], H2_FRAME_DATA);
	CHECK_EQ(wire[9 + 10 + 3], H2_FRAME_HEADERS);
	done(k);
}

TEST(nothing_goes_at_once_past_a_window)
{
	struct kit *k = client(100);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false), *t = kit_open(k, KIT_REQUEST, false);
	drain(k);
	CHECK_EQ(push_now(s, payload, 101, false), 0);
	drain(k);
	check_content(1, payload, 100);
	CHECK_EQ(push_now(s, payload + 101, 1, false), 0); /* one byte waits before it */
	CHECK_EQ(push_now(t, payload, 100, false), 100);   /* to the last byte */
	drain(k);
	check_content(1, payload, 0);
	credit(k, 1, 100);
	drain(k);
	check_content(1, payload + 100, 2);
	done(k);
	k = client(100000);
	s = kit_open(k, KIT_REQUEST, false);
	t = kit_open(k, KIT_REQUEST, false);
	kit_push_data(s, payload, 65500, false);
	drain(k);
	CHECK_EQ(push_now(t, payload, 36, false), 0); /* the connection's has 35 */
	drain(k);
	check_content(3, payload, 35);
	CHECK_EQ(push_now(s, payload, 1, false), 0);
	drain(k);
	CHECK_EQ(wire_len, 0);
	credit(k, 0, 1000);
	CHECK_EQ(
		push_now(kit_open(k, KIT_REQUEST, false), payload, 1, false), 0); /* others first */
	drain(k);
	check_content(3, payload + 35, 1);
	check_content(5, payload, 1);
	done(k);
}

TEST(nothing_goes_at_once_while_the_socket_is_full)
{
	struct h2_options o = h2_options_default(H2_CLIENT);
	o.output_bytes = 1000;
	struct kit *k = kit_create(&o, NULL);
	struct iovec iov[8];
	struct h2_stream *s[4];
	kit_run(k);
	for (int i = 0; i < 4; i++)
		s[i] = kit_open(k, KIT_REQUEST, false);
	drain(k);
	CHECK_EQ(push_now(s[0], payload, 500, false), 500);
	CHECK_EQ(push_now(s[1], payload, 500, false), 0); /* over the output's cap */
	CHECK(h2_conn_output(k->a.conn, iov, 8) > 0);
	h2_conn_written(k->a.conn, 100);
	h2_conn_compact(k->a.conn);
	CHECK_EQ(push_now(s[2], payload, 1, false), 0);
	drain(k);
	CHECK_EQ(k->books.held_bytes, 0);
	CHECK_EQ(push_now(s[3], payload, 500, false), 500);
	drain(k);
	check_content(7, payload, 500);
	done(k);
}

TEST(nothing_goes_at_once_on_a_dead_connection_or_a_closed_stream)
{
	struct kit *k = client(0);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false), *t = kit_open(k, KIT_REQUEST, false);
	h2_stream_reset(t, H2_CANCEL);
	CHECK_EQ(push_now(t, payload, 10, false), 0);
	h2_conn_kill(k->a.conn, H2_NO_ERROR, NULL);
	CHECK_EQ(push_now(s, payload, 10, false), 0);
	drain(k);
	CHECK_EQ(push_now(s, payload, 10, false), 0);
	drain(k);
	CHECK_EQ(wire_len, 0);
	done(k);
}

TEST(without_memory_what_would_go_at_once_is_queued_or_the_stream_is_lost)
{
	for (long nth = 1; nth < 4; nth++) {
		struct kit *k = client(0);
		struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
		drain(k);
		struct event ev = {.kind = EVENT_DATA, .data = slice_static(payload, 1500)};
		mem_fail_after(nth);
		uint32_t now = h2_stream_push_now(s, &ev);
		mem_fail_after(0);
		drain(k);
		if (now || !kit_count(&k->a, H2_EV_RESET))
			check_content(1, payload, 1500);
		done(k);
	}
}

TAP_MAIN()
