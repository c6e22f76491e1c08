/* RFC 9113 sections 5.2 and 6.9: flow control and WINDOW_UPDATE. */
#include "wire.h"

#define DEFAULT_WINDOW 65535

static uint32_t answering(struct wire *w)
{
	uint32_t id = stream_open(w);
	if (w->role == H2_SERVER)
		app_head(w, id, OK_RESP, false);
	return id;
}

/* ---- frames ---- */

BOTH(rfc9113_6_9_an_increment_of_0_on_the_connection_is_protocol_error)
{
	wire_window(w, 0, 0);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_9_an_increment_of_0_on_a_stream_is_a_protocol_stream_error)
{
	uint32_t id = stream_open(w);
	wire_window(w, id, 0);
	RESET(w, id, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_9_only_the_reserved_bit_is_an_increment_of_0)
{
	uint32_t id = stream_open(w);
	wire_window(w, id, 0x80000000u);
	RESET(w, id, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_9_the_reserved_bit_of_the_increment_is_ignored)
{
	wire_setting(w, S_WINDOW, 0);
	uint32_t id = answering(w);
	app_data(w, id, 100, true);
	wire_window(w, id, 0x80000000u | 40);
	CHECK_EQ(wire_sent_data(w, id), 40);
}

BOTH(rfc9113_6_9_window_update_shorter_than_4_octets_is_frame_size_error)
{
	FRAME(w, WINDOW_UPDATE, 0, 0, "\0\0\1");
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_6_9_window_update_longer_than_4_octets_is_frame_size_error)
{
	FRAME(w, WINDOW_UPDATE, 0, 0, "\0\0\0\1\0");
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_6_9_window_update_of_wrong_length_on_a_stream_is_frame_size_error)
{
	uint32_t id = stream_open(w);
	FRAME(w, WINDOW_UPDATE, 0, id, "\0\0\1");
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

/* ---- 6.9.1: what we send ---- */

BOTH(rfc9113_6_9_1_we_stop_at_the_stream_window)
{
	wire_setting(w, S_WINDOW, 1000);
	uint32_t id = answering(w);
	app_data(w, id, 5000, true);
	CHECK_EQ(wire_sent_data(w, id), 1000);
	CHECK(!wire_sent_end(w, id));
	wire_window(w, id, 1);
	CHECK_EQ(wire_sent_data(w, id), 1001);
	wire_window(w, id, 10000);
	CHECK_EQ(wire_sent_data(w, id), 5000);
	CHECK(wire_sent_end(w, id));
	CHECK(wire_sent_pattern(w, id));
	ALIVE(w);
}

BOTH(rfc9113_6_9_1_we_stop_at_the_connection_window)
{
	wire_setting(w, S_WINDOW, 1000000);
	uint32_t id = answering(w);
	app_data(w, id, 100000, true);
	CHECK_EQ(wire_sent_data(w, id), DEFAULT_WINDOW);
	wire_window(w, id, 5);
	CHECK_EQ(wire_sent_data(w, id), DEFAULT_WINDOW);
	wire_window(w, 0, 1000000);
	CHECK_EQ(wire_sent_data(w, id), 100000);
	CHECK(wire_sent_pattern(w, id));
}

BOTH(rfc9113_6_9_1_streams_share_the_connection_window)
{
	uint32_t a = answering(w), b = answering(w);
	app_data(w, a, 40000, true);
	app_data(w, b, 40000, true);
	CHECK_EQ(wire_sent_data(w, a) + wire_sent_data(w, b), DEFAULT_WINDOW);
	wire_window(w, 0, 40000);
	CHECK_EQ(wire_sent_data(w, a), 40000);
	CHECK_EQ(wire_sent_data(w, b), 40000);
	CHECK(wire_sent_pattern(w, a) && wire_sent_pattern(w, b));
}

BOTH(rfc9113_6_9_1_a_stream_without_window_does_not_stop_another)
{
	uint32_t a = answering(w);
	wire_setting(w, S_WINDOW, 0);
	app_data(w, a, 100, false);
	uint32_t b = answering(w);
	wire_window(w, b, 1000);
	app_data(w, b, 500, true);
	CHECK_EQ(wire_sent_data(w, b), 500);
	CHECK(wire_sent_end(w, b));
	CHECK_EQ(wire_sent_data(w, a), 0);
	wire_window(w, a, 200);
	CHECK_EQ(wire_sent_data(w, a), 100);
}

BOTH(rfc9113_6_9_headers_need_no_window)
{
	wire_setting(w, S_WINDOW, 0);
	uint32_t id = stream_open(w);
	if (w->role == H2_SERVER)
		app_head(w, id, OK_RESP, false);
	CHECK(wire_sent(w, HEADERS, id, 0));
	app_trailers(w, id, "grpc-status 0");
	CHECK(wire_sent_end(w, id));
}

BOTH(rfc9113_6_9_an_empty_end_needs_no_window)
{
	wire_setting(w, S_WINDOW, 0);
	uint32_t id = answering(w);
	app_data(w, id, 0, true);
	CHECK(wire_sent_end(w, id));
}

BOTH(rfc9113_6_9_1_trailers_wait_behind_data)
{
	wire_setting(w, S_WINDOW, 10);
	uint32_t id = answering(w);
	app_data(w, id, 30, false);
	app_trailers(w, id, "grpc-status 0");
	CHECK(!wire_sent_end(w, id));
	wire_window(w, id, 20);
	CHECK_EQ(wire_sent_data(w, id), 30);
	CHECK(wire_sent_end(w, id));
	CHECK(wire_sent_pattern(w, id));
}

BOTH(rfc9113_6_9_1_a_connection_window_above_2_31_is_flow_control_error)
{
	wire_window(w, 0, 0x7fffffff);
	wire_window(w, 0, 0x7fffffff);
	GOAWAY(w, H2_FLOW_CONTROL_ERROR);
}

BOTH(rfc9113_6_9_1_a_connection_window_of_exactly_2_31_is_accepted)
{
	wire_window(w, 0, 0x7fffffff - DEFAULT_WINDOW);
	IGNORED(w, 0);
}

BOTH(rfc9113_6_9_1_one_octet_above_2_31_is_flow_control_error)
{
	wire_window(w, 0, 0x7fffffff - DEFAULT_WINDOW);
	wire_window(w, 0, 1);
	GOAWAY(w, H2_FLOW_CONTROL_ERROR);
}

BOTH(rfc9113_6_9_1_a_stream_window_above_2_31_is_a_flow_control_stream_error)
{
	uint32_t id = stream_open(w);
	wire_window(w, id, 0x7fffffff);
	wire_window(w, id, 0x7fffffff);
	RESET(w, id, H2_FLOW_CONTROL_ERROR);
}

BOTH(rfc9113_6_9_1_a_stream_window_of_exactly_2_31_is_accepted)
{
	uint32_t id = stream_open(w);
	wire_window(w, id, 0x7fffffff - DEFAULT_WINDOW);
	IGNORED(w, id);
}

/* ---- 6.9.1: what we accept ---- */

static void begin_with_windows(struct wire *w, uint32_t stream, uint32_t conn)
{
	struct h2_options o = h2_options_default(w->role);
	o.stream_window_bytes = stream;
	o.conn_window_bytes = conn;
	wire_begin(w, &o);
}

RAW_BOTH(rfc9113_6_9_1_data_up_to_the_stream_window_is_accepted)
{
	begin_with_windows(w, 1000, 65535);
	uint32_t id = stream_in_body(w);
	wire_fill(w, DATA, 0, id, 1000);
	CHECK_EQ(wire_got_data(w, id), 1000);
	IGNORED(w, id);
}

RAW_BOTH(rfc9113_6_9_1_data_beyond_the_stream_window_is_flow_control_error)
{
	begin_with_windows(w, 1000, 65535);
	uint32_t id = stream_in_body(w);
	wire_fill(w, DATA, 0, id, 1000);
	wire_fill(w, DATA, 0, id, 1);
	FAULT(w, id, H2_FLOW_CONTROL_ERROR);
}

RAW_BOTH(rfc9113_6_9_1_padding_counts_towards_the_window)
{
	begin_with_windows(w, 10, 65535);
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, PAD, id, "\5hello\0\0\0\0\0"); /* 11 octets */
	FAULT(w, id, H2_FLOW_CONTROL_ERROR);
}

RAW_BOTH(rfc9113_6_9_1_padding_is_returned_without_the_owners_help)
{
	begin_with_windows(w, 1000, 65535);
	uint32_t id = stream_in_body(w);
	for (int i = 0; i < 100; i++) {
		FRAME(w, DATA, PAD, id, "\x08h\0\0\0\0\0\0\0\0"); /* 1 octet of content in 10 */
		wire_sync(w);
		app_credit(w, id, 1);
	}
	CHECK_EQ(wire_got_data(w, id), 100);
	IGNORED(w, id);
}

RAW_BOTH(rfc9113_6_9_1_data_beyond_the_connection_window_is_flow_control_error)
{
	begin_with_windows(w, 1000000, 65535);
	uint32_t id = stream_in_body(w);
	wire_sync(w);
	w->stop_reading = true; /* so that no WINDOW_UPDATE reaches the peer */
	for (int i = 0; i < 5; i++)
		wire_fill(w, DATA, 0, id, 16384); /* 81,920 */
	wire_sync(w);
	/* The connection is credited on receipt: an engine that counts the credit as given when it
	 * is queued accepts this, one that counts it when written must refuse it. */
	w->stop_reading = false;
	wire_sync(w);
	const struct wire_frame *bye = wire_sent(w, GOAWAY_F, 0, 0);
	if (bye)
		CHECK_EQ(wire_u32(w, bye, 4), H2_FLOW_CONTROL_ERROR);
	else
		ALIVE(w);
}

RAW_BOTH(rfc9113_6_9_1_data_beyond_the_credit_of_the_connection_is_flow_control_error)
{
	/* One burst above the window: no credit can have been given in between. */
	struct h2_options o = h2_options_default(w->role);
	o.stream_window_bytes = 1 << 20;
	o.conn_window_bytes = 65535;
	o.max_frame_bytes = 100000;
	wire_begin(w, &o);
	uint32_t id = stream_in_body(w);
	wire_fill(w, DATA, 0, id, 65536);
	GOAWAY(w, H2_FLOW_CONTROL_ERROR);
}

RAW_BOTH(rfc9113_6_9_credit_reopens_the_stream_window)
{
	begin_with_windows(w, 1000, 65535);
	uint32_t id = stream_in_body(w);
	for (int i = 0; i < 50; i++) {
		wire_fill(w, DATA, 0, id, 1000);
		app_credit(w, id, 1000);
		CHECK_EQ(wire_sent_window(w, id), 1000u * (unsigned)(i + 1));
	}
	CHECK_EQ(wire_got_data(w, id), 50000);
	IGNORED(w, id);
}

RAW_BOTH(rfc9113_6_9_no_credit_no_window)
{
	begin_with_windows(w, 1000, 65535);
	uint32_t id = stream_in_body(w);
	wire_fill(w, DATA, 0, id, 1000);
	wire_sync(w);
	CHECK_EQ(wire_sent_window(w, id), 0);
}

RAW_BOTH(rfc9113_6_9_credit_is_never_more_than_was_received)
{
	begin_with_windows(w, 1000, 65535);
	uint32_t id = stream_in_body(w);
	wire_fill(w, DATA, 0, id, 600);
	app_credit(w, id, 600);
	wire_fill(w, DATA, 0, id, 600);
	app_credit(w, id, 600);
	CHECK(wire_sent_window(w, id) <= 1200);
	struct h2_stream_info info;
	struct h2_stream *s = wire_stream(w, id);
	REQUIRE(s);
	h2_stream_inspect(s, &info);
	CHECK(info.receive_window_bytes <= 1000);
	CHECK(info.receive_window_bytes >= 400);
}

RAW_BOTH(rfc9113_6_9_no_window_update_for_a_stream_the_peer_ended)
{
	begin_with_windows(w, 1000, 65535);
	uint32_t id = stream_in_body(w);
	wire_fill(w, DATA, ES, id, 1000);
	app_credit(w, id, 1000);
	CHECK_EQ(wire_sent_window(w, id), 0);
	IGNORED(w, id);
}

RAW_BOTH(rfc9113_6_9_the_connection_window_is_credited_on_receipt)
{
	begin_with_windows(w, 1 << 20, 65535);
	uint32_t id = stream_in_body(w);
	for (int i = 0; i < 30; i++) /* 480 KiB, none of it credited by the owner */
		wire_fill(w, DATA, 0, id, 16384);
	CHECK_EQ(wire_got_data(w, id), 30 * 16384);
	CHECK(wire_sent_window(w, 0) >= 30 * 16384 - 65535);
	CHECK_EQ(wire_sent_window(w, id), 0);
	IGNORED(w, id);
}

RAW_BOTH(rfc9113_6_9_a_larger_connection_window_is_announced_at_once)
{
	struct h2_options o = h2_options_default(w->role);
	o.conn_window_bytes = 1 << 20;
	wire_create(w, &o);
	CHECK_EQ(wire_sent_window(w, 0), (1 << 20) - DEFAULT_WINDOW);
}

RAW_BOTH(rfc9113_6_9_the_window_of_a_stream_is_the_default_until_our_settings_are_acknowledged)
{
	/* RFC 9113 6.9.3 and 6.5.3: the peer may still use 65,535. */
	struct h2_options o = h2_options_default(w->role);
	o.stream_window_bytes = 100;
	wire_create(w, &o);
	if (w->role == H2_SERVER)
		wire_raw(w, PREFACE, 24);
	FRAME(w, SETTINGS, 0, 0, "");
	uint32_t id = stream_in_body(w);
	wire_fill(w, DATA, 0, id, 5000);
	CHECK_EQ(wire_got_data(w, id), 5000);
	IGNORED(w, id);
}

/* A window below the default, and 5,000 octets that came before the peer acknowledged it: -4,000.
 */
static uint32_t overdrawn(struct wire *w, uint32_t credit)
{
	struct h2_options o = h2_options_default(w->role);
	o.stream_window_bytes = 1000;
	wire_create(w, &o);
	if (w->role == H2_SERVER)
		wire_raw(w, PREFACE, 24);
	FRAME(w, SETTINGS, 0, 0, "");
	uint32_t id = stream_in_body(w);
	wire_fill(w, DATA, 0, id, 5000);
	if (credit)
		app_credit(w, id, credit);
	FRAME(w, SETTINGS, ACK, 0, "");
	return id;
}

RAW_BOTH(rfc9113_6_9_2_credit_given_before_our_settings_are_acknowledged_is_not_lost)
{
	uint32_t id = overdrawn(w, 5000);
	CHECK_EQ(wire_sent_window(w, id), 5000);
	wire_fill(w, DATA, ES, id, 1000);
	CHECK_EQ(wire_got_data(w, id), 6000);
	IGNORED(w, id);
}

RAW_BOTH(rfc9113_6_9_1_empty_data_needs_no_window_even_when_it_is_negative)
{
	uint32_t id = overdrawn(w, 0);
	FRAME(w, DATA, ES, id, "");
	const struct wire_event *e = NULL;
	wire_sync(w);
	for (size_t i = 0; wire_got_message(w, EVENT_DATA, id, i); i++)
		e = wire_got_message(w, EVENT_DATA, id, i);
	REQUIRE(e);
	CHECK(e->e.ev.end);
	IGNORED(w, id);
}

RAW_BOTH(rfc9113_6_9_2_data_on_a_negative_receive_window_is_flow_control_error)
{
	uint32_t id = overdrawn(w, 0);
	wire_fill(w, DATA, 0, id, 1);
	FAULT(w, id, H2_FLOW_CONTROL_ERROR);
}

RAW_BOTH(rfc9113_6_9_data_of_a_stream_error_is_returned_to_the_connection)
{
	begin_with_windows(w, 65535, 65535);
	for (int i = 0; i < 40; i++) {
		uint32_t id = stream_peer_ended(w);
		wire_fill(w, DATA, 0, id, 10000); /* STREAM_CLOSED: 400 kB in all */
		wire_sync(w);
	}
	CHECK(wire_sent_window(w, 0) >= 40 * 10000 - 65535);
	ALIVE(w);
}

/* ---- 6.9.2 ---- */

BOTH(rfc9113_6_9_2_a_larger_initial_window_moves_open_streams)
{
	wire_setting(w, S_WINDOW, 10);
	uint32_t id = answering(w);
	app_data(w, id, 100, true);
	CHECK_EQ(wire_sent_data(w, id), 10);
	wire_setting(w, S_WINDOW, 60);
	CHECK_EQ(wire_sent_data(w, id), 60);
	wire_setting(w, S_WINDOW, 1000);
	CHECK_EQ(wire_sent_data(w, id), 100);
	CHECK(wire_sent_end(w, id) && wire_sent_pattern(w, id));
}

BOTH(rfc9113_6_9_2_a_smaller_initial_window_may_make_it_negative)
{
	wire_setting(w, S_WINDOW, 100);
	uint32_t id = answering(w);
	app_data(w, id, 300, true);
	CHECK_EQ(wire_sent_data(w, id), 100);
	wire_setting(w, S_WINDOW, 40); /* -60 */
	struct h2_stream_info info;
	wire_sync(w);
	h2_stream_inspect(wire_stream(w, id), &info);
	CHECK_EQ(info.send_window_bytes, -60);
	CHECK_EQ(info.queued_bytes, 200);
	CHECK_EQ(info.blocked, H2_BLOCKED_STREAM_WINDOW);
	wire_window(w, id, 60); /* 0 */
	CHECK_EQ(wire_sent_data(w, id), 100);
	wire_window(w, id, 1);
	CHECK_EQ(wire_sent_data(w, id), 101);
	wire_window(w, id, 1000);
	CHECK_EQ(wire_sent_data(w, id), 300);
	CHECK(wire_sent_end(w, id) && wire_sent_pattern(w, id));
	ALIVE(w);
}

BOTH(rfc9113_6_9_2_the_connection_window_is_not_moved_by_settings)
{
	wire_setting(w, S_WINDOW, 1000000);
	uint32_t id = answering(w);
	app_data(w, id, 70000, true);
	CHECK_EQ(wire_sent_data(w, id), DEFAULT_WINDOW);
	wire_setting(w, S_WINDOW, 2000000);
	CHECK_EQ(wire_sent_data(w, id), DEFAULT_WINDOW);
}

BOTH(rfc9113_6_9_2_a_change_that_overflows_a_stream_window_is_flow_control_error)
{
	uint32_t id = answering(w);
	wire_window(w, id, 0x7fffffff - DEFAULT_WINDOW);
	wire_setting(w, S_WINDOW, DEFAULT_WINDOW + 1);
	GOAWAY(w, H2_FLOW_CONTROL_ERROR);
}

BOTH(rfc9113_6_9_2_an_initial_window_of_1_sends_octet_by_octet)
{
	wire_setting(w, S_WINDOW, 1);
	uint32_t id = answering(w);
	app_data(w, id, 20, true);
	for (int i = 1; i < 20; i++) {
		CHECK_EQ(wire_sent_data(w, id), i);
		wire_window(w, id, 1);
	}
	CHECK_EQ(wire_sent_data(w, id), 20);
	CHECK(wire_sent_end(w, id) && wire_sent_pattern(w, id));
}

BOTH(rfc9113_6_9_2_streams_opened_later_use_the_new_initial_window)
{
	wire_setting(w, S_WINDOW, 10);
	wire_setting(w, S_WINDOW, 20);
	uint32_t id = answering(w);
	app_data(w, id, 100, false);
	CHECK_EQ(wire_sent_data(w, id), 20);
}

/* ---- what the owner hears ---- */

BOTH(weir_admitted_bytes_are_what_left_the_queue)
{
	wire_setting(w, S_WINDOW, 100);
	uint32_t id = answering(w);
	app_data(w, id, 5000, true);
	wire_window(w, id, 4900);
	wire_sync(w);
	uint64_t admitted = 0;
	const struct wire_event *e;
	for (size_t i = 0; (e = wire_got(w, H2_EV_ADMITTED, id, i)); i++)
		admitted += e->e.bytes;
	CHECK_EQ(admitted, 5000);
	CHECK_EQ(w->books.held_bytes, 0);
}

BOTH(weir_dropped_data_makes_room_for_trailers)
{
	wire_setting(w, S_WINDOW, 100);
	uint32_t id = answering(w);
	app_data(w, id, 5000, false);
	struct h2_stream *s = wire_stream(w, id);
	REQUIRE(s);
	CHECK_EQ(h2_stream_drop_queued(s), 4900);
	app_trailers(w, id, "grpc-status 14");
	CHECK_EQ(wire_sent_data(w, id), 100);
	CHECK(wire_sent_end(w, id));
	CHECK_EQ(w->books.held_bytes, 0);
}

BOTH(weir_small_pushes_are_merged_into_one_frame)
{
	wire_sync(w);
	uint32_t id = answering(w);
	w->stop_reading = true;
	for (int i = 0; i < 10; i++)
		app_data(w, id, 251, i == 9);
	w->stop_reading = false;
	FRAMES(w, DATA, id, 1);
	CHECK_EQ(wire_sent_data(w, id), 2510);
	CHECK(wire_sent_pattern(w, id));
	CHECK(wire_sent_end(w, id));
	CHECK_EQ(w->books.merged_frames, 9);
}

TAP_MAIN()
