#include "cli/text.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/utf8.h"

static bool utf8; /* the terminal's character set is */

void text_init(const char *locale)
{
	setlocale(LC_CTYPE, locale);
	utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
}

static uint32_t code_point(const uint8_t *s, unsigned bytes)
{
	static const uint8_t first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = s[0] & first[bytes];
	for (unsigned i = 1; i < bytes; i++)
		c = c << 6 | (s[i] & 0x3f);
	return c;
}

struct glyph {
	const char *bytes;
	unsigned len, columns;
	size_t from; /* bytes of the text that it stands for */
};

/* What is shown for the character that `s` begins with. len > 0. */
static struct glyph glyph_at(const char *s, size_t len)
{
	const uint8_t *u = (const uint8_t *)s;
	unsigned bytes = utf8_char_bytes(u, len);
	if (bytes == 1 && *u >= ' ' && *u < 0x7f)
		return (struct glyph){s, 1, 1, 1};
	if (bytes > 1 && utf8) {
		uint32_t c = code_point(u, bytes);
		/* wcwidth calls U+00AD one wide; terminals do not agree on it. */
		int columns = c >= 0xa0 && c != 0xad ? wcwidth((wchar_t)c) : 0;
		if (columns > 0)
			return (struct glyph){s, bytes, (unsigned)columns, bytes};
	}
	return (struct glyph){"?", 1, 1, bytes ? bytes : 1};
}

unsigned text_columns(const char *s, size_t len)
{
	unsigned columns = 0;
	for (size_t at = 0; at < len;) {
		struct glyph g = glyph_at(s + at, len - at);
		columns += g.columns;
		at += g.from;
	}
	return columns;
}

bool text_is_style(char c)
{
	return c >= TEXT_PLAIN && c < TEXT_STYLES;
}

unsigned text_line_columns(const char *line, size_t len)
{
	unsigned columns = text_columns(line, len);
	for (size_t i = 0; i < len; i++)
		columns -= text_is_style(line[i]);
	return columns;
}

/* Cleaned, as much of it as has room; the columns it takes. */
static unsigned put_some(struct buf *out, const char *s, size_t len, unsigned room)
{
	unsigned columns = 0;
	for (size_t at = 0; at < len;) {
		struct glyph g = glyph_at(s + at, len - at);
		if (columns + g.columns > room)
			break;
		buf_add(out, g.bytes, g.len);
		columns += g.columns;
		at += g.from;
	}
	return columns;
}

void text_clean(struct buf *out, const char *s, size_t len)
{
	(void)put_some(out, s, len, UINT32_MAX);
}

static void put_spaces(struct buf *out, unsigned n)
{
	for (; n > 0; n--)
		buf_char(out, ' ');
}

/* Where the last `columns` columns of the text begin. */
static size_t tail_of(const char *s, size_t len, unsigned columns)
{
	unsigned before = text_columns(s, len);
	size_t at = 0;
	while (at < len && before > columns) {
		struct glyph g = glyph_at(s + at, len - at);
		before -= g.columns;
		at += g.from;
	}
	return at;
}

void text_put(struct buf *out, const char *s, unsigned columns, enum text_cut cut, bool right)
{
	size_t len = strlen(s);
	unsigned want = text_columns(s, len), got;
	if (want <= columns) {
		if (right)
			put_spaces(out, columns - want);
		text_clean(out, s, len);
		if (!right)
			put_spaces(out, columns - want);
		return;
	}
	unsigned dots = columns < 2 ? columns : 2;
	if (cut == TEXT_CUT_BEGIN) {
		size_t at = tail_of(s, len, columns - dots);
		got = text_columns(s + at, len - at);
		buf_add(out, "..", dots);
		text_clean(out, s + at, len - at);
	} else {
		got = put_some(out, s, len, columns - dots);
		buf_add(out, "..", dots);
	}
	put_spaces(out, columns - dots - got);
}

static void put_style(struct buf *out, char style, enum text_colours colours)
{
	static const char *const sequence[TEXT_STYLES] = {
		[TEXT_PLAIN] = "\033[0m",
		[TEXT_STRONG] = "\033[0;1m",
		[TEXT_FAINT] = "\033[0;2m",
		[TEXT_CHOSEN] = "\033[0;7m",
		[TEXT_WARN] = "\033[0;33m",
		[TEXT_BAD] = "\033[0;31m",
	};
	bool colour = style == TEXT_WARN || style == TEXT_BAD;
	if (colours == TEXT_COLOURS || (colours == TEXT_MONOCHROME && !colour))
		buf_str(out, sequence[(int)style]);
}

void text_line(
	struct buf *out, const char *line, size_t len, unsigned columns, enum text_colours colours)
{
	unsigned used = 0;
	bool styled = false;
	for (size_t at = 0; at < len;) {
		char c = line[at];
		if (text_is_style(c)) {
			put_style(out, c, colours);
			styled = c != TEXT_PLAIN;
			at++;
			continue;
		}
		struct glyph g = glyph_at(line + at, len - at);
		if (columns && used + g.columns > columns)
			break;
		buf_add(out, g.bytes, g.len);
		used += g.columns;
		at += g.from;
	}
	if (styled)
		put_style(out, TEXT_PLAIN, colours);
}

void text_number(char out[TEXT_NUMBER_MAX], double v)
{
	static const char units[] = " kMGTPE";
	size_t unit = 0;
	double scaled = v < 0 ? 0 : v;
	if (isnan(v)) {
		memcpy(out, "-", 2);
		return;
	}
	while (scaled >= 999.5 && unit < sizeof(units) - 2) {
		scaled /= 1000;
		unit++;
	}
	if (scaled >= 9999) /* no counter is */
		scaled = 9999;
	char last[2] = {unit ? units[unit] : '\0', '\0'};
	bool whole = unit == 0 && scaled == (double)(unsigned)scaled;
	unsigned tenths = (unsigned)(scaled * 10 + 0.5);
	if (tenths < 100 && !whole)
		snprintf(out, TEXT_NUMBER_MAX, "%u.%u%s", tenths / 10, tenths % 10, last);
	else
		snprintf(out, TEXT_NUMBER_MAX, "%u%s", (unsigned)(scaled + 0.5), last);
}

void text_age(char out[TEXT_NUMBER_MAX], double ms)
{
	if (isnan(ms)) {
		memcpy(out, "-", 2);
		return;
	}
	unsigned long s = ms < 0 ? 0 : ms > 8.64e11 ? 9999ul * 86400 : (unsigned long)(ms / 1000);
	if (s < 60)
		snprintf(out, TEXT_NUMBER_MAX, "%lus", s);
	else if (s < 3600)
		snprintf(out, TEXT_NUMBER_MAX, "%lum%02lu", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, TEXT_NUMBER_MAX, "%luh%02lu", s / 3600, s / 60 % 60);
	else if (s < 100 * 86400)
		snprintf(out, TEXT_NUMBER_MAX, "%lud%02lu", s / 86400, s / 3600 % 24);
	else
		snprintf(out, TEXT_NUMBER_MAX, "%lud", s / 86400);
}
