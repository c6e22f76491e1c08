#include "filter/count.h"
#include "filter/filter_kit.h"
#include "http/run.h"

static struct config_route any = {.name = "any"};
static struct config_route half_named = {.name = "half", .match = {.service = "a.B"}};

TEST(messages_are_seen_in_both_directions_while_the_stream_is_open)
{
	world_init(100);
	struct call *c = grpc_call(&named, "/a.B/C");
	CHECK_EQ(of("named", "a.B", "C", M_STREAMS_STARTED), 1);
	CHECK_EQ(of("named", "a.B", "C", M_STREAMS_ACTIVE), 1);
	request(c, two, 7, false);
	CHECK_EQ(of("named", "a.B", "C", M_SENT_MESSAGES), 0);
	CHECK_EQ(of("named", "a.B", "C", M_SENT_BYTES), 7);
	request(c, two + 7, 1, false);
	CHECK_EQ(of("named", "a.B", "C", M_SENT_MESSAGES), 1);
	response_head(c);
	response(c, two, TWO_BYTES, false);
	response(c, two, TWO_BYTES, false);
	CHECK_EQ(of("named", "a.B", "C", M_RECEIVED_MESSAGES), 4);
	CHECK_EQ(of("named", "a.B", "C", M_RECEIVED_BYTES), 2 * TWO_BYTES);
	CHECK_EQ(of("named", "a.B", "C", M_RECEIVED_MESSAGE_SIZE), 4);
	request(c, two + 8, 6, true);
	response_status(c, "0");
	CHECK_EQ(of("named", "a.B", "C", M_STREAMS_ACTIVE), 1);
	finish(c);
	CHECK_EQ(of("named", "a.B", "C", M_SENT_MESSAGES), 2);
	CHECK_EQ(of("named", "a.B", "C", M_SENT_BYTES), TWO_BYTES);
	CHECK_EQ(of("named", "a.B", "C", M_SENT_MESSAGE_SIZE), 2);
	CHECK_EQ(of("named", "a.B", "C", M_STREAMS_ACTIVE), 0);
	CHECK_EQ(of("named", "a.B", "C", M_TRUNCATED_MESSAGES), 0);
	CHECK_EQ(completed("named", "a.B", "C", "OK"), 1);
	CHECK_EQ(told.data_bytes, 2 * TWO_BYTES);
	CHECK_EQ(served.data_bytes, TWO_BYTES);
	world_fini();
}

TEST(a_message_that_ends_its_lane_is_counted_as_any_other_and_held_to_the_limit)
{
	static const char one[] = "\0\0\0\0\3abc";
	static const char large[5 + 1001] = "\0\0\0\3\xe9";
	world_init(100);
	struct call *c = grpc_call(&named, "/a.B/C");
	request(c, one, 8, true);
	response_head(c);
	response(c, one, 8, false);
	response_status(c, "0");
	finish(c);
	c = grpc_call(&named, "/a.B/C");
	request(c, large, sizeof(large), true);
	CHECK_EQ(c->abort.reason, REASON_MESSAGE_BYTES);
	finish(c);
	CHECK_EQ(of("named", "a.B", "C", M_SENT_BYTES), 8 + sizeof(large));
	CHECK_EQ(of("named", "a.B", "C", M_SENT_MESSAGE_SIZE), 2);
	CHECK_EQ(of("named", "a.B", "C", M_RECEIVED_MESSAGES), 1);
	CHECK_EQ(of("named", "a.B", "C", M_TRUNCATED_MESSAGES), 0);
	CHECK_EQ(completed("named", "a.B", "C", "OK"), 1);
	CHECK_EQ(served.data_bytes, 8);
	world_fini();
}

/* A head that is wholly a run of fields, so that the call finds it known. */
static struct call *known_call(const char *type)
{
	struct fields *all = FIELDS(
		":method", "POST", ":path", "/a.B/C", "content-type", type, "te", "trailers");
	struct fields *head = fields_create();
	struct fields_run *run = run_intern(fields_list(all), all->count);
	if (!head || !run)
		abort();
	fields_begin(head, run);
	fields_destroy(all);
	struct call *c = call_with(&named, head, false);
	CHECK(c->known != NULL);
	return c;
}

