/* walk_test.c - connections and calls are list nodes here: a walk looks at nothing else. */
#include "proxy/walk.h"
#include "proxy/front.h"
#include "proxy/h2io.h"
#include "proxy/worker.h"
#include "tap.h"

#define FRONTS 4
#define CALLS  5

static struct worker w;
static struct front fronts[FRONTS];
static struct call calls[FRONTS][CALLS];
static unsigned seen[FRONTS][CALLS], seen_ios[FRONTS];

static void begin(void)
{
	memset(&w, 0, sizeof w);
	memset(fronts, 0, sizeof fronts);
	memset(calls, 0, sizeof calls);
	memset(seen, 0, sizeof seen);
	memset(seen_ios, 0, sizeof seen_ios);
	list_init(&w.ios);
	list_init(&w.walks);
	for (unsigned f = 0; f < FRONTS; f++) {
		list_init(&fronts[f].calls);
		list_push_back(&w.ios, &fronts[f].io.all);
		for (unsigned c = 0; c < CALLS; c++)
			list_push_back(&fronts[f].calls, &calls[f][c].node);
	}
}

static void see(struct call *c, void *arg)
{
	size_t at = (size_t)(c - &calls[0][0]);
	seen[at / CALLS][at % CALLS]++;
	++*(unsigned *)arg;
}

static void see_io(struct h2io *io, void *arg)
{
	seen_ios[CONTAINER_OF(io, struct front, io) - fronts]++;
	++*(unsigned *)arg;
}

static void end_call(unsigned f, unsigned c)
{
	walk_gone(&w.walks, &calls[f][c].node);
	list_remove(&calls[f][c].node);
}

static void close_front(unsigned f)
{
	LIST_FOR_EACH_SAFE (n, &fronts[f].calls) {
		walk_gone(&w.walks, n);
		list_remove(n);
	}
	walk_gone(&w.walks, &fronts[f].io.all);
	list_remove(&fronts[f].io.all);
}

TEST(walk_visits_every_call_once_however_few_a_turn)
{
	for (unsigned most = 1; most <= FRONTS * (CALLS + 1) + 1; most++) {
		struct walk k = {0};
		unsigned visits = 0, turns = 0, before = 0;
		begin();
		while (!walk_calls(&k, &w, most, see, &visits)) {
			CHECK(visits - before <= most);
			before = visits;
			REQUIRE(++turns < 1000);
		}
		CHECK_EQ(visits, FRONTS * CALLS);
		for (unsigned i = 0; i < FRONTS * CALLS; i++)
			CHECK_EQ(seen[i / CALLS][i % CALLS], 1);
		CHECK(list_empty(&w.walks));
	}
}

TEST(walk_visits_every_connection_once)
{
	struct walk k = {0};
	unsigned visits = 0;
	begin();
	CHECK(!walk_connections(&k, &w, 3, see_io, &visits));
	CHECK_EQ(visits, 3);
	CHECK(walk_connections(&k, &w, 3, see_io, &visits));
	for (unsigned f = 0; f < FRONTS; f++)
		CHECK_EQ(seen_ios[f], 1);
}

TEST(walk_idle_connections_use_up_a_turn_too)
{
	struct walk k = {0};
	unsigned visits = 0, turns = 1;
	begin();
	for (unsigned f = 0; f < FRONTS; f++)
		list_init(&fronts[f].calls);
	while (!walk_calls(&k, &w, 1, see, &visits))
		turns++;
	CHECK_EQ(visits, 0);
	CHECK(turns >= FRONTS);
}

/* Every call and connection is taken away at every point of a walk. */
TEST(walk_steps_over_what_ends_meanwhile_and_meets_the_rest_once)
{
	for (unsigned gone = 0; gone < FRONTS * CALLS + FRONTS; gone++) {
		for (unsigned pause = 0; pause < FRONTS * (CALLS + 1); pause++) {
			struct walk k = {0};
			unsigned visits = 0, turn = 0;
			bool is_call = gone < FRONTS * CALLS;
			unsigned front = is_call ? gone / CALLS : gone - FRONTS * CALLS;
			begin();
			while (!walk_calls(&k, &w, 1, see, &visits)) {
				if (turn++ != pause)
					continue;
				if (is_call)
					end_call(front, gone % CALLS);
				else
					close_front(front);
			}
			for (unsigned i = 0; i < FRONTS * CALLS; i++) {
				bool ended = is_call ? i == gone : i / CALLS == front;
				unsigned n = seen[i / CALLS][i % CALLS];
				CHECK(ended ? n <= 1 : n == 1);
			}
		}
	}
}

TEST(walk_that_is_stopped_is_forgotten_by_the_worker)
{
	struct walk *k = calloc(1, sizeof *k);
	unsigned visits = 0;
	begin();
	CHECK(!walk_calls(k, &w, 2, see, &visits));
	CHECK(!list_empty(&w.walks));
	walk_stop(k);
	walk_stop(k);
	free(k);
	CHECK(list_empty(&w.walks));
	close_front(0);
}

TEST(walk_two_at_once_do_not_disturb_each_other)
{
	struct walk a = {0}, b = {0};
	unsigned visits_a = 0, visits_b = 0;
	bool end_a = false, end_b = false;
	begin();
	for (unsigned turn = 0; !end_a || !end_b; turn++) {
		if (!end_a)
			end_a = walk_calls(&a, &w, 1, see, &visits_a);
		if (!end_b && turn % 2)
			end_b = walk_calls(&b, &w, 3, see, &visits_b);
		if (turn == 4)
			close_front(FRONTS - 1);
	}
	CHECK_EQ(visits_a, (FRONTS - 1) * CALLS);
	CHECK_EQ(visits_b, (FRONTS - 1) * CALLS);
}

TAP_MAIN()
