/* exposition_test.c - the pages, byte for byte where it matters. */
#include <string.h>
#include "metrics/metrics.h"
#include "tap.h"

static struct metrics *m;
static struct metrics_slab *slab;
static struct buf page;

static void begin(void)
{
	m = metrics_create(1000);
	slab = metrics_slab_create(m);
	buf_init(&page);
}

static void end(void)
{
	buf_fini(&page);
	metrics_destroy(m);
}

static const char *render(enum metrics_format format)
{
	buf_clear(&page);
	metrics_render(m, format, &page);
	CHECK(!page.failed);
	buf_str(&page, "");
	return page.bytes;
}

static bool has_line(const char *text, const char *line)
{
	size_t len = strlen(line);
	for (const char *at = text; (at = strstr(at, line)); at++)
		if ((at == text || at[-1] == '\n') && at[len] == '\n')
			return true;
	printf("# no line: %s\n", line);
	return false;
}

static struct series *stream(const char *service, const char *name)
{
	return metrics_series(slab, GROUP_STREAM,
		(const char *const[]){"ingress", "chat", service, name, "chat"});
}

TEST(a_counter_is_rendered_in_both_formats_each_with_its_own_kind_of_head)
{
	begin();
	series_add(stream("chat.Chat", "Subscribe"), M_SENT_BYTES, 12345678901234567890u);
	const char *text = render(METRICS_PROMETHEUS_TEXT);
	CHECK(has_line(text, "# HELP grpc_stream_sent_bytes_total Content bytes from client to "
			     "server, envelopes included."));
	CHECK(has_line(text, "# TYPE grpc_stream_sent_bytes_total counter"));
	CHECK(!strstr(text, "# UNIT") && !strstr(text, "# EOF"));
	const char *sample = "grpc_stream_sent_bytes_total{listener=\"ingress\",rt_route=\"chat\","
			     "grpc_service=\"chat.Chat\",grpc_method=\"Subscribe\","
			     "cluster=\"chat\"} 12345678901234567890";
	CHECK(has_line(text, sample));
	text = render(METRICS_OPENMETRICS);
	CHECK(has_line(text, "# TYPE grpc_stream_sent_bytes counter"));
	CHECK(has_line(text, "# UNIT grpc_stream_sent_bytes bytes"));
	CHECK(has_line(text, sample));
	CHECK(page.len >= 6 && !strcmp(text + page.len - 6, "# EOF\n"));
	end();
}

TEST(a_gauge_may_be_negative_and_has_no_suffix)
{
	begin();
	struct metrics_slab *other = metrics_slab_create(m);
	const char *const side[] = {"upstream"};
	series_add(metrics_series(slab, GROUP_H2_SIDE, side), M_H2_STREAMS, 3);
	series_sub(metrics_series(other, GROUP_H2_SIDE, side), M_H2_STREAMS, 5);
	CHECK(has_line(render(METRICS_PROMETHEUS_TEXT), "# TYPE weir_http2_streams gauge"));
	CHECK(has_line(page.bytes, "weir_http2_streams{side=\"upstream\"} -2"));
	end();
}

TEST(seconds_are_kept_in_nanoseconds_and_rendered_exactly)
{
	begin();
	struct series *p = metrics_plain(slab, GROUP_PROCESS);
	series_set(p, M_START_TIME, 1763768400123456789u);
	series_add(p, M_CPU_SECONDS, 1500000000);
	CHECK(has_line(render(METRICS_PROMETHEUS_TEXT),
		"process_start_time_seconds 1763768400.123456789"));
	CHECK(has_line(page.bytes, "process_cpu_seconds_total 1.5"));
	series_set(p, M_CPU_SECONDS, 2000000000);
	CHECK(has_line(render(METRICS_PROMETHEUS_TEXT), "process_cpu_seconds_total 2.0"));
	end();
}

