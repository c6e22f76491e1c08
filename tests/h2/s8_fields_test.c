/* RFC 9113 sections 8.2 and 8.3: fields, pseudo-header fields, connection-specific fields, cookies.
 */
#include "wire.h"

/* A message whose block is `b`; stream id. */
static uint32_t send_block(struct wire *w, const struct block *b)
{
	uint32_t id = w->role == H2_SERVER ? w->next_id : app_open(w, GET_REQ, true);
	w->next_id = id + 2;
	wire_block(w, id, ES, b);
	return id;
}

static uint32_t send_text(struct wire *w, const char *text)
{
	static struct block b;
	b.len = 0;
	block_text(&b, text);
	return send_block(w, &b);
}

/* The role's good head with one field more. */
static uint32_t send_field(
	struct wire *w, const char *name, size_t name_len, const char *value, size_t value_len)
{
	static struct block b;
	b.len = 0;
	block_text(&b, w->role == H2_SERVER ? GET_REQ : OK_RESP);
	block_field(&b, name, name_len, value, value_len);
	return send_block(w, &b);
}
#define FIELD(w, name, value) send_field(w, name, sizeof(name) - 1, value, sizeof(value) - 1)

static void malformed(struct wire *w, uint32_t id, int *failures, int line)
{
	const char *m = wire_want_reset(w, id, H2_PROTOCOL_ERROR);
	if (!m && wire_got_message(w, EVENT_HEAD, id, 0))
		m = "a malformed message was passed on";
	if (m) {
		(*failures)++;
		printf("# line %d: %s\n", line, m);
	}
}
#define MALFORMED(w, id) malformed(w, id, &tap_failures, __LINE__)

/* ---- 8.2.1 field validity ---- */

BOTH(rfc9113_8_2_an_upper_case_field_name_is_malformed)
{
	MALFORMED(w, FIELD(w, "X-Test", "1"));
	MALFORMED(w, FIELD(w, "x-tesT", "1"));
}

BOTH(rfc9113_8_2_1_control_characters_and_spaces_in_a_name_are_malformed)
{
	for (int c = 0; c <= 0x20; c++) {
		char name[3] = {'a', (char)c, 'b'};
		MALFORMED(w, send_field(w, name, 3, "1", 1));
	}
}

BOTH(rfc9113_8_2_1_octets_from_0x7f_in_a_name_are_malformed)
{
	for (int c = 0x7f; c <= 0xff; c += 4) {
		char name[3] = {'a', (char)c, 'b'};
		MALFORMED(w, send_field(w, name, 3, "1", 1));
	}
}

BOTH(rfc9113_8_2_1_a_colon_inside_a_name_is_malformed)
{
	MALFORMED(w, FIELD(w, "a:b", "1"));
}

BOTH(rfc9113_8_2_1_an_empty_name_is_malformed)
{
	MALFORMED(w, FIELD(w, "", "1"));
}

BOTH(rfc9113_8_2_1_nul_cr_and_lf_in_a_value_are_malformed)
{
	MALFORMED(w, FIELD(w, "a", "x\0y"));
	MALFORMED(w, FIELD(w, "a", "x\ry"));
	MALFORMED(w, FIELD(w, "a", "x\ny"));
	MALFORMED(w, FIELD(w, "a", "\r\nevil: 1"));
}

BOTH(rfc9113_8_2_1_a_value_with_white_space_at_its_ends_is_malformed)
{
	MALFORMED(w, FIELD(w, "a", " x"));
	MALFORMED(w, FIELD(w, "a", "x "));
	MALFORMED(w, FIELD(w, "a", "\tx"));
	MALFORMED(w, FIELD(w, "a", "x\t"));
}

BOTH(rfc9113_8_2_1_an_empty_value_is_accepted)
{
	uint32_t id = FIELD(w, "a", "");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(wire_has_field(e->text, "a "));
	IGNORED(w, id);
}

