/* count.h - the filter that counts streams, messages and bytes while they pass: GROUP(STREAM) and
 * GROUP(STREAM_STATUS) of metrics.def.
 *
 * What it does: walks both lanes' envelopes once, counts each message at its last byte, and hands
 * every size to limits.message_bytes (limit.h), so that nobody walks a second time. What it does
 * not: hold bytes back or change them.
 *
 * Whose series: listener, route, cluster; and service and method where the request is RPC traffic
 * and its path has that shape, else "". Non-RPC traffic counts its bytes and calls, and no
 * messages.
 *
 * Scanners can invent methods. So a method gets series of its own only when the route names both
 * service and method, when the series is there already, or when an upstream answered one of its
 * calls with success ("evidence": a response head with :status 200 of RPC content that is not
 * trailers-only, or grpc-status 0). Until then a call is *pending*: its counts stay with the call,
 * and at evidence go into the method's series all at once; a call that ends without evidence goes
 * to _OTHER. So:
 *   - the first call of a new method shows its messages when its response begins, later calls at
 * once;
 *   - every counter only rises, and each call is started and completed once, in the same series;
 *   - grpc_streams_active is exact at any time: a pending call is active under _OTHER and moves;
 *   - started - completed = active, but for pending calls, which are not yet started.
 *
 * Status: the grpc-status that the client saw; where there is none, Weir's own reason or the mapped
 * reset; else the mapped HTTP status. What gRPC-Web and Connect carry inside the content is found
 * by body_status.h; UNKNOWN when it is not there and HTTP says 200.
 *
 * State: 72 bytes a call, and one STREAM block while pending. Errors: out of memory counts as
 * _OTHER. */
#ifndef WEIR_FILTER_COUNT_H
#define WEIR_FILTER_COUNT_H
#include "call/call.h"

extern const struct call_filter filter_count;
#endif
