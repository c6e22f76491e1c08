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
#include "call/call.h"

/* `bytes` of content passed the filters, in which `messages` ended. */
void timing_passed(struct call *c, enum lane_id lane, uint64_t messages, uint32_t bytes);
/* `bytes` of the lane went to the wire. */
void timing_admitted(struct call *c, enum lane_id lane, uint32_t bytes);

/* Rates: the owner of the env shifts its tick_ns about once a second, and tells each call. */
void timing_tick(struct call *c);
/* Messages a second, both lanes, in thousandths: over the last one to two seconds; of a younger
 * call as if it were a second old, so that a burst is no rate. */
uint64_t timing_rate_milli(const struct call *c);
#endif
