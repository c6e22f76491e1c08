/* RFC 9113 section 3.4: the connection preface. */
#include "wire.h"

RAW_SERVER(rfc9113_3_4_server_preface_is_a_settings_frame_sent_first)
{
	wire_create(w, NULL);
	REQUIRE(w->frame_count > 0);
	CHECK_EQ(w->frames[0].type, SETTINGS);
	CHECK_EQ(w->frames[0].flags & ACK, 0);
	CHECK_EQ(w->frames[0].id, 0);
	wire_handshake(w, "", 0);
	ALIVE(w);
}

RAW_CLIENT(rfc9113_3_4_client_preface_is_the_magic_and_a_settings_frame)
{
	wire_create(w, NULL);
	REQUIRE(w->out.len > 24 && w->frame_count > 0);
	CHECK_MEM(w->out.p, 24, PREFACE, 24);
	CHECK_EQ(w->frames[0].type, SETTINGS);
	CHECK_EQ(w->frames[0].flags & ACK, 0);
	wire_handshake(w, "", 0);
	ALIVE(w);
}

RAW_SERVER(rfc9113_3_4_every_wrong_byte_of_the_magic_is_protocol_error)
{
	for (size_t i = 0; i < 24; i++) {
		uint8_t magic[24];
		memcpy(magic, PREFACE, 24);
		magic[i] ^= 0x20;
		wire_restart(w, NULL);
		wire_raw(w, magic, 24);
		FRAME(w, SETTINGS, 0, 0, "");
		GOAWAY(w, H2_PROTOCOL_ERROR);
		EVENTS(w, H2_EV_DEAD, 0, 1);
	}
}

RAW_SERVER(rfc9113_3_4_a_partial_magic_is_waited_for)
{
	wire_create(w, NULL);
	wire_raw(w, PREFACE, 23);
	wire_sync(w);
	CHECK(!h2_conn_is_dead(w->c));
	CHECK(!h2_conn_peer_settings_seen(w->c));
	wire_raw(w, &PREFACE[23], 1);
	FRAME(w, SETTINGS, 0, 0, "");
	wire_sync(w);
	CHECK(h2_conn_peer_settings_seen(w->c));
	ALIVE(w);
}

RAW_SERVER(rfc9113_3_4_an_http1_request_is_protocol_error)
{
	static const char req[] = "GET / HTTP/1.1\r\nHost: weir.test\r\n\r\n";
	wire_create(w, NULL);
	wire_raw(w, req, sizeof(req) - 1);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

RAW_SERVER(rfc9113_3_4_an_empty_settings_frame_completes_the_preface)
{
	wire_create(w, NULL);
	wire_raw(w, PREFACE, 24);
	FRAME(w, SETTINGS, 0, 0, "");
	ALIVE(w);
	EVENTS(w, H2_EV_SETTINGS, 0, 1);
}

static void first_frame(struct wire *w, int type, int flags, uint32_t id, const char *p, size_t len)
{
	wire_restart(w, NULL);
	if (w->role == H2_SERVER)
		wire_raw(w, PREFACE, 24);
	wire_frame(w, type, flags, id, p, len);
	FRAME(w, SETTINGS, 0, 0, "");
}

RAW_BOTH(rfc9113_3_4_ping_before_settings_is_protocol_error)
{
	first_frame(w, PING, 0, 0, "12345678", 8);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

RAW_BOTH(rfc9113_3_4_window_update_before_settings_is_protocol_error)
{
	first_frame(w, WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

RAW_BOTH(rfc9113_3_4_goaway_before_settings_is_protocol_error)
{
	first_frame(w, GOAWAY_F, 0, 0, "\0\0\0\0\0\0\0\0", 8);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

RAW_BOTH(rfc9113_3_4_an_unknown_frame_before_settings_is_protocol_error)
{
	first_frame(w, 0xbe, 0, 0, "x", 1);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

RAW_BOTH(rfc9113_3_4_a_settings_ack_is_no_preface)
{
	first_frame(w, SETTINGS, ACK, 0, "", 0);
	GOAWAY(w, H2_PROTOCOL_ERROR);
}

RAW_SERVER(rfc9113_3_4_headers_before_settings_is_protocol_error)
{
	wire_create(w, NULL);
	wire_raw(w, PREFACE, 24);
	wire_headers(w, 1, ES, GET_REQ);
	GOAWAY(w, H2_PROTOCOL_ERROR);
	CHECK(!wire_got_message(w, EVENT_HEAD, 1, 0));
}

RAW_CLIENT(rfc9113_3_4_a_response_before_settings_is_protocol_error)
{
	wire_create(w, NULL);
	uint32_t id = app_open(w, GET_REQ, true);
	wire_headers(w, id, ES, OK_RESP);
	GOAWAY(w, H2_PROTOCOL_ERROR);
	CHECK(!wire_got_message(w, EVENT_HEAD, id, 0));
}

RAW_CLIENT(rfc9113_3_4_http1_bytes_from_a_server_end_the_connection)
{
	static const char resp[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
	wire_create(w, NULL);
	wire_raw(w, resp, sizeof(resp) - 1);
	wire_sync(w);
	CHECK(h2_conn_is_dead(w->c));
	EVENTS(w, H2_EV_DEAD, 0, 1);
}

RAW_CLIENT(rfc9113_3_4_requests_may_leave_before_the_servers_preface)
{
	wire_create(w, NULL);
	CHECK(!h2_conn_peer_settings_seen(w->c));
	uint32_t id = app_open(w, POST_REQ, false);
	CHECK_EQ(id, 1);
	app_data(w, id, 1000, true);
	CHECK_EQ(wire_sent_data(w, id), 1000);
	FRAME(w, SETTINGS, 0, 0, "");
	wire_headers(w, id, ES, OK_RESP);
	MESSAGE(w, id, EVENT_HEAD, OK_RESP, true);
	ALIVE(w);
}

RAW_BOTH(rfc9113_3_4_the_peers_preface_settings_take_effect)
{
	wire_create(w, NULL);
	wire_handshake(w, "\0\4\0\0\0\5", 6);
	uint32_t id = stream_open(w);
	if (w->role == H2_SERVER)
		app_head(w, id, OK_RESP, false);
	app_data(w, id, 100, true);
	CHECK_EQ(wire_sent_data(w, id), 5);
}

RAW_SERVER(rfc9113_3_4_nothing_is_processed_after_a_failed_preface)
{
	wire_create(w, NULL);
	wire_raw(w, "PRI * HTTP/1.0\r\n\r\nSM\r\n\r\n", 24);
	FRAME(w, SETTINGS, 0, 0, "");
	wire_headers(w, 1, ES, GET_REQ);
	wire_sync(w);
	CHECK(h2_conn_is_dead(w->c));
	CHECK(!wire_got_message(w, EVENT_HEAD, 1, 0));
	EVENTS(w, H2_EV_SETTINGS, 0, 0);
}

TAP_MAIN()
