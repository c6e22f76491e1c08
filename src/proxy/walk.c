#include "proxy/walk.h"
#include "proxy/front.h"
#include "proxy/h2io.h"
#include "proxy/link.h"
#include "proxy/worker.h"

void walk_step_over(struct list *walks, const struct list *node)
{
	LIST_FOR_EACH (n, walks) {
		struct walk *k = CONTAINER_OF(n, struct walk, node);
		if (k->call == node)
			k->call = node->next;
		if (k->io != node)
			continue;
		k->io = node->next;
		k->call = NULL;
	}
}

static void begin(struct walk *k, struct worker *w)
{
	if (k->walking)
		return;
	k->walking = true;
	k->io = w->ios.next;
	list_init(&k->node);
	list_push_back(&w->walks, &k->node);
}

void walk_stop(struct walk *k)
{
	if (k->walking)
		list_remove(&k->node);
	k->walking = false;
}

static void next_connection(struct walk *k)
{
	k->io = k->io->next;
	k->call = NULL;
}

bool walk_connections(struct walk *k, struct worker *w, unsigned most,
	void (*visit)(struct h2io *io, void *arg), void *arg)
{
	begin(k, w);
	for (; k->io != &w->ios; next_connection(k)) {
		if (most-- == 0)
			return false;
		visit(CONTAINER_OF(k->io, struct h2io, all), arg);
	}
	walk_stop(k);
	return true;
}

/* The calls of the connection that is next; what is left of `most`. */
static unsigned visit_calls(
	struct walk *k, unsigned most, void (*visit)(struct call *c, void *arg), void *arg)
{
	struct list *calls = front_calls(CONTAINER_OF(k->io, struct h2io, all));
	if (!calls)
		return most;
	if (!k->call)
		k->call = calls->next;
	for (; k->call != calls && most > 0; most--) {
		visit(CONTAINER_OF(k->call, struct call, node), arg);
		k->call = k->call->next;
	}
	return k->call == calls ? most : 0;
}

/* A connection costs a visit too: there may be very many that are idle. */
bool walk_calls(struct walk *k, struct worker *w, unsigned most,
	void (*visit)(struct call *c, void *arg), void *arg)
{
	begin(k, w);
	for (; k->io != &w->ios; next_connection(k)) {
		most = visit_calls(k, most, visit, arg);
		if (most == 0)
			return false;
		most--;
	}
	walk_stop(k);
	return true;
}
