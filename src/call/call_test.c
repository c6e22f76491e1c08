#include "call/call.h"
#include "base/mem.h"
#include "call/labels.h"
#include "call/timing.h"
#include "base/log.h"
#include "call/stall.h"
#include "tap.h"

/* A front and a terminus that write down what they are told. */
struct record {
	char text[512];
	uint32_t credit;
	int aborts, drops;
};

static struct record front_log, terminus_log;
static bool terminus_lingers; /* call_terminus_done comes later */

static void note(struct record *r, const char *what)
{
	strncat(r->text, what, sizeof(r->text) - strlen(r->text) - 1);
}

static void note_event(struct record *r, const struct event *ev)
{
	static const char *const names[] = {"INFO", "HEAD", "DATA", "TRAILERS", "RESET"};
	note(r, names[ev->kind]);
	if (ev->kind == EVENT_DATA) {
		char data[64];
		snprintf(
			data, sizeof(data), "(%.*s)", (int)ev->data.len, (const char *)ev->data.at);
		note(r, data);
	}
	for (uint32_t i = 0; ev->fields && i < ev->fields->count; i++) {
		const struct field *f = &ev->fields->list[i];
		char pair[160];
		snprintf(pair, sizeof(pair), "[%.*s=%.*s]", (int)f->name_len, f->name,
			(int)f->value_len, f->value);
		note(r, pair);
	}
	note(r, ev->end ? ". " : " ");
}

static void front_push(struct call *c, struct event *ev)
{
	note_event(&front_log, ev);
	event_drop(ev);
}
static void front_credit(struct call *c, uint32_t bytes)
{
	front_log.credit += bytes;
}
static void front_drop(struct call *c)
{
	front_log.drops++;
}
static void front_abort(struct call *c)
{
	front_log.aborts++;
	call_front_done(c);
}
static const struct call_front front = {front_push, front_credit, front_drop, front_abort};

static int terminus_open(struct call *c)
{
	return 0;
}
static void terminus_push(struct call *c, struct event *ev)
{
	note_event(&terminus_log, ev);
	event_drop(ev);
}
static void terminus_credit(struct call *c, uint32_t bytes)
{
	terminus_log.credit += bytes;
}
static void terminus_abort(struct call *c)
{
	terminus_log.aborts++;
	if (!terminus_lingers)
		call_terminus_done(c);
}
static const struct call_terminus terminus = {
	"test", terminus_open, terminus_push, terminus_credit, terminus_abort};

/* A filter that marks what passes, and one that fails the call on DATA "bad". */
static bool mark_request(struct call *c, void *state, struct event *ev)
{
	note(&terminus_log, "1");
	return true;
}
static bool mark_response(struct call *c, void *state, struct event *ev)
{
	note(&front_log, "1");
	return true;
}
static int closes;
static void mark_close(struct call *c, void *state)
{
	closes++;
}
static bool judge_request(struct call *c, void *state, struct event *ev)
{
	note(&terminus_log, "2");
	if (ev->kind == EVENT_DATA && ev->data.len == 3 && !memcmp(ev->data.at, "bad", 3))
		call_fail(c, REASON_MESSAGE_BYTES,
			"100% too b\xc3\xa4"
			"d");
	return true;
}
static bool judge_response(struct call *c, void *state, struct event *ev)
{
	note(&front_log, "2");
	return true;
}
static int refuse_open(struct call *c, void *state)
{
	return ERR_NOMEM;
}
/* A filter that wants calls whose head says so, and has a stage that only passes DATA on. */
static bool picky_wants(const struct call *c)
{
	return field_is(fields_get(c->head, TOKEN_METHOD), "PUT");
}
static void *picky_state;
static int picky_open(struct call *c, void *state)
{
	picky_state = state;
	return 0;
}
static const struct call_filter mark = {
	"mark", 8, NULL, NULL, mark_request, mark_response, mark_close};
static const struct call_filter judge = {
	"judge", 0, NULL, NULL, judge_request, judge_response, mark_close};
static const struct call_filter refuser = {"refuser", 0, NULL, refuse_open, NULL, NULL, mark_close};
static const struct call_filter picky = {
	"picky", 2048, picky_wants, picky_open, judge_request, judge_response, mark_close};
