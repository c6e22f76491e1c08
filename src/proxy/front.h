/* front.h - a downstream connection: makes calls of its streams.
 *
 *   accept -> sniff -> HTTP/2 preface: h2_conn, one call for each stream
 *                   -> HTTP/1 request line: 505 and close (an admin listener serves HTTP/1.1:
 * front1)
 *                   -> anything else, or no preface in time: closed and counted
 *
 * A call's front end is its h2_stream; stream and call know each other until one says done.
 * Owner: its worker. */
#ifndef WEIR_PROXY_FRONT_H
#define WEIR_PROXY_FRONT_H
#include "net/sock.h"
#include "proxy/h2io.h"
#include "proxy/worker.h"

struct front1;

struct front {
	struct h2io io;
	struct worker_listener *listener;
	struct list calls; /* of struct call, by node */
	uint8_t sniffed[24];
	uint8_t sniffed_len;
	struct front1 *http1; /* an HTTP/1.1 exchange is served here; else NULL */
	bool draining;
	char peer[SOCK_TEXT_MAX]; /* the client's address */
};

/* Takes fd. The connection is counted in the worker's cell already; on failure it is not uncounted.
 */
int front_create(struct worker *w, struct worker_listener *wl, int fd, const char *peer) MUST_USE;
void front_drain(struct h2io *io);    /* GOAWAY in two phases; closes when its last call ends */
void front_shutdown(struct h2io *io); /* every call ends UNAVAILABLE, then the connection */
struct list *front_calls(struct h2io *io); /* NULL: it is a link's */
/* The call's stream, and the connection it is on. NULL: it has none (any more), or it is HTTP/1. */
const struct h2io *front_stream(const struct call *c, struct h2_stream_info *out);
/* The memory budget is used up: the call with most queued bytes of this worker is ended, when this
 * worker holds more than any other. */
void front_cut_heaviest(struct worker *w);
/* Finds route and backend, opens the call and gives it its head; takes ev. `oversized`: the header
 * list was over limits.header_bytes. On ERR_NOMEM the call is discarded. */
int front_begin_call(struct call *c, struct event *ev, bool oversized,
	const struct call_terminus *local) MUST_USE;
#endif
