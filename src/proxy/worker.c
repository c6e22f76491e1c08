#include "proxy/worker.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/slots.h"
#include "call/labels.h"
#include "filter/sample.h"
#include "proxy/accept.h"
#include "proxy/front.h"
#include "proxy/h2io.h"
#include "proxy/link.h"
#include "proxy/pool.h"
#include "proxy/waiting.h"

#define HEARTBEAT_MS  1000
#define SLAB_KEEP     32
#define COOL_NS       (NS_PER_SEC / 10)
#define STOP_LIMIT_NS (5 * NS_PER_SEC) /* from the end of grace to closing what is left */

/* ---- life ---- */

static void on_mail(struct watch *watch, uint32_t events)
{
	struct worker *w = CONTAINER_OF(watch, struct worker, box_watch);
	mailbox_run(&w->box, w);
}

static void on_grace_end(struct timer *t, uint64_t now_ns);
static void on_blocked_check(struct timer *t, uint64_t now_ns);

static void init_lists(struct worker *w)
{
	list_init(&w->dirty);
	list_init(&w->full);
	list_init(&w->again);
	list_init(&w->ios);
	list_init(&w->dead);
	list_init(&w->listeners);
	list_init(&w->generations);
	list_init(&w->pools);
	list_init(&w->untold);
	list_init(&w->endpoints_due);
	list_init(&w->walks);
	timer_init(&w->grace_timer, on_grace_end);
	timer_init(&w->blocked_timer, on_blocked_check);
	watch_init(w);
}

static int init_metrics(struct worker *w, struct metrics *metrics)
{
	char index[16];
	snprintf(index, sizeof(index), "%u", w->index);
	const char *labels[] = {w->is_control ? "control" : index};
	w->metrics = metrics;
	w->env.metrics = metrics_slab_create(metrics);
	if (!w->env.metrics)
		return ERR_NOMEM;
	w->process = metrics_plain(w->env.metrics, GROUP_PROCESS);
	w->series = metrics_series(w->env.metrics, GROUP_WORKER, labels);
	return 0;
}

static int init_loop(struct worker *w)
{
	if (loop_init(&w->loop) != 0)
		return ERR_SYS;
	w->box_watch.ready = on_mail;
	w->box_watch.fd = -1;
	if (mailbox_init(&w->box) != 0 || loop_add_level(&w->loop, &w->box_watch, w->box.fd) != 0)
		return ERR_SYS;
	return 0;
}

struct worker *worker_create(const struct worker_setup *setup, uint32_t index, bool is_control)
{
	struct worker *w = mem_zalloc(sizeof(*w));
	if (!w)
		return NULL;
	w->index = index;
	w->is_control = is_control;
	w->read_left = WORKER_TURN_READ_BYTES;
	w->shared = setup->shared;
	w->cell = &setup->shared->cells[index];
	w->workers = setup->workers;
	w->worker_count = setup->worker_count;
	w->admin_terminus = setup->admin_terminus;
	init_lists(w);
	call_env_init(&w->env);
	rand_seed_os(&w->rand);
	w->env.rand = &w->rand;
	w->env.filters = setup->filters;
	w->env.worker = w;
	w->env.index = index;
	w->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	w->slabs = slab_pool_create(SLAB_KEEP);
	if (!w->slabs || init_metrics(w, setup->metrics) != 0 || init_loop(w) != 0)
		return NULL; /* start-up only: the process ends */
	return w;
}

static void drop_generation(struct worker *w, struct generation *g)
{
	list_remove(&g->node);
	labels_fini(&g->base);
	config_unref(g->base.config);
	mem_free(g->pools);
	mem_free(g);
}

void worker_destroy(struct worker *w)
{
	LIST_FOR_EACH_SAFE (n, &w->ios)
		h2io_close(CONTAINER_OF(n, struct h2io, all), CLOSED_SHUTDOWN);
	call_reap(&w->env);
	h2io_reap(w);
	LIST_FOR_EACH_SAFE (n, &w->generations)
		drop_generation(w, CONTAINER_OF(n, struct generation, node));
	LIST_FOR_EACH_SAFE (n, &w->pools)
		pool_destroy(CONTAINER_OF(n, struct pool, node));
	LIST_FOR_EACH_SAFE (n, &w->listeners)
		accept_drop(CONTAINER_OF(n, struct worker_listener, node));
	sampler_destroy(&w->env);
	call_env_fini(&w->env);
	loop_del(&w->loop, &w->box_watch);
	mailbox_run(&w->box, w);
	mailbox_fini(&w->box);
	loop_fini(&w->loop);
	if (w->in)
		slab_unref(w->in);
	slab_pool_destroy(w->slabs);
	if (w->spare_fd >= 0)
		close(w->spare_fd);
	mem_free(w);
}

