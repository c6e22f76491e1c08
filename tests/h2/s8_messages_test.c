/* RFC 9113 section 8.1: message framing, malformed messages, content-length. */
#include "wire.h"

/* ---- 8.1 framing ---- */

BOTH(rfc9113_8_1_head_data_and_trailers_are_one_message)
{
	uint32_t id = stream_open(w);
	if (w->role == H2_CLIENT)
		wire_head(w, id, 0);
	FRAME(w, DATA, 0, id, "hello");
	wire_headers(w, id, ES, "grpc-status 0|grpc-message fine");
	MESSAGE(w, id, EVENT_HEAD, w->role == H2_SERVER ? POST_REQ : OK_RESP, false);
	CHECK_EQ(wire_got_data(w, id), 5);
	MESSAGE(w, id, EVENT_TRAILERS, "grpc-status 0|grpc-message fine", true);
	IGNORED(w, id);
}

BOTH(rfc9113_8_1_trailers_may_follow_the_head_at_once)
{
	uint32_t id = stream_in_body(w);
	wire_headers(w, id, ES, "grpc-status 5");
	MESSAGE(w, id, EVENT_TRAILERS, "grpc-status 5", true);
	IGNORED(w, id);
}

BOTH(rfc9113_8_1_trailers_without_end_stream_are_malformed)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, 0, id, "hello");
	wire_headers(w, id, 0, "grpc-status 0");
	RESET(w, id, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_8_1_a_second_head_without_end_stream_is_malformed)
{
	uint32_t id = stream_in_body(w);
	wire_head(w, id, 0);
	RESET(w, id, H2_PROTOCOL_ERROR);
}

CLIENT(rfc9113_8_1_data_before_the_response_head_is_malformed)
{
	uint32_t id = stream_we_ended(w);
	FRAME(w, DATA, 0, id, "hello");
	FAULT(w, id, H2_PROTOCOL_ERROR);
	CHECK_EQ(wire_got_data(w, id), 0);
}

CLIENT(rfc9113_8_1_interim_responses_come_before_the_final_one)
{
	uint32_t id = stream_we_ended(w);
	wire_headers(w, id, 0, ":status 100");
	wire_headers(w, id, 0, ":status 103|link </a.css>");
	wire_headers(w, id, 0, OK_RESP);
	FRAME(w, DATA, ES, id, "hello");
	const struct wire_event *e = wire_got_message(w, EVENT_INFO, id, 0);
	REQUIRE(e);
	CHECK_STR(e->text, ":status 100");
	e = wire_got_message(w, EVENT_INFO, id, 1);
	REQUIRE(e);
	CHECK_STR(e->text, ":status 103|link </a.css>");
	MESSAGE(w, id, EVENT_HEAD, OK_RESP, false);
	CHECK_EQ(wire_got_data(w, id), 5);
	IGNORED(w, id);
}

CLIENT(rfc9113_8_1_an_interim_response_that_ends_the_stream_is_malformed)
{
	uint32_t id = stream_open(w);
	wire_headers(w, id, ES, ":status 103");
	RESET(w, id, H2_PROTOCOL_ERROR);
}

CLIENT(rfc9113_8_1_data_behind_an_interim_response_is_malformed)
{
	uint32_t id = stream_we_ended(w);
	wire_headers(w, id, 0, ":status 100");
	FRAME(w, DATA, ES, id, "hello");
	FAULT(w, id, H2_PROTOCOL_ERROR);
}

CLIENT(rfc9113_8_6_status_101_is_malformed)
{
	uint32_t id = stream_open(w);
	wire_headers(w, id, 0, ":status 101");
	RESET(w, id, H2_PROTOCOL_ERROR);
}

SERVER(rfc9113_8_1_we_may_answer_before_the_request_ended)
{
	uint32_t id = stream_open(w);
	app_head(w, id, OK_RESP, false);
	app_data(w, id, 5, false);
	app_trailers(w, id, "grpc-status 3");
	CHECK(wire_sent_end(w, id));
	FRAME(w, DATA, ES, id, "late");
	CHECK_EQ(wire_got_data(w, id), 4);
	EVENTS(w, H2_EV_CLOSED, id, 1);
	IGNORED(w, id);
}

SERVER(rfc9113_8_1_a_complete_response_may_be_followed_by_rst_stream_no_error)
{
	wire_setting(w, S_WINDOW, 3);
	uint32_t id = stream_open(w);
	app_head(w, id, OK_RESP, false);
	app_data(w, id, 5, true);
	app_reset(w, id, H2_NO_ERROR);
	CHECK_EQ(wire_sent_data(w, id), 3);
	FRAMES(w, RST_STREAM, id, 0); /* waits for the rest of the response */
	wire_window(w, id, 10);
	CHECK_EQ(wire_sent_data(w, id), 5);
	CHECK(wire_sent_end(w, id));
	const struct wire_frame *f = wire_sent(w, RST_STREAM, id, 0);
	REQUIRE(f);
	CHECK_EQ(wire_u32(w, f, 0), H2_NO_ERROR);
	wire_mark(w);
	FRAME(w, DATA, ES, id, "the rest of the request");
	IGNORED(w, id);
}

