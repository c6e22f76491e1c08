#include "grpc/status.h"
#include <limits.h>
#include "base/err.h"
#include "base/rand.h"
#include "tap.h"

TEST(status_codes_have_the_names_of_the_specification)
{
	CHECK_STR(grpc_status_name(0), "OK");
	CHECK_STR(grpc_status_name(1), "CANCELLED");
	CHECK_STR(grpc_status_name(14), "UNAVAILABLE");
	CHECK_STR(grpc_status_name(16), "UNAUTHENTICATED");
	CHECK_STR(grpc_status_name(17), "UNKNOWN");
	CHECK_STR(grpc_status_name(UINT_MAX), "UNKNOWN");
	for (unsigned s = 0; s < GRPC_STATUS_COUNT; s++)
		for (unsigned t = 0; t < s; t++)
			CHECK(strcmp(grpc_status_name(s), grpc_status_name(t)));
}

TEST(grpc_status_is_a_decimal_number_up_to_16_and_nothing_else)
{
	for (int s = 0; s < 100; s++) {
		char text[4];
		int len = snprintf(text, sizeof text, "%d", s);
		CHECK_EQ(grpc_status_parse(text, (size_t)len), s <= 16 ? s : -1);
	}
	static const char *const bad[] = {
		"", "00", "01", "007", "-1", "+1", " 1", "1 ", "1a", "a", "160", "0x1"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK_EQ(grpc_status_parse(bad[i], strlen(bad[i])), -1);
}

TEST(http_statuses_map_as_the_specification_says)
{
	static const struct {
		unsigned http;
		enum grpc_status want;
	} rows[] = {{400, GRPC_INTERNAL}, {401, GRPC_UNAUTHENTICATED},
		{403, GRPC_PERMISSION_DENIED}, {404, GRPC_UNIMPLEMENTED}, {429, GRPC_UNAVAILABLE},
		{502, GRPC_UNAVAILABLE}, {503, GRPC_UNAVAILABLE}, {504, GRPC_UNAVAILABLE},
		{200, GRPC_UNKNOWN}, {301, GRPC_UNKNOWN}, {413, GRPC_UNKNOWN}, {500, GRPC_UNKNOWN},
		{0, GRPC_UNKNOWN}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CHECK_EQ(grpc_status_of_http(rows[i].http), rows[i].want);
}

TEST(http2_error_codes_map_as_the_specification_says)
{
	static const enum grpc_status want[] = {GRPC_INTERNAL, GRPC_INTERNAL, GRPC_INTERNAL,
		GRPC_INTERNAL, GRPC_INTERNAL, GRPC_UNKNOWN, GRPC_INTERNAL, GRPC_UNAVAILABLE,
		GRPC_CANCELLED, GRPC_INTERNAL, GRPC_INTERNAL, GRPC_RESOURCE_EXHAUSTED,
		GRPC_PERMISSION_DENIED, GRPC_UNKNOWN, GRPC_UNKNOWN};
	for (uint32_t code = 0; code < sizeof want / sizeof want[0]; code++)
		CHECK_EQ(grpc_status_of_h2_code(code), want[code]);
	CHECK_EQ(grpc_status_of_h2_code(UINT32_MAX), GRPC_UNKNOWN);
}

static const struct {
	const char *text, *wire;
} messages[] = {
	{"", ""},
	{"no route for /a/b", "no route for /a/b"},
	{"100 %", "100 %25"},
	{"a\nb\tc", "a%0Ab%09c"},
	{"\xc3\xa9 \xe2\x82\xac", "%C3%A9 %E2%82%AC"},
	{"~ \x7f", "~ %7F"},
};

TEST(messages_are_percent_encoded_and_come_back)
{
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		char out[64];
		size_t n = grpc_message_encode(
			messages[i].text, strlen(messages[i].text), out, sizeof out);
		CHECK_MEM(out, n, messages[i].wire, strlen(messages[i].wire));
		n = grpc_message_decode(
			messages[i].wire, strlen(messages[i].wire), out, sizeof out);
		CHECK_MEM(out, n, messages[i].text, strlen(messages[i].text));
	}
}

TEST(any_bytes_survive_percent_encoding)
{
	struct rand r;
	rand_seed(&r, 1);
	for (unsigned round = 0; round < 2000; round++) {
		char text[50], wire[150], back[50];
		size_t len = rand_below(&r, sizeof text);
		for (size_t i = 0; i < len; i++)
			text[i] = (char)rand_u64(&r);
		size_t n = grpc_message_encode(text, len, wire, sizeof wire);
		for (size_t i = 0; i < n; i++)
			CHECK(wire[i] >= 0x20 && wire[i] <= 0x7e);
		CHECK_MEM(back, grpc_message_decode(wire, n, back, sizeof back), text, len);
	}
}

TEST(encoding_stops_at_the_capacity_with_whole_escapes)
{
	char out[8];
	for (size_t cap = 0; cap <= 7; cap++) {
		memset(out, 'x', sizeof out);
		size_t n = grpc_message_encode("a\xc3\xa9", 3, out, cap);
		CHECK_EQ(n, cap < 1 ? 0 : cap < 4 ? 1 : cap < 7 ? 4 : 7);
		CHECK_MEM(out, n, "a%C3%A9", n);
		CHECK_EQ(out[n], 'x');
	}
	CHECK_EQ(grpc_message_decode("abc%41", 6, out, 2), 2);
}

TEST(what_is_no_escape_stays_as_it_is)
{
	static const char *const same[] = {"%", "%4", "%zz", "%4x", "%%", "100%"};
	char out[16];
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
		size_t n = grpc_message_decode(same[i], strlen(same[i]), out, sizeof out);
		CHECK_MEM(out, n, same[i], strlen(same[i]));
	}
	CHECK_MEM(out, grpc_message_decode("%c3%A9%%41", 10, out, sizeof out), "\xc3\xa9%A", 4);
}

