#include "call/stall.h"
#include "base/log.h"
#include "call/call_kit.h"

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

/* Blocked all the time, by a reader slower than the writer: that is charged, and does not hang. */
TEST(a_blocked_call_that_moves_is_not_stalled_until_it_stops)
{
	begin();
	struct config_route route = {.name = (char *)"r", .stalled_after_ns = 100};
	struct call *c = grpc_call();
	c->route = &route;
	env.now_ns = 1000;
	call_stall(c, LANE_RESPONSE, STALL_PEER_STREAM_WINDOW);
	for (int i = 0; i < 50; i++) {
		env.now_ns += 50;
		c->lanes[LANE_RESPONSE].admitted_bytes++;
		call_watch(c);
		CHECK_EQ(c->hung, HUNG_NO);
		CHECK_EQ(call_stalled_for(c, LANE_RESPONSE), 0);
	}
	CHECK_EQ(call_stalled_ns(c, LANE_RESPONSE, STALL_PEER_STREAM_WINDOW), 2500);
	env.now_ns += 99;
	call_watch(c);
	CHECK_EQ(c->hung, HUNG_NO);
	CHECK_EQ(call_stalled_for(c, LANE_RESPONSE), 99);
	env.now_ns++;
	call_watch(c);
	CHECK_EQ(c->hung, HUNG_STALLED);
	c->lanes[LANE_RESPONSE].admitted_bytes++;
	call_watch(c);
	CHECK_EQ(c->hung, HUNG_NO);
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
	call_front_done(c);
	call_reap(&env);
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

TAP_MAIN()
