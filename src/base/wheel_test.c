#include "base/wheel.h"
#include "base/clock.h"
#include "base/rand.h"
#include "tap.h"

#define MS NS_PER_MS

static struct wheel w;
static unsigned fired;
static uint64_t fired_at_ms;

static void note(struct timer *t, uint64_t now_ns)
{
	fired++;
	fired_at_ms = w.now_ms;
}

static void restart(uint64_t now_ms)
{
	wheel_init(&w, now_ms * MS);
	fired = 0;
	fired_at_ms = 0;
}

/* The bits say exactly which slots hold timers, and the count is the count. */
static bool books_are_right(void)
{
	uint64_t count = 0;
	for (int level = 0; level < WHEEL_LEVELS; level++) {
		for (int slot = 0; slot < WHEEL_SLOTS; slot++) {
			struct list *l = &w.slots[level][slot];
			bool bit = w.used[level][slot / 64] >> (slot % 64) & 1;
			if (bit == list_empty(l))
				return false;
			LIST_FOR_EACH (node, l)
				count++;
		}
	}
	return count == w.armed;
}

TEST(a_timer_fires_once_at_its_tick_and_not_before)
{
	struct timer t;
	restart(1000);
	timer_init(&t, note);
	CHECK(!timer_armed(&t));
	wheel_arm(&w, &t, 1005 * MS);
	CHECK(timer_armed(&t));
	wheel_advance(&w, 1005 * MS - 1);
	CHECK_EQ(fired, 0);
	wheel_advance(&w, 1005 * MS);
	CHECK_EQ(fired, 1);
	CHECK_EQ(fired_at_ms, 1005);
	CHECK(!timer_armed(&t) && w.armed == 0);
	wheel_advance(&w, 5000 * MS);
	CHECK_EQ(fired, 1);
}

TEST(a_part_of_a_millisecond_rounds_up)
{
	struct timer t;
	restart(1000);
	timer_init(&t, note);
	wheel_arm(&w, &t, 1005 * MS + 1);
	wheel_advance(&w, 1006 * MS - 1);
	CHECK_EQ(fired, 0);
	wheel_advance(&w, 1006 * MS);
	CHECK_EQ(fired, 1);
}

TEST(a_timer_for_now_or_the_past_fires_at_the_next_tick)
{
	struct timer a, b;
	restart(1000);
	timer_init(&a, note);
	timer_init(&b, note);
	wheel_arm(&w, &a, 1000 * MS);
	wheel_arm(&w, &b, 0);
	CHECK_EQ(wheel_timeout_ms(&w, 1000 * MS), 1);
	wheel_advance(&w, 1000 * MS);
	CHECK_EQ(fired, 0);
	wheel_advance(&w, 1001 * MS);
	CHECK_EQ(fired, 2);
}

TEST(cancel_and_rearm_leave_nothing_behind)
{
	struct timer t;
	restart(77);
	timer_init(&t, note);
	wheel_cancel(&w, &t);
	for (uint64_t delay = 1; delay < 1ull << 40; delay *= 3) {
		wheel_arm(&w, &t, (77 + delay) * MS);
		CHECK(w.armed == 1 && books_are_right());
	}
	wheel_arm(&w, &t, 100 * MS);
	wheel_arm(&w, &t, 100 * MS);
	CHECK(w.armed == 1 && books_are_right());
	wheel_cancel(&w, &t);
	wheel_cancel(&w, &t);
	CHECK(w.armed == 0 && books_are_right() && !timer_armed(&t));
	wheel_advance(&w, 200 * MS);
	CHECK_EQ(fired, 0);
}

/* Every delay next to a level's border, from every phase next to one, in one leap or tick by tick.
 */
TEST(timers_come_down_through_every_level_on_time)
{
	static const uint64_t edges[] = {1, 255, 256, 65535, 65536, 16777215, 16777216, 4294967295u,
		4294967296u, 1099511627776u};
	struct timer t;
	for (size_t p = 0; p < sizeof(edges) / sizeof(edges[0]); p++) {
		for (size_t d = 0; d < sizeof(edges) / sizeof(edges[0]); d++) {
			for (uint64_t off = 0; off < 3; off++) {
				uint64_t start = edges[p] + off, due = start + edges[d] + 2 - off;
				restart(start);
				timer_init(&t, note);
				wheel_arm(&w, &t, due * MS);
				int timeout = wheel_timeout_ms(&w, start * MS);
				CHECK(timeout >= 1 && start + (uint64_t)timeout <= due);
				wheel_advance(&w, due * MS - 1);
				CHECK_EQ(fired, 0);
				CHECK(books_are_right());
				wheel_advance(&w, due * MS + 300 * MS);
				CHECK_EQ(fired, 1);
				CHECK(fired_at_ms == due && books_are_right());
			}
		}
	}
}

