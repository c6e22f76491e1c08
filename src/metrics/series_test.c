/* series_test.c - interning, limits, fallbacks, and a naive model that keeps the same books. */
#include <string.h>
#include "base/mem.h"
#include "base/rand.h"
#include "metrics/metrics.h"
#include "tap.h"

static const char *const chat[] = {"ingress", "chat", "chat.Chat", "Subscribe", "chat"};

static struct series *method(struct metrics_slab *s, const char *name)
{
	return metrics_series(s, GROUP_STREAM,
		(const char *const[]){"ingress", "chat", "chat.Chat", name, "chat"});
}

static uint64_t read_method(struct metrics *m, const char *service, const char *name)
{
	return metrics_read(m, M_SENT_MESSAGES,
		(const char *const[]){"ingress", "chat", service, name, "chat"});
}

TEST(a_label_set_has_one_series_a_slab_whose_pointer_stays)
{
	struct metrics *m = metrics_create(1000);
	struct metrics_slab *a = metrics_slab_create(m), *b = metrics_slab_create(m);
	struct series *first = metrics_series(a, GROUP_STREAM, chat);
	for (int i = 0; i < 500; i++) {
		char name[16];
		snprintf(name, sizeof name, "M%d", i);
		CHECK(method(a, name) != first);
	}
	CHECK(metrics_series(a, GROUP_STREAM, chat) == first);
	CHECK(metrics_series(b, GROUP_STREAM, chat) != first);
	metrics_destroy(m);
}

TEST(a_read_sums_over_all_slabs)
{
	struct metrics *m = metrics_create(1000);
	for (unsigned i = 1; i <= 3; i++) {
		struct metrics_slab *s = metrics_slab_create(m);
		series_add(metrics_series(s, GROUP_STREAM, chat), M_SENT_MESSAGES, i);
		series_add(metrics_series(s, GROUP_STREAM, chat), M_STREAMS_ACTIVE, 2);
		series_sub(metrics_series(s, GROUP_STREAM, chat), M_STREAMS_ACTIVE, 1);
		series_observe(
			metrics_series(s, GROUP_STREAM, chat), M_SENT_MESSAGE_SIZE, 5000 * i);
	}
	CHECK_EQ(metrics_read(m, M_SENT_MESSAGES, chat), 6);
	CHECK_EQ(metrics_read(m, M_STREAMS_ACTIVE, chat), 3);
	CHECK_EQ(metrics_read(m, M_SENT_MESSAGE_SIZE, chat), 3);
	CHECK_EQ(metrics_read(m, M_RECEIVED_MESSAGES, chat), 0);
	metrics_destroy(m);
}

TEST(a_missing_label_value_is_the_empty_one)
{
	struct metrics *m = metrics_create(1000);
	struct metrics_slab *s = metrics_slab_create(m);
	const char *const null[] = {"ingress", "chat", NULL, NULL, "chat"};
	const char *const empty[] = {"ingress", "chat", "", "", "chat"};
	CHECK(metrics_series(s, GROUP_STREAM, null) == metrics_series(s, GROUP_STREAM, empty));
	metrics_destroy(m);
}

TEST(values_that_only_concatenate_alike_are_different_sets)
{
	struct metrics *m = metrics_create(1000);
	struct metrics_slab *s = metrics_slab_create(m);
	const char *const a[] = {"in", "gress", "x", "", "c"}, *const b[] = {
								       "ingress", "", "x", "", "c"};
	CHECK(metrics_series(s, GROUP_STREAM, a) != metrics_series(s, GROUP_STREAM, b));
	metrics_destroy(m);
}

TEST(a_set_is_known_to_every_slab_once_one_has_made_it)
{
	struct metrics *m = metrics_create(1000);
	struct metrics_slab *a = metrics_slab_create(m), *b = metrics_slab_create(m);
	CHECK(!metrics_series_known(a, GROUP_STREAM, chat));
	CHECK(!metrics_series_known(a, GROUP_STREAM, chat)); /* asking makes nothing */
	metrics_series(a, GROUP_STREAM, chat);
	CHECK(metrics_series_known(a, GROUP_STREAM, chat));
	CHECK(metrics_series_known(b, GROUP_STREAM, chat));
	CHECK(!metrics_series_known(b, GROUP_STREAM_STATUS,
		(const char *const[]){"ingress", "chat", "chat.Chat", "Subscribe", "chat", "0"}));
	metrics_destroy(m);
}

TEST(sets_beyond_the_limit_become_other_in_open_labels_and_are_counted)
{
	struct metrics *m = metrics_create(10);
	struct metrics_slab *s = metrics_slab_create(m);
	struct series *seen[20];
	for (int i = 0; i < 20; i++) {
		char name[16];
		snprintf(name, sizeof name, "M%d", i);
		seen[i] = method(s, name);
		series_add(seen[i], M_SENT_MESSAGES, 1);
	}
	/* Ten rows: _OTHER of this listener, route and cluster, _OTHER of all, and eight methods.
	 */
	CHECK_EQ(read_method(m, "chat.Chat", "M7"), 1);
	CHECK(!metrics_series_known(s, GROUP_STREAM,
		(const char *const[]){"ingress", "chat", "chat.Chat", "M8", "chat"}));
	CHECK_EQ(read_method(m, "_OTHER", "_OTHER"), 12);
	CHECK(seen[8] == seen[19]);
	CHECK_EQ(metrics_read(m, M_METRICS_OVERFLOW, NULL), 12);
	CHECK(method(s, "M3") == seen[3]);
	metrics_destroy(m);
}

