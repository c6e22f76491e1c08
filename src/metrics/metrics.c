/* metrics.c - metrics.def as tables: where each value lies, and the bounds of histograms. */
#include <string.h>
#include "base/assert.h"
#include "metrics/table.h"

enum {
	BYTES_BOUNDS = 10,
	SECONDS_BOUNDS = 9,
	CALLS_BOUNDS = 11,
	/* Values that one metric of each kind takes: buckets, the one above the last bound, the
	   sum. */
	WIDTH_COUNTER = 1,
	WIDTH_GAUGE = 1,
	WIDTH_HISTOGRAM_BYTES = BYTES_BOUNDS + 2,
	WIDTH_HISTOGRAM_SECONDS = SECONDS_BOUNDS + 2,
	WIDTH_HISTOGRAM_CALLS = CALLS_BOUNDS + 2,
};

/* Running offsets over all of metrics.def: an enumerator without a value is the one before plus 1,
 * so START_g is where group g begins, AT_m where metric m begins, LAST_m its last value. */
enum {
	BEFORE_ALL = -1,
#define GROUP(id, labels)                         START_##id, REWIND_##id = START_##id - 1,
#define METRIC(id, group, kind, name, unit, help) AT_##id, LAST_##id = AT_##id + WIDTH_##kind - 1,
#include "metrics/metrics.def"
#undef GROUP
#undef METRIC
	END_OF_ALL,
};

static const uint16_t group_start[GROUP_COUNT + 1] = {
#define GROUP(id, labels) START_##id,
#define METRIC(id, group, kind, name, unit, help)
#include "metrics/metrics.def"
#undef GROUP
#undef METRIC
	END_OF_ALL,
};

const uint16_t metric_slot[METRIC_COUNT] = {
#define GROUP(id, labels)
#define METRIC(id, group, kind, name, unit, help) AT_##id - START_##group,
#include "metrics/metrics.def"
#undef GROUP
#undef METRIC
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
	BYTES_BOUNDS,
	{64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216},
	{"64.0", "256.0", "1024.0", "4096.0", "16384.0", "65536.0", "262144.0", "1.048576e+06",
		"4.194304e+06", "1.6777216e+07"},
};
static const struct histogram_info seconds_histogram = {
	SECONDS_BOUNDS,
	{100000, 300000, 1000000, 3000000, 10000000, 30000000, 100000000, 300000000, 1000000000},
	{"0.0001", "0.0003", "0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1.0"},
};
static const struct histogram_info calls_histogram = {
	CALLS_BOUNDS,
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

/* Bits needed for v - 1, halved and shifted: 0 for <= 2^6, 1 for <= 2^8 ... 9 for <= 2^24, then 10.
 */
static unsigned bytes_bucket(uint64_t v)
{
	if (v <= 64)
		return 0;
	unsigned bits = 64u - (unsigned)__builtin_clzll(v - 1);
	unsigned i = (bits - 5) / 2;
	return i < BYTES_BOUNDS ? i : BYTES_BOUNDS;
}

static void observe_in(_Atomic uint64_t *v, unsigned bucket, unsigned count, uint64_t value)
{
	uint64_t n = atomic_load_explicit(&v[bucket], memory_order_relaxed);
	atomic_store_explicit(&v[bucket], n + 1, memory_order_relaxed);
	n = atomic_load_explicit(&v[count + 1], memory_order_relaxed);
	atomic_store_explicit(&v[count + 1], n + value, memory_order_relaxed);
}

/* Apart, so that the way for bytes, which every message takes, saves no registers for this one. */
static __attribute__((noinline)) void observe_other(
	_Atomic uint64_t *v, enum metric_kind kind, uint64_t value)
{
	const struct histogram_info *h = histogram_of(kind);
	unsigned bucket = 0;
	ASSERT(h);
	while (bucket < h->count && value > h->bounds[bucket])
		bucket++;
	observe_in(v, bucket, h->count, value);
}

void series_observe(struct series *s, enum metric m, uint64_t value)
{
	_Atomic uint64_t *v = &s->v[metric_slot[m]];
	if (LIKELY(metric_infos[m].kind == METRIC_HISTOGRAM_BYTES))
		observe_in(v, bytes_bucket(value), BYTES_BOUNDS, value);
	else
		observe_other(v, metric_infos[m].kind, value);
}
