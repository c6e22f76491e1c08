/* RFC 9113 sections 6.1 DATA, 6.2 HEADERS, 6.3 PRIORITY, 6.4 RST_STREAM, 6.6 PUSH_PROMISE, 6.10
 * CONTINUATION. */
#include "wire.h"

/* ---- 6.1 ---- */

BOTH(rfc9113_6_1_data_on_stream_0_is_protocol_error)
{
	FRAME(w, DATA, ES, 0, "hello");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_1_data_arrives_in_order_with_its_end)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, 0, id, "one ");
	FRAME(w, DATA, 0, id, "two ");
	FRAME(w, DATA, ES, id, "three");
	CHECK_EQ(wire_got_data(w, id), 13);
	CHECK_MEM(w->data.p, w->data.len, "one two three", 13);
	size_t ends = 0;
	const struct wire_event *e;
	for (size_t i = 0; (e = wire_got_message(w, EVENT_DATA, id, i)); i++)
		ends += e->e.ev.end;
	CHECK_EQ(ends, 1);
	ALIVE(w);
}

BOTH(rfc9113_6_1_empty_data_with_end_stream_ends_the_stream)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, ES, id, "");
	const struct wire_event *e = wire_got_message(w, EVENT_DATA, id, 0);
	REQUIRE(e);
	CHECK(e->e.ev.end);
	CHECK_EQ(e->len, 0);
	ALIVE(w);
}

BOTH(rfc9113_6_1_padding_is_removed)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, PAD | ES, id, "\4hello\0\0\0\0");
	CHECK_EQ(wire_got_data(w, id), 5);
	CHECK_MEM(w->data.p, w->data.len, "hello", 5);
	IGNORED(w, id);
}

BOTH(rfc9113_6_1_a_pad_length_of_0_is_no_padding)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, PAD | ES, id, "\0hello");
	CHECK_EQ(wire_got_data(w, id), 5);
	IGNORED(w, id);
}

BOTH(rfc9113_6_1_data_may_be_all_padding)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, PAD | ES, id, "\3\0\0\0");
	CHECK_EQ(wire_got_data(w, id), 0);
	CHECK(wire_got_message(w, EVENT_DATA, id, 0));
	IGNORED(w, id);
}

BOTH(rfc9113_6_1_padding_of_255_octets_is_removed)
{
	uint32_t id = stream_in_body(w);
	uint8_t p[1 + 5 + 255] = "\xff"
				 "hello";
	wire_frame(w, DATA, PAD | ES, id, p, sizeof(p));
	CHECK_EQ(wire_got_data(w, id), 5);
	IGNORED(w, id);
}

BOTH(rfc9113_6_1_padding_as_long_as_the_payload_is_protocol_error)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, PAD, id, "\6hello");
	GOAWAY(w, H2_PROTOCOL_ERROR);
	CHECK_EQ(wire_got_data(w, id), 0);
}

BOTH(rfc9113_6_1_padding_longer_than_the_payload_is_protocol_error)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, PAD, id, "\xffhi");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_1_a_padded_frame_without_pad_length_is_an_error)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, PAD, id, "");
	wire_sync(w);
	const struct wire_frame *f = wire_sent(w, GOAWAY_F, 0, 0);
	REQUIRE(f);
	uint32_t code = wire_u32(w, f, 4);
	CHECK(code == H2_PROTOCOL_ERROR || code == H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_6_1_a_large_payload_keeps_its_bytes)
{
	uint32_t id = stream_in_body(w);
	uint8_t *p = malloc(16384);
	REQUIRE(p);
	for (size_t i = 0; i < 16384; i++)
		p[i] = (uint8_t)(i % 251);
	for (int i = 0; i < 8; i++)
		wire_frame(w, DATA, i == 7 ? ES : 0, id, p, 16384);
	CHECK_EQ(wire_got_data(w, id), 8 * 16384);
	REQUIRE(w->data.len == 8 * 16384);
	for (size_t i = 0; i < 8; i++)
		CHECK(!memcmp(w->data.p + i * 16384, p, 16384));
	free(p);
	IGNORED(w, id);
}

/* ---- 6.2 ---- */

