/* utf8.h - one question about UTF-8 (RFC 3629), asked where bytes of a peer are printed. */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H
#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed character that `s` begins with: 1-4; 0 when there is none (overlong,
 * surrogate, above U+10FFFF, cut short). len > 0. */
static inline unsigned utf8_char_bytes(const uint8_t *s, size_t len)
{
	unsigned n;
	uint8_t low = 0x80, high = 0xbf; /* bounds of the second byte: RFC 3629 section 4 */
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (len < n || s[1] < low || s[1] > high)
		return 0;
	for (unsigned i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}
#endif
