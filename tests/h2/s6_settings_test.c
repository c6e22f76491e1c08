/* RFC 9113 sections 6.5 SETTINGS, 6.7 PING, 6.8 GOAWAY. */
#include "wire.h"

/* ---- 6.5 ---- */

BOTH(rfc9113_6_5_settings_on_stream_is_protocol_error)
{
	FRAME(w, SETTINGS, 0, 1, "");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_5_a_settings_ack_with_payload_is_frame_size_error)
{
	FRAME(w, SETTINGS, ACK, 0, "\0\4\0\0\0\1");
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_6_5_a_length_that_is_no_multiple_of_6_is_frame_size_error)
{
	FRAME(w, SETTINGS, 0, 0, "\0\4\0");
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_6_5_one_octet_too_many_is_frame_size_error)
{
	FRAME(w, SETTINGS, 0, 0, "\0\4\0\0\0\1\0");
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_6_5_3_settings_are_acknowledged)
{
	wire_sync(w);
	wire_mark(w);
	wire_setting(w, S_STREAMS, 100);
	FRAMES(w, SETTINGS, 0, 1);
	const struct wire_frame *f = wire_sent(w, SETTINGS, 0, 0);
	REQUIRE(f);
	CHECK_EQ(f->flags, ACK);
	CHECK_EQ(f->len, 0);
	ALIVE(w);
}

BOTH(rfc9113_6_5_3_each_settings_frame_gets_its_own_acknowledgement)
{
	wire_sync(w);
	wire_mark(w);
	for (int i = 0; i < 5; i++)
		FRAME(w, SETTINGS, 0, 0, "");
	FRAMES(w, SETTINGS, 0, 5);
}

BOTH(rfc9113_6_5_3_an_acknowledgement_is_not_acknowledged)
{
	wire_sync(w);
	wire_mark(w);
	FRAME(w, SETTINGS, ACK, 0, "");
	wire_sync(w);
	FRAMES(w, SETTINGS, 0, 0);
}

static uint32_t answering(struct wire *w)
{
	uint32_t id = stream_open(w);
	if (w->role == H2_SERVER)
		app_head(w, id, OK_RESP, false);
	return id;
}

BOTH(rfc9113_6_5_3_values_of_one_frame_are_taken_in_order)
{
	FRAME(w, SETTINGS, 0, 0, "\0\4\0\0\0\x64\0\4\0\0\0\1");
	uint32_t id = answering(w);
	app_data(w, id, 100, true);
	CHECK_EQ(wire_sent_data(w, id), 1);
}

BOTH(rfc9113_6_5_the_peers_settings_are_an_event)
{
	wire_sync(w);
	wire_mark(w);
	wire_setting(w, S_STREAMS, 5);
	EVENTS(w, H2_EV_SETTINGS, 0, 1);
	CHECK(h2_conn_peer_settings_seen(w->c));
}

SERVER(rfc9113_6_5_2_enable_push_may_be_0_or_1_from_a_client)
{
	wire_setting(w, S_PUSH, 0);
	wire_setting(w, S_PUSH, 1);
	IGNORED(w, 0);
}

