/* admin_test.c - the pages, asked for over a front that writes down what it is told. */
#include "admin/admin.h"
#include "base/mem.h"
#include "base/rand.h"
#include "http/query.h"
#include "tap.h"

/* ---- the world ---- */

static struct call_env env;
static struct rand randomness;
static struct metrics *metrics;
static struct config *config;
static struct call_generation generation;
static struct config_listener listener = {.name = (char *)"admin"};
static struct call *call;

static struct {
	struct buf head, body;
	bool ended, hold; /* hold: credit only when the test gives it */
	uint32_t owed, credited;
	unsigned pieces, aborts;
} got;

static struct {
	bool ready, live, defer, drained;
	unsigned refreshes;
	void (*done)(void *ctx);
	void *ctx;
} world;

static void refresh(void *arg, void (*done)(void *ctx), void *ctx)
{
	world.refreshes++;
	world.done = done;
	world.ctx = ctx;
	if (!world.defer)
		done(ctx);
}
static struct config *current(void *arg)
{
	return config_ref(config);
}
static bool ready(void *arg, const char **why)
{
	*why = "draining";
	return world.ready;
}
static bool live(void *arg, const char **why)
{
	*why = "worker 1 is stuck";
	return world.live;
}
static void drain(void *arg)
{
	world.drained = true;
}
static struct admin_hooks hooks = {NULL, refresh, NULL, current, ready, live, drain};

static void front_push(struct call *c, struct event *ev)
{
	for (uint32_t i = 0; ev->fields && i < ev->fields->count; i++)
		buf_fmt(&got.head, "%.*s: %.*s\n", (int)ev->fields->list[i].name_len,
			ev->fields->list[i].name, (int)ev->fields->list[i].value_len,
			ev->fields->list[i].value);
	buf_add(&got.body, ev->data.at, ev->data.len);
	got.pieces += ev->kind == EVENT_DATA;
	got.owed += ev->data.len;
	CHECK(!got.ended);
	got.ended = ev->end;
	event_drop(ev);
}
static void front_credit(struct call *c, uint32_t bytes)
{
	got.credited += bytes;
}
static void front_drop(struct call *c)
{
}
static void front_abort(struct call *c)
{
	got.aborts++;
	call_front_done(c);
}
static const struct call_front front = {front_push, front_credit, front_drop, front_abort};

static void begin(void)
{
	memset(&got, 0, sizeof got);
	memset(&world, 0, sizeof world);
	buf_init(&got.head);
	buf_init(&got.body);
	world.ready = world.live = true;
	rand_seed(&randomness, 1);
	call_env_init(&env);
	metrics = metrics_create(1000);
	env.metrics = metrics_slab_create(metrics);
	env.rand = &randomness;
	env.wall_ns = 784111777000000000u; /* the date of RFC 9110's examples */
	hooks.metrics = metrics;
	struct buf errors;
	static const char text[] = "listeners: [{name: in, address: \"127.0.0.1:8080\"}]\n"
				   "routes: [{name: r, cluster: c}]\n"
				   "clusters: [{name: c, endpoints: [\"127.0.0.1:9000\"]}]\n";
	buf_init(&errors);
	config = config_parse("weir.yaml", text, sizeof text - 1, &errors);
	if (!config)
		printf("# %s\n", errors.bytes);
	buf_fini(&errors);
	config->generation = 7;
	generation = (struct call_generation){.config = config};
	admin_init(&hooks);
}

static void end(void)
{
	CHECK_EQ(call_reap(&env), call ? 1 : 0);
	call = NULL;
	CHECK_EQ(env.calls, 0);
	call_env_fini(&env);
	metrics_destroy(metrics);
	config_unref(config);
	buf_fini(&got.head);
	buf_fini(&got.body);
}

static void ask(const char *method, const char *path, const char *name, const char *value)
{
	struct event ev = {.kind = EVENT_HEAD, .end = true, .fields = fields_create()};
	CHECK(!fields_add_str(ev.fields, TOKEN_METHOD, method));
	CHECK(!fields_add_str(ev.fields, TOKEN_AUTHORITY, "127.0.0.1:9901"));
	CHECK(!fields_add_str(ev.fields, TOKEN_PATH, path));
	if (name)
		CHECK(!fields_add(ev.fields, name, strlen(name), value, strlen(value)));
	call = call_create(&env, &generation, &listener, &front, NULL, ev.fields);
	call->unfiltered = true;
	CHECK_EQ(call_open(call, &admin_terminus), 0);
	call_push_request(call, &ev);
}

