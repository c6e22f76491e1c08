#include "grpc/last.h"
#include <zlib.h>
#include "base/mem.h"
#include "base/rand.h"
#include "grpc/last_naive.h"
#include "tap.h"

/* Of these bytes in pieces of `step`; 0: in one. */
static int status_in_steps(enum grpc_wire wire, const void *bytes, size_t len, size_t step)
{
	struct grpc_last l;
	grpc_last_init(&l, wire, false);
	for (size_t at = 0, n; at < len; at += n) {
		n = step && step < len - at ? step : len - at;
		grpc_last_take(&l, (const uint8_t *)bytes + at, n);
	}
	grpc_last_finish(&l);
	int status = grpc_last_status(&l);
	grpc_last_fini(&l);
	return status;
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

/* As gzip; the length. */
static size_t pack(uint8_t *to, size_t cap, const void *bytes, size_t len)
{
	z_stream z = {.next_in = (void *)bytes,
		.avail_in = (unsigned)len,
		.next_out = to,
		.avail_out = (unsigned)cap};
	CHECK_EQ(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
	CHECK_EQ(deflateEnd(&z), Z_OK);
	return cap - z.avail_out;
}

/* An envelope around `text` packed; the length. */
static size_t packed_envelope(uint8_t *to, size_t cap, uint8_t flag, const char *text, size_t len)
{
	size_t n = pack(to + 5, cap - 5, text, len);
	const uint8_t prefix[] = {flag, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
	memcpy(to, prefix, 5);
	return n + 5;
}

TEST(a_compressed_last_envelope_is_read_as_if_it_were_not)
{
	static const struct {
		enum grpc_wire wire;
		uint8_t flag;
		const char *text;
		int status;
	} rows[] = {
		{GRPC_WIRE_WEB, 0x81, "grpc-status: 5\r\ngrpc-message: not there\r\n", 5},
		{GRPC_WIRE_WEB, 0x81, "x: y\r\n", GRPC_LAST_UNREAD},
		{GRPC_WIRE_CONNECT_STREAM, 3, "{}", GRPC_OK},
		{GRPC_WIRE_CONNECT_STREAM, 3, "{\"error\":{\"code\":\"aborted\"}}", GRPC_ABORTED},
		{GRPC_WIRE_CONNECT_STREAM, 3, "", GRPC_LAST_UNREAD},
	};
	uint8_t bytes[256];
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t n = packed_envelope(
			bytes, sizeof bytes, rows[i].flag, rows[i].text, strlen(rows[i].text));
		CHECK_EQ(status_of(rows[i].wire, bytes, n), rows[i].status);
		CHECK_EQ(status_of(rows[i].wire, bytes, n - 1), GRPC_LAST_ABSENT);
		bytes[5 + 12] ^= 0x55; /* and damaged */
		CHECK_EQ(status_of(rows[i].wire, bytes, n), GRPC_LAST_UNREAD);
	}
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_compressed_error_of_a_connect_call_is_read_when_it_is_whole)
{
	static const char text[] = "{\"code\":\"permission_denied\"}";
	uint8_t bytes[128];
	size_t n = pack(bytes, sizeof bytes, text, strlen(text));
	for (size_t step = 1; step <= n; step++) {
		struct grpc_last l;
		grpc_last_init(&l, GRPC_WIRE_CONNECT_UNARY, true);
		for (size_t at = 0; at < n; at += step) {
			CHECK_EQ(grpc_last_status(&l), GRPC_LAST_ABSENT);
			grpc_last_take(&l, bytes + at, n - at < step ? n - at : step);
		}
		grpc_last_finish(&l);
		CHECK_EQ(grpc_last_status(&l), GRPC_PERMISSION_DENIED);
		grpc_last_fini(&l);
	}
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(of_a_compressed_envelope_no_more_is_unpacked_than_is_looked_at)
{
	enum { LEN = 1 << 24 };
	static uint8_t bytes[1 << 16];
	char *text = malloc(LEN);
	memset(text, '\n', LEN);
	memcpy(text + GRPC_LAST_BYTES - 15, "grpc-status:9\r\n", 15);
	size_t n = packed_envelope(bytes, sizeof bytes, 0x81, text, LEN);
	CHECK_EQ(status_in_steps(GRPC_WIRE_WEB, bytes, n, 100), 9); /* a thousandfold */
	memset(text, '\n', GRPC_LAST_BYTES);
	memcpy(text + GRPC_LAST_BYTES - 14, "grpc-status:9\r\n", 15);
	n = packed_envelope(bytes, sizeof bytes, 0x81, text, LEN);
	CHECK_EQ(status_in_steps(GRPC_WIRE_WEB, bytes, n, 100), 9); /* without its line's end */
	memmove(text + GRPC_LAST_BYTES, "grpc-status:9\r\n", 15);
	memset(text, '\n', GRPC_LAST_BYTES);
	n = packed_envelope(bytes, sizeof bytes, 0x81, text, LEN);
	CHECK_EQ(status_in_steps(GRPC_WIRE_WEB, bytes, n, 100), GRPC_LAST_UNREAD);
	free(text);
}

TEST(of_a_compressed_envelope_no_more_is_kept_than_is_looked_at)
{
	enum { LEN = GRPC_LAST_BYTES + 2000 };
	static uint8_t bytes[LEN + 1000];
	static char text[LEN] = "grpc-status:9\r\n";
	struct rand r;
	rand_seed(&r, tap_seed());
	for (size_t i = 15; i < LEN; i++)
		text[i] = (char)rand_u64(&r); /* nothing to compress */
	size_t n = packed_envelope(bytes, sizeof bytes, 0x81, text, 15000);
	CHECK_EQ(status_in_steps(GRPC_WIRE_WEB, bytes, n, 1), 9);
	n = packed_envelope(bytes, sizeof bytes, 0x81, text, LEN);
	struct grpc_last l;
	grpc_last_init(&l, GRPC_WIRE_WEB, false);
	for (size_t at = 0; at < n; at++) {
		CHECK(l.kept.len <= GRPC_LAST_BYTES);
		grpc_last_take(&l, bytes + at, 1);
	}
	CHECK_EQ(mem_live_blocks(), 0);
	CHECK_EQ(grpc_last_status(&l), GRPC_LAST_UNREAD);
	grpc_last_take(&l, bytes, 1000); /* the next, which does not end */
	CHECK(mem_live_blocks() > 0);
	grpc_last_fini(&l);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(of_many_compressed_envelopes_only_the_first_are_unpacked)
{
	uint8_t bytes[(GRPC_LAST_UNPACK + 1) * 64] = {0};
	size_t n = 0;
	for (unsigned i = 0; i <= GRPC_LAST_UNPACK; i++) {
		CHECK_EQ(status_of(GRPC_WIRE_WEB, bytes, n), i ? 9 : GRPC_LAST_ABSENT);
		n += packed_envelope(bytes + n, sizeof bytes - n, 0x81, "grpc-status:9\r\n", 15);
	}
	CHECK_EQ(status_of(GRPC_WIRE_WEB, bytes, n), GRPC_LAST_UNREAD);
}

TEST(without_memory_a_compressed_envelope_has_no_status)
{
	uint8_t bytes[128];
	size_t n = packed_envelope(bytes, sizeof bytes, 3, "{}", 2);
	int status = GRPC_LAST_UNREAD;
	for (long nth = 1; status == GRPC_LAST_UNREAD; nth++) {
		REQUIRE(nth < 20);
		mem_fail_after(nth);
		status = status_in_steps(GRPC_WIRE_CONNECT_STREAM, bytes, n, 9);
		mem_fail_after(0);
		CHECK(status == GRPC_LAST_UNREAD || (nth > 2 && status == GRPC_OK));
		CHECK_EQ(mem_live_blocks(), 0);
	}
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
