/* rx_test.c - one conversation, cut everywhere; what may be kept of a cut frame. */
#include "engine_kit.h"

static struct kit_bytes talk; /* what a client says */

#define LONG_BYTES 700

/* Requests with and without padding, priority and CONTINUATION; DATA with and without padding;
 * unknown frames; trailers. Answers are not needed to read it. */
static void write_talk(void)
{
	static uint8_t payload[1024], padded[1024];
	static const uint8_t head_start[] = {0x83, 0x86, 0x84}, head_end[] = {0x41, 0x01, 'a'};
	uint8_t plain[64] = {4, 0, 0, 0, 0, 7}; /* pad length, priority */
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)i;
	kit_preface(&talk);
	kit_headers(&talk, 1, 0);
	kit_frame(&talk, H2_FRAME_DATA, 0, 1, payload, 100);
	kit_frame(&talk, 0x99, 0xff, 1, payload, 50);
	kit_frame(&talk, H2_FRAME_HEADERS, 0, 3, head_start, 3);
	kit_frame(&talk, H2_FRAME_CONTINUATION, 0, 3, NULL, 0);
	kit_frame(&talk, H2_FRAME_CONTINUATION, H2_FLAG_END_HEADERS, 3, head_end, 3);
	padded[0] = 200;
	memcpy(padded + 1, payload, 100);
	kit_frame(&talk, H2_FRAME_DATA, H2_FLAG_PADDED, 3, padded, 301);
	kit_frame(&talk, H2_FRAME_DATA, H2_FLAG_END_STREAM, 1, payload, LONG_BYTES);
	kit_frame(&talk, H2_FRAME_PING, 0, 0, payload, 8);
	memcpy(plain + 6, KIT_RAW_REQUEST, 6);
	kit_frame(&talk, H2_FRAME_HEADERS,
		H2_FLAG_PADDED | H2_FLAG_PRIORITY | H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, 5,
		plain, 16);
	kit_frame(&talk, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, 3,
		"\x00\x01x\x01y", 5);
	kit_frame(&talk, H2_FRAME_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0bye", 11);
}

/* Feeds talk in three pieces and checks everything that was told. */
static void hear(size_t first, size_t second, bool settle)
{
	struct kit *k = kit_create(NULL, NULL);
	size_t cuts[] = {first, second, talk.len}, at = 0;
	for (int i = 0; i < 3; i++) {
		kit_feed(k, &k->b, talk.at + at, cuts[i] - at);
		at = cuts[i];
		if (settle)
			h2_conn_settle(k->b.conn);
	}
	uint32_t bytes[6] = {0};
	unsigned heads = 0, trailers = 0, ends = 0, goaways = 0;
	for (int i = 0; i < k->b.count; i++) {
		struct h2_event *ev = &k->b.events[i];
		if (ev->kind == H2_EV_GOAWAY)
			goaways += ev->debug_len == 3;
		if (ev->kind != H2_EV_MESSAGE)
			continue;
		heads += ev->ev.kind == EVENT_HEAD;
		trailers += ev->ev.kind == EVENT_TRAILERS;
		ends += ev->ev.end;
		bytes[h2_stream_id(ev->stream)] += ev->ev.data.len;
	}
	if (heads != 3 || trailers != 1 || ends != 3 || goaways != 1 ||
		bytes[1] != 100 + LONG_BYTES || bytes[3] != 100 || h2_conn_is_dead(k->b.conn))
		printf("# cut at %zu and %zu, settle %d\n", first, second, settle);
	CHECK(!h2_conn_is_dead(k->b.conn));
	CHECK_EQ(heads, 3);
	CHECK_EQ(trailers, 1);
	CHECK_EQ(ends, 3);
	CHECK_EQ(goaways, 1);
	CHECK_EQ(bytes[1], 100 + LONG_BYTES);
	CHECK_EQ(bytes[3], 100);
	CHECK_EQ(k->b.data_len, 200 + LONG_BYTES);
	kit_destroy(k);
}

TEST(a_conversation_is_understood_for_every_split)
{
	write_talk();
	for (size_t at = 0; at <= talk.len; at++) {
		hear(at, at, false);
		hear(at, at, true);
	}
}

