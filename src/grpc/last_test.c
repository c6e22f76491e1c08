#include "grpc/last.h"
#include "base/rand.h"
#include "grpc/last_naive.h"
#include "tap.h"

/* Of these bytes in pieces of `step`; 0: in one. */
static int status_in_steps(enum grpc_wire wire, const void *bytes, size_t len, size_t step)
{
	struct grpc_last l;
	grpc_last_init(&l, wire);
	for (size_t at = 0, n; at < len; at += n) {
		n = step && step < len - at ? step : len - at;
		grpc_last_take(&l, (const uint8_t *)bytes + at, n);
	}
	return grpc_last_status(&l);
}

/* The same however it is cut, byte by byte too. */
static int status_of(enum grpc_wire wire, const void *bytes, size_t len)
{
	int whole = status_in_steps(wire, bytes, len, 0);
	for (size_t step = 1; step <= len; step++)
		CHECK_EQ(status_in_steps(wire, bytes, len, step), whole);
	int judge = naive_last(wire, bytes, len);
	CHECK(judge == NAIVE_NO_OPINION || judge == whole);
	return whole;
}

/* An envelope with this text behind "\0\0\0\0\3abc", which is a message. */
static int status_behind_a_message(enum grpc_wire wire, uint8_t flag, const char *text)
{
	uint8_t bytes[1024] = "\0\0\0\0\3abc";
	size_t len = strlen(text);
	bytes[8] = flag;
	bytes[11] = (uint8_t)(len >> 8);
	bytes[12] = (uint8_t)len;
	memcpy(bytes + 13, text, len);
	return status_of(wire, bytes, 13 + len);
}

TEST(trailers_of_gRPC_Web_have_the_status_among_their_lines)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{"grpc-status:0\r\n", 0},
		{"grpc-status: 5\r\ngrpc-message: not there\r\n", 5},
		{"x-a: b\r\nGRPC-Status:16\r\n", 16},
		{"grpc-message: grpc-status:3\r\ngrpc-status:\t7", 7},
		{"grpc-status:14\ngrpc-status:3\n", 14},
		{"grpc-statu: 1\r\nxgrpc-status: 2\r\n", GRPC_LAST_UNREAD},
		{"grpc-status:17\r\n", GRPC_LAST_UNREAD},
		{"grpc-status:160\r\n", GRPC_LAST_UNREAD},
		{"grpc-status:\r\n", GRPC_LAST_UNREAD},
		{"grpc-status 5\r\n", GRPC_LAST_UNREAD},
		{"", GRPC_LAST_UNREAD},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CHECK_EQ(
			status_behind_a_message(GRPC_WIRE_WEB, 0x80, rows[i].text), rows[i].status);
	CHECK_EQ(status_behind_a_message(GRPC_WIRE_WEB, 0x81, rows[0].text), GRPC_LAST_UNREAD);
	CHECK_EQ(status_behind_a_message(GRPC_WIRE_WEB, 0x00, rows[0].text), GRPC_LAST_ABSENT);
}

TEST(trailers_in_base64_are_read_too)
{
	/* "\0\0\0\0\1a", then "\x80\0\0\0\xf" "grpc-status:9\r\n", each with its own padding. */
	static const char text[] = "AAAAAAFhgAAAAA9ncnBjLXN0YXR1czo5DQo=";
	static const char chunks[] = "AAAAAAFh"
				     "gAAAAA8="
				     "Z3JwYy1zdGF0dXM6"
				     "OQ=="
				     "DQo=";
	CHECK_EQ(status_of(GRPC_WIRE_WEB_TEXT, text, strlen(text)), 9);
	CHECK_EQ(status_of(GRPC_WIRE_WEB_TEXT, chunks, strlen(chunks)), 9);
	CHECK_EQ(status_of(GRPC_WIRE_WEB_TEXT, text, strlen(text) - 5), GRPC_LAST_ABSENT);
}