TEST(a_known_head_is_counted_by_its_content_type_each_time)
{
	world_init(100);
	for (int i = 0; i < 3; i++) {
		struct call *rpc = known_call("application/grpc"), *page = known_call("text/html");
		request(rpc, two, TWO_BYTES, true);
		request(page, two, TWO_BYTES, true);
		response_head(rpc);
		response_status(rpc, "0");
		call_reset(page, CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_CANCEL);
		finish(rpc);
		finish(page);
	}
	CHECK_EQ(of("named", "a.B", "C", M_SENT_MESSAGES), 6);
	CHECK_EQ(of("named", "", "", M_SENT_MESSAGES), 0);
	CHECK_EQ(of("named", "", "", M_SENT_BYTES), 3 * TWO_BYTES);
	world_fini();
}

TEST(a_method_that_no_route_names_and_no_upstream_answered_makes_no_series)
{
	world_init(100);
	for (unsigned i = 0; i < 50; i++) {
		char path[32];
		snprintf(path, sizeof path, "/scan.S/M%u", i);
		struct call *c = grpc_call(i % 2 ? &any : &half_named, path);
		const char *route = i % 2 ? "any" : "half";
		request(c, two, TWO_BYTES, true);
		CHECK_EQ(of(route, "_OTHER", "_OTHER", M_STREAMS_ACTIVE), 1);
		response_fields(c, EVENT_HEAD,
			FIELDS(":status", "200", "content-type", "application/grpc", "grpc-status",
				"12"),
			true);
		finish(c);
		CHECK(!has_series(route, "scan.S", path + 8));
	}
	for (unsigned i = 0; i < 2; i++) {
		const char *route = i % 2 ? "any" : "half";
		CHECK_EQ(of(route, "_OTHER", "_OTHER", M_STREAMS_STARTED), 25);
		CHECK_EQ(of(route, "_OTHER", "_OTHER", M_STREAMS_ACTIVE), 0);
		CHECK_EQ(of(route, "_OTHER", "_OTHER", M_SENT_MESSAGES), 50);
		CHECK_EQ(of(route, "_OTHER", "_OTHER", M_SENT_MESSAGE_SIZE), 50);
		CHECK_EQ(completed(route, "_OTHER", "_OTHER", "UNIMPLEMENTED"), 25);
	}
	world_fini();
}

TEST(evidence_moves_everything_into_the_method_and_later_calls_count_there_at_once)
{
	world_init(100);
	struct call *c = grpc_call(&any, "/a.B/New");
	request(c, two, TWO_BYTES, false);
	CHECK(!has_series("any", "a.B", "New"));
	CHECK_EQ(of("any", "_OTHER", "_OTHER", M_STREAMS_ACTIVE), 1);
	CHECK_EQ(of("any", "_OTHER", "_OTHER", M_STREAMS_STARTED), 0);
	response_head(c);
	CHECK_EQ(of("any", "a.B", "New", M_SENT_MESSAGES), 2);
	CHECK_EQ(of("any", "a.B", "New", M_SENT_MESSAGE_SIZE), 2);
	CHECK_EQ(of("any", "a.B", "New", M_STREAMS_STARTED), 1);
	CHECK_EQ(of("any", "a.B", "New", M_STREAMS_ACTIVE), 1);
	CHECK_EQ(of("any", "_OTHER", "_OTHER", M_STREAMS_ACTIVE), 0);
	struct call *next = grpc_call(&any, "/a.B/New");
	request(next, two, TWO_BYTES, false);
	CHECK_EQ(of("any", "a.B", "New", M_SENT_MESSAGES), 4);
	CHECK_EQ(of("any", "a.B", "New", M_STREAMS_ACTIVE), 2);
	response_status(c, "5");
	finish(c);
	call_reset(next, CALL_BY_CLIENT, REASON_CLIENT_GONE, H2_CANCEL);
	finish(next);
	CHECK_EQ(of("any", "a.B", "New", M_STREAMS_STARTED), 2);
	CHECK_EQ(of("any", "a.B", "New", M_STREAMS_ACTIVE), 0);
	CHECK_EQ(of("any", "_OTHER", "_OTHER", M_STREAMS_STARTED), 0);
	CHECK_EQ(completed("any", "a.B", "New", "NOT_FOUND"), 1);
	CHECK_EQ(completed("any", "a.B", "New", "CANCELLED"), 1);
	world_fini();
}

