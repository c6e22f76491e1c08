/* sample_cut.h - a lane's bytes as parts of messages: where each begins, which bytes are its
 * payload, where it ends.
 *
 *   struct sample_part part;
 *   while (sample_cut_next(&cut, &at, end, &part)) { if (part.begins) ...; take part.at, part.len;
 * ... }
 *   ...at END: if (sample_cut_finish(&cut, &part)) ...
 *
 * What it does: walks envelopes like grpc/frame.h, but stops at the payload, too. gRPC-Web-text is
 * decoded into `text`, a little at a time. What it does not: keep bytes; take envelopes that are no
 * messages (gRPC-Web's trailers, Connect's end of stream).
 *
 * Owner: embedded. Threads: one. Errors: none. */
#ifndef WEIR_FILTER_SAMPLE_CUT_H
#define WEIR_FILTER_SAMPLE_CUT_H
#include "grpc/frame.h"

#define SAMPLE_CUT_TEXT_BYTES 256u

struct sample_cut {
	struct grpc_walker walk;
	bool text;       /* base64: the walker sees what it says */
	bool begun;      /* Connect unary: its one message has begun */
	bool compressed; /* Connect unary: its head says so */
};

/* What one piece has of one message: all of it, or less. */
struct sample_part {
	bool begins, ends;
	bool compressed;
	uint32_t size; /* announced by the envelope; Connect unary: 0 until it ends */
	const uint8_t *at;
	uint32_t len; /* payload bytes */
	uint8_t text[SAMPLE_CUT_TEXT_BYTES];
};

void sample_cut_init(struct sample_cut *s, enum grpc_wire wire, bool unary_is_compressed);
/* Moves *at forward; false when all is used. */
bool sample_cut_next(
	struct sample_cut *s, const uint8_t **at, const uint8_t *end, struct sample_part *out);
/* The lane has ended in order. True: that ended a message, of which `out` has the end. */
bool sample_cut_finish(struct sample_cut *s, struct sample_part *out);
#endif
