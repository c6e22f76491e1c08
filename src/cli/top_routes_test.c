#include "cli/top_routes.h"

#include "base/mem.h"
#include "tap.h"

static void parse(struct top_page *p, const char *text)
{
	top_page_init(p);
	CHECK_EQ(top_page_parse(p, text, strlen(text)), 0);
}

static const char BEFORE[] =
	"grpc_streams_active{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method=\"Sub\"} 12\n"
	"grpc_streams_started_total{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method=\"Sub\"} "
	"1000\n"
	"grpc_stream_sent_messages_total{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method="
	"\"Sub\"} 0\n";
static const char AFTER[] =
	"weir_build_info{version=\"0.1.0\"} 1\n"
	"process_start_time_seconds 1000\n"
	"weir_config_generation 2\n"
	"weir_connections_open{side=\"downstream\"} 3\n"
	"weir_connections_open{side=\"upstream\"} 1\n"
	"weir_memory_limit_bytes 536870912\n"
	"weir_streams_hung{rt_route=\"chat\",state=\"stalled\"} 2\n"
	"weir_streams_hung{rt_route=\"chat\",state=\"silent\"} 1\n"
	"weir_stream_stalled_seconds_total{rt_route=\"chat\",direction=\"sent\",cause=\"socket\"} "
	"9\n"
	"grpc_streams_completed_total{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method="
	"\"Sub\","
	"grpc_status=\"UNAVAILABLE\"} 7\n"
	"grpc_streams_completed_total{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method="
	"\"Sub\","
	"grpc_status=\"OK\"} 1000\n"
	"grpc_streams_completed_total{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method="
	"\"Sub\","
	"grpc_status=\"CANCELLED\"} 5\n"
	"grpc_streams_active{rt_route=\"rest\",grpc_service=\"\",grpc_method=\"\"} 1\n"
	/* nothing in it: no row */
	"grpc_streams_active{rt_route=\"chat\",grpc_service=\"_OTHER\",grpc_method=\"_OTHER\"} 0\n"
	"grpc_streams_active{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method=\"Sub\"} 12\n"
	"grpc_streams_active{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method=\"Talk\"} 30\n"
	"grpc_streams_started_total{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method=\"Sub\"} "
	"1234\n"
	"grpc_stream_sent_messages_total{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method="
	"\"Sub\"} 3\n"
	"grpc_stream_received_messages_total{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method="
	"\"Sub\"} 2500000\n";

static void pages(struct top_page *now)
{
	struct top_page before;
	parse(&before, BEFORE);
	parse(now, AFTER);
	top_page_rates(now, &before, 2);
	top_page_fini(&before);
}

/* The table as it is printed, in `columns`. */
static char *table_text(struct top_page *p, unsigned columns)
{
	static char text[65536];
	static const struct table_sort active = {"active", NULL, "ACTIVE", false};
	struct table t;
	struct table_layout l;
	struct buf out;
	buf_init(&out);
	table_init(&t, top_routes_columns, TOP_ROUTES_COLUMNS);
	CHECK(top_routes_fill(&t, p));
	table_arrange(&t, &active, false, "");
	table_layout(&l, &t, columns);
	table_title(&out, &t, &l);
	for (uint32_t i = 0; i < t.shown_count; i++) {
		buf_char(&out, '\n');
		table_line(&out, &t, &l, t.shown[i]);
	}
	buf_char(&out, '\n');
	snprintf(text, sizeof(text), "%s", out.bytes);
	buf_fini(&out);
	table_fini(&t);
	return text;
}

TEST(the_table_has_routes_methods_and_rates)
{
	static const char want[] =
		"ROUTE, METHOD       ACTIVE HUNG ERRORS SENT/s RECV/s SENT B/s RECV B/s\n"
		"chat                    42    3      7    1.5   1.3M        0        0\n"
		"  c.Chat/Talk           30           0      0      0        0        0\n"
		"  c.Chat/Sub            12           7    1.5   1.3M        0        0\n"
		"rest                     1    0      0      0      0        0        0\n"
		"  (not gRPC)             1           0      0      0        0        0\n";
	struct top_page p;
	pages(&p);
	CHECK_STR(table_text(&p, 74), want);
	CHECK(strstr(table_text(&p, 132), "ACTIVE STARTED HUNG ERRORS STALLS SENT/s"));
	CHECK(strstr(table_text(&p, 132), "    1.2k    3      7    4.5    1.5   1.3M "));
	top_page_fini(&p);
}

