/* top_view.h - a page as a table for people, or as JSON for programs.
 *
 * The table has a row for each route and below it one for each of its methods; routes and methods
 * with the most open calls stand first. It fits the window: longer names are cut, and rows beyond
 * the height are counted in the last line. Names come from clients: what is not printable ASCII is
 * shown as '?'. Errors: `out->failed`. */
#ifndef WEIR_CLI_TOP_VIEW_H
#define WEIR_CLI_TOP_VIEW_H
#include <stdbool.h>
#include "base/buf.h"
#include "cli/top_page.h"

struct top_view {
	const char *admin;       /* the address */
	const char *notice;      /* a line about what is wrong; NULL: nothing is */
	unsigned columns, lines; /* lines 0: as many as it takes */
	double now_s;            /* since 1970: for the time since start */
	bool keys;               /* say which keys there are */
};

/* Lines end in '\n'. Sorts the page's rows. */
void top_view_table(struct buf *out, struct top_page *page, const struct top_view *view);
/* One line. Rates are null without an earlier page. */
void top_view_json(struct buf *out, struct top_page *page, const struct top_view *view);
#endif
