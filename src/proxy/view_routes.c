/* view_routes.c - /routes: what each route carried and how it went, added up from the metrics,
 * which the workers are asked to bring up to date first. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "call/stall.h"
#include "grpc/status.h"
#include "proxy/publish.h"
#include "proxy/view.h"

enum { LIMIT, LISTENER, ROUTE, CLUSTER };
static const struct query_key keys[] = {
	[LIMIT] = {"limit", QUERY_NUMBER, NULL, 1, VIEW_ROWS_MAX, 1000},
	[LISTENER] = {"listener", QUERY_TEXT, NULL, 0, 0, 0},
	[ROUTE] = {"route", QUERY_TEXT, NULL, 0, 0, 0},
	[CLUSTER] = {"cluster", QUERY_TEXT, NULL, 0, 0, 0},
	{NULL, QUERY_TEXT, NULL, 0, 0, 0},
};

/* ---- adding up ---- */

struct route_row {
	char *names; /* listener, route, cluster, each with its NUL: its key */
	uint64_t active, started, messages[2], bytes[2]; /* by enum lane_id */
	uint64_t completed[GRPC_STATUS_COUNT];
	uint64_t stalled_ns[2][STALL_CAUSE_COUNT];
	uint64_t hung[HUNG_SILENT + 1];
};

struct table {
	const struct query *query;
	struct strmap by_names;
	struct route_row **rows;
	uint32_t count, cap;
	bool failed;
};

static bool matches(const struct query *q, unsigned key, const char *value)
{
	return !q->given[key] || !strcmp(query_text(q, key), value);
}

static bool has_room(struct table *t)
{
	if (t->count < t->cap)
		return true;
	uint32_t cap = t->cap ? t->cap * 2 : 16;
	struct route_row **rows = mem_realloc(t->rows, cap * sizeof(*rows));
	if (!rows)
		return false;
	t->rows = rows;
	t->cap = cap;
	return true;
}

static struct route_row *make_row(struct table *t, const char *names, size_t len)
{
	struct route_row *r = mem_zalloc(sizeof(*r));
	if (!r)
		return NULL;
	r->names = mem_dup(names, len);
	if (!r->names || !has_room(t) || strmap_put(&t->by_names, names, len, r) != 0) {
		mem_free(r->names);
		mem_free(r);
		return NULL;
	}
	t->rows[t->count++] = r;
	return r;
}

/* NULL: not asked for, or no memory. */
static struct route_row *find_row(
	struct table *t, const char *listener, const char *route, const char *cluster)
{
	const char *const parts[] = {listener, route, cluster};
	char names[3 * (METRIC_LABEL_BYTES + 1)];
	size_t len = 0;
	if (!matches(t->query, LISTENER, listener) || !matches(t->query, ROUTE, route) ||
		!matches(t->query, CLUSTER, cluster))
		return NULL;
	for (int i = 0; i < 3; i++) {
		size_t part = strlen(parts[i]) + 1;
		memcpy(names + len, parts[i], part);
		len += part;
	}
	struct route_row *r = strmap_get(&t->by_names, names, len);
	if (!r)
		r = make_row(t, names, len);
	t->failed |= !r;
	return r;
}

static void add_stream(void *table, const char *const *labels, const uint64_t *v)
{
	struct route_row *r = find_row(table, labels[0], labels[1], labels[4]);
	if (!r)
		return;
	r->active += v[metric_slot[M_STREAMS_ACTIVE]];
	r->started += v[metric_slot[M_STREAMS_STARTED]];
	r->messages[LANE_REQUEST] += v[metric_slot[M_SENT_MESSAGES]];
	r->messages[LANE_RESPONSE] += v[metric_slot[M_RECEIVED_MESSAGES]];
	r->bytes[LANE_REQUEST] += v[metric_slot[M_SENT_BYTES]];
	r->bytes[LANE_RESPONSE] += v[metric_slot[M_RECEIVED_BYTES]];
}

static void add_status(void *table, const char *const *labels, const uint64_t *v)
{
	struct route_row *r = find_row(table, labels[0], labels[1], labels[4]);
	for (unsigned s = 0; r && s < GRPC_STATUS_COUNT; s++) {
		if (!strcmp(labels[5], grpc_status_name(s)))
			r->completed[s] += v[metric_slot[M_STREAMS_COMPLETED]];
	}
}

static void add_stall(void *table, const char *const *labels, const uint64_t *v)
{
	struct route_row *r = find_row(table, labels[0], labels[1], labels[2]);
	int lane = !strcmp(labels[3], lane_direction(LANE_RESPONSE));
	for (int cause = 0; r && cause < STALL_CAUSE_COUNT; cause++) {
		if (!strcmp(labels[4], stall_cause_label((enum stall_cause)cause)))
			r->stalled_ns[lane][cause] += v[metric_slot[M_STREAM_STALLED]];
	}
}

static void add_hung(void *table, const char *const *labels, const uint64_t *v)
{
	struct route_row *r = find_row(table, labels[0], labels[1], labels[2]);
	for (int state = 0; r && state <= HUNG_SILENT; state++) {
		if (!strcmp(labels[3], hung_label((enum hung_state)state)))
			r->hung[state] += v[metric_slot[M_STREAMS_HUNG]];
	}
}

