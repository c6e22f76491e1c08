/* pack_test.c - sections that were put away come back as they were. */
#include "base/mem.h"
#include "http/run.h"
#include "tap.h"

static void check_same(const struct fields *a, const struct fields *b)
{
	CHECK_EQ(a->count, b->count);
	CHECK_EQ(a->list_bytes, b->list_bytes);
	for (uint32_t i = 0; i < a->count && i < b->count; i++) {
		const struct field *x = &fields_list(a)[i], *y = &fields_list(b)[i];
		CHECK_MEM(x->name, x->name_len, y->name, y->name_len);
		CHECK_MEM(x->value, x->value_len, y->value, y->value_len);
		CHECK_EQ(x->token, y->token);
		CHECK_EQ(x->flags, y->flags);
		CHECK_EQ(x->hash, y->hash);
	}
}

static struct fields *section(void)
{
	struct fields *f = fields_create();
	if (!f || fields_add_str(f, TOKEN_METHOD, "POST") ||
		fields_add_str(f, TOKEN_PATH, "/a.B/C") || fields_add(f, "x-own", 5, "1", 1) ||
		fields_add(f, "", 0, "", 0) || fields_add_str(f, TOKEN_AUTHORIZATION, "secret"))
		abort();
	fields_own(f)[2].hash = 0x80000001u;
	fields_own(f)[4].flags = FIELD_NEVER_INDEX;
	return f;
}

static void check_packs(const struct fields *f)
{
	struct fields_packed *p = fields_pack(f);
	REQUIRE(p);
	struct fields *again = fields_unpack(p);
	fields_packed_destroy(p);
	REQUIRE(again);
	check_same(again, f);
	CHECK(fields_run(again) == fields_run(f));
	fields_destroy(again);
}

TEST(a_section_comes_back_as_it_was)
{
	struct fields *f = section();
	check_packs(f);
	fields_destroy(f);
	f = fields_create();
	REQUIRE(f);
	check_packs(f); /* empty */
	fields_destroy(f);
}

TEST(a_section_that_begins_with_a_run_comes_back_with_it)
{
	struct fields *like = section(), *f = fields_create();
	struct fields_run *run = run_intern(fields_list(like), 3);
	REQUIRE(f && run);
	fields_begin(f, run);
	CHECK_EQ(fields_add_str(f, TOKEN_TE, "trailers"), 0);
	check_packs(f);
	CHECK_EQ(fields_set(f, TOKEN_PATH, "/", 1), 0); /* changed: all of it is kept */
	check_packs(f);
	fields_destroy(f);
	fields_destroy(like);
}

TEST(many_fields_and_long_values_come_back)
{
	static char big[5000];
	struct fields *f = fields_create();
	REQUIRE(f);
	memset(big, 'b', sizeof(big));
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQ(fields_add(f, big, 1 + i, big, 50 * i), 0);
	check_packs(f);
	fields_destroy(f);
}

TEST(without_memory_nothing_is_packed_or_half_unpacked)
{
	struct fields *f = section();
	mem_fail_after(1);
	CHECK(!fields_pack(f));
	mem_fail_after(0);
	struct fields_packed *p = fields_pack(f);
	REQUIRE(p);
	fields_destroy(f);
	fields_cache_purge();
	mem_fail_after(1);
	CHECK(!fields_unpack(p));
	mem_fail_after(0);
	fields_packed_destroy(p);
	fields_packed_destroy(NULL);
}

TAP_MAIN()