TEST(a_conversation_is_understood_for_pairs_of_splits)
{
	write_talk();
	for (size_t at = 0; at < talk.len; at += 3) {
		for (size_t gap = 1; gap < 24 && at + gap <= talk.len; gap += 2)
			hear(at, at + gap, gap % 4 == 1);
	}
}

TEST(a_conversation_is_understood_byte_by_byte)
{
	write_talk();
	for (size_t chop = 1; chop < 12; chop++) {
		struct kit *k = kit_create(NULL, NULL);
		k->chop = chop;
		kit_feed(k, &k->b, talk.at, talk.len);
		CHECK(!h2_conn_is_dead(k->b.conn));
		CHECK_EQ(k->b.data_len, 200 + LONG_BYTES);
		kit_destroy(k);
	}
}

/* Feeds bytes in a pool slab, as a worker does. */
static void feed_pool(struct kit *k, const uint8_t *bytes, size_t len)
{
	struct slab *slab = slab_get(k->pool);
	memcpy(slab->bytes, bytes, len);
	h2_conn_feed(k->b.conn, (struct slice){slab, slab->bytes, (uint32_t)len}, k->now_ns);
	kit_poll(&k->b);
}

static struct kit *quiet_server(void)
{
	struct kit *k = kit_create(NULL, NULL);
	size_t len;
	free(kit_drain(&k->a, &len));
	kit_preface(&talk);
	kit_feed(k, &k->b, talk.at, talk.len);
	free(kit_drain(&k->b, &len));
	talk.len = 0;
	return k;
}

TEST(a_slow_sender_pins_no_slab)
{
	struct kit *k = quiet_server();
	kit_headers(&talk, 1, 0);
	kit_frame(&talk, H2_FRAME_DATA, 0, 1, "0123456789", 10);
	for (size_t cut = 1; cut < talk.len; cut++) {
		feed_pool(k, talk.at + cut - 1, 1);
		h2_conn_settle(k->b.conn);
		CHECK_EQ(slab_pool_out(k->pool), 0);
	}
	CHECK_EQ(k->b.data_len, 9);
	kit_destroy(k);
}

TEST(a_cut_frame_is_kept_in_a_buffer_that_grows_with_what_came)
{
	struct kit *k = quiet_server();
	static uint8_t junk[16384];
	long blocks = mem_live_blocks();
	kit_frame(&talk, H2_FRAME_HEADERS, 0, 1, junk, sizeof(junk));
	feed_pool(k, talk.at, 9); /* promises 16 KiB */
	h2_conn_settle(k->b.conn);
	CHECK_EQ(mem_live_blocks(), blocks);
	feed_pool(k, talk.at + 9, 1);
	h2_conn_settle(k->b.conn);
	CHECK(k->b.conn->rx.part_cap <= 256);
	kit_destroy(k);
}

TEST(content_is_surfaced_in_place_and_in_pieces)
{
	struct kit *k = quiet_server();
	struct h2_event ev;
	kit_headers(&talk, 1, 0);
	kit_frame(&talk, H2_FRAME_DATA, H2_FLAG_END_STREAM, 1, "0123456789", 10);
	struct slab *slab = slab_get(k->pool);
	memcpy(slab->bytes, talk.at, talk.len - 4);
	h2_conn_feed(k->b.conn, (struct slice){slab, slab->bytes, (uint32_t)talk.len - 4}, 0);
	REQUIRE(h2_conn_poll(k->b.conn, &ev));
	kit_take(&k->b, &ev);
	REQUIRE(h2_conn_poll(k->b.conn, &ev));
	CHECK_EQ(ev.ev.kind, EVENT_DATA);
	CHECK(ev.ev.data.slab == slab && ev.ev.data.at == slab->bytes + talk.len - 10);
	CHECK_EQ(ev.ev.data.len, 6);
	CHECK(!ev.ev.end);
	event_drop(&ev.ev);
	CHECK(!h2_conn_poll(k->b.conn, &ev));
	CHECK_EQ(slab_pool_out(k->pool), 0);
	feed_pool(k, talk.at + talk.len - 4, 4);
	struct h2_event *last = kit_last(&k->b, H2_EV_MESSAGE);
	CHECK_EQ(last->ev.data.len, 4);
	CHECK(last->ev.end);
	kit_destroy(k);
}

/* What the peer may still send on the connection, from its own view. */
static int64_t conn_window(struct kit *k)
{
	return k->b.conn->inflow.avail_bytes;
}

