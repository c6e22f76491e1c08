/* hpack_enc_test.c - what the encoder writes: policy, size updates, bound, lack of memory. */
#include "http2/hpack_testing.h"

struct pair {
	struct hpack_encoder *e;
	struct hpack_decoder *d;
	uint8_t block[65536];
	size_t len;
};

static bool pair_init(struct pair *p, uint32_t max_table_bytes)
{
	p->e = hpack_encoder_create(max_table_bytes);
	p->d = hpack_decoder_create(4096);
	return p->e && p->d;
}

static void pair_fini(struct pair *p)
{
	hpack_encoder_destroy(p->e);
	hpack_decoder_destroy(p->d);
}

/* Encodes, insists on the bound and on getting back what went in; leaves the block in p. */
static void send_fields(struct pair *p, const struct fields *f)
{
	static char want[TEST_LIST_BYTES], got[TEST_LIST_BYTES];
	size_t bound = hpack_encode_bound(f);
	REQUIRE(bound <= sizeof(p->block));
	uint8_t *exact = malloc(bound); /* so that a sanitizer sees a write behind it */
	p->len = hpack_encode(p->e, f, exact);
	CHECK(p->len <= bound);
	memcpy(p->block, exact, p->len);
	free(exact);
	list_text(f, want);
	CHECK_EQ(decode_bytes(p->d, p->block, p->len, got), 0);
	CHECK_STR(got, want);
}

/* One field by itself. */
static void send_one(struct pair *p, const char *name, const char *value)
{
	struct fields *f = fields_create();
	REQUIRE(f && !fields_add(f, name, strlen(name), value, strlen(value)));
	send_fields(p, f);
	fields_destroy(f);
}

static void check_block(const struct pair *p, const char *hex)
{
	uint8_t want[256];
	size_t n = unhex(hex, want);
	CHECK_MEM(p->block, p->len, want, n);
}

enum kind { INDEXED, ADDED, PLAIN, NEVER };

static enum kind kind_of(const struct pair *p)
{
	uint8_t first = p->block[0];
	return first & 0x80 ? INDEXED : first & 0x40 ? ADDED : first & 0x10 ? NEVER : PLAIN;
}

TEST(static_entries_are_sent_by_index)
{
	struct pair p;
	REQUIRE(pair_init(&p, 4096));
	send_one(&p, ":method", "POST");
	check_block(&p, "83");
	send_one(&p, ":status", "404");
	check_block(&p, "8d");
	send_one(&p, "accept-encoding", "gzip, deflate");
	check_block(&p, "90");
	send_one(&p, ":authority", "");
	check_block(&p, "81");
	pair_fini(&p);
}

TEST(fields_of_few_values_are_added_once_and_then_sent_by_index)
{
	struct pair p;
	REQUIRE(pair_init(&p, 4096));
	static const char *const once[][2] = {{"te", "trailers"},
		{"content-type", "application/grpc"}, {":authority", "chat.example.com"},
		{"grpc-encoding", "gzip"}, {"x-own", "1"}};
	for (size_t i = 0; i < sizeof(once) / sizeof(*once); i++) {
		send_one(&p, once[i][0], once[i][1]);
		CHECK_EQ(kind_of(&p), ADDED);
		send_one(&p, once[i][0], once[i][1]);
		CHECK_EQ(kind_of(&p), INDEXED);
		CHECK_EQ(p.len, 1);
	}
	pair_fini(&p);
}

TEST(paths_and_values_of_unknown_names_are_added_when_they_come_again)
{
	struct pair p;
	REQUIRE(pair_init(&p, 4096));
	static const enum kind want[] = {PLAIN, ADDED, INDEXED, INDEXED};
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		send_one(&p, ":path", "/chat.Chat/Subscribe");
		CHECK_EQ(kind_of(&p), want[i]);
	}
	send_one(&p, "x-own", "0"); /* for its name */
	CHECK_EQ(kind_of(&p), ADDED);
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		send_one(&p, "x-own", "1");
		CHECK_EQ(kind_of(&p), want[i]);
	}
	for (int i = 0; i < 4; i++) { /* but never a query */
		send_one(&p, ":path", "/search?q=1");
		CHECK_EQ(kind_of(&p), PLAIN);
	}
	pair_fini(&p);
}

