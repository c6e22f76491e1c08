/* text.c - is it text at all? Looked at before libyaml sees it, because its answers to bad bytes
 * have no line. */
#include "base/utf8.h"
#include "config/node.h"

/* The code point of a well-formed character of n bytes. */
static uint32_t utf8_point(const uint8_t *p, unsigned n)
{
	uint32_t point = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (unsigned i = 1; i < n; i++)
		point = point << 6 | (p[i] & 0x3f);
	return point;
}

/* What YAML calls printable (YAML 1.1, section 4.1.1). */
static bool printable(uint32_t point)
{
	if (point < 0x20)
		return point == '\t' || point == '\n' || point == '\r';
	return point != 0x7f && !(point > 0x7f && point < 0xa0) && point != 0xfeff &&
	       point != 0xfffe && point != 0xffff;
}

bool text_check(const char *text, size_t len, struct report *report)
{
	const uint8_t *p = (const uint8_t *)text, *end = p + len;
	uint32_t line = 1, column = 1, point = 0;
	bool indenting = true, empty = true, comment = false;

	for (unsigned n; p < end; p += n) {
		n = utf8_char_bytes(p, (size_t)(end - p));
		if (n == 0) {
			report_add(report, line, column,
				"byte 0x%02x is not UTF-8, expected UTF-8 text", *p);
			return false;
		}
		point = utf8_point(p, n);
		if (point == 0x85 || point == 0x2028 || point == 0x2029) {
			/* YAML 1.1 breaks lines here, editors and our line numbers don't. */
			report_add(report, line, column, "line break U+%04X, expected LF or CRLF",
				point);
			return false;
		}
		if (!printable(point)) {
			report_add(report, line, column,
				"control character U+%04X, expected printable text", point);
			return false;
		}
		if (point == '\n' || (point == '\r' && (p + 1 == end || p[1] != '\n'))) {
			line++;
			column = 1;
			indenting = true;
			comment = false;
			continue;
		}
		if (indenting && point == '\t') {
			report_add(report, line, column, "tab in the indentation, expected spaces");
			return false;
		}
		comment |= indenting && point == '#';
		indenting &= point == ' ';
		empty &= comment || point == ' ' || point == '\r' || point == '\t';
		column++;
	}
	if (empty)
		report_add(report, 1, 1,
			"empty, expected a mapping with listeners, routes and clusters");
	return !empty;
}
