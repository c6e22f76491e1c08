/* RFC 9113 sections 4.1 and 4.2: frame format and frame size. */
#include "wire.h"

/* ---- 4.1 ---- */

BOTH(rfc9113_4_1_unknown_frame_types_are_ignored_on_the_connection)
{
	for (int type = 0x0a; type <= 0xff; type += 5)
		wire_frame(w, type, 0xff, 0, "unknown payload", 15);
	FRAME(w, 0x0a, 0, 0, "");
	IGNORED(w, 0);
}

BOTH(rfc9113_4_1_unknown_frame_types_are_ignored_on_an_open_stream)
{
	uint32_t id = stream_open(w);
	FRAME(w, 0xee, 0xff, id, "unknown");
	FRAME(w, 0xee, 0, id, "");
	IGNORED(w, id);
}

BOTH(rfc9113_4_1_unknown_frame_types_are_ignored_on_an_idle_stream)
{
	FRAME(w, 0xee, 0, stream_idle(w), "unknown");
	IGNORED(w, 0);
}

BOTH(rfc9113_4_1_unknown_frame_types_are_ignored_on_a_closed_stream)
{
	uint32_t id = stream_both_ended(w);
	FRAME(w, 0xee, 0, id, "unknown");
	IGNORED(w, id);
}

BOTH(rfc9113_4_1_undefined_flags_of_ping_are_ignored)
{
	FRAME(w, PING, 0xfe, 0, "abcdefgh");
	const struct wire_frame *f = wire_sent(w, PING, 0, 0);
	REQUIRE(f);
	CHECK_EQ(f->flags, ACK);
	CHECK_MEM(w->out.p + f->at, f->len, "abcdefgh", 8);
	ALIVE(w);
}

BOTH(rfc9113_4_1_undefined_flags_of_settings_are_ignored)
{
	FRAME(w, SETTINGS, 0xfe, 0, "\0\4\0\0\0\7");
	uint32_t id = stream_open(w);
	if (w->role == H2_SERVER)
		app_head(w, id, OK_RESP, false);
	app_data(w, id, 50, true);
	CHECK_EQ(wire_sent_data(w, id), 7);
}

BOTH(rfc9113_4_1_undefined_flags_of_data_are_ignored)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, 0xf6, id, "hello");
	CHECK_EQ(wire_got_data(w, id), 5);
	IGNORED(w, id);
}

BOTH(rfc9113_4_1_undefined_flags_of_headers_are_ignored)
{
	uint32_t id = w->role == H2_SERVER ? w->next_id : stream_open(w);
	w->next_id = id + 2;
	wire_head(w, id, 0xd2);
	CHECK(wire_got_message(w, EVENT_HEAD, id, 0));
	IGNORED(w, id);
}

BOTH(rfc9113_4_1_undefined_flags_of_priority_are_ignored)
{
	FRAME(w, PRIORITY, 0xff, stream_idle(w), "\0\0\0\0\x10");
	IGNORED(w, 0);
}

BOTH(rfc9113_4_1_undefined_flags_of_rst_stream_are_ignored)
{
	uint32_t id = stream_open(w);
	FRAME(w, RST_STREAM, 0xff, id, "\0\0\0\x8");
	EVENTS(w, H2_EV_RESET, id, 1);
	IGNORED(w, id);
}

BOTH(rfc9113_4_1_undefined_flags_of_window_update_are_ignored)
{
	uint32_t id = stream_open(w);
	FRAME(w, WINDOW_UPDATE, 0xff, id, "\0\0\0\x8");
	FRAME(w, WINDOW_UPDATE, 0xff, 0, "\0\0\0\x8");
	IGNORED(w, id);
}

BOTH(rfc9113_4_1_undefined_flags_of_goaway_are_ignored)
{
	FRAME(w, GOAWAY_F, 0xff, 0, "\x7f\xff\xff\xff\0\0\0\0");
	EVENTS(w, H2_EV_GOAWAY, 0, 1);
	wire_ping(w, 0, 5);
	CHECK(wire_sent(w, PING, 0, 0));
}

SERVER(rfc9113_4_1_undefined_flags_of_continuation_are_ignored)
{
	struct block b = {.len = 0};
	block_text(&b, GET_REQ);
	wire_frame(w, HEADERS, ES, 1, b.p, 5);
	wire_frame(w, CONTINUATION, 0xfb | EH, 1, b.p + 5, b.len - 5);
	w->next_id = 3;
	MESSAGE(w, 1, EVENT_HEAD, GET_REQ, true);
	ALIVE(w);
}

BOTH(rfc9113_4_1_the_reserved_bit_of_the_stream_id_is_ignored_on_stream_0)
{
	FRAME(w, PING, 0, 0x80000000u, "abcdefgh");
	CHECK(wire_sent(w, PING, 0, 0));
	FRAME(w, SETTINGS, 0, 0x80000000u, "");
	FRAME(w, WINDOW_UPDATE, 0, 0x80000000u, "\0\0\0\1");
	IGNORED(w, 0);
}

BOTH(rfc9113_4_1_the_reserved_bit_of_the_stream_id_is_ignored_on_a_stream)
{
	uint32_t id = w->role == H2_SERVER ? w->next_id : stream_open(w);
	w->next_id = id + 2;
	wire_head(w, id | 0x80000000u, 0);
	FRAME(w, DATA, ES, id | 0x80000000u, "hello");
	CHECK_EQ(wire_got_data(w, id), 5);
	IGNORED(w, id);
}

