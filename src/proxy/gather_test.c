/* gather_test.c - workers here are mailboxes that the test opens, or does not; the clock is the
 * test's. */
#include "proxy/gather.h"
#include <poll.h>
#include <pthread.h>
#include "base/clock.h"
#include "base/mem.h"
#include "proxy/view.h"
#include "tap.h"

#define WORKERS  3
#define DEADLINE (500 * NS_PER_MS)

static struct mailbox home_box, boxes[WORKERS];
static struct mailbox *const workers[WORKERS] = {&boxes[0], &boxes[1], &boxes[2]};
static struct wheel *wheel;
static struct gather_home home;

/* A question sums up what workers say; each takes `turns` turns for it. */
struct question {
	unsigned turns;
	unsigned sum, merged, done, dropped;
	bool misses[WORKERS];
};
struct part {
	unsigned turns;
	unsigned value;
	void *heap;
};
static unsigned collected, stopped;

static bool collect(void *owner, const void *question, void *part)
{
	const struct question *q = question;
	struct part *p = part;
	collected++;
	if (!p->heap)
		p->heap = mem_alloc(8);
	p->value = *(const unsigned *)owner;
	return ++p->turns >= q->turns;
}
static void stop(void *part)
{
	stopped++;
}
static void merge(void *question, void *part)
{
	struct question *q = question;
	q->sum += ((struct part *)part)->value;
	q->merged++;
}
static void done(void *question, const struct gather *g)
{
	struct question *q = question;
	q->done++;
	for (uint32_t i = 0; i < gather_workers(g); i++)
		q->misses[i] = gather_misses(g, i);
}
static void drop_part(void *part)
{
	mem_free(((struct part *)part)->heap);
}
static void drop_question(void *question)
{
	((struct question *)question)->dropped++;
}
static const struct gather_ops ops = {
	.part_bytes = sizeof(struct part),
	.collect = collect,
	.stop = stop,
	.merge = merge,
	.done = done,
	.drop_part = drop_part,
	.drop_question = drop_question,
};

static void begin(void)
{
	wheel = mem_alloc(sizeof(*wheel));
	wheel_init(wheel, 0);
	CHECK_EQ(mailbox_init(&home_box), 0);
	for (int i = 0; i < WORKERS; i++)
		CHECK_EQ(mailbox_init(&boxes[i]), 0);
	home = (struct gather_home){.box = &home_box, .wheel = wheel};
	collected = stopped = 0;
}

/* mailbox_fini asserts that no letter is left. */
static void end(void)
{
	CHECK_EQ(home.pending, 0);
	CHECK_EQ(wheel->armed, 0);
	mailbox_fini(&home_box);
	for (int i = 0; i < WORKERS; i++)
		mailbox_fini(&boxes[i]);
	mem_free(wheel);
	CHECK_EQ(mem_live_blocks(), 0);
}

static void turn_of(unsigned worker)
{
	unsigned value = 1u << worker;
	mailbox_run(&boxes[worker], &value);
}

static void turn_at_home(void)
{
	mailbox_run(&home_box, NULL);
}

TEST(gather_merges_what_every_worker_says_and_is_done_once)
{
	struct question q = {.turns = 1};
	begin();
	CHECK_EQ(gather_begin(&home, &ops, &q, workers, WORKERS, DEADLINE), 0);
	CHECK_EQ(home.pending, 1);
	for (unsigned i = 0; i < WORKERS; i++) {
		CHECK_EQ(q.done, 0);
		turn_of(i);
		turn_at_home();
	}
	CHECK_EQ(q.sum, 7);
	CHECK_EQ(q.done, 1);
	CHECK_EQ(q.dropped, 1);
	CHECK(!q.misses[0] && !q.misses[1] && !q.misses[2]);
	CHECK_EQ(home.missed + home.late, 0);
	wheel_advance(wheel, 10 * DEADLINE);
	CHECK_EQ(q.done, 1);
	end();
}

