/* accept.h - listening sockets: takes connections and gives each to the least loaded worker.
 *
 *   ready -> accept -> over limits.connections, out of descriptors: closed, counted
 *                   -> this worker's, or by letter to the one with the fewest connections -> front
 *
 * One socket a listener, watched by every worker. A connection is counted before it arrives, so
 * that a burst of accepts spreads. Owner: the control thread makes listeners; each worker keeps its
 * view. Threads: listener_ref, listener_unref any; all else the worker's. */
#ifndef WEIR_PROXY_ACCEPT_H
#define WEIR_PROXY_ACCEPT_H
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/list.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "net/loop.h"

struct worker;

/* A bound socket; control makes it, workers watch it. Lives until its last connection ends. */
struct listener {
	_Atomic uint32_t refs;
	struct config_listener config; /* own copies of name and address text */
	int fd;
	bool admin;
};
struct listener *listener_ref(struct listener *l);
void listener_unref(struct listener *l);

/* A listener as one worker sees it. */
struct worker_listener {
	struct watch watch;
	struct worker *worker;
	struct listener *listener;
	struct series *series; /* GROUP_LISTENER */
	uint64_t fronts;       /* connections that point here */
	bool accepting;
	struct list node; /* in worker->listeners */
};

struct worker_listener *accept_find(struct worker *w, const struct listener *l);
/* Begins to accept; ERR_NOMEM, ERR_SYS. */
int accept_start(struct worker *w, struct listener *l) MUST_USE;
void accept_stop(struct worker_listener *wl); /* connections that came this way stay */
void accept_drop(struct worker_listener *wl); /* at once: nothing may point to it */
void accept_reap(struct worker *w);           /* drops those that ended and have no connection */
void accept_gone(struct worker_listener *wl); /* a front ended */
#endif
