/* guard.h - flood budgets: what a peer may make us do for nothing.
 *
 * Each budget is a bucket of tokens that time refills, ten seconds' worth at most. Control frames
 * are also paid for by content: a connection that moves DATA needs WINDOW_UPDATE and (gRPC's
 * bandwidth probes) PING in proportion, so each DATA frame earns a few. What it stops: PING,
 * SETTINGS, PRIORITY, WINDOW_UPDATE, empty-DATA and RST_STREAM floods (CVE-2019-9512..9518,
 * CVE-2023-44487 and its sibling that provokes our resets). Time comes in; the guard reads no
 * clock. */
#ifndef WEIR_HTTP2_GUARD_H
#define WEIR_HTTP2_GUARD_H
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

#define H2_GUARD_BURST_S 10u

struct h2_bucket {
	uint64_t at_ns; /* refilled up to here */
	uint32_t tokens;
	uint32_t per_s; /* 0: no budget, everything passes */
};
void h2_bucket_init(struct h2_bucket *b, uint32_t per_s);
/* Takes one token; `earned` more were paid in since the last time. False: the budget is used up. */
bool h2_bucket_take(struct h2_bucket *b, uint64_t now_ns, uint32_t earned) MUST_USE;

struct h2_guard {
	struct h2_bucket control, resets;
	uint32_t earned; /* by DATA, not yet in the control bucket */
};
void h2_guard_init(struct h2_guard *g, uint32_t control_per_s, uint32_t resets_per_s);
bool h2_guard_control(struct h2_guard *g, uint64_t now_ns) MUST_USE;
bool h2_guard_reset(struct h2_guard *g, uint64_t now_ns) MUST_USE;

/* On the data path, so it only adds; the bucket caps it later. */
static inline void h2_guard_earn(struct h2_guard *g, uint32_t tokens)
{
	g->earned += tokens;
}
#endif
