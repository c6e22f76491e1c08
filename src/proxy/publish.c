#include "proxy/publish.h"
#include <limits.h>
#include "call/stall.h"
#include "filter/sample.h"

static void publish_codes(struct worker *w, const char *side, const char *direction, enum metric m,
	const uint64_t *now, const uint64_t *shown)
{
	for (uint32_t code = 0; code <= H2_CODE_COUNT; code++) {
		if (now[code] == shown[code])
			continue;
		const char *labels[] = {side, direction, h2_code_name(code)};
		series_add(metrics_series(w->env.metrics, GROUP_H2_CODE, labels), m,
			now[code] - shown[code]);
	}
}

static void publish_faults(struct worker *w, const char *side, const struct h2_books *now,
	const struct h2_books *shown)
{
	for (int f = 0; f < H2_FAULT_COUNT; f++) {
		if (now->faults[f] == shown->faults[f])
			continue;
		const char *labels[] = {side, h2_fault_name((enum h2_fault)f)};
		series_add(metrics_series(w->env.metrics, GROUP_H2_FAULT, labels), M_H2_ERRORS,
			now->faults[f] - shown->faults[f]);
	}
}

static void publish_side(
	struct worker *w, const char *side, const struct h2_books *now, struct h2_books *shown)
{
	const char *labels[] = {side};
	struct series *s = metrics_series(w->env.metrics, GROUP_H2_SIDE, labels);
	series_add(s, M_H2_FRAMES_IN, now->frames_in - shown->frames_in);
	series_add(s, M_H2_FRAMES_OUT, now->frames_out - shown->frames_out);
	series_add(s, M_H2_WINDOWS_SHRUNK, now->windows_shrunk - shown->windows_shrunk);
	series_add(s, M_H2_MERGED, now->merged_frames - shown->merged_frames);
	series_set(s, M_H2_STREAMS, now->streams);
	series_set(s, M_H2_HELD_BYTES, now->held_bytes);
	series_add(w->process, M_BUGS, now->bugs - shown->bugs);
	publish_codes(w, side, "in", M_H2_RESETS, now->resets_in, shown->resets_in);
	publish_codes(w, side, "out", M_H2_RESETS, now->resets_out, shown->resets_out);
	publish_codes(w, side, "in", M_H2_GOAWAYS, now->goaways_in, shown->goaways_in);
	publish_codes(w, side, "out", M_H2_GOAWAYS, now->goaways_out, shown->goaways_out);
	publish_faults(w, side, now, shown);
	*shown = *now;
}

static void publish_books(struct worker *w)
{
	publish_side(w, "downstream", &w->down, &w->down_shown);
	publish_side(w, "upstream", &w->up, &w->up_shown);
	series_set(w->series, M_SLABS, slab_pool_out(w->slabs));
	if (!w->is_control) /* its calls are Weir's own pages, this one among them */
		series_set(w->series, M_CALLS, w->env.calls);
	sampler_publish(&w->env, w->series);
}

static void publish_call(struct call *c, void *arg)
{
	call_stall_publish(c);
}

bool publish_some(struct worker *w, struct walk *k, unsigned most)
{
	if (!walk_calls(k, w, most, publish_call, NULL))
		return false;
	publish_books(w);
	return true;
}

void worker_publish(struct worker *w)
{
	struct walk all = {0};
	(void)publish_some(w, &all, UINT_MAX);
}

bool publish_collect(void *worker, const void *question, void *part)
{
	return publish_some(worker, part, WALK_VISITS_PER_TURN);
}

void publish_stop(void *part)
{
	walk_stop(part);
}
