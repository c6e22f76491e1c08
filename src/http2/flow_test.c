#include "http2/flow.h"
#include "base/rand.h"
#include "tap.h"

TEST(a_send_window_stops_at_the_largest_value)
{
	int32_t w = H2_WINDOW_DEFAULT;
	CHECK(h2_window_add(&w, H2_WINDOW_MAX_BYTES - H2_WINDOW_DEFAULT));
	CHECK_EQ(w, H2_WINDOW_MAX_BYTES);
	CHECK(!h2_window_add(&w, 1));
	CHECK_EQ(w, H2_WINDOW_MAX_BYTES);
}

TEST(a_send_window_may_become_negative_and_come_back)
{
	int32_t w = 10;
	CHECK(h2_window_add(&w, -H2_WINDOW_DEFAULT));
	CHECK_EQ(w, 10 - H2_WINDOW_DEFAULT);
	CHECK(h2_window_add(&w, H2_WINDOW_DEFAULT));
	CHECK_EQ(w, 10);
	w = 0; /* all of the largest window sent, then it shrinks to nothing */
	CHECK(h2_window_add(&w, -(int64_t)H2_WINDOW_MAX_BYTES));
	CHECK_EQ(w, -H2_WINDOW_MAX_BYTES);
}

TEST(a_receive_window_refuses_what_it_did_not_offer)
{
	struct h2_inflow f;
	h2_inflow_init(&f, 100);
	CHECK(h2_inflow_take(&f, 100));
	CHECK(!h2_inflow_take(&f, 1));
	CHECK(h2_inflow_take(&f, 0));
}

TEST(credit_is_told_when_half_the_window_is_owed)
{
	struct h2_inflow f;
	h2_inflow_init(&f, 100);
	CHECK(h2_inflow_take(&f, 80));
	CHECK(h2_inflow_give(&f, 49));
	CHECK_EQ(h2_inflow_due(&f), 0);
	CHECK(h2_inflow_give(&f, 1));
	CHECK_EQ(h2_inflow_due(&f), 50);
	h2_inflow_told(&f);
	CHECK_EQ(f.avail_bytes, 70);
	CHECK_EQ(h2_inflow_due(&f), 0);
}

TEST(credit_for_bytes_that_never_came_is_refused)
{
	struct h2_inflow f;
	h2_inflow_init(&f, 100);
	CHECK(!h2_inflow_give(&f, 1));
	CHECK(h2_inflow_take(&f, 10));
	CHECK(h2_inflow_give(&f, 10));
	CHECK(!h2_inflow_give(&f, 1));
}

TEST(the_largest_receive_window_does_not_overflow)
{
	struct h2_inflow f;
	h2_inflow_init(&f, UINT32_MAX);
	CHECK_EQ(f.avail_bytes, H2_WINDOW_MAX_BYTES);
	CHECK(h2_inflow_take(&f, H2_WINDOW_MAX_BYTES));
	CHECK(h2_inflow_give(&f, H2_WINDOW_MAX_BYTES));
	h2_inflow_told(&f);
	CHECK_EQ(f.avail_bytes, H2_WINDOW_MAX_BYTES);
}

TEST(a_window_that_shrinks_keeps_credit_back_and_tells_it_when_it_grows)
{
	struct h2_inflow f;
	h2_inflow_init(&f, 256);
	CHECK(h2_inflow_take(&f, 256));
	CHECK(h2_inflow_shrink(&f, 32));
	CHECK_EQ(f.reserve_bytes, 128);
	CHECK(h2_inflow_give(&f, 191));
	CHECK_EQ(h2_inflow_due(&f), 0);
	CHECK(h2_inflow_give(&f, 1)); /* half of the smaller window, behind what is kept back */
	CHECK_EQ(h2_inflow_due(&f), 64);
	h2_inflow_told(&f);
	CHECK_EQ(f.avail_bytes, 64);
	CHECK_EQ(f.owed_bytes, 128);
	CHECK_EQ(h2_inflow_held(&f), 64);
	CHECK(h2_inflow_give(&f, 64));
	h2_inflow_grow(&f);
	CHECK_EQ(f.reserve_bytes, 128 - 17);
	for (int i = 0; i < 30; i++)
		h2_inflow_grow(&f);
	CHECK_EQ(f.reserve_bytes, 0);
	CHECK_EQ(h2_inflow_due(&f), 192);
	h2_inflow_told(&f);
	CHECK_EQ(f.avail_bytes, 256);
}

TEST(a_window_shrinks_to_its_least_and_no_further)
{
	struct h2_inflow f;
	h2_inflow_init(&f, 1000);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(h2_inflow_shrink(&f, 300), i < 2);
	CHECK_EQ(f.target_bytes - f.reserve_bytes, 300);
	h2_inflow_init(&f, 200);
	CHECK(!h2_inflow_shrink(&f, 300));
	CHECK_EQ(f.reserve_bytes, 0);
}

/* Whatever came before: a peer whose bytes were all worked off may send more. */
TEST(with_nothing_held_more_than_half_of_the_smaller_window_is_always_open)
{
	struct rand r;
	rand_seed(&r, 6);
	for (int round = 0; round < 2000; round++) {
		struct h2_inflow f;
		uint32_t least = 2 + (uint32_t)rand_below(&r, 40);
		h2_inflow_init(&f, least + (uint32_t)rand_below(&r, 300));
		for (int step = 0; step < 60; step++) {
			uint32_t avail = (uint32_t)f.avail_bytes, held = h2_inflow_held(&f);
			CHECK(h2_inflow_take(&f, (uint32_t)rand_below(&r, avail + 1)));
			held = h2_inflow_held(&f);
			CHECK(h2_inflow_give(
				&f, rand_below(&r, 3) ? (uint32_t)rand_below(&r, held + 1) : held));
			if (rand_below(&r, 2))
				(void)!h2_inflow_shrink(&f, least);
			else
				h2_inflow_grow(&f);
			if (h2_inflow_due(&f))
				h2_inflow_told(&f);
			held = h2_inflow_held(&f);
			CHECK_EQ(f.target_bytes, (uint32_t)f.avail_bytes + f.owed_bytes + held);
			uint32_t window = f.target_bytes - f.reserve_bytes;
			CHECK(window >= least && window <= f.target_bytes);
			CHECK(held || (uint32_t)f.avail_bytes >= (window + 1) / 2);
		}
	}
}

TAP_MAIN()