TEST(the_end_of_time_is_a_valid_deadline)
{
	struct timer t;
	restart(5);
	timer_init(&t, note);
	wheel_arm(&w, &t, UINT64_MAX);
	CHECK(wheel_timeout_ms(&w, 5 * MS) > 0);
	wheel_advance(&w, UINT64_MAX / 2);
	CHECK_EQ(fired, 0);
	CHECK(timer_armed(&t) && books_are_right());
	wheel_cancel(&w, &t);
	CHECK(books_are_right());
}

TEST(time_that_stands_still_or_runs_back_fires_nothing)
{
	struct timer t;
	restart(1000);
	timer_init(&t, note);
	wheel_arm(&w, &t, 1001 * MS);
	wheel_advance(&w, 1000 * MS);
	wheel_advance(&w, 3 * MS);
	CHECK_EQ(fired, 0);
	CHECK_EQ(w.now_ms, 1000);
	CHECK_EQ(wheel_timeout_ms(&w, 2000 * MS), 0); /* late already */
}

TEST(an_empty_wheel_has_no_timeout)
{
	restart(1);
	CHECK_EQ(wheel_timeout_ms(&w, 1 * MS), -1);
	wheel_advance(&w, 1u << 30);
	CHECK_EQ(wheel_timeout_ms(&w, 1u << 30), -1);
}

static struct timer pair[2];

static void cancel_the_other(struct timer *t, uint64_t now_ns)
{
	fired++;
	wheel_cancel(&w, t == &pair[0] ? &pair[1] : &pair[0]);
}

TEST(a_callback_may_cancel_a_timer_due_at_the_same_tick)
{
	restart(0);
	for (int i = 0; i < 2; i++) {
		timer_init(&pair[i], cancel_the_other);
		wheel_arm(&w, &pair[i], 300 * MS);
	}
	wheel_advance(&w, 400 * MS);
	CHECK_EQ(fired, 1);
	CHECK(w.armed == 0 && books_are_right());
}

static void again_now(struct timer *t, uint64_t now_ns)
{
	fired++;
	wheel_arm(&w, t, now_ns);
}

static void again_at_once(struct timer *t, uint64_t now_ns)
{
	fired++;
	wheel_arm(&w, t, 0);
}

TEST(a_timer_that_rearms_itself_does_not_hold_the_wheel)
{
	struct timer t;
	restart(0);
	timer_init(&t, again_now);
	wheel_arm(&w, &t, 1 * MS);
	wheel_advance(&w, 100 * MS); /* at 1, then at 100: the deadline it asked for */
	CHECK_EQ(fired, 2);
	CHECK(timer_armed(&t));
	restart(0);
	timer_init(&t, again_at_once);
	wheel_arm(&w, &t, 1 * MS);
	wheel_advance(&w, 100 * MS); /* at most once a tick */
	CHECK_EQ(fired, 100);
	CHECK(timer_armed(&t) && t.due_ms == 101);
}

static void free_itself(struct timer *t, uint64_t now_ns)
{
	fired++;
	free(t);
}

TEST(a_callback_may_free_its_timer)
{
	restart(0);
	for (unsigned i = 0; i < 100; i++) {
		struct timer *t = malloc(sizeof(*t));
		REQUIRE(t);
		timer_init(t, free_itself);
		wheel_arm(&w, t, i * 7 * MS);
	}
	wheel_advance(&w, 1000 * MS);
	CHECK_EQ(fired, 100);
	CHECK(w.armed == 0 && books_are_right());
}

/* --- against a naive model: an array of deadlines -----------------------------------------------
 */

enum { TIMERS = 120 };
static struct timer timers[TIMERS];
static uint64_t model_ms[TIMERS]; /* the tick at which it must fire; 0 = not armed */
static struct rand rnd;
static bool model_broken, in_advance;

