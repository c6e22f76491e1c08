/* check_test.c - header sections, judged one rule at a time. */
#include "http2/check.h"
#include <string.h>
#include "base/mem.h"
#include "http/run.h"
#include "tap.h"

static struct fields *section(const char *const *pairs)
{
	struct fields *f = fields_create();
	for (int i = 0; f && pairs[i]; i += 2)
		if (fields_add(f, pairs[i], strlen(pairs[i]), pairs[i + 1], strlen(pairs[i + 1])))
			abort();
	return f;
}
#define SECTION(...) section((const char *const[]){__VA_ARGS__, NULL})
#define GET          ":method", "GET", ":scheme", "https", ":path", "/", ":authority", "a.example"

static struct h2_facts facts;

enum kind { REQUEST, EXTENDED, RESPONSE, TRAILERS };

static enum h2_fault check(const struct fields *f, enum kind kind, struct h2_facts *out)
{
	switch (kind) {
	case REQUEST:
	case EXTENDED:
		return h2_check_request(f, kind == EXTENDED, out);
	case RESPONSE:
		return h2_check_response(f, out);
	case TRAILERS:
		return h2_check_trailers(f);
	}
	abort();
}

/* The same section, whose first `n` fields are a run. */
static struct fields *with_run(const struct fields *f, uint32_t n)
{
	struct fields *out = fields_create();
	struct fields_run *run = run_intern(fields_list(f), n);
	if (!out || !run)
		abort();
	fields_begin(out, run);
	for (uint32_t i = n; i < f->count; i++)
		if (fields_add_raw(out, fields_list(f)[i]))
			abort();
	return out;
}

/* Wherever a run ends, and whether it was judged before or not, the verdict is the same. */
static void check_with_runs(
	const struct fields *f, enum kind kind, enum h2_fault want, const struct h2_facts *told)
{
	for (uint32_t n = 1; n <= f->count && n <= RUN_FIELDS; n++) {
		for (int again = 0; again < 2; again++) {
			struct h2_facts got = {0};
			struct fields *same = with_run(f, n);
			CHECK_EQ(check(same, kind, &got), want);
			if (want == H2_FAULT_COUNT && kind != TRAILERS) {
				CHECK_EQ(got.content_length, told->content_length);
				CHECK_EQ(got.status, told->status);
				CHECK(got.head == told->head && got.connect == told->connect);
				CHECK(!got.no_cookie || !fields_has(f, TOKEN_COOKIE));
			}
			fields_destroy(same);
		}
	}
}

static enum h2_fault judged(struct fields *f, enum kind kind)
{
	enum h2_fault fault = check(f, kind, &facts);
	struct h2_facts told = facts;
	check_with_runs(f, kind, fault, &told);
	fields_destroy(f);
	return fault;
}

static enum h2_fault request(struct fields *f, bool extended)
{
	return judged(f, extended ? EXTENDED : REQUEST);
}

static enum h2_fault response(struct fields *f)
{
	return judged(f, RESPONSE);
}

static enum h2_fault trailers(struct fields *f)
{
	return judged(f, TRAILERS);
}

#define REQ(want, ...) CHECK_EQ(request(SECTION(__VA_ARGS__), false), want)

TEST(a_run_that_is_known_to_be_good_takes_a_bad_field_behind_it_to_court)
{
	struct fields *good = SECTION(GET, "te", "trailers");
	struct h2_facts told;
	struct fields *f = with_run(good, good->count);
	CHECK_EQ(h2_check_request(f, false, &told), H2_FAULT_COUNT);
	CHECK(told.no_cookie);
	CHECK_EQ(fields_add(f, "x-bad", 5, "a\nb", 3), 0);
	CHECK_EQ(h2_check_request(f, false, &told), H2_FAULT_FIELD_VALUE);
	fields_destroy(f);
	f = with_run(good, good->count);
	CHECK_EQ(fields_add(f, "cookie", 6, "a=b", 3), 0);
	CHECK_EQ(h2_check_request(f, false, &told), H2_FAULT_COUNT);
	CHECK(!told.no_cookie);
	fields_destroy(f);
	fields_destroy(good);
}

