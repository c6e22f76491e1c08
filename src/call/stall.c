#include "call/stall.h"
#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/slots.h"
#include "http/query.h"

/* What one cause took of one lane. */
struct stall_time {
	uint64_t total_ns : 56, lane : 8;
	uint64_t shown_ns : 56, cause : 8; /* shown: of the total, in the metrics */
};

/* Made at the first stall, one longer at each new cause: few streams know more than one. */
struct stall_times {
	uint64_t since_ns[2];    /* the present stall began, or something moved in it */
	uint64_t moved_bytes[2]; /* of the lane, by then */
	struct stall_time of[];  /* call->stall_causes */
};

static const char *const cause_labels[] = {
	[STALL_NONE] = "none",
#define STALL(id, label) [STALL_##id] = label,
#include "call/stall.def"
#undef STALL
};

const char *stall_cause_label(enum stall_cause cause)
{
	ASSERT(cause < STALL_CAUSE_COUNT);
	return cause_labels[cause];
}

const char *lane_direction(enum lane_id lane)
{
	return lane == LANE_REQUEST ? "sent" : "received";
}

enum stall_cause call_stalled(const struct call *c, enum lane_id lane)
{
	const struct call_lane *l = &c->lanes[lane];
	return l->transport != STALL_NONE ? (enum stall_cause)l->transport
	       : l->withheld              ? STALL_MEMORY_BUDGET
					  : STALL_NONE;
}

static size_t times_bytes(unsigned causes)
{
	return sizeof(struct stall_times) + causes * sizeof(struct stall_time);
}

static struct stall_time *find_time(const struct call *c, enum lane_id lane, enum stall_cause cause)
{
	for (unsigned i = 0; i < c->stall_causes; i++) {
		struct stall_time *t = &c->stalls->of[i];
		if (t->lane == (unsigned)lane && t->cause == (unsigned)cause)
			return t;
	}
	return NULL;
}

/* NULL: out of memory. */
static struct stall_time *make_time(struct call *c, enum lane_id lane, enum stall_cause cause)
{
	struct stall_time *t = find_time(c, lane, cause);
	if (t)
		return t;
	struct stall_times *longer = slots_take_zeroed(times_bytes(c->stall_causes + 1u));
	if (!longer)
		return NULL;
	if (c->stalls)
		memcpy(longer, c->stalls, times_bytes(c->stall_causes));
	slots_give(c->stalls, times_bytes(c->stall_causes));
	c->stalls = longer;
	t = &longer->of[c->stall_causes++];
	t->lane = (unsigned)lane;
	t->cause = (unsigned)cause;
	return t;
}

/* Charges the time since the last charge to the cause that held. */
static void charge(struct call *c, enum lane_id lane)
{
	struct call_lane *l = &c->lanes[lane];
	enum stall_cause cause = call_stalled(c, lane);
	struct stall_time *t = cause != STALL_NONE ? make_time(c, lane, cause) : NULL;
	if (t)
		t->total_ns += c->env->now_ns - l->charged_ns;
	l->charged_ns = c->env->now_ns;
}

static void stands_since_now(struct call *c, enum lane_id lane)
{
	c->stalls->since_ns[lane] = c->env->now_ns;
	c->stalls->moved_bytes[lane] = c->lanes[lane].admitted_bytes;
}

static void change(struct call *c, enum lane_id lane, enum stall_cause transport, bool withheld)
{
	struct call_lane *l = &c->lanes[lane];
	bool stood = call_stalled(c, lane) != STALL_NONE;
	charge(c, lane);
	l->transport = (uint8_t)transport;
	l->withheld = withheld;
	enum stall_cause cause = call_stalled(c, lane);
	/* A change of cause is still the same stall. */
	if (!stood && cause != STALL_NONE && make_time(c, lane, cause))
		stands_since_now(c, lane);
}

void call_stall(struct call *c, enum lane_id lane, enum stall_cause cause)
{
	if (c->lanes[lane].transport != (uint8_t)cause)
		change(c, lane, cause, c->lanes[lane].withheld);
}

void call_stall_budget(struct call *c, enum lane_id lane, bool withheld)
{
	if (c->lanes[lane].withheld != withheld)
		change(c, lane, (enum stall_cause)c->lanes[lane].transport, withheld);
}

uint64_t call_stalled_ns(const struct call *c, enum lane_id lane, enum stall_cause cause)
{
	const struct call_lane *l = &c->lanes[lane];
	const struct stall_time *t = find_time(c, lane, cause);
	uint64_t ns = t ? t->total_ns : 0;
	return cause != STALL_NONE && call_stalled(c, lane) == cause
		       ? ns + c->env->now_ns - l->charged_ns
		       : ns;
}

static void publish_time(struct call *c, struct stall_time *t)
{
	uint64_t more = t->total_ns - t->shown_ns;
	if (more == 0)
		return;
	const char *labels[] = {c->listener ? c->listener->name : "",
		c->route ? c->route->name : "", c->cluster ? c->cluster->name : "",
		lane_direction((enum lane_id)t->lane),
		stall_cause_label((enum stall_cause)t->cause)};
	series_add(metrics_series(c->env->metrics, GROUP_STALL, labels), M_STREAM_STALLED, more);
	t->shown_ns = t->total_ns;
}

