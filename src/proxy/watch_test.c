/* watch_test.c - a worker that does not run, with fronts that have nothing but calls, and a clock
 * of the test's own that turns its wheel. */
#include "proxy/watch.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "call/stall.h"
#include "call/timing.h"
#include "proxy/front.h"
#include "proxy/worker.h"
#include "tap.h"

enum { FRONTS = 40, CALLS = 250, TOTAL = FRONTS * CALLS };
_Static_assert(TOTAL > 5 * WATCH_VISITS_PER_TURN, "a pass has several turns");
#define SILENT_NS (2 * NS_PER_SEC)
#define EVERY_NS  (SILENT_NS / 4)

static struct metrics *metrics;
static struct worker *w;
static struct front fronts[FRONTS];
static struct call calls[FRONTS][CALLS];
static struct call_stage stages[FRONTS][CALLS];
static unsigned seen[FRONTS][CALLS], visits;
static struct config_route route = {.name = "r", .silent_after_ns = SILENT_NS};
static struct config_listener listener = {.name = "in"};
static struct config config = {.routes = &route, .route_count = 1};
static struct call_said said = {"", "", "", "", ""};

static void see(struct call *c, void *state)
{
	size_t at = (size_t)(c - &calls[0][0]);
	seen[at / CALLS][at % CALLS]++;
	visits++;
}
static const struct call_filter watched = {.name = "watched", .tick = see};

static void add_call(unsigned f, unsigned i)
{
	struct call *c = &calls[f][i];
	*c = (struct call){.env = &w->env,
		.route = &route,
		.listener = &listener,
		.said = &said,
		.peer = "",
		.endpoint = "",
		.begun_ns = w->env.now_ns,
		.stages = &stages[f][i],
		.stage_count = 1};
	stages[f][i].filter = &watched;
	list_push_back(&fronts[f].calls, &c->node);
}

static void end_call(struct call *c)
{
	walk_gone(&w->walks, &c->node);
	list_remove(&c->node);
	call_unwatch(c);
}

/* One turn of the worker, `ns` after the last one. */
static void turn(uint64_t ns)
{
	w->loop.now_ns = w->env.now_ns += ns;
	wheel_advance(&w->loop.wheel, w->loop.now_ns);
}

static void begin(void)
{
	metrics = metrics_create(100);
	struct worker_setup setup = {.shared = shared_create(1), .metrics = metrics};
	w = worker_create(&setup, 0, false);
	REQUIRE(metrics && setup.shared && w);
	w->env.now_ns = w->loop.now_ns;
	memset(fronts, 0, sizeof fronts);
	memset(seen, 0, sizeof seen);
	visits = 0;
	log_set_level(LOG_ERROR); /* not ten thousand lines */
	for (unsigned f = 0; f < FRONTS; f++) {
		list_init(&fronts[f].calls);
		list_push_back(&w->ios, &fronts[f].io.all);
		for (unsigned i = 0; i < CALLS; i++)
			add_call(f, i);
	}
	watch_install(w, &config);
	CHECK_EQ(w->watch.every_ns, EVERY_NS);
}

static void end(void)
{
	struct shared *shared = w->shared;
	log_set_level(LOG_INFO);
	for (unsigned f = 0; f < FRONTS; f++)
		LIST_FOR_EACH_SAFE (n, &fronts[f].calls)
			end_call(CONTAINER_OF(n, struct call, node));
	walk_stop(&w->watch.walk);
	while (!list_empty(&w->ios))
		list_remove(w->ios.next);
	worker_destroy(w);
	shared_destroy(shared);
	metrics_destroy(metrics);
}

static uint64_t silent(enum metric m)
{
	const char *labels[] = {"in", "r", "", "silent"};
	return metrics_read(metrics, m, labels);
}

/* Turns of `ns` until a whole pass is over, from one that has not begun; how many had visits. */
static unsigned one_pass(uint64_t ns)
{
	unsigned turns = 0;
	uint64_t begun = w->watch.begun_ns;
	while (w->watch.begun_ns == begun || w->watch.walk.walking) {
		unsigned before = visits;
		turn(ns);
		CHECK(visits - before <= WATCH_VISITS_PER_TURN);
		turns += visits > before;
	}
	return turns;
}

