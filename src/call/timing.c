#include "call/timing.h"
#include "base/clock.h"
#include "call/labels.h"

/* Only the first of a turn's messages has waited: the others' gap is below the resolution. */
static void observe_gaps(struct call *c, enum lane_id lane, uint64_t n)
{
	struct call_lane *l = &c->lanes[lane];
	struct series *to = c->labels->timing[lane];
	uint64_t now = c->env->now_ns;
	if (l->messages == 0)
		series_observe_times(to, M_FIRST_MESSAGE, now - c->begun_ns, 1);
	else
		series_observe_times(to, M_MESSAGE_GAP, now - l->message_ns, 1);
	if (n > 1)
		series_observe_times(to, M_MESSAGE_GAP, 0, n - 1);
}

static void mark(struct call_lane *l, uint64_t messages, uint64_t now_ns)
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

void timing_passed(struct call *c, enum lane_id lane, uint64_t messages, uint32_t bytes)
{
	struct call_lane *l = &c->lanes[lane];
	uint64_t now = c->env->now_ns;
	l->bytes += bytes;
	l->last_ns = now;
	if (messages == 0 || !c->labels)
		return;
	observe_gaps(c, lane, messages);
	l->messages += messages;
	l->message_ns = now;
	mark(l, messages, now);
}

static inline bool is_admitted(const struct call_lane *l, const struct lane_mark *m)
{
	return (int32_t)((uint32_t)l->admitted_bytes - m->end_bytes) >= 0;
}

void timing_admitted(struct call *c, enum lane_id lane, uint32_t bytes)
{
	struct call_lane *l = &c->lanes[lane];
	unsigned passed = 0;
	l->admitted_bytes += bytes;
	while (passed < l->mark_count && is_admitted(l, &l->marks[passed])) {
		const struct lane_mark *m = &l->marks[passed++];
		series_observe_times(c->labels->timing[lane], M_MESSAGE_RESIDENCE,
			c->env->now_ns - m->at_ns, m->messages);
	}
	if (passed == 0)
		return;
	l->mark_count = (uint8_t)(l->mark_count - passed);
	for (unsigned i = 0; i < l->mark_count; i++)
		l->marks[i] = l->marks[i + passed];
}

/* ---- rates ---- */

static uint32_t messages_of(const struct call *c)
{
	return (uint32_t)(c->lanes[LANE_REQUEST].messages + c->lanes[LANE_RESPONSE].messages);
}

void timing_tick(struct call *c)
{
	c->ticks[0] = c->ticks[1];
	c->ticks[1] = messages_of(c);
}

uint64_t timing_rate_milli(const struct call *c)
{
	uint64_t since = c->env->tick_ns[0] > c->begun_ns ? c->env->tick_ns[0] : c->begun_ns;
	uint64_t window_ns = c->env->now_ns - since;
	if (window_ns < NS_PER_SEC)
		window_ns = NS_PER_SEC;
	uint64_t messages = (uint32_t)(messages_of(c) - c->ticks[0]);
	return messages * 1000 * NS_PER_MS / (window_ns / 1000);
}
