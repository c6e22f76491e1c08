#include "cli/top_look.h"

#include <math.h>

#include "base/mem.h"
#include "base/rand.h"
#include "cli/top_kit.h"
#include "cli/top_ui.h"

static const char *cell_text(const struct top_look *l, uint32_t row, const char *title)
{
	int column = table_column(&l->table, title);
	const char *text = column < 0 ? NULL : l->table.rows[row]->cells[column].text;
	return text ? text : "(number)";
}

static double cell_number(const struct top_look *l, uint32_t row, const char *title)
{
	int column = table_column(&l->table, title);
	return column < 0 ? -1 : l->table.rows[row]->cells[column].number;
}

TEST(streams_are_read_from_their_page)
{
	struct top_look l;
	struct buf out;
	buf_init(&out);
	top_look_init(&l);
	REQUIRE(kit_read(&l, TOP_STREAMS, "/streams", KIT_STREAMS, 1));
	REQUIRE(l.table.count == 3);
	CHECK_STR(l.table.rows[1]->key, "1-2");
	CHECK_STR(cell_text(&l, 1, "PATH"), "/c.Chat/Sub");
	CHECK_STR(cell_text(&l, 1, "STATE"), "stalled");
	CHECK_STR(cell_text(&l, 1, "WHY"), "recv: window");
	CHECK_STR(cell_text(&l, 0, "WHY"), "");
	CHECK_EQ(cell_number(&l, 1, "AGE"), 7200000);
	CHECK_EQ(cell_number(&l, 1, "RECV"), 4000);
	CHECK_EQ(cell_number(&l, 0, "LAST"), 500);      /* of either direction */
	CHECK_EQ(cell_number(&l, 2, "LAST"), 90000000); /* one has had none */
	CHECK_EQ(l.table.rows[0]->tone, TABLE_CALM);
	CHECK_EQ(l.table.rows[1]->tone, TABLE_BAD);
	CHECK_EQ(l.table.rows[2]->tone, TABLE_WARN);
	top_look_head(&out, &l, "a:1", 0);
	CHECK_STR(out.bytes, "weir at a:1\n1200 streams, the first 3 are here\n");
	buf_fini(&out);
	top_look_fini(&l);
}

static const char CLUSTERS[] =
	"{\"total\":2,\"clusters\":[{\"name\":\"a\",\"waiting_calls\":4,\"endpoints\":["
	"{\"address\":\"127.0.0.1:1\",\"state\":\"up\",\"connections\":2,\"streams\":10,"
	"\"calls_total\":100,\"failures_total\":0,\"last_error\":null,\"retry_in_ms\":null},"
	"{\"address\":\"127.0.0.1:2\",\"state\":\"down\",\"connections\":0,\"streams\":5,"
	"\"calls_total\":50,\"failures_total\":3,\"last_error\":\"refused\","
	"\"retry_in_ms\":2000}]},{\"name\":\"b\",\"waiting_calls\":0,\"endpoints\":[]}]}";

TEST(endpoints_stand_below_their_cluster_which_adds_them_up)
{
	struct top_look l;
	top_look_init(&l);
	REQUIRE(kit_read(&l, TOP_CLUSTERS, "/clusters", CLUSTERS, 1));
	REQUIRE(l.table.count == 4);
	CHECK_STR(cell_text(&l, 0, "CLUSTER, ENDPOINT"), "a");
	CHECK_EQ(cell_number(&l, 0, "STREAMS"), 15);
	CHECK_EQ(cell_number(&l, 0, "FAILED"), 3);
	CHECK_EQ(cell_number(&l, 0, "WAITING"), 4); /* its own */
	CHECK(l.table.rows[2]->parent == l.table.rows[0]);
	CHECK_STR(l.table.rows[2]->key, "a 127.0.0.1:2");
	CHECK_STR(cell_text(&l, 2, "LAST ERROR"), "refused");
	CHECK_EQ(l.table.rows[2]->tone, TABLE_BAD);
	CHECK(isnan(cell_number(&l, 1, "RETRY IN")));
	CHECK_STR(cell_text(&l, 3, "CLUSTER, ENDPOINT"), "b");
	top_look_fini(&l);
}

static const char CONNECTIONS[] =
	"{\"total\":1,\"connections\":[{\"id\":\"0-7\",\"side\":\"downstream\",\"name\":\"in\","
	"\"peer\":\"127.0.0.1:5000\",\"local\":\"127.0.0.1:80\",\"fd\":12,\"protocol\":\"h2\","
	"\"state\":\"open\",\"waits\":\"socket\",\"age_ms\":5000,\"idle_ms\":10,\"streams\":3,"
	"\"streams_total\":70,\"bytes_in\":1,\"bytes_out\":2,\"unwritten_bytes\":9,"
	"\"socket_unsent_bytes\":null,\"tcp_rtt_ms\":0.5,\"ping_ms\":null,\"ping_waits_ms\":null}]"
	"}";

