/* RFC 9113 section 5.1: stream states; 5.3 priority; 5.4 errors; 5.5 extensions. */
#include "wire.h"

/* A fault of the closed stream's kind, or silence: for what RFC 9113 5.1 leaves open. */
static void tolerated(struct wire *w, uint32_t id)
{
	wire_sync(w);
	const struct wire_frame *rst = wire_sent(w, RST_STREAM, id, 0),
				*bye = wire_sent(w, GOAWAY_F, 0, 0);
	if (rst && wire_u32(w, rst, 0) != H2_STREAM_CLOSED)
		w->broken = "RST_STREAM with another code than STREAM_CLOSED";
	if (bye && wire_u32(w, bye, 4) != H2_STREAM_CLOSED)
		w->broken = "GOAWAY with another code than STREAM_CLOSED";
}

/* ---- idle ---- */

BOTH(rfc9113_5_1_data_on_an_idle_stream_is_protocol_error)
{
	FRAME(w, DATA, ES, stream_idle(w), "hello");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_5_1_rst_stream_on_an_idle_stream_is_protocol_error)
{
	wire_rst(w, stream_idle(w), H2_CANCEL);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_5_1_window_update_on_an_idle_stream_is_protocol_error)
{
	wire_window(w, stream_idle(w), 100);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_5_1_continuation_on_an_idle_stream_is_protocol_error)
{
	FRAME(w, CONTINUATION, EH, stream_idle(w), "\x82\x86\x84");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_5_1_priority_on_an_idle_stream_is_ignored)
{
	FRAME(w, PRIORITY, 0, stream_idle(w), "\0\0\0\0\x10");
	IGNORED(w, stream_idle(w));
}