void call_stall_publish(struct call *c)
{
	for (int lane = 0; lane < 2; lane++)
		if (call_stalled(c, (enum lane_id)lane) != STALL_NONE)
			charge(c, (enum lane_id)lane);
	for (unsigned i = 0; i < c->stall_causes; i++)
		publish_time(c, &c->stalls->of[i]);
}

/* ---- calls that hang ---- */

const char *hung_label(enum hung_state state)
{
	static const char *const labels[] = {"no", "stalled", "silent"};
	return labels[state];
}

static struct series *hung_series(struct call *c, enum hung_state state)
{
	const char *labels[] = {c->listener ? c->listener->name : "",
		c->route ? c->route->name : "", c->cluster ? c->cluster->name : "",
		hung_label(state)};
	return metrics_series(c->env->metrics, GROUP_HUNG, labels);
}

uint64_t call_stalled_since(const struct call *c, enum lane_id lane)
{
	if (call_stalled(c, lane) == STALL_NONE)
		return 0;
	/* without memory for the times: since the cause changed */
	return c->stalls ? c->stalls->since_ns[lane] : c->lanes[lane].charged_ns;
}

uint64_t call_stalled_for(const struct call *c, enum lane_id lane)
{
	bool stands = call_stalled(c, lane) != STALL_NONE;
	return stands ? c->env->now_ns - call_stalled_since(c, lane) : 0;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static enum hung_state judge(const struct call *c)
{
	uint64_t stalled =
		later(call_stalled_for(c, LANE_REQUEST), call_stalled_for(c, LANE_RESPONSE));
	uint64_t moved = later(c->begun_ns, later(c->lanes[0].last_ns, c->lanes[1].last_ns));
	const struct config_route *r = c->route;
	if (r->stalled_after_ns && stalled >= r->stalled_after_ns)
		return HUNG_STALLED;
	if (r->silent_after_ns && c->env->now_ns - moved >= r->silent_after_ns)
		return HUNG_SILENT;
	return HUNG_NO;
}

/* "3.2s ago", "never" */
static const char *ago(char out[32], const struct call *c, uint64_t then_ns)
{
	if (then_ns == 0)
		return "never";
	uint64_t ms = (c->env->now_ns - then_ns) / NS_PER_MS;
	snprintf(out, 32, "%llu.%llus ago", (unsigned long long)(ms / 1000),
		(unsigned long long)(ms % 1000 / 100));
	return out;
}

static void say(const struct call *c, enum hung_state state)
{
	char id[QUERY_ID_BYTES], age[32], sent[32], received[32]; /* the id as in /streams */
	query_id_text(c->env->index, c->id, id);
	log_line(LOG_WARN, state == HUNG_STALLED ? "stream stalled" : "stream silent", "route",
		c->route->name, "path", c->said->path, "id", id, "begun", ago(age, c, c->begun_ns),
		"client", c->peer, "endpoint", c->endpoint, "sent_blocked_by",
		stall_cause_label(call_stalled(c, LANE_REQUEST)), "received_blocked_by",
		stall_cause_label(call_stalled(c, LANE_RESPONSE)), "client_last",
		ago(sent, c, c->lanes[LANE_REQUEST].last_ns), "server_last",
		ago(received, c, c->lanes[LANE_RESPONSE].last_ns), NULL);
}

static void set_hung(struct call *c, enum hung_state state)
{
	if (c->hung != HUNG_NO)
		series_sub(hung_series(c, (enum hung_state)c->hung), M_STREAMS_HUNG, 1);
	c->hung = (uint8_t)state;
	if (state == HUNG_NO)
		return;
	series_add(hung_series(c, state), M_STREAMS_HUNG, 1);
	if (c->hung_said & 1u << state)
		return;
	c->hung_said |= (uint8_t)(1u << state);
	series_add(hung_series(c, state), M_STREAMS_HUNG_FOUND, 1);
	say(c, state);
}

/* A reader that is slower than the writer keeps its lane blocked all the time, and moves on: that
 * is no stream that hangs. */
static void note_moves(struct call *c)
{
	for (int lane = 0; c->stalls && lane < 2; lane++)
		if (c->stalls->moved_bytes[lane] != c->lanes[lane].admitted_bytes)
			stands_since_now(c, (enum lane_id)lane);
}

void call_watch(struct call *c)
{
	note_moves(c);
	if (!c->route)
		return;
	enum hung_state state = judge(c);
	if (state != (enum hung_state)c->hung)
		set_hung(c, state);
}

void call_unwatch(struct call *c)
{
	if (LIKELY(!c->stalls && c->hung == HUNG_NO &&
		    call_stalled(c, LANE_REQUEST) == STALL_NONE &&
		    call_stalled(c, LANE_RESPONSE) == STALL_NONE))
		return;
	call_stall_publish(c);
	if (c->hung != HUNG_NO)
		set_hung(c, HUNG_NO);
	slots_give(c->stalls, times_bytes(c->stall_causes));
	c->stalls = NULL;
	c->stall_causes = 0;
}