TEST(a_connect_stream_says_in_JSON_how_it_ended)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{"{}", GRPC_OK},
		{"{\"metadata\": {\"code\": [\"not_found\"], \"error\": [\"x\"]}}", GRPC_OK},
		{"{\"error\": null}", GRPC_OK},
		{"{\"error\":{\"code\":\"canceled\"}}", GRPC_CANCELLED},
		{" { \"error\" : { \"code\" : \"unavailable\" , \"message\" : \"}{\\\"]\" } } ",
			GRPC_UNAVAILABLE},
		{"{\"metadata\":{\"a\":[\"b\"]},\"error\":{\"message\":\"m\",\"details\":[{"
		 "\"code\":"
		 "\"aborted\"},[]],\"code\":\"failed_precondition\"}}",
			GRPC_FAILED_PRECONDITION},
		{"{\"error\":{\"message\":\"code\"}}", GRPC_UNKNOWN},
		{"{\"error\":{\"code\":\"of_another_kind\"}}", GRPC_UNKNOWN},
		{"{\"error\":{\"code\":\"failed_precondition_and_more\"}}", GRPC_UNKNOWN},
		{"{\"error\":{\"code\":5}}", GRPC_UNKNOWN},
		{"{\"code\":\"aborted\"}", GRPC_OK},
		{"{\"errors\":{\"code\":\"aborted\"}}", GRPC_OK},
		{"{\"error\":{\"code\":\"aborted\"", GRPC_ABORTED}, /* as far as it goes */
		{"{\"error\":{\"cod", GRPC_LAST_UNREAD},
		{"[{\"error\":{\"code\":\"aborted\"}}]", GRPC_LAST_UNREAD},
		{"\"error\"", GRPC_LAST_UNREAD},
		{"}{}", GRPC_LAST_UNREAD},
		{"", GRPC_LAST_UNREAD},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CHECK_EQ(status_behind_a_message(GRPC_WIRE_CONNECT_STREAM, 2, rows[i].text),
			rows[i].status);
	CHECK_EQ(status_behind_a_message(GRPC_WIRE_CONNECT_STREAM, 3, "{}"), GRPC_LAST_UNREAD);
	CHECK_EQ(status_behind_a_message(GRPC_WIRE_CONNECT_STREAM, 0, "{}"), GRPC_LAST_ABSENT);
}

TEST(an_error_of_a_connect_call_has_its_code_outermost)
{
	static const char error[] = "{\"code\":\"permission_denied\",\"message\":\"no\"}";
	CHECK_EQ(status_of(GRPC_WIRE_CONNECT_UNARY, error, strlen(error)), GRPC_PERMISSION_DENIED);
	CHECK_EQ(status_of(GRPC_WIRE_CONNECT_UNARY, "{\"code\":\"odd\"}", 14), GRPC_LAST_UNREAD);
	CHECK_EQ(status_of(GRPC_WIRE_CONNECT_UNARY, "<html>", 6), GRPC_LAST_UNREAD);
	CHECK_EQ(status_of(GRPC_WIRE_CONNECT_UNARY, "", 0), GRPC_LAST_UNREAD);
}

TEST(every_code_of_connect_is_known)
{
	static const char *const codes[] = {"canceled", "unknown", "invalid_argument",
		"deadline_exceeded", "not_found", "already_exists", "permission_denied",
		"resource_exhausted", "failed_precondition", "aborted", "out_of_range",
		"unimplemented", "internal", "unavailable", "data_loss", "unauthenticated"};
	for (int i = 0; i < 16; i++) {
		char text[64];
		int len = snprintf(text, sizeof text, "{\"code\":\"%s\"}", codes[i]);
		CHECK_EQ(status_of(GRPC_WIRE_CONNECT_UNARY, text, (size_t)len), 1 + i);
	}
}