TEST(a_histogram_is_cumulative_and_ends_in_its_sum_and_count)
{
	begin();
	struct series *s = stream("a", "b");
	static const uint64_t sizes[] = {0, 64, 65, 300, 5000000, 99999999};
	for (unsigned i = 0; i < 6; i++)
		series_observe(s, M_SENT_MESSAGE_SIZE, sizes[i]);
	render(METRICS_PROMETHEUS_TEXT);
#define L                                                                                          \
	"{listener=\"ingress\",rt_route=\"chat\",grpc_service=\"a\",grpc_method=\"b\",cluster="    \
	"\"chat\""
#define N "grpc_stream_sent_message_size_bytes"
	CHECK(strstr(page.bytes,
		"# TYPE " N " histogram\n" N "_bucket" L ",le=\"64.0\"} 2\n" N "_bucket" L
		",le=\"256.0\"} 3\n" N "_bucket" L ",le=\"1024.0\"} 4\n"));
	CHECK(strstr(page.bytes, N "_bucket" L ",le=\"4.194304e+06\"} 4\n" N "_bucket" L
				   ",le=\"1.6777216e+07\"} 5\n" N "_bucket" L ",le=\"+Inf\"} 6\n" N
				   "_sum" L "} 105000428\n" N "_count" L "} 6\n"));
	struct series *w = metrics_series(slab, GROUP_WORKER, (const char *const[]){"0"});
	series_observe(w, M_LOOP_LAG, 250000);
	render(METRICS_PROMETHEUS_TEXT);
	CHECK(has_line(page.bytes, "weir_loop_lag_seconds_bucket{worker=\"0\",le=\"0.0001\"} 0"));
	CHECK(has_line(page.bytes, "weir_loop_lag_seconds_bucket{worker=\"0\",le=\"0.0003\"} 1"));
	CHECK(has_line(page.bytes, "weir_loop_lag_seconds_sum{worker=\"0\"} 0.00025"));
	end();
}

TEST(quotes_backslashes_and_newlines_in_label_values_are_escaped)
{
	begin();
	series_add(stream("a\"b", "c\\d\n"), M_SENT_MESSAGES, 1);
	CHECK(strstr(render(METRICS_PROMETHEUS_TEXT),
		"grpc_service=\"a\\\"b\",grpc_method=\"c\\\\d\\n\""));
	end();
}

TEST(families_come_in_the_order_of_the_table_and_series_sorted_by_their_labels)
{
	begin();
	series_add(metrics_series(slab, GROUP_CLUSTER, (const char *const[]){"zz"}), M_REPLAYS, 1);
	series_add(stream("b", "x"), M_SENT_MESSAGES, 1);
	series_add(stream("b", ""), M_SENT_MESSAGES, 1);
	series_add(stream("ab", "x"), M_SENT_MESSAGES, 1);
	const char *text = render(METRICS_PROMETHEUS_TEXT);
	const char *one = strstr(
		text, "messages_total{listener=\"ingress\",rt_route=\"chat\",grpc_service=\"ab\"");
	const char *two = strstr(text, "grpc_service=\"b\",grpc_method=\"\"");
	const char *three = strstr(text, "grpc_service=\"b\",grpc_method=\"x\"");
	const char *four = strstr(text, "weir_upstream_replays_total{");
	REQUIRE(one && two && three && four);
	CHECK(one < two && two < three && three < four);
	end();
}

TEST(two_pages_of_the_same_state_are_the_same_bytes)
{
	begin();
	for (int i = 0; i < 50; i++) {
		char name[16];
		snprintf(name, sizeof name, "M%d", i * 7 % 50);
		series_add(stream("s", name), M_SENT_MESSAGES, 1);
	}
	char *first = strdup(render(METRICS_OPENMETRICS));
	CHECK_STR(render(METRICS_OPENMETRICS), first);
	free(first);
	end();
}

TEST(families_that_nobody_used_are_left_out_and_those_without_labels_are_always_there)
{
	begin();
	const char *text = render(METRICS_PROMETHEUS_TEXT);
	CHECK(!strstr(text, "grpc_stream"));
	CHECK(!strstr(text, "weir_loop_turns"));
	CHECK(has_line(text, "weir_bugs_total 0"));
	CHECK(has_line(text, "weir_draining 0"));
	end();
}

TEST(a_set_that_was_only_reserved_as_a_fallback_is_not_shown)
{
	begin();
	series_add(stream("s", "m"), M_SENT_MESSAGES, 1);
	CHECK(!strstr(render(METRICS_PROMETHEUS_TEXT), "_OTHER\""));
	end();
}

TAP_MAIN()
