/* introspect.h - pages about what is alive: between the rooms that know it and the one that serves
 * pages, which may not include each other. main hands the first's pages to the other.
 *
 *   admin: GET path?query --> query_parse by `keys` --> ask(arg, query, done, ctx)
 *                                    done(ctx, json) <--  at once or later, exactly once
 *
 * Owner: a page is static; `arg` lives as long as the pages are served. Threads: the control
 * thread's. Errors: json NULL: no memory, or too much is being asked. */
#ifndef WEIR_METRICS_INTROSPECT_H
#define WEIR_METRICS_INTROSPECT_H
#include <stdbool.h>
#include <string.h>
#include "base/buf.h"

struct query;
struct query_key;

struct introspect_page {
	const char *path;             /* "/streams" */
	const char *title;            /* on the list of pages */
	const struct query_key *keys; /* what its query may say: http/query.h; NULL: nothing */
	/* `query` is borrowed for the call; the content of `json` is the asker's to take. */
	void (*ask)(void *arg, const struct query *query, void (*done)(void *ctx, struct buf *json),
		void *ctx);
};

struct introspect {
	const struct introspect_page *page; /* NULL ends an array */
	void *arg;
};

/* Is this path, up to its query, the page's? */
static inline bool introspect_is_path(const char *path, const char *page)
{
	size_t len = strcspn(path, "?");
	return len == strlen(page) && !memcmp(path, page, len);
}
/* The page of this path; NULL: `all`, which may be NULL, has none. */
static inline const struct introspect *introspect_find(
	const struct introspect *all, const char *path)
{
	for (; all && all->page; all++)
		if (introspect_is_path(path, all->page->path))
			return all;
	return NULL;
}
#endif
