/* metrics.c - metrics.def as tables: where each value lies, and the bounds of histograms. */
#include <string.h>
#include "base/assert.h"
#include "metrics/table.h"

static const uint16_t group_start[GROUP_COUNT + 1] = {
#define GROUP(id, labels) START_##id,
#define METRIC(id, group, kind, name, unit, help)
#include "metrics/metrics.def"
#undef GROUP
#undef METRIC
	END_OF_ALL,
};

const struct metric_info metric_infos[METRIC_COUNT] = {
#define GROUP(id, labels)
#define METRIC(id, group, kind, name, unit, help) {GROUP_##group, METRIC_##kind, #name, unit, help},
#include "metrics/metrics.def"
#undef GROUP
#undef METRIC
};

static const char *const group_labels[GROUP_COUNT] = {
#define GROUP(id, labels) labels,
#define METRIC(id, group, kind, name, unit, help)
#include "metrics/metrics.def"
#undef GROUP
#undef METRIC
};

/* Powers of four, so that series_observe needs no search. */
static const struct histogram_info bytes_histogram = {
	METRICS_BYTES_BOUNDS,
	WIDTH_HISTOGRAM_BYTES,
	{64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216},
	{"64.0", "256.0", "1024.0", "4096.0", "16384.0", "65536.0", "262144.0", "1.048576e+06",
		"4.194304e+06", "1.6777216e+07"},
};
static const struct histogram_info seconds_histogram = {
	METRICS_SECONDS_BOUNDS,
	WIDTH_HISTOGRAM_SECONDS,
	{100000, 300000, 1000000, 3000000, 10000000, 30000000, 100000000, 300000000, 1000000000},
	{"0.0001", "0.0003", "0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1.0"},
};
static const struct histogram_info calls_histogram = {
	METRICS_CALLS_BOUNDS,
	WIDTH_HISTOGRAM_CALLS,
	{0, 1, 2, 5, 10, 20, 50, 100, 1000, 10000, 100000},
	{"0.0", "1.0", "2.0", "5.0", "10.0", "20.0", "50.0", "100.0", "1000.0", "10000.0",
		"100000.0"},
};

static const struct histogram_info times_histogram = {
	METRICS_TIMES_BOUNDS,
	WIDTH_HISTOGRAM_TIMES,
	{TIMES_BOUNDS},
	{"0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0",
		"2.5", "5.0", "10.0", "30.0", "60.0", "300.0"},
};

const struct histogram_info *histogram_of(enum metric_kind kind)
{
	switch (kind) {
	case METRIC_COUNTER:
	case METRIC_GAUGE:
		return NULL;
	case METRIC_HISTOGRAM_BYTES:
		return &bytes_histogram;
	case METRIC_HISTOGRAM_SECONDS:
		return &seconds_histogram;
	case METRIC_HISTOGRAM_CALLS:
		return &calls_histogram;
	case METRIC_HISTOGRAM_TIMES:
		return &times_histogram;
	}
	UNREACHABLE();
}

unsigned group_slots(enum metric_group g)
{
	return (unsigned)(group_start[g + 1] - group_start[g]);
}

void group_describe(enum metric_group g, struct group_info *out)
{
	memset(out, 0, sizeof *out);
	for (const char *at = group_labels[g]; *at;) {
		size_t len = strcspn(at, ",*");
		unsigned i = out->labels++;
		ASSERT(i < METRIC_LABELS_MAX && len < sizeof out->name[i]);
		memcpy(out->name[i], at, len);
		at += len;
		if (*at == '*') {
			out->open[i] = out->any_open = true;
			at++;
		}
		at += *at == ',';
	}
}

static void observe_in(_Atomic uint64_t *v, unsigned bucket, unsigned count, uint64_t value)
{
	uint64_t n = atomic_load_explicit(&v[bucket], memory_order_relaxed);
	atomic_store_explicit(&v[bucket], n + 1, memory_order_relaxed);
	n = atomic_load_explicit(&v[count + 1], memory_order_relaxed);
	atomic_store_explicit(&v[count + 1], n + value, memory_order_relaxed);
}

void series_observe(struct series *s, enum metric m, uint64_t value)
{
	_Atomic uint64_t *v = &s->v[metric_slot[m]];
	const struct histogram_info *h = histogram_of(metric_infos[m].kind);
	unsigned bucket = 0;
	ASSERT(h);
	if (metric_infos[m].kind == METRIC_HISTOGRAM_TIMES) {
		series_observe_times(s, m, value, 1);
		return;
	}
	while (bucket < h->count && value > h->bounds[bucket])
		bucket++;
	observe_in(v, bucket, h->count, value);
}

static double as_double(uint64_t bits)
{
	double d;
	memcpy(&d, &bits, sizeof d);
	return d;
}

uint64_t slot_sum(enum metric_group g, unsigned slot, uint64_t a, uint64_t b)
{
	static const bool is_double[END_OF_ALL] = {
#define GROUP(id, labels)
#define METRIC(id, group, kind, name, unit, help)                                                  \
	[LAST_##id] = METRIC_##kind == METRIC_HISTOGRAM_TIMES,
#include "metrics/metrics.def"
#undef GROUP
#undef METRIC
	};
	if (LIKELY(!is_double[group_start[g] + slot]))
		return a + b;
	double sum = as_double(a) + as_double(b);
	memcpy(&a, &sum, sizeof a);
	return a;
}

uint64_t times_native(const uint64_t *v, unsigned cell)
{
	unsigned bound = times_tables.split[cell];
	return v[cell] + (bound ? v[TIMES_ABOVE + bound - 1] : 0);
}

/* times_cell() of a bound is the last cell with anything up to it. */
static void times_sums(const uint64_t *v, struct histogram_sums *out)
{
	unsigned cell = 0;
	uint64_t n = 0;
	for (unsigned i = 0; i < METRICS_TIMES_BOUNDS; i++) {
		unsigned last = times_cell(times_tables.bounds[i]);
		while (cell <= last)
			n += v[cell++];
		out->upto[i] = n;
		n += v[TIMES_ABOVE + i];
	}
	while (cell < TIMES_CELLS)
		n += v[cell++];
	out->count = n;
	out->sum = as_double(v[TIMES_SUM]);
}

void histogram_sums(enum metric_kind kind, const uint64_t *v, struct histogram_sums *out)
{
	const struct histogram_info *h = histogram_of(kind);
	if (kind == METRIC_HISTOGRAM_TIMES) {
		times_sums(v, out);
		return;
	}
	uint64_t n = 0;
	for (unsigned i = 0; i < h->count; i++)
		out->upto[i] = n += v[i];
	out->count = n + v[h->count];
	out->sum = (double)v[h->count + 1];
}

size_t series_bytes(enum metric_group g)
{
	return sizeof(struct series) + group_slots(g) * sizeof(uint64_t);
}

void series_merge(struct series *into, const struct series *from)
{
	ASSERT(into->group == from->group);
	for (unsigned i = 0; i < group_slots(from->group); i++) {
		uint64_t a = atomic_load_explicit(&into->v[i], memory_order_relaxed),
			 b = atomic_load_explicit(&from->v[i], memory_order_relaxed);
		atomic_store_explicit(
			&into->v[i], slot_sum(into->group, i, a, b), memory_order_relaxed);
	}
}
