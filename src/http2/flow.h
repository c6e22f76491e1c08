/* flow.h - flow-control arithmetic (RFC 9113 5.2, 6.9): nothing but numbers.
 *
 * A send window is an int32_t: at most 2^31-1, and negative after the peer shrank
 * SETTINGS_INITIAL_WINDOW_SIZE (6.9.2). The receiving side keeps three numbers:
 *
 *   target = avail (the peer may send) + owed (given back, not yet told) + what is held by us
 *
 * and tells the peer when at least half the target is owed. Of what is owed, `reserve` may be kept
 * back: the window is then so much smaller, and "half" is half of that. With nothing held more than
 * half of the smaller window is always available, so keeping back stops nobody. */
#ifndef WEIR_HTTP2_FLOW_H
#define WEIR_HTTP2_FLOW_H
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

#define H2_WINDOW_DEFAULT   65535
#define H2_WINDOW_MAX_BYTES 0x7fffffff

/* Adds `by` (negative when a setting shrank); false, and nothing changed, beyond 2^31-1. */
bool h2_window_add(int32_t *window, int64_t by) MUST_USE;

struct h2_inflow {
	int32_t avail_bytes; /* may be negative between our smaller SETTINGS and what was in flight
			      */
	uint32_t owed_bytes; /* given back by the consumer, not yet in a WINDOW_UPDATE */
	uint32_t target_bytes;  /* the whole window */
	uint32_t reserve_bytes; /* of it, what is kept back when it is owed; below target_bytes */
};
void h2_inflow_init(struct h2_inflow *f, uint32_t target_bytes);

/* DATA arrived; false when it is more than the peer was allowed to send. Empty DATA needs no window
 * (RFC 9113 6.9.1), not even one above zero. */
static inline bool h2_inflow_take(struct h2_inflow *f, uint32_t bytes)
{
	if (bytes && (int64_t)bytes > f->avail_bytes)
		return false;
	f->avail_bytes -= (int32_t)bytes;
	return true;
}

/* The consumer gives bytes back; false when it never had them. */
bool h2_inflow_give(struct h2_inflow *f, uint32_t bytes) MUST_USE;

/* What a WINDOW_UPDATE should say now; 0: not worth one. */
static inline uint32_t h2_inflow_due(const struct h2_inflow *f)
{
	uint32_t reserve = f->reserve_bytes, least = reserve + (f->target_bytes - reserve) / 2;
	return f->owed_bytes > reserve && f->owed_bytes >= least ? f->owed_bytes - reserve : 0;
}

/* Received and not given back yet. */
static inline int64_t h2_inflow_held(const struct h2_inflow *f)
{
	return (int64_t)f->target_bytes - f->avail_bytes - f->owed_bytes;
}

/* Halves the window, but not below `least`; false: it is that small. */
bool h2_inflow_shrink(struct h2_inflow *f, uint32_t least);
/* An eighth more, up to the whole. */
void h2_inflow_grow(struct h2_inflow *f);

/* The WINDOW_UPDATE is in the output. */
void h2_inflow_told(struct h2_inflow *f);
#endif
