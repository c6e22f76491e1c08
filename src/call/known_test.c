/* known_test.c - heads that come again: remembered, held, replaced, and where nothing is known. */
#include "call/known.h"
#include <stdio.h>
#include "base/mem.h"
#include "http/run.h"
#include "tap.h"

static struct call_generation generation;

/* A head whose first `n` fields are a run. */
static struct fields *head(const char *const *pairs, uint32_t n)
{
	struct fields *all = fields_create(), *f = fields_create();
	if (!all || !f)
		abort();
	for (int i = 0; pairs[i]; i += 2)
		if (fields_add(all, pairs[i], strlen(pairs[i]), pairs[i + 1], strlen(pairs[i + 1])))
			abort();
	struct fields_run *run = run_intern(fields_list(all), n);
	if (!run)
		abort();
	fields_begin(f, run);
	for (uint32_t i = n; i < all->count; i++) {
		const struct field *x = &fields_list(all)[i];
		if (fields_add(f, x->name, x->name_len, x->value, x->value_len))
			abort();
	}
	fields_destroy(all);
	return f;
}
#define HEAD(n, ...) head((const char *const[]){__VA_ARGS__, NULL}, n)
#define CHAT(method)                                                                               \
	":method", "POST", ":scheme", "http", ":path", "/a.Chat/" method, ":authority",            \
		"b.example", "content-type", "application/grpc"

static void begin(void)
{
	generation = (struct call_generation){0};
}

static void end(long live)
{
	known_fini(&generation);
	fields_cache_purge();
	CHECK_EQ(mem_live_blocks(), live);
}

TEST(a_head_that_comes_again_is_known)
{
	long live = mem_live_blocks();
	begin();
	struct fields *first = HEAD(5, CHAT("Say"), "grpc-timeout", "1S");
	struct fields *second = HEAD(5, CHAT("Say"), "grpc-timeout", "2S");
	struct call_known *k = known_find(&generation, first);
	REQUIRE(k);
	CHECK(known_find(&generation, second) == k);
	CHECK_STR(k->said.method, "POST");
	CHECK_STR(k->said.path, "/a.Chat/Say");
	CHECK_STR(k->said.authority, "b.example");
	CHECK_STR(k->said.grpc_service, "a.Chat");
	CHECK_STR(k->said.grpc_method, "Say");
	CHECK(k->is_grpc && !k->is_head && !k->routed);
	fields_destroy(first);
	fields_destroy(second);
	known_unref(k);
	known_unref(k);
	end(live);
}

TEST(a_call_keeps_its_known_head_when_others_take_its_place)
{
	long live = mem_live_blocks();
	begin();
	struct fields *f = HEAD(5, CHAT("Say"));
	struct call_known *k = known_find(&generation, f);
	REQUIRE(k);
	fields_destroy(f);
	for (unsigned i = 0; i < 20 * KNOWN_MAX; i++) {
		char path[32];
		snprintf(path, sizeof(path), "/a.Chat/Say%u", i);
		f = HEAD(4, ":method", "POST", ":scheme", "http", ":path", path, "content-type",
			"application/grpc");
		struct call_known *other = known_find(&generation, f);
		REQUIRE(other);
		CHECK_STR(other->said.path, path);
		CHECK_STR(other->said.authority, "");
		known_unref(other);
		fields_destroy(f);
	}
	CHECK_EQ(k->refs, 1);
	CHECK_STR(k->said.path, "/a.Chat/Say");
	known_unref(k);
	end(live);
}

TEST(a_head_whose_run_lacks_something_or_that_was_changed_is_not_known)
{
	long live = mem_live_blocks();
	begin();
	struct fields *f = HEAD(4, CHAT("Say")); /* the content-type is behind it */
	CHECK(!known_find(&generation, f));
	CHECK(!known_find(&generation, f));
	fields_destroy(f);
	f = HEAD(2, CHAT("Say")); /* and here the path too */
	CHECK(!known_find(&generation, f));
	fields_destroy(f);
	f = HEAD(5, CHAT("Say"));
	CHECK_EQ(fields_set(f, TOKEN_PATH, "/other", 6), 0);
	CHECK(!known_find(&generation, f));
	fields_destroy(f);
	known_unref(NULL);
	end(live);
}

/* By a known head at first, and when it remembers; and without one. */
TEST(the_wire_format_of_a_known_head_is_that_of_the_head)
{
	static const char *const types[] = {"application/grpc", "application/grpc+proto",
		"application/grpc;a=b", "application/grpc ", "Application/GRPC",
		"application/grpc-web", "application/grpc-web-text+x", "application/connect+json",
		"application/grpcx", "application/json", "text/html", "x"};
	long live = mem_live_blocks();
	begin();
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		for (int connect = 0; connect < 2; connect++) {
			struct fields *f = HEAD(5, ":method", "POST", ":scheme", "http", ":path",
				"/a.B/C", ":authority", "h", "content-type", types[i],
				"connect-protocol-version", connect ? "1" : "0");
			enum grpc_wire want = grpc_wire_of_request(f);
			struct call c = {
				.is_grpc = known_is_grpc(fields_get(f, TOKEN_CONTENT_TYPE))};
			CHECK_EQ(known_wire(&c, f), want);
			c.known = known_find(&generation, f);
			REQUIRE(c.known);
			CHECK_EQ(known_wire(&c, f), want);
			CHECK_EQ(known_wire(&c, f), want);
			c.is_grpc = false;
			CHECK_EQ(known_wire(&c, f), want);
			known_unref(c.known);
			fields_destroy(f);
		}
	}
	end(live);
}

TEST(a_path_of_another_shape_has_no_service)
{
	long live = mem_live_blocks();
	begin();
	struct fields *f = HEAD(4, ":method", "HEAD", ":scheme", "http", ":path", "/index.html",
		"content-type", "text/html");
	struct call_known *k = known_find(&generation, f);
	REQUIRE(k);
	CHECK_STR(k->said.grpc_service, "");
	CHECK_STR(k->said.grpc_method, "");
	CHECK(!k->is_grpc && k->is_head);
	known_unref(k);
	fields_destroy(f);
	end(live);
}

TEST(without_memory_nothing_is_known)
{
	long live = mem_live_blocks();
	begin();
	struct fields *f = HEAD(5, CHAT("Say"));
	mem_fail_after(1);
	CHECK(!known_find(&generation, f));
	mem_fail_after(0);
	fields_destroy(f);
	end(live);
}

TAP_MAIN()
