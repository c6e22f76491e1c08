/* watch.h - goes through a worker's calls again and again: which hang, whose access log line is
 * due, how many messages a second they had.
 *
 *   pass: | so many calls a turn | ... | the last ones |    pause    | the next pass
 *         '------- watch.every_ns, longer if there are so many calls ----'
 *
 * What it does: visits every call that is there for a whole pass exactly once in it (walk.h), so a
 * call that begins to hang is found after its route's time, the pause and a pass at the latest.
 * What it does not: judge (call/stall.h).
 *
 * Owner: embedded in the worker. Threads: the worker's. Limits: WATCH_VISITS_PER_TURN. */
#ifndef WEIR_PROXY_WATCH_H
#define WEIR_PROXY_WATCH_H
#include "base/wheel.h"
#include "proxy/walk.h"

/* Calls and connections of one turn. A visit touches memory that nobody else needed for a while
 * (some 0.2 us), and some write a line (2 us). */
#define WATCH_VISITS_PER_TURN 1024u

struct config;

struct call_watch {
	struct timer timer;
	struct walk walk;  /* of the pass that is under way */
	bool ticking;      /* this pass counts messages, too: once a second */
	uint64_t begun_ns; /* the last pass */
	uint64_t every_ns; /* passes begin */
};

void watch_init(struct worker *w);
/* With each configuration: how often, and begins. */
void watch_install(struct worker *w, const struct config *config);
#endif
