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

/* Leading bytes that stand in a JSON string as they are. */
static size_t json_plain(const uint8_t *s, size_t len)
{
	size_t n = 0;
	while (n < len && s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

/* What U+0000 to U+009F is in a JSON string, at most 6 bytes. Controls above 0x7e can drive a
 * terminal, too. */
static size_t json_escape(unsigned c, char out[6])
{
	static const char hex[] = "0123456789abcdef";
	static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
	const char *at = c ? memchr(plain, (int)c, sizeof(plain) - 1) : NULL;
	out[0] = '\\';
	out[1] = at ? letter[at - plain] : 'u';
	if (at)
		return 2;
	out[2] = out[3] = '0';
	out[4] = hex[c >> 4];
	out[5] = hex[c & 15];
	return 6;
}

/* The character that is not plain at the beginning of `s`: its bytes in a JSON string in `out`, how
 * many of `s` in *step. */
static size_t json_char(const uint8_t *s, size_t len, char out[6], size_t *step)
{
	unsigned n = utf8_char_bytes(s, len);
	*step = n ? n : 1;
	if (n == 1)
		return json_escape(s[0], out);
	if (n == 2 && s[0] == 0xc2 && s[1] < 0xa0)
		return json_escape(s[1], out);
	memcpy(out, n ? (const char *)s : "\xef\xbf\xbd", n ? n : 3); /* U+FFFD */
	return n ? n : 3;
}

/* What most strings are: nothing to escape. */
static void json_as_it_is(struct buf *b, const char *text, size_t len)
{
	if (!reserve(b, len + 2))
		return;
	char *at = b->bytes + b->len;
	*at++ = '"';
	if (len)
		memcpy(at, text, len);
	at[len] = '"';
	at[len + 1] = '\0';
	b->len += len + 2;
}

void buf_json_cut(struct buf *b, const char *text, size_t len, size_t most)
{
	const uint8_t *s = (const uint8_t *)text;
	if (len <= most && json_plain(s, len) == len) {
		json_as_it_is(b, text, len);
		return;
	}
	size_t used = 0, kept = 0; /* bytes between the quotes; those that "..." may follow */
	ASSERT(most >= 3);
	buf_char(b, '"');
	for (size_t i = 0, step; i < len; i += step) {
		char escaped[6];
		const char *piece = text + i;
		size_t n = step = json_plain(s + i, len - i);
		bool plain = n > 0;
		if (!plain) {
			n = json_char(s + i, len - i, escaped, &step);
			piece = escaped;
		}
		bool fits = n <= most - used;
		if (!fits)
			n = plain && used < most - 3 ? most - 3 - used : 0;
		buf_add(b, piece, n);
		if (used + n <= most - 3)
			kept = used + n;
		else if (plain && used < most - 3)
			kept = most - 3;
		used += n;
		if (!fits) {
			b->len -= b->failed ? 0 : used - kept;
			buf_str(b, "...");
			break;
		}
	}
	buf_char(b, '"');
}

void buf_json(struct buf *b, const char *s, size_t len)
{
	buf_json_cut(b, s, len, SIZE_MAX);
}

void buf_consume(struct buf *b, size_t len)
{
	ASSERT(len <= b->len);
	if (!b->bytes)
		return;
	b->len -= len;
	memmove(b->bytes, b->bytes + len, b->len + 1);
}
