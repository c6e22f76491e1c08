/* guard_test.c - the buckets, and what they do to a connection that is abused, or only busy. */
#include "engine_kit.h"

#define SECOND 1000000000ull

TEST(a_bucket_holds_ten_seconds_and_refills_with_time)
{
	struct h2_bucket b;
	h2_bucket_init(&b, 5);
	for (int i = 0; i < 50; i++)
		CHECK(h2_bucket_take(&b, SECOND, 0));
	CHECK(h2_bucket_take(&b, SECOND + SECOND / 5, 0));
	CHECK(!h2_bucket_take(&b, SECOND + SECOND / 5, 0));
	CHECK(!h2_bucket_take(&b, SECOND + SECOND / 5 + SECOND / 6, 0));
	CHECK(h2_bucket_take(&b, SECOND + 2 * (SECOND / 5), 0));
	for (int i = 0; i < 50; i++)
		CHECK(h2_bucket_take(&b, 1000 * SECOND, 0));
	CHECK(!h2_bucket_take(&b, 1000 * SECOND, 0));
}

TEST(earned_tokens_count_and_are_capped)
{
	struct h2_bucket b;
	h2_bucket_init(&b, 1);
	for (int i = 0; i < 10; i++)
		CHECK(h2_bucket_take(&b, 0, 0));
	CHECK(!h2_bucket_take(&b, 0, 0));
	CHECK(h2_bucket_take(&b, 0, 2));
	CHECK(h2_bucket_take(&b, 0, 0));
	CHECK(!h2_bucket_take(&b, 0, 0));
	int n = 0;
	for (bool ok = h2_bucket_take(&b, 0, UINT32_MAX); ok; ok = h2_bucket_take(&b, 0, 0))
		n++;
	CHECK_EQ(n, 10);
}

TEST(a_budget_of_zero_is_no_budget)
{
	struct h2_bucket b;
	h2_bucket_init(&b, 0);
	for (int i = 0; i < 1000; i++)
		CHECK(h2_bucket_take(&b, 0, 0));
}

/* A server with the default budgets and a peer that speaks raw frames. */
static struct kit *server(struct kit_bytes *b)
{
	struct kit *k = kit_create(NULL, NULL);
	kit_preface(b);
	kit_feed(k, &k->b, b->at, b->len);
	b->len = 0;
	return k;
}

static void feed(struct kit *k, struct kit_bytes *b)
{
	kit_feed(k, &k->b, b->at, b->len);
	b->len = 0;
}

static void expect_calm(struct kit *k, enum h2_fault fault)
{
	struct h2_event *dead = kit_last(&k->b, H2_EV_DEAD);
	REQUIRE(dead != NULL);
	CHECK_EQ(dead->code, H2_ENHANCE_YOUR_CALM);
	CHECK_EQ(dead->fault, fault);
	CHECK_EQ(k->books.faults[fault], 1);
	CHECK_EQ(k->books.goaways_out[H2_ENHANCE_YOUR_CALM], 1);
}

static struct kit_bytes bytes; /* too large for a stack */

/* Sends `frame` n times, all answers read; the fault that ended it, or H2_FAULT_COUNT. */
static enum h2_fault flood(int n, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
	size_t len, bool open_stream)
{
	struct kit *k = server(&bytes);
	if (open_stream)
		kit_headers(&bytes, 1, 0);
	feed(k, &bytes);
	for (int i = 0; i < n && !h2_conn_is_dead(k->b.conn); i++) {
		kit_frame(&bytes, type, flags, id, payload, len);
		feed(k, &bytes);
		size_t written;
		free(kit_drain(&k->b, &written));
		kit_forget(&k->b);
	}
	enum h2_fault fault = H2_FAULT_COUNT;
	for (int f = 0; f < H2_FAULT_COUNT; f++)
		if (k->books.faults[f])
			fault = (enum h2_fault)f;
	kit_destroy(k);
	return fault;
}