TEST(the_connection_window_comes_back_whatever_becomes_of_the_content)
{
	struct h2_options o = h2_options_default(H2_SERVER);
	o.conn_window_bytes = 65535;
	struct kit *k = kit_create(NULL, &o);
	static uint8_t junk[16384] = {255};
	kit_preface(&talk);
	kit_feed(k, &k->b, talk.at, talk.len);
	k->b.auto_credit = false;
	for (int i = 0; i < 40; i++) {
		talk.len = 0;
		if (i == 0)
			kit_headers(&talk, 1, 0);
		kit_frame(&talk, H2_FRAME_DATA, H2_FLAG_PADDED, 1, junk, sizeof(junk));
		kit_feed(k, &k->b, talk.at, talk.len);
		CHECK(!h2_conn_is_dead(k->b.conn));
		CHECK(conn_window(k) >= 32767);
		if (i == 4)
			h2_stream_reset(k->b.events[1].stream, H2_CANCEL);
	}
	kit_destroy(k);
}

TEST(a_stream_window_comes_back_by_credit_only_and_padding_by_itself)
{
	struct kit *k = quiet_server();
	static uint8_t padded[1 + 100 + 155] = {155};
	struct h2_stream_info info;
	k->b.auto_credit = false;
	kit_headers(&talk, 1, 0);
	kit_feed(k, &k->b, talk.at, talk.len);
	struct h2_stream *s = kit_last(&k->b, H2_EV_MESSAGE)->stream;
	h2_stream_inspect(s, &info);
	int64_t whole = info.receive_window_bytes;
	for (int i = 0; i < 600; i++) {
		talk.len = 0;
		kit_frame(&talk, H2_FRAME_DATA, H2_FLAG_PADDED, 1, padded, sizeof(padded));
		kit_feed(k, &k->b, talk.at, talk.len);
	}
	size_t len;
	uint8_t *wire = kit_drain(&k->b, &len);
	CHECK_EQ(len, 0); /* 600 * 156 bytes of padding: not yet half of the window */
	free(wire);
	h2_stream_credit(s, 60000);
	wire = kit_drain(&k->b, &len);
	REQUIRE(len == 13);
	CHECK_EQ(h2_frame_get(wire).id, 1);
	CHECK_EQ(h2_get_u32(wire + 9), 600 * 156 + 60000);
	free(wire);
	h2_stream_inspect(s, &info);
	CHECK_EQ(info.receive_window_bytes, whole);
	kit_destroy(k);
}

TEST(no_window_update_is_sent_to_a_side_that_has_ended)
{
	struct kit *k = quiet_server();
	static uint8_t junk[16384];
	k->b.auto_credit = false;
	kit_headers(&talk, 1, 0);
	for (int i = 0; i < 10; i++)
		kit_frame(&talk, H2_FRAME_DATA, i == 9 ? H2_FLAG_END_STREAM : 0, 1, junk,
			sizeof(junk));
	kit_feed(k, &k->b, talk.at, talk.len);
	h2_stream_credit(kit_last(&k->b, H2_EV_MESSAGE)->stream, 10 * sizeof(junk));
	size_t len;
	free(kit_drain(&k->b, &len));
	CHECK_EQ(len, 0);
	kit_destroy(k);
}

TEST(an_oversized_request_is_told_and_not_reset)
{
	struct h2_options o = h2_options_default(H2_SERVER);
	o.header_list_bytes = 1000;
	struct kit *k = kit_create(NULL, &o);
	static char value[2000];
	memset(value, 'v', sizeof(value) - 1);
	CHECK(kit_open(k,
		      KIT_FIELDS(":method", "GET", ":scheme", "http", ":path", "/", "x-big", value),
		      true) != NULL);
	kit_run(k);
	struct h2_event *head = kit_last(&k->b, H2_EV_MESSAGE);
	REQUIRE(head != NULL);
	CHECK(head->oversized && head->ev.end);
	CHECK(fields_get(head->ev.fields, TOKEN_METHOD) != NULL);
	kit_push_fields(head->stream, EVENT_HEAD, KIT_FIELDS(":status", "431"), true);
	kit_run(k);
	CHECK(kit_last(&k->a, H2_EV_CLOSED) != NULL);
	kit_destroy(k);
}

TAP_MAIN()
