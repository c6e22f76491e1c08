/* RFC 9113 sections 5.1.1 stream identifiers, 5.1.2 concurrency, 5.2 flow control principles. */
#include "wire.h"

/* ---- 5.1.1 ---- */

SERVER(rfc9113_5_1_1_an_even_stream_id_from_a_client_is_protocol_error)
{
	wire_headers(w, 2, ES, GET_REQ);
	w->out_of_order = true;
	GOAWAY(w, H2_PROTOCOL_ERROR);
	CHECK(!wire_got_message(w, EVENT_HEAD, 2, 0));
}

SERVER(rfc9113_5_1_1_a_lower_stream_id_than_before_is_protocol_error)
{
	wire_headers(w, 5, ES, GET_REQ);
	wire_headers(w, 3, ES, GET_REQ);
	GOAWAY(w, H2_PROTOCOL_ERROR);
	MESSAGE(w, 5, EVENT_HEAD, GET_REQ, true);
	CHECK(!wire_got_message(w, EVENT_HEAD, 3, 0));
}

SERVER(rfc9113_5_1_1_ids_may_be_skipped)
{
	wire_headers(w, 1, ES, GET_REQ);
	wire_headers(w, 101, ES, GET_REQ);
	MESSAGE(w, 101, EVENT_HEAD, GET_REQ, true);
	w->next_id = 103;
	ALIVE(w);
}

SERVER(rfc9113_5_1_1_a_skipped_stream_is_closed_for_data)
{
	wire_headers(w, 5, ES, GET_REQ);
	FRAME(w, DATA, ES, 3, "hello");
	wire_sync(w);
	const struct wire_frame *rst = wire_sent(w, RST_STREAM, 3, 0),
				*bye = wire_sent(w, GOAWAY_F, 0, 0);
	uint32_t code = bye ? wire_u32(w, bye, 4) : rst ? wire_u32(w, rst, 0) : 0;
	CHECK(code == H2_STREAM_CLOSED || code == H2_PROTOCOL_ERROR);
	CHECK_EQ(wire_got_data(w, 3), 0);
}

SERVER(rfc9113_5_1_1_the_highest_stream_id_is_usable)
{
	wire_headers(w, H2_MAX_STREAM_ID, ES, GET_REQ);
	MESSAGE(w, H2_MAX_STREAM_ID, EVENT_HEAD, GET_REQ, true);
	app_head(w, H2_MAX_STREAM_ID, OK_RESP, true);
	CHECK(wire_sent_end(w, H2_MAX_STREAM_ID));
	EVENTS(w, H2_EV_CLOSED, H2_MAX_STREAM_ID, 1);
	wire_ping(w, 0, 1);
	FRAMES(w, PING, 0, 1);
}