CLIENT(rfc9113_8_1_a_response_is_kept_when_rst_stream_no_error_follows)
{
	uint32_t id = stream_open(w);
	wire_headers(w, id, ES, ":status 413");
	wire_rst(w, id, H2_NO_ERROR);
	MESSAGE(w, id, EVENT_HEAD, ":status 413", true);
	const struct wire_event *e = wire_got(w, H2_EV_RESET, id, 0);
	REQUIRE(e);
	CHECK(e->e.by_peer);
	CHECK_EQ(e->e.code, H2_NO_ERROR);
	IGNORED(w, id);
}

SERVER(rfc9113_8_1_our_interim_responses_precede_the_head)
{
	uint32_t id = stream_open(w);
	app_info(w, id, ":status 103|link </a.css>");
	app_head(w, id, OK_RESP, true);
	const struct wire_frame *f = wire_sent(w, HEADERS, id, 0);
	REQUIRE(f);
	CHECK_EQ(f->flags & ES, 0);
	CHECK_STR(f->fields, ":status 103|link </a.css>");
	f = wire_sent(w, HEADERS, id, 1);
	REQUIRE(f);
	CHECK_EQ(f->flags & ES, ES);
	CHECK_STR(f->fields, OK_RESP);
}

BOTH(rfc9113_8_1_our_trailers_end_the_stream)
{
	uint32_t id = stream_open(w);
	if (w->role == H2_SERVER)
		app_head(w, id, OK_RESP, false);
	app_data(w, id, 10, false);
	app_trailers(w, id, "grpc-status 0");
	const struct wire_frame *f = wire_sent(w, HEADERS, id, 1);
	REQUIRE(f);
	CHECK_EQ(f->flags & ES, ES);
	CHECK_STR(f->fields, "grpc-status 0");
	CHECK_EQ(wire_sent_data(w, id), 10);
}

/* ---- 8.1.1: content-length ---- */

static uint32_t with_length(struct wire *w, const char *length, int flags)
{
	char text[200];
	uint32_t id = w->role == H2_SERVER ? w->next_id : stream_we_ended(w);
	w->next_id = id + 2;
	snprintf(text, sizeof(text), "%s|content-length %s",
		w->role == H2_SERVER ? POST_REQ : OK_RESP, length);
	wire_headers(w, id, flags, text);
	return id;
}

BOTH(rfc9113_8_1_1_content_that_agrees_with_content_length_is_accepted)
{
	uint32_t id = with_length(w, "10", 0);
	FRAME(w, DATA, 0, id, "hello");
	FRAME(w, DATA, ES, id, "world");
	CHECK_EQ(wire_got_data(w, id), 10);
	IGNORED(w, id);
}

