/* walk.h - visits every connection or call of a worker, so many a turn, while they come and go.
 *
 * A walk knows what it visits next; who takes a connection or a call off its list says so first
 * (walk_gone), and the walk steps over it. What is there all the time is met exactly once, what
 * comes meanwhile at most once.
 *
 * Owner: embedded by who asks; zeroed is ready. It is in the worker's list from its first step to
 * its end: walk_stop before it is freed earlier. Threads: the worker's. */
#ifndef WEIR_PROXY_WALK_H
#define WEIR_PROXY_WALK_H
#include <stdbool.h>
#include <stdint.h>
#include "base/list.h"

#define WALK_VISITS_PER_TURN 2048u /* of who asks for a page: about a millisecond */

struct call;
struct h2io;
struct worker;

struct walk {
	struct list node;  /* in worker->walks */
	struct list *io;   /* the next connection: its h2io.all; the list's head: the end */
	struct list *call; /* the next call of it: its node, or the head; NULL: its first */
	bool walking;
};

/* At most `most` visits; true at the end. `visit` changes nothing of any list. */
bool walk_calls(struct walk *k, struct worker *w, unsigned most,
	void (*visit)(struct call *c, void *arg), void *arg);
bool walk_connections(struct walk *k, struct worker *w, unsigned most,
	void (*visit)(struct h2io *io, void *arg), void *arg);
void walk_stop(struct walk *k);
void walk_step_over(struct list *walks, const struct list *node);
/* `node` (h2io.all, or call.node) is about to leave its list; `walks`: its worker's. */
static inline void walk_gone(struct list *walks, const struct list *node)
{
	if (!list_empty(walks))
		walk_step_over(walks, node);
}
#endif
