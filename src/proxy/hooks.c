/* hooks.c - what admin asks of the control thread: see control.h. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/control_priv.h"
#include "proxy/publish.h"

#define GATHER_WAIT_NS (500 * NS_PER_MS) /* then a page shows what is there */
#define BEAT_LIMIT_NS  (10 * NS_PER_SEC) /* a worker whose turn takes longer is not alive */

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
	series_set(p, M_LOG_LOST, log_lost());
	series_set(p, M_MEMORY_HELD, shared_held_bytes(c->shared));
	series_set(p, M_GATHER_MISSED, c->gathers.missed);
	series_set(p, M_GATHER_LATE, c->gathers.late);
	series_set(p, M_GATHER_REFUSED, c->gathers.refused);
}

/* ---- asking the workers ---- */

/* They live as long as the control thread's own mailbox. */
int control_gather(struct control *c, const struct gather_ops *ops, void *question)
{
	struct mailbox *boxes[SHARED_THREADS_MAX];
	for (uint32_t i = 0; i < c->started; i++)
		boxes[i] = c->ends[i].over ? NULL : &c->workers[i]->box;
	struct loop *loop = &c->worker->loop;
	return gather_begin(
		&c->gathers, ops, question, boxes, c->started, loop->now_ns + GATHER_WAIT_NS);
}

struct refresh {
	struct control *control;
	void (*done)(void *ctx);
	void *ctx;
};

static void publish_here(struct refresh *r)
{
	worker_publish(r->control->worker);
	publish_process(r->control);
	outputs_publish(r->control->sinks, r->control->worker->env.metrics);
	r->done(r->ctx);
}

static void published(void *question, const struct gather *g)
{
	publish_here(question);
}

static const struct gather_ops refresh_ops = {
	.part_bytes = PUBLISH_PART_BYTES,
	.collect = publish_collect,
	.stop = publish_stop,
	.done = published,
	.drop_question = mem_free,
};

void control_refresh(void *arg, void (*done)(void *ctx), void *ctx)
{
	struct refresh here = {arg, done, ctx};
	struct refresh *r = mem_dup(&here, sizeof(here));
	if (r && control_gather(arg, &refresh_ops, r) == 0)
		return;
	mem_free(r);
	publish_here(&here); /* what is there */
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

struct wheel *control_wheel(struct control *c)
{
	return &c->worker->loop.wheel;
}
