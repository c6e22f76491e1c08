#include "http2/flow.h"
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

TAP_MAIN()