static uint64_t random_delay_ns(void)
{
	uint64_t border = 1ull << (8 * rand_below(&rnd, 5));
	switch (rand_below(&rnd, 6)) {
	case 0:
		return rand_below(&rnd, 3 * MS);
	case 1:
		return (border + rand_below(&rnd, 5)) * MS;
	case 2:
		return (border * rand_below(&rnd, 260) + rand_below(&rnd, 3)) * MS;
	case 3:
		return rand_below(&rnd, 1000000 * MS);
	case 4:
		return rand_below(&rnd, (1ull << 33) * MS);
	default:
		return rand_below(&rnd, 2000 * MS);
	}
}

static void model_arm(unsigned i, uint64_t from_ns)
{
	uint64_t due_ns = from_ns + random_delay_ns();
	if (rand_below(&rnd, 20) == 0)
		due_ns = rand_below(&rnd, from_ns + 1); /* the past */
	uint64_t tick = (due_ns + MS - 1) / MS;
	model_ms[i] = tick > w.now_ms ? tick : w.now_ms + 1;
	wheel_arm(&w, &timers[i], due_ns);
}

static void model_cancel(unsigned i)
{
	model_ms[i] = 0;
	wheel_cancel(&w, &timers[i]);
}

static uint64_t model_first(void)
{
	uint64_t first = UINT64_MAX;
	for (int i = 0; i < TIMERS; i++)
		if (model_ms[i] && model_ms[i] < first)
			first = model_ms[i];
	return first;
}

static void model_fire(struct timer *t, uint64_t now_ns)
{
	unsigned i = (unsigned)(t - timers);
	/* in order, exactly at its tick, within the time given, and only from wheel_advance */
	if (!in_advance || model_ms[i] != w.now_ms || model_ms[i] != model_first() ||
		w.now_ms > now_ns / MS || timer_armed(t))
		model_broken = true;
	model_ms[i] = 0;
	fired++;
	while (rand_below(&rnd, 3) == 0) {
		unsigned other = (unsigned)rand_below(&rnd, TIMERS);
		switch (rand_below(&rnd, 4)) {
		case 0:
			model_arm(i, w.now_ms * MS);
			break;
		case 1:
			model_arm(i, now_ns);
			break;
		case 2:
			model_arm(other, now_ns);
			break;
		default:
			model_cancel(other);
		}
	}
}

/* How far the next advance goes. */
static uint64_t random_step_ns(uint64_t now_ns)
{
	int timeout = wheel_timeout_ms(&w, now_ns);
	switch (rand_below(&rnd, 8)) {
	case 0:
		return rand_below(&rnd, MS);
	case 1:
		return rand_below(&rnd, 300 * MS);
	case 2:
		return rand_below(&rnd, 70000 * MS);
	case 3:
		return rand_below(&rnd, 100) ? 0 : rand_below(&rnd, (1ull << 32) * MS);
	default: /* as the loop does */
		return timeout < 0 ? MS : (uint64_t)timeout * MS;
	}
}

TEST(the_wheel_agrees_with_a_naive_model_under_random_use)
{
	rand_seed(&rnd, tap_seed());
	for (int round = 0; round < 20 && !model_broken; round++) {
		uint64_t now_ns = (rand_below(&rnd, 1ull << (8 * rand_below(&rnd, 6)))) * MS;
		restart(now_ns / MS);
		for (int i = 0; i < TIMERS; i++) {
			timer_init(&timers[i], model_fire);
			model_ms[i] = 0;
		}
		for (int step = 0; step < 2000; step++) {
			for (uint64_t n = rand_below(&rnd, 4); n > 0; n--) {
				unsigned i = (unsigned)rand_below(&rnd, TIMERS);
				if (rand_below(&rnd, 4))
					model_arm(i, now_ns);
				else
					model_cancel(i);
			}
			uint64_t first = model_first();
			int timeout = wheel_timeout_ms(&w, now_ns);
			REQUIRE((timeout == -1) == (first == UINT64_MAX));
			REQUIRE(timeout == -1 ||
				(timeout > 0 && now_ns / MS + (unsigned)timeout <= first));
			now_ns += random_step_ns(now_ns);
			in_advance = true;
			wheel_advance(&w, now_ns);
			in_advance = false;
			REQUIRE(!model_broken);
			REQUIRE(w.now_ms == now_ns / MS && model_first() > w.now_ms);
			for (int i = 0; i < TIMERS; i++)
				REQUIRE(timer_armed(&timers[i]) == (model_ms[i] != 0));
			REQUIRE(step % 50 || books_are_right());
		}
		REQUIRE(fired > 500);
	}
}

TAP_MAIN()