SERVER(rfc9113_5_1_1_after_the_highest_stream_id_a_lower_one_is_protocol_error)
{
	wire_headers(w, H2_MAX_STREAM_ID, ES, GET_REQ);
	wire_headers(w, H2_MAX_STREAM_ID - 2, ES, GET_REQ);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_5_1_1_headers_on_stream_0_are_protocol_error)
{
	wire_head(w, 0, ES);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

CLIENT(rfc9113_5_1_1_our_streams_are_odd_and_rise)
{
	CHECK_EQ(app_open(w, GET_REQ, true), 1);
	CHECK_EQ(app_open(w, GET_REQ, true), 3);
	CHECK_EQ(app_open(w, GET_REQ, true), 5);
	ALIVE(w);
}

CLIENT(rfc9113_5_1_1_ids_left_counts_down)
{
	uint32_t before = h2_conn_ids_left(w->c);
	CHECK_EQ(before, 1u << 30);
	app_open(w, GET_REQ, true);
	CHECK_EQ(h2_conn_ids_left(w->c), before - 1);
}

/* ---- 5.1.2 ---- */

static void begin_with_limit(struct wire *w, uint32_t streams)
{
	struct h2_options o = h2_options_default(w->role);
	o.max_concurrent_streams = streams;
	wire_begin(w, &o);
}

RAW_SERVER(rfc9113_5_1_2_a_stream_above_the_limit_is_refused)
{
	begin_with_limit(w, 3);
	for (int i = 0; i < 3; i++)
		stream_open(w);
	uint32_t id = stream_open(w);
	const struct wire_frame *f = wire_sent(w, RST_STREAM, id, 0);
	REQUIRE(f);
	CHECK_EQ(wire_u32(w, f, 0), H2_REFUSED_STREAM);
	EVENTS(w, H2_EV_REFUSED, 0, 1);
	CHECK(!wire_got_message(w, EVENT_HEAD, id, 0));
	CHECK_EQ(h2_conn_open_streams(w->c), 3);
	CHECK(!h2_conn_is_dead(w->c));
}

RAW_SERVER(rfc9113_5_1_2_the_limit_is_advertised)
{
	begin_with_limit(w, 3);
	const struct wire_frame *f = &w->frames[0];
	bool seen = false;
	for (size_t at = 0; at + 6 <= f->len; at += 6) {
		const uint8_t *p = w->out.p + f->at + at;
		if (p[1] == S_STREAMS && p[5] == 3)
			seen = true;
	}
	CHECK(seen);
}

RAW_SERVER(rfc9113_5_1_2_half_closed_streams_count_towards_the_limit)
{
	begin_with_limit(w, 2);
	stream_peer_ended(w);
	stream_we_ended(w);
	uint32_t id = stream_open(w);
	FRAMES(w, RST_STREAM, id, 1);
}

RAW_SERVER(rfc9113_5_1_2_closed_streams_do_not_count)
{
	begin_with_limit(w, 1);
	for (int i = 0; i < 20; i++) {
		stream_both_ended(w);
		stream_peer_reset(w);
		stream_we_reset(w);
	}
	ALIVE(w);
}

RAW_SERVER(rfc9113_5_1_2_a_refused_stream_does_not_count)
{
	begin_with_limit(w, 1);
	uint32_t first = stream_open(w);
	for (int i = 0; i < 10; i++)
		FRAMES(w, RST_STREAM, stream_open(w), 1);
	wire_rst(w, first, H2_CANCEL);
	ALIVE(w);
}

RAW_SERVER(rfc9113_5_1_2_data_of_a_refused_stream_is_discarded)
{
	begin_with_limit(w, 1);
	uint32_t first = stream_open(w);
	uint32_t id = stream_open(w);
	FRAME(w, DATA, 0, id, "hello");
	wire_headers(w, id, ES, "x-trailer 1");
	FRAMES(w, RST_STREAM, id, 1);
	CHECK_EQ(wire_got_data(w, id), 0);
	wire_rst(w, first, H2_CANCEL);
	ALIVE(w);
}

RAW_SERVER(rfc9113_5_1_2_a_limit_of_0_refuses_all_streams)
{
	begin_with_limit(w, 0);
	uint32_t id = stream_open(w);
	const struct wire_frame *f = wire_sent(w, RST_STREAM, id, 0);
	REQUIRE(f);
	CHECK_EQ(wire_u32(w, f, 0), H2_REFUSED_STREAM);
}

CLIENT(rfc9113_5_1_2_the_peers_limit_is_kept)
{
	wire_setting(w, S_STREAMS, 2);
	wire_sync(w);
	CHECK_EQ(h2_conn_open_slots(w->c), 2);
	uint32_t a = app_open(w, GET_REQ, true), b = app_open(w, GET_REQ, true);
	CHECK(a && b);
	CHECK_EQ(h2_conn_open_slots(w->c), 0);
	CHECK_EQ(app_open(w, GET_REQ, true), 0);
	wire_headers(w, a, ES, OK_RESP);
	wire_sync(w);
	CHECK_EQ(h2_conn_open_slots(w->c), 1);
	wire_rst(w, b, H2_CANCEL);
	wire_sync(w);
	CHECK_EQ(h2_conn_open_slots(w->c), 2);
	ALIVE(w);
}

RAW_CLIENT(rfc9113_5_1_2_before_the_peers_settings_100_streams_may_be_open)
{
	wire_create(w, NULL);
	CHECK_EQ(h2_conn_open_slots(w->c), 100);
	for (int i = 0; i < 100; i++)
		CHECK(app_open(w, GET_REQ, true) > 0);
	CHECK_EQ(app_open(w, GET_REQ, true), 0);
	wire_handshake(w, "\0\3\0\0\0\x96", 6); /* 150 */
	wire_sync(w);
	CHECK_EQ(h2_conn_open_slots(w->c), 50);
	ALIVE(w);
}

CLIENT(rfc9113_5_1_2_a_limit_below_the_open_streams_leaves_them_alone)
{
	uint32_t a = app_open(w, GET_REQ, true), b = app_open(w, GET_REQ, true);
	wire_setting(w, S_STREAMS, 1);
	wire_sync(w);
	CHECK_EQ(h2_conn_open_slots(w->c), 0);
	wire_headers(w, a, ES, OK_RESP);
	wire_sync(w);
	CHECK_EQ(h2_conn_open_slots(w->c), 0);
	wire_headers(w, b, ES, OK_RESP);
	MESSAGE(w, a, EVENT_HEAD, OK_RESP, true);
	MESSAGE(w, b, EVENT_HEAD, OK_RESP, true);
	ALIVE(w);
}

CLIENT(rfc9113_5_1_2_a_limit_of_0_opens_nothing)
{
	wire_setting(w, S_STREAMS, 0);
	wire_sync(w);
	CHECK_EQ(h2_conn_open_slots(w->c), 0);
	CHECK_EQ(app_open(w, GET_REQ, true), 0);
	wire_setting(w, S_STREAMS, 10);
	ALIVE(w);
}

CLIENT(rfc9113_8_7_refused_stream_from_the_peer_means_unprocessed)
{
	uint32_t id = app_open(w, GET_REQ, true);
	wire_rst(w, id, H2_REFUSED_STREAM);
	const struct wire_event *e = wire_got(w, H2_EV_RESET, id, 0);
	REQUIRE(e);
	CHECK(e->e.by_peer && e->e.unprocessed);
	CHECK_EQ(e->e.code, H2_REFUSED_STREAM);
	IGNORED(w, id);
}

/* ---- the guards: floods end in ENHANCE_YOUR_CALM (RFC 9113 10.5) ---- */

SERVER(rfc9113_10_5_a_flood_of_pings_is_enhance_your_calm)
{
	for (int i = 0; i < 30000 && !w->dead; i++)
		wire_ping(w, 0, (uint64_t)i);
	GOAWAY(w, H2_ENHANCE_YOUR_CALM);
}

SERVER(rfc9113_10_5_a_flood_of_settings_is_enhance_your_calm)
{
	for (int i = 0; i < 30000 && !w->dead; i++)
		FRAME(w, SETTINGS, 0, 0, "");
	GOAWAY(w, H2_ENHANCE_YOUR_CALM);
}

SERVER(rfc9113_10_5_rapid_resets_are_enhance_your_calm)
{
	for (int i = 0; i < 5000 && !w->dead; i++) {
		uint32_t id = w->next_id;
		w->next_id += 2;
		wire_headers(w, id, ES, GET_REQ);
		wire_rst(w, id, H2_CANCEL);
	}
	GOAWAY(w, H2_ENHANCE_YOUR_CALM);
}

SERVER(rfc9113_10_5_empty_data_frames_without_end_are_enhance_your_calm)
{
	uint32_t id = stream_open(w);
	for (int i = 0; i < 30000 && !w->dead; i++)
		FRAME(w, DATA, 0, id, "");
	GOAWAY(w, H2_ENHANCE_YOUR_CALM);
}

SERVER(rfc9113_10_5_endless_continuation_is_enhance_your_calm)
{
	FRAME(w, HEADERS, ES, 1, "\x82");
	for (int i = 0; i < 200 && !w->dead; i++)
		FRAME(w, CONTINUATION, 0, 1, "");
	GOAWAY(w, H2_ENHANCE_YOUR_CALM);
}

RAW_SERVER(rfc9113_10_5_a_header_block_far_above_the_list_limit_is_enhance_your_calm)
{
	struct h2_options o = h2_options_default(w->role);
	o.header_list_bytes = 2000;
	wire_begin(w, &o);
	FRAME(w, HEADERS, ES, 1,
		"\x00\x01"
		"a\x7f\x80\x80\x40"); /* a value of a megabyte */
	for (int i = 0; i < 10 && !w->dead; i++)
		wire_fill(w, CONTINUATION, 0, 1, 16384);
	GOAWAY(w, H2_ENHANCE_YOUR_CALM);
}

SERVER(rfc9113_10_5_answers_that_nobody_reads_are_enhance_your_calm)
{
	wire_sync(w);
	w->stop_reading = true;
	for (int i = 0; i < 60 && !w->dead; i++) {
		for (int k = 0; k < 900; k++) /* within the budget of a second */
			wire_ping(w, 0, 1);
		wire_sync(w);
		w->now_ns += 1000000000;
	}
	CHECK(w->dead);
	w->stop_reading = false;
	GOAWAY(w, H2_ENHANCE_YOUR_CALM);
}

SERVER(rfc9113_10_5_budgets_refill_with_time)
{
	for (int i = 0; i < 60; i++) {
		for (int k = 0; k < 900; k++)
			wire_ping(w, 0, 1);
		wire_sync(w);
		w->now_ns += 1000000000;
		wire_mark(w);
	}
	CHECK(!h2_conn_is_dead(w->c));
}

TAP_MAIN()