TEST(values_of_high_cardinality_do_not_fill_the_table)
{
	struct pair p;
	REQUIRE(pair_init(&p, 4096));
	static const char *const names[] = {"x-request-id", "traceparent", "grpc-timeout",
		"content-length", "date", "x-unheard-of"};
	uint32_t used = 0;
	for (int round = 0; round < 300; round++) {
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
			char value[32];
			snprintf(value, sizeof(value), "%d-%zu", round, i);
			send_one(&p, names[i], value);
		}
		if (round == 0) /* each name without a static index is there once */
			used = hpack_decoder_table_bytes(p.d);
	}
	CHECK_EQ(hpack_decoder_table_bytes(p.d), used);
	CHECK(p.len < 12); /* so its name need not be spelt again */
	pair_fini(&p);
}

TEST(no_value_of_a_name_that_varies_is_sent_by_index)
{
	struct pair p;
	REQUIRE(pair_init(&p, 4096));
	static const char *const names[] = {"grpc-message", "grpc-timeout", "x-request-id"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (i) /* whether its name is there already or not */
			send_one(&p, names[i], "1");
		send_one(&p, names[i], "");
		CHECK_EQ(kind_of(&p), ADDED);
		send_one(&p, names[i], "2");
		CHECK_EQ(kind_of(&p), PLAIN);
		send_one(&p, names[i], "");
		CHECK_EQ(kind_of(&p), INDEXED);
		CHECK_EQ(p.len, 1);
	}
	/* as a relay sends it: with what the decoder knows of it */
	static const char *const blocks[] = {"40 0c 677270632d6d657373616765 00", "be", "be"};
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
		uint8_t block[64];
		struct fields *f = fields_create();
		REQUIRE(f && !hpack_decode(d, block, unhex(blocks[i], block), 4096, f, NULL));
		CHECK(fields_list(f)[0].hash == hpack_hash(fields_list(f)));
		send_fields(&p, f);
		CHECK_EQ(kind_of(&p), INDEXED);
		fields_destroy(f);
	}
	hpack_decoder_destroy(d);
	pair_fini(&p);
}

TEST(rfc7541_7_1_3_secrets_are_never_indexed)
{
	struct pair p;
	REQUIRE(pair_init(&p, 4096));
	static const char *const secret[][2] = {{"authorization", "Bearer abc"},
		{"authorization", ""}, {"proxy-authorization", "x"}, {"set-cookie", "a=b"},
		{"cookie", "short=1"}};
	for (size_t i = 0; i < sizeof(secret) / sizeof(*secret); i++) {
		for (int again = 0; again < 3; again++) {
			struct fields *f = fields_create();
			REQUIRE(f && !fields_add(f, secret[i][0], strlen(secret[i][0]),
					     secret[i][1], strlen(secret[i][1])));
			size_t len = hpack_encode(p.e, f, p.block);
			CHECK_EQ(kind_of(&p), NEVER);
			fields_destroy(f);
			f = fields_create();
			bool overflow;
			REQUIRE(f);
			CHECK_EQ(hpack_decode(p.d, p.block, len, 4096, f, &overflow), 0);
			CHECK(f->count == 1 && fields_list(f)[0].flags == FIELD_NEVER_INDEX);
			fields_destroy(f);
		}
	}
	CHECK_EQ(hpack_decoder_table_bytes(p.d), 0);
	pair_fini(&p);
}

