/* tx_test.c - queues, merging, fairness, and the order of what is framed. */
#include "tx_kit.h"

TEST(small_payloads_of_one_stream_merge_into_one_frame)
{
	struct kit *k = client(0);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	for (unsigned i = 0; i < 100; i++)
		kit_push_data(s, payload + i * 128, 128, i == 99);
	CHECK_EQ(k->books.held_bytes, 12800);
	drain(k);
	CHECK_EQ(frames(H2_FRAME_DATA), 1);
	CHECK_EQ(k->books.merged_frames, 99);
	CHECK_EQ(k->books.held_bytes, 0);
	check_content(1, payload, 12800);
	struct h2_frame f;
	const uint8_t *p;
	REQUIRE(kit_find(wire, wire_len, H2_FRAME_DATA, 0, &f, &p));
	CHECK_EQ(f.flags, H2_FLAG_END_STREAM);
	struct h2_event *admitted = kit_last(&k->a, H2_EV_ADMITTED);
	REQUIRE(admitted != NULL);
	CHECK_EQ(admitted->bytes, 12800);
	done(k);
}

TEST(payloads_of_every_size_arrive_whole_and_in_order)
{
	static const uint32_t sizes[] = {1, 127, 128, 129, 463, 464, 465, 4095, 4096, 4097, 8143,
		8192, 16383, 16384, 16385, 40000};
	const unsigned n = sizeof(sizes) / sizeof(sizes[0]);
	for (unsigned a = 0; a < n; a++) {
		for (unsigned b = 0; b < n; b++) {
			struct kit *k = client(1000000);
			credit(k, 0, 1000000);
			struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
			uint32_t at = 0;
			for (unsigned i = 0; i < 4; i++) {
				uint32_t len = sizes[i % 2 ? a : b];
				kit_push_data(s, payload + at, len, i == 3);
				at += len;
			}
			drain(k);
			check_content(1, payload, at);
			CHECK_EQ(frames(H2_FRAME_DATA), (at + 16383) / 16384);
			done(k);
		}
	}
}

/* The content of all DATA frames, joined, is what `want` begins with; its bytes. */
static uint32_t check_some(const uint8_t *want)
{
	struct h2_frame f;
	const uint8_t *p;
	uint32_t at = 0;
	for (int n = 0; kit_find(wire, wire_len, H2_FRAME_DATA, n, &f, &p); n++) {
		CHECK(!memcmp(p, want + at, f.len));
		at += f.len;
	}
	return at;
}

/* A run as rx gathers it: in a small slab of its own. */
static void push_run(struct kit *k, struct h2_stream *s, const uint8_t *bytes, uint32_t len)
{
	struct slab *slab = slab_get_small(k->pool);
	REQUIRE(slab != NULL);
	memcpy(slab->bytes, bytes, len);
	struct event ev = {.kind = EVENT_DATA, .data = {slab, slab->bytes, len}};
	h2_stream_push(s, &ev);
}

TEST(what_follows_a_run_goes_behind_it_while_there_is_room)
{
	struct kit *k = client(0);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	drain(k);
	uint64_t slabs = slab_pool_out(k->pool);
	uint32_t at = 0;
	for (unsigned i = 0; at + 700 <= SLAB_SMALL_BYTES; i++) {
		uint32_t len = i % 3 == 2 ? 100 : 700;
		if (len == 100)
			kit_push_data(s, payload + at, len, false);
		else
			push_run(k, s, payload + at, len);
		at += len;
		CHECK_EQ(slab_pool_out(k->pool), slabs + 1);
	}
	CHECK_EQ(k->books.held_bytes, at);
	push_run(k, s, payload + at, 700);
	at += 700;
	struct iovec iov[8]; /* the frame's head, the run, what did not fit */
	CHECK_EQ(h2_conn_output(k->a.conn, iov, 8), 3);
	drain(k);
	CHECK_EQ(frames(H2_FRAME_DATA), 1);
	check_content(1, payload, at);
	CHECK_EQ(slab_pool_out(k->pool), slabs);
	done(k);
}

TEST(a_small_run_that_has_to_wait_keeps_no_slab)
{
	struct kit *k = client(500);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	drain(k);
	uint64_t slabs = slab_pool_out(k->pool);
	push_run(k, s, payload, 700);
	CHECK_EQ(slab_pool_out(k->pool), slabs);
	drain(k);
	credit(k, 1, 1000);
	drain(k);
	check_content(1, payload + 500, 200);
	done(k);
}

