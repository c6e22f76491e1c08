/* fields_test.c */
#include "base/mem.h"
#include "base/rand.h"
#include "http/fields.h"
#include "tap.h"

static void check_field(const struct field *f, const char *name, const char *value)
{
	REQUIRE(f);
	CHECK_MEM(f->name, f->name_len, name, strlen(name));
	CHECK_MEM(f->value, f->value_len, value, strlen(value));
}

TEST(fields_keep_order_and_find_by_token_and_by_name)
{
	struct fields *f = fields_create();
	REQUIRE(f);
	CHECK_EQ(fields_add_str(f, TOKEN_METHOD, "POST"), 0);
	CHECK_EQ(fields_add(f, "te", 2, "trailers", 8), 0);
	CHECK_EQ(fields_add(f, "x-own", 5, "1", 1), 0);
	CHECK_EQ(fields_add(f, "x-own", 5, "2", 1), 0);
	CHECK_EQ(f->count, 4);
	check_field(fields_get(f, TOKEN_METHOD), ":method", "POST");
	check_field(fields_get(f, TOKEN_TE), "te", "trailers");
	check_field(fields_find(f, "te", 2), "te", "trailers");
	check_field(fields_find(f, "x-own", 5), "x-own", "1");
	check_field(&fields_list(f)[3], "x-own", "2");
	CHECK_EQ(fields_list(f)[3].token, TOKEN_OTHER);
	CHECK(!fields_find(f, "x-ow", 4));
	CHECK(!fields_get(f, TOKEN_OTHER));
	CHECK(!fields_has(f, TOKEN_PATH));
	CHECK(fields_has(f, TOKEN_TE));
	CHECK(field_is(fields_get(f, TOKEN_TE), "trailers"));
	CHECK(!field_is(fields_get(f, TOKEN_TE), "trailer"));
	CHECK(!field_is(fields_get(f, TOKEN_PATH), ""));
	fields_destroy(f);
}

TEST(names_and_values_may_be_empty)
{
	struct fields *f = fields_create();
	REQUIRE(f);
	CHECK_EQ(fields_add(f, NULL, 0, NULL, 0), 0);
	CHECK_EQ(fields_add_token(f, TOKEN_PATH, NULL, 0), 0);
	CHECK_EQ(f->list_bytes, 32 + 32 + 5);
	check_field(&fields_list(f)[0], "", "");
	check_field(&fields_list(f)[1], ":path", "");
	fields_destroy(f);
}

TEST(list_bytes_counts_name_value_and_32_through_add_set_and_remove)
{
	struct fields *f = fields_create();
	REQUIRE(f);
	CHECK_EQ(fields_add_str(f, TOKEN_PATH, "/a"), 0);
	CHECK_EQ(f->list_bytes, 5 + 2 + 32);
	CHECK_EQ(fields_set(f, TOKEN_PATH, "/longer", 7), 0);
	CHECK_EQ(f->list_bytes, 5 + 7 + 32);
	CHECK_EQ(fields_set(f, TOKEN_TE, "trailers", 8), 0); /* appends */
	CHECK_EQ(f->list_bytes, 5 + 7 + 32 + 2 + 8 + 32);
	CHECK_EQ(f->count, 2);
	CHECK_EQ(fields_set(f, TOKEN_PATH, "/", 1), 0);
	check_field(fields_get(f, TOKEN_PATH), ":path", "/");
	CHECK_EQ(fields_remove(f, TOKEN_PATH), 1);
	CHECK_EQ(fields_remove(f, TOKEN_PATH), 0);
	CHECK_EQ(fields_remove(f, TOKEN_OTHER), 0);
	CHECK_EQ(f->list_bytes, 2 + 8 + 32);
	fields_destroy(f);
}

TEST(remove_takes_every_field_of_a_token_and_keeps_the_order_of_the_rest)
{
	struct fields *f = fields_create();
	REQUIRE(f);
	for (int i = 0; i < 5; i++) {
		char v[2] = {(char)('0' + i), 0};
		CHECK_EQ(fields_add_str(f, TOKEN_COOKIE, v), 0);
		CHECK_EQ(fields_add(f, "x", 1, v, 1), 0);
	}
	CHECK_EQ(fields_remove(f, TOKEN_COOKIE), 5);
	REQUIRE(f->count == 5);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(fields_list(f)[i].value[0], '0' + i);
	fields_destroy(f);
}

TEST(setting_a_value_forgets_its_hash)
{
	struct fields *f = fields_create();
	REQUIRE(f);
	CHECK_EQ(fields_add_str(f, TOKEN_PATH, "/a"), 0);
	fields_own(f)[0].hash = 99;
	CHECK_EQ(fields_set(f, TOKEN_PATH, "/b", 2), 0);
	CHECK_EQ(fields_list(f)[0].hash, 0);
	fields_destroy(f);
}

