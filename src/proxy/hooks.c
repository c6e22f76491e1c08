/* hooks.c - what admin asks of the control thread: see control.h. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "proxy/control_priv.h"

#define REFRESH_WAIT_NS (500 * NS_PER_MS) /* then a page shows what is there */
#define BEAT_LIMIT_NS   (10 * NS_PER_SEC) /* a worker whose turn takes longer is not alive */

struct refresh {
	struct timer timer; /* the deadline */
	struct control *control;
	void (*done)(void *ctx); /* NULL: told already */
	void *ctx;
	uint32_t missing;
};

struct refresh_letter {
	struct letter letter;
	struct refresh *refresh;
};

static void publish_process(struct control *c)
{
	struct series *p = c->worker->process;
	struct rusage usage;
	long pages = 0;
	uint64_t fds = 0;
	FILE *statm = fopen("/proc/self/statm", "re");
	if (statm && fscanf(statm, "%*s %ld", &pages) == 1)
		series_set(p, M_RESIDENT_MEMORY, (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE));
	if (statm)
		fclose(statm);
	DIR *dir = opendir("/proc/self/fd");
	while (dir && readdir(dir))
		fds++;
	if (dir)
		closedir(dir);
	series_set(
		p, M_OPEN_FDS, fds > 3 ? fds - 3 : 0); /* not ".", ".." and the directory's own */
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		series_set(p, M_CPU_SECONDS,
			(uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_SEC +
				(uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000);
	series_set(p, M_MEMORY_HELD, shared_held_bytes(c->shared));
}

static void tell(struct refresh *r)
{
	void (*done)(void *) = r->done;
	r->done = NULL;
	wheel_cancel(&r->control->worker->loop.wheel, &r->timer);
	worker_publish(r->control->worker);
	publish_process(r->control);
	outputs_publish(r->control->sinks, r->control->worker->env.metrics);
	if (done)
		done(r->ctx);
}

static void on_refresh_deadline(struct timer *t, uint64_t now_ns)
{
	tell(CONTAINER_OF(t, struct refresh, timer));
}

static void open_refreshed(struct letter *l, void *owner)
{
	struct refresh_letter *rl = CONTAINER_OF(l, struct refresh_letter, letter);
	struct refresh *r = rl->refresh;
	mem_free(rl);
	if (--r->missing > 0)
		return;
	if (r->done)
		tell(r);
	mem_free(r);
}

static void open_publish(struct letter *l, void *owner)
{
	struct refresh_letter *rl = CONTAINER_OF(l, struct refresh_letter, letter);
	worker_publish(owner);
	l->open = open_refreshed;
	worker_post(rl->refresh->control->worker, l);
}

void control_refresh(void *arg, void (*done)(void *ctx), void *ctx)
{
	struct control *c = arg;
	struct refresh *r = mem_zalloc(sizeof(*r));
	if (!r) {
		done(ctx);
		return;
	}
	r->control = c;
	r->done = done;
	r->ctx = ctx;
	r->missing = 1; /* this function's own share, until all letters are out */
	timer_init(&r->timer, on_refresh_deadline);
	for (uint32_t i = 0; i < c->started; i++) {
		struct refresh_letter *rl = mem_zalloc(sizeof(*rl));
		if (!rl)
			continue;
		rl->letter.open = open_publish;
		rl->refresh = r;
		r->missing++;
		worker_post(c->workers[i], &rl->letter);
	}
	wheel_arm(&c->worker->loop.wheel, &r->timer, c->worker->loop.now_ns + REFRESH_WAIT_NS);
	if (--r->missing == 0) {
		tell(r);
		mem_free(r);
	}
}

struct config *control_config(void *arg)
{
	struct control *c = arg;
	return config_ref(c->config);
}

bool control_ready(void *arg, const char **why)
{
	struct control *c = arg;
	if (c->draining) {
		*why = "draining";
		return false;
	}
	if (atomic_load_explicit(&c->installed, memory_order_acquire) < c->worker_count) {
		*why = "starting";
		return false;
	}
	return true;
}

bool control_live(void *arg, const char **why)
{
	struct control *c = arg;
	uint64_t now = clock_mono_ns();
	for (uint32_t i = 0; i < c->worker_count && !c->draining; i++) {
		uint64_t beat = atomic_load_explicit(
			&c->workers[i]->cell->heartbeat_ns, memory_order_relaxed);
		if (beat && now - beat > BEAT_LIMIT_NS && now > beat) {
			*why = "a worker has been in one turn for more than 10 s";
			return false;
		}
	}
	return true;
}

struct metrics *control_metrics(struct control *c)
{
	return c->metrics;
}
