/* hpack_huff_test.c - Huffman both ways (RFC 7541 5.2, appendix B), and integers at their edges. */
#include "http2/hpack_testing.h"

static void check_code(const char *text, const char *hex)
{
	uint8_t want[256], out[256];
	char back[256];
	size_t n = unhex(hex, want);
	CHECK_EQ(hpack_huff_len(text, strlen(text)), n);
	CHECK_MEM(out, hpack_huff_encode(text, strlen(text), out), want, n);
	long len = hpack_huff_decode(want, n, back);
	CHECK_MEM(back, len, text, strlen(text));
}

TEST(rfc7541_appendix_c_strings_code_both_ways)
{
	check_code("www.example.com", "f1e3c2e5f23a6ba0ab90f4ff");
	check_code("no-cache", "a8eb10649cbf");
	check_code("custom-value", "25a849e95bb8e8b4bf");
	check_code("Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff");
	check_code("307", "640eff");
	check_code("", "");
}

TEST(rfc7541_appendix_b_every_symbol_alone_and_between_others)
{
	for (unsigned symbol = 0; symbol < 256; symbol++) {
		for (unsigned before = 0; before < 8; before++) {
			char text[16], back[64];
			uint8_t out[64];
			memset(text, 'a', before); /* five bits each: every alignment */
			text[before] = (char)symbol;
			text[before + 1] = 'z';
			size_t n = hpack_huff_encode(text, before + 2, out);
			CHECK_EQ(n, hpack_huff_len(text, before + 2));
			long len = hpack_huff_decode(out, n, back);
			CHECK_MEM(back, len, text, before + 2);
		}
	}
}

TEST(rfc7541_5_2_all_two_byte_inputs_decode_to_what_encodes_to_them)
{
	unsigned valid = 0;
	for (unsigned v = 0; v < 65536; v++) {
		uint8_t in[2] = {(uint8_t)(v >> 8), (uint8_t)v}, again[8];
		char out[8];
		long len = hpack_huff_decode(in, 2, out);
		if (len < 0)
			continue;
		valid++;
		CHECK_MEM(again, hpack_huff_encode(out, (size_t)len, again), in, 2);
	}
	CHECK(valid > 1000);
}

TEST(rfc7541_5_2_every_padding_but_up_to_seven_ones_is_refused)
{
	char out[16];
	for (unsigned v = 0; v < 8; v++) { /* 'a' is 00011 */
		uint8_t in = (uint8_t)(0x18 | v);
		CHECK_EQ(hpack_huff_decode(&in, 1, out), v == 7 ? 1 : ERR_PROTOCOL);
	}
	static const uint8_t seven[] = {0x1f, 0x7f}; /* 'a', ?: 00011 11101111111 */
	CHECK(hpack_huff_decode(seven, 2, out) != 1);
	static const uint8_t ones[] = {0xff, 0xff, 0xff, 0xff, 0xff};
	for (size_t n = 1; n <= sizeof(ones); n++)
		CHECK_EQ(hpack_huff_decode(ones, n, out), ERR_PROTOCOL);
}

TEST(random_strings_survive_huffman_with_no_byte_written_behind_the_end)
{
	struct rand r;
	rand_seed(&r, 11);
	for (int round = 0; round < 20000; round++) {
		size_t len = rand_below(&r, 80);
		char *text = malloc(len + 1);
		for (size_t i = 0; i < len; i++)
			text[i] =
				(char)(rand_below(&r, 8) ? 32 + rand_below(&r, 95) : rand_u64(&r));
		size_t n = hpack_huff_len(text, len);
		uint8_t *out = malloc(n + 1);
		char *back = malloc(n * 8 / 5 + 1);
		CHECK_EQ(hpack_huff_encode(text, len, out), n);
		long got = hpack_huff_decode(out, n, back);
		CHECK_MEM(back, got, text, len);
		free(text);
		free(out);
		free(back);
	}
}

TEST(rfc7541_5_1_integers_survive_every_prefix_at_every_edge)
{
	for (unsigned bits = 1; bits <= 8; bits++) {
		for (unsigned shift = 0; shift <= 32; shift++) {
			for (int64_t around = -3; around <= 3; around++) {
				int64_t v = ((int64_t)1 << shift) + around + (1 << bits) - 1;
				if (v < 0 || v > UINT32_MAX)
					continue;
				uint8_t out[HPACK_INT_MAX_BYTES];
				size_t n =
					(size_t)(hpack_int_write(out, 0, bits, (uint32_t)v) - out);
				REQUIRE(n <= sizeof(out));
				uint32_t got = 0;
				const uint8_t *at = out;
				CHECK_EQ(hpack_int_decode(&at, out + n, bits, &got), 0);
				CHECK_EQ(got, v);
				CHECK_EQ(at - out, n);
				for (size_t cut = 1; cut < n; cut++) {
					at = out;
					CHECK_EQ(hpack_int_decode(&at, out + cut, bits, &got),
						ERR_PROTOCOL);
				}
			}
		}
	}
}

TAP_MAIN()
