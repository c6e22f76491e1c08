/* timing_test.c - rates of calls, on a clock of the test's own; what timing.c puts into histograms
 * is tested with whole calls in call_test.c. */
#include "call/timing.h"
#include "base/clock.h"
#include "tap.h"

static struct call_env env;
static struct call call;

static void begin(void)
{
	memset(&env, 0, sizeof env);
	memset(&call, 0, sizeof call);
	env.now_ns = 1000 * NS_PER_SEC;
	call.env = &env;
	call.begun_ns = env.now_ns;
}

static void pass(uint64_t ms, uint64_t sent, uint64_t received)
{
	env.now_ns += ms * NS_PER_MS;
	call.lanes[LANE_REQUEST].messages += sent;
	call.lanes[LANE_RESPONSE].messages += received;
}

static void tick(void)
{
	timing_begin_ticks(&env);
	timing_tick(&call);
}

TEST(a_rate_counts_both_directions_over_the_last_one_to_two_seconds)
{
	begin();
	tick();
	for (int i = 0; i < 5; i++) {
		pass(1000, 10, 30);
		tick();
	}
	CHECK_EQ(timing_rate_milli(&call), 40000);
	pass(500, 5, 15);
	CHECK_EQ(timing_rate_milli(&call), 40000);
	pass(500, 0, 0); /* two seconds with 60 messages */
	CHECK_EQ(timing_rate_milli(&call), 30000);
	tick();
	pass(1000, 0, 0);
	CHECK_EQ(timing_rate_milli(&call), 10000);
	tick();
	pass(1000, 0, 0);
	tick();
	CHECK_EQ(timing_rate_milli(&call), 0);
}

static bool is_about(uint64_t milli)
{
	uint64_t rate = timing_rate_milli(&call);
	return rate >= milli / 100 * 99 && rate <= milli;
}

/* What it has in the time until it is told is not in the rate: one hundredth here. */
TEST(a_call_that_is_told_of_a_tick_late_keeps_its_rate_meanwhile)
{
	begin();
	tick();
	for (int i = 0; i < 4; i++) {
		pass(1000, 1000, 3000);
		CHECK(is_about(4000000));
		timing_begin_ticks(&env); /* calls before this one have their turn */
		CHECK(is_about(4000000));
		pass(10, 10, 30);
		CHECK(is_about(4000000));
		timing_tick(&call);
		CHECK(is_about(4000000));
	}
}

TEST(a_burst_of_a_young_call_is_no_rate)
{
	begin();
	env.tick_ns[1] = env.now_ns - 1500 * NS_PER_MS; /* ticks from before it began */
	env.tick_ns[2] = env.now_ns - 500 * NS_PER_MS;
	pass(1, 7, 0);
	CHECK_EQ(timing_rate_milli(&call), 7000);
	pass(499, 0, 0);
	tick();
	CHECK_EQ(timing_rate_milli(&call), 7000);
	pass(1000, 0, 0);
	CHECK_EQ(timing_rate_milli(&call), 4666); /* 7 in 1.5 s */
	tick();
	CHECK_EQ(timing_rate_milli(&call), 0);
}

TEST(a_rate_survives_the_wrap_of_what_ticks_remember)
{
	begin();
	call.lanes[LANE_REQUEST].messages = UINT32_MAX - 9ull;
	tick();
	pass(1000, 20, 0);
	tick();
	CHECK_EQ(timing_rate_milli(&call), 20000);
	call.lanes[LANE_REQUEST].messages += 1ull << 33;
	tick();
	pass(1000, 1, 0);
	tick();
	CHECK_EQ(timing_rate_milli(&call), 1000);
}

TAP_MAIN()
