/* publish_test.c - a worker that does not run, with fronts that have nothing but calls. */
#include "proxy/publish.h"
#include "base/mem.h"
#include "call/stall.h"
#include "proxy/front.h"
#include "tap.h"

enum { FRONTS = 3, CALLS = 5, TOTAL = FRONTS * CALLS };

static struct metrics *metrics;
static struct worker *w;
static struct front fronts[FRONTS];
static struct call calls[FRONTS][CALLS];

static void begin(void)
{
	metrics = metrics_create(100);
	struct worker_setup setup = {.shared = shared_create(1), .metrics = metrics};
	w = worker_create(&setup, 0, false);
	REQUIRE(metrics && setup.shared && w);
	memset(fronts, 0, sizeof fronts);
	memset(calls, 0, sizeof calls);
	w->env.now_ns = 1000;
	for (unsigned f = 0; f < FRONTS; f++) {
		list_init(&fronts[f].calls);
		list_push_back(&w->ios, &fronts[f].io.all);
		for (unsigned i = 0; i < CALLS; i++) {
			struct call *c = &calls[f][i];
			c->env = &w->env;
			list_push_back(&fronts[f].calls, &c->node);
			call_stall(c, LANE_RESPONSE, STALL_SOCKET);
		}
	}
	w->env.now_ns += 7;
}

static void end(void)
{
	struct shared *shared = w->shared;
	for (unsigned i = 0; i < TOTAL; i++)
		call_unwatch(&calls[i / CALLS][i % CALLS]);
	while (!list_empty(&w->ios))
		list_remove(w->ios.next);
	worker_destroy(w);
	shared_destroy(shared);
	metrics_destroy(metrics);
}

/* How many calls' seven nanoseconds are in the metrics. */
static uint64_t published(void)
{
	const char *labels[] = {"", "", "", "received", "socket"};
	return metrics_read(metrics, M_STREAM_STALLED, labels) / 7;
}

static uint64_t held_bytes(void)
{
	const char *labels[] = {"downstream"};
	return metrics_read(metrics, M_H2_HELD_BYTES, labels);
}

TEST(stalls_of_all_calls_are_published_so_many_a_turn_and_the_books_at_the_end)
{
	for (unsigned most = 1; most <= TOTAL + FRONTS + 1; most++) {
		struct walk k = {0};
		uint64_t before = 0;
		begin();
		w->down.held_bytes = 42;
		while (!publish_some(w, &k, most)) {
			CHECK(published() - before <= most);
			CHECK_EQ(held_bytes(), 0);
			before = published();
		}
		CHECK_EQ(published(), TOTAL);
		CHECK_EQ(held_bytes(), 42);
		worker_publish(w); /* at once, and nothing twice */
		CHECK_EQ(published(), TOTAL);
		end();
	}
}

TEST(a_page_that_nobody_waits_for_any_more_leaves_no_walk_behind)
{
	struct walk k = {0};
	begin();
	CHECK(!publish_some(w, &k, 2));
	CHECK(!list_empty(&w->walks));
	publish_stop(&k);
	CHECK(list_empty(&w->walks));
	end();
}

TAP_MAIN()
