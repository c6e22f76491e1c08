/* sim.c - the engines, the wires and the turns of a run. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "http/event.h"
#include "sim.h"

void sim_wrong(struct sim *sim, const char *fmt, ...)
{
	va_list ap;
	if (sim->wrong[0])
		return;
	va_start(ap, fmt);
	vsnprintf(sim->wrong, sizeof(sim->wrong), fmt, ap);
	va_end(ap);
}

const char *sim_injection_name(enum injection i)
{
	static const char *const names[INJECT_COUNT] = {"nothing", "cut near", "cut far",
		"reset by alice", "reset by bob", "release by alice", "release by bob",
		"drain by alice", "drain by bob", "drain now by bob", "kill by alice",
		"kill by bob", "drop by bob", "window 0", "window 1", "window huge", "garbage",
		"no memory"};
	return names[i];
}

/* ---- wires ---- */

static void pipe_add(struct pipe *p, const void *bytes, size_t len)
{
	if (p->cut)
		return;
	if (p->at == p->len)
		p->at = p->len = 0;
	if (p->len + len > p->cap) {
		p->cap = (p->len + len) * 2;
		p->p = realloc(p->p, p->cap);
		ASSERT(p->p);
	}
	memcpy(p->p + p->len, bytes, len);
	p->len += len;
}

static void settings_frame(struct pipe *p, uint32_t window)
{
	uint8_t f[15] = {0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, (uint8_t)(window >> 24),
		(uint8_t)(window >> 16), (uint8_t)(window >> 8), (uint8_t)window};
	pipe_add(p, f, sizeof(f));
}

/* Called between turns: the wires are at a frame's end, since outputs are taken whole. */
static void window_to_all(struct sim *sim, uint32_t window)
{
	for (int i = 0; i < (sim->sc->relay ? 4 : 2); i++)
		settings_frame(&sim->pipes[i], window);
}

/* ---- injections that touch wires; sim_app.c has those that touch streams ---- */

static void cut(struct end *e)
{
	e->in->cut = e->out->cut = true;
	e->in->at = e->in->len;
	e->out->at = e->out->len;
}

static void garble(struct sim *sim)
{
	struct pipe *p = sim->ends[BOB].in;
	if (p->len > p->at)
		p->p[p->at + rand_below(&sim->rand, p->len - p->at)] ^=
			(uint8_t)(1 + rand_below(&sim->rand, 255));
}

static void inject(struct sim *sim)
{
	switch ((int)sim->inject) {
	case INJECT_CUT_NEAR:
		cut(&sim->ends[ALICE]);
		break;
	case INJECT_CUT_FAR:
		cut(&sim->ends[BOB]);
		break;
	case INJECT_WINDOW_0:
	case INJECT_WINDOW_1:
		sim->window_next = sim->inject == INJECT_WINDOW_1;
		sim->restore_window = true;
		break;
	case INJECT_WINDOW_HUGE:
		sim->window_next = 0x7fffffff;
		break;
	case INJECT_GARBAGE:
		garble(sim);
		break;
	default:
		sim_inject_stream(sim);
	}
}

/* ---- turns ---- */

static void end_create(
	struct sim *sim, int which, const char *name, enum h2_role role, int in, int out)
{
	struct end *e = &sim->ends[which];
	struct h2_options o = h2_options_default(role);
	o.stream_window_bytes = SIM_WINDOW;
	o.conn_window_bytes = 65535;
	if (sim->sc->max_streams && role == H2_SERVER && which == BOB)
		o.max_concurrent_streams = sim->sc->max_streams;
	*e = (struct end){.name = name, .sim = sim, .in = &sim->pipes[in], .out = &sim->pipes[out]};
	e->c = h2_conn_create(role, &o, sim->pool, &sim->books);
	if (!e->c)
		e->dead = e->gone = true; /* memory failed: the others find a cut wire */
	if (!e->c)
		e->in->cut = e->out->cut = true;
}

static void poll_all(struct sim *sim, struct end *e)
{
	struct h2_event ev;
	while (!e->gone && h2_conn_poll(e->c, &ev)) {
		sim->events++;
		if (e->dead)
			sim_wrong(sim, "%s has an event after DEAD", e->name);
		sim_event(sim, e, &ev);
		if (!sim->injected && sim->inject && sim->events == sim->inject_at) {
			sim->injected = true;
			inject(sim);
		}
	}
}

static bool write_all(struct sim *sim, struct end *e)
{
	struct iovec iov[16];
	bool moved = false;
	for (;;) {
		size_t total = 0;
		int n = h2_conn_output(e->c, iov, 16);
		for (int i = 0; i < n; i++) {
			pipe_add(e->out, iov[i].iov_base, iov[i].iov_len);
			total += iov[i].iov_len;
		}
		if (!total)
			return moved;
		h2_conn_written(e->c, total);
		poll_all(sim, e);
		moved = true;
	}
}