TEST(timeouts_parse_with_every_unit_and_saturate)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{"1n", 1},
		{"1u", 1000},
		{"1m", 1000000},
		{"1S", 1000000000},
		{"1M", 60000000000},
		{"1H", 3600000000000},
		{"0S", 0},
		{"00000100m", 100000000},
		{"99999999n", 99999999},
		{"99999999S", 99999999000000000},
		{"2562047H", 9223369200000000000},
		{"2562048H", INT64_MAX},
		{"99999999H", INT64_MAX},
		{"99999999M", 5999999940000000000},
		{"", -1},
		{"1", -1},
		{"m", -1},
		{"-1m", -1},
		{"+1m", -1},
		{" 1m", -1},
		{"1 m", -1},
		{"1.5S", -1},
		{"1x", -1},
		{"1s", -1},
		{"1h", -1},
		{"100000000n", -1},
		{"1mm", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (grpc_timeout_parse(rows[i].text, strlen(rows[i].text)) != rows[i].ns)
			printf("# %s\n", rows[i].text);
		CHECK_EQ(grpc_timeout_parse(rows[i].text, strlen(rows[i].text)), rows[i].ns);
	}
}

TEST(timeouts_format_shortest_and_never_earlier)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} rows[] = {
		{0, "0n"},
		{1, "1n"},
		{999, "999n"},
		{1000, "1u"},
		{100000000, "100m"},
		{1500000000, "1500m"},
		{1000000000, "1S"},
		{90000000000, "90S"},
		{60000000000, "1M"},
		{7200000000000, "2H"},
		{99999999, "99999999n"},
		{100000001, "100001u"},
		{99999999999, "100S"},
		{12345678901, "12345679u"},
		{UINT64_MAX, "2562048H"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char out[16];
		CHECK_EQ(grpc_timeout_format(rows[i].ns, out), strlen(rows[i].text));
		CHECK_STR(out, rows[i].text);
	}
	struct rand r;
	rand_seed(&r, 2);
	for (unsigned round = 0; round < 100000; round++) {
		uint64_t ns = rand_u64(&r) >> rand_below(&r, 64);
		char out[16];
		size_t len = grpc_timeout_format(ns, out);
		REQUIRE(len <= 9 && strlen(out) == len);
		int64_t back = grpc_timeout_parse(out, len);
		/* Never earlier, and later by at most one part in 100,000 (8 digits, units 1,000
		 * apart). */
		REQUIRE(back >= 0);
		REQUIRE((uint64_t)back >= (ns > INT64_MAX ? INT64_MAX : ns));
		if (back < INT64_MAX)
			REQUIRE((uint64_t)back - ns <= ns / 100000 + 1);
	}
}

TEST(paths_split_only_when_they_have_the_shape_of_a_method)
{
	static const struct {
		const char *path, *service, *method;
	} rows[] = {
		{"/pkg.Service/Method", "pkg.Service", "Method"},
		{"/a/b", "a", "b"},
		{"/a.B/C?connect=v1&message=/x", "a.B", "C"},
		{"/grpc.health.v1.Health/Check", "grpc.health.v1.Health", "Check"},
		{"", NULL, NULL},
		{"/", NULL, NULL},
		{"//", NULL, NULL},
		{"/a", NULL, NULL},
		{"/a/", NULL, NULL},
		{"//b", NULL, NULL},
		{"a/b", NULL, NULL},
		{"/a/b/", NULL, NULL},
		{"/a/b/c", NULL, NULL},
		{"*", NULL, NULL},
		{"/a b/c", NULL, NULL},
		{"/a/\xc3\xa9", NULL, NULL},
		{"/a/\x7f", NULL, NULL},
		{"/a?/b", NULL, NULL},
		{"?/a/b", NULL, NULL},
		{"/a/?b", NULL, NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *service, *method;
		size_t service_len, method_len;
		int r = grpc_path_split(rows[i].path, strlen(rows[i].path), &service, &service_len,
			&method, &method_len);
		CHECK_EQ(r, rows[i].service ? 0 : ERR_INVALID);
		if (r < 0 || !rows[i].service)
			continue;
		CHECK_MEM(service, service_len, rows[i].service, strlen(rows[i].service));
		CHECK_MEM(method, method_len, rows[i].method, strlen(rows[i].method));
	}
}

TAP_MAIN()
