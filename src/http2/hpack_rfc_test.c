/* hpack_rfc_test.c - the examples of RFC 7541 appendix C. */
#include "http2/hpack_testing.h"

struct example {
	const char *block; /* hex */
	const char *list;  /* "name: value\n" ... */
	uint32_t table_bytes;
};

/* Decodes one block after another with one decoder. */
static void check_examples(const struct example *examples, size_t n, uint32_t limit)
{
	struct hpack_decoder *d = hpack_decoder_create(limit);
	REQUIRE(d);
	for (size_t i = 0; i < n; i++) {
		char got[2048];
		CHECK_EQ(decode_hex(d, examples[i].block, got), 0);
		CHECK_STR(got, examples[i].list);
		CHECK_EQ(hpack_decoder_table_bytes(d), examples[i].table_bytes);
	}
	hpack_decoder_destroy(d);
}
#define CHECK_EXAMPLES(e, limit) check_examples(e, sizeof(e) / sizeof(*(e)), limit)

static void check_int(uint32_t value, unsigned bits, const char *hex)
{
	uint8_t want[16], out[HPACK_INT_MAX_BYTES];
	size_t n = unhex(hex, want);
	CHECK_MEM(out, hpack_int_write(out, 0, bits, value) - out, want, n);
	const uint8_t *at = want;
	uint32_t got = 0;
	CHECK_EQ(hpack_int_decode(&at, want + n, bits, &got), 0);
	CHECK_EQ(got, value);
	CHECK_EQ(at - want, n);
}

TEST(rfc7541_c1_integers)
{
	check_int(10, 5, "0a");
	check_int(1337, 5, "1f9a0a");
	check_int(42, 8, "2a");
}

TEST(rfc7541_c2_1_literal_with_indexing)
{
	static const struct example e[] = {
		{"400a637573746f6d2d6b65790d637573746f6d2d686561646572",
			"custom-key: custom-header\n", 55},
	};
	CHECK_EXAMPLES(e, 4096);
}

TEST(rfc7541_c2_2_literal_without_indexing)
{
	static const struct example e[] = {
		{"040c2f73616d706c652f70617468", ":path: /sample/path\n", 0}};
	CHECK_EXAMPLES(e, 4096);
}

TEST(rfc7541_c2_3_literal_never_indexed)
{
	static const struct example e[] = {
		{"100870617373776f726406736563726574", "password: secret!\n", 0}};
	CHECK_EXAMPLES(e, 4096);
}

TEST(rfc7541_c2_4_indexed_field)
{
	static const struct example e[] = {{"82", ":method: GET\n", 0}};
	CHECK_EXAMPLES(e, 4096);
}

#define REQUEST_1 ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n"
#define REQUEST_2 REQUEST_1 "cache-control: no-cache\n"
#define REQUEST_3                                                                                  \
	":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\n"          \
	"custom-key: custom-value\n"

TEST(rfc7541_c3_requests_without_huffman)
{
	static const struct example e[] = {
		{"828684410f7777772e6578616d706c652e636f6d", REQUEST_1, 57},
		{"828684be58086e6f2d6361636865", REQUEST_2, 110},
		{"828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", REQUEST_3, 164},
	};
	CHECK_EXAMPLES(e, 4096);
}

TEST(rfc7541_c4_requests_with_huffman)
{
	static const struct example e[] = {
		{"828684418cf1e3c2e5f23a6ba0ab90f4ff", REQUEST_1, 57},
		{"828684be5886a8eb10649cbf", REQUEST_2, 110},
		{"828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", REQUEST_3, 164},
	};
	CHECK_EXAMPLES(e, 4096);
}

#define DATE_1        "date: Mon, 21 Oct 2013 20:13:21 GMT\n"
#define RESPONSE_REST "location: https://www.example.com\n"
#define RESPONSE_1    ":status: 302\ncache-control: private\n" DATE_1 RESPONSE_REST
#define RESPONSE_2    ":status: 307\ncache-control: private\n" DATE_1 RESPONSE_REST
#define RESPONSE_3                                                                                 \
	":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 "                   \
	"GMT\n" RESPONSE_REST "content-encoding: gzip\n"                                           \
	"set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n"

/* The examples use a table of 256 bytes: entries are evicted on the way. */
TEST(rfc7541_c5_responses_without_huffman_evict)
{
	static const struct example e[] = {
		{"4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323"
		 "120474d"
		 "546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
			RESPONSE_1, 222},
		{"4803333037c1c0bf", RESPONSE_2, 222},
		{"88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707"
		 "738666f"
		 "6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333"
		 "630303b"
		 "2076657273696f6e3d31",
			RESPONSE_3, 215},
	};
	CHECK_EXAMPLES(e, 256);
}

TEST(rfc7541_c6_responses_with_huffman_evict)
{
	static const struct example e[] = {
		{"488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad1"
		 "7186"
		 "3c78f0b97c8e9ae82ae43d3",
			RESPONSE_1, 222},
		{"4883640effc1c0bf", RESPONSE_2, 222},
		{"88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e"
		 "6c7b3"
		 "35dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
			RESPONSE_3, 215},
	};
	CHECK_EXAMPLES(e, 256);
}

TEST(rfc7541_appendix_a_static_table_by_index)
{
	struct hpack_decoder *d = hpack_decoder_create(4096);
	REQUIRE(d);
	static const char *const some[][2] = {{"81", ":authority: \n"}, {"83", ":method: POST\n"},
		{"85", ":path: /index.html\n"}, {"87", ":scheme: https\n"},
		{"8e", ":status: 500\n"}, {"90", "accept-encoding: gzip, deflate\n"},
		{"af", "max-forwards: \n"}, {"b7", "set-cookie: \n"},
		{"bd", "www-authenticate: \n"}};
	for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++) {
		char got[256];
		CHECK_EQ(decode_hex(d, some[i][0], got), 0);
		CHECK_STR(got, some[i][1]);
	}
	hpack_decoder_destroy(d);
}

TAP_MAIN()