static const struct call_filter *const picky_chain[] = {&picky, &mark, NULL};
static const struct call_filter *const chain[] = {&mark, &judge, NULL};
static const struct call_filter *const bad_chain[] = {&mark, &refuser, NULL};

static struct call_env env;
static struct call_generation generation;
static struct config config;
static struct config_listener listener = {.name = (char *)"in"};
static struct metrics *metrics;

static void begin(void)
{
	memset(&front_log, 0, sizeof(front_log));
	memset(&terminus_log, 0, sizeof(terminus_log));
	terminus_lingers = false;
	closes = 0;
	call_env_init(&env);
	metrics = metrics_create(100);
	env.metrics = metrics_slab_create(metrics);
	env.filters = chain;
	generation = (struct call_generation){.config = &config};
}

static void finish(void)
{
	call_reap(&env);
	CHECK_EQ(env.calls, 0);
	CHECK_EQ(env.started, env.completed);
	CHECK_EQ(generation.calls, 0);
	labels_fini(&generation);
	call_env_fini(&env);
	metrics_destroy(metrics);
	fields_cache_purge();
}

static struct fields *request(const char *method, const char *path, const char *type)
{
	struct fields *f = fields_create();
	CHECK(f && !fields_add_str(f, TOKEN_METHOD, method) &&
		!fields_add_str(f, TOKEN_PATH, path) &&
		!fields_add_str(f, TOKEN_AUTHORITY, "h:1") &&
		(!type || !fields_add_str(f, TOKEN_CONTENT_TYPE, type)));
	return f;
}

static struct call *open_call(const char *method, const char *path, const char *type)
{
	struct fields *head = request(method, path, type);
	struct call *c = call_create(&env, &generation, &listener, &front, NULL, head);
	CHECK(c && call_open(c, &terminus) == 0);
	CHECK(!c->head);
	fields_destroy(head);
	return c;
}

static struct call *grpc_call(void)
{
	return open_call("POST", "/a.B/C", "application/grpc+proto");
}

static void data(struct call *c, enum lane_id lane, const char *text, bool end)
{
	struct event ev = {
		.kind = EVENT_DATA, .end = end, .data = slice_static(text, (uint32_t)strlen(text))};
	(lane == LANE_REQUEST ? call_push_request : call_push_response)(c, &ev);
}

static void response_head(struct call *c, const char *status, bool end)
{
	struct event ev = {.kind = EVENT_HEAD, .end = end, .fields = fields_create()};
	CHECK(!fields_add_str(ev.fields, TOKEN_STATUS, status));
	call_push_response(c, &ev);
}

TEST(a_call_knows_what_its_head_said)
{
	begin();
	struct call *c = grpc_call();
	CHECK_STR(c->method, "POST");
	CHECK_STR(c->path, "/a.B/C");
	CHECK_STR(c->authority, "h:1");
	CHECK_STR(c->grpc_service, "a.B");
	CHECK_STR(c->grpc_method, "C");
	CHECK(c->is_grpc && !c->is_head);
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(c);
	c = open_call("HEAD", "/plain", "application/grpc-web");
	CHECK(!c->is_grpc && c->is_head);
	CHECK_STR(c->grpc_service, "");
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(c);
	finish();
}

TEST(events_pass_filters_in_order_and_back_in_reverse)
{
	begin();
	struct call *c = grpc_call();
	data(c, LANE_REQUEST, "q", true);
	response_head(c, "200", false);
	data(c, LANE_RESPONSE, "r", true);
	CHECK_STR(terminus_log.text, "12DATA(q). ");
	CHECK_STR(front_log.text, "21HEAD[:status=200] 21DATA(r). ");
	CHECK(c->request_ended && c->response_started && c->response_ended);
	CHECK_EQ(c->http_status, 200);
	call_front_done(c);
	CHECK_EQ(call_reap(&env), 0); /* the terminus still holds it */
	call_terminus_done(c);
	CHECK_EQ(call_reap(&env), 1);
	CHECK_EQ(closes, 2);
	finish();
}

