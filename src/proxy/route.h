/* route.h - which route a call takes, and which of its backends.
 *
 * Routes are tried in the order of the file, the first whose every condition holds wins: host
 * (exact, then
 * "*.suffix"; compared without port and case), gRPC service and method, path (exact or prefix),
 * headers. Backends are drawn by weight. Pure but for the draw: no state, no allocation. */
#ifndef WEIR_PROXY_ROUTE_H
#define WEIR_PROXY_ROUTE_H
#include "call/call.h"

/* Sets c->route and c->cluster; both stay NULL when nothing matches. */
void route_call(struct call *c, const struct fields *head);
bool route_matches(const struct config_match *m, const struct call *c, const struct fields *head);
/* The backend that a draw of 0 .. weight_sum-1 falls on. */
const struct config_backend *route_backend(const struct config_route *r, uint64_t draw);
#endif
