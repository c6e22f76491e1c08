/* hpack_int.c - integers that do not fit their prefix (RFC 7541 5.1). */
#include "http2/hpack_priv.h"

int hpack_int_continue(const uint8_t **at, const uint8_t *end, uint32_t value, uint32_t *out)
{
	uint64_t sum = value;
	/* Five groups of seven bits hold any 32-bit value; 5.1 lets us refuse longer encodings, and
	 * leading zeros are the way to make them endless. */
	for (unsigned shift = 0; shift < 35; shift += 7) {
		if (*at == end)
			return ERR_PROTOCOL;
		uint8_t byte = *(*at)++;
		sum += (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (sum > UINT32_MAX)
			return ERR_PROTOCOL;
		*out = (uint32_t)sum;
		return 0;
	}
	return ERR_PROTOCOL;
}

uint8_t *hpack_int_write_long(uint8_t *out, uint32_t rest)
{
	while (rest >= 0x80) {
		*out++ = (uint8_t)(rest | 0x80);
		rest >>= 7;
	}
	*out++ = (uint8_t)rest;
	return out;
}
