#include "base/mailbox.h"
#include <poll.h>
#include <pthread.h>
#include <unistd.h>
#include "base/list.h"
#include "tap.h"

struct note {
	struct letter letter;
	struct mailbox *box; /* posted again there once, when set */
	unsigned from, number;
};

struct reader {
	unsigned opened;
	unsigned next[8]; /* by producer */
	bool out_of_order;
};

static void open_note(struct letter *l, void *owner)
{
	struct note *n = CONTAINER_OF(l, struct note, letter);
	struct reader *r = owner;
	r->opened++;
	r->out_of_order |= n->number != r->next[n->from];
	r->next[n->from] = n->number + 1;
}

static bool readable(struct mailbox *b)
{
	struct pollfd p = {.fd = b->fd, .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

TEST(letters_are_opened_in_the_order_of_posting)
{
	struct mailbox b;
	struct reader r = {0};
	struct note notes[100];
	REQUIRE(mailbox_init(&b) == 0);
	CHECK(!readable(&b));
	CHECK_EQ(mailbox_run(&b, &r), 0);
	for (int round = 0; round < 3; round++) {
		r = (struct reader){0};
		for (unsigned i = 0; i < 100; i++) {
			notes[i] = (struct note){.letter.open = open_note, .number = i};
			mailbox_post(&b, &notes[i].letter);
			CHECK(readable(&b));
		}
		CHECK_EQ(mailbox_run(&b, &r), 100);
		CHECK(r.opened == 100 && !r.out_of_order);
		CHECK(!readable(&b));
	}
	mailbox_fini(&b);
}

TEST(many_posts_cost_one_wake_up)
{
	struct mailbox b;
	struct reader r = {0};
	struct note notes[50];
	uint64_t wakes = 0;
	REQUIRE(mailbox_init(&b) == 0);
	for (unsigned i = 0; i < 50; i++) {
		notes[i] = (struct note){.letter.open = open_note, .number = i};
		mailbox_post(&b, &notes[i].letter);
	}
	CHECK_EQ(read(b.fd, &wakes, sizeof(wakes)), 8);
	CHECK_EQ(wakes, 1);
	CHECK_EQ(mailbox_run(&b, &r), 50);
	mailbox_fini(&b);
}

static void open_and_free(struct letter *l, void *owner)
{
	struct reader *r = owner;
	r->opened++;
	free(CONTAINER_OF(l, struct note, letter));
}

TEST(a_letter_may_be_freed_when_it_is_opened)
{
	struct mailbox b;
	struct reader r = {0};
	REQUIRE(mailbox_init(&b) == 0);
	for (int i = 0; i < 10; i++) {
		struct note *n = calloc(1, sizeof(*n));
		REQUIRE(n);
		n->letter.open = open_and_free;
		mailbox_post(&b, &n->letter);
	}
	CHECK_EQ(mailbox_run(&b, &r), 10);
	CHECK_EQ(r.opened, 10);
	mailbox_fini(&b);
}

static void open_and_post_again(struct letter *l, void *owner)
{
	struct note *n = CONTAINER_OF(l, struct note, letter);
	struct reader *r = owner;
	if (++r->opened < 3)
		mailbox_post(n->box, l);
}

TEST(a_letter_posted_while_opening_waits_for_the_next_run)
{
	struct mailbox b;
	struct reader r = {0};
	REQUIRE(mailbox_init(&b) == 0);
	struct note n = {.letter.open = open_and_post_again, .box = &b};
	mailbox_post(&b, &n.letter);
	for (unsigned turn = 1; turn <= 3; turn++) {
		CHECK(readable(&b));
		CHECK_EQ(mailbox_run(&b, &r), 1);
		CHECK_EQ(r.opened, turn);
	}
	CHECK(!readable(&b));
	mailbox_fini(&b);
}

/* A producer that has taken its place in the chain and not yet linked it: the state between the two
 * stores of mailbox_post, made by hand. */
TEST(a_letter_posted_by_half_holds_back_what_is_there_without_harm)
{
	struct mailbox b;
	struct reader r = {0};
	struct note notes[3];
	REQUIRE(mailbox_init(&b) == 0);
	for (unsigned i = 0; i < 3; i++)
		notes[i] = (struct note){.letter.open = open_note, .number = i};
	mailbox_post(&b, &notes[0].letter);
	atomic_store(&notes[1].letter.next, NULL);
	struct letter *before = atomic_exchange(&b.head, &notes[1].letter);
	for (int turn = 0; turn < 3; turn++)
		CHECK_EQ(mailbox_run(&b, &r), 0);
	atomic_store(&before->next, &notes[1].letter);
	CHECK_EQ(mailbox_run(&b, &r), 2);
	mailbox_post(&b, &notes[2].letter);
	CHECK_EQ(mailbox_run(&b, &r), 1);
	CHECK(!r.out_of_order);
	mailbox_fini(&b);
}

enum { PRODUCERS = 4, LETTERS = 20000 };

struct producer {
	struct mailbox *box;
	unsigned id;
};

static void open_note_and_free(struct letter *l, void *owner)
{
	open_note(l, owner);
	free(CONTAINER_OF(l, struct note, letter));
}

static void *produce(void *arg)
{
	struct producer *p = arg;
	for (unsigned i = 0; i < LETTERS; i++) {
		struct note *n = calloc(1, sizeof(*n));
		if (!n)
			abort();
		n->letter.open = open_note_and_free;
		n->from = p->id;
		n->number = i;
		mailbox_post(p->box, &n->letter);
	}
	return NULL;
}

/* The reader sleeps in poll without a timeout: a lost wake-up would hang here. */
TEST(no_letter_of_many_threads_is_lost_or_overtaken_and_no_wake_up_is_missed)
{
	struct mailbox b;
	struct reader r = {0};
	pthread_t threads[PRODUCERS];
	struct producer producers[PRODUCERS];
	REQUIRE(mailbox_init(&b) == 0);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){&b, i};
		REQUIRE(pthread_create(&threads[i], NULL, produce, &producers[i]) == 0);
	}
	while (r.opened < PRODUCERS * LETTERS) {
		struct pollfd p = {.fd = b.fd, .events = POLLIN};
		REQUIRE(poll(&p, 1, -1) == 1);
		mailbox_run(&b, &r);
	}
	for (unsigned i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	CHECK(!r.out_of_order);
	for (unsigned i = 0; i < PRODUCERS; i++)
		CHECK_EQ(r.next[i], LETTERS);
	mailbox_run(&b, &r); /* a wake-up for what an earlier run had taken already */
	CHECK_EQ(r.opened, PRODUCERS * LETTERS);
	mailbox_fini(&b);
}

/* Two boxes, one letter going to and fro: each side sleeps until the other has answered. */
struct side {
	struct mailbox own, *other;
	unsigned seen;
};

static void return_letter(struct letter *l, void *owner)
{
	struct side *s = owner;
	s->seen++;
	mailbox_post(s->other, l);
}

static void *play(void *arg)
{
	struct side *s = arg;
	while (s->seen < 2000) {
		struct pollfd p = {.fd = s->own.fd, .events = POLLIN};
		if (poll(&p, 1, -1) == 1)
			mailbox_run(&s->own, s);
	}
	return NULL;
}

static void keep(struct letter *l, void *owner)
{
}

TEST(a_letter_that_goes_to_and_fro_always_wakes_the_other_side)
{
	struct side a = {.seen = 0}, b = {.seen = 0};
	struct letter ball = {.open = return_letter};
	pthread_t thread;
	REQUIRE(mailbox_init(&a.own) == 0 && mailbox_init(&b.own) == 0);
	a.other = &b.own;
	b.other = &a.own;
	mailbox_post(&a.own, &ball);
	REQUIRE(pthread_create(&thread, NULL, play, &b) == 0);
	play(&a);
	pthread_join(thread, NULL);
	CHECK(a.seen == 2000 && b.seen == 2000);
	ball.open = keep; /* it lies in a's box now */
	CHECK_EQ(mailbox_run(&a.own, &a), 1);
	mailbox_fini(&a.own);
	mailbox_fini(&b.own);
}

TAP_MAIN()
