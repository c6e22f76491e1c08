/* admin_test.c - the pages that are admin's own. */
#include "admin/admin_kit.h"

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

TAP_MAIN()