SERVER(rfc9113_6_2_headers_with_padding_are_read)
{
	static struct block b;
	b.len = 0;
	block_raw(&b, "\3", 1);
	block_text(&b, GET_REQ);
	block_raw(&b, "\0\0\0", 3);
	wire_block(w, 1, ES | PAD, &b);
	w->next_id = 3;
	MESSAGE(w, 1, EVENT_HEAD, GET_REQ, true);
	ALIVE(w);
}

SERVER(rfc9113_6_2_headers_with_padding_and_priority_are_read)
{
	static struct block b;
	b.len = 0;
	block_raw(&b, "\3\0\0\0\0\x10", 6);
	block_text(&b, GET_REQ);
	block_raw(&b, "\0\0\0", 3);
	wire_block(w, 1, ES | PAD | PRIO, &b);
	w->next_id = 3;
	MESSAGE(w, 1, EVENT_HEAD, GET_REQ, true);
	ALIVE(w);
}

SERVER(rfc9113_6_2_headers_with_padding_and_continuation_are_read)
{
	static struct block b;
	b.len = 0;
	block_text(&b, GET_REQ);
	uint8_t first[20] = {4};
	memcpy(first + 1, b.p, 10);
	wire_frame(w, HEADERS, ES | PAD, 1, first, 15);
	wire_frame(w, CONTINUATION, EH, 1, b.p + 10, b.len - 10);
	w->next_id = 3;
	MESSAGE(w, 1, EVENT_HEAD, GET_REQ, true);
	ALIVE(w);
}

CLIENT(rfc9113_6_2_a_response_with_padding_and_priority_is_read)
{
	uint32_t id = stream_we_ended(w);
	FRAME(w, HEADERS, ES | EH | PAD | PRIO, id, "\2\0\0\0\0\x10\x88\0\0");
	MESSAGE(w, id, EVENT_HEAD, OK_RESP, true);
	ALIVE(w);
}

BOTH(rfc9113_6_2_padding_longer_than_the_headers_is_protocol_error)
{
	uint32_t id = w->role == H2_SERVER ? 1 : stream_open(w);
	FRAME(w, HEADERS, ES | EH | PAD, id, "\7\x82\x86\x84");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_2_padding_that_reaches_into_priority_is_an_error)
{
	uint32_t id = w->role == H2_SERVER ? 1 : stream_open(w);
	FRAME(w, HEADERS, ES | EH | PAD | PRIO, id, "\3\0\0\0\0\x10\x82\x86");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_2_headers_too_short_for_their_priority_are_an_error)
{
	uint32_t id = w->role == H2_SERVER ? 1 : stream_open(w);
	FRAME(w, HEADERS, ES | EH | PRIO, id, "\0\0\0\0");
	wire_sync(w);
	const struct wire_frame *f = wire_sent(w, GOAWAY_F, 0, 0);
	REQUIRE(f);
	uint32_t code = wire_u32(w, f, 4);
	CHECK(code == H2_PROTOCOL_ERROR || code == H2_FRAME_SIZE_ERROR);
}

/* Everything that may not interrupt a header block: RFC 9113 4.3, 6.2, 6.10. */
static uint32_t unfinished(struct wire *w)
{
	uint32_t id = w->role == H2_SERVER ? w->next_id : app_open(w, GET_REQ, true);
	w->next_id = id + 2;
	if (w->role == H2_SERVER)
		FRAME(w, HEADERS, ES, id, "\x82\x86\x84");
	else
		FRAME(w, HEADERS, ES, id, "\x88");
	return id;
}

