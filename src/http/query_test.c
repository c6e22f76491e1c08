/* query_test.c */
#include "http/query.h"
#include "base/mem.h"
#include "tap.h"

static const char *const sorts[] = {"oldest", "busiest", NULL};
enum { SORT, LIMIT, ROUTE, ID };
static const struct query_key keys[] = {
	{"sort", QUERY_CHOICE, sorts, 0, 0, 0},
	{"limit", QUERY_NUMBER, NULL, 1, 10000, 100},
	{"route", QUERY_TEXT, NULL, 0, 0, 0},
	{"id", QUERY_ID, NULL, 0, 0, 0},
	{NULL, QUERY_TEXT, NULL, 0, 0, 0},
};
#define ALLOWED "; allowed: sort=oldest|busiest, limit=1..10000, route=TEXT, id=W-N"

static struct query q;
static struct buf why;

static int parse(const char *path)
{
	buf_fini(&why);
	buf_init(&why);
	int err = query_parse(&q, keys, path, &why);
	CHECK(err == 0 ? why.len == 0 : why.len > 0);
	return err;
}

static void refused(const char *path, const char *text)
{
	CHECK_EQ(parse(path), ERR_INVALID);
	CHECK_STR(why.bytes, text);
	buf_fini(&why);
}

TEST(query_what_is_not_given_has_its_default)
{
	CHECK_EQ(parse("/streams"), 0);
	CHECK_EQ(query_number(&q, SORT), 0);
	CHECK_EQ(query_number(&q, LIMIT), 100);
	CHECK(query_text(&q, ROUTE) == NULL);
	CHECK_EQ(parse("/streams?"), 0);
}

TEST(query_keys_of_each_kind_are_read)
{
	CHECK_EQ(parse("/streams?route=a%20b%2Fc%26d+e&limit=10000&sort=busiest"), 0);
	CHECK_EQ(query_number(&q, SORT), 1);
	CHECK_EQ(query_number(&q, LIMIT), 10000);
	CHECK_STR(query_text(&q, ROUTE), "a b/c&d e");
	CHECK_EQ(parse("/streams?route=&r%6fute=x"), ERR_INVALID);
	CHECK_EQ(parse("/streams?route="), 0);
	CHECK_STR(query_text(&q, ROUTE), "");
	CHECK_EQ(parse("/streams?route=a=b?c"), 0);
	CHECK_STR(query_text(&q, ROUTE), "a=b?c");
	struct query copy = q;
	memset(&q, 0, sizeof q);
	CHECK_STR(query_text(&copy, ROUTE), "a=b?c");
	buf_fini(&why);
}

TEST(query_what_is_not_known_is_refused_with_a_list_of_what_is)
{
	refused("/s?sorted=oldest", "unknown key \"sorted=oldest\"" ALLOWED);
	refused("/s?Sort=oldest", "unknown key \"Sort=oldest\"" ALLOWED);
	refused("/s?limit=5&=x", "unknown key \"=x\"" ALLOWED);
	refused("/s?&", "unknown key \"\"" ALLOWED);
	refused("/s?limit=5&", "unknown key \"\"" ALLOWED);
	refused("/s?limit=5&&sort=oldest", "unknown key \"\"" ALLOWED);
	refused("/s?sort", "no value in \"sort\"" ALLOWED);
	refused("/s?sort=newest", "no such value: \"sort=newest\"" ALLOWED);
	refused("/s?sort=", "no such value: \"sort=\"" ALLOWED);
	refused("/s?limit=5&limit=6", "twice the same key: \"limit=6\"" ALLOWED);
	refused("/s?route=%4", "broken % in \"route=%4\"" ALLOWED);
	refused("/s?route=%zz", "broken % in \"route=%zz\"" ALLOWED);
	refused("/s?route=a%00b", "broken % in \"route=a%00b\"" ALLOWED);
	refused("/s?rou%00te=a", "broken % in \"rou%00te=a\"" ALLOWED);
	refused("/s?\"<script>=1", "unknown key \"\\\"<script>=1\"" ALLOWED);
}

