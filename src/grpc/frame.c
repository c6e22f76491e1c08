#include "grpc/frame.h"

/* Flag bits that mark an envelope which is no message (gRPC-Web's trailers, Connect's end of
 * stream), and one bit above all flags for the wires that can't take the short way of grpc_walk. */
static const uint16_t skip_of[] = {
	[GRPC_WIRE_NONE] = GRPC_SLOW_ONLY,
	[GRPC_WIRE_GRPC] = 0,
	[GRPC_WIRE_WEB] = 0x80,
	[GRPC_WIRE_WEB_TEXT] = GRPC_SLOW_ONLY | 0x80,
	[GRPC_WIRE_CONNECT_STREAM] = 0x02,
	[GRPC_WIRE_CONNECT_UNARY] = GRPC_SLOW_ONLY,
};

void grpc_walker_init(struct grpc_walker *w, enum grpc_wire wire)
{
	*w = (struct grpc_walker){.wire = (uint8_t)wire, .skip = skip_of[wire]};
}

static bool is_message(const struct grpc_walker *w)
{
	return !(w->flag & w->skip);
}

/* The last byte of an envelope passed. True when it was a message. */
static bool complete(struct grpc_walker *w, uint32_t *size)
{
	w->have = 0;
	*size = w->size;
	return is_message(w);
}

/* One byte of the prefix. True when it ends an empty message. */
static bool prefix_byte(struct grpc_walker *w, uint8_t byte, uint32_t *size)
{
	if (w->have++ == 0) {
		w->flag = byte;
		w->size = 0;
		return false;
	}
	w->size = w->size << 8 | byte;
	if (w->have < GRPC_PREFIX_BYTES)
		return false;
	w->left = w->size;
	return w->left == 0 && complete(w, size);
}

static bool walk_binary(
	struct grpc_walker *w, const uint8_t **at, const uint8_t *end, uint32_t *size)
{
	const uint8_t *p = *at;
	bool done = false;
	while (p < end && !done) {
		if (w->have < GRPC_PREFIX_BYTES) {
			done = prefix_byte(w, *p++, size);
			continue;
		}
		uint64_t take = (uint64_t)(end - p);
		if (take > w->left)
			take = w->left;
		p += take;
		w->left -= take;
		done = w->left == 0 && complete(w, size);
	}
	/* The short way begins at a prefix; one bit says that this is not the place. */
	w->skip = (uint16_t)((w->skip & 0xff) | (w->have ? GRPC_SLOW_ONLY : 0));
	*at = p;
	return done;
}

/* Values of base64 digits (RFC 4648 section 4) plus one, so that 0 means "no digit". */
static const uint8_t digits[256] = {
	['A'] = 1,
	['B'] = 2,
	['C'] = 3,
	['D'] = 4,
	['E'] = 5,
	['F'] = 6,
	['G'] = 7,
	['H'] = 8,
	['I'] = 9,
	['J'] = 10,
	['K'] = 11,
	['L'] = 12,
	['M'] = 13,
	['N'] = 14,
	['O'] = 15,
	['P'] = 16,
	['Q'] = 17,
	['R'] = 18,
	['S'] = 19,
	['T'] = 20,
	['U'] = 21,
	['V'] = 22,
	['W'] = 23,
	['X'] = 24,
	['Y'] = 25,
	['Z'] = 26,
	['a'] = 27,
	['b'] = 28,
	['c'] = 29,
	['d'] = 30,
	['e'] = 31,
	['f'] = 32,
	['g'] = 33,
	['h'] = 34,
	['i'] = 35,
	['j'] = 36,
	['k'] = 37,
	['l'] = 38,
	['m'] = 39,
	['n'] = 40,
	['o'] = 41,
	['p'] = 42,
	['q'] = 43,
	['r'] = 44,
	['s'] = 45,
	['t'] = 46,
	['u'] = 47,
	['v'] = 48,
	['w'] = 49,
	['x'] = 50,
	['y'] = 51,
	['z'] = 52,
	['0'] = 53,
	['1'] = 54,
	['2'] = 55,
	['3'] = 56,
	['4'] = 57,
	['5'] = 58,
	['6'] = 59,
	['7'] = 60,
	['8'] = 61,
	['9'] = 62,
	['+'] = 63,
	['/'] = 64,
};

