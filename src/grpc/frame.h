/* frame.h - where messages begin and end in a byte stream, without looking inside.
 *
 * What it does: walks the envelopes of gRPC (5-byte prefix), gRPC-Web (same, trailer envelope 0x80
 * is not a message), gRPC-Web-text (base64 of the former, decoded for counting, padding may occur
 * in the middle), Connect streaming (end-stream envelope 0x02 is not a message) and Connect unary
 * (the body is one message). Exact for every split; O(1) state; copies nothing but base64's few
 * bytes. What it does not: decompress, parse protobuf, hold bytes back, or change them.
 *
 *   struct grpc_walker w; grpc_walker_init(&w, wire);
 *   const uint8_t *at = data, *end = data + len; uint32_t size;
 *   while (grpc_walk(&w, &at, end, &size)) count(size);     // one turn for each completed message
 *   ...at END: truncated += grpc_walker_finish(&w, &size) (may complete a Connect unary message)
 *
 * A message is complete when its last byte passed; its size is the payload without the prefix.
 * Owner: embedded, 24 bytes. Errors: none; unknown flag bits count as messages. */
#ifndef WEIR_GRPC_FRAME_H
#define WEIR_GRPC_FRAME_H
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/assert.h"
#include "http/fields.h"

enum grpc_wire {
	GRPC_WIRE_NONE, /* not RPC traffic: nothing is counted as a message */
	GRPC_WIRE_GRPC,
	GRPC_WIRE_WEB,
	GRPC_WIRE_WEB_TEXT,
	GRPC_WIRE_CONNECT_STREAM,
	GRPC_WIRE_CONNECT_UNARY,
};

/* By content-type (RFC 9110 8.3: parameters and case are ignored) and, for Connect unary,
 * connect-protocol-version. For a response, pass its own head; Connect unary responses follow
 * `request`. */
enum grpc_wire grpc_wire_of_request(const struct fields *head);
enum grpc_wire grpc_wire_of_response(enum grpc_wire request, const struct fields *head);
/* Content-encoding: what Connect's unary bodies have instead of a flag in an envelope. */
bool grpc_body_is_compressed(const struct fields *head);

struct grpc_walker {
	uint64_t left;    /* payload bytes of the current message that are still to come */
	uint32_t size;    /* of the current message */
	uint8_t wire;     /* enum grpc_wire */
	uint8_t have;     /* bytes of the prefix seen, 0-5 */
	uint8_t flag;     /* first byte of the prefix */
	uint8_t b64_have; /* base64 digits waiting */
	uint32_t b64_bits;
	uint16_t skip; /* flag bits of envelopes that are no messages */
};

void grpc_walker_init(struct grpc_walker *w, enum grpc_wire wire);
/* Moves *at forward; true when a message is complete (its size in *size; call again), false when
 * all input is used. */
static inline bool grpc_walk(
	struct grpc_walker *w, const uint8_t **at, const uint8_t *end, uint32_t *size);
enum grpc_walk_end {
	GRPC_WALK_CLEAN,     /* the lane ended between messages */
	GRPC_WALK_COMPLETE,  /* Connect unary: the end completed one message of *size bytes */
	GRPC_WALK_TRUNCATED, /* the lane ended inside a message or a prefix */
};
enum grpc_walk_end grpc_walker_finish(struct grpc_walker *w, uint32_t *size);
/* The announced size of the message that is under way, 0 when there is none: for message limits. */
uint32_t grpc_walker_pending(const struct grpc_walker *w);

/* The rest of grpc_walk: whatever is not a whole message in one piece. */
bool grpc_walk_slowly(
	struct grpc_walker *w, const uint8_t **at, const uint8_t *end, uint32_t *size);

/* For those who want the bytes of gRPC-Web-text: takes one character of base64; true when it
 * completes a byte. `w` is a walker of GRPC_WIRE_WEB, which then walks over these bytes. */
bool grpc_text_byte(struct grpc_walker *w, uint8_t c, uint8_t *byte);

#define GRPC_PREFIX_BYTES 5
#define GRPC_SLOW_ONLY    0x100u /* in grpc_walker.skip, above all flags: not this way */

/* The announced size where a whole message may begin: a prefix is there, and it is one of a
 * message. */
static inline bool grpc_walk_prefix(
	const struct grpc_walker *w, const uint8_t *at, size_t len, uint32_t *size)
{
	if (UNLIKELY(len < GRPC_PREFIX_BYTES))
		return false;
	memcpy(size, at + 1, sizeof *size);
	*size = be32toh(*size);
	return LIKELY(!((at[0] | GRPC_SLOW_ONLY) & w->skip));
}

/* For those who can do with less than a walk: the piece is exactly one message. */
static inline bool grpc_walk_is_single(
	const struct grpc_walker *w, const uint8_t *at, uint32_t len, uint32_t *size)
{
	return grpc_walk_prefix(w, at, len, size) && *size == len - GRPC_PREFIX_BYTES;
}

static inline bool grpc_walk(
	struct grpc_walker *w, const uint8_t **at, const uint8_t *end, uint32_t *size)
{
	const uint8_t *p = *at;
	size_t len = (size_t)(end - p);
	uint32_t n;
	if (UNLIKELY(!grpc_walk_prefix(w, p, len, &n) || n > len - GRPC_PREFIX_BYTES)) {
		/* by way of variables of its own: the caller's stay in registers */
		uint32_t found;
		bool whole = grpc_walk_slowly(w, &p, end, &found);
		*at = p;
		if (whole)
			*size = found;
		return whole;
	}
	*at = p + GRPC_PREFIX_BYTES + n;
	*size = n;
	return true;
}

/* Behind a message of `size` bytes: moves *at over the whole ones that follow with the same prefix
 * as each other and this size; how many. Floods are made of them. */
static inline uint32_t grpc_walk_alike(
	const struct grpc_walker *w, const uint8_t **at, const uint8_t *end, uint32_t size)
{
	const uint8_t *p = *at;
	size_t whole = GRPC_PREFIX_BYTES + (size_t)size;
	uint64_t prefix, other;
	uint32_t next, n = 0;
	if (size < sizeof prefix - GRPC_PREFIX_BYTES || (size_t)(end - p) < whole ||
		!grpc_walk_prefix(w, p, whole, &next) || next != size)
		return 0;
	memcpy(&prefix, p, sizeof prefix);
	prefix = be64toh(prefix) >> 24;
	do {
		p += whole;
		n++;
		if ((size_t)(end - p) < whole)
			break;
		memcpy(&other, p, sizeof other);
	} while (be64toh(other) >> 24 == prefix);
	*at = p;
	return n;
}
#endif
