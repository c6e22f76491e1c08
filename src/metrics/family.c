/* family.c - a family as the message MetricFamily of io/prometheus/client/metrics.proto, which is
 * the only exposition format with native histograms. */
#include <string.h>
#include "base/assert.h"
#include "base/clock.h"
#include "metrics/page.h"
#include "metrics/protobuf.h"

enum { /* field numbers of metrics.proto */
	FAMILY_NAME = 1,
	FAMILY_HELP = 2,
	FAMILY_TYPE = 3,
	FAMILY_METRIC = 4,
	FAMILY_UNIT = 5,
	METRIC_LABEL = 1,
	METRIC_GAUGE_VALUE = 2,
	METRIC_COUNTER_VALUE = 3,
	METRIC_HISTOGRAM = 7,
	LABEL_NAME = 1,
	LABEL_VALUE = 2,
	VALUE = 1,
	SAMPLE_COUNT = 1,
	SAMPLE_SUM = 2,
	BUCKET = 3,
	SCHEMA = 5,
	ZERO_THRESHOLD = 6,
	ZERO_COUNT = 7,
	POSITIVE_SPAN = 12,
	POSITIVE_DELTA = 13,
	CUMULATIVE_COUNT = 1,
	UPPER_BOUND = 2,
	SPAN_OFFSET = 1,
	SPAN_LENGTH = 2,
};
enum { TYPE_COUNTER = 0, TYPE_GAUGE = 1, TYPE_HISTOGRAM = 4 };

static double in_unit(const struct metric_info *info, double v)
{
	return strcmp(info->unit, "seconds") ? v : v / (double)NS_PER_SEC;
}

static void put_text(struct buf *out, unsigned field, const char *s)
{
	pb_string(out, field, s, strlen(s));
}

static void put_labels(struct buf *out, const struct group_info *g, const struct row *row)
{
	const char *value = row->key + 1;
	for (unsigned i = 0; i < g->labels; i++, value += strlen(value) + 1) {
		size_t label = pb_begin(out, METRIC_LABEL);
		put_text(out, LABEL_NAME, g->name[i]);
		put_text(out, LABEL_VALUE, value);
		pb_end(out, label);
	}
}

/* A span for each run of cells that are not empty, then how each of these cells differs from the
 * one before. Offsets: the first native index, then the empty ones between. */
static void put_native(struct buf *out, const uint64_t *v)
{
	pb_sint(out, SCHEMA, TIMES_SCHEMA);
	pb_double(out, ZERO_THRESHOLD, TIMES_ZERO_SECONDS);
	pb_uint(out, ZERO_COUNT, times_native(v, 0));
	unsigned end = TIMES_INDEX_0; /* of the span before */
	bool any = false;
	for (unsigned cell = 1; cell < TIMES_CELLS; cell++) {
		unsigned first = cell;
		while (cell < TIMES_CELLS && times_native(v, cell))
			cell++;
		if (cell == first)
			continue;
		size_t span = pb_begin(out, POSITIVE_SPAN);
		pb_sint(out, SPAN_OFFSET, (int64_t)first - end);
		pb_uint(out, SPAN_LENGTH, cell - first);
		pb_end(out, span);
		end = cell;
		any = true;
	}
	if (!any)
		return;
	size_t deltas = pb_begin(out, POSITIVE_DELTA);
	uint64_t before = 0;
	for (unsigned cell = 1; cell < TIMES_CELLS; cell++) {
		uint64_t n = times_native(v, cell);
		if (!n)
			continue;
		pb_zigzag(out, (int64_t)(n - before));
		before = n;
	}
	pb_end(out, deltas);
}

static void put_histogram(struct buf *out, const struct metric_info *info, const uint64_t *v)
{
	const struct histogram_info *h = histogram_of(info->kind);
	struct histogram_sums s;
	histogram_sums(info->kind, v, &s);
	size_t histogram = pb_begin(out, METRIC_HISTOGRAM);
	pb_uint(out, SAMPLE_COUNT, s.count);
	pb_double(out, SAMPLE_SUM, in_unit(info, s.sum));
	for (unsigned i = 0; i < h->count; i++) {
		size_t bucket = pb_begin(out, BUCKET);
		pb_uint(out, CUMULATIVE_COUNT, s.upto[i]);
		pb_double(out, UPPER_BOUND, in_unit(info, (double)h->bounds[i]));
		pb_end(out, bucket);
	}
	if (info->kind == METRIC_HISTOGRAM_TIMES)
		put_native(out, v);
	pb_end(out, histogram);
}

static void put_metric(
	struct buf *out, const struct page_group *page, const struct page_row *row, enum metric m)
{
	const struct metric_info *info = &metric_infos[m];
	const uint64_t *v = row->values + metric_slot[m];
	size_t metric = pb_begin(out, FAMILY_METRIC);
	put_labels(out, page->info, row->row);
	if (histogram_of(info->kind)) {
		put_histogram(out, info, v);
	} else {
		bool gauge = info->kind == METRIC_GAUGE;
		size_t value = pb_begin(out, gauge ? METRIC_GAUGE_VALUE : METRIC_COUNTER_VALUE);
		pb_double(out, VALUE, in_unit(info, gauge ? (double)(int64_t)*v : (double)*v));
		pb_end(out, value);
	}
	pb_end(out, metric);
}

void protobuf_family(struct buf *out, const struct page_group *page, enum metric metric)
{
	const struct metric_info *info = &metric_infos[metric];
	bool counter = info->kind == METRIC_COUNTER;
	size_t family = pb_begin(out, 0);
	size_t name_len = strlen(info->name);
	char name[128];
	ASSERT(name_len + sizeof "_total" <= sizeof name);
	memcpy(name, info->name, name_len);
	memcpy(name + name_len, counter ? "_total" : "", counter ? 7 : 1);
	put_text(out, FAMILY_NAME, name);
	put_text(out, FAMILY_HELP, info->help);
	pb_uint(out, FAMILY_TYPE,
		counter                      ? TYPE_COUNTER
		: info->kind == METRIC_GAUGE ? TYPE_GAUGE
					     : TYPE_HISTOGRAM);
	for (uint32_t i = 0; i < page->count; i++)
		put_metric(out, page, &page->rows[i], metric);
	if (*info->unit)
		put_text(out, FAMILY_UNIT, info->unit);
	pb_end(out, family);
}
