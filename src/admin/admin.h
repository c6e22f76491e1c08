/* admin.h - the admin pages, a terminus; and how it learns about rooms that it may not include: main registers providers.
 *
 * A provider either answers at once, or gathers from the workers and calls `done` later, on the control
 * thread, at the latest at the deadline. Owner: main. Threads: control only. */
#ifndef WEIR_ADMIN_ADMIN_H
#define WEIR_ADMIN_ADMIN_H
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "config/config.h"
#include "call/call.h"
#include "metrics/metrics.h"

struct admin_hooks {
	void *arg;
	/* Makes workers publish what they keep outside the metrics slabs, then calls done(ctx). */
	void (*refresh)(void *arg, void (*done)(void *ctx), void *ctx);
	struct metrics *metrics;
	struct config *(*config)(void *arg);           /* current, referenced */
	bool (*ready)(void *arg, const char **why);    /* false while starting or draining */
	bool (*live)(void *arg, const char **why);     /* false when a worker's heartbeat is old */
	void (*drain)(void *arg);                      /* POST /drain */
};

/* The terminus for calls of the admin listener: /metrics /live /ready /healthz/live /healthz/ready /config
 * /drain. `hooks` outlives it. */
extern const struct call_terminus admin_terminus;
void admin_init(const struct admin_hooks *hooks);
#endif
