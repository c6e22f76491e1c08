/* decode_route.c - routes: where they lead, and whether any call can reach them. */
#include "config/read.h"

#include <string.h>

#include "config/suggest.h"

static void unknown_cluster(struct reader *r, const struct where *w, const struct node *n)
{
	enum { NAMES_SHOWN = 8 };
	const struct config *c = r->config;
	char path[WHERE_TEXT_MAX];
	struct suggestion s;
	struct buf names;

	if (report_full(&r->report)) {
		report_add(&r->report, 0, 0, " "); /* counted only */
		return;
	}
	where_text(w, path);
	suggestion_init(&s, n->text, n->len);
	buf_init(&names);
	buf_str(&names, "");
	uint32_t shown = 0;
	for (uint32_t i = 0; i < c->cluster_count; i++) {
		if (!c->clusters[i].name)
			continue;
		suggestion_offer(&s, c->clusters[i].name);
		if (shown < NAMES_SHOWN)
			buf_fmt(&names, "%s%s", shown ? ", " : "", c->clusters[i].name);
		else if (shown == NAMES_SHOWN)
			buf_str(&names, ", ...");
		shown++;
	}
	report_add(&r->report, n->line, n->column, "%s: unknown cluster %s, expected %s%s%s%s%s",
		path, clip(n->text, n->len).text, shown > 1 ? "one of " : "",
		names.failed ? "" : names.bytes, s.best ? "; did you mean \"" : "",
		s.best ? s.best : "", s.best ? "\"?" : "");
	r->no_memory |= names.failed;
	buf_fini(&names);
}

/* The cluster's index; UINT32_MAX when there is none of that name. */
static uint32_t cluster_index(
	struct reader *r, const struct where *w, const struct node *n, const struct key *k)
{
	const struct config *c = r->config;
	if (n->kind != NODE_SCALAR || !n->len) {
		read_unexpected(r, w, n, k, NULL, NULL);
		return UINT32_MAX;
	}
	for (uint32_t i = 0; i < c->cluster_count; i++)
		if (c->clusters[i].name && !strcmp(c->clusters[i].name, n->text))
			return i;
	if (r->clusters_known)
		unknown_cluster(r, w, n);
	return UINT32_MAX;
}

/* `cluster` of a route is a list of one backend; of a backend, its index. */
void decode_cluster(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	if (k->section == SECTION_BACKEND) {
		struct config_backend *b = into;
		b->cluster = cluster_index(r, w, n, k);
		return;
	}
	struct config_route *route = into;
	struct config_backend *b = read_alloc(r, sizeof(*b));
	if (!b)
		return;
	*b = (struct config_backend){cluster_index(r, w, n, k), 1};
	route->backends = b;
	route->backend_count = 1;
	route->weight_sum = 1;
}

static void item_backend(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_backend *b = into;
	(void)k;
	b->cluster = UINT32_MAX;
	(void)read_section(r, w, n, SECTION_BACKEND, into);
}

void decode_backends(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_route *route = into;
	char path[WHERE_TEXT_MAX];
	uint32_t errors = r->report.count, count;
	struct config_backend *b = read_list(r, w, n, k, item_backend, sizeof(*b), &count);

	route->backends = b;
	route->backend_count = count;
	route->weight_sum = 0;
	where_text(w, path);
	uint32_t i = 0;
	for (const struct node *v = n->first; i < count; v = v->next, i++) {
		uint32_t j = 0;
		while (j < i && (b[i].cluster != b[j].cluster || b[i].cluster == UINT32_MAX))
			j++;
		if (j < i) {
			const struct node *at = node_get(v, "cluster");
			report_add(&r->report, at->line, at->column,
				"%s[%u].cluster: expected each cluster once, got %s again", path, i,
				clip(at->text, at->len).text);
		}
		route->weight_sum += b[i].weight;
	}
	if (count && route->weight_sum == 0 && r->report.count == errors)
		report_add(&r->report, n->line, n->column,
			"%s: expected a sum of weights above 0, got 0", path);
}

static void item_route(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	static const char *const names[] = {"cluster", "backends", NULL};
	(void)k;
	if (read_section(r, w, n, SECTION_ROUTE, into))
		read_exactly_one(r, w, n, names, "cluster and backends");
}

/* A route behind one that takes all its calls is a mistake: the first match wins. */
static void check_reach(struct reader *r, const struct where *w, const struct node *list,
	const struct config_route *routes, uint32_t count)
{
	uint32_t i = 0;
	for (const struct node *v = list->first; i < count; v = v->next, i++) {
		uint32_t j = 0;
		const struct node *earlier = list->first;
		while (j < i && !match_covers(&routes[j].match, &routes[i].match)) {
			j++;
			earlier = earlier->next;
		}
		if (j == i)
			continue;
		char path[WHERE_TEXT_MAX];
		where_text(w, path);
		report_add(&r->report, v->line, v->column,
			"%s[%u]: no call can reach it, expected it in front of %s%s%s in line %u, "
			"which takes all that it matches",
			path, i, routes[j].name ? "route \"" : "the route",
			routes[j].name ? routes[j].name : "", routes[j].name ? "\"" : "",
			earlier->line);
	}
}

void decode_routes(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config *c = into;
	uint32_t errors = r->report.count;
	c->routes = read_list(r, w, n, k, item_route, sizeof(*c->routes), &c->route_count);
	read_unique_names(r, w, n, "route", c->routes, c->route_count, sizeof(*c->routes));
	/* A match that could not be read in full looks wider than it is. */
	if (r->report.count == errors && !r->no_memory)
		check_reach(r, w, n, c->routes, c->route_count);
}