BOTH(rfc9113_6_2_priority_inside_a_header_block_is_protocol_error)
{
	uint32_t id = unfinished(w);
	FRAME(w, PRIORITY, 0, id, "\0\0\0\0\x10");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_2_headers_of_another_stream_inside_a_header_block_are_protocol_error)
{
	uint32_t id = unfinished(w);
	wire_head(w, id + 2, ES);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_2_headers_of_the_same_stream_inside_a_header_block_are_protocol_error)
{
	uint32_t id = unfinished(w);
	wire_head(w, id, ES);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_2_data_inside_a_header_block_is_protocol_error)
{
	uint32_t id = unfinished(w);
	FRAME(w, DATA, 0, id, "hello");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_2_settings_inside_a_header_block_are_protocol_error)
{
	unfinished(w);
	FRAME(w, SETTINGS, 0, 0, "");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_2_ping_inside_a_header_block_is_protocol_error)
{
	unfinished(w);
	wire_ping(w, 0, 1);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_2_rst_stream_inside_a_header_block_is_protocol_error)
{
	uint32_t id = unfinished(w);
	wire_rst(w, id, H2_CANCEL);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_2_window_update_inside_a_header_block_is_protocol_error)
{
	unfinished(w);
	wire_window(w, 0, 1);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_2_goaway_inside_a_header_block_is_protocol_error)
{
	unfinished(w);
	wire_goaway(w, 0, 0, "");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_2_nothing_of_an_unfinished_header_block_is_shown)
{
	uint32_t id = unfinished(w);
	CHECK(!wire_got_message(w, EVENT_HEAD, id, 0));
	FRAME(w, CONTINUATION, EH, id,
		"\x0f\x04\x01"
		"5"); /* accept-... by index, a literal */
	CHECK(wire_got_message(w, EVENT_HEAD, id, 0));
	ALIVE(w);
}

/* ---- 6.3 ---- */

