/* table.h - the inside of the metrics room: descriptions of groups and metrics, interned label
 * sets, and the cells that hold their values. Included by this folder's .c files and nothing else.
 *
 *   metrics --rows--> row <- row <- row        per group, immutable once linked, newest first
 *      |               ^
 *      +-- slab --cells--> cell { row, series }  per group, appended by the slab's thread only
 *
 * A row's key is the group's number and the label values, each with its NUL. Rows and cells are
 * published with a release store of their list's head and never unlinked before metrics_destroy, so
 * readers need no lock. */
#ifndef WEIR_METRICS_TABLE_H
#define WEIR_METRICS_TABLE_H
#include <pthread.h>
#include "metrics/metrics.h"

#define METRICS_OTHER        "_OTHER"
#define HISTOGRAM_BOUNDS_MAX 17

struct metric_info {
	enum metric_group group;
	enum metric_kind kind;
	const char *name, *unit, *help;
};
extern const struct metric_info metric_infos[METRIC_COUNT];

/* The classic bounds of a kind. But for METRIC_HISTOGRAM_TIMES (times.h), slot i counts what is <=
 * bounds[i] and > bounds[i - 1]; one more what is above the last; then comes the sum. `le` is the
 * bound as exposition writes it (canonical OpenMetrics numbers). */
struct histogram_info {
	unsigned count, slots;
	uint64_t bounds[HISTOGRAM_BOUNDS_MAX];
	const char *le[HISTOGRAM_BOUNDS_MAX];
};
const struct histogram_info *histogram_of(enum metric_kind kind); /* NULL: not a histogram */

struct histogram_sums {
	uint64_t upto[HISTOGRAM_BOUNDS_MAX], count;
	double sum;
};
void histogram_sums(enum metric_kind kind, const uint64_t *v, struct histogram_sums *out);
/* What a METRIC_HISTOGRAM_TIMES has in a native bucket, by its cell. */
uint64_t times_native(const uint64_t *v, unsigned cell);

/* The sum of two values of a group's slot. */
uint64_t slot_sum(enum metric_group g, unsigned slot, uint64_t a, uint64_t b);

struct group_info {
	unsigned labels;
	char name[METRIC_LABELS_MAX][24];
	bool open[METRIC_LABELS_MAX], any_open;
};
unsigned group_slots(enum metric_group g); /* values in one of its series */
void group_describe(enum metric_group g, struct group_info *out);

struct row {
	const struct row *next_in_group;
	const struct row *next_in_bucket;
	uint64_t hash;
	uint32_t index; /* in its group, from 0 in order of first sight */
	uint32_t key_len;
	char key[];
};
const char *row_value(const struct row *r, unsigned label);

struct cell {
	struct cell *next;
	const struct row *row;
	struct series *series;
};

struct cache_slot {
	uint64_t hash;
	struct cell *cell; /* NULL = free */
};

struct metrics_slab {
	struct metrics *metrics;
	struct metrics_slab *next;
	struct cell *_Atomic cells[GROUP_COUNT];
	struct cell
		*fallback[GROUP_COUNT];    /* made at creation, so that no memory is needed later */
	bool fallback_linked[GROUP_COUNT]; /* is it in `cells`? */
	struct cache_slot *cache;          /* open addressing, at most half full */
	uint32_t cache_cap, cache_len;
	struct chunk *chunks;
	uint32_t chunk_used; /* bytes of the newest chunk */
};

struct metrics {
	uint8_t hash_key[16];
	uint32_t limit[GROUP_COUNT]; /* rows */
	struct group_info groups[GROUP_COUNT];
	pthread_mutex_t lock; /* for those who add rows or slabs */
	const struct row *_Atomic rows[GROUP_COUNT];
	_Atomic uint32_t row_count[GROUP_COUNT];
	struct metrics_slab *_Atomic slabs;
	uint32_t bucket_mask;
	const struct row *_Atomic *buckets;
	const struct row *fallback[GROUP_COUNT]; /* every label _OTHER */
};
#endif
