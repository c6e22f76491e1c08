/* control.h - the control thread: starts and ends workers, signals, reload, drain, what admin asks.
 *
 *   SIGTERM, SIGINT   drain: /ready fails, GOAWAY, drain.grace, UNAVAILABLE, exit 0; a second one
 * cuts grace SIGHUP            reload: a good file becomes the next generation, a bad one changes
 * nothing
 *
 * It runs the same loop as the workers, with the admin listener. Owner: main. Threads: its own;
 * workers are reached by mailbox only. */
#ifndef WEIR_PROXY_CONTROL_H
#define WEIR_PROXY_CONTROL_H
#include <stdbool.h>
#include "call/call.h"
#include "config/config.h"
#include "metrics/introspect.h"
#include "metrics/metrics.h"

struct control;

struct control_setup {
	const char *config_file;
	const struct call_filter *const *filters; /* NULL-terminated */
	const struct call_terminus *admin_terminus;
	void (*last_words)(
		void); /* what admin still says when all workers have ended; may be NULL */
};

/* Loads, binds, starts. NULL: every error was written to stderr, one line each. */
struct control *control_create(const struct control_setup *setup) MUST_USE;
int control_run(struct control *c); /* until drained; the exit code */
void control_destroy(struct control *c);

/* What admin's hooks need; `arg` is the control. Control thread only. */
void control_refresh(void *arg, void (*done)(void *ctx), void *ctx);
struct config *control_config(void *arg); /* referenced */
bool control_ready(void *arg, const char **why);
bool control_live(void *arg, const char **why);
void control_drain(void *arg);
struct metrics *control_metrics(struct control *c);
struct wheel *control_wheel(struct control *c);
/* Pages about what is alive; `arg` is the control. */
extern const struct introspect_page view_streams, view_connections, view_clusters, view_routes,
	view_samples;
#endif
