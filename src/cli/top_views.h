/* top_views.h - what weir top can show: for each view the admin page it comes from, its columns,
 * how it may be sorted and what the server filters.
 *
 * Routes come from /metrics, which has methods too and which every Weir has; the others from JSON
 * pages. A value is found by its path in a row's object ("sent.messages"); one that is not there,
 * or of another type, is shown as "-".
 *
 * Owner: constants. */
#ifndef WEIR_CLI_TOP_VIEWS_H
#define WEIR_CLI_TOP_VIEWS_H
#include <jansson.h>
#include "base/buf.h"
#include "cli/table.h"

enum top_view_id { TOP_ROUTES, TOP_STREAMS, TOP_CONNECTIONS, TOP_CLUSTERS, TOP_VIEWS };
#define TOP_SORTS_MAX     6
#define TOP_LIMIT_ROWS    500 /* rows that are asked for */
#define TOP_KEY_MAX_BYTES 256

struct top_view {
	const char *name; /* the argument of `weir top`, and the member with the rows */
	const char *path; /* of the page */
	bool json;
	bool limited;      /* it takes limit=N */
	const char *below; /* the member with rows that stand below each row; NULL: none do */
	const struct table_column *columns;
	unsigned column_count;
	struct table_sort sorts[TOP_SORTS_MAX]; /* ended by one without a name */
	const char *key, *below_key;            /* the paths that name a row, and one below it */
	const char *filters[12];                /* what the page takes as NAME=VALUE; NULL */
	enum table_tone (*tone)(const json_t *row);
};
extern const struct top_view top_views[TOP_VIEWS];

const json_t *top_at(const json_t *object, const char *path); /* NULL: not there */
const char *top_text(const json_t *object, const char *path); /* "": no text there */
double top_number(const json_t *object, const char *path);    /* NAN: no number there */
/* What keeps a direction ("sent", "received") of a stream from moving: a label of stall.def; NULL.
 */
const char *top_stall(const json_t *stream, const char *direction);

/* The page's path with its query. Words NAME=VALUE of `filter` that the page takes are asked of it,
 * the others are put into `rest`, for table_arrange. `id`: that stream alone; NULL. */
void top_query(struct buf *path, struct buf *rest, const struct top_view *view, unsigned sort,
	const char *filter, const char *id);
#endif
