/* events_test.c - event streams in a world whose clock the test moves, over fronts that write down
 * what they are told. */
#include "admin/events.h"
#include "admin/admin_env.h"
#include "base/clock.h"
#include "http/query.h"

#define CLIENTS 4

/* ---- the world ---- */

static struct wheel wheel;

static struct {
	struct call *call;
	struct buf text;
	bool hold, ended; /* hold: credit only when the test gives it */
	uint32_t owed;
	unsigned aborts;
} got[CLIENTS];

static struct {
	unsigned asked;
	char paths[256]; /* a letter for each that was asked for, in order */
	const char *json;
	bool defer;
	void (*done)(void *ctx, struct buf *json);
	void *ctx[16];
	unsigned waiting;
} world;

static void answer(void *ctx)
{
	struct buf json;
	buf_init(&json);
	if (world.json)
		buf_str(&json, world.json);
	world.done(ctx, world.json ? &json : NULL);
	buf_fini(&json);
}

static void ask(
	void *arg, const struct query *query, void (*done)(void *ctx, struct buf *json), void *ctx)
{
	if (world.asked < sizeof world.paths - 1)
		world.paths[world.asked] = *(const char *)arg;
	world.asked++;
	world.done = done;
	if (world.defer)
		world.ctx[world.waiting++] = ctx;
	else
		answer(ctx);
}

static void answer_all(void)
{
	unsigned n = world.waiting;
	world.waiting = 0;
	for (unsigned i = 0; i < n; i++)
		answer(world.ctx[i]);
}

static const char *const sorts[] = {"oldest", "stalled", NULL};
static const struct query_key stream_keys[] = {{"sort", QUERY_CHOICE, sorts, 0, 0, 0},
	{"limit", QUERY_NUMBER, NULL, 1, 10000, 100}, {NULL, QUERY_TEXT, NULL, 0, 0, 0}};
static const struct introspect_page streams = {"/streams", "", stream_keys, ask};
static const struct introspect_page routes = {"/routes", "", NULL, ask};
static const struct introspect_page connections = {"/connections", "", NULL, ask};
static const struct introspect_page clusters = {"/clusters", "", NULL, ask};
static const struct introspect views[] = {{&streams, (void *)"s"}, {&routes, (void *)"r"},
	{&connections, (void *)"c"}, {&clusters, (void *)"u"}, {NULL, NULL}};

static struct config *current(void *arg)
{
	return config_ref(config);
}
static bool is_ready(void *arg, const char **why)
{
	*why = "draining";
	return false;
}
static bool is_live(void *arg, const char **why)
{
	return true;
}
static struct admin_hooks hooks = {
	.config = current, .ready = is_ready, .live = is_live, .views = views, .wheel = &wheel};

static unsigned number_of(const struct call *c)
{
	unsigned i = 0;
	while (got[i].call != c)
		i++;
	return i;
}
static void front_push(struct call *c, struct event *ev)
{
	unsigned i = number_of(c);
	CHECK(!got[i].ended);
	got[i].ended = ev->end;
	buf_add(&got[i].text, ev->data.at, ev->data.len);
	got[i].owed += ev->data.len;
	event_drop(ev);
}
static void front_abort(struct call *c)
{
	got[number_of(c)].aborts++;
	call_front_done(c);
}
static const struct call_front front = {
	front_push, front_ignores_credit, front_drops_nothing, front_abort};
static const struct call_terminus nobody = {.name = "nobody"};

static void begin(void)
{
	memset(got, 0, sizeof got);
	memset(&world, 0, sizeof world);
	world.json = "{\"a\":\n1}\r\n";
	env_begin("{admin_event_streams: 3, admin_idle: 5s}");
	env.now_ns = 100 * NS_PER_SEC;
	wheel_init(&wheel, env.now_ns);
	hooks.started_ns = env.now_ns - 7 * NS_PER_SEC;
	events_init(&hooks);
}

/* What left is credited, as a front does. */
static void settle(void)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		while (got[i].call && got[i].owed && !got[i].hold) {
			uint32_t n = got[i].owed;
			got[i].owed = 0;
			call_credit_response(got[i].call, n);
		}
	}
}

static void pass(uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 10) {
		env.now_ns += 10 * NS_PER_MS;
		wheel_advance(&wheel, env.now_ns);
		settle();
	}
}

static void leave(unsigned i)
{
	if (!got[i].ended && !got[i].aborts)
		call_reset(got[i].call, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	if (!got[i].aborts)
		call_front_done(got[i].call);
	call_reap(&env);
	got[i].call = NULL;
}

static void end(void)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (got[i].call)
			leave(i);
		buf_fini(&got[i].text);
	}
	CHECK_EQ(events_clients(), 0);
	CHECK_EQ(wheel.armed, 0);
	env_end();
}