BOTH(rfc9113_8_1_1_less_content_than_content_length_is_malformed)
{
	uint32_t id = with_length(w, "10", 0);
	FRAME(w, DATA, ES, id, "hello");
	FRAMES(w, RST_STREAM, id, 1);
	RESET(w, id, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_8_1_1_more_content_than_content_length_is_malformed)
{
	uint32_t id = with_length(w, "3", 0);
	FRAME(w, DATA, 0, id, "hello");
	RESET(w, id, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_8_1_1_the_sum_of_data_frames_counts)
{
	uint32_t id = with_length(w, "6", 0);
	FRAME(w, DATA, 0, id, "hello");
	FRAME(w, DATA, ES, id, "wo");
	RESET(w, id, H2_PROTOCOL_ERROR);
}

BOTH(rfc9113_8_1_1_padding_is_no_content)
{
	uint32_t id = with_length(w, "5", 0);
	FRAME(w, DATA, PAD | ES, id, "\3hello\0\0\0");
	CHECK_EQ(wire_got_data(w, id), 5);
	IGNORED(w, id);
}

BOTH(rfc9113_8_1_1_trailers_before_enough_content_are_malformed)
{
	uint32_t id = with_length(w, "10", 0);
	FRAME(w, DATA, 0, id, "hello");
	wire_headers(w, id, ES, "grpc-status 0");
	RESET(w, id, H2_PROTOCOL_ERROR);
	CHECK(!wire_got_message(w, EVENT_TRAILERS, id, 0));
}

BOTH(rfc9113_8_1_1_a_head_that_ends_with_content_length_left_is_malformed)
{
	uint32_t id = with_length(w, "10", ES);
	if (w->role == H2_CLIENT) {
		/* The request was a GET: not HEAD, and the status is 200. */
		RESET(w, id, H2_PROTOCOL_ERROR);
	} else {
		RESET(w, id, H2_PROTOCOL_ERROR);
		CHECK(!wire_got_message(w, EVENT_HEAD, id, 0));
	}
}

BOTH(rfc9113_8_1_1_content_length_0_without_content_is_accepted)
{
	uint32_t id = with_length(w, "0", ES);
	CHECK(wire_got_message(w, EVENT_HEAD, id, 0));
	IGNORED(w, id);
}

BOTH(rfc9113_8_1_1_a_content_length_that_is_no_number_is_malformed)
{
	static const char *const bad[] = {
		"-1", "+1", "1a", "", "0x10", "1 ", "99999999999999999999", "1,2"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uint32_t id = with_length(w, bad[i], 0);
		RESET(w, id, H2_PROTOCOL_ERROR);
	}
}

BOTH(rfc9113_8_1_1_two_different_content_lengths_are_malformed)
{
	uint32_t id = w->role == H2_SERVER ? w->next_id : stream_we_ended(w);
	w->next_id = id + 2;
	wire_headers(w, id, 0,
		w->role == H2_SERVER ? POST_REQ "|content-length 5|content-length 6"
				     : OK_RESP "|content-length 5|content-length 6");
	RESET(w, id, H2_PROTOCOL_ERROR);
}

CLIENT(rfc9113_8_1_1_a_response_to_head_has_no_content_whatever_its_length)
{
	uint32_t id = app_open(w, ":method HEAD|:scheme http|:path /|:authority a", true);
	wire_headers(w, id, ES, OK_RESP "|content-length 1000");
	MESSAGE(w, id, EVENT_HEAD, OK_RESP "|content-length 1000", true);
	IGNORED(w, id);
}

CLIENT(rfc9113_8_1_1_a_304_has_no_content_whatever_its_length)
{
	uint32_t id = stream_we_ended(w);
	wire_headers(w, id, ES, ":status 304|content-length 1000");
	MESSAGE(w, id, EVENT_HEAD, ":status 304|content-length 1000", true);
	IGNORED(w, id);
}

/* ---- 8.4: push is refused whole; see s6_data_test.c ---- */

/* ---- 8.5 CONNECT ---- */

SERVER(rfc9113_8_5_connect_has_method_and_authority_only)
{
	wire_headers(w, 1, 0, ":method CONNECT|:authority weir.test:443");
	w->next_id = 3;
	MESSAGE(w, 1, EVENT_HEAD, ":method CONNECT|:authority weir.test:443", false);
	FRAME(w, DATA, 0, 1, "opaque");
	CHECK_EQ(wire_got_data(w, 1), 6);
	IGNORED(w, 1);
}

SERVER(rfc9113_8_5_connect_with_scheme_and_path_is_malformed)
{
	wire_headers(w, 1, 0, ":method CONNECT|:scheme http|:path /|:authority weir.test:443");
	w->next_id = 3;
	RESET(w, 1, H2_PROTOCOL_ERROR);
}

SERVER(rfc9113_8_5_connect_without_authority_is_malformed)
{
	wire_headers(w, 1, 0, ":method CONNECT");
	w->next_id = 3;
	RESET(w, 1, H2_PROTOCOL_ERROR);
}

#define WEBSOCKET                                                                                  \
	":method CONNECT|:protocol websocket|:scheme http|:path /chat|:authority weir.test"

SERVER(rfc8441_4_extended_connect_is_malformed_when_not_offered)
{
	wire_headers(w, 1, 0, WEBSOCKET);
	w->next_id = 3;
	RESET(w, 1, H2_PROTOCOL_ERROR);
}

RAW_SERVER(rfc8441_4_extended_connect_comes_through_when_offered)
{
	struct h2_options o = h2_options_default(w->role);
	o.extended_connect = true;
	wire_begin(w, &o);
	wire_headers(w, 1, 0, WEBSOCKET);
	w->next_id = 3;
	MESSAGE(w, 1, EVENT_HEAD, WEBSOCKET, false);
	app_head(w, 1, OK_RESP, false);
	FRAME(w, DATA, 0, 1, "frame");
	CHECK_EQ(wire_got_data(w, 1), 5);
	ALIVE(w);
}

RAW_SERVER(rfc8441_4_protocol_on_another_method_is_malformed)
{
	struct h2_options o = h2_options_default(w->role);
	o.extended_connect = true;
	wire_begin(w, &o);
	wire_headers(w, 1, ES, GET_REQ "|x 1");
	wire_headers(w, 3, ES, ":method GET|:protocol websocket|:scheme http|:path /|:authority a");
	w->next_id = 5;
	RESET(w, 3, H2_PROTOCOL_ERROR);
}

RAW_SERVER(rfc8441_4_extended_connect_without_path_is_malformed)
{
	struct h2_options o = h2_options_default(w->role);
	o.extended_connect = true;
	wire_begin(w, &o);
	wire_headers(w, 1, 0, ":method CONNECT|:protocol websocket|:scheme http|:authority a");
	w->next_id = 3;
	RESET(w, 1, H2_PROTOCOL_ERROR);
}

TAP_MAIN()
