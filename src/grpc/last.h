/* last.h - the status in the last envelope of a response: gRPC-Web has its trailers there,
 * Connect's streams how they ended (a text of JSON), and an error of a unary Connect call is such a
 * text.
 *
 *   grpc_last_init(&l, wire); grpc_last_take(&l, at, len) ...; status = grpc_last_status(&l);
 *
 * What it does: walks the envelopes (frame.h) and reads the payload of those that are no messages,
 * byte by byte, so that it does not matter where it was cut. What it does not: keep what it read;
 * check that a text is well-formed beyond what it needs; decompress.
 *
 * Owner: embedded, about 60 bytes. Threads: one. Errors: none: what can't be understood has no
 * status. Limits: GRPC_LAST_BYTES of an envelope are looked at. */
#ifndef WEIR_GRPC_LAST_H
#define WEIR_GRPC_LAST_H
#include "grpc/frame.h"

#define GRPC_LAST_BYTES  16384u
#define GRPC_LAST_ABSENT (-1) /* no such envelope has come to its end */
#define GRPC_LAST_UNREAD (-2) /* one has, and nobody can say: compressed, or not understood */

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
	int8_t status;   /* of the present envelope, once it is known; else -1 */
	int8_t decided;  /* of the last whole one */
	uint16_t looked; /* bytes of it */
	bool text;       /* base64 */
	union {
		struct grpc_last_fields fields;
		struct grpc_last_json json;
	} in;
};

/* gRPC-Web, gRPC-Web-text or a Connect stream; GRPC_WIRE_CONNECT_UNARY: the text of an error. */
void grpc_last_init(struct grpc_last *l, enum grpc_wire wire);
void grpc_last_take(struct grpc_last *l, const uint8_t *at, size_t len);
/* enum grpc_status, or GRPC_LAST_... */
int grpc_last_status(const struct grpc_last *l);
#endif
