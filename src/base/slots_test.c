#include <string.h>
#include "base/freelist.h"
#include "base/mem.h"
#include "base/slots.h"
#include "tap.h"

#define MANY 5000u

static uint8_t *objects[MANY];

static size_t size_of(unsigned i)
{
	return 1 + i * 37 % (SLOTS_MAX_BYTES + 200);
}

static void fill(unsigned i)
{
	memset(objects[i], (int)(i & 255), size_of(i));
}

static bool is_filled(unsigned i)
{
	for (size_t k = 0; k < size_of(i); k++)
		if (objects[i][k] != (uint8_t)i)
			return false;
	return true;
}

TEST(objects_of_all_sizes_are_apart_aligned_and_keep_what_is_in_them)
{
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			objects[i] = slots_take(size_of(i));
			REQUIRE(objects[i]);
			CHECK(((uintptr_t)objects[i] & 7) == 0);
			fill(i);
		}
		for (unsigned i = round; i < MANY; i += 3) { /* some make place for others */
			CHECK(is_filled(i));
			slots_give(objects[i], size_of(i));
			objects[i] = slots_take(size_of(i));
			REQUIRE(objects[i]);
			fill(i);
		}
		CHECK_EQ(mem_live_blocks(), MANY);
		for (unsigned i = 0; i < MANY; i++) {
			unsigned at = (i * 7919u + round) % MANY; /* in no order */
			CHECK(is_filled(at));
			slots_give(objects[at], size_of(at));
		}
		CHECK_EQ(mem_live_blocks(), 0);
		CHECK_EQ(slots_used_bytes(), 0);
	}
	slots_purge();
	CHECK_EQ(slots_spare_bytes(), 0);
}

TEST(an_object_costs_its_size_rounded_up_to_eight)
{
	for (unsigned i = 0; i < MANY; i++)
		REQUIRE((objects[i] = slots_take(141)));
	if (SLOTS_IN_BLOCKS)
		CHECK(slots_used_bytes() < MANY * 144 * 103 / 100);
	for (unsigned i = 0; i < MANY; i++)
		slots_give(objects[i], 141);
	slots_purge();
}

TEST(zeroed_objects_are_zero_whatever_was_there)
{
	static const uint8_t zeros[100];
	for (unsigned i = 0; i < 4; i++) {
		uint8_t *p = slots_take_zeroed(sizeof(zeros));
		REQUIRE(p);
		CHECK(!memcmp(p, zeros, sizeof(zeros)));
		memset(p, 0xff, sizeof(zeros));
		slots_give(p, sizeof(zeros));
	}
	slots_give(NULL, 100);
	slots_purge();
}

TEST(a_block_that_nobody_took_for_a_while_goes_back_and_one_in_use_does_not)
{
	if (!SLOTS_IN_BLOCKS)
		return;
	for (unsigned i = 0; i < 100; i++)
		REQUIRE((objects[i] = slots_take(2048))); /* seven a block */
	size_t used = slots_used_bytes();
	CHECK_EQ(used, 15 * SLOTS_BLOCK_BYTES);
	for (unsigned i = 0; i < 70; i++)
		slots_give(objects[i], 2048);
	CHECK_EQ(slots_used_bytes(), 5 * SLOTS_BLOCK_BYTES);
	CHECK_EQ(slots_spare_bytes(), 10 * SLOTS_BLOCK_BYTES);
	slots_cool(); /* they were in use since the last one */
	CHECK_EQ(slots_spare_bytes(), 10 * SLOTS_BLOCK_BYTES);
	for (unsigned i = 0; i < 28; i++) /* what other sizes need comes out of the same ones */
		REQUIRE((objects[i] = slots_take(2000)));
	CHECK_EQ(slots_spare_bytes(), 6 * SLOTS_BLOCK_BYTES);
	for (unsigned i = 0; i < 28; i++)
		slots_give(objects[i], 2000);
	slots_cool(); /* six of ten were not needed */
	CHECK_EQ(slots_spare_bytes(), 4 * SLOTS_BLOCK_BYTES);
	slots_cool();
	CHECK_EQ(slots_spare_bytes(), 0);
	for (unsigned i = 70; i < 84; i++)
		slots_give_up(objects[i], 2048);
	CHECK_EQ(slots_spare_bytes(), 2 * SLOTS_BLOCK_BYTES);
	slots_cool(); /* nobody needed what was in them */
	CHECK_EQ(slots_spare_bytes(), 0);
	for (unsigned i = 84; i < 100; i++)
		slots_give(objects[i], 2048);
	slots_purge();
	CHECK_EQ(slots_spare_bytes(), 0);
}

TEST(objects_fail_when_a_test_says_so)
{
	mem_fail_after(2);
	void *first = slots_take(64), *second = slots_take(64);
	mem_fail_after(0);
	CHECK(first && !second);
	CHECK_EQ(mem_live_blocks(), 1);
	slots_give(first, 64);
	CHECK_EQ(mem_live_blocks(), 0);
	slots_purge();
}

/* ---- freelist.h ---- */

TEST(a_free_list_gives_up_what_nobody_needed_between_two_coolings)
{
	struct free_list l = {0};
	void *p[100];
	for (unsigned i = 0; i < 100; i++)
		REQUIRE((p[i] = free_list_take(&l, 40)));
	CHECK_EQ(mem_live_blocks(), 100);
	for (unsigned i = 0; i < 100; i++)
		free_list_give(&l, p[i], 60);
	CHECK_EQ(mem_live_blocks(), 60); /* at most that many stay */
	free_list_cool(&l);
	CHECK_EQ(mem_live_blocks(), 60);
	for (unsigned i = 0; i < 20; i++) /* they lay still, but are wanted again */
		REQUIRE((p[i] = free_list_take(&l, 40)));
	CHECK_EQ(mem_live_blocks(), 60);
	for (unsigned i = 0; i < 20; i++)
		free_list_give(&l, p[i], 60);
	free_list_cool(&l); /* two times seventeen came out; the rest lay still */
	CHECK_EQ(mem_live_blocks(), 34);
	free_list_cool(&l);
	CHECK_EQ(mem_live_blocks(), 0);
	REQUIRE((p[0] = free_list_take(&l, 40)));
	free_list_give(&l, p[0], 60);
	free_list_purge(&l);
	CHECK_EQ(mem_live_blocks(), 0);
	slots_purge();
}

TAP_MAIN()