TEST(a_plain_request_is_well_formed)
{
	REQ(H2_FAULT_COUNT, GET);
	CHECK(!facts.head && !facts.connect && facts.content_length == -1);
	REQ(H2_FAULT_COUNT, GET, "te", "trailers", "x-a", "", "content-length", "12");
	CHECK_EQ(facts.content_length, 12);
	REQ(H2_FAULT_COUNT, ":method", "HEAD", ":scheme", "http", ":path", "/x?y=%20");
	CHECK(facts.head);
	REQ(H2_FAULT_COUNT, ":method", "OPTIONS", ":scheme", "http", ":path", "*");
	REQ(H2_FAULT_COUNT, ":method", "GET", ":scheme", "urn", ":path", "anything");
}

TEST(pseudo_headers_come_first_once_and_all)
{
	REQ(H2_FAULT_PSEUDO_MISSING, ":scheme", "https", ":path", "/");
	REQ(H2_FAULT_PSEUDO_MISSING, ":method", "GET", ":path", "/");
	REQ(H2_FAULT_PSEUDO_MISSING, ":method", "GET", ":scheme", "https");
	REQ(H2_FAULT_PSEUDO_TWICE, GET, ":path", "/");
	REQ(H2_FAULT_PSEUDO_ORDER, "x-a", "b", GET);
	REQ(H2_FAULT_PSEUDO_UNKNOWN, GET, ":status", "200");
	REQ(H2_FAULT_PSEUDO_UNKNOWN, GET, ":nonsense", "1");
	REQ(H2_FAULT_PSEUDO_UNKNOWN, GET, ":", "1");
	REQ(H2_FAULT_PSEUDO_UNKNOWN, GET, ":protocol", "websocket");
}

TEST(pseudo_header_values_are_judged)
{
	REQ(H2_FAULT_PSEUDO_VALUE, ":method", "", ":scheme", "https", ":path", "/");
	REQ(H2_FAULT_PSEUDO_VALUE, ":method", "GE T", ":scheme", "https", ":path", "/");
	REQ(H2_FAULT_PSEUDO_VALUE, ":method", "GET", ":scheme", "https", ":path", "");
	REQ(H2_FAULT_PSEUDO_VALUE, ":method", "GET", ":scheme", "HTTP", ":path", "x");
	REQ(H2_FAULT_PSEUDO_VALUE, ":method", "GET", ":scheme", "http", ":path", "*");
	REQ(H2_FAULT_PSEUDO_VALUE, ":method", "GET", ":scheme", "http", ":path", "/a b");
	REQ(H2_FAULT_PSEUDO_VALUE, ":method", "GET", ":scheme", "http", ":path", "/a\x7f");
	REQ(H2_FAULT_PSEUDO_VALUE, ":method", "GET", ":scheme", "", ":path", "/");
	REQ(H2_FAULT_PSEUDO_VALUE, ":method", "GET", ":scheme", "1x", ":path", "/");
	REQ(H2_FAULT_PSEUDO_VALUE, ":method", "GET", ":scheme", "http", ":path", "/", ":authority",
		"user@host");
	REQ(H2_FAULT_PSEUDO_VALUE, ":method", "GET", ":scheme", "http", ":path", "/", ":authority",
		"host/path");
	REQ(H2_FAULT_PSEUDO_VALUE, ":method", "GET", ":scheme", "http", ":path", "/", ":authority",
		"ho st");
}

