/* top_look.h - one look at the admin address: a page, read into a table.
 *
 * What it does: takes the answer's bytes, which are hostile like any peer's: nothing in them can do
 * more than be shown as text, be left out, or make the look fail with a reason. What it does not:
 * fetch.
 *
 * Owner: top; init/fini. The table's texts point into the look. One thread. Errors: false, and why.
 * Limits: TOP_METRICS_MAX_BYTES or TOP_JSON_MAX_BYTES of an answer, rows as the table has them;
 * jansson's depth of 2048. */
#ifndef WEIR_CLI_TOP_LOOK_H
#define WEIR_CLI_TOP_LOOK_H
#include "cli/top_page.h"
#include "cli/top_views.h"

#define TOP_METRICS_MAX_BYTES (64u << 20)
#define TOP_JSON_MAX_BYTES    (8u << 20)
#define TOP_WHY_MAX           160

struct top_look {
	const struct top_view *view; /* NULL: nothing has been seen yet */
	struct buf path;             /* what was asked for */
	struct table table;
	struct top_page page; /* of the routes */
	json_t *doc;          /* of the others */
	uint64_t taken_ns;    /* monotonic */
};

void top_look_init(struct top_look *l);
void top_look_fini(struct top_look *l);
/* Replaces what is in `l`; after false it is empty. */
bool top_look_read(struct top_look *l, const struct top_view *view, const char *path,
	const char *body, size_t len, uint64_t taken_ns, char why[TOP_WHY_MAX]);
/* Rates since an earlier look at the same; otherwise nothing. */
void top_look_rates(struct top_look *now, const struct top_look *before);

/* Two lines on what is shown, each with its '\n'. */
void top_look_head(struct buf *out, const struct top_look *l, const char *admin, double now_s);
/* One JSON document, a line. */
void top_look_json(struct buf *out, struct top_look *l, const char *admin, double now_s);
#endif