static void *thread_main(void *arg)
{
	struct worker *w = arg;
	char name[16];
	snprintf(name, sizeof(name), "worker-%u", w->index);
	pthread_setname_np(pthread_self(), name);
	worker_run(w);
	return NULL;
}

int worker_start(struct worker *w)
{
	return pthread_create(&w->thread, NULL, thread_main, w) == 0 ? 0 : ERR_SYS;
}

void worker_post(struct worker *w, struct letter *l)
{
	mailbox_post(&w->box, l);
}

/* ---- the turn ---- */

static void budget_check(struct worker *w)
{
	uint64_t held = w->down.held_bytes + w->up.held_bytes + w->waiting_bytes;
	if (held != atomic_load_explicit(&w->cell->held_bytes, memory_order_relaxed))
		atomic_store_explicit(&w->cell->held_bytes, held, memory_order_relaxed);
	else if (!w->env.credit_stopped && held == 0)
		return;
	if (!w->current)
		return;
	uint64_t limit = w->current->base.config->limits.memory_bytes;
	uint64_t sum = shared_held_bytes(w->shared);
	bool stop = sum >= limit / 5 * 4;
	if (stop && !w->env.credit_stopped) {
		series_add(w->process, M_MEMORY_STOPS, 1);
		call_credit_stop(&w->env);
	} else if (!stop && w->env.credit_stopped) {
		call_credit_resume(&w->env);
	}
	if (sum >= limit)
		front_cut_heaviest(w);
}

/* Superseded and without calls: gone. */
static void drop_old_generations(struct worker *w)
{
	LIST_FOR_EACH_SAFE (node, &w->generations) {
		struct generation *old = CONTAINER_OF(node, struct generation, node);
		if (old != w->current && old->base.calls == 0)
			drop_generation(w, old);
	}
}

/* What a burst needed, caches give up soon after it: what was not taken between two coolings. A
 * worker that sleeps gets there with its heartbeats. */
static void cool(struct worker *w)
{
	if (w->loop.now_ns - w->cooled_ns < COOL_NS)
		return;
	w->cooled_ns = w->loop.now_ns;
	call_env_cool(&w->env);
	fields_cache_cool();
	h2_caches_cool();
	free_list_cool(&w->held);
	free_list_cool(&w->held_bytes);
	if (w->in && w->in->refs == 1) { /* the next read finds it in the pool */
		slab_unref(w->in);
		w->in = NULL;
	}
	slab_pool_cool(w->slabs);
	slots_cool();
}

static void turn(struct worker *w)
{
	/* With credit stopped another worker's fall must be noticed: look again soon. */
	loop_wait(&w->loop, w->env.credit_stopped ? 10 : HEARTBEAT_MS);
	w->env.now_ns = w->loop.now_ns;
	w->env.wall_ns = w->loop.wall_ns;
	w->read_before = WORKER_TURN_READ_BYTES - w->read_left;
	w->read_left = WORKER_TURN_READ_BYTES;
	h2io_read_again(w);
	loop_run(&w->loop);
	if (w->calls_may_start)
		waiting_run(w);
	h2io_flush_all(w);
	budget_check(w);
	h2io_flush_all(w);
	h2io_crowds_over(w);
	call_reap(&w->env);
	pool_tell_streams(w);
	sink_flush(&w->env.outputs);
	if (w->generations.next != w->generations.prev)
		drop_old_generations(w);
	h2io_reap(w);
	if (w->listeners_ended)
		accept_reap(w);
	cool(w);
	DEBUG_ASSERT(w->env.started == w->env.completed + w->env.calls);
	atomic_store_explicit(&w->cell->heartbeat_ns, w->loop.now_ns, memory_order_relaxed);
	series_add(w->series, M_LOOP_TURNS, 1);
	series_observe(w->series, M_LOOP_LAG, loop_end(&w->loop));
}

static bool all_gone(const struct worker *w)
{
	LIST_FOR_EACH (n, &w->ios) {
		if (!link_is(CONTAINER_OF(n, struct h2io, all)))
			return false;
	}
	return w->env.calls == 0;
}

/* On the thread that made them: engines keep thread-local caches. */
static void close_all(struct worker *w)
{
	while (!list_empty(&w->ios))
		h2io_close(CONTAINER_OF(w->ios.next, struct h2io, all), CLOSED_SHUTDOWN);
	call_reap(&w->env);
	h2io_reap(w);
	pool_tell_streams(w);
}

void worker_run(struct worker *w)
{
	while (!w->loop.stop) {
		turn(w);
		if (w->draining && all_gone(w))
			w->loop.stop = true;
	}
	close_all(w);
	sink_flush(&w->env.outputs);
	worker_publish(w);
	fields_cache_purge();
	free_list_purge(&w->held);
	free_list_purge(&w->held_bytes);
	free_list_purge(&w->env.blocks);
	slots_purge();
	if (w->stopped)
		w->stopped(w);
}

