#include "base/clock.h"
#include <stdio.h>
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

void clock_text(uint64_t wall_ns, char out[CLOCK_TEXT_BYTES])
{
	time_t seconds = (time_t)(wall_ns / NS_PER_SEC);
	struct tm t;
	gmtime_r(&seconds, &t);
	size_t len = strftime(out, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &t);
	snprintf(out + len, CLOCK_TEXT_BYTES - len, ".%03uZ",
		(unsigned)(wall_ns % NS_PER_SEC / NS_PER_MS));
}
