/* ending.h - how a call ended: who did it, why, and whether that was anybody's will.
 *
 * What it does: reads a finished call, and says so in one row of one table, for the metrics
 * weir_streams_ended_total and weir_streams_ended_by_total and for who writes about calls. What it
 * does not: count.
 *
 *   outcome    ended by
 *   WILL       the server's complete answer, whatever its status; RST_STREAM from either side with
 *              NO_ERROR or CANCEL, which say "no more of it" (RFC 9113 section 7)
 *   FAILURE    what neither side asked for: the upstream lost, unreachable or broken, a reset with
 *              any other code, a gRPC answer without grpc-status, Weir's own limits and its end
 *   EXCLUDED   of which nobody can say: the client's connection went away under its streams; or the
 *              call was never accepted: no route, malformed, headers too large, refused
 *
 * Owner: none, values only. Threads: any. Errors: none. */
#ifndef WEIR_CALL_ENDING_H
#define WEIR_CALL_ENDING_H
#include "call/call.h"

enum call_outcome { OUTCOME_WILL, OUTCOME_FAILURE, OUTCOME_EXCLUDED, OUTCOME_COUNT };

/* The rows of reason.def, and the ways to end that are no reason for Weir to do anything. */
enum call_ending {
#define REASON(id, label, grpc, http) ENDING_##id,
#include "call/reason.def"
#undef REASON
	ENDING_COMPLETE,
	ENDING_NO_STATUS,
	ENDING_CLIENT_CANCEL,
	ENDING_UPSTREAM_CANCEL,
	ENDING_REFUSED,
	ENDING_COUNT,
};

/* Of a call whose both ends are done. */
enum call_ending call_ending(const struct call *c);
enum call_outcome call_ending_outcome(enum call_ending e);
const char *call_ending_label(enum call_ending e); /* "complete", "upstream_lost" */
const char *call_ending_by(enum call_ending e);    /* "client", "upstream", "weir" */
const char *call_outcome_label(enum call_outcome o);
#endif
