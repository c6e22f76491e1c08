/* metrics.h - counters, gauges and histograms with bounded label sets, exact and lock-free to
 * write.
 *
 * metrics.def lists, once: each group with its labels, and each metric with its group, kind and
 * help. A *series* is one label set of one group and has a value for every metric of the group, in
 * one block of memory for each thread that writes ("slab"): adding is one relaxed load and store.
 *
 *   struct metrics            process-wide: interns label sets (mutex, at first sight of a set
 * only) struct metrics_slab     one for each writing thread; chunked, never moves struct series a
 * label set's values in that slab; pointers stay good for ever
 *
 * Cardinality: at most `series_per_family` label sets a group, the fallbacks included. Further sets
 * fall back: the labels that metrics.def marks as open (grpc_service, grpc_method) are replaced by
 * "_OTHER", and when even that set is one too many, all labels are; weir_metrics_overflow_total
 * rises. Groups without open labels, whose values come from tables and the configuration, have at
 * least 1000 sets. A label value longer than METRIC_LABEL_BYTES is "_OTHER" too; bytes that are not
 * UTF-8 become '?'.
 *
 * Reading (metrics_render) sums over the slabs with relaxed loads, from any thread, at any time,
 * and takes no lock. Values of unit "seconds" are kept in nanoseconds and rendered as seconds.
 * Histograms: classic buckets, the bounds of each kind stand in metrics.c; METRIC_HISTOGRAM_TIMES
 * is native and classic at once, see times.h.
 * Threads: metrics_create/destroy one; metrics_slab_create any; a slab and its series only their
 * own. Errors: out of memory answers the group's fallback series, which is made at creation. */
#ifndef WEIR_METRICS_METRICS_H
#define WEIR_METRICS_METRICS_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "base/buf.h"
#include "base/err.h"
#include "metrics/times.h"

enum metric_group {
#define GROUP(id, labels) GROUP_##id,
#define METRIC(id, group, kind, name, unit, help)
#include "metrics/metrics.def"
#undef GROUP
#undef METRIC
	GROUP_COUNT,
};

enum metric_kind {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM_BYTES,
	METRIC_HISTOGRAM_SECONDS,
	METRIC_HISTOGRAM_CALLS,
	METRIC_HISTOGRAM_TIMES,
};

enum metric {
#define GROUP(id, labels)
#define METRIC(id, group, kind, name, unit, help) M_##id,
#include "metrics/metrics.def"
#undef GROUP
#undef METRIC
	METRIC_COUNT,
};

struct metrics;
struct metrics_slab;
struct series {
	enum metric_group group;
	_Atomic uint64_t v[]; /* all values of the group's metrics, from metric_slot on */
};

#define METRIC_LABELS_MAX  8
#define METRIC_LABEL_BYTES 255 /* the longest label value */

struct metrics *metrics_create(uint32_t series_per_family) MUST_USE; /* NULL: out of memory */
void metrics_destroy(struct metrics *m); /* and its slabs; no writer may be left */
struct metrics_slab *metrics_slab_create(struct metrics *m) MUST_USE; /* one for each thread */

/* The series of this label set (values in metrics.def's order, NULL = ""), made at first sight.
 * Never NULL. Only the slab's thread. Costs a hash of the values: keep the pointer. */
struct series *metrics_series(
	struct metrics_slab *s, enum metric_group g, const char *const *values);
/* True when the set is interned already (by any thread): for names that scanners can invent. */
bool metrics_series_known(struct metrics_slab *s, enum metric_group g, const char *const *values);
/* The series of a group without labels. */
struct series *metrics_plain(struct metrics_slab *s, enum metric_group g);

/* Running offsets over all of metrics.def: an enumerator without a value is the one before plus 1,
 * so START_g is where group g begins, AT_m where metric m begins, LAST_m its last value. A
 * histogram has its buckets, the one above the last bound, and the sum. */
enum {
	METRICS_BYTES_BOUNDS = 10,
	METRICS_SECONDS_BOUNDS = 9,
	METRICS_CALLS_BOUNDS = 11,
	WIDTH_COUNTER = 1,
	WIDTH_GAUGE = 1,
	WIDTH_HISTOGRAM_BYTES = METRICS_BYTES_BOUNDS + 2,
	WIDTH_HISTOGRAM_SECONDS = METRICS_SECONDS_BOUNDS + 2,
	WIDTH_HISTOGRAM_CALLS = METRICS_CALLS_BOUNDS + 2,
	WIDTH_HISTOGRAM_TIMES = TIMES_SUM + 1,

	BEFORE_ALL = -1,
#define GROUP(id, labels)                         START_##id, REWIND_##id = START_##id - 1,
#define METRIC(id, group, kind, name, unit, help) AT_##id, LAST_##id = AT_##id + WIDTH_##kind - 1,
#include "metrics/metrics.def"
#undef GROUP
#undef METRIC
	END_OF_ALL,
};

/* Index into series.v. Here and not in metrics.c, so that it is a constant where the metric is one.
 */
static const uint16_t metric_slot[METRIC_COUNT] = {
#define GROUP(id, labels)
#define METRIC(id, group, kind, name, unit, help) AT_##id - START_##group,
#include "metrics/metrics.def"
#undef GROUP
#undef METRIC
};