static bool read_some(struct sim *sim, struct end *e)
{
	struct pipe *p = e->in;
	size_t n = p->len - p->at;
	if (n > 1 && rand_below(&sim->rand, 2))
		n = 1 + rand_below(&sim->rand, n);
	if (!n)
		return false;
	struct slice in = slice_copy(p->p + p->at, (uint32_t)n);
	p->at += n;
	if (!in.slab) {
		/* The reader had no memory: its connection is lost. */
		e->in->cut = e->out->cut = true;
		p->at = p->len;
		return true;
	}
	h2_conn_feed(e->c, in, sim->now_ns);
	poll_all(sim, e);
	if (!e->gone && rand_below(&sim->rand, 2))
		h2_conn_settle(e->c);
	return true;
}

static bool end_turn(struct sim *sim, struct end *e)
{
	bool moved = false;
	if (e->gone)
		return false;
	poll_all(sim, e);
	moved |= read_some(sim, e);
	poll_all(sim, e);
	moved |= write_all(sim, e);
	if (e->dead || e->in->cut) {
		/* What the engine said last is on the wire; now the owner gives it up. */
		e->gone = true;
		e->out->cut = true;
		sim_conn_lost(sim, e);
		moved = true;
	}
	return moved;
}

static void turns(struct sim *sim)
{
	int count = sim->sc->relay ? 4 : 2;
	for (int idle = 0; idle < 6;) {
		bool moved = sim_work(sim);
		if (sim->window_next >= 0) {
			window_to_all(sim, (uint32_t)sim->window_next);
			sim->window_next = -1;
		}
		for (int i = 0; i < count; i++)
			moved |= end_turn(sim, &sim->ends[i]);
		/* A cut wire is noticed once what was on it has been read. */
		for (int i = 0; i < count; i++) {
			struct end *e = &sim->ends[i];
			if (!e->gone && e->in->at == e->in->len && e->out->cut)
				e->in->cut = true;
		}
		sim->now_ns += 1000000;
		idle = moved ? 0 : idle + 1;
		if (idle == 3 && sim->restore_window) {
			sim->restore_window = false;
			window_to_all(sim, SIM_WINDOW);
			idle = 0;
		}
	}
}

static void tear_down(struct sim *sim)
{
	for (int i = 0; i < 4; i++) {
		for (unsigned k = 0; k < SIM_STREAMS * 2; k++)
			if (sim->stations[i][k].s)
				h2_stream_release(sim->stations[i][k].s);
		if (sim->ends[i].c)
			h2_conn_destroy(sim->ends[i].c);
		free(sim->pipes[i].p);
	}
	const struct h2_books *b = &sim->books;
	if (b->held_bytes || b->streams || b->conns || slab_pool_out(sim->pool))
		sim_wrong(sim, "books at the end: held %llu streams %llu conns %llu slabs %llu",
			(unsigned long long)b->held_bytes, (unsigned long long)b->streams,
			(unsigned long long)b->conns, (unsigned long long)slab_pool_out(sim->pool));
	if (b->bugs)
		sim_wrong(sim, "books.bugs is %llu", (unsigned long long)b->bugs);
	slab_pool_destroy(sim->pool);
	fields_cache_purge();
}

/* Did the failure that mem_fail_after(nth) ordered happen? If not, one of the next nth will. */
static bool failure_is_left(long nth)
{
	for (long i = 0; i < nth; i++) {
		void *p = mem_alloc(1);
		if (!p)
			return true;
		mem_free(p);
	}
	return false;
}

long sim_run(struct sim *sim, const struct scenario *sc, enum injection inject, long at)
{
	long live = mem_live_blocks();
	memset(sim, 0, sizeof(*sim));
	sim->sc = sc;
	sim->inject = inject;
	sim->inject_at = at;
	sim->now_ns = 1000000000;
	sim->window_next = -1;
	rand_seed(&sim->rand, 77);
	sim->pool = slab_pool_create(4);
	ASSERT(sim->pool);
	if (inject == INJECT_NO_MEMORY)
		mem_fail_after(at);
	if (sc->relay) {
		end_create(sim, ALICE, "alice", H2_CLIENT, 1, 0);
		end_create(sim, FRONT, "front", H2_SERVER, 0, 1);
		end_create(sim, LINK, "link", H2_CLIENT, 3, 2);
		end_create(sim, BOB, "bob", H2_SERVER, 2, 3);
		sim->ends[FRONT].twin = &sim->ends[LINK];
		sim->ends[LINK].twin = &sim->ends[FRONT];
	} else {
		end_create(sim, ALICE, "alice", H2_CLIENT, 1, 0);
		end_create(sim, BOB, "bob", H2_SERVER, 0, 1);
	}
	turns(sim);
	sim->failure_left = inject == INJECT_NO_MEMORY && failure_is_left(at);
	mem_fail_after(0);
	sim_judge(sim);
	tear_down(sim);
	if (mem_live_blocks() != live)
		sim_wrong(sim, "%ld blocks leaked", mem_live_blocks() - live);
	return sim->events;
}