static void add_all(struct table *t, struct metrics *m)
{
	if (metrics_each(m, GROUP_STREAM, add_stream, t) != 0 ||
		metrics_each(m, GROUP_STREAM_STATUS, add_status, t) != 0 ||
		metrics_each(m, GROUP_STALL, add_stall, t) != 0 ||
		metrics_each(m, GROUP_HUNG, add_hung, t) != 0)
		t->failed = true;
}

static void table_fini(struct table *t)
{
	for (uint32_t i = 0; i < t->count; i++) {
		mem_free(t->rows[i]->names);
		mem_free(t->rows[i]);
	}
	mem_free(t->rows);
	strmap_fini(&t->by_names);
}

static const char *next_name(const char *name)
{
	return name + strlen(name) + 1;
}

static int by_names(const void *va, const void *vb)
{
	const char *a = (*(struct route_row *const *)va)->names,
		   *b = (*(struct route_row *const *)vb)->names;
	int order = 0;
	for (int i = 0; i < 3 && order == 0; i++, a = next_name(a), b = next_name(b))
		order = strcmp(a, b);
	return order;
}

/* ---- JSON ---- */

static void write_lane(struct jsonw *j, const struct route_row *r, enum lane_id lane)
{
	jsonw_object(j, lane_direction(lane));
	jsonw_u64(j, "messages", r->messages[lane]);
	jsonw_u64(j, "bytes", r->bytes[lane]);
	jsonw_end(j);
}

static void write_stalls(struct jsonw *j, const struct route_row *r)
{
	jsonw_object(j, "stalled_seconds");
	for (int lane = 0; lane < 2; lane++) {
		jsonw_object(j, lane_direction((enum lane_id)lane));
		for (int cause = STALL_NONE + 1; cause < STALL_CAUSE_COUNT; cause++) {
			uint64_t ns = r->stalled_ns[lane][cause];
			if (ns)
				jsonw_milli(j, stall_cause_label((enum stall_cause)cause),
					ns / NS_PER_MS);
		}
		jsonw_end(j);
	}
	jsonw_end(j);
}

static void write_route(struct jsonw *j, const struct route_row *r)
{
	const char *route = next_name(r->names);
	jsonw_object(j, NULL);
	jsonw_str(j, "listener", r->names);
	jsonw_str(j, "route", route);
	jsonw_str(j, "cluster", next_name(route));
	/* Its parts are read at slightly different times: the sum may be below zero for a moment.
	 */
	jsonw_u64(j, "active", (int64_t)r->active < 0 ? 0 : r->active);
	jsonw_u64(j, "started", r->started);
	jsonw_object(j, "completed_by_status");
	for (unsigned s = 0; s < GRPC_STATUS_COUNT; s++) {
		if (r->completed[s])
			jsonw_u64(j, grpc_status_name(s), r->completed[s]);
	}
	jsonw_end(j);
	write_lane(j, r, LANE_REQUEST);
	write_lane(j, r, LANE_RESPONSE);
	write_stalls(j, r);
	jsonw_object(j, "hung");
	jsonw_u64(j, hung_label(HUNG_STALLED), r->hung[HUNG_STALLED]);
	jsonw_u64(j, hung_label(HUNG_SILENT), r->hung[HUNG_SILENT]);
	jsonw_end(j);
	jsonw_end(j);
}

/* ---- the question: a head and no more ---- */

static void answer(void *question, const struct gather *g)
{
	struct view_question *q = question;
	struct table t = {.query = &q->query};
	struct buf page;
	struct jsonw j;
	buf_init(&page);
	strmap_init(&t.by_names);
	add_all(&t, q->control->metrics);
	if (t.count > 1)
		qsort(t.rows, t.count, sizeof(*t.rows), by_names);
	uint32_t limit = query_number(&q->query, LIMIT), shown = t.count < limit ? t.count : limit;
	view_begin(&j, &page, g, t.count, shown);
	jsonw_array(&j, "routes");
	for (uint32_t i = 0; i < shown; i++)
		write_route(&j, t.rows[i]);
	jsonw_end(&j);
	jsonw_end(&j);
	page.failed |= t.failed;
	table_fini(&t);
	q->done(q->ctx, &page);
	buf_fini(&page);
}

static const struct gather_ops ops = {
	.part_bytes = PUBLISH_PART_BYTES,
	.collect = publish_collect,
	.stop = publish_stop,
	.done = answer,
	.drop_question = mem_free,
};

static void ask(
	void *arg, const struct query *query, void (*done)(void *ctx, struct buf *json), void *ctx)
{
	struct view_question *q = view_question(sizeof(*q), arg, query, done, ctx);
	if (q)
		view_gather(q, &ops);
}

const struct introspect_page view_routes = {
	.path = "/routes",
	.title = "routes: active and completed streams, messages, stalls (JSON)",
	.keys = keys,
	.ask = ask,
};
