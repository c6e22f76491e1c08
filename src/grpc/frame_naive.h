/* frame_naive.h - the judge of grpc_walk in its test and its fuzz target: slow, whole-buffer,
 * obvious. Says which messages are complete in the first `len` bytes of a stream, and how the
 * stream would end. */
#ifndef WEIR_GRPC_FRAME_NAIVE_H
#define WEIR_GRPC_FRAME_NAIVE_H
#include <stdlib.h>
#include <string.h>
#include "grpc/frame.h"

struct naive {
	uint32_t *sizes; /* of completed messages; malloc */
	size_t count;
	uint32_t pending; /* announced size of the message under way */
	enum grpc_walk_end end;
	uint32_t end_size;
};

/* The bits of each run of digits between paddings, in whole bytes. */
static inline size_t naive_base64(const uint8_t *in, size_t len, uint8_t *out)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;
	unsigned bits = 0, bit_count = 0;
	for (size_t i = 0; i < len; i++) {
		if (in[i] == '=')
			bits = bit_count = 0;
		const char *digit = in[i] ? strchr(alphabet, in[i]) : NULL;
		if (!digit)
			continue;
		for (int b = 5; b >= 0; b--) {
			bits = bits << 1 | ((unsigned)(digit - alphabet) >> b & 1);
			if (++bit_count == 8) {
				out[n++] = (uint8_t)bits;
				bits = bit_count = 0;
			}
		}
		/* The fourth digit of a group ends on a byte: 4 x 6 = 3 x 8. */
	}
	return n;
}

static inline void naive_walk(enum grpc_wire wire, const uint8_t *in, size_t len, struct naive *r)
{
	uint8_t *decoded = NULL;
	*r = (struct naive){.sizes = calloc(len + 1, sizeof(uint32_t)), .end = GRPC_WALK_CLEAN};
	if (wire == GRPC_WIRE_NONE)
		return;
	if (wire == GRPC_WIRE_CONNECT_UNARY) {
		r->end = GRPC_WALK_COMPLETE;
		r->end_size = r->pending = (uint32_t)len;
		return;
	}
	if (wire == GRPC_WIRE_WEB_TEXT) {
		decoded = malloc(len + 1);
		len = naive_base64(in, len, decoded);
		in = decoded;
	}
	for (size_t at = 0; at < len;) {
		bool message = !((wire == GRPC_WIRE_WEB || wire == GRPC_WIRE_WEB_TEXT) &&
				       in[at] >= 0x80) &&
			       !(wire == GRPC_WIRE_CONNECT_STREAM && (in[at] & 2));
		if (len - at < 5) {
			r->end = message ? GRPC_WALK_TRUNCATED : GRPC_WALK_CLEAN;
			break;
		}
		uint64_t size = ((uint64_t)in[at + 1] << 24) + (in[at + 2] << 16) +
				(in[at + 3] << 8) + in[at + 4];
		if (len - at - 5 < size) {
			r->end = message ? GRPC_WALK_TRUNCATED : GRPC_WALK_CLEAN;
			r->pending = message ? (uint32_t)size : 0;
			break;
		}
		if (message)
			r->sizes[r->count++] = (uint32_t)size;
		at += 5 + size;
	}
	free(decoded);
}

static inline void naive_fini(struct naive *r)
{
	free(r->sizes);
}
#endif
