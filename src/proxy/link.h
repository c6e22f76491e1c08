/* link.h - one upstream connection, shared by many calls' attempts.
 *
 *   CONNECTING -> READY -> CLOSING (GOAWAY seen, retired, ids nearly used up: no new streams) ->
 * gone attempts wait here until the connection stands and a stream slot is free
 *
 * What it does: carries engine events to the attempt (struct upstream) that each stream belongs to,
 * hands waiting attempts on when this link can't take them, tells every attempt the truth when it
 * ends. Owner: its pool_endpoint. Threads: its worker's. */
#ifndef WEIR_PROXY_LINK_H
#define WEIR_PROXY_LINK_H
#include "proxy/h2io.h"
#include "proxy/pool.h"

#define LINK_BLOCKED_NS                                                                            \
	(100 * 1000000ull)     /* on the connection window: then new streams go elsewhere */
#define LINK_IDS_RESERVE 1000u /* replaced before its stream ids run out */

enum link_state { LINK_CONNECTING, LINK_READY, LINK_CLOSING };

struct upstream;

struct link {
	struct h2io io;
	struct pool_endpoint *endpoint;
	enum link_state state;
	struct list node;          /* in endpoint->links */
	struct list waiting;       /* of struct upstream: no stream yet */
	struct list active;        /* of struct upstream: with a stream */
	uint64_t blocked_since_ns; /* 0 = not blocked on the connection window */
	bool goaway;               /* the peer's has come */
	bool split;    /* blocked for LINK_BLOCKED_NS: takes no new streams while it lasts */
	char why[160]; /* what ended it, for its calls */
};

/* Puts the attempt on a link of `e`, opening one when needed: it is started at once or waits. On
 * failure the attempt is on no link and *why names the cause. */
int link_enqueue(struct pool_endpoint *e, struct upstream *u, const char **why) MUST_USE;
void link_leave(struct upstream *u); /* takes the attempt off its link's lists */
bool link_any_ready(const struct pool_endpoint *e);
void link_retire(struct link *l); /* no new calls; closes with its last */
void link_stream_ended(
	struct link *l);             /* an attempt let go of its stream: room for a waiting one */
bool link_is(const struct h2io *io); /* is this connection a link */
void link_check_blocked(struct worker *w, uint64_t now_ns);
#endif
