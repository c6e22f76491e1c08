/* best_test.c */
#include "proxy/best.h"
#include <stdlib.h>
#include "base/mem.h"
#include "base/rand.h"
#include "tap.h"

static struct ranked *make(uint64_t a, uint64_t b, uint64_t id)
{
	struct ranked r = {{a, b}, id};
	return mem_dup(&r, sizeof r);
}

static void pass(struct best *b, uint64_t first, uint64_t second, uint64_t id)
{
	struct ranked r = {{first, second}, id};
	if (best_counts(b, &r))
		best_keep(b, make(first, second, id));
}

TEST(best_keeps_the_best_rows_and_counts_all)
{
	struct best b = {.limit = 3};
	for (uint64_t id = 0; id < 100; id++)
		pass(&b, id * 37 % 100, 0, id);
	best_sort(&b);
	CHECK_EQ(b.total, 100);
	REQUIRE(b.count == 3);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(b.rows[i]->rank[0], 99 - i);
	best_fini(&b);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(best_where_the_first_rank_is_equal_the_second_decides_and_then_the_id)
{
	struct best b = {.limit = 4};
	pass(&b, 5, 1, 7);
	pass(&b, 5, 2, 9);
	pass(&b, 5, 1, 3);
	pass(&b, 5, 1, 8); /* goes again */
	pass(&b, 6, 0, 10);
	best_sort(&b);
	const uint64_t want[] = {10, 9, 3, 7};
	REQUIRE(b.count == 4);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(b.rows[i]->id, want[i]);
	best_fini(&b);
}

static int downwards(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? 1 : x > y ? -1 : 0;
}

TEST(best_agrees_with_sorting_everything_for_many_sizes)
{
	static const uint32_t limits[] = {0, 1, 2, 7, 64, 100, 1000};
	struct rand r;
	rand_seed(&r, 11);
	for (unsigned l = 0; l < sizeof limits / sizeof *limits; l++) {
		uint64_t all[500];
		struct best parts[3] = {
			{.limit = limits[l]}, {.limit = limits[l]}, {.limit = limits[l]}};
		struct best sum = {.limit = limits[l]};
		for (unsigned i = 0; i < 500; i++) {
			all[i] = rand_u64(&r) % 1000 * 1000 + i;
			pass(&parts[i % 3], all[i], 0, i);
		}
		qsort(all, 500, sizeof *all, downwards);
		for (unsigned p = 0; p < 3; p++) {
			best_take(&sum, &parts[p]);
			CHECK_EQ(parts[p].count, 0);
		}
		best_sort(&sum);
		CHECK_EQ(sum.total, 500);
		CHECK_EQ(sum.count, limits[l] < 500 ? limits[l] : 500);
		for (uint32_t i = 0; i < sum.count; i++)
			CHECK(sum.rows[i]->rank[0] == all[i]);
		best_fini(&sum);
	}
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(best_without_memory_lacks_rows_and_says_so)
{
	struct best b = {.limit = 2};
	mem_fail_after(2); /* the row is there, the heap is not */
	pass(&b, 1, 0, 1);
	mem_fail_after(0);
	CHECK(b.failed);
	CHECK_EQ(b.count, 0);
	b.failed = false;
	pass(&b, 1, 0, 1);
	pass(&b, 2, 0, 2);
	best_keep(&b, NULL);
	CHECK(b.failed);
	CHECK_EQ(b.count, 2);
	struct best sum = {.limit = 2};
	best_take(&sum, &b);
	CHECK(sum.failed);
	best_fini(&sum);
	CHECK_EQ(mem_live_blocks(), 0);
}

TAP_MAIN()
