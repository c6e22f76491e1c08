#include "call/call_kit.h"

static int refuse_open(struct call *c, void *state)
{
	return ERR_NOMEM;
}
/* A filter that wants calls whose head says so, and has a stage that only passes DATA on. */
static bool picky_wants(const struct call *c)
{
	return field_is(fields_get(c->env->head, TOKEN_METHOD), "PUT");
}
static void *picky_state;
static int picky_open(struct call *c, void *state)
{
	picky_state = state;
	return 0;
}
static const struct call_filter refuser = {"refuser", 0, NULL, refuse_open, NULL, NULL, mark_close};
static const struct call_filter picky = {
	"picky", 2048, picky_wants, picky_open, judge_request, judge_response, mark_close};
static const struct call_filter *const picky_chain[] = {&picky, &mark, NULL};
static const struct call_filter *const bad_chain[] = {&mark, &refuser, NULL};

TEST(a_call_knows_what_its_head_said)
{
	begin();
	struct call *c = grpc_call();
	CHECK_STR(c->said->method, "POST");
	CHECK_STR(c->said->path, "/a.B/C");
	CHECK_STR(c->said->authority, "h:1");
	CHECK_STR(c->said->grpc_service, "a.B");
	CHECK_STR(c->said->grpc_method, "C");
	CHECK(c->is_grpc && !c->is_head);
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(c);
	c = open_call("HEAD", "/plain", "application/grpc-web");
	CHECK(!c->is_grpc && c->is_head);
	CHECK_STR(c->said->grpc_service, "");
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

TEST(a_grpc_call_whose_front_cannot_drop_queued_data_is_aborted_in_mid_stream_without_trailers)
{
	static const struct call_front http1 = {front_push, front_credit, NULL, front_abort};
	begin();
	struct call *c = grpc_call();
	c->front = &http1;
	data(c, LANE_REQUEST, "q", true);
	response_head(c, "200", false);
	data(c, LANE_RESPONSE, "a", false);
	call_fail(c, REASON_UPSTREAM_LOST, "lost");
	CHECK_STR(front_log.text, "21HEAD[:status=200] 21DATA(a) ");
	CHECK_EQ(front_log.aborts, 1);
	CHECK_EQ(c->abort.h2_code, 2);
	CHECK(!c->response_ended);
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

TEST(memory_that_goes_with_a_call_is_zeroed_in_a_used_block_and_beyond_it)
{
	static const uint8_t zeros[128];
	begin();
	for (int round = 0; round < 2; round++) {
		struct call *c = grpc_call();
		for (unsigned bytes = 1; bytes <= sizeof(zeros); bytes += 9) {
			uint8_t *p = call_zalloc(c, bytes);
			REQUIRE(p);
			CHECK_MEM(p, bytes, zeros, bytes);
			memset(p, 0xff, bytes);
		}
		CHECK(c->arena.chunks); /* more than a block has */
		call_front_done(c);
		call_terminus_done(c);
		CHECK_EQ(call_reap(&env), 1);
	}
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

TEST(every_reason_has_a_label_of_its_own)
{
	for (int i = 0; i < REASON_COUNT; i++) {
		for (int j = 0; j < i; j++)
			CHECK(strcmp(call_reason_label((enum call_reason_id)i),
				      call_reason_label((enum call_reason_id)j)) != 0);
	}
}

TAP_MAIN()