TEST(gather_does_without_a_worker_that_has_not_answered_at_the_deadline)
{
	struct question q = {.turns = 1};
	begin();
	CHECK_EQ(gather_begin(&home, &ops, &q, workers, WORKERS, DEADLINE), 0);
	turn_of(0);
	turn_of(2);
	turn_at_home();
	wheel_advance(wheel, DEADLINE - NS_PER_MS);
	CHECK_EQ(q.done, 0);
	wheel_advance(wheel, DEADLINE);
	CHECK_EQ(q.done, 1);
	CHECK_EQ(q.sum, 5);
	CHECK(!q.misses[0] && q.misses[1] && !q.misses[2]);
	CHECK_EQ(home.missed, 1);
	/* The question waits for the letter that is still out, which then finds nobody. */
	CHECK_EQ(q.dropped, 0);
	CHECK_EQ(home.pending, 1);
	turn_of(1);
	CHECK_EQ(collected, 2);
	CHECK_EQ(stopped, 1);
	turn_at_home();
	CHECK_EQ(home.late, 1);
	CHECK_EQ(q.merged, 2);
	CHECK_EQ(q.done, 1);
	CHECK_EQ(q.dropped, 1);
	end();
}

TEST(gather_an_answer_that_comes_after_the_deadline_is_dropped_and_counted)
{
	struct question q = {.turns = 1};
	begin();
	CHECK_EQ(gather_begin(&home, &ops, &q, workers, WORKERS, DEADLINE), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		turn_of(i);
	wheel_advance(wheel, DEADLINE);
	turn_at_home();
	CHECK_EQ(q.merged, 0);
	CHECK_EQ(q.done, 1);
	CHECK_EQ(home.missed, 3);
	CHECK_EQ(home.late, 3);
	CHECK_EQ(q.dropped, 1);
	end();
}

TEST(gather_goes_on_in_the_next_turn_until_a_part_is_whole)
{
	struct question q = {.turns = 3};
	begin();
	CHECK_EQ(gather_begin(&home, &ops, &q, workers, 1, DEADLINE), 0);
	for (unsigned turn = 1; turn <= 3; turn++) {
		CHECK_EQ(q.done, 0);
		turn_of(0);
		CHECK_EQ(collected, turn);
		turn_at_home();
	}
	CHECK_EQ(q.done, 1);
	CHECK_EQ(q.sum, 1);
	end();
}

TEST(gather_stops_a_worker_in_the_middle_when_nobody_waits_any_more)
{
	struct question q = {.turns = 100};
	begin();
	CHECK_EQ(gather_begin(&home, &ops, &q, workers, 1, DEADLINE), 0);
	turn_of(0);
	turn_of(0);
	wheel_advance(wheel, DEADLINE);
	turn_of(0);
	CHECK_EQ(collected, 2);
	CHECK_EQ(stopped, 1);
	turn_at_home();
	CHECK_EQ(q.merged, 0);
	CHECK_EQ(q.dropped, 1);
	end();
}

TEST(gather_without_workers_is_done_at_once)
{
	struct question q = {.turns = 1};
	begin();
	CHECK_EQ(gather_begin(&home, &ops, &q, workers, 0, DEADLINE), 0);
	CHECK_EQ(q.done, 1);
	CHECK_EQ(q.dropped, 1);
	end();
}

TEST(gather_a_worker_that_has_ended_is_not_asked_and_not_missing)
{
	struct mailbox *const some[WORKERS] = {&boxes[0], NULL, &boxes[2]};
	struct question q = {.turns = 1};
	begin();
	CHECK_EQ(gather_begin(&home, &ops, &q, some, WORKERS, DEADLINE), 0);
	turn_of(0);
	turn_of(2);
	turn_at_home();
	CHECK_EQ(q.done, 1);
	CHECK_EQ(q.sum, 5);
	CHECK(!q.misses[0] && !q.misses[1] && !q.misses[2]);
	CHECK_EQ(home.missed, 0);
	end();
}

TEST(gather_refuses_what_is_above_its_limit)
{
	struct question q[GATHERS_MAX + 1];
	memset(q, 0, sizeof q);
	begin();
	for (unsigned i = 0; i < GATHERS_MAX; i++)
		CHECK_EQ(gather_begin(&home, &ops, &q[i], workers, WORKERS, DEADLINE), 0);
	CHECK_EQ(gather_begin(&home, &ops, &q[GATHERS_MAX], workers, WORKERS, DEADLINE), ERR_LIMIT);
	CHECK_EQ(home.refused, 1);
	CHECK_EQ(q[GATHERS_MAX].done + q[GATHERS_MAX].dropped, 0);
	wheel_advance(wheel, DEADLINE); /* they are over, and their letters still out */
	CHECK_EQ(gather_begin(&home, &ops, &q[GATHERS_MAX], workers, WORKERS, DEADLINE), ERR_LIMIT);
	for (unsigned i = 0; i < WORKERS; i++)
		turn_of(i);
	turn_at_home();
	for (unsigned i = 0; i < GATHERS_MAX; i++)
		CHECK_EQ(q[i].done, 1);
	end();
}

TEST(gather_without_memory_says_so_or_misses_the_worker)
{
	for (long nth = 1;; nth++) {
		struct question q = {.turns = 1};
		begin();
		mem_fail_after(nth);
		int err = gather_begin(&home, &ops, &q, workers, WORKERS, DEADLINE);
		mem_fail_after(0);
		for (unsigned i = 0; i < WORKERS; i++)
			turn_of(i);
		turn_at_home();
		if (nth == 1) {
			CHECK_EQ(err, ERR_NOMEM);
			CHECK_EQ(q.done, 0);
		} else {
			CHECK_EQ(err, 0);
			CHECK_EQ(q.done, 1);
			CHECK_EQ(q.merged, nth <= 1 + WORKERS ? WORKERS - 1 : WORKERS);
			CHECK_EQ(home.missed, nth <= 1 + WORKERS);
		}
		end();
		if (nth > 1 + WORKERS)
			return;
	}
}

/* ---- what a page says of it ---- */

static struct buf page;
static void write_page(void *question, const struct gather *g)
{
	struct jsonw j;
	buf_init(&page);
	view_begin(&j, &page, g, 9, 1);
	jsonw_end(&j);
}

TEST(gather_a_page_names_the_workers_that_are_missing)
{
	struct gather_ops page_ops = ops;
	struct question q = {.turns = 1};
	page_ops.done = write_page;
	begin();
	CHECK_EQ(gather_begin(&home, &page_ops, &q, workers, WORKERS, DEADLINE), 0);
	turn_of(1);
	turn_at_home();
	wheel_advance(wheel, DEADLINE);
	const char *rest = strstr(page.bytes, "\"workers\"");
	CHECK_STR(rest ? rest : "",
		"\"workers\":3,\"missing_workers\":[0,2],\"total\":9,\"shown\":1}");
	buf_fini(&page);
	turn_of(0);
	turn_of(2);
	turn_at_home();
	end();
}

/* ---- threads ---- */

#define ROUNDS 2000

static atomic_bool over;
static void *work(void *arg)
{
	struct mailbox *box = arg;
	unsigned value = 1u << (box - boxes);
	while (!atomic_load(&over)) {
		struct pollfd p = {.fd = box->fd, .events = POLLIN};
		if (poll(&p, 1, 10) > 0)
			mailbox_run(box, &value);
	}
	return NULL;
}
/* Without the counters of the other tests, which one thread owns. */
static bool collect_there(void *owner, const void *question, void *part)
{
	struct part *p = part;
	p->value = *(unsigned *)owner;
	return ++p->turns >= ((const struct question *)question)->turns;
}
static const struct gather_ops thread_ops = {
	.part_bytes = sizeof(struct part),
	.collect = collect_there,
	.merge = merge,
	.done = done,
	.drop_question = drop_question,
};

static void wait_at_home(const struct question *q)
{
	while (!q->dropped) {
		struct pollfd p = {.fd = home_box.fd, .events = POLLIN};
		if (poll(&p, 1, 1000) > 0)
			turn_at_home();
	}
}

TEST(gather_over_threads_every_second_one_over_before_it_is_answered)
{
	pthread_t threads[WORKERS];
	unsigned answered = 0;
	begin();
	for (int i = 0; i < WORKERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, work, &boxes[i]), 0);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		struct question q = {.turns = 1 + round % 3};
		CHECK_EQ(gather_begin(
				 &home, &thread_ops, &q, workers, WORKERS, round * 2 * DEADLINE),
			0);
		if (round % 2)
			wheel_advance(wheel, round * 2 * DEADLINE);
		wait_at_home(&q);
		CHECK_EQ(q.done, 1);
		if (round % 2 == 0)
			CHECK_EQ(q.sum, 7);
		answered += q.merged;
	}
	atomic_store(&over, true);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(answered + home.late, ROUNDS * WORKERS);
	end();
}

TAP_MAIN()
