/* run_test.c - runs: interned, counted, and what a section keeps of one. */
#include "http/run.h"
#include <stdio.h>
#include "base/mem.h"
#include "tap.h"

static struct fields *section(void)
{
	struct fields *f = fields_create();
	if (!f)
		abort();
	CHECK_EQ(fields_add_str(f, TOKEN_METHOD, "POST"), 0);
	CHECK_EQ(fields_add_str(f, TOKEN_PATH, "/a.B/C"), 0);
	CHECK_EQ(fields_add(f, "x-own", 5, "1", 1), 0);
	CHECK_EQ(fields_add(f, "x-empty", 7, "", 0), 0);
	return f;
}

static struct fields *begun(const struct fields *like)
{
	struct fields *f = fields_create();
	struct fields_run *run = run_intern(fields_list(like), like->count);
	if (!f || !run)
		abort();
	fields_begin(f, run);
	return f;
}

TEST(equal_fields_are_one_run_and_others_are_not)
{
	struct fields *a = section(), *b = section();
	struct fields_run *first = run_intern(fields_list(a), a->count);
	struct fields_run *second = run_intern(fields_list(b), b->count);
	struct fields_run *shorter = run_intern(fields_list(b), b->count - 1);
	CHECK(first && first == second && first->refs == 3);
	CHECK(shorter && shorter != first);
	CHECK_EQ(fields_set(b, TOKEN_PATH, "/a.B/D", 6), 0);
	struct fields_run *other = run_intern(fields_list(b), b->count);
	CHECK(other && other != first);
	run_unref(first);
	run_unref(second);
	run_unref(shorter);
	run_unref(other);
	fields_destroy(a);
	fields_destroy(b);
}

TEST(a_section_has_its_runs_fields_when_all_else_is_gone)
{
	struct fields *like = section();
	uint32_t bytes = like->list_bytes;
	struct fields *f = begun(like);
	fields_destroy(like);
	run_purge();
	CHECK_EQ(f->count, 4);
	CHECK_EQ(f->list_bytes, bytes);
	CHECK(fields_run(f) && fields_run(f)->refs == 1);
	CHECK(field_is(fields_get(f, TOKEN_PATH), "/a.B/C"));
	CHECK(field_is(fields_find(f, "x-own", 5), "1"));
	CHECK_STR(fields_get(f, TOKEN_PATH)->value, "/a.B/C"); /* and a NUL */
	struct fields *copy = fields_copy(f);
	fields_destroy(f);
	REQUIRE(copy);
	CHECK(fields_run(copy) && field_is(fields_find(copy, "x-empty", 7), ""));
	fields_destroy(copy);
}

TEST(a_section_whose_first_fields_change_has_no_run)
{
	struct fields *like = section();
	struct fields *f = begun(like);
	CHECK_EQ(fields_add_str(f, TOKEN_TE, "trailers"), 0);
	CHECK(fields_run(f));
	CHECK_EQ(fields_set(f, TOKEN_TE, "x", 1), 0); /* behind it */
	CHECK(fields_run(f));
	CHECK_EQ(fields_set(f, TOKEN_PATH, "/", 1), 0);
	CHECK(!fields_run(f));
	CHECK(field_is(fields_get(f, TOKEN_METHOD), "POST"));
	struct fields *copy = fields_copy(f);
	fields_destroy(f);
	REQUIRE(copy);
	CHECK(!fields_run(copy) && field_is(fields_get(copy, TOKEN_PATH), "/"));
	fields_destroy(copy);
	f = begun(like);
	CHECK_EQ(fields_remove(f, TOKEN_TE), 0);
	CHECK(fields_run(f));
	CHECK_EQ(fields_remove(f, TOKEN_METHOD), 1);
	CHECK(!fields_run(f));
	fields_destroy(f);
	fields_destroy(like);
}

static void check_list(const struct fields *f, const char *want)
{
	char got[1024], *at = got;
	for (uint32_t i = 0; i < f->count; i++) {
		const struct field *x = &fields_list(f)[i];
		at += sprintf(
			at, "%.*s=%.*s ", (int)x->name_len, x->name, (int)x->value_len, x->value);
	}
	CHECK_STR(got, want);
}

TEST(a_runs_fields_are_lent_until_all_are_wanted_in_a_row)
{
	struct fields *like = section();
	struct fields *f = begun(like);
	char want[1024] = ":method=POST :path=/a.B/C x-own=1 x-empty= ";
	const struct field *lent = fields_get(f, TOKEN_PATH);
	CHECK(lent == &f->run->list[1]);
	CHECK(!fields_get(f, TOKEN_TE) && !fields_find(f, "x-other", 7));
	for (unsigned i = 0; i < 40; i++) { /* beyond the first memory for fields */
		char number[8];
		snprintf(number, sizeof(number), "%u", i);
		CHECK_EQ(fields_add_str(f, TOKEN_TE, number), 0);
		sprintf(want + strlen(want), "te=%u ", i);
	}
	const struct field *own = fields_get(f, TOKEN_TE);
	CHECK(field_is(own, "0") && field_is(fields_find(f, "x-own", 5), "1"));
	CHECK_EQ(f->count, 44);
	check_list(f, want);
	check_list(f, want);
	CHECK(fields_run(f)); /* they were only copied */
	CHECK(field_is(lent, "/a.B/C") && own == fields_get(f, TOKEN_TE));
	CHECK(lent != fields_get(f, TOKEN_PATH) && field_is(fields_get(f, TOKEN_PATH), "/a.B/C"));
	fields_destroy(f);
	f = begun(like);
	check_list(f, ":method=POST :path=/a.B/C x-own=1 x-empty= ");
	CHECK_EQ(fields_add_str(f, TOKEN_TE, "x"), 0);
	check_list(f, ":method=POST :path=/a.B/C x-own=1 x-empty= te=x ");
	fields_destroy(f);
	fields_destroy(like);
}

TEST(the_table_holds_so_many_runs_and_no_large_one)
{
	long live;
	char number[16], large[RUN_BYTES + RUN_FIELDS + 1];
	memset(large, 'a', sizeof(large));
	fields_cache_purge();
	live = mem_live_blocks();
	for (unsigned i = 0; i < 20 * RUNS_MAX; i++) {
		snprintf(number, sizeof(number), "%u", i);
		struct field field = {.name = ":path",
			.name_len = 5,
			.token = TOKEN_PATH,
			.value = number,
			.value_len = (uint32_t)strlen(number)};
		struct fields_run *run = run_intern(&field, 1);
		REQUIRE(run);
		run_unref(run);
	}
	CHECK(mem_live_blocks() - live <= (long)RUNS_MAX);
	struct field field = {.name = ":path",
		.name_len = 5,
		.token = TOKEN_PATH,
		.value = large,
		.value_len = sizeof(large)};
	struct field many[RUN_FIELDS + 1];
	CHECK(!run_intern(&field, 1));
	for (unsigned i = 0; i <= RUN_FIELDS; i++)
		many[i] = field;
	CHECK(!run_intern(many, RUN_FIELDS + 1));
	CHECK(!run_intern(many, 0));
	fields_cache_purge();
	CHECK_EQ(mem_live_blocks(), live);
}

TEST(no_memory_is_no_run)
{
	struct fields *like = section();
	run_purge();
	mem_fail_after(1);
	CHECK(!run_intern(fields_list(like), like->count));
	mem_fail_after(0);
	fields_destroy(like);
	fields_cache_purge();
}

TAP_MAIN()