BOTH(rfc9113_8_2_1_octets_above_0x7f_in_a_value_are_passed_on)
{
	uint32_t id = FIELD(w, "a",
		"x\x80\xff"
		"y");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(wire_has_field(e->text, "a x\x80\xff"
				      "y"));
	IGNORED(w, id);
}

BOTH(rfc9110_5_6_2_every_token_character_may_be_in_a_name)
{
	uint32_t id = FIELD(w, "!#$%&'*+-.^_`~09az", "1");
	CHECK(wire_got_message(w, EVENT_HEAD, id, 0));
	IGNORED(w, id);
}

BOTH(rfc9113_8_2_1_trailers_are_judged_like_heads)
{
	uint32_t id = stream_in_body(w);
	wire_headers(w, id, ES, "X-Upper 1");
	RESET(w, id, H2_PROTOCOL_ERROR);
	CHECK(!wire_got_message(w, EVENT_TRAILERS, id, 0));
}

/* ---- 8.2.2 connection-specific fields ---- */

BOTH(rfc9113_8_2_2_connection_is_malformed)
{
	MALFORMED(w, FIELD(w, "connection", "keep-alive"));
}

BOTH(rfc9113_8_2_2_keep_alive_is_malformed)
{
	MALFORMED(w, FIELD(w, "keep-alive", "timeout=5"));
}

BOTH(rfc9113_8_2_2_proxy_connection_is_malformed)
{
	MALFORMED(w, FIELD(w, "proxy-connection", "keep-alive"));
}

BOTH(rfc9113_8_2_2_transfer_encoding_is_malformed)
{
	MALFORMED(w, FIELD(w, "transfer-encoding", "chunked"));
}

BOTH(rfc9113_8_2_2_upgrade_is_malformed)
{
	MALFORMED(w, FIELD(w, "upgrade", "h2c"));
}

SERVER(rfc9113_8_2_2_te_other_than_trailers_is_malformed)
{
	MALFORMED(w, FIELD(w, "te", "gzip"));
	MALFORMED(w, FIELD(w, "te", "trailers, deflate;q=0.5"));
	MALFORMED(w, FIELD(w, "te", ""));
}

SERVER(rfc9113_8_2_2_te_trailers_is_accepted)
{
	uint32_t id = FIELD(w, "te", "trailers");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(wire_has_field(e->text, "te trailers"));
	IGNORED(w, id);
}

BOTH(rfc9113_8_2_2_connection_specific_trailers_are_malformed)
{
	uint32_t id = stream_in_body(w);
	wire_headers(w, id, ES, "connection close");
	RESET(w, id, H2_PROTOCOL_ERROR);
}

/* ---- 8.2.3 cookies ---- */

SERVER(rfc9113_8_2_3_cookie_crumbs_are_joined)
{
	uint32_t id = send_text(w, GET_REQ "|cookie a=1|cookie b=2|x-other 1|cookie c=3");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(wire_has_field(e->text, "cookie a=1; b=2; c=3"));
	CHECK(wire_has_field(e->text, "x-other 1"));
	IGNORED(w, id);
}

/* ---- 8.3 pseudo-header fields ---- */

BOTH(rfc9113_8_3_an_unknown_pseudo_header_is_malformed)
{
	MALFORMED(w, send_text(w, w->role == H2_SERVER ? GET_REQ "|:test 1" : OK_RESP "|:test 1"));
}

SERVER(rfc9113_8_3_a_response_pseudo_header_in_a_request_is_malformed)
{
	MALFORMED(w, send_text(w, GET_REQ "|:status 200"));
}

CLIENT(rfc9113_8_3_a_request_pseudo_header_in_a_response_is_malformed)
{
	MALFORMED(w, send_text(w, OK_RESP "|:method GET"));
	MALFORMED(w, send_text(w, OK_RESP "|:path /"));
	MALFORMED(w, send_text(w, OK_RESP "|:scheme http"));
	MALFORMED(w, send_text(w, OK_RESP "|:authority a"));
}

