#include "call/ending.h"
#include "http/code.h"
#include "tap.h"

static void check_ending(
	const struct call *c, const char *by, const char *reason, const char *outcome)
{
	enum call_ending e = call_ending(c);
	CHECK_STR(call_ending_by(e), by);
	CHECK_STR(call_ending_label(e), reason);
	CHECK_STR(call_outcome_label(call_ending_outcome(e)), outcome);
}

static struct call answered(int grpc_status)
{
	return (struct call){.is_grpc = true,
		.response_started = true,
		.response_ended = true,
		.http_status = 200,
		.grpc_status = (int16_t)grpc_status};
}

static struct call aborted(enum call_who who, enum call_reason_id reason, uint32_t code)
{
	return (struct call){.is_grpc = true,
		.grpc_status = -1,
		.abort = {.who = who, .reason = reason, .h2_code = code}};
}

TEST(a_complete_answer_is_the_servers_will_whatever_its_status)
{
	for (int status = 0; status <= 16; status++) {
		struct call c = answered(status);
		check_ending(&c, "upstream", "complete", "will");
	}
	struct call plain = {.response_ended = true, .http_status = 500, .grpc_status = -1};
	check_ending(&plain, "upstream", "complete", "will");
}

TEST(a_grpc_answer_that_ends_without_status_is_a_failure)
{
	struct call c = answered(-1);
	check_ending(&c, "upstream", "no_status", "failure");
}

TEST(what_comes_behind_a_complete_answer_does_not_change_whose_will_it_was)
{
	struct call c = answered(0);
	c.abort = (struct call_abort){CALL_BY_UPSTREAM, REASON_UPSTREAM_RESET, H2_NO_ERROR, ""};
	check_ending(&c, "upstream", "complete", "will");
	c.abort = (struct call_abort){CALL_BY_CLIENT, REASON_CLIENT_GONE, H2_CANCEL, ""};
	check_ending(&c, "upstream", "complete", "will");
}

TEST(a_reset_is_will_with_NO_ERROR_or_CANCEL_and_failure_with_any_other_code)
{
	for (uint32_t code = 0; code < 20; code++) {
		bool will = code == H2_NO_ERROR || code == H2_CANCEL;
		struct call client = aborted(CALL_BY_CLIENT, REASON_CLIENT_RESET, code);
		struct call upstream = aborted(CALL_BY_UPSTREAM, REASON_UPSTREAM_RESET, code);
		check_ending(&client, "client", will ? "client_cancel" : "client_reset",
			will ? "will" : "failure");
		check_ending(&upstream, "upstream", will ? "upstream_cancel" : "upstream_reset",
			will ? "will" : "failure");
	}
}

TEST(a_client_whose_connection_went_away_is_excluded)
{
	struct call c = aborted(CALL_BY_CLIENT, REASON_CLIENT_GONE, H2_CANCEL);
	check_ending(&c, "client", "client_gone", "excluded");
}

TEST(what_weir_never_accepted_is_excluded_and_what_it_ended_itself_is_a_failure)
{
	static const enum call_reason_id excluded[] = {
		REASON_NO_ROUTE, REASON_HEADER_BYTES, REASON_BAD_REQUEST, REASON_CONNECT_METHOD};
	static const enum call_reason_id failures[] = {REASON_NO_ENDPOINT, REASON_CONNECT_REFUSED,
		REASON_CONNECT_TIMEOUT, REASON_UPSTREAM_LOST, REASON_UPSTREAM_PROTOCOL,
		REASON_UNPROCESSED, REASON_MEMORY_BUDGET, REASON_SHUTDOWN, REASON_MESSAGE_BYTES,
		REASON_NO_MEMORY, REASON_INTERNAL};
	for (unsigned i = 0; i < sizeof excluded / sizeof *excluded; i++) {
		struct call c = aborted(CALL_BY_SELF, excluded[i], H2_NO_ERROR);
		check_ending(&c, "weir", call_reason_label(excluded[i]), "excluded");
	}
	for (unsigned i = 0; i < sizeof failures / sizeof *failures; i++) {
		struct call c = aborted(CALL_BY_SELF, failures[i], H2_NO_ERROR);
		/* Weir's own answer is complete, and no server's. */
		c.response_ended = true;
		c.http_status = 200;
		c.grpc_status = 14;
		check_ending(&c, "weir", call_reason_label(failures[i]), "failure");
	}
	struct call refused = {.grpc_status = -1};
	check_ending(&refused, "weir", "refused", "excluded");
}

TEST(every_ending_has_a_label_of_its_own)
{
	for (int a = 0; a < ENDING_COUNT; a++) {
		REQUIRE(call_ending_label((enum call_ending)a));
		for (int b = 0; b < a; b++)
			CHECK(strcmp(call_ending_label((enum call_ending)a),
				call_ending_label((enum call_ending)b)));
	}
}

TAP_MAIN()
