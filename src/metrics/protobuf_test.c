/* protobuf_test.c - the wire format, byte by byte. */
#include "metrics/protobuf.h"
#include <string.h>
#include "base/mem.h"
#include "tap.h"

#define CHECK_BYTES(b, ...)                                                                        \
	do {                                                                                       \
		static const uint8_t want_[] = {__VA_ARGS__};                                      \
		CHECK_MEM((b)->bytes, (b)->len, want_, sizeof want_);                              \
		buf_clear(b);                                                                      \
	} while (0)

TEST(varints_have_seven_bits_a_byte_the_least_first)
{
	struct buf b;
	buf_init(&b);
	pb_varint(&b, 0);
	CHECK_BYTES(&b, 0);
	pb_varint(&b, 127);
	CHECK_BYTES(&b, 0x7f);
	pb_varint(&b, 128);
	CHECK_BYTES(&b, 0x80, 0x01);
	pb_varint(&b, 300);
	CHECK_BYTES(&b, 0xac, 0x02);
	pb_varint(&b, 16383);
	CHECK_BYTES(&b, 0xff, 0x7f);
	pb_varint(&b, 16384);
	CHECK_BYTES(&b, 0x80, 0x80, 0x01);
	pb_varint(&b, UINT64_MAX);
	CHECK_BYTES(&b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
	buf_fini(&b);
}

TEST(signed_numbers_are_zigzag)
{
	struct buf b;
	buf_init(&b);
	pb_zigzag(&b, 0);
	pb_zigzag(&b, -1);
	pb_zigzag(&b, 1);
	pb_zigzag(&b, -2);
	pb_zigzag(&b, 64);
	CHECK_BYTES(&b, 0, 1, 2, 3, 0x80, 0x01);
	pb_zigzag(&b, INT64_MAX);
	CHECK_BYTES(&b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
	pb_zigzag(&b, INT64_MIN);
	CHECK_BYTES(&b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
	buf_fini(&b);
}

TEST(fields_begin_with_their_number_and_wire_type)
{
	struct buf b;
	buf_init(&b);
	pb_uint(&b, 1, 150);
	CHECK_BYTES(&b, 0x08, 0x96, 0x01);
	pb_sint(&b, 5, 3);
	CHECK_BYTES(&b, 0x28, 0x06);
	pb_double(&b, 6, 0x1p-20);
	CHECK_BYTES(&b, 0x31, 0, 0, 0, 0, 0, 0, 0xb0, 0x3e);
	pb_double(&b, 2, -1.5);
	CHECK_BYTES(&b, 0x11, 0, 0, 0, 0, 0, 0, 0xf8, 0xbf);
	pb_string(&b, 2, "testing", 7);
	CHECK_BYTES(&b, 0x12, 0x07, 't', 'e', 's', 't', 'i', 'n', 'g');
	pb_string(&b, 16, "", 0);
	CHECK_BYTES(&b, 0x82, 0x01, 0x00);
	buf_fini(&b);
}

TEST(messages_get_their_length_when_they_end)
{
	struct buf b;
	buf_init(&b);
	size_t outer = pb_begin(&b, 3), inner = pb_begin(&b, 1);
	pb_uint(&b, 1, 150);
	pb_end(&b, inner);
	pb_end(&b, outer);
	CHECK_BYTES(&b, 0x1a, 0x05, 0x0a, 0x03, 0x08, 0x96, 0x01);
	pb_end(&b, pb_begin(&b, 4));
	CHECK_BYTES(&b, 0x22, 0x00);
	size_t delimited = pb_begin(&b, 0);
	pb_uint(&b, 1, 1);
	pb_end(&b, delimited);
	CHECK_BYTES(&b, 0x02, 0x08, 0x01);
	buf_fini(&b);
}

/* `len` bytes inside, each what its place says, with a head and a tail around. */
static void check_length(size_t len, const uint8_t *head, size_t head_len)
{
	struct buf b;
	buf_init(&b);
	buf_char(&b, '<');
	size_t begun = pb_begin(&b, 1);
	for (size_t i = 0; i < len; i++)
		buf_char(&b, (char)(i % 251));
	pb_end(&b, begun);
	buf_char(&b, '>');
	REQUIRE(b.len == 1 + head_len + len + 1);
	CHECK(b.bytes[0] == '<' && b.bytes[b.len - 1] == '>' && !b.bytes[b.len]);
	CHECK_MEM(b.bytes + 1, head_len, head, head_len);
	size_t same = 0;
	while (same < len && b.bytes[1 + head_len + same] == (char)(same % 251))
		same++;
	CHECK_EQ(same, len);
	buf_fini(&b);
}

TEST(a_length_of_more_than_a_byte_moves_what_is_inside)
{
	check_length(127, (const uint8_t[]){0x0a, 0x7f}, 2);
	check_length(128, (const uint8_t[]){0x0a, 0x80, 0x01}, 3);
	check_length(16383, (const uint8_t[]){0x0a, 0xff, 0x7f}, 3);
	check_length(16384, (const uint8_t[]){0x0a, 0x80, 0x80, 0x01}, 4);
	check_length(2097152, (const uint8_t[]){0x0a, 0x80, 0x80, 0x80, 0x01}, 5);
}

TEST(without_memory_the_buffer_says_so_and_nothing_is_overrun)
{
	bool whole = false;
	for (long n = 1; n < 40 && !whole; n++) {
		struct buf b;
		buf_init(&b);
		mem_fail_after(n);
		size_t outer = pb_begin(&b, 1);
		for (unsigned i = 0; i < 300; i++) {
			size_t inner = pb_begin(&b, 2);
			for (unsigned j = 0; j < i; j++)
				pb_uint(&b, 1, j);
			pb_end(&b, inner);
		}
		pb_end(&b, outer);
		mem_fail_after(0);
		whole = !b.failed;
		buf_fini(&b);
	}
	CHECK(whole);
}

TAP_MAIN()