TEST(calls_that_wait_together_for_the_first_success_share_what_is_remembered)
{
	world_init(100);
	struct call *c[3];
	for (unsigned i = 0; i < 3; i++)
		c[i] = grpc_call(&any, "/a.B/New");
	for (unsigned i = 0; i < 3; i++)
		response_head(c[i]);
	for (unsigned i = 0; i < 3; i++) {
		response_status(c[i], "0");
		finish(c[i]);
	}
	CHECK_EQ(of("any", "a.B", "New", M_STREAMS_STARTED), 3);
	CHECK_EQ(completed("any", "a.B", "New", "OK"), 3);
	world_fini();
}

TEST(status_0_without_content_is_evidence_and_a_page_of_HTML_is_none)
{
	world_init(100);
	struct call *c = grpc_call(&any, "/a.B/Empty");
	response_fields(c, EVENT_HEAD,
		FIELDS(":status", "200", "content-type", "application/grpc", "grpc-status", "0"),
		true);
	finish(c);
	CHECK_EQ(of("any", "a.B", "Empty", M_STREAMS_STARTED), 1);
	CHECK_EQ(completed("any", "a.B", "Empty", "OK"), 1);

	c = grpc_call(&any, "/a.B/Html");
	response_fields(
		c, EVENT_HEAD, FIELDS(":status", "200", "content-type", "text/html"), false);
	response(c, "<html>", 6, true);
	finish(c);
	CHECK(!has_series("any", "a.B", "Html"));
	CHECK_EQ(of("any", "_OTHER", "_OTHER", M_RECEIVED_BYTES), 6);
	CHECK_EQ(of("any", "_OTHER", "_OTHER", M_RECEIVED_MESSAGES), 0);
	CHECK_EQ(completed("any", "_OTHER", "_OTHER", "UNKNOWN"), 1);

	c = grpc_call(&any, "/a.B/NotFound");
	response_fields(
		c, EVENT_HEAD, FIELDS(":status", "404", "content-type", "application/grpc"), true);
	finish(c);
	CHECK(!has_series("any", "a.B", "NotFound"));
	CHECK_EQ(completed("any", "_OTHER", "_OTHER", "UNIMPLEMENTED"), 1);
	world_fini();
}

TEST(other_traffic_counts_bytes_and_calls_but_no_messages)
{
	world_init(100);
	struct call *c = call_with(&any,
		FIELDS(":method", "POST", ":path", "/a.B/C", "content-type", "application/json"),
		false);
	request(c, two, TWO_BYTES, true);
	response_fields(c, EVENT_HEAD, FIELDS(":status", "201"), false);
	response(c, two, TWO_BYTES, true);
	finish(c);
	CHECK_EQ(of("any", "", "", M_STREAMS_STARTED), 1);
	CHECK_EQ(of("any", "", "", M_SENT_BYTES), TWO_BYTES);
	CHECK_EQ(of("any", "", "", M_RECEIVED_BYTES), TWO_BYTES);
	CHECK_EQ(of("any", "", "", M_SENT_MESSAGES) + of("any", "", "", M_RECEIVED_MESSAGES), 0);
	CHECK_EQ(of("any", "", "", M_TRUNCATED_MESSAGES), 0);
	CHECK_EQ(completed("any", "", "", "OK"), 1);
	world_fini();
}

