#include "base/utf8.h"
#include "tap.h"

/* Encodes without a look at what is allowed, in `n` bytes. */
static void encode(uint32_t c, unsigned n, uint8_t *out)
{
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (unsigned i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (uint8_t)(0x80 | (c & 0x3f));
	out[0] = (uint8_t)(lead[n] | c);
}

static unsigned shortest(uint32_t c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

TEST(exactly_the_shortest_form_of_every_character_is_accepted)
{
	static const uint32_t limit[] = {0, 0x80, 0x800, 0x10000, 0x200000};
	uint8_t s[4];
	for (unsigned n = 1; n <= 4; n++) {
		for (uint32_t c = 0; c < limit[n]; c++) {
			bool good = n == shortest(c) && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
			encode(c, n, s);
			REQUIRE(utf8_char_bytes(s, n) == (good ? n : 0));
		}
	}
}

TEST(a_character_cut_short_or_broken_is_refused)
{
	uint8_t s[5];
	static const uint32_t some[] = {0x80, 0x7ff, 0x800, 0xfffd, 0x10000, 0x10ffff};
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		unsigned n = shortest(some[i]);
		encode(some[i], n, s);
		s[n] = 'x';
		CHECK_EQ(utf8_char_bytes(s, n + 1), n);
		for (unsigned len = 1; len < n; len++)
			CHECK_EQ(utf8_char_bytes(s, len), 0);
		for (unsigned at = 1; at < n; at++) {
			uint8_t keep = s[at];
			s[at] = 'x';
			CHECK_EQ(utf8_char_bytes(s, n), 0);
			s[at] = 0xc0;
			CHECK_EQ(utf8_char_bytes(s, n), 0);
			s[at] = keep;
		}
	}
	for (unsigned lead = 0xf8; lead <= 0xff; lead++)
		CHECK_EQ(utf8_char_bytes((uint8_t[]){(uint8_t)lead, 0x80, 0x80, 0x80, 0x80}, 5), 0);
}

TAP_MAIN()