TEST(credit_goes_backward_and_waits_while_the_budget_stops_it)
{
	begin();
	struct call *c = grpc_call();
	call_credit_request(c, 5);
	call_credit_response(c, 7);
	CHECK_EQ(front_log.credit, 5);
	CHECK_EQ(terminus_log.credit, 7);
	call_credit_stop(&env);
	call_credit_request(c, 10);
	call_credit_request(c, 10);
	call_credit_response(c, 30);
	CHECK_EQ(front_log.credit, 5);
	CHECK_EQ(terminus_log.credit, 7);
	call_credit_resume(&env);
	CHECK_EQ(front_log.credit, 25);
	CHECK_EQ(terminus_log.credit, 37);
	call_credit_stop(&env);
	call_credit_request(c, 1);
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(c);
	call_reap(&env); /* a reaped call is owed nothing */
	call_credit_resume(&env);
	CHECK_EQ(front_log.credit, 25);
	finish();
}

TEST(a_grpc_call_that_fails_early_gets_trailers_only_with_the_cause)
{
	begin();
	struct call *c = grpc_call();
	call_fail(c, REASON_CONNECT_REFUSED, "caf\xc3\xa9: refused");
	CHECK_STR(front_log.text,
		"21HEAD[:status=200][content-type=application/grpc][grpc-status=14]"
		"[grpc-message=caf%C3%A9: refused]. ");
	CHECK_EQ(c->grpc_status, 14);
	CHECK_EQ(c->abort.who, CALL_BY_SELF);
	/* The request is open: NO_ERROR asks the client to stop (RFC 9113 8.1). */
	CHECK_EQ(front_log.aborts, 1);
	CHECK_EQ(c->abort.h2_code, 0);
	CHECK_EQ(terminus_log.aborts, 1);
	const char *labels[] = {"in", "connect_refused"};
	CHECK_EQ(metrics_read(metrics, M_LOCAL_REPLIES, labels), 1);
	finish();
}

TEST(a_grpc_call_that_fails_in_mid_stream_gets_trailers_in_place_of_queued_data)
{
	begin();
	struct call *c = grpc_call();
	data(c, LANE_REQUEST, "q", true);
	response_head(c, "200", false);
	call_fail(c, REASON_UPSTREAM_LOST, "lost");
	CHECK_STR(front_log.text,
		"21HEAD[:status=200] 21TRAILERS[grpc-status=14][grpc-message=lost]. ");
	CHECK_EQ(front_log.drops, 1);
	CHECK_EQ(front_log.aborts, 0); /* both lanes ended: nothing to reset */
	data(c, LANE_RESPONSE, "late", false);
	CHECK(!strstr(front_log.text, "late"));
	call_front_done(c);
	finish();
}

TEST(a_plain_call_that_fails_gets_its_http_status_and_a_line_of_text)
{
	begin();
	struct call *c = open_call("GET", "/x", NULL);
	struct event end = {.kind = EVENT_DATA, .end = true};
	call_push_request(c, &end);
	call_fail(c, REASON_NO_ROUTE, "no route");
	CHECK_STR(front_log.text, "21HEAD[:status=404][content-type=text/plain; charset=utf-8]"
				  "[content-length=9] 21DATA(no route\n). ");
	call_front_done(c);
	finish();
}

TEST(the_answer_to_head_has_no_content)
{
	begin();
	struct call *c = open_call("HEAD", "/x", NULL);
	call_fail(c, REASON_NO_ROUTE, "no route");
	CHECK(strstr(front_log.text, "[content-length=9]. ") != NULL);
	CHECK(!strstr(front_log.text, "DATA"));
	finish();
}

TEST(a_plain_call_that_fails_in_mid_response_is_reset_with_internal_error)
{
	begin();
	struct call *c = open_call("GET", "/x", NULL);
	response_head(c, "200", false);
	call_fail(c, REASON_UPSTREAM_LOST, "lost");
	CHECK_EQ(front_log.aborts, 1);
	CHECK_EQ(c->abort.h2_code, 2);
	finish();
}

TEST(the_first_reason_wins)
{
	begin();
	struct call *c = grpc_call();
	terminus_lingers = true;
	call_reset(c, CALL_BY_UPSTREAM, REASON_UPSTREAM_RESET, 11);
	CHECK_EQ(front_log.aborts, 1);
	call_fail(c, REASON_NO_MEMORY, "later");
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_RESET, 8);
	CHECK_EQ(c->abort.who, CALL_BY_UPSTREAM);
	CHECK_EQ(c->abort.h2_code, 11); /* kept end to end */
	CHECK_EQ(terminus_log.aborts, 1);
	CHECK_EQ(front_log.aborts, 1);
	CHECK_EQ(call_reap(&env), 0);
	call_terminus_done(c);
	finish();
}

