#include "base/arena.h"
#include "base/mem.h"
#include "base/rand.h"
#include "tap.h"

static bool aligned(const void *p)
{
	return ((uintptr_t)p & 7) == 0;
}

TEST(the_owners_memory_is_used_first)
{
	uint64_t first[8];
	struct arena a;
	arena_init(&a, first, sizeof(first), 256);
	for (int i = 0; i < 8; i++)
		CHECK(arena_alloc(&a, 5) == &first[i]);
	CHECK_EQ(mem_live_blocks(), 0);
	CHECK(arena_alloc(&a, 1) != NULL);
	CHECK_EQ(mem_live_blocks(), 1);
	arena_fini(&a);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_misaligned_first_chunk_gives_aligned_blocks)
{
	uint64_t memory[4];
	struct arena a;
	arena_init(&a, (uint8_t *)memory + 3, 24, 64);
	CHECK(arena_alloc(&a, 8) == &memory[1]);
	CHECK(arena_alloc(&a, 8) == &memory[2]);
	void *third = arena_alloc(&a, 8);
	CHECK(third != &memory[3] && aligned(third));
	arena_fini(&a);
	arena_init(&a, (uint8_t *)memory + 3, 2, 64); /* smaller than the gap */
	CHECK(aligned(arena_alloc(&a, 1)));
	arena_fini(&a);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(an_arena_without_first_chunk_allocates_nothing_until_asked)
{
	struct arena a;
	arena_init(&a, NULL, 0, 64);
	CHECK_EQ(mem_live_blocks(), 0);
	CHECK(arena_alloc(&a, 0) != NULL);
	CHECK(arena_alloc(&a, 0) != arena_alloc(&a, 0));
	arena_fini(&a);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(blocks_never_move_nor_overlap)
{
	struct rand r;
	struct arena a;
	uint8_t first[100];
	uint8_t *blocks[500];
	size_t sizes[500];
	rand_seed(&r, tap_seed());
	arena_init(&a, first, sizeof(first), 128);
	for (int i = 0; i < 500; i++) {
		sizes[i] = rand_below(&r, 10) ? rand_below(&r, 60) : rand_below(&r, 5000);
		blocks[i] = arena_alloc(&a, sizes[i]);
		REQUIRE(blocks[i] && aligned(blocks[i]));
		memset(blocks[i], i & 255, sizes[i]);
	}
	for (int i = 0; i < 500; i++)
		for (size_t k = 0; k < sizes[i]; k++)
			REQUIRE(blocks[i][k] == (i & 255));
	arena_fini(&a);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_block_larger_than_a_chunk_keeps_the_current_chunk_in_use)
{
	struct arena a;
	arena_init(&a, NULL, 0, 64);
	uint8_t *small = arena_alloc(&a, 8);
	uint8_t *huge = arena_alloc(&a, 100000);
	REQUIRE(small && huge);
	memset(huge, 1, 100000);
	CHECK(arena_alloc(&a, 8) == small + 8);
	arena_fini(&a);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(out_of_memory_answers_null_and_the_arena_goes_on)
{
	struct arena a;
	arena_init(&a, NULL, 0, 64);
	mem_fail_after(1);
	CHECK(arena_alloc(&a, 8) == NULL);
	CHECK(arena_alloc(&a, 8) != NULL);
	mem_fail_after(1);
	CHECK(arena_dup(&a, "x", 4000) == NULL);
	CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
	CHECK(arena_alloc(&a, SIZE_MAX - 8) == NULL);
	CHECK(arena_dup(&a, "", SIZE_MAX) == NULL);
	arena_fini(&a);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_copy_has_a_nul_behind_it)
{
	struct arena a;
	uint64_t dirty[4];
	memset(dirty, 0xff, sizeof(dirty));
	arena_init(&a, dirty, sizeof(dirty), 64);
	CHECK_STR(arena_dup(&a, "12345678", 8), "12345678");
	CHECK_STR(arena_dup(&a, NULL, 0), "");
	arena_fini(&a);
}

TAP_MAIN()
