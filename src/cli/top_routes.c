#include "cli/top_routes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { NAME, ACTIVE, STARTED, HUNG, ERRORS, STALLED, SENT, RECV, SENT_B, RECV_B, CALLS };

const struct table_column top_routes_columns[TOP_ROUTES_COLUMNS] = {
	[NAME] = {"ROUTE, METHOD", TABLE_TREE, 19, 0, 1},
	[ACTIVE] = {"ACTIVE", TABLE_NUMBER, 6, 0, 0},
	[STARTED] = {"STARTED", TABLE_NUMBER, 7, 2, 0},
	[HUNG] = {"HUNG", TABLE_NUMBER, 4, 1, 0},
	[ERRORS] = {"ERRORS", TABLE_NUMBER, 6, 1, 0},
	[STALLED] = {"STALLS", TABLE_NUMBER, 6, 3, 0},
	[SENT] = {"SENT/s", TABLE_RATE, 6, 0, 0},
	[RECV] = {"RECV/s", TABLE_RATE, 6, 0, 0},
	[SENT_B] = {"SENT B/s", TABLE_RATE, 8, 1, 0},
	[RECV_B] = {"RECV B/s", TABLE_RATE, 8, 1, 0},
	[CALLS] = {"CALLS/s", TABLE_RATE, 7, 3, 0},
};

/* Rows of one route, which stand side by side. */
struct group {
	struct top_page_row **rows;
	uint32_t count;
	struct top_counts now, rate;
};

static int busier(const struct top_counts *a, const struct top_counts *b)
{
	if (a->active != b->active)
		return a->active > b->active ? -1 : 1;
	if (a->started != b->started)
		return a->started > b->started ? -1 : 1;
	return 0;
}

static int by_route(const void *va, const void *vb)
{
	const struct top_page_row *a = *(struct top_page_row *const *)va;
	const struct top_page_row *b = *(struct top_page_row *const *)vb;
	int order = strcmp(a->route, b->route);
	if (!order)
		order = busier(&a->now, &b->now);
	if (!order)
		order = strcmp(a->service, b->service);
	return order ? order : strcmp(a->method, b->method);
}

static int by_use(const void *va, const void *vb)
{
	const struct group *a = va, *b = vb;
	int order = busier(&a->now, &b->now);
	return order ? order : strcmp(a->rows[0]->route, b->rows[0]->route);
}

/* Calls of a method that is not known yet wait under _OTHER and leave nothing behind: such rows say
 * nothing. */
static void drop_empty_rows(struct top_page *p)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < p->count; i++) {
		const struct top_counts *c = &p->rows[i]->now;
		if (c->active + c->started + c->sent_messages + c->received_messages +
				c->sent_bytes + c->received_bytes + c->errors + c->stalled +
				c->silent + c->stalled_s >
			0)
			p->rows[kept++] = p->rows[i];
	}
	p->count = kept;
}

/* The page's rows by route, on the heap; NULL when there are none, or no memory. */
static struct group *group_rows(struct top_page *p, uint32_t *count)
{
	*count = 0;
	drop_empty_rows(p);
	if (p->count == 0)
		return NULL;
	struct group *groups = mem_zalloc(p->count * sizeof(*groups));
	if (!groups)
		return NULL;
	qsort(p->rows, p->count, sizeof(struct top_page_row *), by_route);
	for (uint32_t i = 0; i < p->count; i++) {
		if (i == 0 || strcmp(p->rows[i]->route, p->rows[i - 1]->route))
			groups[(*count)++].rows = &p->rows[i];
		struct group *g = &groups[*count - 1];
		g->count++;
		top_counts_add(&g->now, &p->rows[i]->now);
		top_counts_add(&g->rate, &p->rows[i]->rate);
	}
	qsort(groups, *count, sizeof(*groups), by_use);
	return groups;
}

/* ---- the table ---- */

static void fill(struct table_row *row, const char *name, const struct top_counts *now,
	const struct top_counts *rate, bool has_rates)
{
	const struct {
		int column;
		double value;
	} values[] = {{ACTIVE, now->active}, {STARTED, now->started},
		{HUNG, now->stalled + now->silent}, {ERRORS, now->errors},
		{STALLED, has_rates ? rate->stalled_s : NAN},
		{SENT, has_rates ? rate->sent_messages : NAN},
		{RECV, has_rates ? rate->received_messages : NAN},
		{SENT_B, has_rates ? rate->sent_bytes : NAN},
		{RECV_B, has_rates ? rate->received_bytes : NAN},
		{CALLS, has_rates ? rate->started : NAN}};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		row->cells[values[i].column].number = values[i].value;
	row->cells[NAME].text = name;
}

/* The key of a method's row ends in what is shown of it. */
static bool add_group(struct table *t, const struct group *g, bool has_rates)
{
	struct buf key;
	buf_init(&key);
	const char *route = g->rows[0]->route;
	buf_fmt(&key, "r%s", route);
	struct table_row *parent = key.failed ? NULL : table_add(t, key.bytes, NULL);
	bool done = parent != NULL;
	if (done) {
		fill(parent, *route ? route : "(no route)", &g->now, &g->rate, has_rates);
		parent->source = g->rows[0];
		parent->tone = g->now.stalled + g->now.silent > 0 ? TABLE_WARN : TABLE_CALM;
	}
	for (uint32_t i = 0; done && i < g->count; i++) {
		const struct top_page_row *m = g->rows[i];
		if (m->whole)
			continue;
		buf_clear(&key);
		buf_fmt(&key, "m%s\n%s/%s", route, m->service, m->method);
		struct table_row *row = key.failed ? NULL : table_add(t, key.bytes, parent);
		done = row != NULL;
		if (!done)
			break;
		bool grpc = *m->service || *m->method;
		fill(row, grpc ? row->key + 1 + strlen(route) + 1 : "(not gRPC)", &m->now, &m->rate,
			has_rates);
		row->cells[HUNG].number = row->cells[STALLED].number = NAN;
		row->cells[HUNG].text = row->cells[STALLED].text = "";
		row->source = m;
	}
	buf_fini(&key);
	return done;
}