TEST(rfc7541_6_2_3_what_came_never_indexed_leaves_so_even_when_tables_have_it)
{
	struct pair p;
	REQUIRE(pair_init(&p, 4096));
	static const char *const known[][2] = {{":method", "GET"}, {"te", "trailers"}};
	for (size_t i = 0; i < 2; i++) {
		send_one(&p, known[i][0], known[i][1]);
		struct fields *f = fields_create(), *relayed = fields_create();
		REQUIRE(f && relayed &&
			!fields_add(f, known[i][0], strlen(known[i][0]), known[i][1],
				strlen(known[i][1])));
		fields_own(f)[0].flags = FIELD_NEVER_INDEX;
		send_fields(&p, f);
		CHECK_EQ(kind_of(&p), NEVER);
		/* and with the hash of a table entry */
		size_t n = unhex("82", p.block);
		struct hpack_decoder *d = hpack_decoder_create(4096);
		REQUIRE(d && !hpack_decode(d, p.block, n, 4096, relayed, NULL));
		fields_own(relayed)[0].flags = FIELD_NEVER_INDEX;
		send_fields(&p, relayed);
		CHECK_EQ(kind_of(&p), NEVER);
		hpack_decoder_destroy(d);
		fields_destroy(f);
		fields_destroy(relayed);
	}
	pair_fini(&p);
}

TEST(long_cookies_may_be_indexed_and_long_values_are_not)
{
	struct pair p;
	char value[2000];
	REQUIRE(pair_init(&p, 4096));
	for (int i = 0; i < 3; i++)
		send_one(&p, "cookie", "session=0123456789abcdef");
	CHECK_EQ(kind_of(&p), INDEXED);
	memset(value, 'v', sizeof(value));
	value[1025] = '\0'; /* more than a quarter of the table */
	for (int i = 0; i < 3; i++) {
		send_one(&p, "user-agent", value);
		CHECK_EQ(kind_of(&p), PLAIN);
	}
	value[1024] = '\0';
	send_one(&p, "user-agent", value);
	CHECK_EQ(kind_of(&p), ADDED);
	pair_fini(&p);
}

TEST(rfc7541_4_2_a_smaller_cap_of_our_own_is_signalled_in_the_first_block)
{
	struct pair p;
	REQUIRE(pair_init(&p, 100));
	send_one(&p, ":method", "GET");
	check_block(&p, "3f45 82");
	send_one(&p, ":method", "GET");
	check_block(&p, "82");
	pair_fini(&p);
}

