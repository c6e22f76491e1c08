#include "base/clock.h"
#include <time.h>

static uint64_t read_ns(clockid_t which)
{
	struct timespec ts;
	clock_gettime(which, &ts); /* fails for unknown clocks only */
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}
