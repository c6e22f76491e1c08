#include "call/labels.h"
#include <string.h>
#include "base/mem.h"
#include "call/known.h"
#include "call/stall.h"

void labels_fini(struct call_generation *g)
{
	known_fini(g);
	while (g->labels) {
		struct call_labels *l = g->labels;
		uint32_t it = 0;
		const char *path;
		size_t len;
		void *method;
		while (strmap_next(&l->methods, &it, &path, &len, &method))
			mem_free(method);
		strmap_fini(&l->methods);
		g->labels = l->next;
		mem_free(l);
	}
}

static struct series *timing_series(struct call *c, enum lane_id lane)
{
	const char *labels[] = {c->listener ? c->listener->name : "",
		c->route ? c->route->name : "", c->cluster ? c->cluster->name : "",
		lane_direction(lane)};
	return metrics_series(c->env->metrics, GROUP_TIMING, labels);
}

static struct call_labels *make(struct call *c)
{
	struct call_labels *l = mem_zalloc(sizeof(*l));
	if (!l)
		return NULL;
	l->listener = c->listener;
	l->route = c->route;
	l->cluster = c->cluster;
	for (int lane = 0; lane < 2; lane++)
		l->timing[lane] = timing_series(c, (enum lane_id)lane);
	strmap_init(&l->methods);
	l->next = c->generation->labels;
	c->generation->labels = l;
	return l;
}

struct call_labels *call_labels(struct call *c)
{
	for (struct call_labels *l = c->generation->labels; l; l = l->next) {
		if (l->route == c->route && l->cluster == c->cluster && l->listener == c->listener)
			return l;
	}
	return make(c);
}

struct method_labels *labels_method(struct call_labels *l, const struct call *c)
{
	struct call_known *k = c->known;
	if (k && k->labels == l)
		return k->series;
	struct method_labels *m = strmap_get(&l->methods, c->said->path, strlen(c->said->path));
	if (k && m) {
		k->labels = l;
		k->series = m;
	}
	return m;
}

struct method_labels *labels_remember(struct call_labels *l, const struct call *c)
{
	/* Several calls of a new method may have waited for their first success. */
	struct method_labels *m = labels_method(l, c);
	if (m || l->methods.len >= LABELS_PATHS_MAX)
		return m;
	m = mem_zalloc(sizeof(*m));
	if (m && strmap_put(&l->methods, c->said->path, strlen(c->said->path), m) != 0) {
		mem_free(m);
		return NULL;
	}
	return m;
}

/* Of GROUP_ENDED, or with `by` of GROUP_ENDED_BY; `what` is an outcome, or a reason. `kept`, which
 * may be NULL, remembers it. */
static struct series *ended_series(
	struct series **kept, struct call *c, bool is_rpc, const char *by, const char *what)
{
	if (kept && *kept)
		return *kept;
	const char *labels[] = {c->listener ? c->listener->name : "",
		c->route ? c->route->name : "", c->cluster ? c->cluster->name : "",
		is_rpc ? "grpc" : "http", by ? by : what, what};
	struct series *found =
		metrics_series(c->env->metrics, by ? GROUP_ENDED_BY : GROUP_ENDED, labels);
	if (kept)
		*kept = found;
	return found;
}

void labels_begin(struct call_labels *l, struct call *c, bool is_rpc)
{
	if (l->ended[is_rpc][0])
		return;
	for (int o = 0; o < OUTCOME_COUNT; o++)
		ended_series(&l->ended[is_rpc][o], c, is_rpc, NULL,
			call_outcome_label((enum call_outcome)o));
}

void labels_ended(struct call_labels *l, struct call *c, bool is_rpc)
{
	enum call_ending e = call_ending(c);
	enum call_outcome o = call_ending_outcome(e);
	struct series *ended = ended_series(
		l ? &l->ended[is_rpc][o] : NULL, c, is_rpc, NULL, call_outcome_label(o));
	struct series *by = ended_series(l ? &l->ended_by[is_rpc][e] : NULL, c, is_rpc,
		call_ending_by(e), call_ending_label(e));
	series_add(ended, M_STREAMS_ENDED, 1);
	series_add(by, M_STREAMS_ENDED_BY, 1);
}