TEST(floods_of_control_frames_end_the_connection_and_a_burst_does_not)
{
	static const uint8_t zeros[16] = {0}, one[4] = {0, 0, 0, 1}, prio[5] = {0, 0, 0, 9, 0};
	static const struct {
		uint8_t type, flags;
		uint32_t id;
		const void *payload;
		size_t len;
		bool open;
	} kinds[] = {
		{H2_FRAME_PING, 0, 0, zeros, 8, false},
		{H2_FRAME_PING, H2_FLAG_ACK, 0, zeros, 8, false},
		{H2_FRAME_SETTINGS, 0, 0, NULL, 0, false},
		{H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, NULL, 0, false},
		{H2_FRAME_PRIORITY, 0, 1, prio, 5, false},
		{H2_FRAME_WINDOW_UPDATE, 0, 0, one, 4, false},
		{H2_FRAME_WINDOW_UPDATE, 0, 1, one, 4, true},
		{H2_FRAME_DATA, 0, 1, NULL, 0, true},
		{H2_FRAME_GOAWAY, 0, 0, zeros, 8, false},
		{0x77, 0, 0, zeros, 16, false},
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		CHECK_EQ(flood(9900, kinds[i].type, kinds[i].flags, kinds[i].id, kinds[i].payload,
				 kinds[i].len, kinds[i].open),
			H2_FAULT_COUNT);
		CHECK_EQ(flood(10100, kinds[i].type, kinds[i].flags, kinds[i].id, kinds[i].payload,
				 kinds[i].len, kinds[i].open),
			H2_FAULT_FLOOD_CONTROL);
	}
}

/* Opens and resets `n` streams, `per_s` a second. */
static struct kit *cancel(int n, int per_s)
{
	static const uint8_t code[4] = {0, 0, 0, H2_CANCEL};
	struct kit *k = server(&bytes);
	for (int i = 0; i < n && !h2_conn_is_dead(k->b.conn); i++) {
		uint32_t id = (uint32_t)i * 2 + 1;
		kit_headers(&bytes, id, H2_FLAG_END_STREAM);
		kit_frame(&bytes, H2_FRAME_RST_STREAM, 0, id, code, 4);
		feed(k, &bytes);
		k->now_ns += SECOND / (unsigned)per_s;
		for (int e = 0; e < k->b.count; e++)
			if (k->b.events[e].kind == H2_EV_RESET)
				h2_stream_release(k->b.events[e].stream);
		if (!h2_conn_is_dead(k->b.conn))
			kit_forget(&k->b);
	}
	return k;
}

TEST(a_rapid_reset_attack_is_contained)
{
	struct kit *k = cancel(100000, 1000000);
	expect_calm(k, H2_FAULT_FLOOD_RESETS);
	CHECK(k->books.resets_in[H2_CANCEL] <= 2100);
	kit_destroy(k);
}

TEST(a_client_that_cancels_within_the_budget_passes)
{
	struct kit *k = cancel(20000, 200);
	CHECK(!h2_conn_is_dead(k->b.conn));
	CHECK_EQ(k->books.resets_in[H2_CANCEL], 20000);
	kit_destroy(k);
}

TEST(a_peer_that_provokes_our_resets_is_contained)
{
	struct kit *k = server(&bytes);
	static const uint8_t zero[4] = {0};
	for (uint32_t id = 1; id < 20000 && !h2_conn_is_dead(k->b.conn); id += 2) {
		kit_headers(&bytes, id, 0);
		kit_frame(&bytes, H2_FRAME_WINDOW_UPDATE, 0, id, zero, 4);
		feed(k, &bytes);
		size_t written;
		free(kit_drain(&k->b, &written));
		for (int e = 0; e < k->b.count; e++)
			if (k->b.events[e].kind == H2_EV_RESET)
				h2_stream_release(k->b.events[e].stream);
		if (!h2_conn_is_dead(k->b.conn))
			kit_forget(&k->b);
	}
	expect_calm(k, H2_FAULT_FLOOD_RESETS);
	kit_destroy(k);
}

