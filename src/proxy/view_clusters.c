/* view_clusters.c - /clusters: every endpoint as all workers together see it. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "proxy/link.h"
#include "proxy/pool.h"
#include "proxy/view.h"

enum { CLUSTER };
static const struct query_key keys[] = {
	[CLUSTER] = {"cluster", QUERY_TEXT, NULL, 0, 0, 0},
	{NULL, QUERY_TEXT, NULL, 0, 0, 0},
};

/* ---- one endpoint ---- */

enum text { T_CLUSTER, T_ADDRESS, T_ERROR, TEXTS };

/* The first that holds, of one worker or of another. */
enum state { STATE_UP, STATE_CONNECTING, STATE_BACKOFF, STATE_DOWN, STATE_IDLE, STATE_RETIRED };
static const char *const state_labels[] = {
	"up", "connecting", "backoff", "down", "idle", "retired"};

struct endpoint_row {
	struct endpoint_row *next;
	enum state state;
	uint32_t connections, connecting;
	uint64_t streams, calls, failures;
	uint64_t retry_ns; /* from now; 0: not in back-off */
	uint64_t failed_ns;
	const char *texts[TEXTS];
};

static enum state state_of(const struct pool_endpoint *e, const struct endpoint_row *r)
{
	if (e->retired)
		return STATE_RETIRED;
	if (link_any_ready(e))
		return STATE_UP;
	if (r->connecting)
		return STATE_CONNECTING;
	if (r->retry_ns)
		return STATE_BACKOFF;
	return e->failures ? STATE_DOWN : STATE_IDLE;
}

static struct endpoint_row *make_row(const struct pool_endpoint *e)
{
	uint64_t now = e->pool->worker->loop.now_ns;
	struct endpoint_row r = {
		.streams = pool_streams(e),
		.calls = e->calls,
		.failures = e->connect_failures,
		.retry_ns = e->failures && e->retry_at_ns > now ? e->retry_at_ns - now : 0,
		.failed_ns = e->failed_ns,
		.texts = {e->pool->name, e->address, e->last_error},
	};
	LIST_FOR_EACH (n, &e->links) {
		bool connecting = CONTAINER_OF(n, struct link, node)->state == LINK_CONNECTING;
		r.connecting += connecting;
		r.connections += !connecting;
	}
	r.state = state_of(e, &r);
	return view_row(&r, sizeof(r), offsetof(struct endpoint_row, texts), TEXTS);
}

static int by_name(const void *va, const void *vb)
{
	const struct endpoint_row *a = *(struct endpoint_row *const *)va,
				  *b = *(struct endpoint_row *const *)vb;
	int order = strcmp(a->texts[T_CLUSTER], b->texts[T_CLUSTER]);
	return order ? order : strcmp(a->texts[T_ADDRESS], b->texts[T_ADDRESS]);
}

/* Of the same endpoint. Streams are counted for all workers together. */
static void add_row(struct endpoint_row *to, const struct endpoint_row *r)
{
	to->connections += r->connections;
	to->connecting += r->connecting;
	to->calls += r->calls;
	to->failures += r->failures;
	to->streams = r->streams;
	if (r->retry_ns && (!to->retry_ns || r->retry_ns < to->retry_ns))
		to->retry_ns = r->retry_ns;
	if (r->state < to->state)
		to->state = r->state;
	if (r->failed_ns >= to->failed_ns && r->texts[T_ERROR][0]) {
		to->failed_ns = r->failed_ns;
		to->texts[T_ERROR] = r->texts[T_ERROR]; /* r lives as long as `to` */
	}
}

/* ---- the question ---- */

struct part {
	struct endpoint_row *first;
	uint32_t count;
	bool failed;
};

struct question {
	struct view_question head;
	struct part all; /* home's */
};

static void push(struct part *p, struct endpoint_row *r)
{
	p->failed |= !r;
	if (!r)
		return;
	r->next = p->first;
	p->first = r;
	p->count++;
}

static struct endpoint_row *pop(struct part *p)
{
	struct endpoint_row *r = p->first;
	if (r)
		p->first = r->next;
	p->count -= r != NULL;
	return r;
}

/* As much as the configuration names: in one turn. */
static bool collect(void *worker, const void *question, void *part)
{
	const struct worker *w = worker;
	const char *only = query_text(&((const struct view_question *)question)->query, CLUSTER);
	LIST_FOR_EACH (pn, &w->pools) {
		const struct pool *p = CONTAINER_OF(pn, struct pool, node);
		if (only && strcmp(only, p->name) != 0)
			continue;
		LIST_FOR_EACH (n, &p->endpoints) {
			const struct pool_endpoint *e = CONTAINER_OF(n, struct pool_endpoint, node);
			if (!e->retired || e->link_count)
				push(part, make_row(e));
		}
	}
	return true;
}