BOTH(rfc9113_8_3_a_pseudo_header_behind_a_field_is_malformed)
{
	if (w->role == H2_SERVER) {
		MALFORMED(w, send_text(w, "x-a 1|" GET_REQ));
		MALFORMED(w, send_text(w, ":method GET|:scheme http|x-a 1|:path /|:authority a"));
	} else {
		MALFORMED(w, send_text(w, "x-a 1|" OK_RESP));
	}
}

BOTH(rfc9113_8_3_a_pseudo_header_in_trailers_is_malformed)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, DATA, 0, id, "hello");
	wire_headers(w, id, ES, w->role == H2_SERVER ? ":method GET" : ":status 200");
	RESET(w, id, H2_PROTOCOL_ERROR);
	CHECK(!wire_got_message(w, EVENT_TRAILERS, id, 0));
}

BOTH(rfc9113_8_3_the_order_of_pseudo_headers_is_free)
{
	const char *text = w->role == H2_SERVER
				   ? ":path /x|:authority a|:scheme http|:method GET|x 1"
				   : ":status 204|x 1";
	uint32_t id = send_text(w, text);
	CHECK(wire_got_message(w, EVENT_HEAD, id, 0));
	IGNORED(w, id);
}

/* ---- 8.3.1 requests ---- */

SERVER(rfc9113_8_3_1_a_request_without_method_is_malformed)
{
	MALFORMED(w, send_text(w, ":scheme http|:path /|:authority a"));
}

SERVER(rfc9113_8_3_1_a_request_without_scheme_is_malformed)
{
	MALFORMED(w, send_text(w, ":method GET|:path /|:authority a"));
}

SERVER(rfc9113_8_3_1_a_request_without_path_is_malformed)
{
	MALFORMED(w, send_text(w, ":method GET|:scheme http|:authority a"));
}

SERVER(rfc9113_8_3_1_an_empty_path_is_malformed)
{
	MALFORMED(w, send_text(w, ":method GET|:scheme http|:path |:authority a"));
}

SERVER(rfc9113_8_3_1_a_path_that_does_not_start_with_a_slash_is_malformed)
{
	MALFORMED(w, send_text(w, ":method GET|:scheme http|:path x|:authority a"));
	MALFORMED(w, send_text(w, ":method GET|:scheme http|:path *|:authority a"));
}

SERVER(rfc9113_8_3_1_options_may_ask_for_the_asterisk)
{
	uint32_t id = send_text(w, ":method OPTIONS|:scheme http|:path *|:authority a");
	CHECK(wire_got_message(w, EVENT_HEAD, id, 0));
	IGNORED(w, id);
}

SERVER(rfc9113_8_3_1_an_empty_method_is_malformed)
{
	MALFORMED(w, send_text(w, ":method |:scheme http|:path /|:authority a"));
}

SERVER(rfc9113_8_3_1_a_method_that_is_no_token_is_malformed)
{
	MALFORMED(w, send_text(w, ":method G\x01T|:scheme http|:path /|:authority a"));
	MALFORMED(w, send_text(w, ":method GET /x|:scheme http|:path /|:authority a"));
}

SERVER(rfc9113_8_3_1_a_second_method_is_malformed)
{
	MALFORMED(w, send_text(w, GET_REQ "|:method POST"));
}

SERVER(rfc9113_8_3_1_a_second_scheme_is_malformed)
{
	MALFORMED(w, send_text(w, GET_REQ "|:scheme https"));
}

SERVER(rfc9113_8_3_1_a_second_path_is_malformed)
{
	MALFORMED(w, send_text(w, GET_REQ "|:path /b"));
}

SERVER(rfc9113_8_3_1_a_second_authority_is_malformed)
{
	MALFORMED(w, send_text(w, GET_REQ "|:authority b"));
}