TEST(answers_that_nobody_reads_are_bounded)
{
	struct h2_options o = h2_options_default(H2_SERVER);
	o.control_frames_per_s = 0;
	struct kit *k = kit_create(NULL, &o);
	static const uint8_t zeros[8] = {0};
	kit_preface(&bytes);
	feed(k, &bytes);
	for (int i = 0; i < 100000 && !h2_conn_is_dead(k->b.conn); i++) {
		kit_frame(&bytes, H2_FRAME_PING, 0, 0, zeros, 8);
		feed(k, &bytes);
	}
	expect_calm(k, H2_FAULT_FLOOD_ANSWERS);
	CHECK(h2_conn_unwritten(k->b.conn) < 70000);
	kit_destroy(k);
}

TEST(answers_that_are_read_slowly_are_no_flood)
{
	struct h2_options o = h2_options_default(H2_SERVER);
	o.control_frames_per_s = 0;
	struct kit *k = kit_create(NULL, &o);
	static const uint8_t zeros[8] = {0};
	kit_preface(&bytes);
	feed(k, &bytes);
	for (int i = 0; i < 50000; i++) { /* never empty, never more than 20 KiB */
		kit_frame(&bytes, H2_FRAME_PING, 0, 0, zeros, 8);
		feed(k, &bytes);
		struct iovec iov[4];
		h2_conn_output(k->b.conn, iov, 4);
		if (h2_conn_unwritten(k->b.conn) > 20000)
			h2_conn_written(k->b.conn, 10000);
	}
	CHECK(!h2_conn_is_dead(k->b.conn));
	kit_destroy(k);
}

TEST(too_many_continuation_frames_end_the_connection)
{
	struct kit *k = server(&bytes);
	kit_frame(&bytes, H2_FRAME_HEADERS, 0, 1, KIT_RAW_REQUEST, sizeof(KIT_RAW_REQUEST) - 1);
	for (int i = 0; i < 65; i++)
		kit_frame(&bytes, H2_FRAME_CONTINUATION, 0, 1, NULL, 0);
	feed(k, &bytes);
	expect_calm(k, H2_FAULT_FLOOD_CONTINUATION);
	kit_destroy(k);
}

TEST(a_header_block_beyond_its_cap_ends_the_connection)
{
	struct h2_options o = h2_options_default(H2_SERVER);
	o.header_list_bytes = 4096;
	struct kit *k = kit_create(NULL, &o);
	static uint8_t junk[16384];
	memset(junk, 0x82, sizeof(junk)); /* :method GET, again and again */
	kit_preface(&bytes);
	kit_frame(&bytes, H2_FRAME_HEADERS, 0, 1, junk, sizeof(junk));
	feed(k, &bytes);
	CHECK(!h2_conn_is_dead(k->b.conn));
	kit_frame(&bytes, H2_FRAME_CONTINUATION, 0, 1, junk, sizeof(junk));
	feed(k, &bytes);
	CHECK(!h2_conn_is_dead(k->b.conn));
	kit_frame(&bytes, H2_FRAME_CONTINUATION, 0, 1, junk, 1);
	feed(k, &bytes);
	expect_calm(k, H2_FAULT_FLOOD_BLOCK);
	kit_destroy(k);
}

TEST(window_updates_that_content_earns_are_no_flood)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	static uint8_t payload[1024];
	for (int i = 0; i < 40000; i++) { /* a receiver that answers each frame twice, in no time */
		static const uint8_t by[4] = {0, 0, 2, 0};
		kit_push_data(s, payload, sizeof(payload), false);
		kit_carry(k, &k->a, &k->b);
		kit_carry(k, &k->b, &k->a);
		kit_frame(&bytes, H2_FRAME_WINDOW_UPDATE, 0, 0, by, 4);
		kit_frame(&bytes, H2_FRAME_WINDOW_UPDATE, 0, 1, by, 4);
		kit_feed(k, &k->a, bytes.at, bytes.len);
		bytes.len = 0;
		kit_forget(&k->a);
		kit_forget(&k->b);
	}
	CHECK(!h2_conn_is_dead(k->a.conn));
	kit_destroy(k);
}

TAP_MAIN()
