/* accept_test.c - Accept headers as clients send them, and as nobody should. */
#include "admin/accept.h"
#include "tap.h"

static enum metrics_format format_of(const char *const *values)
{
	struct fields *f = fields_create();
	for (; *values; values++)
		CHECK(!fields_add_str(f, TOKEN_ACCEPT, *values));
	enum metrics_format format = accept_metrics_format(f);
	fields_destroy(f);
	return format;
}

static void check(const char *value, enum metrics_format want)
{
	if (format_of((const char *const[]){value, NULL}) != want)
		printf("# Accept: %s\n", value);
	CHECK_EQ(format_of((const char *const[]){value, NULL}), want);
}

#define OM "application/openmetrics-text"

TEST(a_scraper_that_prefers_openmetrics_gets_it)
{
	check(OM ";version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/"
		 "plain;version=0.0.4;q=0.5,*/*;q=0.1",
		METRICS_OPENMETRICS);
	check(OM "; version=1.0.0; charset=utf-8", METRICS_OPENMETRICS);
	check(OM, METRICS_OPENMETRICS);
	check("Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.9 , text/plain;q=0.8",
		METRICS_OPENMETRICS);
	check(OM ",text/plain", METRICS_OPENMETRICS);
	check("text/plain;q=0.5," OM ";q=0.500", METRICS_OPENMETRICS);
	check(OM ";q=0.2,text/plain;q=0.1,*/*", METRICS_OPENMETRICS);
}

TEST(everyone_else_gets_the_text_that_all_can_read)
{
	CHECK_EQ(format_of((const char *const[]){NULL}), METRICS_PROMETHEUS_TEXT);
	check("", METRICS_PROMETHEUS_TEXT);
	check("*/*", METRICS_PROMETHEUS_TEXT);
	check("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		METRICS_PROMETHEUS_TEXT);
	check("text/plain", METRICS_PROMETHEUS_TEXT);
	check(OM ";q=0.5,text/plain;q=0.6", METRICS_PROMETHEUS_TEXT);
	check(OM ";q=0.5,text/*", METRICS_PROMETHEUS_TEXT);
	check(OM ";q=0.5,*/*", METRICS_PROMETHEUS_TEXT);
	check("application/*", METRICS_PROMETHEUS_TEXT);
}

TEST(openmetrics_in_another_version_or_with_no_weight_is_not_wanted)
{
	check(OM ";version=0.0.1", METRICS_PROMETHEUS_TEXT);
	check(OM ";version=2.0.0;q=1,text/plain;q=0.1", METRICS_PROMETHEUS_TEXT);
	check(OM ";q=0", METRICS_PROMETHEUS_TEXT);
	check(OM ";q=0.000", METRICS_PROMETHEUS_TEXT);
}

#define PB                                                                                         \
	"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"                 \
	"encoding=delimited"

TEST(a_prometheus_with_native_histograms_gets_protobuf)
{
	/* What Prometheus 2.42 sends, and what 3 does. */
	check(PB "," OM ";version=1.0.0;q=0.8," OM ";version=0.0.1;q=0.75,"
		 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		METRICS_PROTOBUF);
	check(PB ";q=0.6," OM ";version=1.0.0;escaping=allow-utf-8;q=0.5," OM
		 ";version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
		 "text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
		METRICS_PROTOBUF);
	check("APPLICATION/vnd.google.protobuf ; Encoding=\"delimited\" ; "
	      "proto=\"io.prometheus.client.MetricFamily\"",
		METRICS_PROTOBUF);
	check(PB "," OM ",text/plain", METRICS_PROTOBUF);
}

TEST(protobuf_yields_to_what_weighs_more)
{
	check(PB ";q=0.5," OM ";q=0.6", METRICS_OPENMETRICS);
	check(PB ";q=0.5,text/plain;q=0.6," OM ";q=0.5", METRICS_PROMETHEUS_TEXT);
	check(PB ";q=0.5,*/*", METRICS_PROMETHEUS_TEXT);
	check(PB ";q=0," OM, METRICS_OPENMETRICS);
	check(PB ";q=0", METRICS_PROMETHEUS_TEXT);
}

TEST(protobuf_of_another_message_or_encoding_is_not_wanted)
{
	check("application/vnd.google.protobuf", METRICS_PROMETHEUS_TEXT);
	check("application/vnd.google.protobuf;encoding=delimited", METRICS_PROMETHEUS_TEXT);
	check("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily",
		METRICS_PROMETHEUS_TEXT);
	check("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
	      "encoding=text," OM ";q=0.1",
		METRICS_OPENMETRICS);
	check("application/vnd.google.protobuf;proto=other.Message;encoding=delimited",
		METRICS_PROMETHEUS_TEXT);
}

TEST(weights_that_are_none_count_as_nothing)
{
	check(OM ";q=", METRICS_PROMETHEUS_TEXT);
	check(OM ";q=2", METRICS_PROMETHEUS_TEXT);
	check(OM ";q=1.5", METRICS_PROMETHEUS_TEXT);
	check(OM ";q=0.1234", METRICS_PROMETHEUS_TEXT);
	check(OM ";q=-1", METRICS_PROMETHEUS_TEXT);
	check(OM ";q=0x1", METRICS_PROMETHEUS_TEXT);
	check(";;,,=;q=", METRICS_PROMETHEUS_TEXT);
}

TEST(several_accept_headers_are_one_list)
{
	CHECK_EQ(format_of((const char *const[]){"text/plain;q=0.1", OM ";q=0.5", NULL}),
		METRICS_OPENMETRICS);
	CHECK_EQ(format_of((const char *const[]){OM ";q=0.5", "text/plain", NULL}),
		METRICS_PROMETHEUS_TEXT);
}

TAP_MAIN()
