/* top_page.h - a metrics page, read back: what weir top shows.
 *
 * What it does: takes the stream families out of a page in the Prometheus text format, added up for
 * each route, service and method; and some gauges of the process. What it does not: other families.
 *
 * Owner: top; init/fini. One thread. Errors: ERR_NOMEM, ERR_INVALID (a line that is no sample;
 * `line`). */
#ifndef WEIR_CLI_TOP_PAGE_H
#define WEIR_CLI_TOP_PAGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"

struct top_counts {
	double active, started; /* calls open now; begun */
	double sent_messages, received_messages, sent_bytes, received_bytes;
	double errors;          /* calls that ended in a status other than OK and CANCELLED */
	double stalled, silent; /* calls that hang now; of whole routes */
	double stalled_s;       /* time that bytes waited to go on; of whole routes */
};

struct top_page_row {
	const char *route, *service, *method;
	bool whole; /* of the route as a whole: what no method has */
	struct top_counts now;
	struct top_counts rate; /* a second; what are no counters, and everything without an
				 * earlier page, is 0 */
};

struct top_page {
	struct arena arena;
	struct strmap by_key;
	struct top_page_row **rows; /* on the heap; in the order of the page */
	uint32_t count, cap;
	double downstream_connections, upstream_connections;
	double memory_held_bytes, memory_limit_bytes;
	double generation, draining, start_time_s;
	char version[32];
	bool has_rates;
	uint32_t line; /* of the last line read, from 1 */
};

void top_page_init(struct top_page *p);
void top_page_fini(struct top_page *p);
int top_page_parse(struct top_page *p, const char *text, size_t len) MUST_USE;
/* Rates over `seconds` since `before`. A counter that went back counts from 0: the process was
 * restarted. */
void top_page_rates(struct top_page *now, const struct top_page *before, double seconds);
void top_counts_add(struct top_counts *to, const struct top_counts *from);
#endif