bool top_routes_fill(struct table *t, struct top_page *p)
{
	uint32_t count;
	struct group *groups = group_rows(p, &count);
	bool done = groups || !p->count;
	for (uint32_t i = 0; groups && done && i < count; i++)
		done = add_group(t, &groups[i], p->has_rates) || t->left_out > 0;
	t->has_rates = p->has_rates;
	mem_free(groups);
	return done;
}

void top_routes_names(const struct table_row *row, const char *names[3])
{
	const struct top_page_row *r = row->source;
	names[0] = r->route;
	names[1] = row->parent ? r->service : "";
	names[2] = row->parent ? r->method : "";
}

void top_routes_head(struct buf *out, const struct top_page *p, const char *admin, double now_s)
{
	char streams[TEXT_NUMBER_MAX], held[TEXT_NUMBER_MAX], limit[TEXT_NUMBER_MAX];
	double up = now_s - p->start_time_s, active = 0;
	unsigned long s = p->start_time_s > 0 && up > 0 && up < 1e12 ? (unsigned long)up : 0;
	for (uint32_t i = 0; i < p->count; i++)
		active += p->rows[i]->now.active;
	buf_str(out, "weir ");
	text_clean(out, p->version, strlen(p->version));
	buf_fmt(out, " at %s, up %luh%02lum%02lus, configuration %.0f%s\n", admin, s / 3600,
		s / 60 % 60, s % 60, p->generation, p->draining > 0 ? ", draining" : "");
	text_number(streams, active);
	text_number(held, p->memory_held_bytes);
	text_number(limit, p->memory_limit_bytes);
	buf_fmt(out, "%s stream%s; connections: %.0f downstream, %.0f upstream; memory: %s of %s\n",
		streams, active == 1 ? "" : "s", p->downstream_connections, p->upstream_connections,
		held, limit);
}

/* ---- JSON ---- */

static void json_counts(struct buf *out, const struct top_counts *now,
	const struct top_counts *rate, bool has_rates)
{
	buf_fmt(out,
		"\"active\":%.0f,\"started\":%.0f,\"errors\":%.0f,\"sent_messages\":%.0f,"
		"\"received_messages\":%.0f,\"sent_bytes\":%.0f,\"received_bytes\":%.0f",
		now->active, now->started, now->errors, now->sent_messages, now->received_messages,
		now->sent_bytes, now->received_bytes);
	if (has_rates)
		buf_fmt(out,
			",\"started_per_second\":%.1f,\"sent_messages_per_second\":%.1f,"
			"\"received_messages_per_second\":%.1f,\"sent_bytes_per_second\":%.1f,"
			"\"received_bytes_per_second\":%.1f",
			rate->started, rate->sent_messages, rate->received_messages,
			rate->sent_bytes, rate->received_bytes);
	else
		buf_str(out, ",\"started_per_second\":null,\"sent_messages_per_second\":null,"
			     "\"received_messages_per_second\":null,\"sent_bytes_per_second\":null,"
			     "\"received_bytes_per_second\":null");
}

static void json_text(struct buf *out, const char *before, const char *text)
{
	buf_str(out, before);
	buf_json(out, text, strlen(text));
}

static void json_group(struct buf *out, const struct group *g, bool has_rates)
{
	bool first = true;
	json_text(out, "{\"route\":", g->rows[0]->route);
	buf_char(out, ',');
	json_counts(out, &g->now, &g->rate, has_rates);
	buf_fmt(out, ",\"stalled\":%.0f,\"silent\":%.0f,\"stalled_seconds\":%.3f,\"methods\":[",
		g->now.stalled, g->now.silent, g->now.stalled_s);
	for (uint32_t j = 0; j < g->count; j++) {
		if (g->rows[j]->whole)
			continue;
		json_text(out, first ? "{\"service\":" : ",{\"service\":", g->rows[j]->service);
		json_text(out, ",\"method\":", g->rows[j]->method);
		buf_char(out, ',');
		json_counts(out, &g->rows[j]->now, &g->rows[j]->rate, has_rates);
		buf_char(out, '}');
		first = false;
	}
	buf_str(out, "]}");
}

void top_routes_json(struct buf *out, struct top_page *p)
{
	uint32_t count;
	struct group *groups = group_rows(p, &count);
	out->failed |= p->count && !groups;
	json_text(out, "\"version\":", p->version);
	buf_fmt(out,
		",\"start_time\":%.3f,\"generation\":%.0f,\"draining\":%s,"
		"\"downstream_connections\":%.0f,\"upstream_connections\":%.0f,"
		"\"memory_held_bytes\":%.0f,\"memory_limit_bytes\":%.0f,\"routes\":[",
		p->start_time_s, p->generation, p->draining > 0 ? "true" : "false",
		p->downstream_connections, p->upstream_connections, p->memory_held_bytes,
		p->memory_limit_bytes);
	for (uint32_t i = 0; groups && i < count; i++) {
		if (i)
			buf_char(out, ',');
		json_group(out, &groups[i], p->has_rates);
	}
	buf_char(out, ']');
	mem_free(groups);
}
