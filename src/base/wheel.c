#include "base/wheel.h"
#include <limits.h>
#include "base/assert.h"
#include "base/clock.h"

/* A timer due within 256 ticks is in level 0, in the slot of its tick; within 256^2 ticks in level
 * 1, in the slot of its tick / 256, and so on. When time enters a slot of level 1 and up, its
 * timers are placed again, which brings them down. `used` lets time jump over what is empty. */
#define SLOT_BITS 8
#define RANGE_MS  (1ull << (SLOT_BITS * WHEEL_LEVELS))
_Static_assert(WHEEL_SLOTS == 1 << SLOT_BITS && WHEEL_SLOTS % 64 == 0, "slots are indexed by byte");

void wheel_init(struct wheel *w, uint64_t now_ns)
{
	*w = (struct wheel){.now_ms = now_ns / NS_PER_MS, .next_ms = UINT64_MAX};
	for (int level = 0; level < WHEEL_LEVELS; level++)
		for (int slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&w->slots[level][slot]);
}

void timer_init(struct timer *t, void (*fire)(struct timer *t, uint64_t now_ns))
{
	list_init(&t->node);
	t->due_ms = 0;
	t->fire = fire;
}

bool timer_armed(const struct timer *t)
{
	return t->due_ms != 0;
}

/* Puts t into the slot for its due_ms (not before now_ms). */
static void place(struct wheel *w, struct timer *t)
{
	uint64_t delay = t->due_ms - w->now_ms, at = t->due_ms;
	if (UNLIKELY(delay >= RANGE_MS)) {
		delay = RANGE_MS - 1;
		at = w->now_ms + delay;
	}
	unsigned level = delay ? (unsigned)(63 - __builtin_clzll(delay)) / SLOT_BITS : 0;
	unsigned shift = SLOT_BITS * level, slot = (unsigned)(at >> shift) % WHEEL_SLOTS;
	list_push_back(&w->slots[level][slot], &t->node);
	w->used[level][slot / 64] |= 1ull << (slot % 64);
	uint64_t begins = at >> shift << shift;
	if (begins < w->next_ms)
		w->next_ms = begins;
}

static void unlink_timer(struct wheel *w, struct timer *t)
{
	struct list *other = t->node.next;
	if (other == t->node.prev) { /* alone with the head of its slot */
		size_t at = (size_t)(other - &w->slots[0][0]);
		w->used[at / WHEEL_SLOTS][at % WHEEL_SLOTS / 64] &= ~(1ull << (at % 64));
		w->next_ms = 0;
	}
	list_remove(&t->node);
}

void wheel_cancel(struct wheel *w, struct timer *t)
{
	if (t->due_ms == 0)
		return;
	unlink_timer(w, t);
	t->due_ms = 0;
	w->armed--;
}

void wheel_arm(struct wheel *w, struct timer *t, uint64_t due_ns)
{
	uint64_t due_ms = due_ns / NS_PER_MS + (due_ns % NS_PER_MS != 0);
	if (due_ms <= w->now_ms)
		due_ms = w->now_ms + 1; /* this tick may be over */
	if (t->due_ms == due_ms)
		return;
	if (t->due_ms)
		unlink_timer(w, t);
	else
		w->armed++;
	t->due_ms = due_ms;
	place(w, t);
}

/* How many slots after `from` the next used one is: 1 .. WHEEL_SLOTS (then `from` itself); 0 when
 * the level is empty. */
static unsigned next_used(const uint64_t *used, unsigned from)
{
	const unsigned words = WHEEL_SLOTS / 64;
	unsigned first = (from + 1) % WHEEL_SLOTS;
	for (unsigned i = 0; i <= words; i++) {
		unsigned word = (first / 64 + i) % words;
		uint64_t bits = used[word];
		if (i == 0)
			bits &= ~0ull << (first % 64);
		if (bits) {
			unsigned slot = word * 64 + (unsigned)__builtin_ctzll(bits);
			return (slot - from - 1) % WHEEL_SLOTS + 1;
		}
	}
	return 0;
}

static uint64_t find_next(const struct wheel *w)
{
	uint64_t next = UINT64_MAX;
	if (w->armed == 0)
		return next;
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		uint64_t now = w->now_ms >> (SLOT_BITS * level);
		unsigned ahead = next_used(w->used[level], (unsigned)(now % WHEEL_SLOTS));
		if (ahead) {
			uint64_t tick = (now + ahead) << (SLOT_BITS * level);
			next = tick < next ? tick : next;
		}
	}
	return next;
}

/* The next tick at which there is something to fire or to bring down; UINT64_MAX when never. No
 * timer is due before it. Asked at every turn, and mostly known from the last. */
static uint64_t next_tick(struct wheel *w)
{
	if (w->next_ms == 0)
		w->next_ms = find_next(w);
	return w->next_ms;
}

/* Time enters now_ms: brings down the slots of higher levels that begin here. In any order: what
 * comes down from one never belongs into another of them. */
static void cascade(struct wheel *w)
{
	for (unsigned level = WHEEL_LEVELS - 1; level > 0; level--) {
		unsigned shift = SLOT_BITS * level;
		if (w->now_ms & ((1ull << shift) - 1))
			continue;
		struct list *slot = &w->slots[level][(w->now_ms >> shift) % WHEEL_SLOTS], all;
		unsigned index = (unsigned)(w->now_ms >> shift) % WHEEL_SLOTS;
		list_init(&all);
		list_splice_back(&all, slot);
		w->used[level][index / 64] &= ~(1ull << (index % 64));
		for (struct list *node; (node = list_pop_front(&all));)
			place(w, CONTAINER_OF(node, struct timer, node));
	}
}

void wheel_advance(struct wheel *w, uint64_t now_ns)
{
	uint64_t target = now_ns / NS_PER_MS;
	while (w->now_ms < target) {
		uint64_t tick = next_tick(w);
		if (tick > target) {
			w->now_ms = target;
			return;
		}
		w->now_ms = tick;
		w->next_ms = 0;
		cascade(w);
		/* What callbacks arm is at least one tick ahead, so never in this slot. */
		struct list *due = &w->slots[0][tick % WHEEL_SLOTS];
		while (!list_empty(due)) {
			struct timer *t = CONTAINER_OF(due->next, struct timer, node);
			ASSERT(t->due_ms == tick);
			wheel_cancel(w, t);
			t->fire(t, now_ns); /* may free t */
		}
	}
}

int wheel_timeout_ms(struct wheel *w, uint64_t now_ns)
{
	uint64_t tick = next_tick(w), now_ms = now_ns / NS_PER_MS;
	if (tick == UINT64_MAX)
		return -1;
	if (tick <= now_ms)
		return 0;
	return tick - now_ms < INT_MAX ? (int)(tick - now_ms) : INT_MAX;
}
