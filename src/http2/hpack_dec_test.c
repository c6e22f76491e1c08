/* hpack_dec_test.c - what a decoder must accept and refuse, by section of RFC 7541. */
#include "http2/hpack_testing.h"

#define FIELD_A "400161 0131" /* adds "a: 1", 34 bytes of table */
#define FIELD_B "400162 0132"

static void check_refused(const char *hex)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	int err = decode_hex(d, hex, NULL);
	if (err != ERR_PROTOCOL)
		printf("# block %s\n", hex);
	CHECK_EQ(err, ERR_PROTOCOL);
	hpack_decoder_destroy(d);
}

/* Blocks for one decoder, which has to take each. */
static void check_taken(struct hpack_decoder *d, const char *hex, const char *list)
{
	char got[4096];
	CHECK_EQ(decode_hex(d, hex, got), 0);
	CHECK_STR(got, list);
}

TEST(rfc7541_2_3_2_newest_entry_has_the_lowest_index)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	check_taken(d, FIELD_A FIELD_B, "a: 1\nb: 2\n");
	check_taken(d, "be bf", "b: 2\na: 1\n");
	hpack_decoder_destroy(d);
}

TEST(rfc7541_2_3_2_duplicate_entries_are_not_an_error)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	check_taken(d, FIELD_A FIELD_A, "a: 1\na: 1\n");
	check_taken(d, "be bf", "a: 1\na: 1\n");
	CHECK_EQ(hpack_decoder_table_bytes(d), 68);
	hpack_decoder_destroy(d);
}

TEST(rfc7541_2_3_3_index_beyond_both_tables_is_an_error)
{
	check_refused("be");                 /* 62, table empty */
	check_refused(FIELD_A "bf");         /* 63, one entry */
	check_refused("7e0131");             /* as a name, with indexing */
	check_refused("0f2f0131");           /* without */
	check_refused("1f2f0131");           /* never indexed */
	check_refused("ffffffffff0f");       /* 2^32 - 1 + 127 does not even fit */
	check_refused("ff80ffffff0f");       /* 4294967167 */
	check_refused(FIELD_A "ff80808010"); /* far beyond */
}

TEST(rfc7541_6_1_index_zero_is_an_error)
{
	check_refused("80");
	check_refused(FIELD_A "80");
}

TEST(rfc7541_5_1_integers_beyond_32_bits_or_five_groups_are_refused)
{
	check_refused("ffffffffffff0f");
	check_refused("ff8080808010 00");    /* bit 32 */
	check_refused("ff808080808000");     /* six groups, all zero */
	check_refused("7fffffffffff7f");     /* in a name index */
	check_refused("00 7f8080808080 00"); /* in a string length */
	check_refused("3fffffffffff7f");     /* in a size update */
}

TEST(rfc7541_5_1_leading_zero_groups_within_the_limit_are_taken)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	/* index 2 can't be spelt so, but a length of 127 can be as long as five groups */
	uint8_t block[256] = {0x00, 0x01, 'n', 0x7f, 0x80, 0x80, 0x80, 0x80, 0x00};
	memset(block + 9, 'v', 127);
	char got[256];
	CHECK_EQ(decode_bytes(d, block, 9 + 127, got), 0);
	CHECK_EQ(strlen(got), 3 + 127 + 1);
	hpack_decoder_destroy(d);
}

TEST(rfc7541_5_2_string_longer_than_the_block_is_an_error)
{
	check_refused("0001");
	check_refused("000161");
	check_refused("00016102 31");
	check_refused("0005 6162");
	check_refused("00ff");
	check_refused("0001617fffffffff0f");
}

TEST(rfc7541_5_2_huffman_eos_and_bad_padding_are_errors)
{
	check_refused("000161 84ffffffff");   /* EOS */
	check_refused("000161 85fffffffffc"); /* a symbol after EOS's prefix */
	check_refused("000161 82 1fff");      /* 'a' and more than 7 bits of ones */
	check_refused("000161 81 18");        /* 'a' padded with zeros */
	check_refused("000161 81 ff");        /* eight bits of padding */
	check_refused("00 81ff 0131");        /* in a name */
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	check_taken(d, "000161 81 1f", "a: a\n"); /* the same 'a', padded with ones */
	hpack_decoder_destroy(d);
}

