/* report.h - every error of one configuration text, with its place, in the order of the text.
 *
 * Rooms report in the order in which they happen to look; report_print sorts by line and column.
 * Limits: REPORT_LINES_MAX lines are kept, further ones are counted and said in a last line.
 * Owner: the parse. One thread. Out of memory sets `failed`; then the report is not complete. */
#ifndef WEIR_CONFIG_REPORT_H
#define WEIR_CONFIG_REPORT_H
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

#define REPORT_LINES_MAX 1000

struct report_line {
	uint32_t line, column; /* from 1 */
	uint32_t order;
	size_t at, len; /* in `text` */
};

struct report {
	const char *file;
	struct buf text; /* the messages, one behind the other */
	uint32_t count;  /* of lines; those above REPORT_LINES_MAX are not kept */
	bool failed;
	struct report_line lines[REPORT_LINES_MAX];
};

void report_init(struct report *r, const char *file);
void report_fini(struct report *r);
void report_add(struct report *r, uint32_t line, uint32_t column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* True when nothing would be kept any more: not worth looking for suggestions. */
bool report_full(const struct report *r);
/* Appends "FILE:LINE:COLUMN: message\n" for each. Sorts `lines`. */
void report_print(struct report *r, struct buf *out);

/* What a user wrote, fit for a message: in quotes, control characters escaped, cut at 60 bytes.
 *   printf("%s", clip(text, len).text) */
struct clip {
	char text[96];
};
struct clip clip(const char *text, size_t len);
#endif