SERVER(rfc9113_8_3_1_a_request_may_name_its_host_by_field_only)
{
	uint32_t id = send_text(w, ":method GET|:scheme http|:path /|host weir.test");
	CHECK(wire_got_message(w, EVENT_HEAD, id, 0));
	IGNORED(w, id);
}

SERVER(rfc9113_8_3_1_a_host_that_differs_from_authority_is_malformed)
{
	MALFORMED(w, send_text(w, GET_REQ "|host other.test"));
}

SERVER(rfc9113_8_3_1_a_host_equal_to_authority_is_accepted)
{
	uint32_t id = send_text(w, GET_REQ "|host weir.test");
	CHECK(wire_got_message(w, EVENT_HEAD, id, 0));
	IGNORED(w, id);
}

SERVER(rfc9113_8_3_1_userinfo_in_authority_is_malformed)
{
	MALFORMED(w, send_text(w, ":method GET|:scheme http|:path /|:authority me@weir.test"));
}

/* ---- 8.3.2 responses ---- */

CLIENT(rfc9113_8_3_2_a_response_without_status_is_malformed)
{
	MALFORMED(w, send_text(w, "x-a 1"));
	MALFORMED(w, send_text(w, ""));
}

CLIENT(rfc9113_8_3_2_a_second_status_is_malformed)
{
	MALFORMED(w, send_text(w, ":status 200|:status 200"));
}

CLIENT(rfc9113_8_3_2_a_status_that_is_no_code_is_malformed)
{
	static const char *const bad[] = {":status ", ":status 20", ":status 2000", ":status abc",
		":status 2x0", ":status -20", ":status 099", ":status 000"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		MALFORMED(w, send_text(w, bad[i]));
}

CLIENT(rfc9113_8_3_2_every_final_status_is_passed_on)
{
	static const char *const good[] = {":status 200", ":status 204", ":status 299",
		":status 404", ":status 503", ":status 599"};
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		uint32_t id = send_text(w, good[i]);
		MESSAGE(w, id, EVENT_HEAD, good[i], true);
	}
	ALIVE(w);
}

/* ---- limits ---- */

RAW_BOTH(rfc9113_6_5_2_a_header_list_above_our_limit_is_oversized_not_fatal)
{
	struct h2_options o = h2_options_default(w->role);
	char big[4000];
	o.header_list_bytes = 2000;
	wire_begin(w, &o);
	memset(big, 'v', sizeof(big));
	uint32_t id = send_field(w, "x-big", 5, big, sizeof(big));
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(e->e.oversized);
	CHECK(!wire_has_field(e->text, "x-big"));
	if (w->role == H2_SERVER) {
		app_head(w, id, ":status 431", true);
		CHECK(wire_sent_end(w, id));
	}
	ALIVE(w);
}

RAW_BOTH(rfc9113_6_5_2_a_header_list_within_our_limit_is_not_oversized)
{
	struct h2_options o = h2_options_default(w->role);
	char big[1500];
	o.header_list_bytes = 2000;
	wire_begin(w, &o);
	memset(big, 'v', sizeof(big));
	uint32_t id = send_field(w, "x-big", 5, big, sizeof(big));
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(!e->e.oversized);
	ALIVE(w);
}

BOTH(rfc7541_6_2_3_never_indexed_fields_leave_as_never_indexed)
{
	/* Our own secrets: the literal must not enter the peer's table, so the same field again is
	 * as long as the first time. */
	size_t len[2];
	for (int i = 0; i < 2; i++) {
		uint32_t id;
		if (w->role == H2_SERVER) {
			id = stream_peer_ended(w);
			app_head(w, id, OK_RESP "|set-cookie sid=0123456789abcdef", true);
		} else {
			id = app_open(w, GET_REQ "|authorization Bearer 0123456789abcdef", true);
		}
		const struct wire_frame *f = wire_sent(w, HEADERS, id, 0);
		REQUIRE(f);
		len[i] = f->len;
	}
	CHECK(len[1] > 12); /* an index would be 1 or 2 octets */
	ALIVE(w);
}

TAP_MAIN()
