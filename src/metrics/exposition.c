/* exposition.c - gathers the metrics page, and writes it as Prometheus text (0.0.4) or OpenMetrics
 * 1.0.0; family.c writes protobuf.
 *
 * Families in the order of metrics.def, series sorted by their label values: two pages of the same
 * state are the same bytes. A family of which no series was ever used is left out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "metrics/page.h"

/* By label values; the keys hold them in order, each with its NUL, which sorts first. */
static int compare_rows(const void *va, const void *vb)
{
	const struct row *a = ((const struct page_row *)va)->row,
			 *b = ((const struct page_row *)vb)->row;
	size_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
	int order = memcmp(a->key, b->key, len);
	return order ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static void sum_cell(struct page_row *to, const struct cell *c, uint64_t *values, unsigned slots)
{
	to->row = c->row;
	to->values = values;
	for (unsigned i = 0; i < slots; i++)
		values[i] = slot_sum(c->series->group, i, values[i],
			atomic_load_explicit(&c->series->v[i], memory_order_relaxed));
}

/* Sums over the slabs. Rows that appear meanwhile wait for the next page. */
static bool gather(struct metrics *m, enum metric_group g, struct page_group *out)
{
	uint32_t count = atomic_load_explicit(&m->row_count[g], memory_order_acquire);
	unsigned slots = group_slots(g);
	out->info = &m->groups[g];
	out->rows = mem_zalloc(count * sizeof *out->rows);
	out->values = mem_zalloc((size_t)count * slots * sizeof *out->values);
	if (!out->rows || !out->values)
		return false;
	struct metrics_slab *s = atomic_load_explicit(&m->slabs, memory_order_acquire);
	for (; s; s = s->next) {
		struct cell *c = atomic_load_explicit(&s->cells[g], memory_order_acquire);
		for (; c; c = c->next)
			if (c->row->index < count)
				sum_cell(&out->rows[c->row->index], c,
					out->values + (size_t)c->row->index * slots, slots);
	}
	for (uint32_t i = 0; i < count; i++)
		if (out->rows[i].values)
			out->rows[out->count++] = out->rows[i];
	qsort(out->rows, out->count, sizeof *out->rows, compare_rows);
	return true;
}

int metrics_each(struct metrics *m, enum metric_group g,
	void (*visit)(void *ctx, const char *const *labels, const uint64_t *v), void *ctx)
{
	struct page_group page = {0};
	const char *labels[METRIC_LABELS_MAX];
	int err = gather(m, g, &page) ? 0 : ERR_NOMEM;
	for (uint32_t i = 0; err == 0 && i < page.count; i++) {
		for (unsigned l = 0; l < page.info->labels; l++)
			labels[l] = row_value(page.rows[i].row, l);
		visit(ctx, labels, page.rows[i].values);
	}
	mem_free(page.rows);
	mem_free(page.values);
	return err;
}

static void put_escaped(struct buf *out, const char *s, bool quotes)
{
	for (size_t plain; *s; s += plain) {
		plain = strcspn(s, quotes ? "\\\n\"" : "\\\n");
		buf_add(out, s, plain);
		if (!s[plain])
			return;
		buf_char(out, '\\');
		buf_char(out, s[plain] == '\n' ? 'n' : s[plain]);
		plain++;
	}
}

static void put_seconds(struct buf *out, uint64_t ns)
{
	char fraction[10];
	snprintf(fraction, sizeof fraction, "%09u", (unsigned)(ns % NS_PER_SEC));
	size_t len = 9;
	while (len > 1 && fraction[len - 1] == '0')
		len--;
	buf_u64(out, ns / NS_PER_SEC);
	buf_char(out, '.');
	buf_add(out, fraction, len);
}

/* A gauge's parts live in several slabs, any of which may be below zero; so may the sum be for a
 * moment. */
static void put_value(struct buf *out, const struct metric_info *info, uint64_t v)
{
	if (info->kind == METRIC_GAUGE && (int64_t)v < 0) {
		buf_char(out, '-');
		v = (uint64_t)0 - v;
	}
	if (!strcmp(info->unit, "seconds"))
		put_seconds(out, v);
	else
		buf_u64(out, v);
}

/* name suffix {labels, le} SPACE */
static void put_name(struct buf *out, const struct group_info *g, const struct row *row,
	const char *name, const char *suffix, const char *le)
{
	buf_str(out, name);
	buf_str(out, suffix);
	const char *value = row->key + 1;
	char before = '{';
	for (unsigned i = 0; i < g->labels; i++, value += strlen(value) + 1) {
		buf_char(out, before);
		buf_str(out, g->name[i]);
		buf_str(out, "=\"");
		put_escaped(out, value, true);
		buf_char(out, '"');
		before = ',';
	}
	if (le) {
		buf_char(out, before);
		buf_str(out, "le=\"");
		buf_str(out, le);
		buf_char(out, '"');
		before = ',';
	}
	buf_str(out, before == ',' ? "} " : " ");
}

/* Nanoseconds as a double: what 64 bits cannot hold has no fraction that matters. */
static void put_times_sum(struct buf *out, double ns)
{
	if (ns < 0x1p63)
		put_seconds(out, (uint64_t)ns);
	else
		buf_fmt(out, "%.17g", ns / (double)NS_PER_SEC);
}

static void put_histogram(struct buf *out, const struct group_info *g,
	const struct metric_info *info, const struct row *row, const uint64_t *v)
{
	const struct histogram_info *h = histogram_of(info->kind);
	struct histogram_sums s;
	histogram_sums(info->kind, v, &s);
	for (unsigned i = 0; i <= h->count; i++) {
		put_name(out, g, row, info->name, "_bucket", i < h->count ? h->le[i] : "+Inf");
		buf_u64(out, i < h->count ? s.upto[i] : s.count);
		buf_char(out, '\n');
	}
	put_name(out, g, row, info->name, "_sum", NULL);
	if (info->kind == METRIC_HISTOGRAM_TIMES)
		put_times_sum(out, s.sum);
	else
		put_value(out, info, v[h->slots - 1]);
	buf_char(out, '\n');
	put_name(out, g, row, info->name, "_count", NULL);
	buf_u64(out, s.count);
	buf_char(out, '\n');
}

static void put_meta(struct buf *out, const struct metric_info *info, enum metrics_format format)
{
	bool open = format == METRICS_OPENMETRICS;
	bool counter = info->kind == METRIC_COUNTER;
	const char *type = counter ? "counter" : info->kind == METRIC_GAUGE ? "gauge" : "histogram";
	/* OpenMetrics names the family; the older format names the counter's samples. */
	const char *suffix = counter && !open ? "_total" : "";
	buf_fmt(out, "# HELP %s%s ", info->name, suffix);
	put_escaped(out, info->help, open);
	buf_fmt(out, "\n# TYPE %s%s %s\n", info->name, suffix, type);
	if (open && *info->unit)
		buf_fmt(out, "# UNIT %s %s\n", info->name, info->unit);
}

void text_family(struct buf *out, const struct page_group *page, enum metric metric,
	enum metrics_format format)
{
	const struct metric_info *info = &metric_infos[metric];
	put_meta(out, info, format);
	for (uint32_t i = 0; i < page->count; i++) {
		const struct row *row = page->rows[i].row;
		const uint64_t *v = page->rows[i].values + metric_slot[metric];
		if (histogram_of(info->kind)) {
			put_histogram(out, page->info, info, row, v);
			continue;
		}
		put_name(out, page->info, row, info->name,
			info->kind == METRIC_COUNTER ? "_total" : "", NULL);
		put_value(out, info, *v);
		buf_char(out, '\n');
	}
}

const char *metrics_content_type(enum metrics_format format)
{
	switch (format) {
	case METRICS_PROMETHEUS_TEXT:
		return METRICS_TYPE_PROMETHEUS;
	case METRICS_OPENMETRICS:
		return METRICS_TYPE_OPENMETRICS;
	case METRICS_PROTOBUF:
		return METRICS_TYPE_PROTOBUF;
	}
	UNREACHABLE();
}

void metrics_render(struct metrics *m, enum metrics_format format, struct buf *out)
{
	struct page_group page = {0};
	for (unsigned metric = 0; metric < METRIC_COUNT; metric++) {
		enum metric_group g = metric_infos[metric].group;
		/* A group's metrics stand together in metrics.def. */
		if (metric == 0 || metric_infos[metric - 1].group != g) {
			mem_free(page.rows);
			mem_free(page.values);
			page = (struct page_group){0};
			if (!gather(m, g, &page)) {
				out->failed = true;
				break;
			}
		}
		if (page.count && format == METRICS_PROTOBUF)
			protobuf_family(out, &page, metric);
		else if (page.count)
			text_family(out, &page, metric, format);
	}
	mem_free(page.rows);
	mem_free(page.values);
	if (format == METRICS_OPENMETRICS)
		buf_str(out, "# EOF\n");
}