TEST(query_numbers_outside_their_range_are_refused)
{
	static const char *const bad[] = {"0", "10001", "-1", "+5", "5.0", "0x5", "", " 5", "5 ",
		"4294967297", "99999999999999999999", "1e3"};
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		char path[64];
		snprintf(path, sizeof path, "/s?limit=%s", bad[i]);
		CHECK_EQ(parse(path), ERR_INVALID);
	}
	CHECK_EQ(parse("/s?limit=1"), 0);
	CHECK_EQ(parse("/s?limit=0000000001"), 0);
	buf_fini(&why);
}

TEST(query_ids_are_two_numbers)
{
	static const char *const bad[] = {"", "-", "1", "1-", "-1", "1--1", "1-1-1", "a-1", "1-a",
		"65536-1", "1-281474976710656", "1-99999999999999999999999", " 1-1", "1-1 "};
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		char path[64];
		snprintf(path, sizeof path, "/s?id=%s", bad[i]);
		CHECK_EQ(parse(path), ERR_INVALID);
	}
	CHECK_EQ(parse("/s?id=3-77"), 0);
	CHECK_EQ(query_id_first(q.number[ID]), 3);
	CHECK_EQ(query_id_second(q.number[ID]), 77);
	CHECK_EQ(parse("/s?id=65535-281474976710655"), 0);
	CHECK_EQ(query_id_first(q.number[ID]), 65535);
	CHECK_EQ(query_id_second(q.number[ID]), QUERY_ID_SECOND_MAX);
	buf_fini(&why);
}

TEST(query_a_page_without_keys_takes_none)
{
	buf_init(&why);
	CHECK_EQ(query_parse(&q, NULL, "/s?a=b", &why), ERR_INVALID);
	CHECK_STR(why.bytes, "unknown key \"a=b\"; this page takes no query");
	CHECK_EQ(query_parse(&q, NULL, "/s", &why), 0);
	buf_fini(&why);
}

TEST(query_the_longest_fits_and_one_byte_more_does_not)
{
	char path[QUERY_BYTES_MAX + 8] = "/s?route=";
	size_t head = strlen(path), full = 3 + QUERY_BYTES_MAX;
	memset(path + head, 'x', full - head);
	path[full] = '\0';
	CHECK_EQ(parse(path), 0);
	CHECK_EQ(strlen(query_text(&q, ROUTE)), QUERY_BYTES_MAX - 6);
	path[full] = 'x';
	path[full + 1] = '\0';
	CHECK_EQ(parse(path), ERR_INVALID);
	buf_fini(&why);
}

/* Each prefix of a good query, and each with one byte exchanged, is either read or refused with a
 * text; what is read stays within its bounds. */
TEST(query_every_prefix_and_every_exchanged_byte_is_read_or_refused)
{
	const char good[] = "/s?sort=busiest&route=%61b+c&limit=77";
	char path[sizeof good];
	unsigned read = 0;
	for (size_t len = 0; len < sizeof good; len++) {
		memcpy(path, good, len);
		path[len] = '\0';
		read += parse(path) == 0;
	}
	/* before '?', "?", each length of the route's value that breaks no %, "7" and "77" */
	CHECK_EQ(read, 3 + 1 + 1 + 1 + 1 + 3 + 2);
	for (size_t i = 3; i < sizeof good - 1; i++) {
		for (int byte = 1; byte < 256; byte++) {
			memcpy(path, good, sizeof good);
			path[i] = (char)byte;
			if (parse(path) == 0) {
				CHECK(query_number(&q, LIMIT) >= 1);
				CHECK(query_number(&q, LIMIT) <= 10000);
				CHECK(query_number(&q, SORT) <= 1);
			}
		}
	}
	buf_fini(&why);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(query_an_id_is_read_as_it_is_written)
{
	char text[QUERY_ID_BYTES], path[64];
	query_id_text(QUERY_ID_FIRST_MAX, QUERY_ID_SECOND_MAX, text);
	CHECK_STR(text, "65535-281474976710655");
	snprintf(path, sizeof path, "/streams?id=%s", text);
	CHECK_EQ(parse(path), 0);
	CHECK_EQ(q.number[ID], query_id(QUERY_ID_FIRST_MAX, QUERY_ID_SECOND_MAX));
	query_id_text(UINT32_MAX, UINT64_MAX, text); /* what a sample's file may say */
	CHECK_STR(text, "4294967295-18446744073709551615");
	buf_fini(&why);
}

TAP_MAIN()
