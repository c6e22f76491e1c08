/* clock.h - the two clocks. Read once a turn by the loop; protocol engines never read them. */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H
#include <stdint.h>

#define NS_PER_MS  1000000ull
#define NS_PER_SEC 1000000000ull

uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC */
uint64_t clock_wall_ns(void); /* CLOCK_REALTIME since 1970 */

#define CLOCK_TEXT_BYTES 40
/* "2026-01-31T23:59:59.999Z" (RFC 3339) */
void clock_text(uint64_t wall_ns, char out[CLOCK_TEXT_BYTES]);
#endif
