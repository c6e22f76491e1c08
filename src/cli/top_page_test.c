#include "cli/top_page.h"

#include "base/mem.h"
#include "base/rand.h"
#include "tap.h"

static const char PAGE[] =
	"# HELP grpc_streams_active Calls open now.\n"
	"# TYPE grpc_streams_active gauge\n"
	"grpc_streams_active{listener=\"in\",rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method="
	"\"Sub\",cluster=\"a\"} 3\n"
	"grpc_streams_active{listener=\"in\",rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method="
	"\"Sub\",cluster=\"b\"} 4\n"
	"grpc_streams_active{listener=\"in\",rt_route=\"rest\",grpc_service=\"\",grpc_method=\"\","
	"cluster=\"a\"} 1\n"
	"grpc_stream_sent_messages_total{listener=\"in\",rt_route=\"chat\",grpc_service=\"c.Chat\","
	"grpc_method=\"Sub\",cluster=\"a\"} 100\n"
	"grpc_stream_received_messages_total{listener=\"in\",rt_route=\"chat\",grpc_service=\"c."
	"Chat\",grpc_method=\"Sub\",cluster=\"a\"} 2e3\n"
	"grpc_stream_sent_bytes_total{listener=\"in\",rt_route=\"chat\",grpc_service=\"c.Chat\","
	"grpc_method=\"Sub\",cluster=\"a\"} 5000\n"
	"grpc_stream_received_bytes_total{listener=\"in\",rt_route=\"chat\",grpc_service=\"c."
	"Chat\",grpc_method=\"Sub\",cluster=\"a\"} 60000 1700000000000\n"
	"grpc_streams_started_total{listener=\"in\",rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_"
	"method=\"Sub\",cluster=\"a\"} 10\n"
	"weir_connections_open{side=\"downstream\",name=\"in\"} 5\n"
	"weir_connections_open{side=\"upstream\",name=\"a\"} 2\n"
	"weir_connections_open{side=\"upstream\",name=\"b\"} 1\n"
	"weir_memory_held_bytes 4096\n"
	"weir_memory_limit_bytes 536870912\n"
	"weir_config_generation 7\n"
	"weir_draining 1\n"
	"process_start_time_seconds 1700000000.25\n"
	"weir_build_info{version=\"0.1.0\",compiler=\"gcc\"} 1\n"
	"weir_streams_hung{listener=\"in\",rt_route=\"chat\",cluster=\"a\",state=\"stalled\"} 2\n"
	"weir_streams_hung{listener=\"in\",rt_route=\"chat\",cluster=\"b\",state=\"silent\"} 3\n"
	"weir_stream_stalled_seconds_total{listener=\"in\",rt_route=\"chat\",cluster=\"a\","
	"direction=\"sent\",cause=\"socket\"} 1.5\n"
	"weir_stream_stalled_seconds_total{listener=\"in\",rt_route=\"chat\",cluster=\"a\","
	"direction=\"received\",cause=\"socket\"} 2\n"
	"grpc_streams_completed_total{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method="
	"\"Sub\","
	"grpc_status=\"INTERNAL\"} 3\n"
	"grpc_streams_completed_total{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method="
	"\"Sub\","
	"grpc_status=\"OK\"} 9\n"
	"some_other{le=\"+Inf\"} NaN\n";

static int parse(struct top_page *p, const char *text)
{
	top_page_init(p);
	return top_page_parse(p, text, strlen(text));
}

TEST(stream_families_add_up_for_each_route_and_method)
{
	struct top_page p;
	CHECK_EQ(parse(&p, PAGE), 0);
	REQUIRE(p.count == 3);
	const struct top_page_row *r = p.rows[0];
	CHECK_STR(r->route, "chat");
	CHECK_STR(r->service, "c.Chat");
	CHECK_STR(r->method, "Sub");
	CHECK_EQ(r->now.active, 7);
	CHECK_EQ(r->now.started, 10);
	CHECK_EQ(r->now.sent_messages, 100);
	CHECK_EQ(r->now.received_messages, 2000);
	CHECK_EQ(r->now.sent_bytes, 5000);
	CHECK_EQ(r->now.received_bytes, 60000);
	CHECK_EQ(r->now.errors, 3);
	CHECK_STR(p.rows[1]->route, "rest");
	CHECK_STR(p.rows[1]->method, "");
	r = p.rows[2];
	CHECK_STR(r->route, "chat");
	CHECK(r->whole && !p.rows[0]->whole);
	CHECK_EQ(r->now.stalled, 2);
	CHECK_EQ(r->now.silent, 3);
	CHECK_EQ(r->now.stalled_s * 2, 7);
	top_page_fini(&p);
}

TEST(gauges_of_the_process_are_taken)
{
	struct top_page p;
	CHECK_EQ(parse(&p, PAGE), 0);
	CHECK_EQ(p.downstream_connections, 5);
	CHECK_EQ(p.upstream_connections, 3);
	CHECK_EQ(p.memory_held_bytes, 4096);
	CHECK_EQ(p.memory_limit_bytes, 536870912);
	CHECK_EQ(p.generation, 7);
	CHECK_EQ(p.draining, 1);
	CHECK_EQ(p.start_time_s * 4, 6800000001);
	CHECK_STR(p.version, "0.1.0");
	top_page_fini(&p);
}

TEST(escapes_in_labels_are_undone)
{
	struct top_page p;
	CHECK_EQ(
		parse(&p,
			"grpc_streams_active{rt_route=\"a\\\"b\\\\c\\nd\",grpc_method=\"x}y,\"} 1"),
		0);
	REQUIRE(p.count == 1);
	CHECK_STR(p.rows[0]->route, "a\"b\\c\nd");
	CHECK_STR(p.rows[0]->method, "x}y,");
	top_page_fini(&p);
}