/* What a front does when both ends of the stream are through. */
static void settle(void)
{
	while (got.owed && !got.hold) {
		uint32_t n = got.owed;
		got.owed = 0;
		call_credit_response(call, n);
	}
	if (!call->front_done)
		call_front_done(call);
}

static bool has(const struct buf *b, const char *text)
{
	bool found = b->len && strstr(b->bytes, text);
	if (!found)
		printf("# \"%s\" is not in:\n# %s\n", text, b->len ? b->bytes : "");
	return found;
}

static void check_page(const char *method, const char *path, const char *status, const char *type,
	const char *body)
{
	char line[128];
	begin();
	ask(method, path, NULL, NULL);
	settle();
	snprintf(line, sizeof line, ":status: %s\n", status);
	CHECK(has(&got.head, line));
	snprintf(line, sizeof line, "\ncontent-type: %s\n", type);
	CHECK(has(&got.head, line));
	if (strcmp(method, "HEAD")) {
		CHECK(has(&got.body, body));
		snprintf(line, sizeof line, "\ncontent-length: %zu\n", got.body.len);
		CHECK(has(&got.head, line));
	} else {
		CHECK_EQ(got.body.len, 0);
		CHECK(!strstr(got.head.bytes, "content-length: 0\n"));
	}
	CHECK(got.ended);
	end();
}

#define PLAIN "text/plain; charset=utf-8"

/* ---- tests ---- */

TEST(every_page_answers_get_and_head)
{
	static const char *const methods[] = {"GET", "HEAD"};
	for (int i = 0; i < 2; i++) {
		const char *m = methods[i];
		check_page(m, "/", "200", "text/html; charset=utf-8", "<a href=\"/metrics\">");
		check_page(m, "/metrics", "200", METRICS_TYPE_PROMETHEUS, "\nweir_bugs_total 0\n");
		check_page(m, "/live", "200", PLAIN, "live\n");
		check_page(m, "/ready", "200", PLAIN, "ready\n");
		check_page(m, "/healthz/live", "200", PLAIN, "live\n");
		check_page(m, "/healthz/ready", "200", PLAIN, "ready\n");
		check_page(
			m, "/dashboard", "200", "text/html; charset=utf-8", "<title>Weir</title>");
		check_page(m, "/config", "200", "text/yaml; charset=utf-8",
			"routes: [{name: r, cluster: c}]\n");
	}
}

TEST(the_dashboard_may_run_its_own_script_and_nothing_else)
{
	begin();
	ask("GET", "/dashboard", NULL, NULL);
	settle();
	CHECK(has(&got.head, "\ncontent-security-policy: default-src 'none'; script-src 'sha256-"));
	CHECK(has(&got.head, "connect-src 'self'"));
	CHECK(!strstr(got.head.bytes, "unsafe") && !strstr(got.head.bytes, "http"));
	CHECK(!strstr(got.body.bytes, "<script src") && !strstr(got.body.bytes, "/*SCRIPT*/"));
	end();
}

TEST(a_browser_that_has_the_dashboard_is_told_so)
{
	char etag[64] = "W/\"old\", ";
	begin();
	ask("GET", "/dashboard", "if-none-match", "\"other\"");
	settle();
	CHECK(has(&got.head, ":status: 200\n"));
	CHECK(has(&got.head, "\ncache-control: no-cache\n"));
	const char *at = strstr(got.head.bytes, "\netag: ");
	if (at)
		snprintf(etag + 9, sizeof etag - 9, "%.34s", at + 7);
	end();
	begin();
	ask("GET", "/dashboard", "if-none-match", etag);
	settle();
	CHECK(has(&got.head, ":status: 304\n"));
	CHECK_EQ(got.body.len, 0);
	CHECK(got.ended);
	end();
}

TEST(a_query_is_ignored_and_anything_else_is_404)
{
	check_page("GET", "/ready?verbose=1", "200", PLAIN, "ready\n");
	check_page("GET", "/nothing", "404", PLAIN, "no such page");
	check_page("GET", "/metrics/", "404", PLAIN, "no such page");
	check_page("GET", "/metric", "404", PLAIN, "no such page");
	check_page("GET", "//metrics", "404", PLAIN, "no such page");
	check_page("POST", "/nothing", "404", PLAIN, "no such page");
}

