#include "metrics/protobuf.h"
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, VARINT_BYTES_MAX = 10 };

static size_t varint_encode(uint8_t *at, uint64_t v)
{
	size_t len = 0;
	for (; v > 0x7f; v >>= 7)
		at[len++] = (uint8_t)(v | 0x80);
	at[len++] = (uint8_t)v;
	return len;
}

void pb_varint(struct buf *out, uint64_t v)
{
	uint8_t bytes[VARINT_BYTES_MAX];
	buf_add(out, bytes, varint_encode(bytes, v));
}

/* 0, -1, 1, -2 ... become 0, 1, 2, 3 ... */
void pb_zigzag(struct buf *out, int64_t v)
{
	pb_varint(out, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

static void put_tag(struct buf *out, unsigned field, unsigned wire)
{
	pb_varint(out, field << 3 | wire);
}

void pb_uint(struct buf *out, unsigned field, uint64_t v)
{
	put_tag(out, field, WIRE_VARINT);
	pb_varint(out, v);
}

void pb_sint(struct buf *out, unsigned field, int64_t v)
{
	put_tag(out, field, WIRE_VARINT);
	pb_zigzag(out, v);
}

void pb_double(struct buf *out, unsigned field, double v)
{
	uint64_t bits;
	uint8_t bytes[8];
	memcpy(&bits, &v, sizeof bits);
	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(bits >> 8 * i);
	put_tag(out, field, WIRE_FIXED64);
	buf_add(out, bytes, sizeof bytes);
}

void pb_string(struct buf *out, unsigned field, const char *s, size_t len)
{
	put_tag(out, field, WIRE_LENGTH);
	pb_varint(out, len);
	buf_add(out, s, len);
}

/* One byte is kept for the length, which most messages here are content with. */
size_t pb_begin(struct buf *out, unsigned field)
{
	if (field)
		put_tag(out, field, WIRE_LENGTH);
	buf_char(out, 0);
	return out->len;
}

void pb_end(struct buf *out, size_t begun)
{
	uint8_t length[VARINT_BYTES_MAX];
	if (out->failed)
		return;
	size_t content = out->len - begun, more = varint_encode(length, content) - 1;
	buf_add(out, length, more); /* room */
	if (out->failed)
		return;
	memmove(out->bytes + begun + more, out->bytes + begun, content);
	memcpy(out->bytes + begun - 1, length, more + 1);
}
