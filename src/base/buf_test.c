#include "base/buf.h"
#include <limits.h>
#include "base/mem.h"
#include "tap.h"

static struct buf b;

static const char *json(const char *s, size_t len)
{
	buf_clear(&b);
	buf_json(&b, s, len);
	return b.bytes;
}

TEST(a_page_grows_and_always_ends_in_nul)
{
	buf_init(&b);
	CHECK(b.bytes == NULL);
	buf_str(&b, "");
	CHECK_STR(b.bytes, "");
	for (int i = 0; i < 10000; i++) {
		buf_char(&b, (char)('a' + i % 26));
		REQUIRE(b.bytes[b.len] == '\0');
	}
	CHECK_EQ(b.len, 10000);
	CHECK(!memcmp(b.bytes + 26, "abcdefghijklmnopqrstuvwxyz", 26));
	CHECK(b.cap < 40000);
	buf_fini(&b);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(formatting_is_exact_at_every_distance_from_the_end)
{
	char pad[600];
	memset(pad, 'x', sizeof(pad));
	for (int fill = 0; fill < 600; fill++) {
		buf_init(&b);
		buf_add(&b, pad, (size_t)fill);
		buf_fmt(&b, "<%s %d>", "the quick brown fox jumps over the lazy dog, twice over",
			42);
		CHECK_EQ(b.len, fill + 60);
		CHECK_STR(b.bytes + fill,
			"<the quick brown fox jumps over the lazy dog, twice over 42>");
		buf_fini(&b);
	}
	buf_fmt(&b, "%0*d", 100000, 7);
	CHECK_EQ(b.len, 100000);
	CHECK(b.bytes[99999] == '7' && b.bytes[100000] == '\0');
	buf_fini(&b);
}

TEST(integers_are_printed_whole)
{
	buf_init(&b);
	buf_u64(&b, 0);
	buf_char(&b, ' ');
	buf_u64(&b, 1234567890);
	buf_char(&b, ' ');
	buf_u64(&b, ULLONG_MAX);
	CHECK_STR(b.bytes, "0 1234567890 18446744073709551615");
	buf_fini(&b);
}

TEST(json_escapes_what_it_must)
{
	buf_init(&b);
	CHECK_STR(json("plain", 5), "\"plain\"");
	CHECK_STR(json("", 0), "\"\"");
	CHECK_STR(json("a\"b\\c\n\r\t\b\f", 10), "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\"");
	CHECK_STR(json("\0\x01\x1f\x7f", 4), "\"\\u0000\\u0001\\u001f\\u007f\"");
	CHECK_STR(json("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9),
		"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
	buf_fini(&b);
}

TEST(json_escapes_what_drives_terminals)
{
	buf_init(&b);
	CHECK_STR(json("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", 8), "\"\\u0080\\u009b\\u009f\xc2\xa0\"");
	buf_fini(&b);
}

static void check_cut(const char *s, size_t most, const char *want)
{
	buf_clear(&b);
	buf_json_cut(&b, s, strlen(s), most);
	CHECK_STR(b.bytes, want);
}

TEST(json_is_cut_between_characters_and_says_so)
{
	buf_init(&b);
	check_cut("abcdef", 6, "\"abcdef\"");
	check_cut("abcdef", 5, "\"ab...\"");
	check_cut("abcdef", 3, "\"...\"");
	check_cut("", 3, "\"\"");
	check_cut("abc", 3, "\"abc\"");
	check_cut("ab\n", 4, "\"ab\\n\"");
	check_cut("ab\nc", 4, "\"a...\"");
	check_cut("\001\001", 12, "\"\\u0001\\u0001\"");
	check_cut("\001\001", 11, "\"\\u0001...\"");
	check_cut("\001\001", 8, "\"...\"");
	check_cut("a\xe2\x82\xac\xe2\x82\xac", 6, "\"a...\"");
	check_cut("a\xe2\x82\xac\xe2\x82\xac", 7, "\"a\xe2\x82\xac\xe2\x82\xac\"");
	check_cut("\xe2\x82\xac\xe2\x82\xac!", 6, "\"\xe2\x82\xac...\"");
	check_cut("\xff\xff\xff", 8, "\"\xef\xbf\xbd...\"");
	buf_fini(&b);
	CHECK_EQ(mem_live_blocks(), 0);
}

/* Whatever the bytes: bounded, whole characters, and the beginning of what is not cut. */
TEST(json_cut_anywhere_is_a_beginning_of_the_whole)
{
	struct buf whole;
	buf_init(&b);
	buf_init(&whole);
	uint64_t seed = tap_seed();
	for (int round = 0; round < 20000; round++) {
		static const char some[] =
			"ab\"\\\n\x01\x7f\xc2\x85\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xff";
		char s[24];
		size_t len = 0;
		for (; len < sizeof s &&
			(seed = seed * 6364136223846793005u + 1442695040888963407u) >> 60;
			len++)
			s[len] = some[(seed >> 33) % (sizeof some - 1)];
		size_t most = 3 + (seed >> 40) % 30;
		buf_clear(&b);
		buf_clear(&whole);
		buf_json(&whole, s, len);
		buf_json_cut(&b, s, len, most);
		CHECK(b.len <= most + 2);
		if (whole.len - 2 <= most) {
			CHECK_STR(b.bytes, whole.bytes);
		} else {
			REQUIRE(b.len >= 5 && !memcmp(b.bytes + b.len - 4, "...\"", 4));
			CHECK(!memcmp(b.bytes, whole.bytes, b.len - 4));
			CHECK(b.len + 6 > most + 2 - 3); /* and no shorter than it must be */
		}
	}
	buf_fini(&b);
	buf_fini(&whole);
}

TEST(json_replaces_what_is_not_utf_8)
{
	buf_init(&b);
	CHECK_STR(json("a\xff"
		       "b",
			  3),
		"\"a\xef\xbf\xbd"
		"b\"");
	CHECK_STR(json("\xc3", 1), "\"\xef\xbf\xbd\"");
	CHECK_STR(json("\xc3\"", 2), "\"\xef\xbf\xbd\\\"\""); /* a quote is not swallowed */
	CHECK_STR(json("\xed\xa0\x80", 3), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	buf_fini(&b);
}

TEST(a_failed_growth_is_remembered_until_clear)
{
	char big[1000] = {0};
	buf_init(&b);
	buf_str(&b, "kept");
	mem_fail_after(1);
	buf_add(&b, big, sizeof(big));
	CHECK(b.failed);
	buf_str(&b, " dropped");
	buf_fmt(&b, "%d", 1);
	CHECK_STR(b.bytes, "kept");
	buf_clear(&b);
	CHECK(!b.failed);
	buf_str(&b, "again");
	CHECK_STR(b.bytes, "again");
	mem_fail_after(1);
	buf_fmt(&b, "%0*d", 5000, 1);
	CHECK(b.failed);
	CHECK_STR(b.bytes, "again");
	buf_fini(&b);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_buffer_that_never_had_memory_survives_failure)
{
	buf_init(&b);
	mem_fail_after(1);
	buf_fmt(&b, "%s", "x");
	CHECK(b.failed && b.len == 0 && b.bytes == NULL);
	buf_clear(&b);
	buf_consume(&b, 0);
	buf_add(&b, "x", (size_t)-1);
	CHECK(b.failed && b.len == 0);
	buf_fini(&b);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(consume_drops_from_the_front)
{
	buf_init(&b);
	buf_str(&b, "hello world");
	buf_consume(&b, 6);
	CHECK_STR(b.bytes, "world");
	buf_consume(&b, 5);
	CHECK_STR(b.bytes, "");
	CHECK_EQ(b.len, 0);
	buf_str(&b, "again");
	CHECK_STR(b.bytes, "again");
	buf_fini(&b);
}

TAP_MAIN()