TEST(no_turn_visits_more_than_its_bound_and_a_pass_has_every_call_once)
{
	begin();
	unsigned passes = 0;
	for (; w->env.now_ns < calls[0][0].begun_ns + SILENT_NS; passes++) {
		unsigned turns = one_pass(NS_PER_MS);
		CHECK(turns >= TOTAL / WATCH_VISITS_PER_TURN);
		CHECK(turns <= TOTAL / WATCH_VISITS_PER_TURN + 2);
		for (unsigned i = 0; i < TOTAL; i++)
			CHECK_EQ(seen[i / CALLS][i % CALLS], passes + 1);
	}
	CHECK(passes >= 3);
	end();
}

TEST(a_turn_that_is_late_visits_no_more_than_one_in_time)
{
	begin();
	turn(EVERY_NS + NS_PER_MS); /* the first step */
	unsigned before = visits;
	turn(NS_PER_SEC / 10); /* a hundred ticks at once */
	CHECK(visits > before && visits - before <= WATCH_VISITS_PER_TURN);
	one_pass(EVERY_NS);
	end();
}

TEST(every_call_that_hangs_is_found_and_said_once)
{
	begin();
	while (w->env.now_ns < calls[0][0].begun_ns + SILENT_NS)
		one_pass(NS_PER_MS);
	one_pass(NS_PER_MS);
	CHECK_EQ(silent(M_STREAMS_HUNG), TOTAL);
	CHECK_EQ(silent(M_STREAMS_HUNG_FOUND), TOTAL);
	for (unsigned i = 0; i < TOTAL; i += 2) /* half of them move again */
		calls[i / CALLS][i % CALLS].lanes[LANE_REQUEST].last_ns = w->env.now_ns;
	one_pass(NS_PER_MS);
	CHECK_EQ(silent(M_STREAMS_HUNG), TOTAL / 2);
	CHECK_EQ(silent(M_STREAMS_HUNG_FOUND), TOTAL);
	end();
}

/* What is there from a pass's begin to its end is met in it, whoever comes and goes. */
TEST(calls_that_come_and_go_hide_no_other)
{
	struct rand r;
	rand_seed(&r, tap_seed());
	begin();
	for (unsigned pass = 1; pass <= 12; pass++) {
		uint64_t begun = w->watch.begun_ns, came = w->env.now_ns;
		while (w->watch.begun_ns == begun || w->watch.walk.walking) {
			turn(NS_PER_MS);
			for (unsigned n = 0; n < 20; n++) { /* odd calls come and go */
				unsigned f = (unsigned)rand_below(&r, FRONTS);
				unsigned i = (unsigned)rand_below(&r, CALLS / 2) * 2 + 1;
				end_call(&calls[f][i]);
				add_call(f, i);
			}
		}
		for (unsigned i = 0; i < TOTAL; i += 2)
			CHECK_EQ(seen[i / CALLS][i % CALLS], pass);
		for (unsigned i = 1; i < TOTAL; i += 2) { /* of the odd ones those that stayed */
			struct call *c = &calls[i / CALLS][i % CALLS];
			CHECK(c->begun_ns >= came || seen[i / CALLS][i % CALLS] > 0);
		}
	}
	CHECK(silent(M_STREAMS_HUNG) >= TOTAL / 2);
	end();
}

TEST(messages_are_ticked_once_a_second_and_rates_stay_right_while_a_pass_is_under_way)
{
	struct call *last = &calls[FRONTS - 1][CALLS - 1];
	begin();
	for (unsigned ms = 0; ms < 5000; ms++) {
		turn(NS_PER_MS);
		last->lanes[LANE_REQUEST].messages++; /* 1000 a second */
		last->lanes[LANE_REQUEST].last_ns = w->env.now_ns;
		if (ms >= 1000)
			CHECK(timing_rate_milli(last) > 980000 &&
				timing_rate_milli(last) < 1020000);
	}
	end();
}

TAP_MAIN()