TEST(a_filter_may_fail_the_call_and_the_event_goes_nowhere)
{
	begin();
	struct call *c = grpc_call();
	data(c, LANE_REQUEST, "bad", false);
	CHECK_STR(terminus_log.text, "12");
	CHECK(strstr(front_log.text, "[grpc-status=8][grpc-message=100%25 too b%C3%A4d]. ") !=
		NULL);
	finish();
}

TEST(a_filter_that_does_not_want_a_call_is_not_in_its_chain)
{
	begin();
	env.filters = picky_chain;
	picky_state = NULL;
	struct call *c = grpc_call();
	CHECK_EQ(c->stage_count, 1);
	CHECK(!picky_state);
	data(c, LANE_REQUEST, "q", true);
	response_head(c, "200", true);
	CHECK_STR(terminus_log.text, "1DATA(q). ");
	CHECK_STR(front_log.text, "1HEAD[:status=200]. ");
	call_front_done(c);
	call_terminus_done(c);
	CHECK_EQ(call_reap(&env), 1);
	CHECK_EQ(closes, 1);
	long blocks = mem_live_blocks();
	c = grpc_call();
	CHECK_EQ(mem_live_blocks(), blocks); /* its state would not fit into the block */
	call_front_done(c);
	call_terminus_done(c);
	CHECK_EQ(call_reap(&env), 1);
	closes = 0;
	memset(&front_log, 0, sizeof(front_log));
	memset(&terminus_log, 0, sizeof(terminus_log));
	c = open_call("PUT", "/x", NULL);
	CHECK_EQ(c->stage_count, 2);
	CHECK(picky_state && picky_state == c->stages[0].state);
	data(c, LANE_REQUEST, "q", false);
	struct event later = {.kind = EVENT_DATA, .end = true};
	call_resume_request(c, 1, &later);
	response_head(c, "200", true);
	CHECK_STR(terminus_log.text, "21DATA(q) 1DATA(). ");
	CHECK_STR(front_log.text, "12HEAD[:status=200]. ");
	call_front_done(c);
	call_terminus_done(c);
	CHECK_EQ(call_reap(&env), 1);
	CHECK_EQ(closes, 2);
	finish();
}

TEST(a_filter_that_does_not_open_closes_those_before_it)
{
	begin();
	env.filters = bad_chain;
	struct fields *head = request("POST", "/a.B/C", NULL);
	struct call *c = call_create(&env, &generation, &listener, &front, NULL, head);
	fields_destroy(head);
	CHECK_EQ(call_open(c, &terminus), ERR_NOMEM);
	CHECK_EQ(closes, 1);
	call_discard(c);
	finish();
}

TEST(events_after_the_end_of_a_lane_are_dropped)
{
	begin();
	struct call *c = grpc_call();
	data(c, LANE_REQUEST, "q", true);
	data(c, LANE_REQUEST, "more", false);
	response_head(c, "204", true);
	data(c, LANE_RESPONSE, "more", false);
	CHECK(!strstr(terminus_log.text, "more") && !strstr(front_log.text, "more"));
	call_front_done(c);
	call_terminus_done(c);
	finish();
}

TEST(every_failed_allocation_refuses_or_answers_and_nothing_leaks)
{
	char long_path[3000];
	memset(long_path, 'x', sizeof(long_path) - 1);
	memcpy(long_path, "/a.B/", 5);
	long_path[sizeof(long_path) - 1] = '\0';
	for (long nth = 1; nth < 40; nth++) {
		long before = mem_live_blocks();
		begin();
		struct fields *head = request("POST", long_path, "application/grpc");
		mem_fail_after(nth);
		struct call *c = call_create(&env, &generation, &listener, &front, NULL, head);
		if (c && call_open(c, &terminus) != 0) {
			call_discard(c);
			c = NULL;
		}
		if (c) {
			call_fail(c, REASON_INTERNAL, "x");
			CHECK_EQ(terminus_log.aborts, 1);
			CHECK(c->response_ended || front_log.aborts == 1);
			if (!c->front_done)
				call_front_done(c);
		}
		mem_fail_after(0);
		fields_destroy(head);
		finish();
		CHECK_EQ(mem_live_blocks(), before);
	}
}