TEST(connect_unary_is_one_message_each_way_and_its_errors_are_none)
{
	world_init(100);
	struct call *c = call_with(&named,
		FIELDS(":method", "POST", ":path", "/a.B/C", "content-type", "application/json",
			"connect-protocol-version", "1"),
		false);
	request(c, "{}", 2, false);
	CHECK_EQ(of("named", "a.B", "C", M_SENT_MESSAGES), 0);
	request(c, "", 0, true);
	CHECK_EQ(of("named", "a.B", "C", M_SENT_MESSAGES), 1);
	response_fields(c, EVENT_HEAD, FIELDS(":status", "200"), true);
	finish(c);
	CHECK_EQ(of("named", "a.B", "C", M_RECEIVED_MESSAGES), 1);
	CHECK_EQ(completed("named", "a.B", "C", "OK"), 1);

	c = call_with(
		&named, FIELDS(":method", "GET", ":path", "/a.B/C?connect=v1&message=a"), true);
	response_fields(c, EVENT_HEAD, FIELDS(":status", "404"), false);
	response(c, "{\"code\":\"unimplemented\"}", 24, true);
	finish(c);
	CHECK_EQ(of("named", "a.B", "C", M_SENT_MESSAGES), 2);
	CHECK_EQ(of("named", "a.B", "C", M_RECEIVED_MESSAGES), 1);
	CHECK_EQ(completed("named", "a.B", "C", "UNIMPLEMENTED"), 1);
	world_fini();
}

TEST(web_and_connect_streams_do_not_count_their_last_envelope)
{
	static const struct {
		const char *type, *body;
		uint32_t len;
	} rows[] = {
		{"application/grpc-web+proto", "\0\0\0\0\1a\x80\0\0\0\2b:", 13},
		{"application/grpc-web-text", "AAAAAAFhgAAAAAJiOg==", 20},
		{"application/connect+proto", "\0\0\0\0\1a\2\0\0\0\2{}", 13},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		world_init(100);
		struct call *c = call_with(&any,
			FIELDS(":method", "POST", ":path", "/a.B/W", "content-type", rows[i].type),
			true);
		response_fields(c, EVENT_HEAD,
			FIELDS(":status", "200", "content-type", rows[i].type), false);
		response(c, rows[i].body, rows[i].len, true);
		finish(c);
		CHECK_EQ(of("any", "a.B", "W", M_RECEIVED_MESSAGES), 1);
		CHECK_EQ(of("any", "a.B", "W", M_RECEIVED_BYTES), rows[i].len);
		CHECK_EQ(of("any", "a.B", "W", M_TRUNCATED_MESSAGES), 0);
		CHECK_EQ(completed("any", "a.B", "W", "UNKNOWN"), 1);
		world_fini();
	}
}

TEST(a_message_cut_off_by_the_end_or_a_reset_is_truncated)
{
	world_init(100);
	struct call *c = grpc_call(&named, "/a.B/C");
	request(c, two, 10, true); /* one whole, and a prefix */
	CHECK_EQ(of("named", "a.B", "C", M_TRUNCATED_MESSAGES), 1);
	response_head(c);
	response(c, two, 3, false);
	call_reset(c, CALL_BY_UPSTREAM, REASON_UPSTREAM_RESET, H2_INTERNAL_ERROR);
	finish(c);
	CHECK_EQ(of("named", "a.B", "C", M_TRUNCATED_MESSAGES), 2);
	CHECK_EQ(of("named", "a.B", "C", M_SENT_MESSAGES), 1);

	c = call_with(&named, FIELDS(":path", "/a.B/C", "connect-protocol-version", "1"), false);
	request(c, "{", 1, false);
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_CANCEL);
	finish(c);
	CHECK_EQ(of("named", "a.B", "C", M_TRUNCATED_MESSAGES), 3);
	world_fini();
}