TEST(a_thousand_fields_stay_in_place_while_the_list_grows)
{
	struct fields *f = fields_create();
	REQUIRE(f);
	const char *first = NULL;
	for (int i = 0; i < 1000; i++) {
		char name[16], value[64];
		int n = snprintf(name, sizeof(name), "x-%d", i);
		int v = snprintf(value, sizeof(value), "value number %d", i);
		REQUIRE(!fields_add(f, name, (size_t)n, value, (size_t)v));
		if (!first)
			first = fields_list(f)[0].value;
	}
	CHECK(fields_list(f)[0].value == first);
	for (int i = 0; i < 1000; i++) {
		char name[16], value[64];
		snprintf(name, sizeof(name), "x-%d", i);
		snprintf(value, sizeof(value), "value number %d", i);
		check_field(&fields_list(f)[i], name, value);
	}
	fields_destroy(f);
}

TEST(a_copy_is_independent_of_its_original_and_keeps_flags)
{
	struct fields *f = fields_create();
	REQUIRE(f);
	CHECK_EQ(fields_add_str(f, TOKEN_AUTHORIZATION, "Bearer x"), 0);
	CHECK_EQ(fields_add(f, "x-own", 5, "1", 1), 0);
	fields_own(f)[0].flags = FIELD_NEVER_INDEX;
	fields_own(f)[1].hash = 5;
	struct fields *copy = fields_copy(f);
	REQUIRE(copy);
	memset((char *)(uintptr_t)fields_list(f)[1].value, 'z', 1);
	fields_destroy(f);
	check_field(&fields_list(copy)[0], "authorization", "Bearer x");
	check_field(&fields_list(copy)[1], "x-own", "1");
	CHECK_EQ(fields_list(copy)[0].flags, FIELD_NEVER_INDEX);
	CHECK_EQ(fields_list(copy)[1].hash, 5);
	fields_destroy(copy);
}

TEST(trimming_gives_back_the_end_of_the_latest_allocation_only)
{
	struct fields *f = fields_create();
	REQUIRE(f);
	char *first = fields_alloc(f, 100);
	CHECK_EQ(fields_trim(f, first, 100, 9), 9);
	char *second = fields_alloc(f, 8);
	CHECK_EQ(second - first, 16);
	CHECK_EQ(fields_trim(f, first, 9, 1), 9); /* no longer the latest */
	CHECK_EQ(fields_trim(f, second, 8, 0), 0);
	CHECK_EQ(fields_trim(f, first, 9, 0), 0);
	CHECK((char *)fields_alloc(f, 1) == first);
	CHECK_EQ(fields_trim(f, NULL, 0, 0), 0);
	fields_destroy(f);
}

TEST(create_and_destroy_allocate_nothing_in_the_steady_state)
{
	fields_destroy(fields_create());
	long live = mem_live_blocks();
	mem_fail_after(1);
	for (int i = 0; i < 100; i++) {
		struct fields *f = fields_create();
		REQUIRE(f);
		CHECK_EQ(fields_add_str(f, TOKEN_PATH, "/chat.Chat/Subscribe"), 0);
		fields_destroy(f);
	}
	mem_fail_after(0);
	CHECK_EQ(mem_live_blocks(), live);
}

TEST(every_failed_allocation_is_reported_and_leaks_nothing)
{
	static char big[3000];
	fields_cache_purge();
	long live = mem_live_blocks();
	long nth = 0;
	for (bool failed = true; failed;) {
		failed = false;
		mem_fail_after(++nth);
		struct fields *f = fields_create(), *copy = NULL;
		for (int i = 0; f && i < 60 && !failed; i++)
			failed = fields_add(f, "x", 1, big, sizeof(big)) ||
				 fields_add_str(f, TOKEN_PATH, "/") ||
				 fields_set(f, TOKEN_PATH, big, sizeof(big));
		if (f && !failed)
			failed = !(copy = fields_copy(f));
		failed = failed || !f;
		mem_fail_after(0);
		if (f) {
			uint64_t sum = 0;
			for (uint32_t i = 0; i < f->count; i++)
				sum += 32 + (uint64_t)fields_list(f)[i].name_len +
				       fields_list(f)[i].value_len;
			CHECK_EQ(sum, f->list_bytes);
		}
		fields_destroy(f);
		fields_destroy(copy);
		fields_cache_purge();
		CHECK_EQ(mem_live_blocks(), live);
	}
	CHECK(nth > 4);
}

TAP_MAIN()
