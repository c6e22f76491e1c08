#include "call/labels.h"
#include "call/call_kit.h"
#include "call/timing.h"

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

TAP_MAIN()
