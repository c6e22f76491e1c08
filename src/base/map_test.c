#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"
#include "tap.h"

static char marks[4096]; /* addresses to store */

TEST(an_empty_map_holds_nothing_and_owns_nothing)
{
	struct idmap m;
	struct strmap s;
	uint32_t it = 0, key;
	void *value;
	const char *name;
	size_t len;
	idmap_init(&m);
	strmap_init(&s);
	CHECK(idmap_get(&m, 1) == NULL && idmap_remove(&m, 1) == NULL);
	CHECK(strmap_get(&s, "a", 1) == NULL && strmap_remove(&s, "a", 1) == NULL);
	CHECK(!idmap_next(&m, &it, &key, &value));
	CHECK(!strmap_next(&s, &it, &name, &len, &value));
	CHECK_EQ(mem_live_blocks(), 0);
	idmap_fini(&m);
	strmap_fini(&s);
}

TEST(put_replaces_and_remove_answers_what_was_there)
{
	struct idmap m;
	idmap_init(&m);
	CHECK_EQ(idmap_put(&m, 5, &marks[1]), 0);
	CHECK_EQ(idmap_put(&m, 5, &marks[2]), 0);
	CHECK_EQ(m.len, 1);
	CHECK(idmap_get(&m, 5) == &marks[2]);
	CHECK(idmap_remove(&m, 5) == &marks[2]);
	CHECK(idmap_remove(&m, 5) == NULL);
	idmap_fini(&m);
}

TEST(id_zero_is_refused_and_never_found)
{
	struct idmap m;
	idmap_init(&m);
	CHECK_EQ(idmap_put(&m, 0, &marks[0]), ERR_INVALID);
	CHECK_EQ(idmap_put(&m, 1, &marks[1]), 0);
	CHECK(idmap_get(&m, 0) == NULL && idmap_remove(&m, 0) == NULL);
	CHECK_EQ(m.len, 1);
	idmap_fini(&m);
}

TEST(an_idmap_shrinks_to_none_when_its_last_id_leaves)
{
	struct idmap m;
	idmap_init(&m);
	for (uint32_t id = 1; id < 2000; id += 2)
		CHECK_EQ(idmap_put(&m, id, &marks[id]), 0);
	CHECK_EQ(mem_live_blocks(), 1);
	for (uint32_t id = 1; id < 2000; id += 2)
		CHECK(idmap_remove(&m, id) == &marks[id]);
	CHECK(m.slots == NULL && m.cap == 0 && m.len == 0);
	CHECK_EQ(mem_live_blocks(), 0);
	CHECK_EQ(idmap_put(&m, 3, &marks[3]), 0); /* and comes back */
	CHECK(idmap_get(&m, 3) == &marks[3]);
	idmap_fini(&m);
}

/* Ids whose Fibonacci hash falls into the last 1/64 of the range: in every table of up to 64 slots
 * they all want the last slot, so the cluster wraps around the end. */
static void colliding_ids(uint32_t *ids, int count)
{
	for (uint32_t id = 1; count > 0; id += 2)
		if (id * 0x9e3779b1u >= 63u << 26)
			ids[--count] = id;
}

TEST(an_idmap_that_was_full_begins_as_large_but_never_very_large)
{
	struct idmap m;
	int value;
	idmap_init(&m);
	for (uint32_t ids = 1; ids <= 1000; ids += ids < 30 ? 29 : 970) {
		for (uint32_t id = 1; id <= ids; id++)
			CHECK_EQ(idmap_put(&m, id, &value), 0);
		for (uint32_t id = 1; id <= ids; id++)
			CHECK(idmap_remove(&m, id) == &value);
		CHECK(m.slots == NULL && m.cap == 0);
		CHECK_EQ(idmap_put(&m, 7, &value), 0);
		CHECK_EQ(m.cap, ids == 1 ? 8 : IDMAP_FIRST_MAX);
		CHECK(idmap_get(&m, 7) == &value && !idmap_get(&m, 8));
		idmap_remove(&m, 7);
	}
	idmap_fini(&m);
	CHECK_EQ(sizeof(m), 16);
}