TEST(every_byte_is_judged_in_field_names)
{
	for (int ch = 1; ch < 256; ch++) {
		char name[3] = {'x', (char)ch, 0};
		bool ok = (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') ||
			  strchr("!#$%&'*+-.^_`|~", ch);
		REQ(ok ? H2_FAULT_COUNT : H2_FAULT_FIELD_NAME, GET, name, "v");
	}
	REQ(H2_FAULT_FIELD_NAME, GET, "", "v");
}

TEST(every_byte_is_judged_at_every_place_in_field_values)
{
	for (unsigned len = 1; len <= 20; len++) {
		for (unsigned at = 0; at < len; at++) {
			for (unsigned ch = 0; ch < 256; ch++) {
				char value[20];
				memset(value, 'v', sizeof(value));
				value[at] = (char)ch;
				bool edge = at == 0 || at == len - 1;
				bool bad = ch == 0 || ch == '\r' || ch == '\n' ||
					   (edge && (ch == ' ' || ch == '\t'));
				struct fields *f = SECTION("x-a", "1");
				if (fields_add(f, "x-b", 3, value, len))
					abort();
				enum h2_fault got = trailers(f);
				if (got != (bad ? H2_FAULT_FIELD_VALUE : H2_FAULT_COUNT))
					printf("# length %u, byte %u at %u\n", len, ch, at);
				CHECK_EQ(got, bad ? H2_FAULT_FIELD_VALUE : H2_FAULT_COUNT);
			}
		}
	}
}

TEST(connection_specific_fields_are_malformed)
{
	REQ(H2_FAULT_CONNECTION_FIELD, GET, "connection", "close");
	REQ(H2_FAULT_CONNECTION_FIELD, GET, "keep-alive", "1");
	REQ(H2_FAULT_CONNECTION_FIELD, GET, "proxy-connection", "1");
	REQ(H2_FAULT_CONNECTION_FIELD, GET, "transfer-encoding", "chunked");
	REQ(H2_FAULT_CONNECTION_FIELD, GET, "upgrade", "h2c");
	REQ(H2_FAULT_TE, GET, "te", "gzip");
	REQ(H2_FAULT_TE, GET, "te", "trailers, deflate");
	REQ(H2_FAULT_TE, GET, "te", "");
}

TEST(host_agrees_with_authority)
{
	REQ(H2_FAULT_COUNT, GET, "host", "A.Example");
	REQ(H2_FAULT_HOST, GET, "host", "b.example");
	REQ(H2_FAULT_HOST, GET, "host", "a.example", "host", "a.example");
	REQ(H2_FAULT_COUNT, ":method", "GET", ":scheme", "http", ":path", "/", "host", "b");
}

TEST(content_length_is_one_number)
{
	REQ(H2_FAULT_CONTENT_LENGTH, GET, "content-length", "");
	REQ(H2_FAULT_CONTENT_LENGTH, GET, "content-length", "-1");
	REQ(H2_FAULT_CONTENT_LENGTH, GET, "content-length", "+1");
	REQ(H2_FAULT_CONTENT_LENGTH, GET, "content-length", "1,1");
	REQ(H2_FAULT_CONTENT_LENGTH, GET, "content-length", "0x10");
	REQ(H2_FAULT_CONTENT_LENGTH, GET, "content-length", "9999999999999999999");
	REQ(H2_FAULT_CONTENT_LENGTH, GET, "content-length", "1", "content-length", "1");
	REQ(H2_FAULT_COUNT, GET, "content-length", "999999999999999999");
	CHECK_EQ(facts.content_length, 999999999999999999);
}

TEST(connect_has_authority_and_nothing_else)
{
	REQ(H2_FAULT_COUNT, ":method", "CONNECT", ":authority", "a:443");
	CHECK(facts.connect);
	REQ(H2_FAULT_CONNECT_SHAPE, ":method", "CONNECT");
	REQ(H2_FAULT_CONNECT_SHAPE, ":method", "CONNECT", ":authority", "");
	REQ(H2_FAULT_CONNECT_SHAPE, ":method", "CONNECT", ":authority", "a", ":path", "/");
	REQ(H2_FAULT_CONNECT_SHAPE, ":method", "CONNECT", ":authority", "a", ":scheme", "http");
}

TEST(extended_connect_has_everything)
{
	CHECK_EQ(request(SECTION(":method", "CONNECT", ":protocol", "websocket", ":scheme", "https",
				 ":path", "/", ":authority", "a"),
			 true),
		H2_FAULT_COUNT);
	CHECK(facts.connect);
	CHECK_EQ(request(SECTION(":method", "CONNECT", ":protocol", "websocket", ":authority", "a"),
			 true),
		H2_FAULT_PSEUDO_MISSING);
	CHECK_EQ(request(SECTION(GET, ":protocol", "websocket"), true), H2_FAULT_CONNECT_SHAPE);
}

TEST(a_response_has_one_status_of_three_digits)
{
	CHECK_EQ(response(SECTION(":status", "200")), H2_FAULT_COUNT);
	CHECK_EQ(facts.status, 200);
	CHECK_EQ(response(SECTION(":status", "103")), H2_FAULT_COUNT);
	CHECK_EQ(response(SECTION("x-a", "b")), H2_FAULT_PSEUDO_MISSING);
	CHECK_EQ(response(SECTION(":status", "20")), H2_FAULT_PSEUDO_VALUE);
	CHECK_EQ(response(SECTION(":status", "2000")), H2_FAULT_PSEUDO_VALUE);
	CHECK_EQ(response(SECTION(":status", "2x0")), H2_FAULT_PSEUDO_VALUE);
	CHECK_EQ(response(SECTION(":status", "099")), H2_FAULT_PSEUDO_VALUE);
	CHECK_EQ(response(SECTION(":status", "101")), H2_FAULT_STATUS);
	CHECK_EQ(response(SECTION(":status", "200", ":status", "200")), H2_FAULT_PSEUDO_TWICE);
	CHECK_EQ(response(SECTION(":status", "200", ":path", "/")), H2_FAULT_PSEUDO_UNKNOWN);
}

TEST(trailers_have_no_pseudo_headers)
{
	CHECK_EQ(trailers(SECTION("grpc-status", "0")), H2_FAULT_COUNT);
	CHECK_EQ(trailers(SECTION(":status", "200")), H2_FAULT_PSEUDO_TRAILER);
	CHECK_EQ(trailers(SECTION("grpc-status", "0", ":path", "/")), H2_FAULT_PSEUDO_TRAILER);
	CHECK_EQ(trailers(SECTION("connection", "close")), H2_FAULT_CONNECTION_FIELD);
}

static void cookies(const char *const *pairs, const char *want, unsigned count)
{
	struct fields *f = section(pairs);
	CHECK_EQ(h2_join_cookies(f), 0);
	CHECK_EQ(f->count, count);
	const struct field *cookie = fields_get(f, TOKEN_COOKIE);
	REQUIRE(cookie != NULL);
	CHECK_MEM(cookie->value, cookie->value_len, want, strlen(want));
	uint32_t bytes = 0;
	for (uint32_t i = 0; i < f->count; i++)
		bytes += fields_list(f)[i].name_len + fields_list(f)[i].value_len + 32;
	CHECK_EQ(f->list_bytes, bytes);
	fields_destroy(f);
}

TEST(cookie_crumbs_are_joined_in_order_where_the_first_stood)
{
	cookies((const char *const[]){"cookie", "a=1", NULL}, "a=1", 1);
	cookies((const char *const[]){"x", "1", "cookie", "a=1", "y", "2", "cookie", "b=2",
			"cookie", "c", "z", "3", NULL},
		"a=1; b=2; c", 4);
	cookies((const char *const[]){"cookie", "", "cookie", "b", NULL}, "; b", 1);
}

TEST(joining_cookies_without_memory_is_an_error_and_changes_nothing)
{
	struct fields *f = fields_create();
	static char crumb[3000];
	memset(crumb, 'c', sizeof(crumb));
	CHECK_EQ(fields_add_token(f, TOKEN_COOKIE, crumb, sizeof(crumb)), 0);
	CHECK_EQ(fields_add_token(f, TOKEN_COOKIE, crumb, sizeof(crumb)), 0);
	mem_fail_after(1);
	int err = h2_join_cookies(f);
	mem_fail_after(0);
	CHECK_EQ(err, ERR_NOMEM);
	CHECK_EQ(f->count, 2);
	fields_destroy(f);
}

TAP_MAIN()