static int come(unsigned i, const char *path, struct buf *why)
{
	struct event ev = {.kind = EVENT_HEAD, .end = true, .fields = fields_create()};
	CHECK(!fields_add_str(ev.fields, TOKEN_METHOD, "GET"));
	CHECK(!fields_add_str(ev.fields, TOKEN_PATH, path));
	struct call *c = got[i].call =
		call_create(&env, &generation, &listener, &front, NULL, ev.fields);
	struct fields *head = fields_create();
	CHECK(!fields_add_str(head, TOKEN_STATUS, "200"));
	c->unfiltered = true;
	c->terminus = &nobody;
	event_drop(&ev);
	return events_open(c, head, why);
}

static void joins(unsigned i, const char *path)
{
	struct buf why;
	buf_init(&why);
	CHECK_EQ(come(i, path, &why), 0);
	CHECK_EQ(why.len, 0);
	buf_fini(&why);
}

static void refused(unsigned i, const char *path, int status, const char *because)
{
	struct buf why;
	buf_init(&why);
	CHECK_EQ(come(i, path, &why), status);
	CHECK(why.len && strstr(why.bytes, because));
	buf_fini(&why);
	CHECK(got[i].call->terminus == &nobody);
	call_discard(got[i].call);
	got[i].call = NULL;
}

static unsigned snapshots(unsigned i)
{
	unsigned n = 0;
	for (const char *at = got[i].text.len ? got[i].text.bytes : "";
		(at = strstr(at, "event: snapshot\n")); at++)
		n++;
	return n;
}

static uint64_t value(enum metric m)
{
	return metrics_read(metrics, m, NULL);
}

/* ---- tests ---- */

TEST(an_event_is_one_line_of_json_with_a_number)
{
	begin();
	joins(0, "/events");
	pass(10);
	CHECK_STR(got[0].text.bytes,
		"retry: 2000\n\n"
		"id: 1\nevent: snapshot\ndata: {\"health\":{\"version\":\"" WEIR_VERSION
		"\",\"ready\":false,\"live\":true,\"draining\":true,\"why\":\"draining\",\"uptime_"
		"ms\":7010,"
		"\"generation\":0},\"routes\":{\"a\":1},\"connections\":{\"a\":1},\"clusters\":{"
		"\"a\":1},"
		"\"stalled\":{\"a\":1},\"streams\":{\"a\":1}}\n\n");
	end();
}

TEST(the_first_snapshot_comes_at_once_and_the_others_at_multiples_of_the_interval)
{
	begin();
	joins(0, "/events?interval=2000");
	joins(1, "/events?interval=250");
	pass(20);
	CHECK_EQ(snapshots(0), 1);
	CHECK_EQ(snapshots(1), 1);
	pass(1960); /* 101.98 s */
	CHECK_EQ(snapshots(0), 1);
	CHECK_EQ(snapshots(1), 8);
	pass(40); /* 102.02 s */
	CHECK_EQ(snapshots(0), 2);
	CHECK_EQ(snapshots(1), 9);
	end();
}

TEST(one_round_of_questions_serves_all_clients)
{
	begin();
	joins(0, "/events?interval=1000");
	joins(1, "/events?interval=1000&sort=stalled");
	joins(2, "/events?interval=1000&sort=oldest");
	pass(20);
	world.asked = 0;
	memset(world.paths, 0, sizeof world.paths);
	pass(1000);
	CHECK_STR(world.paths, "rcussss"); /* the stalled, and three ways of streams */
	CHECK_EQ(world.asked, 7);
	CHECK_EQ(snapshots(0) + snapshots(1) + snapshots(2), 6);
	end();
}

TEST(no_round_begins_before_the_last_one_is_answered)
{
	begin();
	world.defer = true;
	joins(0, "/events?interval=250");
	pass(1000);
	CHECK_EQ(world.asked, 5);
	CHECK_EQ(snapshots(0), 0);
	world.defer = false;
	answer_all();
	CHECK_EQ(snapshots(0), 1);
	pass(500);
	CHECK_EQ(snapshots(0), 3);
	CHECK_EQ(value(M_EVENT_SNAPSHOTS), 3);
	end();
}

TEST(a_view_that_gives_nothing_is_null)
{
	begin();
	world.json = NULL;
	joins(0, "/events");
	pass(10);
	CHECK(strstr(got[0].text.bytes,
		"\"routes\":null,\"connections\":null,\"clusters\":null,\"stalled\":null,"
		"\"streams\":null}\n\n"));
	end();
}