BOTH(rfc9113_6_5_2_enable_push_of_2_is_protocol_error)
{
	wire_setting(w, S_PUSH, 2);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

CLIENT(rfc9113_6_5_2_enable_push_of_1_from_a_server_is_protocol_error)
{
	wire_setting(w, S_PUSH, 1);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

CLIENT(rfc9113_6_5_2_enable_push_of_0_from_a_server_is_accepted)
{
	wire_setting(w, S_PUSH, 0);
	IGNORED(w, 0);
}

BOTH(rfc9113_6_5_2_an_initial_window_above_2_31_is_flow_control_error)
{
	wire_setting(w, S_WINDOW, 0x80000000u);
	GOAWAY(w, H2_FLOW_CONTROL_ERROR);
}

BOTH(rfc9113_6_5_2_the_largest_initial_window_is_accepted)
{
	wire_setting(w, S_WINDOW, 0x7fffffff);
	IGNORED(w, 0);
}

BOTH(rfc9113_6_5_2_a_max_frame_size_below_2_14_is_protocol_error)
{
	wire_setting(w, S_FRAME, 16383);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_5_2_a_max_frame_size_above_2_24_is_protocol_error)
{
	wire_setting(w, S_FRAME, 16777216);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_5_2_the_largest_max_frame_size_is_accepted)
{
	wire_setting(w, S_FRAME, 16777215);
	uint32_t id = answering(w);
	app_data(w, id, 60000, true);
	CHECK_EQ(wire_sent_data(w, id), 60000);
	IGNORED(w, id);
}

BOTH(rfc9113_6_5_2_a_good_value_before_a_bad_one_does_not_save_the_frame)
{
	FRAME(w, SETTINGS, 0, 0, "\0\4\0\0\0\1\0\5\0\0\0\1");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc8441_3_enable_connect_protocol_of_2_is_protocol_error)
{
	wire_setting(w, S_CONNECT, 2);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

CLIENT(rfc8441_3_enable_connect_protocol_must_not_go_back_to_0)
{
	wire_setting(w, S_CONNECT, 1);
	wire_setting(w, S_CONNECT, 0);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

CLIENT(rfc8441_3_the_servers_extended_connect_is_noted)
{
	CHECK(!h2_conn_peer_extended_connect(w->c));
	wire_setting(w, S_CONNECT, 1);
	wire_sync(w);
	CHECK(h2_conn_peer_extended_connect(w->c));
}

RAW_SERVER(rfc8441_3_extended_connect_is_advertised_when_enabled)
{
	struct h2_options o = h2_options_default(w->role);
	o.extended_connect = true;
	wire_create(w, &o);
	bool seen = false;
	for (size_t at = 0; at + 6 <= w->frames[0].len; at += 6)
		if (w->out.p[w->frames[0].at + at + 1] == S_CONNECT)
			seen = w->out.p[w->frames[0].at + at + 5] == 1;
	CHECK(seen);
}

RAW_BOTH(rfc9113_6_5_1_our_settings_carry_the_options)
{
	struct h2_options o = h2_options_default(w->role);
	uint32_t value[16] = {0};
	o.stream_window_bytes = 12345;
	o.max_frame_bytes = 20000;
	o.header_list_bytes = 7777;
	o.decoder_table_bytes = 1000;
	wire_create(w, &o);
	for (size_t at = 0; at + 6 <= w->frames[0].len; at += 6) {
		const uint8_t *p = w->out.p + w->frames[0].at + at;
		value[p[1] & 15] =
			(uint32_t)p[2] << 24 | (uint32_t)p[3] << 16 | (uint32_t)p[4] << 8 | p[5];
	}
	CHECK_EQ(value[S_WINDOW], 12345);
	CHECK_EQ(value[S_FRAME], 20000);
	CHECK_EQ(value[S_LIST], 7777);
	CHECK_EQ(value[S_TABLE], 1000);
}

/* ---- 6.7 ---- */

BOTH(rfc9113_6_7_ping_is_answered_with_the_same_octets)
{
	wire_ping(w, 0, 0x0123456789abcdefu);
	const struct wire_frame *f = wire_sent(w, PING, 0, 0);
	REQUIRE(f);
	CHECK_EQ(f->flags, ACK);
	CHECK_MEM(w->out.p + f->at, f->len, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
	ALIVE(w);
}

BOTH(rfc9113_6_7_each_ping_is_answered_in_order)
{
	for (uint64_t i = 1; i <= 20; i++)
		wire_ping(w, 0, i);
	FRAMES(w, PING, 0, 20);
	for (size_t i = 0; i < 20; i++) {
		const struct wire_frame *f = wire_sent(w, PING, 0, i);
		REQUIRE(f);
		CHECK_EQ(wire_u32(w, f, 4), i + 1);
	}
}

BOTH(rfc9113_6_7_a_ping_ack_is_not_answered)
{
	wire_ping(w, ACK, 77);
	FRAMES(w, PING, 0, 0);
	IGNORED(w, 0);
}

BOTH(rfc9113_6_7_our_ping_is_sent_and_its_answer_is_an_event)
{
	wire_sync(w);
	h2_conn_ping(w->c, 0xabcdef);
	const struct wire_frame *f = wire_sent(w, PING, 0, 0);
	REQUIRE(f);
	CHECK_EQ(f->flags, 0);
	CHECK_EQ(wire_u32(w, f, 4), 0xabcdef);
	EVENTS(w, H2_EV_PING_ACK, 0, 0);
	wire_ping(w, ACK, 0xabcdef);
	const struct wire_event *e = wire_got(w, H2_EV_PING_ACK, 0, 0);
	REQUIRE(e);
	CHECK_EQ(e->e.opaque, 0xabcdef);
	ALIVE(w);
}

BOTH(rfc9113_6_7_ping_on_a_stream_is_protocol_error)
{
	uint32_t id = stream_open(w);
	FRAME(w, PING, 0, id, "12345678");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_7_ping_shorter_than_8_octets_is_frame_size_error)
{
	FRAME(w, PING, 0, 0, "1234567");
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_6_7_ping_longer_than_8_octets_is_frame_size_error)
{
	FRAME(w, PING, 0, 0, "123456789");
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_6_7_a_ping_ack_of_wrong_length_is_frame_size_error)
{
	FRAME(w, PING, ACK, 0, "");
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_6_7_ping_is_answered_before_data_that_waits)
{
	uint32_t id = answering(w);
	wire_setting(w, S_WINDOW, 0);
	app_data(w, id, 5000, true);
	wire_ping(w, 0, 1);
	FRAMES(w, PING, 0, 1);
	FRAMES(w, DATA, id, 0);
}

/* ---- 6.8 ---- */

BOTH(rfc9113_6_8_goaway_on_a_stream_is_protocol_error)
{
	uint32_t id = stream_open(w);
	FRAME(w, GOAWAY_F, 0, id, "\0\0\0\0\0\0\0\0");
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_6_8_goaway_shorter_than_8_octets_is_frame_size_error)
{
	FRAME(w, GOAWAY_F, 0, 0, "\0\0\0\0\0\0\0");
	GOAWAY(w, H2_FRAME_SIZE_ERROR);
}

BOTH(rfc9113_6_8_goaway_is_an_event_with_its_fields)
{
	wire_goaway(w, 0x7fffffff, H2_ENHANCE_YOUR_CALM, "too many pings");
	const struct wire_event *e = wire_got(w, H2_EV_GOAWAY, 0, 0);
	REQUIRE(e);
	CHECK_EQ(e->e.last_id, 0x7fffffff);
	CHECK_EQ(e->e.code, H2_ENHANCE_YOUR_CALM);
	CHECK_STR(e->text, "too many pings");
	CHECK_EQ(e->e.debug_len, 14);
}

BOTH(rfc9113_7_an_unknown_error_code_of_goaway_is_kept)
{
	wire_goaway(w, 0, 0xdeadbeef, "");
	const struct wire_event *e = wire_got(w, H2_EV_GOAWAY, 0, 0);
	REQUIRE(e);
	CHECK_EQ(e->e.code, 0xdeadbeef);
	CHECK_EQ(w->books.goaways_in[H2_CODE_COUNT], 1);
}

BOTH(rfc9113_6_8_the_reserved_bit_of_last_stream_id_is_ignored)
{
	wire_goaway(w, 0x80000005u, H2_NO_ERROR, "");
	const struct wire_event *e = wire_got(w, H2_EV_GOAWAY, 0, 0);
	REQUIRE(e);
	CHECK_EQ(e->e.last_id, 5);
}

CLIENT(rfc9113_6_8_streams_above_last_id_are_reset_as_unprocessed)
{
	uint32_t a = app_open(w, POST_REQ, false), b = app_open(w, POST_REQ, false);
	uint32_t c = app_open(w, GET_REQ, true);
	wire_goaway(w, a, H2_NO_ERROR, "");
	EVENTS(w, H2_EV_RESET, a, 0);
	for (int i = 0; i < 2; i++) {
		const struct wire_event *e = wire_got(w, H2_EV_RESET, i ? c : b, 0);
		REQUIRE(e);
		CHECK(e->e.unprocessed);
		EVENTS(w, H2_EV_RESET, i ? c : b, 1);
	}
	wire_headers(w, a, ES, OK_RESP);
	MESSAGE(w, a, EVENT_HEAD, OK_RESP, true);
	CHECK(!h2_conn_is_dead(w->c));
}

CLIENT(rfc9113_6_8_streams_up_to_last_id_go_on_after_goaway)
{
	uint32_t id = app_open(w, POST_REQ, false);
	wire_goaway(w, id, H2_NO_ERROR, "");
	app_data(w, id, 1000, true);
	CHECK_EQ(wire_sent_data(w, id), 1000);
	wire_head(w, id, 0);
	FRAME(w, DATA, ES, id, "hello");
	CHECK_EQ(wire_got_data(w, id), 5);
	EVENTS(w, H2_EV_CLOSED, id, 1);
}

CLIENT(rfc9113_6_8_no_stream_is_opened_after_goaway)
{
	wire_goaway(w, 0x7fffffff, H2_NO_ERROR, "");
	wire_sync(w);
	CHECK_EQ(h2_conn_open_slots(w->c), 0);
	CHECK_EQ(app_open(w, GET_REQ, true), 0);
}

CLIENT(rfc9113_6_8_a_second_goaway_with_a_lower_id_resets_more)
{
	uint32_t a = app_open(w, POST_REQ, false), b = app_open(w, POST_REQ, false);
	wire_goaway(w, 0x7fffffff, H2_NO_ERROR, "");
	EVENTS(w, H2_EV_RESET, b, 0);
	wire_goaway(w, a, H2_NO_ERROR, "");
	EVENTS(w, H2_EV_RESET, b, 1);
	EVENTS(w, H2_EV_RESET, a, 0);
	EVENTS(w, H2_EV_GOAWAY, 0, 2);
}

BOTH(rfc9113_6_8_a_goaway_with_a_higher_id_than_before_is_protocol_error)
{
	wire_goaway(w, 1, H2_NO_ERROR, "");
	wire_goaway(w, 3, H2_NO_ERROR, "");
	GOAWAY(w, H2_PROTOCOL_ERROR);
	EVENTS(w, H2_EV_GOAWAY, 0, 1);
}

CLIENT(rfc9113_6_8_frames_for_streams_above_last_id_are_ignored)
{
	app_open(w, POST_REQ, false);
	uint32_t b = app_open(w, POST_REQ, false);
	wire_goaway(w, 1, H2_NO_ERROR, "");
	wire_headers(w, b, ES, OK_RESP);
	wire_ping(w, 0, 1);
	FRAMES(w, PING, 0, 1);
	CHECK(!wire_got_message(w, EVENT_HEAD, b, 0));
	CHECK(!h2_conn_is_dead(w->c));
}

SERVER(rfc9113_6_8_requests_still_come_after_a_clients_goaway)
{
	wire_goaway(w, 0, H2_NO_ERROR, "");
	uint32_t id = stream_peer_ended(w);
	MESSAGE(w, id, EVENT_HEAD, POST_REQ, true);
	app_head(w, id, OK_RESP, true);
	EVENTS(w, H2_EV_CLOSED, id, 1);
}

SERVER(rfc9113_6_8_our_drain_has_two_phases)
{
	uint32_t before = stream_open(w);
	wire_sync(w);
	h2_conn_drain(w->c, "going");
	const struct wire_frame *f = wire_sent(w, GOAWAY_F, 0, 0), *p = wire_sent(w, PING, 0, 0);
	REQUIRE(f && p);
	CHECK_EQ(wire_u32(w, f, 0), 0x7fffffff);
	CHECK_EQ(wire_u32(w, f, 4), H2_NO_ERROR);
	CHECK_MEM(w->out.p + f->at + 8, f->len - 8, "going", 5);
	CHECK_EQ(p->flags, 0);
	uint64_t opaque = (uint64_t)wire_u32(w, p, 0) << 32 | wire_u32(w, p, 4);
	uint32_t during = stream_open(w); /* in flight when the GOAWAY went out */
	CHECK(wire_got_message(w, EVENT_HEAD, during, 0));
	EVENTS(w, H2_EV_DRAINED, 0, 0);
	wire_ping(w, ACK, opaque);
	const struct wire_event *e = wire_got(w, H2_EV_DRAINED, 0, 0);
	REQUIRE(e);
	CHECK_EQ(e->e.last_id, during);
	f = wire_sent(w, GOAWAY_F, 0, 1);
	REQUIRE(f);
	CHECK_EQ(wire_u32(w, f, 0), during);
	CHECK_EQ(wire_u32(w, f, 4), H2_NO_ERROR);
	EVENTS(w, H2_EV_PING_ACK, 0, 0); /* the drain's own PING is not the owner's */
	app_head(w, before, OK_RESP, true);
	app_head(w, during, OK_RESP, true);
	CHECK(wire_sent_end(w, before) && wire_sent_end(w, during));
	CHECK(!h2_conn_is_dead(w->c));
}

SERVER(rfc9113_6_8_streams_after_our_last_goaway_are_ignored)
{
	uint32_t before = stream_open(w);
	wire_sync(w);
	h2_conn_drain(w->c, "");
	h2_conn_drain_now(w->c);
	wire_sync(w);
	EVENTS(w, H2_EV_DRAINED, 0, 1);
	uint32_t late = stream_open(w);
	CHECK(!wire_got_message(w, EVENT_HEAD, late, 0));
	const struct wire_frame *f = wire_sent(w, RST_STREAM, late, 0);
	if (f) /* more than the RFC asks for, and it may be sent again elsewhere */
		CHECK_EQ(wire_u32(w, f, 0), H2_REFUSED_STREAM);
	FRAME(w, DATA, ES, late, "hello");
	wire_ping(w, 0, 1);
	CHECK(wire_sent(w, PING, 0, 0));
	CHECK(!h2_conn_is_dead(w->c));
	app_head(w, before, OK_RESP, true);
	CHECK(wire_sent_end(w, before));
}

SERVER(rfc9113_6_8_last_id_never_rises)
{
	stream_open(w);
	wire_sync(w);
	h2_conn_drain(w->c, "");
	h2_conn_drain_now(w->c);
	h2_conn_drain_now(w->c);
	h2_conn_drain(w->c, "");
	wire_sync(w);
	uint32_t last = UINT32_MAX;
	const struct wire_frame *f;
	for (size_t i = 0; (f = wire_sent(w, GOAWAY_F, 0, i)); i++) {
		CHECK(wire_u32(w, f, 0) <= last);
		last = wire_u32(w, f, 0);
	}
	EVENTS(w, H2_EV_DRAINED, 0, 1);
}

CLIENT(rfc9113_6_8_our_clients_drain_is_one_goaway)
{
	uint32_t id = app_open(w, GET_REQ, true);
	h2_conn_drain(w->c, "bye");
	FRAMES(w, GOAWAY_F, 0, 1);
	CHECK_EQ(app_open(w, GET_REQ, true), 0);
	wire_headers(w, id, ES, OK_RESP);
	MESSAGE(w, id, EVENT_HEAD, OK_RESP, true);
	CHECK(!h2_conn_is_dead(w->c));
}

TAP_MAIN()