TEST(runs_and_others_of_all_sizes_keep_their_order_through_small_windows)
{
	for (uint32_t seed = 1; seed <= 50; seed++) {
		struct kit *k = client(300 * seed);
		struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
		uint32_t at = 0, x = seed, seen = 0;
		credit(k, 0, 1000000);
		for (unsigned i = 0; i < 60; i++) {
			x = x * 1664525 + 1013904223;
			uint32_t len = 1 + (x >> 16) % (x & 0x8000 ? 3000 : 600);
			struct iovec iov[64];
			if (x & 0x4000)
				push_run(k, s, payload + at, len);
			else
				kit_push_data(s, payload + at, len, false);
			at += len;
			if (x & 0x2000) /* framed, and not yet written when more comes */
				(void)h2_conn_output(k->a.conn, iov, 64);
			if (i % 7)
				continue;
			drain(k);
			seen += check_some(payload + seen);
			credit(k, 1, (x >> 8) % 5000 + 1);
		}
		credit(k, 1, 1000000);
		drain(k);
		check_content(1, payload + seen, at - seen);
		done(k);
	}
}

TEST(frames_are_never_larger_than_the_peer_allows)
{
	struct kit *k = client(1000000);
	credit(k, 0, 1000000);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	kit_push_data(s, payload, 100000, false);
	drain(k);
	struct h2_frame f;
	const uint8_t *p;
	for (int n = 0; kit_find(wire, wire_len, H2_FRAME_DATA, n, &f, &p); n++)
		CHECK(f.len <= 16384);
	check_content(1, payload, 100000);
	done(k);
}

TEST(an_end_without_content_gets_an_empty_frame)
{
	struct kit *k = client(0);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	kit_push_data(s, payload, 10, false);
	drain(k);
	kit_push_data(s, payload, 0, true);
	drain(k);
	struct h2_frame f;
	const uint8_t *p;
	REQUIRE(kit_find(wire, wire_len, H2_FRAME_DATA, 0, &f, &p));
	CHECK_EQ(f.len, 0);
	CHECK_EQ(f.flags, H2_FLAG_END_STREAM);
	done(k);
}

TEST(an_end_rides_on_content_that_is_still_queued)
{
	struct kit *k = client(0);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	kit_push_data(s, payload, 10, false);
	kit_push_data(s, payload, 0, true);
	drain(k);
	CHECK_EQ(frames(H2_FRAME_DATA), 1);
	struct h2_frame f;
	const uint8_t *p;
	REQUIRE(kit_find(wire, wire_len, H2_FRAME_DATA, 0, &f, &p));
	CHECK_EQ(f.flags, H2_FLAG_END_STREAM);
	done(k);
}

TEST(a_used_up_stream_window_stops_its_stream_only)
{
	struct kit *k = client(1000);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false), *t = kit_open(k, KIT_REQUEST, false);
	struct h2_stream_info info;
	kit_push_data(s, payload, 3000, false);
	kit_push_data(t, payload, 500, true);
	drain(k);
	check_content(1, payload, 1000);
	check_content(3, payload, 500);
	h2_stream_inspect(s, &info);
	CHECK_EQ(info.queued_bytes, 2000);
	CHECK_EQ(info.send_window_bytes, 0);
	CHECK_EQ(info.blocked, H2_BLOCKED_STREAM_WINDOW);
	CHECK(!h2_conn_wants_write(k->a.conn));
	CHECK(!h2_conn_window_blocked(k->a.conn));
	credit(k, 1, 1500);
	drain(k);
	check_content(1, payload + 1000, 1500);
	CHECK_EQ(k->books.held_bytes, 500);
	done(k);
}