/* Takes one character. True when it completes a byte. Padding closes its group of four at any
 * place, so that a stream of separately encoded chunks decodes as one; other characters are passed
 * over. */
static bool text_byte(struct grpc_walker *w, uint8_t c, uint8_t *byte)
{
	uint32_t v = digits[c];
	if (v == 0) {
		if (c == '=')
			w->b64_have = 0;
		return false;
	}
	w->b64_bits = (w->b64_bits << 6 | (v - 1)) & 0xfff;
	unsigned have = w->b64_have++;
	if (have == 0)
		return false;
	if (have == 3)
		w->b64_have = 0;
	/* The second, third and fourth digit leave 4, 2 and 0 bits of the next byte. */
	*byte = (uint8_t)(w->b64_bits >> (6 - 2 * have));
	return true;
}

bool grpc_text_byte(struct grpc_walker *w, uint8_t c, uint8_t *byte)
{
	return text_byte(w, c, byte);
}

/* Whole groups of four digits in the middle of a payload: three bytes each, none of which matters.
 * Stops before anything else, and before the group with the message's last byte. */
static const uint8_t *skip_groups(struct grpc_walker *w, const uint8_t *p, const uint8_t *end)
{
	while (end - p >= 4 && w->left > 3 && digits[p[0]] && digits[p[1]] && digits[p[2]] &&
		digits[p[3]]) {
		p += 4;
		w->left -= 3;
	}
	return p;
}

static bool walk_text(struct grpc_walker *w, const uint8_t **at, const uint8_t *end, uint32_t *size)
{
	const uint8_t *p = *at;
	bool done = false;
	while (p < end && !done) {
		uint8_t byte;
		if (w->have == GRPC_PREFIX_BYTES && w->b64_have == 0) {
			p = skip_groups(w, p, end);
			if (p == end)
				break;
		}
		if (!text_byte(w, *p++, &byte))
			continue;
		if (w->have < GRPC_PREFIX_BYTES)
			done = prefix_byte(w, byte, size);
		else
			done = --w->left == 0 && complete(w, size);
	}
	*at = p;
	return done;
}

bool grpc_walk_slowly(struct grpc_walker *w, const uint8_t **at, const uint8_t *end, uint32_t *size)
{
	switch ((enum grpc_wire)w->wire) {
	case GRPC_WIRE_GRPC:
	case GRPC_WIRE_WEB:
	case GRPC_WIRE_CONNECT_STREAM:
		return walk_binary(w, at, end, size);
	case GRPC_WIRE_WEB_TEXT:
		return walk_text(w, at, end, size);
	case GRPC_WIRE_CONNECT_UNARY:
		w->left += (uint64_t)(end - *at);
		break;
	case GRPC_WIRE_NONE:
		break;
	}
	*at = end;
	return false;
}

static uint32_t saturated(uint64_t bytes)
{
	return bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
}

enum grpc_walk_end grpc_walker_finish(struct grpc_walker *w, uint32_t *size)
{
	if (w->wire == GRPC_WIRE_CONNECT_UNARY) {
		*size = saturated(w->left);
		return GRPC_WALK_COMPLETE;
	}
	return w->have > 0 && is_message(w) ? GRPC_WALK_TRUNCATED : GRPC_WALK_CLEAN;
}

uint32_t grpc_walker_pending(const struct grpc_walker *w)
{
	if (w->wire == GRPC_WIRE_CONNECT_UNARY)
		return saturated(w->left);
	return w->have == GRPC_PREFIX_BYTES && is_message(w) ? w->size : 0;
}
