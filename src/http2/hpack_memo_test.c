/* hpack_memo_test.c - heads that repeat, while the table they are said with changes. */
#include "http2/hpack_memo.h"
#include <stdio.h>
#include "base/mem.h"
#include "http2/hpack_testing.h"

#define HEADS 24u

/* A peer that says heads as indexes wherever it can, with its own idea of the table. */
struct model {
	struct hpack_table table;
	struct rand rand;
	unsigned inserted;
};

static void add_text(char **list, const char *name, const char *value)
{
	*list += sprintf(*list, "%s: %s\n", name, value);
}

/* A literal that enters the table: "x-NAME: VALUE". */
static uint8_t *say_new(struct model *m, uint8_t *at, unsigned number, char **list)
{
	char name[16], value[16];
	uint32_t seq;
	int name_len = sprintf(name, "x-%u", number), value_len = sprintf(value, "v%u", number);
	struct field f = {.name = name,
		.name_len = (uint32_t)name_len,
		.value = value,
		.value_len = (uint32_t)value_len,
		.token = TOKEN_OTHER};
	*at++ = 0x40;
	*at++ = (uint8_t)name_len;
	memcpy(at, name, f.name_len);
	at += name_len;
	*at++ = (uint8_t)value_len;
	memcpy(at, value, f.value_len);
	at += value_len;
	CHECK_EQ(hpack_table_insert(&m->table, &f, &seq), 0);
	add_text(list, name, value);
	return at;
}

/* The dynamic entry of field `number`, or 0. */
static uint32_t index_of(const struct model *m, unsigned number)
{
	char value[16];
	sprintf(value, "v%u", number);
	for (uint32_t seq = m->table.next_seq; seq-- != m->table.first_seq;) {
		struct field f = hpack_table_field(&m->table, hpack_table_entry(&m->table, seq));
		if (field_is(&f, value))
			return HPACK_STATIC_COUNT + (m->table.next_seq - seq);
	}
	return 0;
}

static uint8_t *say_field(struct model *m, uint8_t *at, unsigned number, char **list)
{
	char name[16], value[16];
	uint32_t index = index_of(m, number);
	if (!index)
		return say_new(m, at, number, list);
	sprintf(name, "x-%u", number);
	sprintf(value, "v%u", number);
	add_text(list, name, value);
	return hpack_int_write(at, 0x80, 7, index);
}

/* Head `head` is always the same fields; now and then another entry comes in behind it. */
static size_t say_head(struct model *m, unsigned head, uint8_t *block, char *list)
{
	uint8_t *at = block;
	if (head % 3) {
		*at++ = 0x83;
		add_text(&list, ":method", "POST");
		*at++ = 0x86;
		add_text(&list, ":scheme", "http");
	}
	for (unsigned i = 0; i < head % 19; i++)
		at = say_field(m, at, head + i, &list);
	if (rand_below(&m->rand, 4) == 0)
		at = say_new(m, at, 1000 + m->inserted++, &list);
	*list = '\0';
	return (size_t)(at - block);
}

/* Decodes at once and in steps, encodes what was decoded, and decodes that: always the same. */
static void relay(struct hpack_decoder *d, struct hpack_decoder *steps, struct hpack_encoder *e,
	struct hpack_decoder *next, const uint8_t *block, size_t len, const char *want)
{
	char got[4096];
	uint8_t out[4096];
	bool overflow;
	struct fields *f = fields_create(), *g = fields_create();
	REQUIRE(f && g);
	CHECK_EQ(decode_in_steps(steps, block, len, TEST_LIST_BYTES, g, &overflow), 0);
	CHECK(!overflow);
	list_text(g, got);
	CHECK_STR(got, want);
	fields_destroy(g);
	CHECK_EQ(hpack_decode(d, block, len, TEST_LIST_BYTES, f, NULL), 0);
	list_text(f, got);
	CHECK_STR(got, want);
	CHECK(hpack_encode_bound(f) <= sizeof(out));
	size_t n = hpack_encode(e, f, out);
	CHECK(n <= hpack_encode_bound(f));
	fields_destroy(f);
	CHECK_EQ(decode_bytes(next, out, n, got), 0);
	CHECK_STR(got, want);
}

static void relay_heads(uint32_t table_bytes, uint64_t seed)
{
	struct model m = {0};
	uint8_t block[4096];
	char want[4096];
	rand_seed(&m.rand, seed);
	hpack_table_init(&m.table, table_bytes);
	struct hpack_decoder *d = hpack_decoder_create(HPACK_DEFAULT_TABLE_BYTES);
	struct hpack_decoder *steps = hpack_decoder_create(HPACK_DEFAULT_TABLE_BYTES);
	struct hpack_decoder *next = hpack_decoder_create(HPACK_DEFAULT_TABLE_BYTES);
	struct hpack_encoder *e = hpack_encoder_create(table_bytes);
	REQUIRE(d && steps && e && next);
	hpack_decoder_set_limit(d, table_bytes);
	hpack_decoder_set_limit(steps, table_bytes);
	uint8_t *first = block;
	if (table_bytes < HPACK_DEFAULT_TABLE_BYTES) { /* 4.2 */
		first = hpack_int_write(first, 0x20, 5, table_bytes);
		CHECK_EQ(decode_bytes(d, block, (size_t)(first - block), want), 0);
		CHECK_EQ(decode_bytes(steps, block, (size_t)(first - block), want), 0);
	}
	for (unsigned i = 0; i < 4000; i++) {
		unsigned head = (unsigned)rand_below(&m.rand, i % 1000 < 500 ? 4 : HEADS);
		size_t len = say_head(&m, head, block, want);
		relay(d, steps, e, next, block, len, want);
	}
	hpack_table_fini(&m.table);
	hpack_decoder_destroy(d);
	hpack_decoder_destroy(steps);
	hpack_decoder_destroy(next);
	hpack_encoder_destroy(e);
}