static void merge(void *question, void *part)
{
	struct question *q = question;
	struct part *p = part;
	q->all.failed |= p->failed;
	for (struct endpoint_row *r; (r = pop(p));)
		push(&q->all, r);
}

static void drop_part(void *part)
{
	for (struct endpoint_row *r; (r = pop(part));)
		mem_free(r);
}

static void drop_question(void *question)
{
	drop_part(&((struct question *)question)->all);
	mem_free(question);
}

/* ---- JSON ---- */

static void write_endpoint(struct jsonw *j, const struct endpoint_row *r)
{
	jsonw_object(j, NULL);
	jsonw_str(j, "address", r->texts[T_ADDRESS]);
	jsonw_str(j, "state", state_labels[r->state]);
	jsonw_u64(j, "connections", r->connections);
	jsonw_u64(j, "connecting", r->connecting);
	jsonw_u64(j, "streams", r->streams);
	jsonw_u64(j, "calls_total", r->calls);
	jsonw_u64(j, "failures_total", r->failures);
	jsonw_str(j, "last_error", r->texts[T_ERROR][0] ? r->texts[T_ERROR] : NULL);
	if (r->retry_ns)
		jsonw_u64(j, "retry_in_ms", r->retry_ns / NS_PER_MS);
	else
		jsonw_null(j, "retry_in_ms");
	jsonw_end(j);
}

/* Sorts, and adds each endpoint's rows up in the first of them; how many are left. */
static uint32_t add_up(struct endpoint_row **rows, uint32_t count)
{
	uint32_t kept = 0;
	if (count > 1)
		qsort(rows, count, sizeof(*rows), by_name);
	for (uint32_t i = 0; i < count; i++) {
		if (kept && by_name(&rows[kept - 1], &rows[i]) == 0)
			add_row(rows[kept - 1], rows[i]);
		else
			rows[kept++] = rows[i];
	}
	return kept;
}

static bool same_cluster(struct endpoint_row *const *rows, uint32_t a, uint32_t b)
{
	return !strcmp(rows[a]->texts[T_CLUSTER], rows[b]->texts[T_CLUSTER]);
}

/* One cluster, whose rows begin at `at`; where the next one's do. */
static uint32_t write_cluster(struct jsonw *j, struct metrics *metrics,
	struct endpoint_row *const *rows, uint32_t at, uint32_t count)
{
	const char *labels[] = {rows[at]->texts[T_CLUSTER]};
	uint32_t first = at;
	jsonw_object(j, NULL);
	jsonw_str(j, "name", labels[0]);
	jsonw_u64(j, "waiting_calls", metrics_read(metrics, M_STREAMS_WAITING, labels));
	jsonw_array(j, "endpoints");
	for (; at < count && same_cluster(rows, first, at); at++)
		write_endpoint(j, rows[at]);
	jsonw_end(j);
	jsonw_end(j);
	return at;
}

static void write_clusters(struct question *q, const struct gather *g,
	struct endpoint_row *const *rows, uint32_t count, struct buf *page)
{
	struct jsonw j;
	uint32_t clusters = count > 0;
	for (uint32_t i = 1; i < count; i++)
		clusters += !same_cluster(rows, i - 1, i);
	view_begin(&j, page, g, clusters, clusters);
	jsonw_array(&j, "clusters");
	for (uint32_t at = 0; at < count;)
		at = write_cluster(&j, q->head.control->metrics, rows, at, count);
	jsonw_end(&j);
	jsonw_end(&j);
}

static void answer(void *question, const struct gather *g)
{
	struct question *q = question;
	struct buf page;
	buf_init(&page);
	uint32_t count = 0;
	struct endpoint_row **rows = mem_alloc((q->all.count + 1) * sizeof(*rows));
	for (struct endpoint_row *r = q->all.first; rows && r; r = r->next)
		rows[count++] = r;
	page.failed = !rows || q->all.failed;
	if (!page.failed)
		write_clusters(q, g, rows, add_up(rows, count), &page);
	mem_free(rows);
	q->head.done(q->head.ctx, &page);
	buf_fini(&page);
}

static const struct gather_ops ops = {
	.part_bytes = sizeof(struct part),
	.collect = collect,
	.merge = merge,
	.done = answer,
	.drop_part = drop_part,
	.drop_question = drop_question,
};

static void ask(
	void *arg, const struct query *query, void (*done)(void *ctx, struct buf *json), void *ctx)
{
	struct question *q = view_question(sizeof(*q), arg, query, done, ctx);
	if (q)
		view_gather(&q->head, &ops);
}

const struct introspect_page view_clusters = {
	.path = "/clusters",
	.title = "clusters and their endpoints: connections, calls, failures (JSON)",
	.keys = keys,
	.ask = ask,
};
