/* stall.h - which direction of a call stands still, since when and why; and which calls hang.
 *
 * What it does: keeps, for each lane of each call, the causes that hold now and the time that each
 * took; finds calls that were blocked or silent for longer than their route allows. What it does
 * not: read a clock (env->now_ns: the resolution is a turn), nor see single messages.
 *
 * Causes come from the ends: a front or link says what its engine's stream waits for, the upstream
 * that there is no stream yet, call.c that the memory budget withholds credit. Time is charged to
 * one cause: the first in stall.def's order that holds.
 *
 *   stalled  one lane has been blocked, and has not moved a byte, for route.stalled_after
 *   silent   neither lane has moved for route.silent_after ("zombie")
 *
 * A call that begins to hang is counted in a gauge and said once in the log, with what both ends
 * did last. Memory: the times are made at a call's first stall. Owner: the call. */
#ifndef WEIR_CALL_STALL_H
#define WEIR_CALL_STALL_H
#include <stdbool.h>
#include <stdint.h>
#include "call/call.h"

const char *stall_cause_label(enum stall_cause cause); /* STALL_NONE: "none" */
const char *lane_direction(enum lane_id lane);         /* "sent", "received" */

const char *hung_label(enum hung_state state); /* "no", "stalled", "silent" */

/* The cause that `lane` has now from its transport (STALL_NONE: it moves again). */
void call_stall(struct call *c, enum lane_id lane, enum stall_cause cause);
/* Credit of this lane is withheld by the memory budget, or given again. */
void call_stall_budget(struct call *c, enum lane_id lane, bool withheld);
/* The cause that time is charged to now. */
enum stall_cause call_stalled(const struct call *c, enum lane_id lane);
/* Since when the lane has been blocked without moving a byte, as call_watch saw it, and how long;
 * 0: it is not. */
uint64_t call_stalled_since(const struct call *c, enum lane_id lane);
uint64_t call_stalled_for(const struct call *c, enum lane_id lane);
/* Time charged to a cause so far, the running stall included. */
uint64_t call_stalled_ns(const struct call *c, enum lane_id lane, enum stall_cause cause);
/* At the end of a call, and when a page asks: what is not in the metrics yet goes there. */
void call_stall_publish(struct call *c);
/* Judges one call by its route's thresholds; called about once a second for each. */
void call_watch(struct call *c);
/* Ends what the call has in gauges, and its times. */
void call_unwatch(struct call *c);
#endif