TEST(a_used_up_connection_window_stops_all_and_is_reported)
{
	struct kit *k = client(200000);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false), *t = kit_open(k, KIT_REQUEST, false);
	struct h2_stream_info info;
	kit_push_data(s, payload, 100000, false);
	drain(k);
	check_content(1, payload, 65535);
	kit_push_data(t, payload, 100, false);
	drain(k);
	CHECK_EQ(wire_len, 0);
	CHECK(h2_conn_window_blocked(k->a.conn));
	h2_stream_inspect(t, &info);
	CHECK_EQ(info.blocked, H2_BLOCKED_CONN_WINDOW);
	CHECK_EQ(info.conn_send_window_bytes, 0);
	/* trailers and ends need no window */
	struct h2_stream *u = kit_open(k, KIT_REQUEST, false);
	kit_push_fields(u, EVENT_TRAILERS, KIT_TRAILERS, true);
	drain(k);
	CHECK_EQ(frames(H2_FRAME_HEADERS), 2);
	credit(k, 0, 100000);
	drain(k);
	check_content(1, payload + 65535, 100000 - 65535);
	check_content(3, payload, 100);
	CHECK(!h2_conn_window_blocked(k->a.conn));
	done(k);
}

TEST(ready_streams_take_turns)
{
	struct kit *k = client(1000000);
	credit(k, 0, 10000000);
	struct h2_stream *s[4];
	for (int i = 0; i < 4; i++)
		s[i] = kit_open(k, KIT_REQUEST, false);
	drain(k);
	for (int i = 0; i < 4; i++)
		kit_push_data(s[i], payload, 65536, false);
	drain(k);
	for (int n = 0; n < 16; n++) { /* 1 3 5 7 1 3 5 7 ... */
		struct h2_frame f;
		const uint8_t *p;
		REQUIRE(kit_find(wire, wire_len, H2_FRAME_DATA, n, &f, &p));
		CHECK_EQ(f.id, (n % 4) * 2 + 1);
	}
	done(k);
}

TEST(content_waits_while_the_output_is_full)
{
	struct h2_options o = h2_options_default(H2_CLIENT);
	o.output_bytes = 20000;
	struct kit *k = kit_create(&o, NULL);
	struct iovec iov[64];
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	struct h2_stream_info info;
	kit_push_data(s, payload, 60000, false);
	CHECK(h2_conn_output(k->a.conn, iov, 64) > 0);
	CHECK(h2_conn_unwritten(k->a.conn) < 20000 + 16384 + 9);
	h2_stream_inspect(s, &info);
	CHECK(info.queued_bytes > 0);
	CHECK_EQ(info.blocked, H2_BLOCKED_SOCKET);
	drain(k);
	h2_stream_inspect(s, &info);
	CHECK_EQ(info.queued_bytes, 0);
	CHECK_EQ(info.blocked, H2_NOT_BLOCKED);
	done(k);
}

/* A socket that takes a part and no more. */
static void stick(struct kit *k)
{
	struct iovec iov[64];
	CHECK(h2_conn_output(k->a.conn, iov, 64) > 0);
	h2_conn_written(k->a.conn, 1);
	h2_conn_compact(k->a.conn);
}

static enum h2_blocked told(struct kit *k, struct h2_stream *s)
{
	struct h2_event *ev;
	kit_poll(&k->a);
	ev = kit_last(&k->a, H2_EV_BLOCKED);
	enum h2_blocked how = ev && ev->stream == s ? ev->blocked : H2_NOT_BLOCKED;
	kit_forget(&k->a);
	return how;
}

TEST(what_is_queued_behind_a_full_socket_is_blocked_by_it)
{
	struct kit *k = client(1000000);
	credit(k, 0, 10000000);
	struct h2_stream *first = kit_open(k, KIT_REQUEST, false);
	kit_push_data(first, payload, 5000, false);
	stick(k);
	CHECK_EQ(told(k, first), H2_NOT_BLOCKED); /* it is framed, all of it */
	kit_push_data(first, payload, 100, false);
	CHECK_EQ(told(k, first), H2_BLOCKED_SOCKET);
	struct h2_stream *second = kit_open(k, KIT_REQUEST, false);
	CHECK_EQ(told(k, second), H2_NOT_BLOCKED); /* a head alone is no content */
	kit_push_data(second, payload, 10, false);
	CHECK_EQ(told(k, second), H2_BLOCKED_SOCKET);
	drain(k);
	kit_push_data(first, payload, 100, false);
	CHECK_EQ(told(k, first), H2_NOT_BLOCKED);
	done(k);
}

