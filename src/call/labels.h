/* labels.h - series found once for each route, cluster and method, instead of for each call.
 *
 *   generation -> (listener, route, cluster) -> its timing series
 *                                            -> path -> the method's series, by status
 *
 * What it does: remembers pointers to series, which stay good for ever, by what a call has at hand:
 * three pointers and its path. What it does not: decide which series a call may have (the count
 * filter does). Bounded: at most LABELS_PATHS_MAX paths are remembered for each triple; further
 * ones are looked up anew. Owner: a worker's generation. Threads: its worker's. Errors: NULL where
 * nothing is remembered. */
#ifndef WEIR_CALL_LABELS_H
#define WEIR_CALL_LABELS_H
#include "base/map.h"
#include "call/call.h"
#include "call/ending.h"
#include "grpc/status.h"

#define LABELS_PATHS_MAX 4096u

/* One method's series; NULL = not looked up yet. */
struct method_labels {
	struct series *stream;                    /* GROUP_STREAM */
	struct series *status[GRPC_STATUS_COUNT]; /* GROUP_STREAM_STATUS */
};

/* One (listener, route, cluster). */
struct call_labels {
	const struct config_listener *listener;
	const struct config_route *route;
	const struct config_cluster *cluster;
	struct series *timing[2]; /* GROUP_TIMING, by enum lane_id */
	struct strmap methods;    /* by path: struct method_labels */
	/* By protocol, plain HTTP or RPC; NULL = not looked up yet. */
	struct series *ended[2][OUTCOME_COUNT];   /* GROUP_ENDED */
	struct series *ended_by[2][ENDING_COUNT]; /* GROUP_ENDED_BY */
	struct call_labels *next;                 /* in generation->labels */
};

/* Of this call; made at first sight. NULL: out of memory. */
struct call_labels *call_labels(struct call *c);
/* Of this call's path. NULL: not remembered, or out of memory. */
struct method_labels *labels_method(struct call_labels *l, const struct call *c);
/* Remembers this call's path, once. NULL: too many, or out of memory. */
struct method_labels *labels_remember(struct call_labels *l, const struct call *c);
/* Makes the series of all outcomes, so that they are seen at 0 before the first call ends.
 * `is_rpc`: its content is gRPC or a like of it. */
void labels_begin(struct call_labels *l, struct call *c, bool is_rpc);
/* Counts the end of this call; `l` may be NULL. */
void labels_ended(struct call_labels *l, struct call *c, bool is_rpc);
/* Forgets all; the generation is going. */
void labels_fini(struct call_generation *g);
#endif
