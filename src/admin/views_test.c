/* views_test.c - pages of other rooms, which come later. */
#include "admin/admin_kit.h"
#include "http/query.h"

static struct {
	unsigned asked;
	uint32_t limit;
	char name[32];
	void (*done)(void *ctx, struct buf *json);
	void *ctx;
} view;

static void ask_view(
	void *arg, const struct query *query, void (*done)(void *ctx, struct buf *json), void *ctx)
{
	CHECK(arg == &view);
	view.asked++;
	view.limit = query_number(query, 0);
	snprintf(view.name, sizeof view.name, "%s",
		query_text(query, 1) ? query_text(query, 1) : "");
	view.done = done;
	view.ctx = ctx;
}
static const struct query_key view_keys[] = {
	{"limit", QUERY_NUMBER, NULL, 1, 10, 5},
	{"name", QUERY_TEXT, NULL, 0, 0, 0},
	{NULL, QUERY_TEXT, NULL, 0, 0, 0},
};
static const struct introspect_page view_page = {
	"/things", "what things there are", view_keys, ask_view};
static const struct introspect view_list[] = {{&view_page, &view}, {NULL, NULL}};

static void begin_views(void)
{
	begin();
	memset(&view, 0, sizeof view);
	hooks.views = view_list;
}

static void end_views(void)
{
	end();
	hooks.views = NULL;
}

static void show(size_t bytes)
{
	struct buf json;
	buf_init(&json);
	for (size_t i = 0; i < bytes; i++)
		buf_char(&json, ' ');
	buf_str(&json, "{\"things\":[]}");
	view.done(view.ctx, &json);
	buf_fini(&json);
}

TEST(a_view_is_asked_with_its_query_and_answered_when_its_rows_are_there)
{
	begin_views();
	ask("GET", "/things?name=a%2Fb&limit=7", NULL, NULL);
	CHECK_EQ(view.asked, 1);
	CHECK_EQ(view.limit, 7);
	CHECK_STR(view.name, "a/b");
	CHECK_EQ(got.head.len, 0);
	show(0);
	settle();
	CHECK(has(&got.head, ":status: 200\n"));
	CHECK(has(&got.head, "\ncontent-type: application/json\n"));
	CHECK_STR(got.body.bytes, "{\"things\":[]}\n");
	end_views();
}

TEST(a_query_that_a_view_does_not_know_is_400_with_what_is_allowed)
{
	begin_views();
	ask("GET", "/things?limit=11", NULL, NULL);
	settle();
	CHECK_EQ(view.asked, 0);
	CHECK(has(&got.head, ":status: 400\n"));
	CHECK_STR(got.body.bytes, "no such value: \"limit=11\"; allowed: limit=1..10, name=TEXT\n");
	end_views();
}

TEST(a_view_knows_get_and_head_only_and_is_on_the_list_of_pages)
{
	begin_views();
	ask("POST", "/things", NULL, NULL);
	settle();
	CHECK_EQ(view.asked, 0);
	CHECK(has(&got.head, ":status: 405\n"));
	CHECK(has(&got.head, "\nallow: GET, HEAD\n"));
	end_views();
	begin_views();
	ask("GET", "/", NULL, NULL);
	settle();
	CHECK(has(&got.body, "<a href=\"/things\">/things</a> - what things there are"));
	end_views();
}

TEST(a_view_that_cannot_be_given_now_is_503)
{
	begin_views();
	ask("GET", "/things", NULL, NULL);
	view.done(view.ctx, NULL);
	settle();
	CHECK(has(&got.head, ":status: 503\n"));
	CHECK(has(&got.head, "\nretry-after: 5\n"));
	end_views();
}

TEST(a_client_that_goes_away_while_rows_are_gathered_leaves_nothing_behind)
{
	fields_cache_purge();
	long live = mem_live_blocks();
	begin_views();
	ask("GET", "/things", NULL, NULL);
	call_reset(call, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(call);
	CHECK_EQ(call_reap(&env), 1);
	call = NULL;
	show(10);
	CHECK_EQ(got.head.len, 0);
	end_views();
	fields_cache_purge();
	CHECK_EQ(mem_live_blocks() - live, 0);
}

/* The first waits for a client that reads nothing; the second would be too much. */
TEST(pages_that_nobody_reads_are_held_up_to_their_limit)
{
	begin_views();
	config->limits.admin_bytes = 1000000;
	got.hold = true;
	ask("GET", "/things", NULL, NULL);
	show(900000);
	CHECK(!got.ended);
	struct call *slow = call;
	buf_clear(&got.head);
	ask("GET", "/things", NULL, NULL);
	show(200000);
	CHECK(has(&got.head, ":status: 503\n"));
	CHECK(has(&got.head, "\nretry-after: 5\n"));
	CHECK_EQ(metrics_read(metrics, M_ADMIN_REFUSED, NULL), 1);
	call_front_done(call);
	got.ended = false;
	call_reset(slow, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(slow);
	CHECK_EQ(call_reap(&env), 2);
	got.hold = false;
	got.owed = 0;
	buf_clear(&got.head);
	ask("GET", "/things", NULL, NULL); /* the slow one has gone: there is room again */
	show(200000);
	settle();
	CHECK(has(&got.head, ":status: 200\n"));
	end_views();
}

TAP_MAIN()