/* ---- configurations ---- */

static bool contains(struct listener *const *listeners, uint32_t n, const struct listener *l)
{
	for (uint32_t i = 0; i < n; i++) {
		if (listeners[i] == l)
			return true;
	}
	return false;
}

static struct generation *make_generation(struct worker *w, struct config *config)
{
	struct generation *g = mem_zalloc(sizeof(*g));
	if (!g)
		return NULL;
	list_init(&g->node);
	g->pools = mem_zalloc((config->cluster_count + 1) * sizeof(struct pool *));
	for (uint32_t i = 0; g->pools && i < config->cluster_count; i++) {
		g->pools[i] = pool_for(w, &config->clusters[i]);
		if (!g->pools[i]) {
			mem_free(g->pools);
			g->pools = NULL;
		}
	}
	if (!g->pools) {
		mem_free(g);
		return NULL;
	}
	char number[24];
	snprintf(number, sizeof(number), "%llu", (unsigned long long)config->generation);
	const char *labels[] = {number};
	g->base.config = config_ref(config);
	g->base.owner = g;
	g->base.gauge = metrics_series(w->env.metrics, GROUP_STREAM_GENERATION, labels);
	return g;
}

int worker_install(struct worker *w, struct config *config, struct listener **listeners, uint32_t n)
{
	struct generation *g = sampler_install(&w->env, config) ? NULL : make_generation(w, config);
	if (!g)
		return ERR_NOMEM;
	list_push_back(&w->generations, &g->node);
	w->current = g;
	watch_install(w, config);
	LIST_FOR_EACH_SAFE (node, &w->listeners) {
		struct worker_listener *wl = CONTAINER_OF(node, struct worker_listener, node);
		if (!contains(listeners, n, wl->listener))
			accept_stop(wl);
	}
	int err = 0;
	for (uint32_t i = 0; i < n && !w->draining; i++) {
		struct worker_listener *wl = accept_find(w, listeners[i]);
		if (!wl && listeners[i]->admin == w->is_control)
			err = accept_start(w, listeners[i]) ? ERR_SYS : err;
	}
	pool_retire_absent(w, config);
	LIST_FOR_EACH_SAFE (node, &w->generations) {
		struct generation *old = CONTAINER_OF(node, struct generation, node);
		if (old != w->current && old->base.calls == 0)
			drop_generation(w, old);
	}
	return err;
}

/* ---- drain ---- */

void worker_drain(struct worker *w, uint64_t grace_ns)
{
	if (w->draining) {
		if (grace_ns == 0) /* a second order cuts the grace short */
			wheel_arm(&w->loop.wheel, &w->grace_timer, w->loop.now_ns);
		return;
	}
	w->draining = true;
	LIST_FOR_EACH_SAFE (n, &w->listeners) {
		struct worker_listener *wl = CONTAINER_OF(n, struct worker_listener, node);
		if (!wl->listener->admin)
			accept_stop(wl);
	}
	LIST_FOR_EACH_SAFE (n, &w->ios) {
		struct h2io *io = CONTAINER_OF(n, struct h2io, all);
		if (!link_is(io))
			front_drain(io);
	}
	wheel_arm(&w->loop.wheel, &w->grace_timer, w->loop.now_ns + grace_ns);
}

/* First every stream learns that the proxy goes; what still hangs after the limit is closed. */
static void on_grace_end(struct timer *t, uint64_t now_ns)
{
	struct worker *w = CONTAINER_OF(t, struct worker, grace_timer);
	bool last = w->grace_over;
	LIST_FOR_EACH_SAFE (n, &w->ios) {
		struct h2io *io = CONTAINER_OF(n, struct h2io, all);
		if (link_is(io))
			continue;
		if (last)
			h2io_close(io, CLOSED_SHUTDOWN);
		else
			front_shutdown(io);
	}
	w->grace_over = true;
	if (!last)
		wheel_arm(&w->loop.wheel, &w->grace_timer, now_ns + STOP_LIMIT_NS);
}

/* ---- the rest ---- */

static void on_blocked_check(struct timer *t, uint64_t now_ns)
{
	link_check_blocked(CONTAINER_OF(t, struct worker, blocked_timer), now_ns);
}

bool worker_refuses_streams(const struct worker *w)
{
	return w->draining || w->env.credit_stopped;
}

struct series *worker_closed_series(
	struct worker *w, const char *side, const char *name, const char *reason)
{
	const char *labels[] = {side, name, reason};
	return metrics_series(w->env.metrics, GROUP_CONNECTION_CLOSED, labels);
}
