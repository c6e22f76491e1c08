/* peer.h - one end of a conversation through Weir: a socket and an HTTP/2 connection, driven by
 * hand.
 *
 * What it does: says numbered messages and checks, byte by byte, that the other end's arrive in
 * order. What it does not: write anything on its own. All that a peer has to say leaves in one
 * write, at peer_flush, so that Weir's turns do not depend on who was scheduled when.
 *
 * Owner: main. One thread. Errors: whatever is not as expected ends the program with a line on
 * stderr. */
#ifndef WEIR_RATCHET_PEER_H
#define WEIR_RATCHET_PEER_H
#include <stdbool.h>
#include <stdint.h>
#include "http2/conn.h"

#define PEER_STREAMS  4
#define PAYLOAD_BYTES 128u
#define MESSAGE_BYTES (5 + PAYLOAD_BYTES) /* with the gRPC prefix */

/* One stream as one end sees it. Messages are numbered within the stream and direction. */
struct half {
	struct h2_stream *stream; /* NULL: none */
	uint64_t said;            /* messages */
	uint64_t heard_bytes;     /* of messages */
	bool ended;               /* the other end has ended */
};

struct peer {
	const char *name;
	int fd;
	struct h2_conn *h2;
	struct slab_pool *slabs;
	struct h2_books books;
	struct half halves[PEER_STREAMS]; /* in the order in which they were opened */
	unsigned closed;                  /* streams whose both directions have ended */
	unsigned ping_acks;
};

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);

void peer_init(struct peer *p, const char *name, enum h2_role role, int fd);
void peer_fini(struct peer *p);
void peer_read(struct peer *p); /* one recv, and all that follows from it */
void peer_flush(struct peer *p);

/* A new stream is the first half without one. */
void peer_ask(struct peer *p, const char *path, uint64_t number);
void peer_answer(struct peer *p, unsigned i);
void peer_say(struct peer *p, unsigned i, bool end); /* one message, in a frame of its own */
void peer_end(struct peer *p, unsigned i);           /* the client's END */
void peer_trailers(struct peer *p, unsigned i);      /* the server's */
uint64_t peer_heard(const struct peer *p);           /* whole messages, all streams */
void peer_forget(struct peer *p); /* streams that ended: their halves are free again */
#endif