TEST(connections_are_read_from_their_page)
{
	struct top_look l;
	top_look_init(&l);
	REQUIRE(kit_read(&l, TOP_CONNECTIONS, "/connections", CONNECTIONS, 1));
	REQUIRE(l.table.count == 1);
	CHECK_STR(cell_text(&l, 0, "SIDE"), "downstream");
	CHECK_STR(cell_text(&l, 0, "WAITS FOR"), "socket");
	CHECK_EQ(cell_number(&l, 0, "NOW"), 3);
	CHECK_EQ(cell_number(&l, 0, "EVER"), 70);
	CHECK_EQ(cell_number(&l, 0, "FD"), 12);
	CHECK_EQ(cell_number(&l, 0, "RTT ms") * 2, 1);
	CHECK(isnan(cell_number(&l, 0, "PING ms")));
	top_look_fini(&l);
}

TEST(workers_that_did_not_answer_are_told_of)
{
	struct top_look l;
	struct buf out;
	buf_init(&out);
	top_look_init(&l);
	REQUIRE(kit_read(&l, TOP_STREAMS, "/streams",
		"{\"missing_workers\":[0,2],\"total\":0,\"streams\":[]}", 1));
	top_look_head(&out, &l, "a:1", 0);
	CHECK_STR(out.bytes, "weir at a:1\n0 streams; 2 workers did not answer\n");
	buf_fini(&out);
	top_look_fini(&l);
}

static const char LATER[] = "{\"total\":1,\"streams\":[{\"id\":\"0-1\",\"sent\":" KIT_LANE(
	150, 3000, 0, "null") ",\"received\":" KIT_LANE(500, 9000, 0, "null") "}]}";

TEST(rates_come_from_two_looks_at_the_same_page)
{
	struct top_look a, b;
	top_look_init(&a);
	top_look_init(&b);
	REQUIRE(kit_read(&a, TOP_STREAMS, "/streams", KIT_STREAMS, 10));
	CHECK(isnan(cell_number(&a, 0, "MSG/s")));
	REQUIRE(kit_read(&b, TOP_STREAMS, "/streams", LATER, 12));
	top_look_rates(&b, &a);
	CHECK_EQ(cell_number(&b, 0, "MSG/s"), 125);
	CHECK_EQ(cell_number(&b, 0, "SENT/s"), 25);
	CHECK_EQ(cell_number(&b, 0, "SENT B/s"), 500);
	/* another page: other rows may be missing there for another reason */
	REQUIRE(kit_read(&b, TOP_STREAMS, "/streams?route=x", LATER, 12));
	top_look_rates(&b, &a);
	CHECK(isnan(cell_number(&b, 0, "MSG/s")));
	top_look_fini(&a);
	top_look_fini(&b);
}

TEST(json_is_the_page_with_rates_in_each_row)
{
	struct top_look a, b;
	struct buf out;
	buf_init(&out);
	top_look_init(&a);
	top_look_init(&b);
	REQUIRE(kit_read(&a, TOP_STREAMS, "/streams", KIT_STREAMS, 10));
	top_look_json(&out, &a, "a:1", 0);
	CHECK(!strncmp(
		out.bytes, "{\"admin\":\"a:1\",\"view\":\"streams\",\"time\":1700000000.5,", 47));
	CHECK(strstr(out.bytes, "\"sent_messages_per_second\":null"));
	CHECK_STR(out.bytes + out.len - 3, "]}\n");
	REQUIRE(kit_read(&b, TOP_STREAMS, "/streams", LATER, 12));
	top_look_rates(&b, &a);
	buf_clear(&out);
	top_look_json(&out, &b, "a:1", 0);
	CHECK(strstr(out.bytes, "\"sent_messages_per_second\":25.0,"));
	CHECK(strstr(out.bytes, "\"received_messages_per_second\":100.0,"));
	CHECK(strstr(out.bytes, "\"received_bytes_per_second\":0.0"));
	json_t *whole = json_loads(out.bytes, 0, NULL);
	CHECK(whole != NULL);
	json_decref(whole);
	buf_fini(&out);
	top_look_fini(&a);
	top_look_fini(&b);
}

