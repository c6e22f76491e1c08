#include "call/labels.h"
#include <string.h>
#include "base/mem.h"
#include "call/stall.h"

void labels_fini(struct call_generation *g)
{
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
	return strmap_get(&l->methods, c->path, strlen(c->path));
}

struct method_labels *labels_remember(struct call_labels *l, const struct call *c)
{
	/* Several calls of a new method may have waited for their first success. */
	struct method_labels *m = labels_method(l, c);
	if (m || l->methods.len >= LABELS_PATHS_MAX)
		return m;
	m = mem_zalloc(sizeof(*m));
	if (m && strmap_put(&l->methods, c->path, strlen(c->path), m) != 0) {
		mem_free(m);
		return NULL;
	}
	return m;
}
