/* metrics_test.c - the tables made of metrics.def. */
#include <string.h>
#include "metrics/table.h"
#include "tap.h"

TEST(values_of_a_group_lie_side_by_side_without_gaps_or_overlaps)
{
	unsigned used[GROUP_COUNT] = {0};
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		const struct histogram_info *h = histogram_of(metric_infos[m].kind);
		enum metric_group g = metric_infos[m].group;
		CHECK_EQ(metric_slot[m], used[g]);
		used[g] += h ? h->slots : 1;
	}
	for (unsigned g = 0; g < GROUP_COUNT; g++)
		CHECK_EQ(group_slots(g), used[g]);
}

TEST(metrics_of_a_group_stand_together_in_the_table)
{
	bool seen[GROUP_COUNT] = {false};
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		enum metric_group g = metric_infos[m].group;
		CHECK(!seen[g] || metric_infos[m - 1].group == g);
		seen[g] = true;
	}
}

TEST(labels_of_a_group_are_read_from_the_table_with_their_marks)
{
	struct group_info g;
	group_describe(GROUP_STREAM_STATUS, &g);
	CHECK_EQ(g.labels, 6);
	CHECK_STR(g.name[0], "listener");
	CHECK_STR(g.name[2], "grpc_service");
	CHECK_STR(g.name[5], "grpc_status");
	CHECK(g.any_open && !g.open[1] && g.open[2] && g.open[3] && !g.open[4]);
	group_describe(GROUP_PROCESS, &g);
	CHECK_EQ(g.labels, 0);
	CHECK(!g.any_open);
	group_describe(GROUP_H2_SIDE, &g);
	CHECK_EQ(g.labels, 1);
	CHECK(!g.any_open);
}

TEST(bounds_of_histograms_ascend_and_are_written_as_the_numbers_they_are)
{
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		const struct histogram_info *h = histogram_of(metric_infos[m].kind);
		double unit = strcmp(metric_infos[m].unit, "seconds") ? 1 : 1e-9;
		for (unsigned i = 0; h && i < h->count; i++) {
			CHECK(i == 0 || h->bounds[i] > h->bounds[i - 1]);
			double want = (double)h->bounds[i] * unit, got = strtod(h->le[i], NULL);
			CHECK(got > want * 0.999999 - 1e-12 && got < want * 1.000001 + 1e-12);
		}
	}
}

/* Where an observation landed: the only bucket that is not 0. */
static unsigned bucket_of(enum metric m, uint64_t value)
{
	struct metrics *all = metrics_create(10);
	struct metrics_slab *slab = metrics_slab_create(all);
	const char *values[METRIC_LABELS_MAX] = {"a", "b", "c", "d", "e", "f"};
	struct series *s = metrics_series(slab, metric_infos[m].group, values);
	series_observe(s, m, value);
	const struct histogram_info *h = histogram_of(metric_infos[m].kind);
	unsigned found = 0, hits = 0;
	for (unsigned i = 0; i <= h->count; i++) {
		uint64_t n = atomic_load(&s->v[metric_slot[m] + i]);
		hits += (unsigned)n;
		found = n ? i : found;
	}
	CHECK_EQ(hits, 1);
	CHECK_EQ(atomic_load(&s->v[metric_slot[m] + h->count + 1]), value);
	metrics_destroy(all);
	return found;
}

static void check_every_bound(enum metric m)
{
	const struct histogram_info *h = histogram_of(metric_infos[m].kind);
	for (unsigned i = 0; i < h->count; i++) {
		CHECK_EQ(bucket_of(m, h->bounds[i]), i);
		CHECK_EQ(bucket_of(m, h->bounds[i] + 1), i + 1);
	}
	CHECK_EQ(bucket_of(m, 0), 0);
	CHECK_EQ(bucket_of(m, UINT64_MAX), h->count);
}

TEST(an_observation_on_a_bound_belongs_to_it_and_one_above_to_the_next)
{
	check_every_bound(M_SENT_MESSAGE_SIZE);
	check_every_bound(M_LOOP_LAG);
	check_every_bound(M_CONNECTION_CALLS);
}

TEST(a_connection_without_any_call_has_a_bucket_of_its_own)
{
	CHECK_EQ(bucket_of(M_CONNECTION_CALLS, 0), 0);
	CHECK_EQ(bucket_of(M_CONNECTION_CALLS, 1), 1);
}

TEST(sizes_observed_inline_fall_into_the_same_buckets)
{
	_Alignas(struct series) char one[2048] = "", two[2048] = "";
	struct series *a = (void *)one, *b = (void *)two;
	REQUIRE(series_bytes(GROUP_STREAM) <= sizeof one);
	a->group = b->group = GROUP_STREAM;
	for (unsigned bit = 0; bit <= 32; bit++) {
		for (int off = -1; off <= 1; off++) {
			uint32_t v = (uint32_t)((1ull << bit) + (uint64_t)(int64_t)off);
			series_observe(a, M_SENT_MESSAGE_SIZE, v);
			series_observe_bytes(b, M_SENT_MESSAGE_SIZE, v);
		}
	}
	CHECK(!memcmp(one, two, sizeof one));
}

TEST(merging_adds_every_value_of_a_block)
{
	_Alignas(struct series) char one[2048] = "", two[2048] = "";
	struct series *a = (void *)one, *b = (void *)two;
	a->group = b->group = GROUP_STREAM;
	for (unsigned i = 0; i < group_slots(GROUP_STREAM); i++) {
		atomic_store(&a->v[i], 1000 + i);
		atomic_store(&b->v[i], 10 * i);
	}
	series_merge(a, b);
	for (unsigned i = 0; i < group_slots(GROUP_STREAM); i++)
		CHECK_EQ(atomic_load(&a->v[i]), 1000 + 11 * i);
	CHECK_EQ(series_bytes(GROUP_STREAM),
		sizeof(struct series) + group_slots(GROUP_STREAM) * sizeof(uint64_t));
}

TAP_MAIN()
