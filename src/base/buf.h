/* buf.h - a growable byte buffer: for pages, log lines and reassembly, never on the data path.
 *
 * Owner: whoever embeds it; buf_init/buf_fini. After a failed growth `failed` stays set and further
 * appends are dropped, so a page writer checks once, at its end. bytes[len] is always NUL when len
 * > 0 or after buf_str. One thread. */
#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>

struct buf {
	char *bytes;
	size_t len, cap; /* bytes */
	bool failed;     /* an allocation failed: the content is not complete */
};

void buf_init(struct buf *b);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory, clears `failed` */
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vfmt(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_u64(struct buf *b, unsigned long long v);
/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void buf_json(struct buf *b, const char *s, size_t len);
/* At most `most` (3 and more) bytes between the quotes: what would be longer is cut between
 * characters and ends in "...". */
void buf_json_cut(struct buf *b, const char *s, size_t len, size_t most);
/* Drops the first `len` bytes. */
void buf_consume(struct buf *b, size_t len);
#endif
