/* sim.h - two engines, or four with a relay between, over a wire that the test can spoil.
 *
 *    alice (client) ===== bob (server)
 *    alice (client) ===== front | link ===== bob        front/link: the relay's two engines
 *
 * What it does: runs one scenario of streams to its end, in turns, with every event counted; at
 * event number `inject_at` one injection happens. Afterwards everything is released and destroyed,
 * and the books, slabs and heap must be where they began. What it does not: use clocks, sockets or
 * randomness beyond its own seed: a run is its parameters. Errors: the first thing that went wrong
 * is kept in `wrong`. */
#ifndef WEIR_TESTS_SIM_H
#define WEIR_TESTS_SIM_H
#include <stdbool.h>
#include <stdint.h>
#include "base/rand.h"
#include "http2/conn.h"

#define SIM_STREAMS 16
#define SIM_WINDOW  2000 /* octets: every larger body meets back-pressure */

enum injection {
	INJECT_NOTHING,
	INJECT_CUT_NEAR,    /* alice's wire is cut */
	INJECT_CUT_FAR,     /* bob's wire is cut (the same one without a relay) */
	INJECT_RESET_ALICE, /* alice resets one of her streams */
	INJECT_RESET_BOB,
	INJECT_RELEASE_ALICE, /* gives a live handle back */
	INJECT_RELEASE_BOB,
	INJECT_DRAIN_ALICE,
	INJECT_DRAIN_BOB,
	INJECT_DRAIN_NOW_BOB,
	INJECT_KILL_ALICE,
	INJECT_KILL_BOB,
	INJECT_DROP_BOB, /* drops what is queued, error trailers in its place */
	INJECT_WINDOW_0, /* SETTINGS to both: the window shrinks, maybe below zero; later it is back
			  */
	INJECT_WINDOW_1,
	INJECT_WINDOW_HUGE, /* the peer is told that it may send without limit: a lie */
	INJECT_GARBAGE,     /* an octet on its way to bob changes */
	INJECT_NO_MEMORY,   /* the inject_at-th allocation fails, whatever event that is at */
	INJECT_COUNT,
};

struct scenario {
	const char *name;
	bool relay;
	unsigned streams;
	uint32_t up_bytes, down_bytes; /* a stream's body in each direction */
	bool trailers, early;          /* early: bob answers before the request has ended */
	uint32_t max_streams;          /* bob's limit; 0: none that matters */
};

struct pipe {
	uint8_t *p;
	size_t len, at, cap;
	bool cut;
};

struct sim;

struct end {
	const char *name;
	struct sim *sim;
	struct h2_conn *c;
	struct pipe *out, *in;
	struct end *twin; /* a relay's other engine */
	bool dead;        /* H2_EV_DEAD was polled */
	bool gone;        /* the connection was given up */
};

/* One direction of one stream at one end. */
struct flow {
	uint32_t want_bytes;
	uint32_t pushed_bytes, admitted_bytes, dropped_bytes;
	uint32_t got_bytes, credited_bytes;
	bool head_sent, end_sent, end_got;
};

struct station {             /* a stream at one end */
	struct h2_stream *s; /* NULL: not open, or given back */
	struct end *end;
	struct station *twin; /* in the relay */
	struct flow f;
	bool over, used, cut_short; /* cut_short: somebody ended it before its time */
};

struct sim {
	const struct scenario *sc;
	enum injection inject;
	long inject_at;
	long events; /* polled so far */
	bool injected;
	struct rand rand;
	struct h2_books books;
	struct slab_pool *pool;
	struct pipe pipes[4];
	struct end ends[4]; /* alice, bob, front, link */
	struct station stations[4][SIM_STREAMS * 2];
	unsigned opened;
	uint64_t now_ns;
	bool failure_left;   /* INJECT_NO_MEMORY: the run had fewer allocations than that */
	int64_t window_next; /* SETTINGS to put on the wires at the next frame boundary; -1: none */
	bool restore_window;
	char wrong[300];
};

enum { ALICE, BOB, FRONT, LINK };

/* Runs it; how many events there were. The verdict is in sim->wrong ("" is good). */
long sim_run(struct sim *sim, const struct scenario *sc, enum injection inject, long at);
const char *sim_injection_name(enum injection i);

/* sim_app.c: what the owners of the engines do. */
void sim_event(struct sim *sim, struct end *e, struct h2_event *ev);
bool sim_work(struct sim *sim); /* opens, pushes, credits; false: nothing left to do */
void sim_inject_stream(struct sim *sim);
void sim_conn_lost(struct sim *sim, struct end *e);
void sim_judge(struct sim *sim);
__attribute__((format(printf, 2, 3))) void sim_wrong(struct sim *sim, const char *fmt, ...);
#endif
