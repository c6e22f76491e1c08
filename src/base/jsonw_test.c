/* jsonw_test.c */
#include "base/jsonw.h"
#include <jansson.h>
#include "base/mem.h"
#include "tap.h"

static struct buf page;
static struct jsonw j;

static void begin(void)
{
	buf_fini(&page);
	jsonw_begin(&j, &page);
}

TEST(jsonw_puts_commas_and_brackets_where_they_belong)
{
	begin();
	jsonw_object(&j, NULL);
	jsonw_u64(&j, "a", 1);
	jsonw_array(&j, "b");
	jsonw_object(&j, NULL);
	jsonw_end(&j);
	jsonw_array(&j, NULL);
	jsonw_i64(&j, NULL, -2);
	jsonw_bool(&j, NULL, true);
	jsonw_bool(&j, NULL, false);
	jsonw_null(&j, NULL);
	jsonw_end(&j);
	jsonw_end(&j);
	jsonw_str(&j, "c", "d");
	jsonw_text(&j, "ee", "no more", 2);
	jsonw_str(&j, "e", NULL);
	jsonw_end(&j);
	CHECK_STR(page.bytes,
		"{\"a\":1,\"b\":[{},[-2,true,false,null]],\"c\":\"d\",\"ee\":\"no\",\"e\":null}");
	CHECK_EQ(j.depth, 0);
	begin();
}

TEST(jsonw_thousandths_lose_their_last_zeros)
{
	begin();
	jsonw_array(&j, NULL);
	const uint64_t all[] = {0, 1, 10, 100, 120, 123, 1000, 1005, 98760};
	for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
		jsonw_milli(&j, NULL, all[i]);
	jsonw_end(&j);
	CHECK_STR(page.bytes, "[0,0.001,0.01,0.1,0.12,0.123,1,1.005,98.76]");
	begin();
}

TEST(jsonw_texts_and_the_largest_numbers_are_read_back_by_another_library)
{
	begin();
	jsonw_object(&j, NULL);
	jsonw_str(&j, "na\"me\n", "\x01\\ \xff \xc3\xa4 \x7f");
	jsonw_u64(&j, "u", INT64_MAX);
	jsonw_i64(&j, "i", INT64_MIN);
	jsonw_end(&j);
	json_t *t = json_loads(page.bytes, 0, NULL);
	REQUIRE(t);
	CHECK_STR(json_string_value(json_object_get(t, "na\"me\n")),
		"\x01\\ \xef\xbf\xbd \xc3\xa4 \x7f");
	CHECK(json_integer_value(json_object_get(t, "u")) == INT64_MAX);
	CHECK(json_integer_value(json_object_get(t, "i")) == INT64_MIN);
	json_decref(t);
	begin();
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(jsonw_without_memory_leaves_the_buffer_failed)
{
	begin();
	mem_fail_after(1);
	jsonw_object(&j, NULL);
	jsonw_str(&j, "a", "b");
	jsonw_end(&j);
	mem_fail_after(0);
	CHECK(page.failed);
	begin();
}

TAP_MAIN()