TEST(every_way_to_end_has_its_status)
{
	static const struct {
		enum call_who who;
		enum call_reason_id reason;
		uint32_t code;
		const char *status;
	} rows[] = {
		{CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_CANCEL, "CANCELLED"},
		{CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_INTERNAL_ERROR, "CANCELLED"},
		{CALL_BY_CLIENT, REASON_CLIENT_GONE, H2_CANCEL, "CANCELLED"},
		{CALL_BY_UPSTREAM, REASON_UPSTREAM_RESET, H2_CANCEL, "CANCELLED"},
		{CALL_BY_UPSTREAM, REASON_UPSTREAM_RESET, H2_REFUSED_STREAM, "UNAVAILABLE"},
		{CALL_BY_UPSTREAM, REASON_UPSTREAM_RESET, H2_INTERNAL_ERROR, "INTERNAL"},
		{CALL_BY_UPSTREAM, REASON_UPSTREAM_RESET, H2_ENHANCE_YOUR_CALM,
			"RESOURCE_EXHAUSTED"},
		{CALL_BY_UPSTREAM, REASON_UPSTREAM_LOST, H2_CANCEL, "UNAVAILABLE"},
		{CALL_BY_SELF, REASON_UPSTREAM_LOST, 0, "UNAVAILABLE"},
		{CALL_BY_SELF, REASON_CONNECT_REFUSED, 0, "UNAVAILABLE"},
		{CALL_BY_SELF, REASON_NO_ROUTE, 0, "UNIMPLEMENTED"},
		{CALL_BY_SELF, REASON_MEMORY_BUDGET, 0, "RESOURCE_EXHAUSTED"},
		{CALL_BY_SELF, REASON_INTERNAL, 0, "INTERNAL"},
	};
	for (unsigned open = 0; open < 2; open++) {
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			world_init(100);
			struct call *c = grpc_call(&named, "/a.B/C");
			if (open)
				response_head(c);
			if (rows[i].who == CALL_BY_SELF)
				call_fail(c, rows[i].reason, "why");
			else
				call_reset(c, rows[i].who, rows[i].reason, rows[i].code);
			finish(c);
			CHECK_EQ(completed("named", "a.B", "C", rows[i].status), 1);
			CHECK_EQ(of("named", "a.B", "C", M_STREAMS_STARTED), 1);
			CHECK_EQ(of("named", "a.B", "C", M_STREAMS_ACTIVE), 0);
			world_fini();
		}
	}
}

TEST(a_status_that_came_before_the_client_let_go_stays)
{
	world_init(100);
	struct call *c = grpc_call(&named, "/a.B/C");
	response_head(c);
	response_status(c, "9");
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_NO_ERROR);
	finish(c);
	CHECK_EQ(completed("named", "a.B", "C", "FAILED_PRECONDITION"), 1);
	world_fini();
}

TEST(a_call_that_fails_before_its_head_was_seen_is_started_and_completed_once)
{
	world_init(100);
	struct fields *head = FIELDS(":path", "/a.B/C", "content-type", "application/grpc");
	struct call *c = call_create(&env, &generation, &listener, &front, NULL, head);
	c->cluster = &cluster;
	CHECK_EQ(call_open(c, &terminus), 0);
	call_fail(c, REASON_HEADER_BYTES, "too large");
	fields_destroy(head);
	finish(c);
	CHECK_EQ(of("", "_OTHER", "_OTHER", M_STREAMS_STARTED), 1);
	CHECK_EQ(of("", "_OTHER", "_OTHER", M_STREAMS_ACTIVE), 0);
	CHECK_EQ(completed("", "_OTHER", "_OTHER", "RESOURCE_EXHAUSTED"), 1);
	world_fini();
}