TEST(rfc7541_4_2_size_update_up_to_the_limit_at_the_beginning)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	check_taken(d, "3fe11f 82", ":method: GET\n"); /* 4096 */
	check_taken(d, "20 3fe11f 20 82", ":method: GET\n");
	check_taken(d, "20", "");
	hpack_decoder_destroy(d);
}

TEST(rfc7541_4_2_size_update_after_a_field_is_an_error)
{
	check_refused("82 20");
	check_refused(FIELD_A "3fe11f");
	check_refused("000161 0131 20");
}

TEST(rfc7541_6_3_size_update_above_the_limit_is_an_error)
{
	check_refused("3fe21f"); /* 4097 */
	check_refused("20 3fe21f");
}

TEST(rfc7541_4_2_a_shrunken_limit_must_be_acknowledged_by_the_next_block)
{
	static const struct {
		const char *hex;
		int err;
	} cases[] = {{"82", ERR_PROTOCOL}, {"", ERR_PROTOCOL}, {"3fe21f82", ERR_PROTOCOL},
		{"3f45 82", ERR_PROTOCOL}, /* 100 */ {"3f44 82", 0}, /* 99 */ {"20 82", 0},
		{"20 3f44 82", 0}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct hpack_decoder *d = hpack_decoder_create(4096);
		REQUIRE(d);
		hpack_decoder_set_limit(d, 99);
		CHECK_EQ(decode_hex(d, cases[i].hex, NULL), cases[i].err);
		if (!cases[i].err)
			check_taken(d, "82", ":method: GET\n"); /* once is enough */
		hpack_decoder_destroy(d);
	}
}

TEST(rfc7541_4_2_the_smallest_of_several_limits_must_be_signalled_first)
{
	static const struct {
		const char *hex;
		int err;
	} cases[] = {{"82", ERR_PROTOCOL}, {"3fe11f82", ERR_PROTOCOL}, {"3f2b82", ERR_PROTOCOL},
		{"3f2a 82", 0}, {"3f2a 3fe11f 82", 0}, {"20 3fe11f 82", 0}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct hpack_decoder *d = hpack_decoder_create(4096);
		REQUIRE(d);
		hpack_decoder_set_limit(d, 73);
		hpack_decoder_set_limit(d, 4096);
		CHECK_EQ(decode_hex(d, cases[i].hex, NULL), cases[i].err);
		hpack_decoder_destroy(d);
	}
}

TEST(rfc7541_4_2_a_raised_limit_needs_no_update_and_changes_nothing_by_itself)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	hpack_decoder_set_limit(d, 65536);
	check_taken(d, "82", ":method: GET\n");
	check_taken(d, "3fe1ff03 82", ":method: GET\n"); /* 65536 */
	CHECK_EQ(decode_hex(d, "3fe2ff03", NULL), ERR_PROTOCOL);
	hpack_decoder_destroy(d);
}

TEST(rfc7541_4_3_shrinking_evicts_the_oldest)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	check_taken(d, FIELD_A FIELD_B, "a: 1\nb: 2\n");
	check_taken(d, "3f24 be", "b: 2\n"); /* 67: one of 34 bytes stays */
	CHECK_EQ(hpack_decoder_table_bytes(d), 34);
	check_taken(d, "20 3fe11f", "");
	CHECK_EQ(hpack_decoder_table_bytes(d), 0);
	CHECK_EQ(decode_hex(d, "be", NULL), ERR_PROTOCOL);
	hpack_decoder_destroy(d);
}

TEST(rfc7541_4_4_adding_evicts_the_oldest_until_it_fits)
{
	struct hpack_decoder *d = hpack_decoder_create(70);
	REQUIRE(d);
	check_taken(d, FIELD_A FIELD_B, "a: 1\nb: 2\n");
	CHECK_EQ(hpack_decoder_table_bytes(d), 68);
	check_taken(d, "400163 0133 be bf", "c: 3\nc: 3\nb: 2\n");
	CHECK_EQ(hpack_decoder_table_bytes(d), 68);
	CHECK_EQ(decode_hex(d, "c0", NULL), ERR_PROTOCOL);
	hpack_decoder_destroy(d);
}

