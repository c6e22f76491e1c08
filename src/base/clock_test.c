#include "base/clock.h"
#include "tap.h"

TEST(monotonic_time_never_runs_back)
{
	uint64_t last = clock_mono_ns();
	for (int i = 0; i < 10000; i++) {
		uint64_t now = clock_mono_ns();
		CHECK(now >= last);
		last = now;
	}
	CHECK(last > 0);
}

TEST(wall_time_is_the_seconds_that_time_tells)
{
	uint64_t before_s = (uint64_t)time(NULL), wall_ns = clock_wall_ns();
	uint64_t after_s = (uint64_t)time(NULL);
	/* time() reads a coarser clock, which may lag by a tick of the kernel */
	CHECK(wall_ns / NS_PER_SEC >= before_s && wall_ns / NS_PER_SEC <= after_s + 1);
}

TAP_MAIN()