TEST(a_window_that_opens_behind_a_full_socket_leaves_the_stream_blocked_by_the_socket)
{
	struct kit *k = client(0);
	struct h2_stream *one = kit_open(k, KIT_REQUEST, false),
			 *two = kit_open(k, KIT_REQUEST, false);
	credit(k, h2_stream_id(two), 1000000);
	drain(k);
	kit_push_data(one, payload, 65535, false);
	drain(k);
	kit_push_data(one, payload, 10, false);
	CHECK_EQ(told(k, one), H2_BLOCKED_STREAM_WINDOW);
	kit_push_data(two, payload, 10, false);
	drain(k);
	CHECK_EQ(told(k, two), H2_BLOCKED_CONN_WINDOW);
	h2_conn_ping(k->a.conn, 7);
	stick(k);
	credit(k, h2_stream_id(one), 100);
	CHECK_EQ(told(k, one), H2_BLOCKED_SOCKET);
	credit(k, 0, 100);
	CHECK_EQ(told(k, two), H2_BLOCKED_SOCKET);
	done(k);
}

TEST(control_frames_go_before_content_of_the_same_turn)
{
	struct kit *k = client(0);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	drain(k);
	kit_push_data(s, payload, 100, false);
	h2_conn_ping(k->a.conn, 7);
	drain(k);
	CHECK_EQ(wire[3], H2_FRAME_PING);
	CHECK_EQ(wire[17 + 3], H2_FRAME_DATA);
	done(k);
}

TEST(trailers_behind_content_are_encoded_when_they_are_reached)
{
	struct kit *k = client(100);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	kit_push_data(s, payload, 150, false);
	kit_push_fields(s, EVENT_TRAILERS, KIT_FIELDS("x-late", "one"), true);
	drain(k);
	CHECK_EQ(frames(H2_FRAME_HEADERS), 1);
	struct h2_stream *t = kit_open(k,
		KIT_FIELDS(":method", "GET", ":scheme", "http", ":path", "/", "x-late", "one"),
		true);
	CHECK(t != NULL);
	credit(k, 1, 100);
	uint8_t *before = wire;
	size_t before_len = wire_len;
	wire = NULL;
	drain(k);
	CHECK_EQ(frames(H2_FRAME_HEADERS), 2);
	/* one decoder reads all blocks in wire order */
	uint8_t *all = malloc(before_len + wire_len);
	memcpy(all, before, before_len);
	memcpy(all + before_len, wire, wire_len);
	struct hpack_decoder *d = hpack_decoder_create(4096);
	struct h2_frame f;
	const uint8_t *p;
	unsigned late = 0;
	for (int n = 0; kit_find(all, before_len + wire_len, H2_FRAME_HEADERS, n, &f, &p); n++) {
		struct fields *fields = fields_create();
		bool overflow;
		CHECK_EQ(hpack_decode(d, p, f.len, 65536, fields, &overflow), 0);
		const struct field *x = fields_find(fields, "x-late", 6);
		late += x && field_is(x, "one");
		fields_destroy(fields);
	}
	CHECK_EQ(late, 2);
	hpack_decoder_destroy(d);
	free(all);
	free(before);
	done(k);
}

TEST(a_large_header_section_is_cut_into_continuation_frames)
{
	struct kit *k = kit_create(NULL, NULL);
	static char value[50001];
	memset(value, '~', sizeof(value) - 1); /* long in Huffman: stays as it is */
	kit_run(k);
	struct h2_stream *s = kit_open(k,
		KIT_FIELDS(":method", "GET", ":scheme", "http", ":path", "/", "x-big", value),
		true);
	CHECK(s != NULL);
	drain(k);
	CHECK_EQ(frames(H2_FRAME_HEADERS), 1);
	CHECK_EQ(frames(H2_FRAME_CONTINUATION), 3);
	kit_feed(k, &k->b, wire, wire_len);
	struct h2_event *head = kit_last(&k->b, H2_EV_MESSAGE);
	REQUIRE(head != NULL);
	const struct field *big = fields_find(head->ev.fields, "x-big", 5);
	REQUIRE(big != NULL);
	CHECK_EQ(big->value_len, sizeof(value) - 1);
	CHECK(!head->oversized && head->ev.end);
	done(k);
}

