/* text.h - text for a terminal: cleaned, measured, cut and padded; numbers as people read them.
 *
 *   "GET \x1b[2J/größer"  ->  "GET ?[2J/größer"
 *
 * What it does: whatever peers say passes through here before it is shown. A character that is
 * printable takes the columns that it takes (wcwidth); every other one (control characters, C1
 * included, bytes that are no UTF-8, marks without a width such as those that turn the direction of
 * text around) becomes one '?'. Where the locale is not UTF-8 that goes for all but ASCII.
 * What it does not: lines; a '\n' is a control character.
 *
 * Our own styles travel inside of text as one byte each (enum text_style). Those bytes are control
 * characters, so that cleaned text has none: only what we put around it does.
 *
 * Owner: none. Threads: text_init once, before others. Errors: the buf's `failed`. */
#ifndef WEIR_CLI_TEXT_H
#define WEIR_CLI_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"

enum text_style {
	TEXT_PLAIN = 1,
	TEXT_STRONG, /* titles */
	TEXT_FAINT,  /* what is there to help */
	TEXT_CHOSEN, /* the selected row */
	TEXT_WARN,
	TEXT_BAD,
	TEXT_STYLES,
};
enum text_cut { TEXT_CUT_END, TEXT_CUT_BEGIN };

/* Takes the character set from a locale: "" is the user's. */
void text_init(const char *locale);

unsigned text_columns(const char *s, size_t len);
unsigned text_line_columns(const char *line, size_t len); /* styles take none */
bool text_is_style(char c);
/* Cleaned; no styles. */
void text_clean(struct buf *out, const char *s, size_t len);
/* Cleaned, in exactly `columns`: cut with "..", or padded behind (before, when `right`). */
void text_put(struct buf *out, const char *s, unsigned columns, enum text_cut cut, bool right);
/* A line with our styles: cleaned once more, cut at `columns` (0: not at all). With `colours`
 * styles become escape sequences, all but TEXT_WARN and TEXT_BAD when it is TEXT_MONOCHROME;
 * without, they vanish. The last thing between text and terminal. */
enum text_colours { TEXT_NO_STYLES, TEXT_MONOCHROME, TEXT_COLOURS };
void text_line(
	struct buf *out, const char *line, size_t len, unsigned columns, enum text_colours colours);

#define TEXT_NUMBER_MAX 24
/* At most 5 characters: 0, 0.5, 999, 1.2k, 345M; "-" for NAN. */
void text_number(char out[TEXT_NUMBER_MAX], double v);
/* At most 5: 0s, 59s, 3m20s is 3m20, 2h05, 4d07, 120d; "-" for NAN. */
void text_age(char out[TEXT_NUMBER_MAX], double ms);
#endif