TEST(rfc7541_4_4_an_entry_larger_than_the_table_empties_it_and_is_no_error)
{
	struct hpack_decoder *d = hpack_decoder_create(40);
	REQUIRE(d);
	check_taken(d, FIELD_A, "a: 1\n");
	check_taken(d, "400161 08 3132333435363738", "a: 12345678\n"); /* 41 bytes */
	CHECK_EQ(hpack_decoder_table_bytes(d), 0);
	check_taken(d, "400161 07 31323334353637", "a: 1234567\n"); /* 40 fit */
	CHECK_EQ(hpack_decoder_table_bytes(d), 40);
	hpack_decoder_destroy(d);
}

/* 4.4: "the referenced name may be in an entry that is evicted": for every size of value, and so
 * for every position of the window in its buffer. */
TEST(rfc7541_4_4_a_name_may_come_from_the_entry_that_has_to_go)
{
	for (unsigned value_len = 1; value_len < 100; value_len++) {
		struct hpack_decoder *d = hpack_decoder_create(4 + 100 + 32);
		REQUIRE(d);
		check_taken(d, "40 046e616d65 0131", "name: 1\n");
		for (int round = 0; round < 20; round++) {
			uint8_t block[128] = {0x7e, (uint8_t)value_len};
			char got[256], want[256];
			memset(block + 2, 'a' + round, value_len);
			sprintf(want, "name: %.*s\n", (int)value_len, (const char *)block + 2);
			CHECK_EQ(decode_bytes(d, block, 2 + value_len, got), 0);
			CHECK_STR(got, want);
			check_taken(d, "be", want);
		}
		hpack_decoder_destroy(d);
	}
}

TEST(rfc7541_4_1_table_bytes_are_name_value_and_32)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	check_taken(d, "4002 6162 00", "ab: \n"); /* an empty value */
	CHECK_EQ(hpack_decoder_table_bytes(d), 34);
	check_taken(d, "44 03 2f6162", ":path: /ab\n"); /* a known name counts too */
	CHECK_EQ(hpack_decoder_table_bytes(d), 34 + 32 + 5 + 3);
	/* the literal's own lengths count, not those of its Huffman form */
	check_taken(d, "44 82 60ff", ":path: /o\n");
	CHECK_EQ(hpack_decoder_table_bytes(d), 34 + 40 + 32 + 5 + 2);
	hpack_decoder_destroy(d);
}

TEST(rfc7541_6_2_1_only_literals_with_indexing_enter_the_table)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	check_taken(d, "000161 0131 100162 0132 04 022f78 14 022f79",
		"a: 1\nb: 2!\n:path: /x\n:path: /y!\n");
	CHECK_EQ(hpack_decoder_table_bytes(d), 0);
	check_taken(d, FIELD_A, "a: 1\n");
	CHECK_EQ(hpack_decoder_table_bytes(d), 34);
	hpack_decoder_destroy(d);
}

TEST(rfc7541_6_2_3_never_indexed_is_kept_on_the_field)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	check_taken(d, "1f08 0178", "authorization: x!\n"); /* 15 + 8 = 23 */
	check_taken(d, "0f08 0178", "authorization: x\n");
	hpack_decoder_destroy(d);
}

TEST(empty_names_and_values_are_decoded)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	check_taken(d, "400000", ": \n");
	check_taken(d, "be", ": \n");
	check_taken(d, "408080", ": \n"); /* Huffman, of nothing */
	check_taken(d, "4400 be", ":path: \n:path: \n");
	hpack_decoder_destroy(d);
}

TEST(fields_carry_tokens_and_outlive_their_entries)
{
	struct hpack_decoder *d = hpack_decoder_create(64);
	struct fields *f = fields_create();
	bool overflow;
	uint8_t block[64];
	REQUIRE(d && f);
	size_t n = unhex("4002 7465 08 747261696c657273 be", block); /* te: trailers, twice */
	CHECK_EQ(hpack_decode(d, block, n, 4096, f, &overflow), 0);
	n = unhex("40 0161 10 30313233343536373839303132333435 be", block); /* evicts it */
	CHECK_EQ(hpack_decode(d, block, n, 4096, f, &overflow), 0);
	CHECK_EQ(decode_hex(d, "20", NULL), 0);
	hpack_decoder_destroy(d);
	memset(block, 0, sizeof(block));
	REQUIRE(f->count == 4);
	CHECK_EQ(fields_list(f)[0].token, TOKEN_TE);
	CHECK_EQ(fields_list(f)[1].token, TOKEN_TE);
	CHECK(fields_list(f)[1].hash != 0);
	CHECK(field_is(&fields_list(f)[1], "trailers"));
	CHECK_EQ(fields_list(f)[3].token, TOKEN_OTHER);
	CHECK(field_is(&fields_list(f)[3], "0123456789012345"));
	CHECK_MEM(fields_list(f)[3].name, fields_list(f)[3].name_len, "a", 1);
	fields_destroy(f);
}

