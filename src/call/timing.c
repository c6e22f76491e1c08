#include "call/timing.h"
#include "base/clock.h"
#include "call/labels.h"

static inline bool is_admitted(const struct call_lane *l, const struct lane_mark *m)
{
	return (int32_t)((uint32_t)l->admitted_bytes - m->end_bytes) >= 0;
}

void timing_pass_marks(struct call *c, enum lane_id lane)
{
	struct call_lane *l = &c->lanes[lane];
	unsigned passed = 0;
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

void timing_begin_ticks(struct call_env *env)
{
	env->tick_ns[0] = env->tick_ns[1];
	env->tick_ns[1] = env->tick_ns[2];
	env->tick_ns[2] = env->now_ns;
	env->tick_odd = !env->tick_odd;
}

void timing_tick(struct call *c)
{
	c->ticks[0] = c->ticks[1];
	c->ticks[1] = messages_of(c);
	c->tick_odd = c->env->tick_odd;
}

uint64_t timing_rate_milli(const struct call *c)
{
	/* One that has not been told yet remembers a tick more ago; of one that never was, the
	 * begin is later than either. */
	bool told = c->tick_odd == c->env->tick_odd;
	uint64_t since = c->env->tick_ns[told ? 1 : 0];
	if (since < c->begun_ns)
		since = c->begun_ns;
	uint64_t window_ns = c->env->now_ns - since;
	if (window_ns < NS_PER_SEC)
		window_ns = NS_PER_SEC;
	uint64_t messages = (uint32_t)(messages_of(c) - c->ticks[0]);
	return messages * 1000 * NS_PER_MS / (window_ns / 1000);
}
