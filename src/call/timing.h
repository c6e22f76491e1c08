/* timing.h - when messages pass: gaps between them, time to the first, time spent inside Weir.
 *
 * What it does: turns what the count filter sees (messages ended) and what the ends report (bytes
 * admitted to the wire) into the histograms of GROUP(TIMING). What it does not: read a clock: all
 * times are those of turns (weir_loop_lag_seconds), so that messages of one turn have gaps of 0 and
 * a message that leaves in the turn it came has spent 0.
 *
 * Residence: each turn in which messages came leaves a mark (bytes so far, time, messages);
 * admission passes marks. At most LANE_MARKS wait; further turns join the youngest, which makes
 * their times too long, never too short, for streams that are backed up anyway. Owner: the call's
 * lanes. Threads: its worker's. */
#ifndef WEIR_CALL_TIMING_H
#define WEIR_CALL_TIMING_H
#include "base/assert.h"
#include "call/call.h"
#include "call/labels.h"

/* Only the first of a turn's messages has waited: the others' gap is below the resolution. */
static inline void timing_gaps(struct call *c, enum lane_id lane, uint64_t n, uint64_t now_ns)
{
	struct call_lane *l = &c->lanes[lane];
	struct series *to = c->labels->timing[lane];
	if (UNLIKELY(l->messages == 0))
		series_observe_times(to, M_FIRST_MESSAGE, now_ns - c->begun_ns, 1);
	else
		series_observe_times(to, M_MESSAGE_GAP, now_ns - l->message_ns, 1);
	if (n > 1)
		series_observe_no_time(to, M_MESSAGE_GAP, n - 1);
}

static inline void timing_mark(struct call_lane *l, uint64_t messages, uint64_t now_ns)
{
	struct lane_mark *last = l->mark_count ? &l->marks[l->mark_count - 1] : NULL;
	if (last && (last->at_ns == now_ns || l->mark_count == LANE_MARKS)) {
		last->messages += (uint32_t)messages;
		last->end_bytes = (uint32_t)l->bytes;
		return;
	}
	l->marks[l->mark_count++] =
		(struct lane_mark){now_ns, (uint32_t)l->bytes, (uint32_t)messages};
}

/* `bytes` of content passed the filters, in which `messages` ended. */
static inline void timing_passed(
	struct call *c, enum lane_id lane, uint64_t messages, uint32_t bytes)
{
	struct call_lane *l = &c->lanes[lane];
	uint64_t now_ns = c->env->now_ns;
	l->bytes += bytes;
	l->last_ns = now_ns;
	if (messages == 0 || UNLIKELY(!c->labels))
		return;
	timing_gaps(c, lane, messages, now_ns);
	l->messages += messages;
	l->message_ns = now_ns;
	timing_mark(l, messages, now_ns);
}

/* Tells of the marks that admission has passed. */
void timing_pass_marks(struct call *c, enum lane_id lane);

/* `bytes` of the lane went to the wire. */
static inline void timing_admitted(struct call *c, enum lane_id lane, uint32_t bytes)
{
	struct call_lane *l = &c->lanes[lane];
	const struct lane_mark *m = l->marks;
	l->admitted_bytes += bytes;
	if (LIKELY(l->mark_count == 1 && m->end_bytes == (uint32_t)l->admitted_bytes &&
		    m->at_ns == c->env->now_ns)) { /* all of it, in the turn in which it came */
		series_observe_no_time(c->labels->timing[lane], M_MESSAGE_RESIDENCE, m->messages);
		l->mark_count = 0;
	} else if (l->mark_count) {
		timing_pass_marks(c, lane);
	}
}

/* Rates: about once a second the owner of the env begins, and then tells each call, at once or in
 * the course of some turns, before it begins anew. What passes until a call is told counts for its
 * next rate. */
void timing_begin_ticks(struct call_env *env);
void timing_tick(struct call *c);
/* Messages a second, both lanes, in thousandths: over the last one to two seconds; of a younger
 * call as if it were a second old, so that a burst is no rate. */
uint64_t timing_rate_milli(const struct call *c);
#endif