TEST(lines_that_are_no_samples_are_refused_with_their_number)
{
	static const char *const bad[] = {"{} 1", "name", "name ", "name{a=\"b\" 1",
		"name{a=\"b} 1", "name{a=b} 1", "name{=\"b\"} 1", "name{a=\"b\"}1", "name x",
		"name 1x", "<html>", "name{a=\"b\"", "name{a=\"b\\", "name{a=\"b\"c=\"d\"} 1"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct top_page p;
		char text[128];
		snprintf(text, sizeof(text), "ok 1\n\n%s\n", bad[i]);
		CHECK_EQ(parse(&p, text), ERR_INVALID);
		CHECK_EQ(p.line, 3);
		top_page_fini(&p);
	}
}

TEST(values_that_are_no_counts_are_zero)
{
	static const char *const odd[] = {"NaN", "+Inf", "-Inf", "1e300", "-1e300"};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct top_page p;
		char text[128];
		snprintf(text, sizeof(text), "grpc_streams_active{rt_route=\"r\"} %s\n", odd[i]);
		CHECK_EQ(parse(&p, text), 0);
		CHECK(p.count == 1 && p.rows[0]->now.active == 0);
		top_page_fini(&p);
	}
}

TEST(rates_are_differences_over_time)
{
	struct top_page a, b;
	CHECK_EQ(parse(&a, "grpc_stream_sent_messages_total{rt_route=\"r\"} 100\n"
			   "grpc_streams_active{rt_route=\"r\"} 5\n"),
		0);
	CHECK_EQ(parse(&b, "grpc_stream_sent_messages_total{rt_route=\"r\"} 300\n"
			   "grpc_streams_active{rt_route=\"r\"} 9\n"
			   "grpc_stream_sent_messages_total{rt_route=\"new\"} 50\n"),
		0);
	CHECK(!b.has_rates);
	top_page_rates(&b, &a, 2);
	CHECK(b.has_rates);
	CHECK_EQ(b.rows[0]->rate.sent_messages, 100);
	CHECK_EQ(b.rows[0]->rate.active, 0);
	CHECK_EQ(b.rows[1]->rate.sent_messages, 25);
	top_page_fini(&a);
	top_page_fini(&b);
}

TEST(a_restarted_process_counts_from_zero)
{
	struct top_page a, b;
	CHECK_EQ(parse(&a, "grpc_stream_sent_messages_total{rt_route=\"r\"} 1000\n"), 0);
	CHECK_EQ(parse(&b, "grpc_stream_sent_messages_total{rt_route=\"r\"} 10\n"), 0);
	top_page_rates(&b, &a, 1);
	CHECK_EQ(b.rows[0]->rate.sent_messages, 10);
	top_page_fini(&a);
	top_page_fini(&b);
}

/* What top asks for is what the program exports. */
TEST(every_family_of_top_is_in_the_table_of_metrics)
{
	static const char *const names[] = {
#define GROUP(id, labels)
#define METRIC(id, group, kind, name, ...) #name,
#include "metrics/metrics.def"
#undef GROUP
#undef METRIC
	};
	static const char *const used[] = {"grpc_streams_active", "grpc_streams_started",
		"grpc_stream_sent_messages", "grpc_stream_received_messages",
		"grpc_stream_sent_bytes", "grpc_stream_received_bytes", "grpc_streams_completed",
		"weir_streams_hung", "weir_stream_stalled_seconds", "weir_connections_open",
		"weir_memory_held_bytes", "weir_memory_limit_bytes", "weir_config_generation",
		"weir_draining", "process_start_time_seconds", "weir_build_info"};
	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++) {
		size_t j = 0;
		CHECK(strstr(PAGE, used[i]));
		while (j < sizeof(names) / sizeof(names[0]) && strcmp(names[j], used[i]))
			j++;
		CHECK(j < sizeof(names) / sizeof(names[0]));
	}
}

TEST(each_failed_allocation_is_out_of_memory_and_leaks_nothing)
{
	long before = mem_live_blocks();
	for (long nth = 1; nth < 1000; nth++) {
		struct top_page p;
		mem_fail_after(nth);
		int err = parse(&p, PAGE);
		mem_fail_after(0);
		top_page_fini(&p);
		CHECK_EQ(mem_live_blocks(), before);
		CHECK(err == 0 || err == ERR_NOMEM);
		if (!err) {
			CHECK(nth > 4);
			return;
		}
	}
	CHECK(!"still allocating");
}

TEST(mutated_pages_are_read_or_refused)
{
	static const char bytes[] = "{}\"\\\n ,=_1.e#\xff\0";
	struct rand rand;
	long before = mem_live_blocks();
	rand_seed(&rand, 21);
	for (int round = 0; round < 5000; round++) {
		char text[sizeof(PAGE)];
		struct top_page p;
		memcpy(text, PAGE, sizeof(PAGE));
		for (int n = 0; n < 3; n++)
			text[rand_below(&rand, sizeof(PAGE) - 1)] =
				bytes[rand_below(&rand, sizeof(bytes))];
		top_page_init(&p);
		int err = top_page_parse(&p, text, rand_below(&rand, sizeof(PAGE)));
		CHECK(err == 0 || err == ERR_INVALID);
		top_page_fini(&p);
	}
	CHECK_EQ(mem_live_blocks(), before);
}

TAP_MAIN()
