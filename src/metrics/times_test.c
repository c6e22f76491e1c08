/* times_test.c - cells against bounds worked out with floating point, and what readers make of
 * them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/rand.h"
#include "metrics/table.h"
#include "tap.h"

/* The native bucket of an observation as its definition has it: the least i with ns <= 2^(i/8) s.
 */
static int index_of(uint64_t ns)
{
	int i = (int)ceill(log2l((long double)ns / 1e9L) * 8);
	/* The logarithm may miss by one where ns is close to a bound; powers decide. */
	while ((long double)ns <= exp2l((i - 1) / 8.0L) * 1e9L)
		i--;
	while ((long double)ns > exp2l(i / 8.0L) * 1e9L)
		i++;
	return i;
}

/* The cell of the native bucket, the ones above classic bounds folded into it. */
static unsigned native_cell(uint64_t ns)
{
	unsigned at = times_cell(ns);
	if (at < TIMES_CELLS)
		return at;
	for (unsigned cell = 0; cell < TIMES_CELLS; cell++)
		if (times_tables.split[cell] == at - TIMES_ABOVE + 1)
			return cell;
	return TIMES_CELLS;
}

static void check_cell(uint64_t ns)
{
	unsigned want = ns <= TIMES_ZERO_NS ? 0 : (unsigned)(index_of(ns) + TIMES_INDEX_0);
	if (want > TIMES_OVER)
		want = TIMES_OVER;
	if (native_cell(ns) != want)
		printf("# %llu ns\n", (unsigned long long)ns);
	CHECK_EQ(native_cell(ns), want);
}

TEST(every_native_bound_and_its_neighbours_fall_where_the_definition_has_them)
{
	for (int i = -TIMES_INDEX_0; i <= 100; i++) {
		uint64_t bound = (uint64_t)(exp2l(i / 8.0L) * 1e9L);
		for (uint64_t ns = bound - 2; ns <= bound + 2; ns++)
			check_cell(ns);
	}
	CHECK_EQ(native_cell(1000000000), TIMES_INDEX_0);
	CHECK_EQ(native_cell(1000000001), TIMES_INDEX_0 + 1);
}

TEST(any_time_falls_where_the_definition_has_it)
{
	struct rand r;
	rand_seed(&r, 7);
	for (uint64_t ns = 1; ns < 300000; ns++)
		check_cell(ns);
	for (unsigned i = 0; i < 300000; i++)
		check_cell(rand_u64(&r) >> rand_below(&r, 64) | 1);
}

TEST(the_ends_are_the_zero_bucket_and_the_one_for_all_above)
{
	CHECK_EQ(times_cell(0), 0);
	CHECK_EQ(times_cell(953), 0);
	CHECK_EQ(times_cell(954), 1);
	CHECK(953 <= TIMES_ZERO_SECONDS * 1e9 && 954 > TIMES_ZERO_SECONDS * 1e9);
	CHECK_EQ(times_cell(TIMES_MOST_NS), TIMES_OVER - 1);
	CHECK_EQ(times_cell(TIMES_MOST_NS + 1), TIMES_OVER);
	CHECK_EQ(times_cell(UINT64_MAX), TIMES_OVER);
}

/* --- what comes out --- */

static struct metrics *m;
static struct metrics_slab *slab;
static struct series *series;
static const char *const labels[] = {"in", "chat", "chat", "sent"};

static void begin(void)
{
	m = metrics_create(100);
	slab = metrics_slab_create(m);
	series = metrics_series(slab, GROUP_TIMING, labels);
}

static const uint64_t *values(enum metric metric)
{
	static uint64_t v[WIDTH_HISTOGRAM_TIMES];
	for (unsigned i = 0; i < WIDTH_HISTOGRAM_TIMES; i++)
		v[i] = atomic_load(&series->v[metric_slot[metric] + i]);
	return v;
}

