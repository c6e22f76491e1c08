/* clock.h - the two clocks. Read once a turn by the loop; protocol engines never read them. */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H
#include <stdint.h>

#define NS_PER_MS  1000000ull
#define NS_PER_SEC 1000000000ull

uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC */
uint64_t clock_wall_ns(void); /* CLOCK_REALTIME since 1970 */
#endif