TEST(rfc7541_4_2_the_peers_new_limit_begins_the_next_block)
{
	static const struct {
		uint32_t limits[4]; /* in turn, ended by 1 */
		const char *hex;
	} cases[] = {{{100, 1}, "3f45 82"}, {{100, 200, 1}, "3f45 3fa901 82"},
		{{0, 4096, 1}, "20 3fe11f 82"}, {{5000, 4096, 1}, "82"}, {{65536, 1}, "82"},
		{{200, 100, 1}, "3f45 82"}, {{4096, 1}, "82"}, {{0, 1}, "20 82"},
		{{0, 100, 4096, 1}, "20 3fe11f 82"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pair p;
		REQUIRE(pair_init(&p, 4096));
		send_one(&p, "te", "trailers");
		for (const uint32_t *limit = cases[i].limits; *limit != 1; limit++) {
			hpack_encoder_set_limit(p.e, *limit);
			hpack_decoder_set_limit(p.d, *limit); /* which insists on the update */
		}
		send_one(&p, ":method", "GET");
		check_block(&p, cases[i].hex);
		send_one(&p, ":method", "GET");
		check_block(&p, "82");
		for (int again = 0; again < 3; again++)
			send_one(&p, "te", "trailers"); /* whatever was evicted, both agree */
		pair_fini(&p);
	}
}

TEST(a_table_of_no_bytes_is_never_used)
{
	struct pair p;
	REQUIRE(pair_init(&p, 0));
	for (int i = 0; i < 4; i++)
		send_one(&p, "te", "trailers");
	CHECK_EQ(kind_of(&p), PLAIN);
	CHECK_EQ(hpack_decoder_table_bytes(p.d), 0);
	pair_fini(&p);
}

TEST(rfc7541_5_2_huffman_is_used_where_it_is_shorter)
{
	struct pair p;
	char text[101], odd[101];
	REQUIRE(pair_init(&p, 4096));
	memset(text, 'e', 100);   /* five bits */
	memset(odd, '\x7f', 100); /* 28 bits */
	text[100] = odd[100] = '\0';
	send_one(&p, ":path", text);
	CHECK_EQ(p.len, 2 + 63);
	CHECK_EQ(p.block[1], 0x80 | 63);
	send_one(&p, ":path", odd);
	CHECK_EQ(p.len, 2 + 100);
	send_one(&p, "te", "trailers"); /* goes into the table: paid once */
	check_block(&p, "40 02 7465 86 4d833505b11f");
	send_one(&p, "content-length", "123456"); /* sent each time: raw */
	check_block(&p, "0f0d 06 313233343536");
	pair_fini(&p);
}

/* Fields with hashes that say nothing true: found or not, what arrives is what was sent. */
TEST(a_wrong_hash_costs_bytes_but_never_changes_a_field)
{
	struct pair p;
	struct rand r;
	REQUIRE(pair_init(&p, 4096));
	rand_seed(&r, 5);
	for (int round = 0; round < 2000; round++) {
		struct fields *f = fields_create();
		REQUIRE(f);
		for (int i = 0; i < 6; i++) {
			char value[8];
			snprintf(value, sizeof(value), "%d", (int)rand_below(&r, 30));
			CHECK_EQ(fields_add_str(f, (enum token)rand_below(&r, TOKEN_ACCEPT), value),
				0);
			fields_own(f)[i].hash = rand_below(&r, 2)
							? (uint32_t)rand_below(&r, 62)
							: 0x80000000u + (uint32_t)rand_below(&r, 3);
		}
		send_fields(&p, f);
		fields_destroy(f);
	}
	pair_fini(&p);
}

TEST(without_memory_fields_go_out_as_literals_and_both_sides_agree)
{
	for (long nth = 1; nth < 12; nth++) {
		struct pair p;
		REQUIRE(pair_init(&p, 4096));
		for (int round = 0; round < 30; round++) {
			struct fields *f = fields_create();
			char name[16];
			snprintf(name, sizeof(name), "x-%d", round);
			REQUIRE(f &&
				!fields_add(
					f, name, strlen(name), "some value, not too short", 25) &&
				!fields_add_str(f, TOKEN_TE, "trailers"));
			size_t bound = hpack_encode_bound(f);
			REQUIRE(bound <= sizeof(p.block));
			mem_fail_after(round == 3 ? nth : round % 4 == 0 ? 1 : 0);
			p.len = hpack_encode(p.e, f, p.block);
			mem_fail_after(0);
			char want[256], got[256];
			list_text(f, want);
			CHECK_EQ(decode_bytes(p.d, p.block, p.len, got), 0);
			CHECK_STR(got, want);
			fields_destroy(f);
		}
		pair_fini(&p);
	}
	fields_cache_purge();
	long live = mem_live_blocks();
	mem_fail_after(1);
	CHECK(!hpack_encoder_create(4096));
	mem_fail_after(1);
	CHECK(!hpack_decoder_create(4096));
	mem_fail_after(0);
	CHECK_EQ(mem_live_blocks(), live);
}

TEST(coding_allocates_nothing_in_the_steady_state)
{
	struct pair p;
	REQUIRE(pair_init(&p, 4096));
	for (int round = 0; round < 1000; round++) {
		struct fields *f = fields_create(), *got = fields_create();
		char id[40];
		REQUIRE(f && got);
		snprintf(id, sizeof(id), "%032d", round);
		REQUIRE(!fields_add_str(f, TOKEN_METHOD, "POST") &&
			!fields_add_str(f, TOKEN_TE, "trailers") &&
			!fields_add_str(f, TOKEN_PATH, "/chat.Chat/Subscribe") &&
			!fields_add_str(f, TOKEN_X_REQUEST_ID, id));
		if (round == 10)
			mem_fail_after(1); /* would show from here on */
		size_t len = hpack_encode(p.e, f, p.block);
		CHECK_EQ(hpack_decode(p.d, p.block, len, 4096, got, NULL), 0);
		fields_destroy(f);
		fields_destroy(got);
	}
	mem_fail_after(0);
	pair_fini(&p);
}

TAP_MAIN()
