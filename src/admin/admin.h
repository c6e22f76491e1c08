/* admin.h - the admin pages, a terminus; and how it learns about rooms that it may not include:
 * main registers hooks.
 *
 *   GET /               what there is
 *   GET /metrics        Prometheus text; OpenMetrics or protobuf when Accept prefers it
 *   GET /live, /ready   200, or 503 and why; also as /healthz/live and /healthz/ready
 *   GET /config         the YAML as it was loaded, below a comment with its generation
 *   GET /dashboard      all of it as one web page, which lives on
 *   GET /events         server-sent events: events.h
 *   POST /drain         202, then begins to drain. Refused (403) for web pages of another origin
 *   GET /...            the views that main hands over: JSON about what is alive. A query that they
 *                       do not know is a 400 that lists what they do
 *
 * A web page elsewhere can read none of it (no CORS headers), and cannot get around that by having
 * its own name resolve to our address: all but metrics and health is refused (421) to host names
 * that public DNS could hold.
 *
 * HEAD goes wherever GET does, other methods get 405. /metrics waits for `refresh`, a view for its
 * rows; the call may end meanwhile. Pages leave in pieces, as the front's credit comes back.
 * Content of requests is ignored.
 *
 * Pages that their clients do not read are held up to limits.admin_bytes; then further ones get
 * 503.
 *
 * Owner: main. Threads: control only. Errors: without memory a call ends in 503. */
#ifndef WEIR_ADMIN_ADMIN_H
#define WEIR_ADMIN_ADMIN_H
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/wheel.h"
#include "config/config.h"
#include "call/call.h"
#include "metrics/introspect.h"
#include "metrics/metrics.h"

struct admin_hooks {
	void *arg;
	/* Makes workers publish what they keep outside the metrics slabs, then calls done(ctx)
	 * once, at the latest at a deadline; at once is fine too. */
	void (*refresh)(void *arg, void (*done)(void *ctx), void *ctx);
	struct metrics *metrics;
	struct config *(*config)(void *arg);        /* current, referenced */
	bool (*ready)(void *arg, const char **why); /* false while starting or draining */
	bool (*live)(void *arg, const char **why);  /* false when a worker's heartbeat is old */
	void (*drain)(void *arg);                   /* POST /drain */
	const struct introspect *views;             /* JSON pages of other rooms; may be NULL */
	struct wheel *wheel;                        /* the control thread's */
	uint64_t started_ns;                        /* CLOCK_MONOTONIC */
};

extern const struct call_terminus admin_terminus;
void admin_init(const struct admin_hooks *hooks); /* `hooks` outlives every call */
void admin_last_words(void); /* the process is about to end: event streams are told */
#endif
