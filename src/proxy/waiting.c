#include "proxy/waiting.h"
#include <stdio.h>
#include "base/assert.h"
#include "call/stall.h"
#include "proxy/link.h"
#include "proxy/upstream.h"

/* Served in this loop iteration when that has not been done yet, else in the next. */
static void mark(struct pool_endpoint *e)
{
	struct worker *w = e->pool->worker;
	if (list_empty(&e->due))
		list_push_back(&w->endpoints_due, &e->due);
	w->calls_may_start = true;
	loop_again(&w->loop);
}

static void on_further_due(struct timer *t, uint64_t now_ns)
{
	waiting_wake(CONTAINER_OF(t, struct pool_endpoint, further_timer));
}

void waiting_init(struct pool_endpoint *e)
{
	list_init(&e->waiting);
	list_init(&e->lost);
	list_init(&e->due);
	timer_init(&e->further_timer, on_further_due);
}

void waiting_fini(struct pool_endpoint *e)
{
	ASSERT(list_empty(&e->waiting) && list_empty(&e->lost));
	list_remove(&e->due);
	wheel_cancel(&e->pool->worker->loop.wheel, &e->further_timer);
}

static struct upstream *first_of(struct list *l)
{
	return list_empty(l) ? NULL : CONTAINER_OF(l->next, struct upstream, node);
}

static bool any_split(const struct pool_endpoint *e)
{
	LIST_FOR_EACH (n, &e->links) {
		if (CONTAINER_OF(n, struct link, node)->split)
			return true;
	}
	return false;
}

/* ---- further connections ---- */

/* At the latest then the endpoint is looked at again, whether or not a stream has ended. */
static void delay_further(struct pool_endpoint *e, uint64_t until_ns)
{
	if (until_ns > e->further_at_ns)
		e->further_at_ns = until_ns;
	wheel_arm(&e->pool->worker->loop.wheel, &e->further_timer, e->further_at_ns);
}

/* Opens a connection beside those that have no free stream, but one at a time, and none while the
 * limit of an established one is not known: it may turn out to have room. */
static void open_further(struct pool_endpoint *e)
{
	uint64_t now_ns = e->pool->worker->loop.now_ns;
	const char *why;
	if (e->retired || e->link_count >= POOL_LINKS_MAX || link_expected(e))
		return; /* the end of a stream, or what is expected, wakes the endpoint */
	if (now_ns < e->further_at_ns) {
		delay_further(e, e->further_at_ns);
		return;
	}
	if (!link_open(e, &why)) {
		uint64_t soonest_ns = now_ns + POOL_BACKOFF_MIN_NS;
		delay_further(e, e->retry_at_ns > soonest_ns ? e->retry_at_ns : soonest_ns);
	} else if (!any_split(e)) {
		series_add(e->pool->series, M_POOL_OVERFLOWS, 1);
	}
}

/* ---- the queue ---- */

static void append(struct pool_endpoint *e, struct upstream *u)
{
	u->waiting = true;
	list_push_back(&e->waiting, &u->node);
	call_stall(u->call, LANE_REQUEST, STALL_STREAM_SLOT);
	series_add(e->pool->series, M_STREAMS_WAITING, 1);
}

int waiting_enqueue(struct pool_endpoint *e, struct upstream *u, const char **why)
{
	/* Nobody overtakes a call that waits, also where a stream is free by now. */
	struct link *l = list_empty(&e->waiting) ? link_with_room(e) : NULL;
	if (l) {
		link_start(l, u);
		return 0;
	}
	if (!link_available(e)) {
		if (e->link_count >= POOL_LINKS_MAX) {
			*why = "too many connections to the endpoint are closing";
			return ERR_LIMIT;
		}
		if (!link_open(e, why))
			return ERR_SYS;
	} else if (list_empty(&e->waiting)) {
		open_further(e);
	}
	append(e, u);
	return 0;
}

void waiting_leave(struct upstream *u)
{
	struct pool_endpoint *e = u->endpoint;
	list_remove(&u->node);
	u->waiting = false;
	call_stall(u->call, LANE_REQUEST, STALL_NONE);
	series_sub(e->pool->series, M_STREAMS_WAITING, 1);
	if (e->retired && list_empty(&e->waiting))
		mark(e); /* its connections were kept for those that waited */
}

void waiting_wake(struct pool_endpoint *e)
{
	if (!list_empty(&e->waiting))
		mark(e);
}

void waiting_link_gone(
	struct pool_endpoint *e, bool refused, enum call_reason_id reason, const char *why)
{
	if (list_empty(&e->waiting))
		return;
	mark(e);
	/* A server that takes no further connection may still have streams to give on those that it
	 * has. Where there are other endpoints, these are asked instead. */
	if (link_available(e) && !(refused && e->pool->endpoint_count > 1)) {
		uint64_t now_ns = e->pool->worker->loop.now_ns;
		/* so that one which closes each further connection at once is not asked without end
		 */
		delay_further(e, refused ? e->retry_at_ns : now_ns + POOL_BACKOFF_MIN_NS);
		return;
	}
	list_splice_back(&e->lost, &e->waiting);
	e->lost_reason = reason;
	snprintf(e->lost_why, sizeof(e->lost_why), "%s", why);
}

/* ---- the event loop's part ---- */

static void retire_links(struct pool_endpoint *e)
{
	LIST_FOR_EACH_SAFE (n, &e->links)
		link_retire(CONTAINER_OF(n, struct link, node));
}

/* Takes at most *calls_left calls from the endpoint's queues; true when that was too few. */
static bool serve(struct pool_endpoint *e, uint32_t *calls_left)
{
	struct upstream *u;
	struct link *l;
	for (; *calls_left && (u = first_of(&e->lost)); --*calls_left)
		upstream_link_lost(u, e->lost_reason, e->lost_why);
	for (; *calls_left && (u = first_of(&e->waiting)) && (l = link_with_room(e));
		--*calls_left) {
		waiting_leave(u);
		link_start(l, u);
	}
	if (*calls_left == 0 && (!list_empty(&e->lost) || !list_empty(&e->waiting)))
		return true;
	if (!list_empty(&e->waiting))
		open_further(e);
	else if (e->retired)
		retire_links(e);
	return false;
}

void waiting_run(struct worker *w)
{
	uint32_t calls_left = WAITING_CALLS_PER_TURN;
	struct list marked;
	list_init(&marked);
	/* What is marked meanwhile has its turn in the next iteration. */
	list_splice_back(&marked, &w->endpoints_due);
	while (calls_left && !list_empty(&marked)) {
		struct pool_endpoint *e =
			CONTAINER_OF(list_pop_front(&marked), struct pool_endpoint, due);
		if (serve(e, &calls_left))
			mark(e);
	}
	/* Those that were not served come before the one that used up the number. */
	list_splice_back(&marked, &w->endpoints_due);
	list_splice_back(&w->endpoints_due, &marked);
	w->calls_may_start = !list_empty(&w->endpoints_due);
	if (w->calls_may_start)
		loop_again(&w->loop);
}