TEST(without_memory_for_a_pending_call_it_counts_as_other)
{
	world_init(100);
	struct call *warm = grpc_call(&any, "/a.B/Warm");
	struct fields *head = FIELDS(":path", "/a.B/Cold", "content-type", "application/grpc");
	struct call *c = call_create(&env, &generation, &listener, &front, NULL, head);
	c->route = &any;
	c->cluster = &cluster;
	CHECK_EQ(call_open(c, &terminus), 0);
	/* The rest of the call's arena is too small for the pending block. */
	while (c->arena.end - c->arena.at >= 32)
		CHECK(arena_alloc(&c->arena, 32) != NULL);
	mem_fail_after(1);
	struct event ev = {.kind = EVENT_HEAD, .fields = head};
	call_push_request(c, &ev);
	mem_fail_after(0);
	request(c, two, TWO_BYTES, false);
	CHECK_EQ(of("any", "_OTHER", "_OTHER", M_SENT_MESSAGES), 2);
	CHECK_EQ(of("any", "_OTHER", "_OTHER", M_STREAMS_ACTIVE), 2);
	response_head(c);
	response_status(c, "0");
	finish(c);
	CHECK_EQ(of("any", "_OTHER", "_OTHER", M_STREAMS_STARTED), 1);
	CHECK_EQ(of("any", "_OTHER", "_OTHER", M_STREAMS_ACTIVE), 1);
	CHECK_EQ(completed("any", "_OTHER", "_OTHER", "OK"), 1);
	call_reset(warm, CALL_BY_CLIENT, REASON_CLIENT_GONE, H2_CANCEL);
	finish(warm);
	world_fini();
}

TEST(started_is_completed_plus_active_over_many_random_calls)
{
	world_init(8);
	uint64_t started = 0, done = 0, sent = 0;
	static const char *const status[] = {"OK", "UNIMPLEMENTED", "CANCELLED"};
	for (unsigned i = 0; i < 300; i++) {
		char path[32];
		snprintf(path, sizeof path, "/a.B/M%u", i % 20);
		struct call *c = grpc_call(&any, path);
		for (unsigned n = i % 4; n > 0; n--)
			request(c, two, TWO_BYTES, false);
		if (i % 3 == 0) {
			response_head(c);
			response_status(c, "0");
		} else if (i % 3 == 1) {
			response_fields(
				c, EVENT_HEAD, FIELDS(":status", "200", "grpc-status", "12"), true);
		} else {
			call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_CANCEL);
		}
		finish(c);
	}
	for (unsigned m = 0; m <= 20; m++) {
		char method[32];
		snprintf(method, sizeof method, "M%u", m);
		const char *service = m < 20 ? "a.B" : "_OTHER", *name = m < 20 ? method : "_OTHER";
		started += of("any", service, name, M_STREAMS_STARTED);
		sent += of("any", service, name, M_SENT_MESSAGES);
		CHECK_EQ(of("any", service, name, M_STREAMS_ACTIVE), 0);
		for (unsigned s = 0; s < 3; s++)
			done += completed("any", service, name, status[s]);
	}
	CHECK_EQ(started, 300);
	CHECK_EQ(sent, 2 * (0 + 1 + 2 + 3) * 75);
	/* STREAM_STATUS is a family of its own: what its eight sets can't hold is under the
	 * fallbacks. */
	const char *all_other[] = {"_OTHER", "_OTHER", "_OTHER", "_OTHER", "_OTHER", "_OTHER"};
	done += metrics_read(metrics, M_STREAMS_COMPLETED, all_other);
	CHECK_EQ(done, 300);
	world_fini();
}

static uint64_t ended(const char *route, const char *protocol, const char *outcome)
{
	const char *labels[] = {"in", route, "up", protocol, outcome};
	return metrics_read(metrics, M_STREAMS_ENDED, labels);
}

static uint64_t ended_by(const char *protocol, const char *by, const char *reason)
{
	const char *labels[] = {"in", "any", "up", protocol, by, reason};
	return metrics_read(metrics, M_STREAMS_ENDED_BY, labels);
}

