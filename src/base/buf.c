#include "base/buf.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/assert.h"
#include "base/utf8.h"

#define CAP_MIN 128u

void buf_init(struct buf *b)
{
	*b = (struct buf){NULL, 0, 0, false};
}

void buf_fini(struct buf *b)
{
	mem_free(b->bytes);
	buf_init(b);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->bytes)
		b->bytes[0] = '\0';
}

/* Room for `more` bytes and the NUL behind them. */
static bool reserve(struct buf *b, size_t more)
{
	if (b->failed)
		return false;
	if (LIKELY(more < b->cap - b->len))
		return true;
	size_t cap = b->cap ? b->cap : CAP_MIN;
	while (cap - b->len <= more && cap <= SIZE_MAX / 2)
		cap *= 2;
	char *bytes = cap - b->len > more ? mem_realloc(b->bytes, cap) : NULL;
	if (!bytes) {
		b->failed = true;
		return false;
	}
	b->bytes = bytes;
	b->cap = cap;
	return true;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len)
		memcpy(b->bytes + b->len, bytes, len);
	b->len += len;
	b->bytes[b->len] = '\0';
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_vfmt(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	if (!reserve(b, CAP_MIN / 2))
		return;
	va_copy(again, ap);
	int len = vsnprintf(b->bytes + b->len, b->cap - b->len, fmt, ap);
	if (len < 0) {
		b->failed = true;
	} else if ((size_t)len < b->cap - b->len) {
		b->len += (size_t)len;
	} else if (reserve(b, (size_t)len)) {
		vsnprintf(b->bytes + b->len, b->cap - b->len, fmt, again);
		b->len += (size_t)len;
	}
	va_end(again);
	b->bytes[b->len] = '\0'; /* also after a failure: cut what vsnprintf left */
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vfmt(b, fmt, ap);
	va_end(ap);
}

void buf_u64(struct buf *b, unsigned long long v)
{
	char digits[20]; /* 2^64-1 has 20 */
	char *at = digits + sizeof(digits);
	do {
		*--at = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_add(b, at, (size_t)(digits + sizeof(digits) - at));
}

static void json_ascii(struct buf *b, char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
	const char *at = c ? strchr(plain, c) : NULL;
	if (at) {
		buf_add(b, (char[]){'\\', letter[at - plain]}, 2);
	} else if ((unsigned char)c < 0x20 || c == 0x7f) {
		buf_add(b, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
	} else {
		buf_char(b, c);
	}
}

void buf_json(struct buf *b, const char *s, size_t len)
{
	buf_char(b, '"');
	for (size_t i = 0; i < len;) {
		unsigned n = utf8_char_bytes((const uint8_t *)s + i, len - i);
		if (n == 1)
			json_ascii(b, s[i]);
		else if (n)
			buf_add(b, s + i, n);
		else
			buf_str(b, "\xef\xbf\xbd"); /* U+FFFD */
		i += n ? n : 1;
	}
	buf_char(b, '"');
}

void buf_consume(struct buf *b, size_t len)
{
	ASSERT(len <= b->len);
	if (!b->bytes)
		return;
	b->len -= len;
	memmove(b->bytes, b->bytes + len, b->len + 1);
}