TEST(a_list_above_the_limit_overflows_and_keeps_the_table_in_step)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	struct fields *f = fields_create();
	bool overflow = false;
	uint8_t block[64];
	REQUIRE(d && f);
	size_t n = unhex("82" FIELD_A FIELD_B "82", block);
	/* :method GET is 42, a: 1 is 34: exactly full; then nothing more is stored */
	CHECK_EQ(hpack_decode(d, block, n, 76, f, &overflow), 0);
	CHECK(overflow);
	CHECK_EQ(f->count, 2);
	CHECK_EQ(f->list_bytes, 76);
	fields_destroy(f);
	check_taken(d, "be bf", "b: 2\na: 1\n");
	hpack_decoder_destroy(d);
}

TEST(a_block_for_nobody_keeps_the_table_in_step)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	bool overflow = true;
	uint8_t block[64];
	REQUIRE(d);
	size_t n = unhex("82" FIELD_A "be 44 03 2f6162" FIELD_B "000161 0131", block);
	CHECK_EQ(hpack_decode(d, block, n, 4096, NULL, &overflow), 0);
	CHECK(!overflow);
	check_taken(d, "be bf c0", "b: 2\n:path: /ab\na: 1\n");
	CHECK_EQ(hpack_decode(d, (const uint8_t *)"\x80", 1, 4096, NULL, NULL), ERR_PROTOCOL);
	hpack_decoder_destroy(d);
}

/* Every prefix of a block ends either between two fields or in an error. */
TEST(truncated_blocks_are_refused_or_end_between_fields)
{
	uint8_t block[256];
	size_t n = unhex("3fe11f 82 8684 418cf1e3c2e5f23a6ba0ab90f4ff 400a637573746f6d2d6b6579"
			 "0c637573746f6d2d76616c7565 be 0f080178 7f00 0131",
		block);
	unsigned whole = 0;
	for (size_t len = 0; len <= n; len++) {
		struct hpack_decoder *d = hpack_decoder_create(4096);
		REQUIRE(d);
		int err = decode_bytes(d, block, len, NULL);
		CHECK(err == 0 || err == ERR_PROTOCOL);
		whole += err == 0;
		hpack_decoder_destroy(d);
	}
	/* nothing, the update, three indexed, two literals, indexed, never-indexed, literal */
	CHECK_EQ(whole, 10);
}

TEST(every_failed_allocation_of_a_decoder_is_reported_and_leaks_nothing)
{
	uint8_t block[1024];
	size_t n = unhex(
		FIELD_A "400a637573746f6d2d6b6579 0c637573746f6d2d76616c7565 be bf 82", block);
	for (int i = 0; i < 40; i++) /* many entries and many fields: every growth */
		n += unhex("400263640365666f", block + n);
	fields_cache_purge();
	long live = mem_live_blocks(), nth = 0;
	for (int err = ERR_NOMEM; err;) {
		mem_fail_after(++nth);
		struct hpack_decoder *d = hpack_decoder_create(4096);
		struct fields *f = d ? fields_create() : NULL;
		err = f ? hpack_decode(d, block, n, 65536, f, NULL) : ERR_NOMEM;
		if (!err)
			err = hpack_decode(d, block, n, 65536, NULL, NULL);
		mem_fail_after(0);
		CHECK(err == 0 || err == ERR_NOMEM);
		fields_destroy(f);
		hpack_decoder_destroy(d);
		fields_cache_purge();
		CHECK_EQ(mem_live_blocks(), live);
	}
	CHECK(nth > 6);
}

TAP_MAIN()