TEST(dropping_the_queue_makes_room_for_other_trailers)
{
	struct kit *k = client(100);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	kit_push_data(s, payload, 150, false);
	kit_push_data(s, payload, 50000, false);
	kit_push_fields(s, EVENT_TRAILERS, KIT_FIELDS("grpc-status", "0"), true);
	drain(k);
	CHECK_EQ(h2_stream_drop_queued(s), 50050);
	CHECK_EQ(k->books.held_bytes, 0);
	kit_push_fields(s, EVENT_TRAILERS, KIT_FIELDS("grpc-status", "14"), true);
	drain(k);
	CHECK_EQ(frames(H2_FRAME_DATA), 0);
	struct h2_frame f;
	const uint8_t *p;
	REQUIRE(kit_find(wire, wire_len, H2_FRAME_HEADERS, 0, &f, &p));
	CHECK_EQ(f.flags, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM);
	done(k);
}

TEST(large_slices_behind_a_slow_reader_are_compacted)
{
	struct kit *k = client(10);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	drain(k);
	uint64_t out = slab_pool_out(k->pool);
	struct slab *slab = slab_get(k->pool);
	memcpy(slab->bytes, payload, 10000);
	struct event ev = {.kind = EVENT_DATA, .data = {slab, slab->bytes, 10000}};
	h2_stream_push(s, &ev);
	drain(k);
	CHECK_EQ(slab_pool_out(k->pool), out + 1);
	h2_conn_compact(k->a.conn);
	CHECK_EQ(slab_pool_out(k->pool), out);
	credit(k, 1, 60000);
	drain(k);
	check_content(1, payload + 10, 9990);
	done(k);
}

TEST(a_negative_window_sends_nothing_until_it_is_positive_again)
{
	static struct kit_bytes b;
	struct kit *k = client(1000);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	struct h2_stream_info info;
	kit_push_data(s, payload, 3000, true);
	drain(k);
	uint8_t setting[6] = {0, H2_SETTING_INITIAL_WINDOW_SIZE};
	h2_put_u32(setting + 2, 200);
	b.len = 0;
	kit_frame(&b, H2_FRAME_SETTINGS, 0, 0, setting, 6);
	kit_feed(k, &k->a, b.at, b.len);
	h2_stream_inspect(s, &info);
	CHECK_EQ(info.send_window_bytes, -800);
	credit(k, 1, 800);
	drain(k);
	CHECK_EQ(frames(H2_FRAME_DATA), 0);
	credit(k, 1, 1);
	drain(k);
	check_content(1, payload + 1000, 1);
	done(k);
}

TEST(a_control_frame_waits_behind_no_more_than_the_output_and_one_frame)
{
	static struct kit_bytes b;
	struct kit *k = client(H2_WINDOW_MAX_BYTES);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	drain(k);
	uint8_t setting[6] = {0, H2_SETTING_MAX_FRAME_SIZE}, opaque[8] = {0};
	h2_put_u32(setting + 2, H2_FRAME_MAX_BYTES);
	b.len = 0;
	kit_frame(&b, H2_FRAME_SETTINGS, 0, 0, setting, 6);
	kit_feed(k, &k->a, b.at, b.len);
	credit(k, 0, H2_WINDOW_MAX_BYTES - H2_WINDOW_DEFAULT);
	drain(k);
	for (int i = 0; i < 3; i++)
		kit_push_data(s, payload, sizeof(payload), false);
	struct iovec iov[64]; /* the socket is full: framed and not written, as often as asked */
	for (int i = 0; i < 3; i++)
		CHECK(h2_conn_output(k->a.conn, iov, 64) > 0);
	size_t ahead = h2_conn_unwritten(k->a.conn);
	uint32_t output = h2_options_default(H2_CLIENT).output_bytes;
	CHECK(ahead >= output && ahead < output + 65536 + H2_HEADER_BYTES);
	b.len = 0;
	kit_frame(&b, H2_FRAME_PING, 0, 0, opaque, 8);
	kit_feed(k, &k->a, b.at, b.len);
	drain(k);
	REQUIRE(wire_len > ahead + H2_HEADER_BYTES);
	struct h2_frame f = h2_frame_get(wire + ahead);
	CHECK_EQ(f.type, H2_FRAME_PING);
	CHECK_EQ(f.flags, H2_FLAG_ACK);
	CHECK_EQ(k->books.held_bytes, 0); /* and all of the DATA went */
	done(k);
}

TAP_MAIN()