TEST(heads_that_repeat_stay_the_same_while_entries_come_and_go)
{
	static const uint32_t table_bytes[] = {4096, 1000, 400, 120, 0};
	for (unsigned i = 0; i < 5; i++)
		for (uint64_t seed = 1; seed < 4; seed++)
			relay_heads(table_bytes[i], seed);
}

static const struct fields_run *run_of(struct hpack_decoder *d, const char *hex, bool want)
{
	uint8_t block[256];
	size_t len = unhex(hex, block);
	struct fields *f = fields_create();
	if (!f)
		abort();
	CHECK_EQ(hpack_decode(d, block, len, TEST_LIST_BYTES, f, NULL), 0);
	const struct fields_run *run = fields_run(f);
	CHECK((run != NULL) == want);
	fields_destroy(f);
	return run;
}

TEST(what_comes_for_the_second_time_is_a_run_from_the_third_on)
{
	struct hpack_decoder *d = hpack_decoder_create(4096), *other = hpack_decoder_create(4096);
	REQUIRE(d && other);
	run_of(d, "400161 0131 400162 0132", false);
	run_of(d, "83 86 be bf", false);
	run_of(d, "83 86 be bf 0f0d0131", false); /* a content-length behind it */
	const struct fields_run *run = run_of(d, "83 86 be bf", true);
	run_of(d, "400163 0133", false); /* moves them by one */
	CHECK(run_of(d, "83 86 bf c0", true) == run);
	run_of(d, "83 86 be bf", false); /* other fields */
	/* another connection's table, the same fields: the same run */
	run_of(other, "400162 0132 400161 0131", false);
	run_of(other, "83 86 be bf", false);
	run_of(other, "83 86 bf be", false);
	run_of(other, "83 86 bf be", false);
	CHECK(run_of(other, "83 86 bf be", true) == run);
	hpack_decoder_destroy(d);
	hpack_decoder_destroy(other);
}

TEST(secrets_and_cookies_are_in_no_run)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	run_of(d, "57 0178", false); /* authorization: x */
	for (int i = 0; i < 4; i++)
		run_of(d, "83 86 be", false);
	run_of(d, "60 0178", false); /* cookie: x */
	for (int i = 0; i < 4; i++)
		run_of(d, "83 86 be", false);
	hpack_decoder_destroy(d);
}

TEST(a_list_that_is_too_long_with_its_run_overflows_as_without)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	const uint8_t block[] = {0x83, 0x86};
	bool overflow;
	REQUIRE(d);
	for (int i = 0; i < 6; i++) {
		struct fields *f = fields_create();
		REQUIRE(f);
		uint32_t max =
			i == 5 ? 50 : 100; /* :method POST takes 43 bytes, the other as many */
		CHECK_EQ(hpack_decode(d, block, sizeof(block), max, f, &overflow), 0);
		CHECK_EQ(overflow, i == 5);
		CHECK_EQ(f->count, i == 5 ? 1 : 2);
		fields_destroy(f);
	}
	hpack_decoder_destroy(d);
}

TEST(a_size_update_stands_before_a_known_beginning_and_never_behind_it)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	const uint8_t known[] = {0x83, 0x86}, early[] = {0x20, 0x83, 0x86},
		      late[] = {0x83, 0x86, 0x20};
	bool overflow;
	REQUIRE(d);
	for (int i = 0; i < 7; i++) {
		const uint8_t *block = i < 4 ? known : i == 5 ? early : i == 6 ? late : known;
		size_t len = i == 5 || i == 6 ? 3 : 2;
		struct fields *f = fields_create();
		REQUIRE(f);
		if (i == 4) /* the peer must say so first (RFC 7541 4.2) */
			hpack_decoder_set_limit(d, 0);
		int err = decode_in_steps(d, block, len, 1000, f, &overflow);
		CHECK_EQ(err, i == 4 || i == 6 ? ERR_PROTOCOL : 0);
		CHECK_EQ(fields_run(f) != NULL, i == 2 || i == 3 || i == 5 || i == 6);
		fields_destroy(f);
	}
	hpack_decoder_destroy(d);
}

TEST(memory_for_memos_is_missed_by_nobody)
{
	for (long nth = 1; nth < 40; nth++) {
		struct hpack_decoder *d = hpack_decoder_create(4096);
		struct hpack_encoder *e = hpack_encoder_create(4096);
		const uint8_t block[] = {0x83, 0x86};
		REQUIRE(d && e);
		fields_cache_purge();
		mem_fail_after(nth);
		for (int i = 0; i < 5; i++) {
			uint8_t out[64];
			struct fields *f = fields_create();
			if (!f)
				continue;
			CHECK_EQ(hpack_decode(d, block, sizeof(block), 1000, f, NULL), 0);
			CHECK_EQ(hpack_encode(e, f, out), 2);
			CHECK_MEM(out, 2, block, 2);
			fields_destroy(f);
		}
		mem_fail_after(0);
		hpack_decoder_destroy(d);
		hpack_encoder_destroy(e);
	}
}

TAP_MAIN()
