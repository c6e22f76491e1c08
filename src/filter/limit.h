/* limit.h - limits.message_bytes: ends a call whose message is announced (or, for Connect unary,
 * has grown) above it, with RESOURCE_EXHAUSTED and a text that names size and limit. Whoever walks
 * the envelopes asks; that is count.c. */
#ifndef WEIR_FILTER_LIMIT_H
#define WEIR_FILTER_LIMIT_H
#include "base/assert.h"
#include "call/call.h"

void limit_refuse_message(struct call *c, enum lane_id lane, uint64_t message_bytes);

/* False: the call has been failed; its caller drops the event at hand. */
static inline bool limit_message(struct call *c, enum lane_id lane, uint64_t message_bytes)
{
	if (LIKELY(message_bytes <= c->generation->config->limits.message_bytes))
		return true;
	limit_refuse_message(c, lane, message_bytes);
	return false;
}
#endif