TEST(a_client_that_leaves_before_the_answers_takes_nothing_along)
{
	begin();
	world.defer = true;
	joins(0, "/events");
	joins(1, "/events");
	pass(10);
	leave(0);
	answer_all();
	CHECK_EQ(snapshots(1), 1);
	pass(10);
	leave(1);
	joins(0, "/events");
	pass(10); /* the questions of a round that nobody waits for any more */
	leave(0);
	answer_all();
	end();
}

TEST(who_does_not_read_skips_and_gets_whole_events_later)
{
	begin();
	joins(0, "/events?interval=250");
	got[0].hold = true;
	pass(2000);
	CHECK_EQ(snapshots(0), 1);
	CHECK_EQ(value(M_EVENT_SNAPSHOTS_SKIPPED), 8);
	got[0].hold = false;
	settle();
	pass(500);
	CHECK_EQ(snapshots(0), 3);
	CHECK(strstr(got[0].text.bytes, "id: 3\n") && !strstr(got[0].text.bytes, "id: 4\n"));
	end();
}

TEST(a_big_snapshot_leaves_in_pieces_as_credit_comes_back)
{
	static char big[600001];
	memset(big, ' ', sizeof big - 1);
	begin();
	world.json = big;
	joins(0, "/events");
	settle();
	got[0].hold = true;
	env.now_ns += 10 * NS_PER_MS;
	wheel_advance(&wheel, env.now_ns);
	CHECK_EQ(got[0].owed, 4 * 65536);
	got[0].hold = false;
	settle();
	CHECK(got[0].text.len > 5 * 600000);
	CHECK_MEM(got[0].text.bytes + got[0].text.len - 3, 3, "}\n\n", 3);
	end();
}

TEST(who_takes_nothing_for_admin_idle_is_cut)
{
	begin();
	joins(0, "/events?interval=250");
	got[0].hold = true;
	pass(4900);
	CHECK_EQ(got[0].aborts, 0);
	pass(600);
	CHECK_EQ(got[0].aborts, 1);
	CHECK_EQ(events_clients(), 0);
	end();
}

TEST(a_comment_is_sent_when_nothing_else_was)
{
	begin();
	joins(0, "/events?interval=60000");
	pass(10);
	size_t len = got[0].text.len;
	pass(14000);
	CHECK_EQ(got[0].text.len, len);
	pass(2000);
	CHECK_STR(got[0].text.bytes + len, ": nothing new\n\n");
	end();
}

TEST(so_many_and_no_more_and_only_what_is_understood)
{
	begin();
	for (unsigned i = 0; i < 3; i++)
		joins(i, "/events");
	refused(3, "/events", 503, "limits.admin_event_streams");
	CHECK_EQ(value(M_EVENT_STREAMS), 3);
	CHECK_EQ(value(M_EVENT_STREAMS_REFUSED), 1);
	leave(1);
	CHECK_EQ(value(M_EVENT_STREAMS), 2);
	refused(1, "/events?interval=1", 400, "interval");
	refused(1, "/events?sort=best", 400, "sort");
	refused(1, "/events?&", 400, "");
	joins(1, "/events?limit=1000&sort=stalled&interval=60000");
	end();
}

TEST(the_end_is_said_unless_half_an_event_is_on_its_way)
{
	static char big[600001];
	memset(big, ' ', sizeof big - 1);
	begin();
	world.json = big;
	joins(0, "/events");
	joins(1, "/events");
	settle();
	got[1].hold = true;
	pass(10);
	events_end("shutdown");
	CHECK(got[0].ended && got[1].ended);
	static const char last[] = "\n\nid: 2\nevent: end\ndata: {\"reason\":\"shutdown\"}\n\n";
	CHECK_STR(got[0].text.bytes + got[0].text.len - (sizeof last - 1), last);
	CHECK(!strstr(got[1].text.bytes, "event: end"));
	CHECK_EQ(events_clients(), 0);
	end();
}

/* Whichever allocation fails: an answer, a skipped snapshot or an abort, and nothing is left. */
TEST(without_memory_snapshots_are_skipped_and_nothing_is_left)
{
	unsigned whole = 0, skipped = 0;
	for (long n = 1; n < 60; n++) {
		fields_cache_purge();
		long live = mem_live_blocks();
		begin();
		joins(0, "/events?interval=250");
		pass(10);
		mem_fail_after(n);
		pass(300);
		mem_fail_after(0);
		pass(300);
		whole += snapshots(0) == 3;
		skipped += snapshots(0) < 3;
		CHECK(snapshots(0) >= 2);
		end();
		fields_cache_purge();
		CHECK_EQ(mem_live_blocks(), live);
	}
	CHECK(whole > 0 && skipped > 0);
}

TAP_MAIN()