TEST(classic_counts_are_exact_at_every_bound)
{
	begin();
	struct histogram_sums s;
	for (unsigned i = 0; i < METRICS_TIMES_BOUNDS; i++) {
		series_observe_times(series, M_MESSAGE_GAP, times_tables.bounds[i] - 1, 1);
		series_observe_times(series, M_MESSAGE_GAP, times_tables.bounds[i], 10);
		series_observe_times(series, M_MESSAGE_GAP, times_tables.bounds[i] + 1, 100);
	}
	histogram_sums(METRIC_HISTOGRAM_TIMES, values(M_MESSAGE_GAP), &s);
	for (unsigned i = 0; i < METRICS_TIMES_BOUNDS; i++)
		CHECK_EQ(s.upto[i], i * 111 + 11);
	CHECK_EQ(s.count, METRICS_TIMES_BOUNDS * 111);
	metrics_destroy(m);
}

TEST(classic_and_native_counts_agree_with_a_naive_model_of_random_times)
{
	begin();
	static uint64_t native[TIMES_CELLS], upto[METRICS_TIMES_BOUNDS];
	struct rand r;
	rand_seed(&r, 11);
	uint64_t count = 0;
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t ns = rand_below(&r, 1000000000000u) >> rand_below(&r, 40);
		uint64_t n = 1 + rand_below(&r, 5);
		series_observe_times(series, M_FIRST_MESSAGE, ns, n);
		native[ns <= TIMES_ZERO_NS ? 0 : index_of(ns) + TIMES_INDEX_0] += n;
		for (unsigned k = 0; k < METRICS_TIMES_BOUNDS; k++)
			upto[k] += ns <= times_tables.bounds[k] ? n : 0;
		count += n;
	}
	struct histogram_sums s;
	const uint64_t *v = values(M_FIRST_MESSAGE);
	histogram_sums(METRIC_HISTOGRAM_TIMES, v, &s);
	for (unsigned i = 0; i < TIMES_CELLS; i++)
		CHECK_EQ(times_native(v, i), native[i]);
	for (unsigned k = 0; k < METRICS_TIMES_BOUNDS; k++)
		CHECK_EQ(s.upto[k], upto[k]);
	CHECK_EQ(s.count, count);
	CHECK_EQ(metrics_read(m, M_FIRST_MESSAGE, labels), count);
	CHECK_EQ(metrics_read(m, M_MESSAGE_GAP, labels), 0);
	metrics_destroy(m);
}

TEST(n_equal_observations_are_as_good_as_n_times_one)
{
	begin();
	uint64_t one[WIDTH_HISTOGRAM_TIMES];
	series_observe_times(series, M_MESSAGE_GAP, 123456, 1000);
	for (unsigned i = 0; i < 1000; i++)
		series_observe(series, M_MESSAGE_RESIDENCE, 123456);
	memcpy(one, values(M_MESSAGE_RESIDENCE), sizeof one);
	CHECK_MEM(values(M_MESSAGE_GAP), sizeof one, one, sizeof one);
	metrics_destroy(m);
}

TEST(sums_go_on_where_64_bits_of_nanoseconds_end_and_slabs_add_up)
{
	begin();
	struct metrics_slab *other = metrics_slab_create(m);
	struct series *theirs = metrics_series(other, GROUP_TIMING, labels);
	struct buf page;
	buf_init(&page);
	series_observe_times(series, M_MESSAGE_GAP, 1500000000, 3);
	series_observe_times(theirs, M_MESSAGE_GAP, 250, 1);
	metrics_render(m, METRICS_PROMETHEUS_TEXT, &page);
	CHECK(strstr(page.bytes, "weir_message_gap_seconds_sum{listener=\"in\",rt_route=\"chat\","
				 "cluster=\"chat\",direction=\"sent\"} 4.50000025\n"));
	buf_clear(&page);
	series_observe_times(theirs, M_MESSAGE_GAP, 1ull << 60, 100);
	metrics_render(m, METRICS_PROMETHEUS_TEXT, &page);
	const char *sum = strstr(page.bytes, "_sum{"), *value = sum ? strstr(sum, "} ") : NULL;
	REQUIRE(value);
	CHECK(fabs(strtod(value + 2, NULL) - 115292150465.1847) < 0.001);
	series_merge(series, theirs);
	CHECK_EQ(metrics_read(m, M_MESSAGE_GAP, labels), 3 + 2 * 101);
	struct histogram_sums s;
	histogram_sums(METRIC_HISTOGRAM_TIMES, values(M_MESSAGE_GAP), &s);
	CHECK(s.sum > 0x1p60 * 100 && s.sum < 0x1p60 * 101);
	buf_fini(&page);
	metrics_destroy(m);
}

TAP_MAIN()
