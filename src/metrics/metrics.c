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
	{64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216},
	{"64.0", "256.0", "1024.0", "4096.0", "16384.0", "65536.0", "262144.0", "1.048576e+06",
		"4.194304e+06", "1.6777216e+07"},
};
static const struct histogram_info seconds_histogram = {
	METRICS_SECONDS_BOUNDS,
	{100000, 300000, 1000000, 3000000, 10000000, 30000000, 100000000, 300000000, 1000000000},
	{"0.0001", "0.0003", "0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1.0"},
};
static const struct histogram_info calls_histogram = {
	METRICS_CALLS_BOUNDS,
	{0, 1, 2, 5, 10, 20, 50, 100, 1000, 10000, 100000},
	{"0.0", "1.0", "2.0", "5.0", "10.0", "20.0", "50.0", "100.0", "1000.0", "10000.0",
		"100000.0"},
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
	case METRIC_HISTOGRAM_TIMES:
		return &seconds_histogram;
	case METRIC_HISTOGRAM_CALLS:
		return &calls_histogram;
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

static void observe_in(
	_Atomic uint64_t *v, unsigned bucket, unsigned count, uint64_t value, uint64_t times)
{
	uint64_t n = atomic_load_explicit(&v[bucket], memory_order_relaxed);
	atomic_store_explicit(&v[bucket], n + times, memory_order_relaxed);
	n = atomic_load_explicit(&v[count + 1], memory_order_relaxed);
	atomic_store_explicit(&v[count + 1], n + value * times, memory_order_relaxed);
}

void series_observe_times(struct series *s, enum metric m, uint64_t value, uint64_t n)
{
	_Atomic uint64_t *v = &s->v[metric_slot[m]];
	const struct histogram_info *h = histogram_of(metric_infos[m].kind);
	unsigned bucket = 0;
	ASSERT(h);
	while (bucket < h->count && value > h->bounds[bucket])
		bucket++;
	observe_in(v, bucket, h->count, value, n);
}

void series_observe(struct series *s, enum metric m, uint64_t value)
{
	series_observe_times(s, m, value, 1);
}

size_t series_bytes(enum metric_group g)
{
	return sizeof(struct series) + group_slots(g) * sizeof(uint64_t);
}

void series_merge(struct series *into, const struct series *from)
{
	ASSERT(into->group == from->group);
	for (unsigned i = 0; i < group_slots(from->group); i++) {
		uint64_t n = atomic_load_explicit(&from->v[i], memory_order_relaxed);
		atomic_store_explicit(&into->v[i],
			atomic_load_explicit(&into->v[i], memory_order_relaxed) + n,
			memory_order_relaxed);
	}
}
