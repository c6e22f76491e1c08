#include "cli/top_view.h"

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

TEST(the_table_has_routes_methods_and_rates)
{
	static const char want[] =
		"weir 0.1.0 at 127.0.0.1:9901, up 1h01m01s, configuration 2\n"
		"43 streams; connections: 3 downstream, 1 upstream; memory: 0 of 537M\n"
		"\n"
		"ROUTE, METHOD                  ACTIVE  STARTED  SENT/s  RECV/s SENT B/s RECV B/s\n"
		"chat                               42     1.2k     1.5    1.2M        0        0\n"
		"  c.Chat/Talk                      30        0       0       0        0        0\n"
		"  c.Chat/Sub                       12     1.2k     1.5    1.2M        0        0\n"
		"rest                                1        0       0       0        0        0\n"
		"  (not gRPC)                        1        0       0       0        0        "
		"0\n";
	struct top_page p;
	struct buf out;
	buf_init(&out);
	pages(&p);
	struct top_view view = {
		.admin = "127.0.0.1:9901", .columns = 80, .lines = 24, .now_s = 4661.5};
	top_view_table(&out, &p, &view);
	CHECK_STR(out.bytes, want);
	buf_fini(&out);
	top_page_fini(&p);
}

TEST(without_an_earlier_page_rates_are_dashes_and_nulls)
{
	struct top_page p;
	struct buf out;
	struct top_view view = {.admin = "a:1", .columns = 80};
	buf_init(&out);
	parse(&p, BEFORE);
	top_view_table(&out, &p, &view);
	CHECK(strstr(out.bytes, "chat                               12     1.0k       -       -    "
				"    -        -\n"));
	buf_clear(&out);
	top_view_json(&out, &p, &view);
	CHECK(strstr(out.bytes, "\"sent_messages_per_second\":null"));
	buf_fini(&out);
	top_page_fini(&p);
}

static void many_rows(struct top_page *p, int routes)
{
	struct buf text;
	buf_init(&text);
	for (int i = 0; i < routes; i++)
		buf_fmt(&text,
			"grpc_streams_active{rt_route=\"a-route-with-quite-a-long-name-%d\","
			"grpc_service=\"example.company.department.v1.VeryLongService\",grpc_"
			"method=\"\x1b[2JMethod%d\"} %d\n",
			i, i, i + 1);
	buf_str(&text, "");
	parse(p, text.bytes);
	buf_fini(&text);
}

/* No line longer than `columns`, no more than `lines`, printable ASCII alone. */
static void check_fits(unsigned columns, unsigned lines, int routes)
{
	struct top_page p;
	struct buf out;
	struct top_view view = {.admin = "127.0.0.1:9901",
		.columns = columns,
		.lines = lines,
		.notice = "127.0.0.1:9901: Connection refused",
		.keys = true};
	unsigned got = 0, column = 0, wide = 0, odd = 0;
	buf_init(&out);
	many_rows(&p, routes);
	top_view_table(&out, &p, &view);
	for (size_t i = 0; i < out.len; i++) {
		column = out.bytes[i] == '\n' ? 0 : column + 1;
		got += out.bytes[i] == '\n';
		wide += column > columns;
		odd += out.bytes[i] != '\n' && (out.bytes[i] < ' ' || out.bytes[i] > '~');
	}
	CHECK_EQ(wide, 0);
	CHECK_EQ(odd, 0);
	CHECK(got <= lines || lines == 0);
	if (lines && routes * 2 + 4 > (int)lines) {
		CHECK_EQ(got, lines);
		CHECK(columns < 40 || strstr(out.bytes, " more rows"));
	}
	buf_fini(&out);
	top_page_fini(&p);
}

TEST(the_table_fits_its_window)
{
	check_fits(80, 24, 40);
	check_fits(80, 24, 10);
	check_fits(80, 24, 0);
	check_fits(200, 50, 100);
	check_fits(40, 6, 10);
	check_fits(10, 2, 10);
	check_fits(1, 1, 10);
	check_fits(80, 0, 100);
	check_fits(1000, 24, 3);
}

TEST(a_long_method_keeps_its_end_and_a_long_route_its_beginning)
{
	struct top_page p;
	struct buf out;
	struct top_view view = {.admin = "a:1", .columns = 80, .lines = 24};
	buf_init(&out);
	many_rows(&p, 1);
	top_view_table(&out, &p, &view);
	CHECK(strstr(out.bytes, "a-route-with-quite-a-long-.. "));
	CHECK(strstr(out.bytes, "\n  ..yLongService/?[2JMethod0 "));
	buf_fini(&out);
	top_page_fini(&p);
}

TEST(json_says_all_in_one_line)
{
	static const char want[] =
		"{\"admin\":\"a:1\",\"version\":\"\",\"time\":5.500,\"start_time\":0.000,"
		"\"generation\":0,\"draining\":false,\"downstream_connections\":0,"
		"\"upstream_connections\":0,\"memory_held_bytes\":0,\"memory_limit_bytes\":0,"
		"\"routes\":[{\"route\":\"r\\\"\",\"active\":1,\"started\":0,\"sent_messages\":7,"
		"\"received_messages\":0,\"sent_bytes\":0,\"received_bytes\":0,"
		"\"started_per_second\":0.0,\"sent_messages_per_second\":3.5,"
		"\"received_messages_per_second\":0.0,\"sent_bytes_per_second\":0.0,"
		"\"received_bytes_per_second\":0.0,\"methods\":[{\"service\":\"s\",\"method\":"
		"\"m\","
		"\"active\":1,\"started\":0,\"sent_messages\":7,\"received_messages\":0,"
		"\"sent_bytes\":0,\"received_bytes\":0,\"started_per_second\":0.0,"
		"\"sent_messages_per_second\":3.5,\"received_messages_per_second\":0.0,"
		"\"sent_bytes_per_second\":0.0,\"received_bytes_per_second\":0.0}]}]}\n";
	struct top_page p, none;
	struct buf out;
	struct top_view view = {.admin = "a:1", .now_s = 5.5};
	buf_init(&out);
	parse(&none, "");
	parse(&p, "grpc_streams_active{rt_route=\"r\\\"\",grpc_service=\"s\",grpc_method=\"m\"} 1\n"
		  "grpc_stream_sent_messages_total{rt_route=\"r\\\"\",grpc_service=\"s\",grpc_"
		  "method=\"m\"} 7\n");
	top_page_rates(&p, &none, 2);
	top_view_json(&out, &p, &view);
	CHECK_STR(out.bytes, want);
	buf_fini(&out);
	top_page_fini(&p);
	top_page_fini(&none);
}

TAP_MAIN()
