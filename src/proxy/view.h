/* view.h - live streams, connections, clusters and routes as JSON, gathered from all workers.
 *
 *   /streams, /connections: each worker walks over what it has, some thousands a turn, and keeps
 * the best `limit` rows (walk.h, best.h); home merges them (gather.h), sorts and writes. /clusters:
 * every worker's endpoints, added up. /routes: the metrics, once workers published.
 *
 * What is common to all: {"time", "workers", "missing_workers": [those that did not answer in
 * time], "total", "shown", NAME: [...]}. Every key stands in docs/reference.md.
 *
 * Rows are copies, made on the worker's thread at its turn: two workers' rows are of slightly
 * different times. So rows have times, not ages: whenever a row was made, it stands where it
 * belongs, and all ages of a page are those of one moment, at its end. The control thread's own
 * connections, the admin pages', are not among them.
 *
 * Owner: the question of a page is its gather's. Threads: ask and done the control thread's; arg of
 * the pages is struct control. Errors: without memory for all of a page it is not given.
 * Limits: VIEW_TEXT_MAX bytes of each text, `limit` rows, WALK_VISITS_PER_TURN. */
#ifndef WEIR_PROXY_VIEW_H
#define WEIR_PROXY_VIEW_H
#include "base/jsonw.h"
#include "http/query.h"
#include "metrics/introspect.h"
#include "proxy/best.h"
#include "proxy/control_priv.h"
#include "proxy/gather.h"
#include "proxy/walk.h"
#include "proxy/worker.h"

#define VIEW_TEXT_MAX     512u /* a path may be much longer */
#define VIEW_ROWS_MAX     10000u
#define VIEW_ROWS_DEFAULT 100u

/* What every question begins with. `query` may be read by all threads. */
struct view_question {
	struct control *control;
	struct query query;
	void (*done)(void *ctx, struct buf *json);
	void *ctx;
};
/* `bytes` of zeroed memory, with the head filled. NULL: done was called. */
void *view_question(size_t bytes, void *control, const struct query *query,
	void (*done)(void *ctx, struct buf *json), void *ctx) MUST_USE;
/* Takes the question (memory only: ops->drop_question is not called when it can't be asked). */
void view_gather(struct view_question *q, const struct gather_ops *ops);

/* What of a view of rows is its own. Every table of keys has sort and limit first. */
enum { VIEW_SORT, VIEW_LIMIT, VIEW_OWN_KEYS };
#define VIEW_LIMIT_KEY                                                                             \
	{                                                                                          \
		"limit", QUERY_NUMBER, NULL, 1, VIEW_ROWS_MAX, VIEW_ROWS_DEFAULT                   \
	}
struct view_part;
struct view_rows {
	const char *name;                               /* of the array */
	void (*visit_call)(struct call *c, void *part); /* one of the two */
	void (*visit_connection)(struct h2io *io, void *part);
	/* `now_ns`: when the page is made, CLOCK_MONOTONIC. */
	void (*write)(struct jsonw *j, const struct ranked *row, uint64_t now_ns);
};
struct view_part {
	struct walk walk;
	struct worker *worker;
	const struct query *query;
	struct best best;
};
void view_ask_rows(struct control *c, const struct view_rows *view, const struct query *query,
	void (*done)(void *ctx, struct buf *json), void *ctx);

/* `{`, and what is common to all views but the rows. */
void view_begin(
	struct jsonw *j, struct buf *out, const struct gather *g, uint64_t total, uint64_t shown);
/* A copy of `row` that owns its `n` texts, to which there are pointers from `texts_at` on; each is
 * cut to VIEW_TEXT_MAX. NULL: out of memory. */
void *view_row(const void *row, size_t bytes, size_t texts_at, unsigned n) MUST_USE;
/* The larger, the earlier: the rank of a time. */
static inline uint64_t view_earlier(uint64_t then_ns)
{
	return UINT64_MAX - then_ns;
}
/* A worker's clock may be a turn of ours ahead. */
static inline uint64_t view_since(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}
void view_write_id(struct jsonw *j, const char *key, uint64_t id); /* of query_id */
#endif
