/* body_status.h - the filter that finds the status which gRPC-Web and Connect have in the body of a
 * response, and tells the call, as trailers do for gRPC.
 *
 * What it does: reads the last envelope (grpc/last.h); takes the HTTP status where a unary Connect
 * call has nothing else; marks a stream that ended without its last envelope as one without a
 * status. What it does not: see gRPC's calls, or those that are no RPC; hold bytes back.
 *
 * Owner: the call. Threads: its worker's. State: about 80 bytes. Errors: none. */
#ifndef WEIR_FILTER_BODY_STATUS_H
#define WEIR_FILTER_BODY_STATUS_H
#include "call/call.h"

extern const struct call_filter filter_body_status;
#endif
