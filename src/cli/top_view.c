#include "cli/top_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	NUMBER_COLUMNS = 8 + 9 + 8 + 8 + 9 + 9, /* what put_counts and the title write */
	NAME_COLUMNS_MIN = 12,
	LINE_MAX_BYTES = 512,
};

/* Rows of one route, which stand side by side. */
struct group {
	struct top_row **rows;
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
	const struct top_row *a = *(struct top_row *const *)va, *b = *(struct top_row *const *)vb;
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
				c->sent_bytes + c->received_bytes >
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
	qsort(p->rows, p->count, sizeof(struct top_row *), by_route);
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

/* At most 5 characters: 0, 0.5, 999, 1.2k, 345M. */
static void put_number(char out[16], double v)
{
	static const char units[] = " kMGTPE";
	size_t unit = 0;
	double scaled = v < 0 ? 0 : v;
	while (scaled >= 999.5 && unit < sizeof(units) - 2) {
		scaled /= 1000;
		unit++;
	}
	bool whole = unit == 0 && scaled == (double)(long)scaled;
	snprintf(out, 16, "%.*f%.*s", scaled < 9.95 && !whole ? 1 : 0, scaled, unit > 0,
		units + unit);
}

struct table {
	struct buf *out;
	unsigned columns, room; /* room: lines that may still be written */
	unsigned left_out;
};

static void put_line(struct table *t, const char *line)
{
	if (t->room == 0) {
		t->left_out++;
		return;
	}
	t->room--;
	size_t len = strlen(line);
	buf_add(t->out, line, len < t->columns ? len : t->columns);
	buf_char(t->out, '\n');
}

/* `name` in `columns`, printable; cut at its end, or at its beginning: a method's end says more. */
static void put_name(
	char *out, size_t columns, const char *indent, const char *name, bool cut_begin)
{
	size_t at = strlen(indent), room = columns - at - 1, len = strlen(name);
	memset(out, ' ', columns);
	out[columns] = '\0';
	memcpy(out, indent, at);
	bool cut = len > room;
	if (cut && cut_begin)
		name += len - room;
	for (size_t i = 0; i < room && name[i]; i++)
		out[at + i] = name[i] >= ' ' && name[i] < 0x7f ? name[i] : '?';
	if (cut)
		memcpy(out + (cut_begin ? at : at + room - 2), "..", 2);
}

static size_t name_columns(const struct table *t)
{
	size_t room = t->columns > NUMBER_COLUMNS ? t->columns - NUMBER_COLUMNS : 0;
	return room < NAME_COLUMNS_MIN ? NAME_COLUMNS_MIN : room > 80 ? 80 : room;
}

static void put_row(struct table *t, const char *indent, const char *name, bool method,
	const struct top_counts *now, const struct top_counts *rate, bool has_rates)
{
	char line[LINE_MAX_BYTES], active[16], started[16], rates[4][16];
	const double values[] = {rate->sent_messages, rate->received_messages, rate->sent_bytes,
		rate->received_bytes};
	size_t width = name_columns(t);
	put_name(line, width, indent, name, method);
	put_number(active, now->active);
	put_number(started, now->started);
	for (size_t i = 0; i < 4; i++) {
		if (has_rates)
			put_number(rates[i], values[i]);
		else
			snprintf(rates[i], sizeof(rates[i]), "-");
	}
	snprintf(line + width, sizeof(line) - width, "%8s%9s%8s%8s%9s%9s", active, started,
		rates[0], rates[1], rates[2], rates[3]);
	put_line(t, line);
}

static void put_method(struct table *t, const struct top_row *row, bool has_rates)
{
	char name[LINE_MAX_BYTES];
	if (*row->service || *row->method)
		snprintf(name, sizeof(name), "%s/%s", row->service, row->method);
	else
		snprintf(name, sizeof(name), "(not gRPC)");
	put_row(t, "  ", name, true, &row->now, &row->rate, has_rates);
}

static void put_head(
	struct table *t, const struct top_page *p, const struct top_view *view, double active)
{
	char line[LINE_MAX_BYTES], streams[16], held[16], limit[16];
	double up = view->now_s - p->start_time_s;
	unsigned long s = p->start_time_s > 0 && up > 0 ? (unsigned long)up : 0;
	snprintf(line, sizeof(line), "weir %s at %s, up %luh%02lum%02lus, configuration %.0f%s%s",
		p->version, view->admin, s / 3600, s / 60 % 60, s % 60, p->generation,
		p->draining > 0 ? ", draining" : "", view->keys ? "; q quits" : "");
	put_line(t, line);
	put_number(streams, active);
	put_number(held, p->memory_held_bytes);
	put_number(limit, p->memory_limit_bytes);
	snprintf(line, sizeof(line),
		"%s streams; connections: %.0f downstream, %.0f upstream; memory: %s of %s",
		streams, p->downstream_connections, p->upstream_connections, held, limit);
	put_line(t, line);
	put_line(t, view->notice ? view->notice : "");
	put_name(line, name_columns(t), "", "ROUTE, METHOD", false);
	snprintf(line + name_columns(t), sizeof(line) - name_columns(t), "%8s%9s%8s%8s%9s%9s",
		"ACTIVE", "STARTED", "SENT/s", "RECV/s", "SENT B/s", "RECV B/s");
	put_line(t, line);
}

void top_view_table(struct buf *out, struct top_page *p, const struct top_view *view)
{
	char line[LINE_MAX_BYTES];
	uint32_t count;
	double active = 0;
	struct group *groups = group_rows(p, &count);
	struct table t = {out, view->columns, view->lines ? view->lines : UINT32_MAX, 0};
	uint32_t rows = count + p->count;
	bool last = rows + 4 > t.room; /* then the last line counts the rest */

	out->failed |= p->count && !groups;
	for (uint32_t i = 0; groups && i < count; i++)
		active += groups[i].now.active;
	if (last)
		t.room -= t.room > 0;
	put_head(&t, p, view, active);
	if (!count)
		put_line(&t, "no calls yet");
	for (uint32_t i = 0; groups && i < count; i++) {
		const struct group *g = &groups[i];
		put_row(&t, "", *g->rows[0]->route ? g->rows[0]->route : "(no route)", false,
			&g->now, &g->rate, p->has_rates);
		for (uint32_t j = 0; j < g->count; j++)
			put_method(&t, g->rows[j], p->has_rates);
	}
	if (t.left_out) {
		snprintf(line, sizeof(line), "%u more rows: a taller window or --json shows them",
			t.left_out);
		t.room = 1;
		put_line(&t, line);
	}
	mem_free(groups);
}

static void json_counts(struct buf *out, const struct top_counts *now,
	const struct top_counts *rate, bool has_rates)
{
	buf_fmt(out,
		"\"active\":%.0f,\"started\":%.0f,\"sent_messages\":%.0f,"
		"\"received_messages\":%.0f,\"sent_bytes\":%.0f,\"received_bytes\":%.0f",
		now->active, now->started, now->sent_messages, now->received_messages,
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

void top_view_json(struct buf *out, struct top_page *p, const struct top_view *view)
{
	uint32_t count;
	struct group *groups = group_rows(p, &count);
	out->failed |= p->count && !groups;
	json_text(out, "{\"admin\":", view->admin);
	json_text(out, ",\"version\":", p->version);
	buf_fmt(out,
		",\"time\":%.3f,\"start_time\":%.3f,\"generation\":%.0f,\"draining\":%s,"
		"\"downstream_connections\":%.0f,\"upstream_connections\":%.0f,"
		"\"memory_held_bytes\":%.0f,\"memory_limit_bytes\":%.0f,\"routes\":[",
		view->now_s, p->start_time_s, p->generation, p->draining > 0 ? "true" : "false",
		p->downstream_connections, p->upstream_connections, p->memory_held_bytes,
		p->memory_limit_bytes);
	for (uint32_t i = 0; groups && i < count; i++) {
		const struct group *g = &groups[i];
		json_text(out, i ? ",{\"route\":" : "{\"route\":", g->rows[0]->route);
		buf_char(out, ',');
		json_counts(out, &g->now, &g->rate, p->has_rates);
		buf_str(out, ",\"methods\":[");
		for (uint32_t j = 0; j < g->count; j++) {
			json_text(out, j ? ",{\"service\":" : "{\"service\":", g->rows[j]->service);
			json_text(out, ",\"method\":", g->rows[j]->method);
			buf_char(out, ',');
			json_counts(out, &g->rows[j]->now, &g->rows[j]->rate, p->has_rates);
			buf_char(out, '}');
		}
		buf_str(out, "]}");
	}
	buf_str(out, "]}\n");
	mem_free(groups);
}