TEST(colliding_ids_are_all_found_in_whatever_order_they_leave)
{
	uint32_t ids[40];
	struct rand r;
	colliding_ids(ids, 40);
	rand_seed(&r, tap_seed());
	for (int round = 0; round < 200; round++) {
		struct idmap m;
		bool in[40];
		idmap_init(&m);
		for (int i = 0; i < 40; i++) {
			CHECK_EQ(idmap_put(&m, ids[i], &marks[i]), 0);
			in[i] = true;
		}
		CHECK_EQ(m.cap, 64);
		for (int left = 40; left > 0; left--) {
			uint64_t out = rand_below(&r, 40);
			while (!in[out])
				out = (out + 1) % 40;
			CHECK(idmap_remove(&m, ids[out]) == &marks[out]);
			in[out] = false;
			for (int i = 0; i < 40; i++)
				REQUIRE(idmap_get(&m, ids[i]) == (in[i] ? &marks[i] : NULL));
		}
	}
	CHECK_EQ(mem_live_blocks(), 0);
}

/* Half of the keys collide, the others are odd numbers in order as stream ids are. */
TEST(an_idmap_agrees_with_an_array_under_random_use)
{
	enum { KEYS = 300 };
	uint32_t keys[KEYS], it, key;
	void *model[KEYS] = {0}, *value;
	uint32_t held = 0;
	struct rand r;
	struct idmap m;
	colliding_ids(keys, KEYS / 2);
	for (int i = KEYS / 2; i < KEYS; i++)
		keys[i] = 0x7ffffff1u - 2 * (uint32_t)i;
	rand_seed(&r, tap_seed());
	idmap_init(&m);
	for (int step = 0; step < 100000; step++) {
		uint64_t i = rand_below(&r, KEYS);
		/* phases of growth and of decline, so that it empties now and then */
		if (rand_below(&r, 100) < (step / 3000 % 2 ? 20u : 80u)) {
			value = &marks[rand_below(&r, sizeof(marks))];
			held += model[i] == NULL;
			model[i] = value;
			REQUIRE(idmap_put(&m, keys[i], value) == 0);
		} else {
			held -= model[i] != NULL;
			REQUIRE(idmap_remove(&m, keys[i]) == model[i]);
			model[i] = NULL;
		}
		REQUIRE(m.len == held && (m.cap == 0) == (held == 0));
		i = rand_below(&r, KEYS);
		REQUIRE(idmap_get(&m, keys[i]) == model[i]);
		if (step % 500)
			continue;
		uint32_t seen = 0;
		for (it = 0; idmap_next(&m, &it, &key, &value); seen++) {
			for (i = 0; i < KEYS && keys[i] != key; i++)
				;
			REQUIRE(i < KEYS && model[i] == value);
		}
		REQUIRE(seen == held);
	}
	idmap_fini(&m);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(an_idmap_that_cannot_grow_stays_as_it_was)
{
	struct idmap m;
	idmap_init(&m);
	for (uint32_t id = 1; id <= 200; id++) {
		uint32_t cap = m.cap;
		mem_fail_after(1);
		int err = idmap_put(&m, id, &marks[id]);
		mem_fail_after(0);
		if (err) {
			CHECK_EQ(err, ERR_NOMEM);
			CHECK(m.cap == cap && m.len == id - 1 && !idmap_get(&m, id));
			CHECK_EQ(idmap_put(&m, id, &marks[id]), 0);
			CHECK(m.cap == (cap ? 2 * cap : 8));
		}
		for (uint32_t i = 1; i <= id; i++)
			REQUIRE(idmap_get(&m, i) == &marks[i]);
	}
	CHECK_EQ(m.cap, 512);
	idmap_fini(&m);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(string_keys_are_copied_bytes_of_any_kind)
{
	struct strmap m;
	char key[] = "a\0b";
	strmap_init(&m);
	CHECK_EQ(strmap_put(&m, key, 3, &marks[1]), 0);
	CHECK_EQ(strmap_put(&m, key, 1, &marks[2]), 0);
	CHECK_EQ(strmap_put(&m, NULL, 0, &marks[3]), 0);
	key[0] = 'x';
	CHECK(strmap_get(&m, "a\0b", 3) == &marks[1]);
	CHECK(strmap_get(&m, "a", 1) == &marks[2]);
	CHECK(strmap_get(&m, "", 0) == &marks[3]);
	CHECK(strmap_get(&m, "a\0c", 3) == NULL);
	CHECK_EQ(strmap_put(&m, "a", 1, &marks[4]), 0);
	CHECK_EQ(m.len, 3);
	CHECK(strmap_remove(&m, "a", 1) == &marks[4]);
	CHECK(strmap_get(&m, "a", 1) == NULL);
	strmap_fini(&m);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_strmap_agrees_with_an_array_under_random_use)
{
	enum { KEYS = 400 };
	void *model[KEYS] = {0}, *value;
	uint32_t held = 0;
	const char *key;
	size_t len;
	char name[16];
	struct rand r;
	struct strmap m;
	rand_seed(&r, tap_seed());
	strmap_init(&m);
	for (int step = 0; step < 60000; step++) {
		uint64_t i = rand_below(&r, KEYS);
		size_t n = (size_t)snprintf(name, sizeof(name), "key-%u", (unsigned)i);
		if (rand_below(&r, 100) < (step / 3000 % 2 ? 10u : 80u)) {
			value = &marks[rand_below(&r, sizeof(marks))];
			held += model[i] == NULL;
			model[i] = value;
			REQUIRE(strmap_put(&m, name, n, value) == 0);
		} else {
			held -= model[i] != NULL;
			REQUIRE(strmap_remove(&m, name, n) == model[i]);
			model[i] = NULL;
		}
		i = rand_below(&r, KEYS);
		n = (size_t)snprintf(name, sizeof(name), "key-%u", (unsigned)i);
		REQUIRE(strmap_get(&m, name, n) == model[i] && m.len == held);
		if (step % 500)
			continue;
		uint32_t seen = 0;
		for (uint32_t it = 0; strmap_next(&m, &it, &key, &len, &value); seen++) {
			REQUIRE(strlen(key) == len && !memcmp(key, "key-", 4));
			REQUIRE(model[atoi(key + 4)] == value);
		}
		REQUIRE(seen == held);
	}
	strmap_fini(&m);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_strmap_out_of_memory_stays_as_it_was)
{
	struct strmap m;
	char name[16];
	strmap_init(&m);
	for (int i = 0; i < 100; i++) {
		size_t n = (size_t)snprintf(name, sizeof(name), "%d", i);
		int err = ERR_NOMEM;
		for (long nth = 1; err; nth++) { /* the entry, then the table */
			REQUIRE(nth <= 3);
			long live = mem_live_blocks();
			mem_fail_after(nth);
			err = strmap_put(&m, name, n, &marks[i]);
			mem_fail_after(0);
			CHECK(!err || (err == ERR_NOMEM && mem_live_blocks() == live));
			CHECK(!err || (m.len == (uint32_t)i && !strmap_get(&m, name, n)));
		}
	}
	for (int i = 0; i < 100; i++) {
		size_t n = (size_t)snprintf(name, sizeof(name), "%d", i);
		CHECK(strmap_get(&m, name, n) == &marks[i]);
	}
	mem_fail_after(1); /* replacing needs no memory */
	CHECK_EQ(strmap_put(&m, "7", 1, &marks[77]), 0);
	mem_fail_after(0);
	strmap_fini(&m);
	CHECK_EQ(mem_live_blocks(), 0);
}

TAP_MAIN()
