#include "base/slice.h"
#include "base/mem.h"
#include "base/rand.h"
#include "tap.h"

TEST(a_slab_goes_back_when_its_last_slice_is_dropped)
{
	struct slab_pool *pool = slab_pool_create(4);
	struct slab *slab = slab_get(pool);
	REQUIRE(slab);
	CHECK_EQ(slab->bytes_cap, SLAB_BYTES);
	memset(slab->bytes, 'x', SLAB_BYTES);
	struct slice a = slice_of(slab, slab->bytes, 100);
	struct slice b = slice_dup(a);
	CHECK_EQ(slab->refs, 3);
	slab_unref(slab);
	slice_drop(&a);
	CHECK_EQ(slab_pool_out(pool), 1);
	CHECK(a.slab == NULL && a.at == NULL && a.len == 0);
	slice_drop(&a);
	slice_drop(&b);
	CHECK_EQ(slab_pool_out(pool), 0);
	slab_pool_destroy(pool);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(the_slab_last_given_back_is_the_first_handed_out)
{
	struct slab_pool *pool = slab_pool_create(4);
	struct slab *a = slab_get(pool), *b = slab_get(pool);
	slab_unref(a);
	slab_unref(b);
	CHECK(slab_get(pool) == b);
	CHECK(slab_get(pool) == a);
	CHECK_EQ(a->refs, 1);
	CHECK_EQ(slab_pool_out(pool), 2);
	slab_unref(a);
	slab_unref(b);
	slab_pool_destroy(pool);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_pool_keeps_no_more_free_slabs_than_told)
{
	for (uint32_t keep = 0; keep < 5; keep++) {
		struct slab_pool *pool = slab_pool_create(keep);
		struct slab *slabs[6];
		for (int i = 0; i < 6; i++)
			slabs[i] = slab_get(pool);
		CHECK_EQ(mem_live_blocks(), 7);
		for (int i = 0; i < 6; i++)
			slab_unref(slabs[i]);
		CHECK_EQ(mem_live_blocks(), 1 + keep);
		CHECK_EQ(slab_pool_out(pool), 0);
		slab_pool_destroy(pool);
	}
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_pool_gives_up_the_slabs_that_were_free_between_two_coolings)
{
	struct slab_pool *pool = slab_pool_create(4);
	struct slab *slabs[4];
	REQUIRE(pool);
	for (int i = 0; i < 4; i++)
		slabs[i] = i % 2 ? slab_get(pool) : slab_get_small(pool);
	for (int i = 0; i < 4; i++)
		slab_unref(slabs[i]);
	slab_pool_cool(pool);
	CHECK_EQ(mem_live_blocks(), 1 + 4);
	struct slab *again = slab_get(pool); /* one of those that lie still */
	CHECK(again == slabs[3]);
	CHECK_EQ(again->refs, 1);
	CHECK_EQ(mem_live_blocks(), 1 + 4);
	slab_unref(again);
	slab_pool_cool(pool);
	CHECK_EQ(mem_live_blocks(), 1 + 1);
	again = slab_get(pool);
	CHECK(again == slabs[3]); /* taken across the cooling */
	slab_pool_cool(pool);
	slab_unref(again);
	CHECK_EQ(mem_live_blocks(), 1 + 1);
	slab_pool_cool(pool);
	slab_pool_cool(pool);
	CHECK_EQ(mem_live_blocks(), 1);
	slab_pool_destroy(pool);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(out_of_memory_is_answered_and_not_counted_as_out)
{
	mem_fail_after(1);
	CHECK(slab_pool_create(1) == NULL);
	struct slab_pool *pool = slab_pool_create(1);
	mem_fail_after(1);
	CHECK(slab_get(pool) == NULL);
	CHECK_EQ(slab_pool_out(pool), 0);
	mem_fail_after(1);
	CHECK(slab_exact(10) == NULL);
	mem_fail_after(1);
	struct slice s = slice_copy("x", 1);
	CHECK(s.slab == NULL && s.len == 0);
	slab_pool_destroy(pool);
	slab_pool_destroy(NULL);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(cutting_shares_the_slab)
{
	struct slice s = slice_copy("hello world", 11);
	REQUIRE(s.slab);
	CHECK_EQ(s.slab->bytes_cap, 11);
	struct slice head = slice_cut(&s, 6), none = slice_cut(&s, 0);
	CHECK_MEM(head.at, head.len, "hello ", 6);
	CHECK_MEM(s.at, s.len, "world", 5);
	CHECK_EQ(none.len, 0);
	CHECK_EQ(s.slab->refs, 3);
	slice_drop(&none);
	slice_drop(&s);
	CHECK_MEM(head.at, head.len, "hello ", 6);
	slice_drop(&head);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(static_and_empty_slices_need_no_slab)
{
	struct slice s = slice_static("abc", 3), d = slice_dup(s), head = slice_cut(&d, 1);
	CHECK_MEM(head.at, head.len, "a", 1);
	CHECK_MEM(d.at, d.len, "bc", 2);
	slice_drop(&s);
	slice_drop(&d);
	slice_drop(&head);
	struct slice e = slice_copy(NULL, 0);
	CHECK(e.slab == NULL && e.len == 0);
	slice_drop(&e);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(random_sharing_brings_every_slab_home)
{
	struct rand r;
	struct slab_pool *pool = slab_pool_create(3);
	struct slice held[64] = {0};
	rand_seed(&r, tap_seed());
	for (int i = 0; i < 20000; i++) {
		struct slice *s = &held[rand_below(&r, 64)], *from = &held[rand_below(&r, 64)];
		struct slice new = {0};
		switch (rand_below(&r, 4)) {
		case 0: {
			struct slab *slab = slab_get(pool);
			REQUIRE(slab);
			slab->bytes[7] = 7;
			new = slice_of(slab, slab->bytes, 64);
			slab_unref(slab);
			break;
		}
		case 1:
			new = slice_dup(*from);
			break;
		case 2:
			new = slice_cut(from, (uint32_t)rand_below(&r, from->len + 1));
			break;
		default:
			break;
		}
		slice_drop(s);
		*s = new;
		REQUIRE(slab_pool_out(pool) <= 64);
	}
	for (int i = 0; i < 64; i++)
		slice_drop(&held[i]);
	CHECK_EQ(slab_pool_out(pool), 0);
	slab_pool_destroy(pool);
	CHECK_EQ(mem_live_blocks(), 0);
}

TAP_MAIN()
