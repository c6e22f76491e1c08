/* waiting.h - calls that wait for a stream to their endpoint.
 *
 * A call waits while no connection to its endpoint has a free stream: the connection is being
 * opened, or every one carries as many streams as the server allows (RFC 9113 section 5.1.2). The
 * calls of an endpoint wait in one queue, oldest first; the first of them takes whichever stream
 * becomes free. When they need one, and there may be one, a further connection is opened.
 *
 * Whatever may end the wait (a stream has ended, a connection was established, SETTINGS have come,
 * a connection was lost) only marks the endpoint, with waiting_wake or waiting_link_gone. The event
 * loop starts or fails waiting calls afterwards, in waiting_run. So the end of one call never
 * starts, fails or ends another one within itself: it would be a recursion as deep as the queue is
 * long, and the queue's length is up to the clients. A loop iteration takes at most
 * WAITING_CALLS_PER_TURN calls; the others' turn comes in the next iterations, which do not sleep.
 *
 * While a queue is not empty, at least one connection to the endpoint is being opened or is
 * established and not closing, so something will wake the endpoint. Calls whose last such
 * connection has gone leave the queue for `lost`, from where the event loop sends them elsewhere.
 *
 * Owner: the endpoint. Threads: its worker's. Limits: none of its own; a waiting call is a stream
 * of its client (limits.streams_per_connection), and its request is held within the client's stream
 * window and counted in worker->waiting_bytes. */
#ifndef WEIR_PROXY_WAITING_H
#define WEIR_PROXY_WAITING_H
#include "call/call.h"
#include "proxy/pool.h"

#define WAITING_CALLS_PER_TURN 256u

struct upstream;

/* Starts the attempt on a connection to `e`, or lets it wait for one, which is opened when needed.
 * ERR_SYS, ERR_LIMIT: none can be opened, the attempt does not wait, and *why names the cause. */
int waiting_enqueue(struct pool_endpoint *e, struct upstream *u, const char **why) MUST_USE;
void waiting_leave(struct upstream *u); /* the attempt, which waits, waits no more */
/* A stream may be free. */
void waiting_wake(struct pool_endpoint *e);
/* A connection to `e` takes no more streams: it is closing, or gone, or (`refused`) could not be
 * established. `reason` and `why` are for the calls that only it could have served. */
void waiting_link_gone(
	struct pool_endpoint *e, bool refused, enum call_reason_id reason, const char *why);
/* The event loop's: serves the endpoints that were marked. Most iterations have none. */
void waiting_run(struct worker *w);

void waiting_init(struct pool_endpoint *e);
void waiting_fini(struct pool_endpoint *e);
#endif
