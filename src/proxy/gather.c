#include "proxy/gather.h"
#include <stdatomic.h>
#include "base/list.h"
#include "base/mem.h"

/* The letter to one worker, and what it writes into. */
struct part {
	struct letter letter;
	struct gather *gather;
	struct mailbox *worker;
	bool answered; /* home's */
	_Alignas(16) uint8_t bytes[];
};

struct gather {
	struct gather_home *home;
	const struct gather_ops *ops;
	void *question;
	struct timer deadline;
	atomic_bool over; /* done was called: workers need not go on */
	uint32_t out;     /* letters that are not back, and one more until all are out */
	uint32_t count;
	struct part *parts[]; /* NULL: no memory, or dropped; then the worker misses */
};

uint32_t gather_workers(const struct gather *g)
{
	return g->count;
}

bool gather_misses(const struct gather *g, uint32_t worker)
{
	return !g->parts[worker] || !g->parts[worker]->answered;
}

static void tell(struct gather *g)
{
	wheel_cancel(g->home->wheel, &g->deadline);
	atomic_store_explicit(&g->over, true, memory_order_relaxed);
	for (uint32_t i = 0; i < g->count; i++)
		g->home->missed += gather_misses(g, i);
	g->ops->done(g->question, g);
}

static void drop(struct gather *g)
{
	for (uint32_t i = 0; i < g->count; i++) {
		if (g->parts[i] && g->ops->drop_part)
			g->ops->drop_part(g->parts[i]->bytes);
		mem_free(g->parts[i]);
	}
	if (g->ops->drop_question)
		g->ops->drop_question(g->question);
	g->home->pending--;
	mem_free(g);
}

static void one_back(struct gather *g)
{
	if (--g->out > 0)
		return;
	if (!atomic_load_explicit(&g->over, memory_order_relaxed))
		tell(g);
	drop(g);
}

static void on_deadline(struct timer *t, uint64_t now_ns)
{
	tell(CONTAINER_OF(t, struct gather, deadline));
}

static void open_at_home(struct letter *l, void *owner)
{
	struct part *p = CONTAINER_OF(l, struct part, letter);
	struct gather *g = p->gather;
	if (atomic_load_explicit(&g->over, memory_order_relaxed)) {
		g->home->late++;
	} else {
		p->answered = true;
		if (g->ops->merge)
			g->ops->merge(g->question, p->bytes);
	}
	one_back(g);
}

static void open_at_worker(struct letter *l, void *owner)
{
	struct part *p = CONTAINER_OF(l, struct part, letter);
	struct gather *g = p->gather;
	bool over = atomic_load_explicit(&g->over, memory_order_relaxed);
	bool whole = over || g->ops->collect(owner, g->question, p->bytes);
	if (over && g->ops->stop)
		g->ops->stop(p->bytes);
	if (whole)
		l->open = open_at_home;
	mailbox_post(whole ? g->home->box : p->worker, l);
}

static struct part *make_part(struct gather *g, struct mailbox *worker)
{
	struct part *p = mem_zalloc(sizeof(*p) + g->ops->part_bytes);
	if (!p)
		return NULL;
	p->letter.open = open_at_worker;
	p->gather = g;
	p->worker = worker;
	p->answered = !worker;
	return p;
}

int gather_begin(struct gather_home *home, const struct gather_ops *ops, void *question,
	struct mailbox *const *workers, uint32_t count, uint64_t deadline_ns)
{
	if (home->pending >= GATHERS_MAX) {
		home->refused++;
		return ERR_LIMIT;
	}
	struct gather *g = mem_zalloc(sizeof(*g) + count * sizeof(struct part *));
	if (!g)
		return ERR_NOMEM;
	g->home = home;
	g->ops = ops;
	g->question = question;
	g->count = count;
	home->pending++;
	timer_init(&g->deadline, on_deadline);
	wheel_arm(home->wheel, &g->deadline, deadline_ns);
	/* All parts first: done reads them. */
	for (uint32_t i = 0; i < count; i++)
		g->parts[i] = make_part(g, workers[i]);
	g->out = 1;
	for (uint32_t i = 0; i < count; i++) {
		if (!g->parts[i] || !workers[i])
			continue;
		g->out++;
		mailbox_post(workers[i], &g->parts[i]->letter);
	}
	one_back(g);
	return 0;
}