TEST(where_even_the_fallback_is_one_too_many_every_label_is_other)
{
	struct metrics *m = metrics_create(3);
	struct metrics_slab *s = metrics_slab_create(m);
	method(s, "M0");
	const char *const far[] = {"egress", "other", "x.X", "Y", "z"};
	series_add(metrics_series(s, GROUP_STREAM, far), M_SENT_MESSAGES, 4);
	const char *const all[] = {"_OTHER", "_OTHER", "_OTHER", "_OTHER", "_OTHER"};
	CHECK_EQ(metrics_read(m, M_SENT_MESSAGES, all), 4);
	CHECK(metrics_series(s, GROUP_STREAM, all) == metrics_series(s, GROUP_STREAM, far));
	metrics_destroy(m);
}

TEST(a_limit_of_one_or_none_leaves_a_single_series)
{
	for (uint32_t limit = 0; limit < 2; limit++) {
		struct metrics *m = metrics_create(limit);
		struct metrics_slab *s = metrics_slab_create(m);
		struct series *one = method(s, "A");
		CHECK(method(s, "B") == one);
		CHECK(metrics_series(s, GROUP_STREAM, chat) == one);
		metrics_destroy(m);
	}
}

TEST(each_group_has_a_limit_of_its_own_and_closed_groups_at_least_a_thousand_sets)
{
	struct metrics *m = metrics_create(5);
	struct metrics_slab *s = metrics_slab_create(m);
	for (int i = 0; i < 1100; i++) {
		char name[16];
		snprintf(name, sizeof name, "c%d", i);
		method(s, name);
		series_add(metrics_series(s, GROUP_CLUSTER, (const char *const[]){name}), M_REPLAYS,
			1);
	}
	CHECK_EQ(metrics_read(m, M_REPLAYS, (const char *const[]){"c0"}), 1);
	CHECK_EQ(metrics_read(m, M_REPLAYS, (const char *const[]){"c998"}), 1);
	CHECK_EQ(metrics_read(m, M_REPLAYS, (const char *const[]){"c999"}), 0);
	CHECK_EQ(metrics_read(m, M_REPLAYS, (const char *const[]){"_OTHER"}), 101);
	metrics_destroy(m);
}

TEST(a_label_value_of_255_bytes_is_kept_and_a_longer_one_becomes_other)
{
	struct metrics *m = metrics_create(100);
	struct metrics_slab *s = metrics_slab_create(m);
	char name[METRIC_LABEL_BYTES + 2];
	memset(name, 'x', sizeof name);
	name[METRIC_LABEL_BYTES + 1] = 0;
	series_add(method(s, name), M_SENT_MESSAGES, 1);
	CHECK_EQ(read_method(m, "chat.Chat", "_OTHER"), 1);
	CHECK_EQ(metrics_read(m, M_METRICS_OVERFLOW, NULL), 1);
	name[METRIC_LABEL_BYTES] = 0;
	series_add(method(s, name), M_SENT_MESSAGES, 7);
	CHECK_EQ(read_method(m, "chat.Chat", name), 7);
	CHECK_EQ(metrics_read(m, M_METRICS_OVERFLOW, NULL), 1);
	metrics_destroy(m);
}

TEST(bytes_that_are_not_utf8_become_question_marks_and_such_sets_meet)
{
	struct metrics *m = metrics_create(100);
	struct metrics_slab *s = metrics_slab_create(m);
	struct series *bad = method(s, "a\xff\xc3");
	CHECK(bad == method(s, "a??"));
	CHECK(bad == method(s, "a\x80\xfe"));
	CHECK(method(s, "\xc3\xa9") != method(s, "??"));
	metrics_destroy(m);
}

TEST(groups_without_labels_have_one_series_from_the_start)
{
	struct metrics *m = metrics_create(100);
	struct metrics_slab *s = metrics_slab_create(m);
	struct series *p = metrics_plain(s, GROUP_PROCESS);
	CHECK(p == metrics_plain(s, GROUP_PROCESS));
	CHECK(p == metrics_series(s, GROUP_PROCESS, NULL));
	series_set(p, M_CONFIG_GENERATION, 3);
	CHECK_EQ(metrics_read(m, M_CONFIG_GENERATION, NULL), 3);
	metrics_destroy(m);
}