BOTH(rfc9113_6_3_priority_on_stream_0_is_protocol_error)
{
	FRAME(w, PRIORITY, 0, 0, "\0\0\0\1\x10");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_3_priority_shorter_than_5_octets_is_a_frame_size_stream_error)
{
	uint32_t id = stream_open(w);
	FRAME(w, PRIORITY, 0, id, "\0\0\0\0");
	RESET(w, id, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_6_3_priority_longer_than_5_octets_is_a_frame_size_stream_error)
{
	uint32_t id = stream_open(w);
	FRAME(w, PRIORITY, 0, id, "\0\0\0\0\x10\0");
	RESET(w, id, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_6_3_priority_in_any_state_changes_nothing)
{
	uint32_t open = stream_in_body(w), closed = stream_both_ended(w);
	FRAME(w, PRIORITY, 0, open, "\x80\0\0\0\xff");
	FRAME(w, PRIORITY, 0, closed, "\0\0\0\0\0");
	FRAME(w, DATA, ES, open, "hello");
	CHECK_EQ(wire_got_data(w, open), 5);
	IGNORED(w, open);
}

/* ---- 6.4 ---- */

BOTH(rfc9113_6_4_rst_stream_on_stream_0_is_protocol_error)
{
	wire_rst(w, 0, H2_CANCEL);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_4_rst_stream_shorter_than_4_octets_is_frame_size_error)
{
	uint32_t id = stream_open(w);
	FRAME(w, RST_STREAM, 0, id, "\0\0\0");
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_6_4_rst_stream_longer_than_4_octets_is_frame_size_error)
{
	uint32_t id = stream_open(w);
	FRAME(w, RST_STREAM, 0, id, "\0\0\0\0\0");
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_7_an_unknown_error_code_of_rst_stream_is_kept)
{
	uint32_t id = stream_open(w);
	wire_rst(w, id, 0xdeadbeef);
	const struct wire_event *e = wire_got(w, H2_EV_RESET, id, 0);
	REQUIRE(e);
	CHECK_EQ(e->e.code, 0xdeadbeef);
	CHECK_EQ(w->books.resets_in[H2_CODE_COUNT], 1);
	IGNORED(w, id);
}

BOTH(rfc9113_6_4_rst_stream_drops_data_that_waits)
{
	wire_setting(w, S_WINDOW, 0);
	uint32_t id = stream_open(w);
	if (w->role == H2_SERVER)
		app_head(w, id, OK_RESP, false);
	app_data(w, id, 100000, false);
	CHECK(w->books.held_bytes >= 100000);
	wire_rst(w, id, H2_CANCEL);
	wire_sync(w);
	CHECK_EQ(w->books.held_bytes, 0);
	IGNORED(w, id);
}

BOTH(rfc9113_6_4_our_reset_carries_its_code_once)
{
	uint32_t id = stream_open(w);
	app_reset(w, id, 0x1234);
	app_reset(w, id, H2_CANCEL);
	const struct wire_frame *f = wire_sent(w, RST_STREAM, id, 0);
	REQUIRE(f);
	CHECK_EQ(wire_u32(w, f, 0), 0x1234);
	FRAMES(w, RST_STREAM, id, 1);
	EVENTS(w, H2_EV_RESET, id, 0);
	EVENTS(w, H2_EV_CLOSED, id, 0);
	ALIVE(w);
}

BOTH(rfc9113_6_4_a_released_open_stream_is_cancelled)
{
	uint32_t id = stream_open(w);
	app_release(w, id);
	const struct wire_frame *f = wire_sent(w, RST_STREAM, id, 0);
	REQUIRE(f);
	CHECK_EQ(wire_u32(w, f, 0), H2_CANCEL);
	ALIVE(w);
}

/* ---- 6.6 ---- */

SERVER(rfc9113_6_6_push_promise_from_a_client_is_protocol_error)
{
	stream_open(w);
	FRAME(w, PUSH_PROMISE, EH, 1, "\0\0\0\2\x82\x86\x84");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

CLIENT(rfc9113_6_6_push_promise_is_protocol_error_since_we_disabled_it)
{
	uint32_t id = stream_we_ended(w);
	FRAME(w, PUSH_PROMISE, EH, id, "\0\0\0\2\x82\x86\x84");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

CLIENT(rfc9113_6_6_push_promise_on_stream_0_is_protocol_error)
{
	FRAME(w, PUSH_PROMISE, EH, 0, "\0\0\0\2\x82\x86\x84");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

RAW_CLIENT(rfc9113_6_5_2_we_disable_push)
{
	wire_create(w, NULL);
	const struct wire_frame *f = &w->frames[0];
	bool seen = false;
	for (size_t at = 0; at + 6 <= f->len; at += 6)
		if (w->out.p[f->at + at + 1] == S_PUSH)
			seen = w->out.p[f->at + at + 5] == 0;
	CHECK(seen);
}

/* ---- 6.10 ---- */

BOTH(rfc9113_6_10_many_continuations_make_one_block)
{
	static struct block b;
	b.len = 0;
	block_text(&b, w->role == H2_SERVER ? GET_REQ : OK_RESP "|x-some thing");
	uint32_t id = w->role == H2_SERVER ? w->next_id : stream_we_ended(w);
	w->next_id = id + 2;
	wire_frame(w, HEADERS, ES, id, b.p, 1);
	for (size_t i = 1; i < 20; i++)
		wire_frame(w, CONTINUATION, 0, id, b.p + i, 1);
	wire_frame(w, CONTINUATION, EH, id, b.p + 20, b.len - 20);
	MESSAGE(w, id, EVENT_HEAD, w->role == H2_SERVER ? GET_REQ : OK_RESP "|x-some thing", true);
	ALIVE(w);
}

BOTH(rfc9113_6_10_continuation_on_stream_0_is_protocol_error)
{
	unfinished(w);
	FRAME(w, CONTINUATION, EH, 0, "\x82");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_10_continuation_on_stream_0_without_headers_is_protocol_error)
{
	FRAME(w, CONTINUATION, EH, 0, "\x82");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_10_continuation_of_another_stream_is_protocol_error)
{
	uint32_t id = unfinished(w);
	FRAME(w, CONTINUATION, EH, id + 2, "\x82");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_10_continuation_after_end_headers_is_protocol_error)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, CONTINUATION, EH, id, "\x82");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_10_continuation_after_a_finished_continuation_is_protocol_error)
{
	uint32_t id = unfinished(w);
	FRAME(w, CONTINUATION, EH, id,
		"\x0f\x04\x01"
		"5");
	FRAME(w, CONTINUATION, EH, id, "");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_10_continuation_after_data_is_protocol_error)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, 0, id, "hello");
	FRAME(w, CONTINUATION, EH, id, "\x82");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_10_end_stream_on_headers_holds_until_its_continuation_is_read)
{
	uint32_t id = unfinished(w);
	FRAME(w, CONTINUATION, EH, id, "");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(e->e.ev.end);
	ALIVE(w);
}

BOTH(rfc9113_6_10_trailers_may_continue_too)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, 0, id, "hello");
	FRAME(w, HEADERS, ES, id,
		"\x00\x0b"
		"grpc-");
	FRAME(w, CONTINUATION, EH, id,
		"status\x01"
		"0");
	MESSAGE(w, id, EVENT_TRAILERS, "grpc-status 0", true);
	IGNORED(w, id);
}

TAP_MAIN()