static inline void series_add(struct series *s, enum metric m, uint64_t n)
{
	_Atomic uint64_t *v = &s->v[metric_slot[m]];
	atomic_store_explicit(
		v, atomic_load_explicit(v, memory_order_relaxed) + n, memory_order_relaxed);
}
static inline void series_sub(struct series *s, enum metric m, uint64_t n) /* gauges */
{
	series_add(s, m, (uint64_t)0 - n);
}
static inline void series_set(struct series *s, enum metric m, uint64_t n)
{
	atomic_store_explicit(&s->v[metric_slot[m]], n, memory_order_relaxed);
}
/* A histogram's observation: bytes, or nanoseconds (rendered as seconds). */
void series_observe(struct series *s, enum metric m, uint64_t value);

/* Adds n equal observations of a METRIC_HISTOGRAM_TIMES. No call, no division, no
 * libm; no time is as long as 2^63 ns, and signed conversions take one instruction. */
static inline void series_observe_times(
	struct series *s, enum metric m, uint64_t value_ns, uint64_t n)
{
	_Atomic uint64_t *v = &s->v[metric_slot[m]];
	_Atomic uint64_t *cell = &v[times_cell(value_ns)];
	uint64_t bits = atomic_load_explicit(&v[TIMES_SUM], memory_order_relaxed);
	double sum;
	memcpy(&sum, &bits, sizeof sum);
	sum += (double)(int64_t)value_ns * (double)(int64_t)n;
	memcpy(&bits, &sum, sizeof bits);
	atomic_store_explicit(&v[TIMES_SUM], bits, memory_order_relaxed);
	atomic_store_explicit(
		cell, atomic_load_explicit(cell, memory_order_relaxed) + n, memory_order_relaxed);
}

/* The same of no time at all: it is below every bound and adds nothing to the sum. */
static inline void series_observe_no_time(struct series *s, enum metric m, uint64_t n)
{
	_Atomic uint64_t *cell = &s->v[metric_slot[m]];
	atomic_store_explicit(
		cell, atomic_load_explicit(cell, memory_order_relaxed) + n, memory_order_relaxed);
}

/* Bounds of METRIC_HISTOGRAM_BYTES: 2^6, 2^8 ... 2^24. The highest bit of 2 * bytes - 1 says which,
 * without a search: it is bit n for all above 2^(n-1) up to 2^n. Of 0, which wraps, it is bit 63.
 */
static inline unsigned metrics_bytes_bucket(uint32_t bytes)
{
	/* clang-format off */
	static const uint8_t of_bit[64] = {
		0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5,
		5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 10, 10, 10, 10, 10,
		10,
	};
	/* clang-format on */
	return of_bit[63 ^ __builtin_clzll(2 * (uint64_t)bytes - 1)];
}

/* series_observe for what every message does; `m` is a METRIC_HISTOGRAM_BYTES. */
static inline void series_observe_bytes(struct series *s, enum metric m, uint32_t bytes)
{
	_Atomic uint64_t *v = &s->v[metric_slot[m]];
	_Atomic uint64_t *bucket = &v[metrics_bytes_bucket(bytes)],
			 *sum = &v[METRICS_BYTES_BOUNDS + 1];
	atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + 1,
		memory_order_relaxed);
	atomic_store_explicit(
		sum, atomic_load_explicit(sum, memory_order_relaxed) + bytes, memory_order_relaxed);
}

/* The same for n messages at once, of `sum` bytes in all and all in one bucket. */
static inline void series_observe_bytes_of(
	struct series *s, enum metric m, unsigned bucket, uint64_t n, uint64_t sum_bytes)
{
	_Atomic uint64_t *v = &s->v[metric_slot[m]];
	_Atomic uint64_t *to = &v[bucket], *sum = &v[METRICS_BYTES_BOUNDS + 1];
	atomic_store_explicit(
		to, atomic_load_explicit(to, memory_order_relaxed) + n, memory_order_relaxed);
	atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + sum_bytes,
		memory_order_relaxed);
}

/* Values without a label set, on no page: for what may never get one. A block of series_bytes()
 * zeroed bytes with .group set takes series_add and series_observe; series_merge adds all its
 * values to a series of the same group. */
size_t series_bytes(enum metric_group g);
void series_merge(struct series *into, const struct series *from);

/* Sum over all slabs (tests, top): 0 when the set is unknown. For a histogram: its count. */
uint64_t metrics_read(struct metrics *m, enum metric metric, const char *const *values);

/* Visits every label set of a group that was used, sorted by its values: `labels` in metrics.def's
 * order, and v[metric_slot[m]] with the sum over all slabs. ERR_NOMEM. */
int metrics_each(struct metrics *m, enum metric_group g,
	void (*visit)(void *ctx, const char *const *labels, const uint64_t *v), void *ctx) MUST_USE;

/* Native histograms are in METRICS_PROTOBUF only: delimited io.prometheus.client.MetricFamily. */
enum metrics_format { METRICS_PROMETHEUS_TEXT, METRICS_OPENMETRICS, METRICS_PROTOBUF };
#define METRICS_TYPE_PROMETHEUS  "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_TYPE_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define METRICS_TYPE_PROTOBUF                                                                      \
	"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "               \
	"encoding=delimited"
const char *metrics_content_type(enum metrics_format format);
void metrics_render(struct metrics *m, enum metrics_format format, struct buf *out);
#endif