TEST(the_wrong_method_is_405_and_allow_names_the_right_ones)
{
	static const char *const wrong[][3] = {{"POST", "/metrics", "\nallow: GET, HEAD\n"},
		{"DELETE", "/config", "\nallow: GET, HEAD\n"},
		{"get", "/live", "\nallow: GET, HEAD\n"}, {"GET", "/drain", "\nallow: POST\n"},
		{"HEAD", "/drain", "\nallow: POST\n"}};
	for (unsigned i = 0; i < 5; i++) {
		begin();
		ask(wrong[i][0], wrong[i][1], NULL, NULL);
		settle();
		CHECK(has(&got.head, ":status: 405\n"));
		CHECK(has(&got.head, wrong[i][2]));
		CHECK(!world.drained);
		end();
	}
}

TEST(health_pages_say_503_and_why)
{
	static const char *const pages[] = {"/live", "/healthz/live", "/ready", "/healthz/ready"};
	for (unsigned i = 0; i < 4; i++) {
		begin();
		world.live = i >= 2;
		world.ready = i < 2;
		ask("GET", pages[i], NULL, NULL);
		settle();
		CHECK(has(&got.head, ":status: 503\n"));
		CHECK(has(&got.body, i < 2 ? "worker 1 is stuck\n" : "draining\n"));
		end();
	}
}

TEST(the_configuration_is_what_was_loaded_below_its_generation)
{
	begin();
	ask("GET", "/config", NULL, NULL);
	settle();
	CHECK(got.body.len &&
		!strncmp(got.body.bytes, "# generation 7, loaded from \"weir.yaml\"\n", 40));
	CHECK_STR(strchr(got.body.bytes, '\n') + 1, config->text);
	end();
}