static const char *const stall_labels[] = {"in", "r", "", "received", "peer_stream_window"};

TEST(time_blocked_is_charged_to_the_cause_that_held)
{
	begin();
	struct config_route route = {.name = (char *)"r"};
	struct call *c = grpc_call();
	c->route = &route;
	env.now_ns = 1000;
	call_stall(c, LANE_RESPONSE, STALL_PEER_STREAM_WINDOW);
	env.now_ns = 1300;
	CHECK_EQ(call_stalled_ns(c, LANE_RESPONSE, STALL_PEER_STREAM_WINDOW), 300);
	call_stall(c, LANE_RESPONSE, STALL_SOCKET);
	call_stall_budget(c, LANE_RESPONSE, true); /* the transport's cause goes before */
	env.now_ns = 1310;
	call_stall(c, LANE_RESPONSE, STALL_NONE);
	CHECK_EQ(call_stalled(c, LANE_RESPONSE), STALL_MEMORY_BUDGET);
	env.now_ns = 1315;
	call_stall_budget(c, LANE_RESPONSE, false);
	env.now_ns = 2000;
	CHECK_EQ(call_stalled_ns(c, LANE_RESPONSE, STALL_PEER_STREAM_WINDOW), 300);
	CHECK_EQ(call_stalled_ns(c, LANE_RESPONSE, STALL_SOCKET), 10);
	CHECK_EQ(call_stalled_ns(c, LANE_RESPONSE, STALL_MEMORY_BUDGET), 5);
	CHECK_EQ(call_stalled_ns(c, LANE_REQUEST, STALL_SOCKET), 0);
	call_stall_publish(c);
	CHECK_EQ(metrics_read(metrics, M_STREAM_STALLED, stall_labels), 300);
	/* A running stall shows at each look, once. */
	call_stall(c, LANE_RESPONSE, STALL_PEER_STREAM_WINDOW);
	env.now_ns = 2050;
	call_stall_publish(c);
	call_stall_publish(c);
	CHECK_EQ(metrics_read(metrics, M_STREAM_STALLED, stall_labels), 350);
	env.now_ns = 2060;
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(c);
	call_reap(&env); /* its end charges the rest */
	CHECK_EQ(metrics_read(metrics, M_STREAM_STALLED, stall_labels), 360);
	finish();
}

static const char *const timing_labels[] = {"in", "r", "", "sent"};

TEST(messages_leave_their_gaps_and_their_time_inside)
{
	begin();
	struct config_route route = {.name = (char *)"r"};
	struct fields *head = request("POST", "/a.B/C", "application/grpc");
	env.now_ns = 1000;
	struct call *c = call_create(&env, &generation, &listener, &front, NULL, head);
	fields_destroy(head);
	c->route = &route;
	REQUIRE(call_open(c, &terminus) == 0);
	env.now_ns = 5000;
	timing_passed(c, LANE_REQUEST, 0, 3); /* the begin of a message */
	timing_passed(c, LANE_REQUEST, 3, 30);
	CHECK_EQ(metrics_read(metrics, M_FIRST_MESSAGE, timing_labels), 1);
	CHECK_EQ(metrics_read(metrics, M_MESSAGE_GAP, timing_labels), 2); /* of the same turn: 0 */
	call_credit_request(c, 20);
	CHECK_EQ(metrics_read(metrics, M_MESSAGE_RESIDENCE, timing_labels),
		0); /* its last byte waits */
	env.now_ns = 6000;
	timing_passed(c, LANE_REQUEST, 1, 10);
	CHECK_EQ(metrics_read(metrics, M_MESSAGE_GAP, timing_labels), 3);
	call_credit_request(c, 13);
	CHECK_EQ(metrics_read(metrics, M_MESSAGE_RESIDENCE, timing_labels), 3);
	call_credit_request(c, 10);
	CHECK_EQ(metrics_read(metrics, M_MESSAGE_RESIDENCE, timing_labels), 4);
	/* More turns than there are marks: the count stays exact. */
	for (int i = 0; i < 3 * LANE_MARKS; i++) {
		env.now_ns += 1000;
		timing_passed(c, LANE_REQUEST, 2, 8);
	}
	CHECK_EQ(c->lanes[LANE_REQUEST].mark_count, LANE_MARKS);
	for (int i = 0; i < 3 * LANE_MARKS; i++)
		call_credit_request(c, 8);
	CHECK_EQ(metrics_read(metrics, M_MESSAGE_RESIDENCE, timing_labels), 4 + 6 * LANE_MARKS);
	CHECK_EQ(c->lanes[LANE_REQUEST].messages, 4 + 6 * LANE_MARKS);
	CHECK_EQ(c->lanes[LANE_REQUEST].mark_count, 0);
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(c);
	finish();
}

