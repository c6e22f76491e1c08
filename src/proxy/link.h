/* link.h - one upstream connection, shared by many calls' attempts.
 *
 *   CONNECTING -> READY -> CLOSING (GOAWAY seen, retired, few ids left: no new streams) -> gone
 *
 * What it does: carries engine events to the attempt (struct upstream) that each stream belongs to,
 * tells every attempt why when the connection ends. What it does not: keep attempts that have no
 * stream yet; they wait in their endpoint's queue (waiting.h), which is woken by whatever gives
 * this connection a free stream. Owner: its pool_endpoint. Threads: its worker's. */
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
	struct list active;        /* of struct upstream: with a stream */
	uint64_t blocked_since_ns; /* 0 = not blocked on the connection window */
	bool goaway;               /* the peer's has come */
	bool split;    /* blocked for LINK_BLOCKED_NS: takes no new streams while it lasts */
	char why[160]; /* what ended it, for its calls */
};

/* Begins to connect. NULL: *why names the cause. */
struct link *link_open(struct pool_endpoint *e, const char **why) MUST_USE;
/* The oldest connection with a free stream, or NULL. */
struct link *link_with_room(struct pool_endpoint *e);
/* Opens the attempt's stream; l has room. */
void link_start(struct link *l, struct upstream *u);
void link_leave(struct upstream *u); /* the attempt has no stream on its link any more */
bool link_any_ready(const struct pool_endpoint *e);
/* Is there a connection that takes new streams, now or later? */
bool link_available(const struct pool_endpoint *e);
/* Is there a connection that may turn out to have free streams: being opened, or its SETTINGS have
 * not come? */
bool link_expected(const struct pool_endpoint *e);
void link_retire(struct link *l); /* no new calls; closes with its last */
/* An attempt has released its stream. Starts no other one: that is the event loop's part. */
void link_stream_ended(struct link *l);
bool link_is(const struct h2io *io); /* is this connection a link */
void link_check_blocked(struct worker *w, uint64_t now_ns);
#endif