TEST(the_head_tells_of_the_process)
{
	struct top_page p;
	struct buf out;
	buf_init(&out);
	pages(&p);
	top_routes_head(&out, &p, "127.0.0.1:9901", 4661.5);
	buf_str(&out, "");
	CHECK_STR(out.bytes,
		"weir 0.1.0 at 127.0.0.1:9901, up 1h01m01s, configuration 2\n"
		"43 streams; connections: 3 downstream, 1 upstream; memory: 0 of 537M\n");
	buf_fini(&out);
	top_page_fini(&p);
}

TEST(without_an_earlier_page_rates_are_dashes_and_nulls)
{
	struct top_page p;
	struct buf out;
	buf_init(&out);
	parse(&p, BEFORE);
	CHECK(strstr(table_text(&p, 74),
		"chat                    12    0      0      -      -        -        -\n"));
	top_routes_json(&out, &p);
	CHECK(strstr(out.bytes, "\"sent_messages_per_second\":null"));
	buf_fini(&out);
	top_page_fini(&p);
}

TEST(a_long_method_keeps_its_end_and_a_long_route_its_beginning)
{
	struct top_page p;
	parse(&p, "grpc_streams_active{rt_route=\"a-route-with-quite-a-long-name\","
		  "grpc_service=\"example.company.department.v1.VeryLongService\",grpc_"
		  "method=\"\x1b[2JMethod0\"} 1\n");
	const char *text = table_text(&p, 70);
	CHECK(strstr(text, "\na-route-with-quit..      1 "));
	CHECK(strstr(text, "\n  ..ice/?[2JMethod0      1 "));
	CHECK(!strchr(text, '\x1b'));
	top_page_fini(&p);
}

TEST(json_says_all_of_routes_and_methods)
{
	static const char want[] =
		"\"version\":\"\",\"start_time\":0.000,"
		"\"generation\":0,\"draining\":false,\"downstream_connections\":0,"
		"\"upstream_connections\":0,\"memory_held_bytes\":0,\"memory_limit_bytes\":0,"
		"\"routes\":[{\"route\":\"r\\\"\",\"active\":1,\"started\":0,\"errors\":0,"
		"\"sent_messages\":7,"
		"\"received_messages\":0,\"sent_bytes\":0,\"received_bytes\":0,"
		"\"started_per_second\":0.0,\"sent_messages_per_second\":3.5,"
		"\"received_messages_per_second\":0.0,\"sent_bytes_per_second\":0.0,"
		"\"received_bytes_per_second\":0.0,\"stalled\":0,\"silent\":2,"
		"\"stalled_seconds\":0.000,\"methods\":[{\"service\":\"s\",\"method\":"
		"\"m\","
		"\"active\":1,\"started\":0,\"errors\":0,\"sent_messages\":7,"
		"\"received_messages\":0,"
		"\"sent_bytes\":0,\"received_bytes\":0,\"started_per_second\":0.0,"
		"\"sent_messages_per_second\":3.5,\"received_messages_per_second\":0.0,"
		"\"sent_bytes_per_second\":0.0,\"received_bytes_per_second\":0.0}]}]";
	struct top_page p, none;
	struct buf out;
	buf_init(&out);
	parse(&none, "");
	parse(&p, "weir_streams_hung{rt_route=\"r\\\"\",state=\"silent\"} 2\n"
		  "grpc_streams_active{rt_route=\"r\\\"\",grpc_service=\"s\",grpc_method=\"m\"} 1\n"
		  "grpc_stream_sent_messages_total{rt_route=\"r\\\"\",grpc_service=\"s\",grpc_"
		  "method=\"m\"} 7\n");
	top_page_rates(&p, &none, 2);
	top_routes_json(&out, &p);
	CHECK_STR(out.bytes, want);
	buf_fini(&out);
	top_page_fini(&p);
	top_page_fini(&none);
}

TEST(each_failed_allocation_is_noticed_and_leaks_nothing)
{
	long before = mem_live_blocks();
	for (long nth = 1; nth < 100; nth++) {
		struct top_page p;
		struct table t;
		parse(&p, AFTER);
		table_init(&t, top_routes_columns, TOP_ROUTES_COLUMNS);
		mem_fail_after(nth);
		bool done = top_routes_fill(&t, &p);
		mem_fail_after(0);
		CHECK(!done || t.count == 5);
		table_fini(&t);
		top_page_fini(&p);
		CHECK_EQ(mem_live_blocks(), before);
		if (done) {
			CHECK(nth > 4);
			return;
		}
	}
	CHECK(!"still allocating");
}

TAP_MAIN()