TEST(answers_that_are_no_such_page_are_refused_with_a_reason)
{
	static const char *const bad[][2] = {
		{"", "/streams, line 1: not JSON"},
		{"<html>", "/streams, line 1: not JSON"},
		{"{\"streams\":[}", "/streams, line 1: not JSON"},
		{"{\"streams\":[1e999]}", "/streams, line 1: not JSON"},
		{"[]", "/streams has no list \"streams\": is it another program, or another "
		       "version "
		       "of Weir?"},
		{"{\"streams\":{}}", "/streams has no list \"streams\": is it another program, or "
				     "another version of Weir?"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct top_look l;
		char why[TOP_WHY_MAX] = "";
		top_look_init(&l);
		CHECK(!top_look_read(&l, &top_views[TOP_STREAMS], "/streams", bad[i][0],
			strlen(bad[i][0]), 1, why));
		CHECK_STR(why, bad[i][1]);
		CHECK(!l.view && l.table.count == 0);
		top_look_fini(&l);
	}
}

TEST(values_of_other_types_and_rows_that_are_none_do_no_harm)
{
	static const char odd[] =
		"{\"total\":\"many\",\"missing_workers\":7,\"streams\":[1,null,\"x\",[],{},"
		"{\"id\":7,\"age_ms\":\"old\",\"path\":9,\"sent\":[],\"received\":{\"messages\":"
		"true,"
		"\"stalled\":5}},{\"id\":{},\"path\":\"a\\u0000b\",\"state\":null}]}";
	struct top_look l;
	top_look_init(&l);
	REQUIRE(kit_read(&l, TOP_STREAMS, "/streams", odd, 1));
	CHECK_EQ(l.table.count, 7);
	CHECK_STR(l.table.rows[5]->key, "#5"); /* by its place: an id is a text */
	CHECK_STR(cell_text(&l, 5, "AGE"), "old");
	CHECK_STR(cell_text(&l, 6, "PATH"), "a"); /* a text ends at its NUL */
	top_look_fini(&l);
}

TEST(a_deep_answer_is_refused)
{
	struct top_look l;
	struct buf deep;
	char why[TOP_WHY_MAX] = "";
	buf_init(&deep);
	buf_str(&deep, "{\"streams\":");
	for (int i = 0; i < 100000; i++)
		buf_char(&deep, '[');
	top_look_init(&l);
	CHECK(!top_look_read(
		&l, &top_views[TOP_STREAMS], "/streams", deep.bytes, deep.len, 1, why));
	CHECK_STR(why, "/streams, line 1: not JSON");
	top_look_fini(&l);
	buf_fini(&deep);
}

static const char *query(enum top_view_id view, unsigned sort, const char *filter, const char *id)
{
	static char text[512];
	struct buf path, rest;
	buf_init(&path);
	buf_init(&rest);
	top_query(&path, &rest, &top_views[view], sort, filter, id);
	snprintf(text, sizeof(text), "%s|%s", path.bytes, rest.bytes);
	buf_fini(&path);
	buf_fini(&rest);
	return text;
}

TEST(what_the_server_can_filter_is_asked_of_it)
{
	CHECK_STR(query(TOP_STREAMS, 0, "", NULL), "/streams?sort=oldest&limit=500|");
	CHECK_STR(query(TOP_STREAMS, 2, "route=chat Talk state=stalled x=y", NULL),
		"/streams?sort=stalled&limit=500&route=chat&state=stalled|Talk x=y ");
	CHECK_STR(query(TOP_STREAMS, 1, "route=a&b%c\"\x1b\xff", NULL),
		"/streams?sort=busiest&limit=500&route=a%26b%25c%22%1B%FF|");
	CHECK_STR(query(TOP_STREAMS, 0, "route=x", "0-12"), "/streams?id=0-12|");
	CHECK_STR(query(TOP_CONNECTIONS, 3, "side=upstream x", NULL),
		"/connections?sort=reused&limit=500&side=upstream|x ");
	CHECK_STR(query(TOP_CLUSTERS, 1, "cluster=a", NULL), "/clusters?cluster=a|");
	CHECK_STR(query(TOP_ROUTES, 0, "route=x", NULL), "/metrics|route=x ");
}

TEST(each_failed_allocation_is_a_reason_and_leaks_nothing)
{
	json_set_alloc_funcs(mem_alloc, mem_free);
	long before = mem_live_blocks();
	for (long nth = 1; nth < 5000; nth++) {
		struct top_look l;
		char why[TOP_WHY_MAX] = "";
		top_look_init(&l);
		mem_fail_after(nth);
		bool good = top_look_read(&l, &top_views[TOP_STREAMS], "/streams", KIT_STREAMS,
			strlen(KIT_STREAMS), 1, why);
		mem_fail_after(0);
		top_look_fini(&l);
		CHECK_EQ(mem_live_blocks(), before);
		CHECK(good || *why);
		if (good && nth > 200)
			break;
	}
	json_set_alloc_funcs(malloc, free);
}

TEST(mutated_pages_are_read_or_refused)
{
	static const char bytes[] = "{}[]\"\\\n ,:1.e#\xff\x1b\x9b";
	struct rand rand;
	rand_seed(&rand, 22);
	for (int round = 0; round < 3000; round++) {
		char text[sizeof(KIT_STREAMS)], why[TOP_WHY_MAX] = "";
		struct top_look l;
		memcpy(text, KIT_STREAMS, sizeof(KIT_STREAMS));
		for (int n = 0; n < 3; n++)
			text[rand_below(&rand, sizeof(text) - 1)] =
				bytes[rand_below(&rand, sizeof(bytes))];
		size_t len = round & 1 ? sizeof(text) - 1 : rand_below(&rand, sizeof(text));
		top_look_init(&l);
		bool good =
			top_look_read(&l, &top_views[TOP_STREAMS], "/streams", text, len, 1, why);
		CHECK(good || *why);
		top_look_fini(&l);
	}
}

TAP_MAIN()