BOTH(rfc9113_4_1_frame_headers_may_arrive_in_pieces_with_pauses_between)
{
	static const uint8_t ping[17] = {0, 0, 8, PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
	for (size_t i = 0; i < sizeof(ping); i++) {
		wire_raw(w, ping + i, 1);
		h2_conn_settle(w->c);
	}
	const struct wire_frame *f = wire_sent(w, PING, 0, 0);
	REQUIRE(f);
	CHECK_MEM(w->out.p + f->at, f->len, ping + 9, 8);
	ALIVE(w);
}

/* ---- 4.2 ---- */

BOTH(rfc9113_4_2_data_of_2_14_octets_is_accepted)
{
	uint32_t id = stream_in_body(w);
	wire_fill(w, DATA, ES, id, 16384);
	CHECK_EQ(wire_got_data(w, id), 16384);
	IGNORED(w, id);
}

BOTH(rfc9113_4_2_data_above_max_frame_size_is_frame_size_error)
{
	uint32_t id = stream_in_body(w);
	wire_fill(w, DATA, 0, id, 16385);
	FAULT(w, id, H2_FRAME_SIZE_ERROR);
	CHECK_EQ(wire_got_data(w, id), 0);
}

BOTH(rfc9113_4_2_headers_above_max_frame_size_is_a_connection_error)
{
	uint32_t id = w->role == H2_SERVER ? 1 : stream_open(w);
	wire_fill(w, HEADERS, EH, id, 16385);
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

SERVER(rfc9113_4_2_continuation_above_max_frame_size_is_a_connection_error)
{
	FRAME(w, HEADERS, ES, 1, "\x82");
	wire_fill(w, CONTINUATION, EH, 1, 16385);
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_4_2_settings_above_max_frame_size_is_a_connection_error)
{
	wire_fill(w, SETTINGS, 0, 0, 16386);
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_4_2_goaway_above_max_frame_size_is_a_connection_error)
{
	wire_fill(w, GOAWAY_F, 0, 0, 16385);
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_4_2_an_unknown_frame_above_max_frame_size_is_frame_size_error)
{
	wire_fill(w, 0xee, 0, 0, 16385);
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_4_2_the_largest_possible_length_is_refused_at_once)
{
	/* Only the header arrives: nothing may be waited for or allocated. */
	wire_raw(w, "\xff\xff\xff\x00\x00\x00\x00\x00\x00", 9);
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_4_2_an_unknown_frame_of_2_14_octets_is_skipped)
{
	wire_fill(w, 0xee, 0, 0, 16384);
	IGNORED(w, 0);
}

RAW_BOTH(rfc9113_4_2_a_larger_advertised_max_frame_size_is_honoured)
{
	struct h2_options o = h2_options_default(w->role);
	o.max_frame_bytes = 40000;
	wire_begin(w, &o);
	uint32_t id = stream_in_body(w);
	wire_fill(w, DATA, ES, id, 40000);
	CHECK_EQ(wire_got_data(w, id), 40000);
	IGNORED(w, id);
}

RAW_BOTH(rfc9113_4_2_above_a_larger_advertised_max_frame_size_is_frame_size_error)
{
	struct h2_options o = h2_options_default(w->role);
	o.max_frame_bytes = 40000;
	wire_begin(w, &o);
	uint32_t id = stream_in_body(w);
	wire_fill(w, DATA, ES, id, 40001);
	FAULT(w, id, H2_FRAME_SIZE_ERROR);
}

static uint32_t answering(struct wire *w)
{
	uint32_t id = stream_open(w);
	if (w->role == H2_SERVER)
		app_head(w, id, OK_RESP, false);
	return id;
}

BOTH(rfc9113_4_2_our_data_frames_keep_to_the_default_of_16384)
{
	uint32_t id = answering(w);
	app_data(w, id, 60000, true); /* the kit judges every frame's length */
	CHECK_EQ(wire_sent_data(w, id), 60000);
	CHECK(wire_sent_pattern(w, id));
	CHECK(wire_sent_end(w, id));
}

BOTH(rfc9113_4_2_our_data_frames_keep_to_a_larger_limit_of_the_peer)
{
	wire_setting(w, S_FRAME, 30000);
	uint32_t id = answering(w);
	app_data(w, id, 60000, true);
	CHECK_EQ(wire_sent_data(w, id), 60000);
	CHECK(wire_sent_pattern(w, id));
}

BOTH(rfc9113_4_2_our_frames_keep_to_a_limit_that_shrinks)
{
	wire_setting(w, S_FRAME, 60000);
	uint32_t id = answering(w);
	wire_setting(w, S_FRAME, 16384);
	wire_sync(w);
	app_data(w, id, 50000, true);
	CHECK_EQ(wire_sent_data(w, id), 50000);
	CHECK(wire_sent_pattern(w, id));
}

BOTH(rfc9113_4_2_our_long_header_block_continues_in_continuation_frames)
{
	size_t len = 40000;
	char *text = malloc(len + 200);
	REQUIRE(text);
	int n = snprintf(text, 200, "%s|x-long ", w->role == H2_SERVER ? OK_RESP : GET_REQ);
	memset(text + n, '~', len); /* 13 bits in Huffman: stays a plain string */
	text[(size_t)n + len] = 0;
	uint32_t id;
	if (w->role == H2_SERVER) {
		id = stream_open(w);
		app_head(w, id, text, true);
	} else {
		id = app_open(w, text, true);
	}
	const struct wire_frame *f = wire_sent(w, HEADERS, id, 0);
	CHECK(f && !(f->flags & EH) && f->flags & ES);
	CHECK(wire_sent(w, CONTINUATION, id, 1));
	if (f)
		CHECK_STR(f->fields, text);
	free(text);
	ALIVE(w);
}

TAP_MAIN()
