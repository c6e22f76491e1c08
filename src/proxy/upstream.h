/* upstream.h - the terminus that sends calls to clusters; each try at an endpoint is an attempt.
 *
 * Request bytes are held until the call is committed: by the response head, or by more than
 * limits.replay_bytes (64 KiB) of them. While they are held, a call that the endpoint provably did
 * not process (never sent, REFUSED_STREAM, above GOAWAY's last id) is sent again, to another
 * endpoint where there is one, at most UPSTREAM_ATTEMPTS times.
 *
 *   WAITING (for a stream to its endpoint: waiting.h) -> OPEN (has a stream) -> done
 *
 * Owner: its call. */
#ifndef WEIR_PROXY_UPSTREAM_H
#define WEIR_PROXY_UPSTREAM_H
#include "call/call.h"
#include "http2/conn.h"
#include "proxy/pool.h"

#define UPSTREAM_ATTEMPTS 4

struct link;

/* What may have to be sent (again), and where it was sent; until commit. */
struct held {
	struct fields *head;          /* or, when very many calls are open: */
	struct fields_packed *packed; /* once it was sent */
	struct fields *trailers;
	uint8_t *bytes; /* the content so far */
	uint32_t len, cap;
	uint64_t tried; /* endpoints, by index modulo 64 */
	unsigned attempts;
};

struct upstream {
	struct call *call;
	struct link *link;        /* NULL: waiting, or over */
	struct h2_stream *stream; /* the same */
	struct held *held;        /* NULL: the call is committed */
	bool request_ended;       /* END has come from the client */
	bool waiting;             /* in endpoint->waiting or endpoint->lost */
	/* Bytes of the request that were credited to the client; of those, what this attempt has
	 * still to admit again. Until commit, which the window bounds; then only the second, 0,
	 * counts. */
	uint32_t credited, again;
	struct pool_endpoint *endpoint; /* of the current attempt */
	struct list node;               /* in endpoint->waiting or ->lost, or link->active */
};

extern const struct call_terminus upstream_terminus;
extern const struct call_terminus nowhere_terminus; /* no route matched: says so */
uint64_t upstream_queued(const struct call *c);     /* request bytes held or queued */
/* The stream of its attempt, and the connection it is on. NULL: it has none (yet, or any more). */
const struct h2io *upstream_stream(const struct call *c, struct h2_stream_info *out);

/* From the link. */
/* It has a free stream: opens it, sends what is held. */
void upstream_start(struct upstream *u);
void upstream_on_message(struct upstream *u, struct h2_event *ev);
void upstream_on_event(struct upstream *u, struct h2_event *ev); /* any other of its stream */
/* The link ended. Without a stream the attempt is provably unprocessed. */
void upstream_link_lost(struct upstream *u, enum call_reason_id reason, const char *why);
#endif