/* Fails the nth allocation of a whole life, for each n, until one goes through. */
TEST(without_memory_creation_fails_whole_and_a_look_up_answers_the_fallback)
{
	bool whole = false;
	for (long n = 1; n < 400 && !whole; n++) {
		long live = mem_live_blocks();
		mem_fail_after(n);
		struct metrics *m = metrics_create(50);
		struct metrics_slab *s = m ? metrics_slab_create(m) : NULL;
		uint64_t added = 0;
		for (int i = 0; s && i < 40; i++) {
			char name[16];
			snprintf(name, sizeof name, "M%d", i);
			struct series *found = method(s, name);
			CHECK(found);
			if (!found)
				break;
			series_add(found, M_SENT_MESSAGES, 1);
			added++;
		}
		mem_fail_after(0);
		uint64_t sum = 0;
		for (int i = 0; s && i < 40; i++) {
			char name[16];
			snprintf(name, sizeof name, "M%d", i);
			sum += read_method(m, "chat.Chat", name);
		}
		if (s) {
			const char *const all[] = {
				"_OTHER", "_OTHER", "_OTHER", "_OTHER", "_OTHER"};
			whole = sum == added;
			sum += read_method(m, "_OTHER", "_OTHER");
			CHECK_EQ(sum + metrics_read(m, M_SENT_MESSAGES, all), added);
		}
		metrics_destroy(m);
		CHECK_EQ(mem_live_blocks(), live);
	}
	CHECK(whole);
}

/* --- the model: linear lists, no hashing, the rules as metrics.h states them --- */

enum { MODEL_SETS = 64, MODEL_LIMIT = 40, MODEL_SLABS = 3 };

struct model_set {
	char value[5][8];
	uint64_t sent, active, observed;
};
struct model {
	struct model_set sets[MODEL_SETS];
	unsigned count;
	uint64_t overflow;
};

static int model_find(const struct model *m, const char *const *values)
{
	for (unsigned i = 0; i < m->count; i++) {
		unsigned same = 0;
		for (unsigned l = 0; l < 5; l++)
			same += !strcmp(m->sets[i].value[l], values[l]);
		if (same == 5)
			return (int)i;
	}
	return -1;
}

static int model_add(struct model *m, const char *const *values)
{
	for (unsigned l = 0; l < 5; l++)
		snprintf(m->sets[m->count].value[l], 8, "%s", values[l]);
	return (int)m->count++;
}

static int model_series(struct model *m, const char *const *values)
{
	int found = model_find(m, values);
	if (found >= 0)
		return found;
	const char *const other[] = {values[0], values[1], "_OTHER", "_OTHER", values[4]};
	if (m->count < MODEL_LIMIT && model_find(m, other) < 0)
		model_add(m, other);
	if (m->count < MODEL_LIMIT)
		return model_find(m, values) < 0 ? model_add(m, values) : model_find(m, values);
	m->overflow++;
	found = model_find(m, other);
	return found >= 0 ? found : 0;
}

static void random_values(struct rand *r, char (*store)[8], const char **values)
{
	static const unsigned choices[5] = {2, 3, 4, 6, 2};
	for (unsigned l = 0; l < 5; l++) {
		unsigned n = (unsigned)rand_below(r, choices[l]);
		snprintf(store[l], 8, "%s", (const char *[]){"", "a", "b\"", "c\\", "d\n", "e"}[n]);
		values[l] = store[l];
	}
}

static void model_round(uint64_t seed)
{
	struct rand r;
	rand_seed(&r, seed);
	struct model model = {.count = 0};
	model_add(&model, (const char *const[]){"_OTHER", "_OTHER", "_OTHER", "_OTHER", "_OTHER"});
	struct metrics *m = metrics_create(MODEL_LIMIT);
	struct metrics_slab *slabs[MODEL_SLABS];
	for (unsigned i = 0; i < MODEL_SLABS; i++)
		slabs[i] = metrics_slab_create(m);
	char store[5][8];
	const char *values[5];
	for (int step = 0; step < 2000; step++) {
		random_values(&r, store, values);
		struct metrics_slab *slab = slabs[rand_below(&r, MODEL_SLABS)];
		CHECK_EQ(metrics_series_known(slab, GROUP_STREAM, values),
			model_find(&model, values) >= 0);
		struct series *s = metrics_series(slab, GROUP_STREAM, values);
		struct model_set *want = &model.sets[model_series(&model, values)];
		uint64_t n = rand_below(&r, 1000);
		series_add(s, M_SENT_BYTES, n);
		series_sub(s, M_STREAMS_ACTIVE, n);
		series_observe(s, M_RECEIVED_MESSAGE_SIZE, n);
		want->sent += n;
		want->active -= n;
		want->observed++;
	}
	for (unsigned i = 0; i < model.count; i++) {
		for (unsigned l = 0; l < 5; l++)
			values[l] = model.sets[i].value[l];
		CHECK_EQ(metrics_read(m, M_SENT_BYTES, values), model.sets[i].sent);
		CHECK_EQ(metrics_read(m, M_STREAMS_ACTIVE, values), model.sets[i].active);
		CHECK_EQ(metrics_read(m, M_RECEIVED_MESSAGE_SIZE, values), model.sets[i].observed);
	}
	CHECK_EQ(model.count, MODEL_LIMIT);
	CHECK_EQ(metrics_read(m, M_METRICS_OVERFLOW, NULL), model.overflow);
	metrics_destroy(m);
}

TEST(random_sets_and_additions_agree_with_a_naive_model)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		model_round(seed);
}

TAP_MAIN()
