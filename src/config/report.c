#include "config/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_init(struct report *r, const char *file)
{
	r->file = file;
	buf_init(&r->text);
	r->count = 0;
	r->failed = false;
}

void report_fini(struct report *r)
{
	buf_fini(&r->text);
}

bool report_full(const struct report *r)
{
	return r->count >= REPORT_LINES_MAX;
}

void report_add(struct report *r, uint32_t line, uint32_t column, const char *fmt, ...)
{
	uint32_t order = r->count++;
	if (order >= REPORT_LINES_MAX)
		return;

	struct report_line *l = &r->lines[order];
	*l = (struct report_line){line, column, order, r->text.len, 0};
	va_list ap;
	va_start(ap, fmt);
	buf_vfmt(&r->text, fmt, ap);
	va_end(ap);
	l->len = r->text.len - l->at;
	r->failed |= r->text.failed;
}

static int by_place(const void *a, const void *b)
{
	const struct report_line *x = a, *y = b;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

void report_print(struct report *r, struct buf *out)
{
	uint32_t kept = r->count < REPORT_LINES_MAX ? r->count : REPORT_LINES_MAX;
	if (kept > 1)
		qsort(r->lines, kept, sizeof(r->lines[0]), by_place);
	for (uint32_t i = 0; i < kept; i++) {
		const struct report_line *l = &r->lines[i];
		buf_fmt(out, "%s:%u:%u: ", r->file, l->line, l->column);
		if (l->len)
			buf_add(out, r->text.bytes + l->at, l->len);
		buf_char(out, '\n');
	}
	if (r->count > kept)
		buf_fmt(out, "%s: and %u more errors\n", r->file, r->count - kept);
}

struct clip clip(const char *text, size_t len)
{
	enum { SHOWN_MAX = 60 };
	struct clip c;
	size_t o = 0, i = 0;
	c.text[o++] = '"';
	for (; i < len && o < SHOWN_MAX; i++) {
		unsigned char b = (unsigned char)text[i];
		/* Not in the middle of a UTF-8 character: cut in front of its first byte. */
		if (b >= 0xc0 && o + 4 > SHOWN_MAX)
			break;
		if (b < 0x20 || b == 0x7f)
			o += (size_t)snprintf(c.text + o, sizeof(c.text) - o, "\\x%02x", b);
		else
			c.text[o++] = (char)b;
	}
	snprintf(c.text + o, sizeof(c.text) - o, "%s\"", i < len ? "..." : "");
	return c;
}