TEST(series_are_found_once_for_a_route_and_a_method)
{
	begin();
	struct config_route route = {.name = (char *)"r"};
	struct call *c = grpc_call();
	struct call_labels *mine = call_labels(c);
	REQUIRE(mine);
	CHECK(mine == call_labels(c) && mine == c->labels);
	CHECK(!labels_method(mine, c));
	struct method_labels *m = labels_remember(mine, c);
	CHECK(m && labels_method(mine, c) == m);
	CHECK(labels_remember(mine, c) == m); /* two first calls at once */
	struct call *other = open_call("POST", "/a.B/D", "application/grpc");
	CHECK(call_labels(other) == mine && !labels_method(mine, other));
	other->route = &route;
	CHECK(call_labels(other) != mine);
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(c);
	call_reset(other, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(other);
	finish();
}

static char said[4][512];
static int said_count;
static void listen_to_log(const char *line)
{
	snprintf(said[said_count++ % 4], sizeof(said[0]), "%s", line);
}

TEST(a_call_that_hangs_is_counted_and_said_once_with_its_cause)
{
	begin();
	static const char *const stalled[] = {"in", "r", "", "stalled"}, *const silent[] = {"in",
										 "r", "", "silent"};
	struct config_route route = {
		.name = (char *)"r", .stalled_after_ns = 100, .silent_after_ns = 1000};
	struct call *c = grpc_call();
	said_count = 0;
	log_set_sink(listen_to_log);
	c->route = &route;
	c->peer = "1.2.3.4:5";
	env.now_ns = 99;
	call_stall(c, LANE_REQUEST, STALL_PEER_CONNECTION_WINDOW);
	env.now_ns = 198;
	call_watch(c);
	CHECK_EQ(c->hung, HUNG_NO);
	env.now_ns = 199;
	call_watch(c);
	call_watch(c);
	CHECK_EQ(c->hung, HUNG_STALLED);
	CHECK_EQ(metrics_read(metrics, M_STREAMS_HUNG, stalled), 1);
	CHECK_EQ(said_count, 1);
	CHECK(strstr(said[0], "stream stalled") &&
		strstr(said[0], "sent_blocked_by=peer_connection_window") &&
		strstr(said[0], "client=1.2.3.4:5") && strstr(said[0], "server_last=never") &&
		strstr(said[0], "id=0-1 "));
	call_stall(c, LANE_REQUEST, STALL_NONE);
	call_watch(c);
	CHECK_EQ(metrics_read(metrics, M_STREAMS_HUNG, stalled), 0);
	c->lanes[LANE_RESPONSE].last_ns = 500;
	env.now_ns = 1499;
	call_watch(c);
	CHECK_EQ(c->hung, HUNG_NO);
	env.now_ns = 1500;
	call_watch(c);
	CHECK_EQ(metrics_read(metrics, M_STREAMS_HUNG, silent), 1);
	CHECK_EQ(said_count, 2);
	c->lanes[LANE_REQUEST].last_ns = 1500;
	call_watch(c);
	env.now_ns = 2500;
	call_watch(c); /* silent again: counted, not said again */
	CHECK_EQ(metrics_read(metrics, M_STREAMS_HUNG, silent), 1);
	CHECK_EQ(metrics_read(metrics, M_STREAMS_HUNG_FOUND, silent), 1);
	CHECK_EQ(said_count, 2);
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(c);
	call_reap(&env);
	CHECK_EQ(metrics_read(metrics, M_STREAMS_HUNG, silent), 0);
	log_set_sink(NULL);
	finish();
}

TEST(every_reason_has_a_label_of_its_own)
{
	for (int i = 0; i < REASON_COUNT; i++) {
		for (int j = 0; j < i; j++)
			CHECK(strcmp(call_reason_label((enum call_reason_id)i),
				      call_reason_label((enum call_reason_id)j)) != 0);
	}
}

TAP_MAIN()