BOTH(rfc9113_5_1_data_on_an_idle_even_stream_is_protocol_error)
{
	FRAME(w, DATA, 0, 2, "hello");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_5_1_rst_stream_on_an_idle_even_stream_is_protocol_error)
{
	wire_rst(w, 2, H2_CANCEL);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_5_1_window_update_on_an_idle_even_stream_is_protocol_error)
{
	wire_window(w, 2, 100);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

CLIENT(rfc9113_5_1_a_response_on_an_idle_stream_is_protocol_error)
{
	wire_headers(w, 21, ES, OK_RESP);
	w->headers_in = 0;
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

CLIENT(rfc9113_5_1_headers_on_an_idle_even_stream_are_protocol_error)
{
	wire_headers(w, 2, ES, OK_RESP);
	w->headers_in = 0;
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

/* ---- open ---- */

BOTH(rfc9113_5_1_an_open_stream_takes_every_frame_type)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, PRIORITY, 0, id, "\0\0\0\0\x10");
	wire_window(w, id, 10);
	FRAME(w, DATA, 0, id, "hello");
	wire_headers(w, id, ES, "grpc-status 0");
	CHECK_EQ(wire_got_data(w, id), 5);
	MESSAGE(w, id, EVENT_TRAILERS, "grpc-status 0", true);
	IGNORED(w, id);
}

BOTH(rfc9113_5_1_rst_stream_on_an_open_stream_closes_it_with_its_code)
{
	uint32_t id = stream_open(w);
	wire_rst(w, id, H2_CONNECT_ERROR);
	const struct wire_event *e = wire_got(w, H2_EV_RESET, id, 0);
	REQUIRE(e);
	CHECK(e->e.by_peer);
	CHECK(!e->e.unprocessed);
	CHECK_EQ(e->e.code, H2_CONNECT_ERROR);
	EVENTS(w, H2_EV_RESET, id, 1);
	EVENTS(w, H2_EV_CLOSED, id, 0);
	IGNORED(w, id); /* RFC 9113 5.4.2: no RST_STREAM in answer to RST_STREAM */
}

/* ---- half-closed (remote) ---- */

BOTH(rfc9113_5_1_data_on_a_half_closed_remote_stream_is_stream_closed)
{
	uint32_t id = stream_peer_ended(w);
	FRAME(w, DATA, ES, id, "hello");
	RESET(w, id, H2_STREAM_CLOSED);
	CHECK_EQ(wire_got_data(w, id), 0);
}

BOTH(rfc9113_5_1_headers_on_a_half_closed_remote_stream_are_stream_closed)
{
	uint32_t id = stream_peer_ended(w);
	wire_head(w, id, ES);
	FAULT(w, id, H2_STREAM_CLOSED);
}

BOTH(rfc9113_5_1_continuation_on_a_half_closed_remote_stream_is_an_error)
{
	uint32_t id = stream_peer_ended(w);
	FRAME(w, CONTINUATION, EH, id, "\x82");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_5_1_window_update_on_a_half_closed_remote_stream_is_accepted)
{
	wire_setting(w, S_WINDOW, 10);
	uint32_t id = stream_peer_ended(w);
	if (w->role == H2_SERVER)
		app_head(w, id, OK_RESP, false);
	app_data(w, id, 100, true);
	CHECK_EQ(wire_sent_data(w, id), 10);
	wire_window(w, id, 90);
	CHECK_EQ(wire_sent_data(w, id), 100);
	CHECK(wire_sent_pattern(w, id));
	EVENTS(w, H2_EV_CLOSED, id, 1);
	IGNORED(w, id);
}

BOTH(rfc9113_5_1_priority_on_a_half_closed_remote_stream_is_accepted)
{
	uint32_t id = stream_peer_ended(w);
	FRAME(w, PRIORITY, 0, id, "\0\0\0\0\x10");
	IGNORED(w, id);
}

BOTH(rfc9113_5_1_rst_stream_on_a_half_closed_remote_stream_is_accepted)
{
	uint32_t id = stream_peer_ended(w);
	wire_rst(w, id, H2_CANCEL);
	EVENTS(w, H2_EV_RESET, id, 1);
	IGNORED(w, id);
}

/* ---- half-closed (local) ---- */

BOTH(rfc9113_5_1_a_half_closed_local_stream_takes_every_frame_type)
{
	uint32_t id = stream_we_ended(w);
	wire_window(w, id, 100);
	FRAME(w, PRIORITY, 0, id, "\0\0\0\0\x10");
	if (w->role == H2_CLIENT)
		wire_head(w, id, 0);
	FRAME(w, DATA, 0, id, "hello");
	wire_headers(w, id, ES, "grpc-status 0");
	MESSAGE(w, id, EVENT_TRAILERS, "grpc-status 0", true);
	CHECK_EQ(wire_got_data(w, id), 5);
	EVENTS(w, H2_EV_CLOSED, id, 1);
	IGNORED(w, id);
}

BOTH(rfc9113_5_1_rst_stream_on_a_half_closed_local_stream_is_accepted)
{
	uint32_t id = stream_we_ended(w);
	wire_rst(w, id, H2_NO_ERROR);
	const struct wire_event *e = wire_got(w, H2_EV_RESET, id, 0);
	REQUIRE(e);
	CHECK_EQ(e->e.code, H2_NO_ERROR);
	IGNORED(w, id);
}

BOTH(rfc9113_5_1_what_we_push_after_our_end_is_dropped)
{
	uint32_t id = stream_we_ended(w);
	size_t frames = w->frame_count;
	app_data(w, id, 10, false); /* the kit judges that nothing follows END_STREAM */
	app_trailers(w, id, "late 1");
	CHECK_EQ(w->frame_count, frames);
	ALIVE(w);
}

/* ---- closed by END_STREAM on both sides ---- */

BOTH(rfc9113_5_1_both_ends_close_the_stream_once)
{
	uint32_t id = stream_both_ended(w);
	EVENTS(w, H2_EV_CLOSED, id, 1);
	EVENTS(w, H2_EV_RESET, id, 0);
	CHECK_EQ(h2_conn_open_streams(w->c), 0);
	ALIVE(w);
}

BOTH(rfc9113_5_1_data_on_a_closed_stream_is_stream_closed)
{
	uint32_t id = stream_both_ended(w);
	FRAME(w, DATA, ES, id, "hello");
	FAULT(w, id, H2_STREAM_CLOSED);
}

BOTH(rfc9113_5_1_headers_on_a_closed_stream_are_a_stream_closed_connection_error)
{
	uint32_t id = stream_both_ended(w);
	wire_head(w, id, ES);
	GOAWAY(w, H2_STREAM_CLOSED);
}

BOTH(rfc9113_5_1_continuation_on_a_closed_stream_is_an_error)
{
	uint32_t id = stream_both_ended(w);
	FRAME(w, CONTINUATION, EH, id, "\x82");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_5_1_window_update_soon_after_the_end_is_ignored)
{
	uint32_t id = stream_both_ended(w);
	wire_window(w, id, 100);
	IGNORED(w, id);
}

BOTH(rfc9113_5_1_rst_stream_soon_after_the_end_is_ignored)
{
	uint32_t id = stream_both_ended(w);
	wire_rst(w, id, H2_NO_ERROR);
	EVENTS(w, H2_EV_RESET, id, 0);
	IGNORED(w, id);
}

/* What servers of gRPC do when a deadline passes while they answer: everything twice. */
BOTH(rfc9113_5_1_headers_after_the_end_and_a_rst_stream_cost_the_stream_and_not_the_connection)
{
	uint32_t id = stream_both_ended(w);
	wire_rst(w, id, H2_NO_ERROR);
	wire_head(w, id, ES);
	RESET(w, id, H2_STREAM_CLOSED);
	wire_rst(w, id, H2_NO_ERROR);
	wire_head(w, id, ES);
	ALIVE(w);
}

BOTH(rfc9113_5_1_priority_on_a_closed_stream_is_ignored)
{
	uint32_t id = stream_both_ended(w);
	FRAME(w, PRIORITY, 0, id, "\0\0\0\0\x10");
	IGNORED(w, id);
}

/* ---- closed by the peer's RST_STREAM ---- */

BOTH(rfc9113_5_1_data_after_the_peers_rst_stream_is_stream_closed)
{
	uint32_t id = stream_peer_reset(w);
	FRAME(w, DATA, ES, id, "hello");
	FAULT(w, id, H2_STREAM_CLOSED);
}

BOTH(rfc9113_5_1_headers_after_the_peers_rst_stream_are_stream_closed)
{
	uint32_t id = stream_peer_reset(w);
	wire_head(w, id, ES);
	FAULT(w, id, H2_STREAM_CLOSED);
}

BOTH(rfc9113_5_1_continuation_after_the_peers_rst_stream_is_an_error)
{
	uint32_t id = stream_peer_reset(w);
	FRAME(w, CONTINUATION, EH, id, "\x82");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_5_1_priority_after_the_peers_rst_stream_is_ignored)
{
	uint32_t id = stream_peer_reset(w);
	FRAME(w, PRIORITY, 0, id, "\0\0\0\0\x10");
	IGNORED(w, id);
}

BOTH(rfc9113_5_1_window_update_after_the_peers_rst_stream_is_no_protocol_error)
{
	uint32_t id = stream_peer_reset(w);
	wire_window(w, id, 100);
	tolerated(w, id);
}

BOTH(rfc9113_5_4_2_rst_stream_is_never_answered_with_rst_stream)
{
	uint32_t id = stream_peer_reset(w);
	wire_rst(w, id, H2_CANCEL);
	wire_rst(w, id, H2_STREAM_CLOSED);
	FRAMES(w, RST_STREAM, id, 0);
	EVENTS(w, H2_EV_RESET, id, 1);
}

BOTH(rfc9113_5_1_nothing_is_sent_on_a_stream_that_the_peer_reset)
{
	uint32_t id = stream_open(w);
	if (w->role == H2_SERVER)
		app_head(w, id, OK_RESP, false);
	wire_setting(w, S_WINDOW, 0);
	app_data(w, id, 5000, true);
	wire_rst(w, id, H2_CANCEL);
	wire_sync(w);
	wire_mark(w);
	wire_setting(w, S_WINDOW, 65535);
	FRAMES(w, DATA, id, 0);
	FRAMES(w, RST_STREAM, id, 0);
	CHECK_EQ(w->books.held_bytes, 0);
	ALIVE(w);
}

/* ---- closed by our RST_STREAM ---- */

BOTH(rfc9113_5_1_every_frame_on_a_stream_we_reset_is_discarded)
{
	uint32_t id = stream_we_reset(w);
	FRAMES(w, RST_STREAM, id, 1);
	wire_mark(w);
	wire_head(w, id, 0);
	FRAME(w, DATA, 0, id, "hello");
	wire_window(w, id, 100);
	FRAME(w, PRIORITY, 0, id, "\0\0\0\0\x10");
	wire_headers(w, id, ES, "grpc-status 0");
	IGNORED(w, id);
	CHECK(!wire_got_message(w, EVENT_HEAD, id, 0));
	CHECK_EQ(wire_got_data(w, id), 0);
}

BOTH(rfc9113_5_1_rst_stream_on_a_stream_we_reset_is_discarded)
{
	uint32_t id = stream_we_reset(w);
	wire_mark(w);
	wire_rst(w, id, H2_CANCEL);
	EVENTS(w, H2_EV_RESET, id, 0);
	IGNORED(w, id);
}

BOTH(rfc9113_5_1_data_on_streams_we_reset_is_returned_to_the_connection_window)
{
	uint32_t id = stream_in_body(w);
	app_reset(w, id, H2_CANCEL);
	for (int i = 0; i < 15; i++) /* within the stream's window of 256 KiB */
		wire_fill(w, DATA, 0, id, 16384);
	wire_fill(w, DATA, ES, id, 16384);
	uint32_t other = stream_in_body(w);
	for (int i = 0; i < 15; i++)
		wire_fill(w, DATA, 0, other, 16384);
	app_reset(w, other, H2_CANCEL);
	for (int round = 0; round < 20; round++) { /* 5 MB in all, more than the window */
		uint32_t s = stream_in_body(w);
		app_reset(w, s, H2_CANCEL);
		for (int i = 0; i < 14; i++)
			wire_fill(w, DATA, 0, s, 16384);
	}
	CHECK(wire_sent_window(w, 0) > 1u << 20);
	IGNORED(w, 0);
}

RAW_BOTH(rfc9113_5_1_late_data_on_a_stream_reset_long_ago_does_not_end_the_connection)
{
	struct h2_options o = h2_options_default(w->role);
	o.resets_per_s = 0;
	wire_begin(w, &o);
	uint32_t first = stream_in_body(w);
	app_reset(w, first, H2_CANCEL);
	for (int i = 0; i < 200; i++)
		stream_we_reset(w);
	FRAME(w, DATA, 0, first, "hello");
	wire_sync(w);
	CHECK(!h2_conn_is_dead(w->c));
	ALIVE(w);
}

/* ---- priority (deprecated in RFC 9113 5.3; RFC 7540 5.3.1 for what a stream may depend on) ----
 */

SERVER(rfc7540_5_3_1_headers_that_depend_on_themselves_are_protocol_error)
{
	static struct block b;
	b.len = 0;
	block_raw(&b, "\0\0\0\1\x10", 5);
	block_text(&b, GET_REQ);
	wire_block(w, 1, ES | PRIO, &b);
	w->next_id = 3;
	RESET(w, 1, H2_PROTOCOL_ERROR);
	CHECK(!wire_got_message(w, EVENT_HEAD, 1, 0));
}

BOTH(rfc7540_5_3_1_priority_that_depends_on_itself_is_protocol_error)
{
	uint32_t id = stream_open(w);
	FRAME(w, PRIORITY, 0, id, "\0\0\0\1\x10");
	CHECK_EQ(id, 1);
	RESET(w, id, H2_PROTOCOL_ERROR);
}

SERVER(rfc9113_5_3_2_priority_fields_in_headers_are_read_and_ignored)
{
	static struct block b;
	b.len = 0;
	block_raw(&b, "\x80\0\0\x09\xff", 5); /* exclusive, on a stream that does not exist */
	block_text(&b, GET_REQ);
	wire_block(w, 1, ES | PRIO, &b);
	w->next_id = 3;
	MESSAGE(w, 1, EVENT_HEAD, GET_REQ, true);
	ALIVE(w);
}

/* ---- 5.4 ---- */

BOTH(rfc9113_5_4_1_after_a_connection_error_nothing_more_is_read)
{
	FRAME(w, PING, 0, 0, "short");
	FRAME(w, PING, 0, 0, "12345678");
	wire_head(w, w->role == H2_SERVER ? 1 : 21, ES);
	w->headers_in = 0;
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
	FRAMES(w, PING, 0, 0);
	EVENTS(w, H2_EV_DEAD, 0, 1);
	CHECK(!wire_got_message(w, EVENT_HEAD, 1, 0));
}

SERVER(rfc9113_5_4_1_goaway_names_the_last_stream_that_was_processed)
{
	stream_open(w);
	uint32_t id = stream_open(w);
	FRAME(w, PING, 0, 0, "short");
	const struct wire_frame *f = wire_sent(w, GOAWAY_F, 0, 0);
	REQUIRE(f);
	CHECK_EQ(wire_u32(w, f, 0), id);
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_5_4_1_calls_on_a_dead_connection_do_nothing)
{
	uint32_t id = stream_open(w);
	FRAME(w, PING, 0, 0, "short");
	wire_sync(w);
	size_t frames = w->frame_count, events = w->event_count;
	app_head(w, id, OK_RESP, false);
	app_data(w, id, 100, true);
	app_credit(w, id, 10);
	app_reset(w, id, H2_CANCEL);
	h2_conn_ping(w->c, 1);
	h2_conn_drain(w->c, "late");
	wire_sync(w);
	CHECK_EQ(w->frame_count, frames);
	CHECK_EQ(w->event_count, events);
	if (w->role == H2_CLIENT)
		CHECK_EQ(app_open(w, GET_REQ, true), 0);
	CHECK_EQ(h2_conn_open_slots(w->c), 0);
}

BOTH(rfc9113_5_4_1_a_killed_connection_says_goaway_with_code_and_reason)
{
	stream_open(w);
	wire_sync(w);
	h2_conn_kill(w->c, H2_ENHANCE_YOUR_CALM, "too much");
	GOAWAY(w, H2_ENHANCE_YOUR_CALM);
	const struct wire_frame *f = wire_sent(w, GOAWAY_F, 0, 0);
	REQUIRE(f);
	CHECK_MEM(w->out.p + f->at + 8, f->len - 8, "too much", 8);
}

BOTH(rfc9113_5_4_2_a_stream_error_leaves_other_streams_alone)
{
	uint32_t good = stream_in_body(w);
	uint32_t bad = stream_peer_ended(w);
	FRAME(w, DATA, 0, good, "one");
	FRAME(w, DATA, 0, bad, "late");
	FRAME(w, DATA, ES, good, "two");
	RESET(w, bad, H2_STREAM_CLOSED);
	CHECK_EQ(wire_got_data(w, good), 6);
}

BOTH(rfc9113_5_4_2_a_stream_is_reset_once_whatever_follows)
{
	uint32_t id = stream_peer_ended(w);
	for (int i = 0; i < 5; i++)
		FRAME(w, DATA, 0, id, "late");
	wire_head(w, id, 0);
	RESET(w, id, H2_STREAM_CLOSED);
}

/* ---- 5.5 ---- */

SERVER(rfc9113_5_5_an_unknown_frame_inside_a_header_block_is_protocol_error)
{
	FRAME(w, HEADERS, ES, 1, "\x82");
	FRAME(w, 0xee, 0, 0, "unknown");
	FRAME(w, CONTINUATION, EH, 1, "\x86\x84");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

CLIENT(rfc9113_5_5_an_unknown_frame_inside_a_responses_header_block_is_protocol_error)
{
	uint32_t id = stream_we_ended(w);
	FRAME(w, HEADERS, ES, id, "\x88");
	FRAME(w, 0xee, 0, id, "unknown");
	FRAME(w, CONTINUATION, EH, id, "");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_5_5_unknown_settings_are_ignored)
{
	wire_setting(w, 0x7777, 0xffffffffu);
	wire_setting(w, 0, 7);
	IGNORED(w, 0);
}

TAP_MAIN()