TEST(ends_are_counted_by_whom_and_why_and_whether_that_was_will)
{
	world_init(100);
	for (unsigned round = 1; round <= 2; round++) { /* the second finds its series remembered */
		struct call *c = grpc_call(&any, "/a.B/C");
		response_head(c);
		response_status(c, "5");
		finish(c);
		c = grpc_call(&any, "/a.B/C");
		call_fail(c, REASON_UPSTREAM_LOST, "gone");
		finish(c);
		c = grpc_call(&any, "/a.B/C");
		call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_CANCEL);
		finish(c);
		c = grpc_call(&any, "/a.B/C");
		call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, H2_CANCEL);
		finish(c);
		CHECK_EQ(ended("any", "grpc", "will"), 2 * round);
		CHECK_EQ(ended("any", "grpc", "failure"), round);
		CHECK_EQ(ended("any", "grpc", "excluded"), round);
		CHECK_EQ(ended_by("grpc", "upstream", "complete"), round);
		CHECK_EQ(ended_by("grpc", "weir", "upstream_lost"), round);
		CHECK_EQ(ended_by("grpc", "client", "client_cancel"), round);
		CHECK_EQ(ended_by("grpc", "client", "client_gone"), round);
	}
	CHECK_EQ(ended("any", "http", "will"), 0);
	struct call *page = call_with(&any, FIELDS(":method", "GET", ":path", "/x"), true);
	response_fields(page, EVENT_HEAD, FIELDS(":status", "500"), true);
	finish(page);
	CHECK_EQ(ended("any", "http", "will"), 1);
	CHECK_EQ(ended_by("http", "upstream", "complete"), 1);
	CHECK_EQ(ended("any", "grpc", "will"), 4);
	world_fini();
}

TEST(all_outcomes_of_a_route_are_there_at_0_before_its_first_call_ends)
{
	world_init(100);
	struct call *c = grpc_call(&any, "/a.B/C");
	static const char *const outcomes[] = {"will", "failure", "excluded"};
	for (unsigned i = 0; i < 3; i++) {
		const char *labels[] = {"in", "any", "up", "grpc", outcomes[i]};
		CHECK(metrics_series_known(env.metrics, GROUP_ENDED, labels));
		CHECK_EQ(ended("any", "grpc", outcomes[i]), 0);
	}
	response_status(c, "0");
	finish(c);
	world_fini();
}

/* A response's head whose first `n` fields are a run. */
static struct fields *begins_with(uint32_t n, struct fields *all)
{
	struct fields *f = fields_create();
	struct fields_run *run = run_intern(fields_list(all), n);
	if (!f || !run)
		abort();
	fields_begin(f, run);
	for (uint32_t i = n; i < all->count; i++)
		if (fields_add_raw(f, fields_list(all)[i]) != 0)
			abort();
	return f;
}

/* Messages that are seen in a response which begins so. */
static uint64_t messages_in(struct call *c, uint32_t n, struct fields *all)
{
	const char *route = c->route->name, *service = c->said->grpc_service;
	const char *method = c->said->grpc_method;
	uint64_t before = of(route, service, method, M_RECEIVED_MESSAGES);
	response_fields(c, EVENT_HEAD, begins_with(n, all), false);
	response(c, two, TWO_BYTES, true);
	finish(c);
	uint64_t after = of(route, service, method, M_RECEIVED_MESSAGES);
	fields_destroy(all);
	return after - before;
}

TEST(what_a_run_says_of_a_responses_messages_holds_only_where_it_says_all)
{
	static const struct {
		uint32_t n; /* with 1 the run is one, and the content-type behind it is not */
		const char *status, *type;
		uint64_t messages;
	} grpc[] = {
		{2, "200", "application/grpc", 2},
		{2, "404", "text/html", 0},
		{1, "200", "application/grpc", 2},
		{1, "200", "text/html", 0},
	};
	world_init(100);
	for (int i = 0; i < 2; i++) { /* the second time it is known */
		for (size_t j = 0; j < sizeof(grpc) / sizeof(grpc[0]); j++)
			CHECK_EQ(messages_in(grpc_call(&named, "/a.B/C"), grpc[j].n,
					 FIELDS(":status", grpc[j].status, "content-type",
						 grpc[j].type)),
				grpc[j].messages);
		/* the same head answers what is no RPC */
		struct call *c = call_with(
			&named, FIELDS(":method", "POST", ":path", "/a.B/C", "accept", "*"), false);
		CHECK_EQ(messages_in(c, 2,
				 FIELDS(":status", "200", "content-type", "application/grpc")),
			0);
	}
	world_fini();
}

TAP_MAIN()
