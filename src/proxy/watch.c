#include "proxy/watch.h"
#include "base/clock.h"
#include "call/stall.h"
#include "call/timing.h"
#include "proxy/worker.h"

#define TICK_NS NS_PER_SEC

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A quarter of the shortest time that a route or the access log gives, between 10 ms and a tick. */
static uint64_t every(const struct config *config)
{
	uint64_t least = 4 * TICK_NS;
	for (uint32_t i = 0; i < config->route_count; i++) {
		const uint64_t after[] = {
			config->routes[i].stalled_after_ns, config->routes[i].silent_after_ns};
		for (int j = 0; j < 2; j++)
			if (after[j])
				least = smaller(least, after[j]);
	}
	if (config->access_log.path && config->access_log.every_ns)
		least = smaller(least, config->access_log.every_ns);
	return least > 40 * NS_PER_MS ? least / 4 : 10 * NS_PER_MS;
}

static void visit(struct call *c, void *arg)
{
	const struct call_watch *watch = arg;
	call_watch(c);
	call_tick(c);
	if (watch->ticking)
		timing_tick(c);
}

static void begin_pass(struct worker *w, uint64_t now_ns)
{
	struct call_watch *watch = &w->watch;
	watch->begun_ns = now_ns;
	watch->ticking = now_ns - w->env.tick_ns[2] >= TICK_NS;
	if (watch->ticking)
		timing_begin_ticks(&w->env);
}

static void on_timer(struct timer *t, uint64_t now_ns)
{
	struct worker *w = CONTAINER_OF(t, struct worker, watch.timer);
	struct call_watch *watch = &w->watch;
	if (!watch->walk.walking)
		begin_pass(w, now_ns);
	bool over = walk_calls(&watch->walk, w, WATCH_VISITS_PER_TURN, visit, watch);
	uint64_t due_ns = watch->begun_ns + watch->every_ns;
	/* A tick from now is beyond this turn, also when the turn is late. */
	if (!over || due_ns <= now_ns)
		due_ns = now_ns + NS_PER_MS;
	wheel_arm(&w->loop.wheel, t, due_ns);
}

void watch_init(struct worker *w)
{
	timer_init(&w->watch.timer, on_timer);
}

void watch_install(struct worker *w, const struct config *config)
{
	w->watch.every_ns = every(config);
	wheel_arm(&w->loop.wheel, &w->watch.timer, w->loop.now_ns + w->watch.every_ns);
}
