/* hpack_huff.c - the Huffman code of RFC 7541 appendix B.
 *
 * Decoding looks the next eight bits up; nearly all of what headers are made of has codes of five
 * to eight. The longer codes are found by their length: the code is canonical, so among the codes
 * of one length the number of a code gives its place. Tables are made by the compiler from
 * hpack_huff.def. */
#include "http2/hpack_priv.h"

struct code {
	uint32_t code;
	uint32_t bits;
};

static const struct code codes[257] = {
#define HUFF_SHORT(symbol, code, bits) [symbol] = {code, bits},
#define HUFF_LONG(symbol, code, bits)  [symbol] = {code, bits},
#define HUFF_RUN(bits, first_code, first, n)
#include "http2/hpack_huff.def"
#undef HUFF_SHORT
#undef HUFF_LONG
#undef HUFF_RUN
};

struct short_code {
	uint8_t symbol;
	uint8_t bits; /* 0: the code is longer than eight bits */
};

/* By the next eight bits. (Ranges in initialisers are an extension of gcc and clang.) */
__extension__ static const struct short_code short_codes[256] = {
#define HUFF_SHORT(symbol, code, bits)                                                             \
	[(code) << (8 - (bits))...((code) << (8 - (bits))) + (1 << (8 - (bits))) - 1] = {          \
		symbol, bits},
#define HUFF_LONG(symbol, code, bits)
#define HUFF_RUN(bits, first_code, first, n)
#include "http2/hpack_huff.def"
#undef HUFF_SHORT
#undef HUFF_LONG
#undef HUFF_RUN
};

#define EOS 256u

static const uint16_t long_symbols[] = {
#define HUFF_SHORT(symbol, code, bits)
#define HUFF_LONG(symbol, code, bits) symbol,
#define HUFF_RUN(bits, first_code, first, n)
#include "http2/hpack_huff.def"
#undef HUFF_SHORT
#undef HUFF_LONG
#undef HUFF_RUN
};

static const struct long_run {
	uint64_t limit; /* the codes of this length, left-aligned in 32 bits, are below */
	uint32_t first_code;
	uint16_t first; /* in long_symbols */
	uint8_t bits;
} long_runs[] = {
#define HUFF_SHORT(symbol, code, bits)
#define HUFF_LONG(symbol, code, bits)
#define HUFF_RUN(bits, first_code, first, n)                                                       \
	{((uint64_t)(first_code) + (n)) << (32 - (bits)), first_code, first, bits},
#include "http2/hpack_huff.def"
#undef HUFF_SHORT
#undef HUFF_LONG
#undef HUFF_RUN
};

size_t hpack_huff_len(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	size_t bits = 0;
	for (size_t i = 0; i < len; i++)
		bits += codes[at[i]].bits;
	return (bits + 7) / 8;
}

size_t hpack_huff_encode(const void *bytes, size_t len, uint8_t *out)
{
	const uint8_t *at = bytes, *end = at + len;
	uint8_t *start = out;
	uint64_t acc =
		0; /* the low `n` bits are not written yet; fewer than 32 at the top of the loop */
	unsigned n = 0;
	while (at < end) {
		struct code c = codes[*at++];
		acc = acc << c.bits | c.code;
		n += c.bits;
		if (n >= 32) {
			n -= 32;
			uint32_t word = __builtin_bswap32((uint32_t)(acc >> n));
			memcpy(out, &word, sizeof(word));
			out += sizeof(word);
		}
	}
	for (; n >= 8; n -= 8)
		*out++ = (uint8_t)(acc >> (n - 8));
	if (n) /* padded with the most significant bits of EOS: ones */
		*out++ = (uint8_t)(acc << (8 - n) | 0xff >> n);
	return (size_t)(out - start);
}

/* The bits of the long code that `window` (left-aligned) begins with; its symbol. */
static unsigned long_code(uint32_t window, unsigned *symbol)
{
	const struct long_run *run = long_runs; /* their codes have 11 to 30 bits */
	while (window >= run->limit)            /* the last run's limit is 2^32 */
		run++;
	*symbol =
		long_symbols[run->first + ((window >> ((32 - run->bits) & 31)) - run->first_code)];
	return run->bits;
}

/* The next four bytes, or what there is of them, left-aligned. */
static inline uint32_t load_be(const uint8_t *in, size_t len)
{
	uint32_t word;
	if (len >= 4) {
		memcpy(&word, in, sizeof(word));
		return __builtin_bswap32(word);
	}
	word = (uint32_t)in[0] << 24;
	if (len > 1)
		word |= (uint32_t)in[1] << 16;
	if (len > 2)
		word |= (uint32_t)in[2] << 8;
	return word;
}

/* The bits of the code that `acc` begins with. */
static inline unsigned next_code(uint64_t acc, unsigned *symbol)
{
	struct short_code s = short_codes[acc >> 56];
	*symbol = s.symbol;
	return LIKELY(s.bits) ? s.bits : long_code((uint32_t)(acc >> 32), symbol);
}

long hpack_huff_decode(const uint8_t *in, size_t len, char *out)
{
	char *start = out;
	uint64_t acc = 0; /* the next `n` bits, left-aligned, zeros below */
	unsigned n = 0, bits, symbol;
	for (;;) {
		if (len) {
			unsigned bytes = len < 4 ? (unsigned)len : 4;
			acc |= (uint64_t)load_be(in, len) << (32 - n);
			n += bytes * 8;
			in += bytes;
			len -= bytes;
		}
		if (n < 32)
			break;
		do { /* 32 bits hold any code */
			bits = next_code(acc, &symbol);
			if (UNLIKELY(symbol == EOS)) /* 5.2: an error inside a string */
				return ERR_PROTOCOL;
			*out++ = (char)symbol;
			acc <<= bits;
			n -= bits;
		} while (n >= 32);
	}
	while ((bits = next_code(acc, &symbol)) <= n) {
		if (UNLIKELY(symbol == EOS))
			return ERR_PROTOCOL;
		*out++ = (char)symbol;
		acc <<= bits;
		n -= bits;
	}
	/* 5.2: padding is shorter than a byte, and all ones */
	if (n > 7 || acc != ~(UINT64_MAX >> n))
		return ERR_PROTOCOL;
	return (long)(out - start);
}
