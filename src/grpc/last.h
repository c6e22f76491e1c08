/* last.h - the status in the last envelope of a response: gRPC-Web has its trailers there,
 * Connect's streams how they ended (a text of JSON), and an error of a unary Connect call is such a
 * text.
 *
 *   grpc_last_init(&l, wire); grpc_last_take(&l, at, len) ...; status = grpc_last_status(&l);
 *
 * What it does: walks the envelopes (frame.h) and reads the payload of those that are no messages,
 * byte by byte, so that it does not matter where it was cut. One that is compressed is kept until
 * it is whole, and unpacked (gunzip.h). What it does not: keep what is not compressed; check that a
 * text is well-formed beyond what it needs.
 *
 * Owner: embedded, about 100 bytes; grpc_last_fini gives back what is kept. Threads: one. Errors:
 * none: what can't be understood has no status. Limits: GRPC_LAST_BYTES of an envelope are looked
 * at; one that has more than that compressed is not understood. */
#ifndef WEIR_GRPC_LAST_H
#define WEIR_GRPC_LAST_H
#include "base/buf.h"
#include "grpc/frame.h"

#define GRPC_LAST_BYTES  16384u
#define GRPC_LAST_UNPACK 4u   /* compressed ones of a body; a body should have one */
#define GRPC_LAST_ABSENT (-1) /* no such envelope has come to its end */
#define GRPC_LAST_UNREAD (-2) /* one has, and nobody can say */

/* "grpc-status: 5\r\n" among other lines. */
struct grpc_last_fields {
	uint8_t matched;     /* characters of the name, from the beginning of the line */
	uint8_t len;         /* of `value` */
	bool value_is_whole; /* the first one counts */
	char value[3];       /* one more than any status has */
};

/* {"error": {"code": "not_found"}}, or without the outer object. */
struct grpc_last_json {
	uint8_t want;  /* objects around the code */
	uint8_t depth; /* brackets open */
	uint8_t on;    /* of those, objects on the way to the code */
	bool reached;  /* the object with the code was there */
	bool over, lost;
	bool string, escape;
	bool value; /* a value comes next, not a key */
	bool named; /* the key before it is the one that is looked for */
	uint8_t len;
	char text[20]; /* the string so far: no code or key that matters is longer */
};

struct grpc_last {
	struct grpc_walker walk;
	int8_t status;    /* of the present envelope, once it is known; else -1 */
	int8_t decided;   /* of the last whole one */
	uint16_t looked;  /* bytes of it */
	bool text;        /* base64 */
	bool packed;      /* the text of an error is compressed as a whole */
	uint8_t unpacked; /* so many */
	struct buf kept;  /* of a compressed one; `failed`: too long, or no memory */
	union {
		struct grpc_last_fields fields;
		struct grpc_last_json json;
	} in;
};

/* gRPC-Web, gRPC-Web-text or a Connect stream; GRPC_WIRE_CONNECT_UNARY: the text of an error, which
 * its head says is compressed or not. */
void grpc_last_init(struct grpc_last *l, enum grpc_wire wire, bool unary_is_compressed);
void grpc_last_fini(struct grpc_last *l);
void grpc_last_take(struct grpc_last *l, const uint8_t *at, size_t len);
void grpc_last_finish(struct grpc_last *l); /* no more comes */
/* enum grpc_status, or GRPC_LAST_... */
int grpc_last_status(const struct grpc_last *l);
#endif