TEST(of_several_last_envelopes_the_last_counts_and_one_that_is_cut_off_does_not)
{
	static const char two[] = "\x80\0\0\0\xf"
				  "grpc-status:9\r\n"
				  "\x80\0\0\0\xf"
				  "grpc-status:3\r\n";
	CHECK_EQ(status_of(GRPC_WIRE_WEB, two, 40), 3);
	CHECK_EQ(status_of(GRPC_WIRE_WEB, two, 39), 9);
	CHECK_EQ(status_of(GRPC_WIRE_WEB, two, 19), GRPC_LAST_ABSENT);
}

TEST(what_stands_behind_the_first_bytes_of_an_envelope_is_not_looked_at)
{
	enum { LEN = 5 + GRPC_LAST_BYTES + 15 };
	static uint8_t bytes[LEN];
	memset(bytes, '\n', LEN);
	memcpy(bytes, "\x80\0\0", 3);
	bytes[3] = (LEN - 5) >> 8;
	bytes[4] = (LEN - 5) & 0xff;
	memcpy(bytes + LEN - 16, "\ngrpc-status:9\r\n", 16);
	CHECK_EQ(status_in_steps(GRPC_WIRE_WEB, bytes, LEN, 0), GRPC_LAST_UNREAD);
	CHECK_EQ(status_in_steps(GRPC_WIRE_WEB, bytes, LEN, 7), GRPC_LAST_UNREAD);
	memcpy(bytes + LEN - 40, "\ngrpc-status:9\r\n", 16);
	CHECK_EQ(status_in_steps(GRPC_WIRE_WEB, bytes, LEN, 0), 9);
}

static size_t put(char *to, const char *text)
{
	size_t len = strlen(text);
	memcpy(to, text, len);
	return len;
}

static size_t put_value(char *to, struct rand *r, unsigned deep);

static size_t put_object(char *to, struct rand *r, unsigned deep)
{
	static const char *const keys[] = {
		"\"error\":", "\"code\" : ", "\"x\":", "\"error_code\":"};
	size_t len = put(to, "{");
	for (uint64_t n = rand_below(r, 3); n > 0; n--) {
		len += put(to + len, keys[rand_below(r, 4)]);
		len += put_value(to + len, r, deep);
		len += put(to + len, n > 1 ? "," : "");
	}
	return len + put(to + len, "}");
}

static size_t put_value(char *to, struct rand *r, unsigned deep)
{
	static const char *const values[] = {"\"aborted\"", "\"code\"", "null", "[\"error\",{}]"};
	if (deep > 0 && rand_below(r, 2))
		return put_object(to, r, deep - 1);
	return put(to, values[rand_below(r, 4)]);
}

/* Valid texts, and texts with a byte changed, in random pieces. */
TEST(random_texts_have_the_status_that_a_parser_finds)
{
	unsigned opinions = 0;
	struct rand r;
	rand_seed(&r, tap_seed());
	for (int round = 0; round < 20000; round++) {
		bool unary = round % 2;
		enum grpc_wire wire = unary ? GRPC_WIRE_CONNECT_UNARY : GRPC_WIRE_CONNECT_STREAM;
		char bytes[1024] = "\2";
		size_t from = unary ? 0 : 5, len = from + put_object(bytes + from, &r, 3);
		if (!unary) {
			bytes[3] = (char)((len - from) >> 8);
			bytes[4] = (char)(len - from);
		}
		if (rand_below(&r, 3) == 0)
			bytes[from + rand_below(&r, len - from)] = "{}[]:,\" x"[rand_below(&r, 9)];
		int whole = status_in_steps(wire, bytes, len, 0);
		CHECK_EQ(status_in_steps(wire, bytes, len, 1 + rand_below(&r, 9)), whole);
		int judge = naive_last(wire, (const uint8_t *)bytes, len);
		CHECK(judge == NAIVE_NO_OPINION || judge == whole);
		opinions += judge != NAIVE_NO_OPINION;
	}
	CHECK(opinions > 5000);
}

TAP_MAIN()
