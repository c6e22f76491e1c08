/* wheel.h - timers: a hierarchical wheel of 1 ms ticks.
 *
 * Add, move and cancel are O(1); wheel_advance calls what is due, in order of tick, never early. A
 * callback may add, move or cancel any timer, itself included. Resolution 1 ms; any delay (one
 * beyond the range of 2^32 ms waits in the last slot and is placed again). A timer armed for now or
 * the past fires at the next tick.
 * Owner: the loop. One thread. No errors: timers are embedded in their owners. */
#ifndef WEIR_BASE_WHEEL_H
#define WEIR_BASE_WHEEL_H
#include <stdbool.h>
#include <stdint.h>
#include "base/list.h"

struct timer {
	struct list node;
	uint64_t due_ms; /* absolute tick; 0 = not armed */
	void (*fire)(struct timer *t, uint64_t now_ns);
};

#define WHEEL_LEVELS 4
#define WHEEL_SLOTS  256

struct wheel {
	uint64_t now_ms;
	uint64_t next_ms; /* when something is to be done; 0: not known */
	uint64_t armed;   /* timers in the wheel */
	uint64_t used[WHEEL_LEVELS][WHEEL_SLOTS / 64]; /* a bit for each slot that is not empty */
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, uint64_t now_ns);
void timer_init(struct timer *t, void (*fire)(struct timer *t, uint64_t now_ns));
/* (Re)arms: fires at the first tick at or after due_ns (absolute, CLOCK_MONOTONIC). */
void wheel_arm(struct wheel *w, struct timer *t, uint64_t due_ns);
void wheel_cancel(struct wheel *w, struct timer *t); /* safe when not armed */
bool timer_armed(const struct timer *t);
void wheel_advance(struct wheel *w, uint64_t now_ns);
/* Milliseconds until the next timer may be due (a lower bound), -1 with none. */
int wheel_timeout_ms(struct wheel *w, uint64_t now_ns);
#endif
