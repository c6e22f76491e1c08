/* top_routes.h - a metrics page as the table of routes and methods, or as JSON for programs.
 *
 * A row for each route, and below it one for each of its methods; those with the most open calls
 * come first. Methods that nothing was ever counted for are left out. Errors: `failed` of the buf;
 * the table: false when out of memory. */
#ifndef WEIR_CLI_TOP_ROUTES_H
#define WEIR_CLI_TOP_ROUTES_H
#include <stdbool.h>
#include "base/buf.h"
#include "cli/table.h"
#include "cli/top_page.h"

#define TOP_ROUTES_COLUMNS 11
extern const struct table_column top_routes_columns[TOP_ROUTES_COLUMNS];

/* Sorts the page's rows. `t` is initialised, with these columns, and empty. */
bool top_routes_fill(struct table *t, struct top_page *page);
/* Two lines about the process, each behind another. */
void top_routes_head(struct buf *out, const struct top_page *page, const char *admin, double now_s);
/* The route, service and method of a row of the table. "" where it is of all. */
void top_routes_names(const struct table_row *row, const char *names[3]);
/* The members of an object, without its braces. Rates are null without an earlier page. */
void top_routes_json(struct buf *out, struct top_page *page);
#endif