TEST(accept_decides_between_the_formats_of_metrics)
{
	begin();
	ask("GET", "/metrics", "accept",
		"application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
	settle();
	CHECK(has(&got.head, "\ncontent-type: " METRICS_TYPE_OPENMETRICS "\n"));
	CHECK(has(&got.body, "\n# EOF\n"));
	end();
}

TEST(answers_are_dated_and_not_to_be_kept)
{
	begin();
	ask("GET", "/live", NULL, NULL);
	settle();
	CHECK(has(&got.head, "\ndate: Sun, 06 Nov 1994 08:49:37 GMT\n"));
	CHECK(has(&got.head, "\ncache-control: no-store\n"));
	end();
}

TEST(drain_is_answered_and_then_begun)
{
	begin();
	ask("POST", "/drain", NULL, NULL);
	settle();
	CHECK(has(&got.head, ":status: 202\n"));
	CHECK(has(&got.body, "draining\n"));
	CHECK(world.drained);
	end();
}

TEST(a_web_page_of_another_origin_can_drain_nothing)
{
	static const char *const foreign[] = {"http://evil.example", "null",
		"https://127.0.0.1:9901", "http://127.0.0.1:99011", "http://127.0.0.1:990"};
	for (unsigned i = 0; i < 5; i++) {
		begin();
		ask("POST", "/drain", "origin", foreign[i]);
		settle();
		CHECK(has(&got.head, ":status: 403\n"));
		CHECK(!world.drained);
		end();
	}
	begin();
	ask("POST", "/drain", "origin", "http://127.0.0.1:9901");
	settle();
	CHECK(world.drained);
	end();
}

TEST(metrics_wait_for_the_refresh_and_show_what_it_brought)
{
	begin();
	world.defer = true;
	ask("GET", "/metrics", NULL, NULL);
	CHECK_EQ(world.refreshes, 1);
	CHECK_EQ(got.head.len, 0);
	series_add(metrics_plain(env.metrics, GROUP_PROCESS), M_BUGS, 5);
	world.done(world.ctx);
	settle();
	CHECK(has(&got.body, "\nweir_bugs_total 5\n"));
	end();
}

TEST(a_client_that_goes_away_during_a_refresh_leaves_nothing_behind)
{
	begin();
	world.defer = true;
	ask("GET", "/metrics", NULL, NULL);
	call_credit_response(call, 1); /* nonsense, but harmless */
	call_reset(call, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(call);
	CHECK_EQ(call_reap(&env), 1);
	call = NULL;
	world.done(world.ctx);
	CHECK_EQ(got.head.len, 0);
	end();
}

TEST(a_call_that_is_ended_during_a_refresh_is_answered_once)
{
	begin();
	world.defer = true;
	ask("GET", "/metrics", NULL, NULL);
	call_fail(call, REASON_SHUTDOWN, "going down");
	CHECK(has(&got.head, ":status: 503\n"));
	world.done(world.ctx);
	settle();
	CHECK_STR(got.body.bytes, "going down\n");
	end();
}

static void make_big_page(void)
{
	for (int i = 0; i < 900; i++) {
		char method[24];
		snprintf(method, sizeof method, "Method%d", i);
		series_add(metrics_series(env.metrics, GROUP_STREAM,
				   (const char *const[]){
					   "in", "r", "some.package.Service", method, "c"}),
			M_SENT_MESSAGES, 1);
	}
}

TEST(a_big_page_is_pushed_piece_by_piece_as_credit_comes_back)
{
	begin();
	make_big_page();
	got.hold = true;
	ask("GET", "/metrics", NULL, NULL);
	CHECK_EQ(got.body.len, 262144);
	CHECK_EQ(got.pieces, 4);
	call_credit_response(call, 10);
	CHECK_EQ(got.pieces, 5);
	CHECK(got.body.len <= 262144 + 65536 && !got.ended);
	got.hold = false;
	settle();
	CHECK(got.ended);
	char line[64];
	snprintf(line, sizeof line, "\ncontent-length: %zu\n", got.body.len);
	CHECK(has(&got.head, line));
	CHECK(got.body.len > 1000000 && got.pieces == (got.body.len + 65535) / 65536);
	end();
}

TEST(a_client_that_goes_away_in_the_middle_of_a_page_leaves_nothing_behind)
{
	fields_cache_purge();
	long live = mem_live_blocks();
	begin();
	make_big_page();
	got.hold = true;
	ask("GET", "/metrics", NULL, NULL);
	call_reset(call, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(call);
	end();
	fields_cache_purge();
	CHECK_EQ(mem_live_blocks() - live, 0);
}

TEST(content_of_a_request_is_credited_and_ignored)
{
	begin();
	struct event ev = {.kind = EVENT_HEAD, .fields = fields_create()};
	CHECK(!fields_add_str(ev.fields, TOKEN_METHOD, "POST"));
	CHECK(!fields_add_str(ev.fields, TOKEN_PATH, "/drain"));
	call = call_create(&env, &generation, &listener, &front, NULL, ev.fields);
	call->unfiltered = true;
	CHECK_EQ(call_open(call, &admin_terminus), 0);
	call_push_request(call, &ev);
	for (int i = 0; i < 3; i++) {
		ev = (struct event){
			.kind = EVENT_DATA, .end = i == 2, .data = slice_copy("12345", 5)};
		call_push_request(call, &ev);
	}
	settle();
	CHECK_EQ(got.credited, 15);
	CHECK(has(&got.head, ":status: 202\n"));
	end();
}

TEST(a_grpc_client_on_the_admin_port_is_told_so_in_its_own_way)
{
	begin();
	ask("POST", "/chat.Chat/Subscribe", "content-type", "application/grpc");
	settle();
	CHECK(has(&got.head, ":status: 200\n"));
	CHECK(has(&got.head, "grpc-status: 12\n"));
	CHECK(has(&got.head, "grpc-message: no such page"));
	end();
}

/* Whichever allocation of an answer fails: an answer or an abort, and nothing is left. */
TEST(without_memory_a_page_ends_in_503_or_an_abort)
{
	unsigned whole = 0;
	for (long n = 1; n < 60; n++) {
		fields_cache_purge();
		long live = mem_live_blocks();
		begin();
		struct event ev = {.kind = EVENT_HEAD, .end = true, .fields = fields_create()};
		CHECK(!fields_add_str(ev.fields, TOKEN_METHOD, "GET"));
		CHECK(!fields_add_str(ev.fields, TOKEN_PATH, "/metrics"));
		call = call_create(&env, &generation, &listener, &front, NULL, ev.fields);
		call->unfiltered = true;
		mem_fail_after(n);
		CHECK_EQ(call_open(call, &admin_terminus), 0);
		call_push_request(call, &ev);
		mem_fail_after(0);
		settle();
		CHECK(got.ended || got.aborts);
		whole += got.head.len && strstr(got.head.bytes, ":status: 200\n");
		end();
		fields_cache_purge();
		CHECK_EQ(mem_live_blocks(), live);
	}
	CHECK(whole > 0 && whole < 59);
}

/* ---- views ---- */

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
