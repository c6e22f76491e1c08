/* hpack_table_test.c - the dynamic table against a plain list. */
#include "http2/hpack_testing.h"

#define MODEL_MAX 256

struct model_entry {
	char name[64], value[256];
	uint32_t name_len, value_len;
};

/* Newest first; the RFC's words turned into the slowest possible code. */
struct model {
	struct model_entry e[MODEL_MAX];
	uint32_t count, max_bytes;
};

static uint32_t model_bytes(const struct model *m)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < m->count; i++)
		sum += m->e[i].name_len + m->e[i].value_len + 32;
	return sum;
}

static void model_insert(struct model *m, struct model_entry e)
{
	uint32_t bytes = e.name_len + e.value_len + 32;
	while (m->count && model_bytes(m) + bytes > m->max_bytes)
		m->count--;
	if (bytes > m->max_bytes)
		return;
	memmove(&m->e[1], &m->e[0], m->count * sizeof(e));
	m->e[0] = e;
	m->count++;
}

static void check_same(const struct hpack_table *t, const struct model *m)
{
	REQUIRE(hpack_table_count(t) == m->count);
	CHECK_EQ(t->used_bytes, model_bytes(m));
	CHECK(t->used_bytes <= t->max_bytes);
	CHECK(t->bytes_cap <= 2 * (size_t)4096);
	for (uint32_t i = 0; i < m->count; i++) {
		struct field f = hpack_table_field(t, hpack_table_entry(t, t->next_seq - 1 - i));
		CHECK_MEM(f.name, f.name_len, m->e[i].name, m->e[i].name_len);
		CHECK_MEM(f.value, f.value_len, m->e[i].value, m->e[i].value_len);
	}
}

static void step(struct hpack_table *t, struct model *m, struct rand *r)
{
	uint32_t seq = 0;
	if (rand_below(r, 50) == 0) {
		uint32_t max = (uint32_t)(rand_below(r, 3) ? 200 + rand_below(r, 3897)
							   : rand_below(r, 90));
		hpack_table_resize(t, max);
		m->max_bytes = max;
		while (model_bytes(m) > max)
			m->count--;
		return;
	}
	struct model_entry e = {0};
	struct field f = {.token = TOKEN_OTHER};
	e.value_len = (uint32_t)rand_below(r, rand_below(r, 4) ? 20 : 256);
	for (uint32_t i = 0; i < e.value_len; i++)
		e.value[i] = (char)rand_u64(r);
	unsigned kind = (unsigned)rand_below(r, 3);
	if (kind == 0 && m->count) { /* the name of an entry, often one that has to go */
		uint32_t i = rand_below(r, 2) ? m->count - 1 : (uint32_t)rand_below(r, m->count);
		f = hpack_table_field(t, hpack_table_entry(t, t->next_seq - 1 - i));
		e.name_len = m->e[i].name_len;
		memcpy(e.name, m->e[i].name, e.name_len);
	} else if (kind == 1) {
		f.token = (uint16_t)rand_below(r, TOKEN_COUNT);
		e.name_len = f.name_len = (uint32_t)token_name_len((enum token)f.token);
		memcpy(e.name, token_name((enum token)f.token), e.name_len);
		f.name = e.name;
	} else {
		e.name_len = f.name_len = (uint32_t)rand_below(r, sizeof(e.name));
		memset(e.name, 'a' + (int)rand_below(r, 26), e.name_len);
		f.name = e.name;
	}
	f.value = e.value;
	f.value_len = e.value_len;
	CHECK_EQ(hpack_table_insert(t, &f, &seq), 0);
	model_insert(m, e);
}

TEST(rfc7541_4_the_table_agrees_with_a_plain_list_through_inserts_and_resizes)
{
	static struct model m;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct hpack_table t;
		struct rand r;
		rand_seed(&r, seed);
		m.count = 0;
		m.max_bytes = 4096;
		hpack_table_init(&t, 4096);
		/* numbers that wrap on the way */
		t.first_seq = t.next_seq = UINT32_MAX - 500;
		for (int i = 0; i < 2000; i++) {
			step(&t, &m, &r);
			check_same(&t, &m);
		}
		hpack_table_fini(&t);
	}
}

TEST(a_failed_allocation_leaves_the_table_as_it_was)
{
	long live = mem_live_blocks();
	struct hpack_table t;
	struct rand r;
	static struct model m;
	unsigned failures = 0;
	hpack_table_init(&t, 4096);
	rand_seed(&r, 3);
	m.count = 0;
	m.max_bytes = 4096;
	for (int i = 0; i < 300; i++) {
		struct model_entry e = {
			.name = "n", .name_len = 1, .value_len = (uint32_t)rand_below(&r, 60)};
		struct field f = {
			.name = e.name, .name_len = 1, .value = e.value, .token = TOKEN_OTHER};
		memset(e.value, 'a' + i % 26, e.value_len);
		f.value_len = e.value_len;
		uint32_t seq;
		mem_fail_after(1);
		int err = hpack_table_insert(&t, &f, &seq);
		mem_fail_after(0);
		if (err) {
			failures++;
			CHECK_EQ(err, ERR_NOMEM);
			check_same(&t, &m);
			mem_fail_after(2); /* the second, where there are two */
			err = hpack_table_insert(&t, &f, &seq);
			mem_fail_after(0);
			if (err) {
				check_same(&t, &m);
				CHECK_EQ(hpack_table_insert(&t, &f, &seq), 0);
			}
		}
		model_insert(&m, e);
		check_same(&t, &m);
	}
	CHECK(failures > 4);
	hpack_table_fini(&t);
	CHECK_EQ(mem_live_blocks(), live);
}

TAP_MAIN()
