#include "base/mem.h"
#include "tap.h"

TEST(the_nth_allocation_fails_once)
{
	void *blocks[5];
	mem_fail_after(3);
	for (int i = 0; i < 5; i++)
		blocks[i] = mem_alloc(16);
	for (int i = 0; i < 5; i++) {
		CHECK((blocks[i] == NULL) == (i == 2));
		mem_free(blocks[i]);
	}
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(every_door_to_the_heap_can_be_failed)
{
	mem_fail_after(1);
	CHECK(mem_alloc(1) == NULL);
	mem_fail_after(1);
	CHECK(mem_zalloc(1) == NULL);
	mem_fail_after(1);
	CHECK(mem_dup("a", 1) == NULL);
	mem_fail_after(1);
	CHECK(mem_realloc(NULL, 1) == NULL);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(failure_injection_can_be_turned_off)
{
	mem_fail_after(1);
	mem_fail_after(0);
	void *block = mem_alloc(1);
	CHECK(block != NULL);
	mem_free(block);
}

TEST(a_failed_realloc_keeps_the_old_block)
{
	char *block = mem_dup("hello", 5);
	REQUIRE(block);
	mem_fail_after(1);
	CHECK(mem_realloc(block, 4096) == NULL);
	CHECK_STR(block, "hello");
	CHECK_EQ(mem_live_blocks(), 1);
	char *larger = mem_realloc(block, 4096);
	REQUIRE(larger);
	CHECK_STR(larger, "hello");
	CHECK_EQ(mem_live_blocks(), 1);
	mem_free(larger);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(an_empty_block_is_a_block)
{
	void *a = mem_alloc(0), *b = mem_zalloc(0), *c = mem_dup(NULL, 0);
	CHECK(a && b && c && *(char *)c == '\0');
	void *d = mem_realloc(a, 0);
	CHECK(d != NULL);
	CHECK_EQ(mem_live_blocks(), 3);
	mem_free(b);
	mem_free(c);
	mem_free(d);
	mem_free(NULL);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(zalloc_zeroes)
{
	unsigned char *p = mem_zalloc(1000);
	REQUIRE(p);
	int sum = 0;
	for (int i = 0; i < 1000; i++)
		sum += p[i];
	CHECK_EQ(sum, 0);
	mem_free(p);
}

TEST(a_copy_of_impossible_size_is_refused)
{
	CHECK(mem_dup("", (size_t)-1) == NULL);
	CHECK_EQ(mem_live_blocks(), 0);
}

TAP_MAIN()
