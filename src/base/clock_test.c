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

TEST(a_time_is_written_as_rfc_3339_says)
{
	char text[CLOCK_TEXT_BYTES];
	clock_text(0, text);
	CHECK_STR(text, "1970-01-01T00:00:00.000Z");
	clock_text(951782399ull * NS_PER_SEC + 999999999, text);
	CHECK_STR(text, "2000-02-28T23:59:59.999Z");
	clock_text(UINT64_MAX, text);
	CHECK_STR(text, "2554-07-21T23:34:33.709Z");
}

TAP_MAIN()
