#include "filter/accesslog.h"
#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>
#include "base/clock.h"
#include "call/stall.h"
#include "filter/filter_kit.h"

static const struct call_filter *const logged_chain[] = {&filter_accesslog, &filter_count, NULL};
static struct sinks *sinks;
static struct rand dice;
static char path[64];

static void begin(uint8_t events, uint64_t every_ns)
{
	world_init(100);
	world_has_threads = true;
	snprintf(path, sizeof path, "/tmp/weir-accesslog-XXXXXX");
	close(mkstemp(path));
	sinks = sinks_create();
	config.access_log = (struct config_access_log){.path = path,
		.every_ns = every_ns,
		.events = events,
		.sink = sink_open(sinks, path)};
	named.access_log = true;
	rand_seed(&dice, tap_seed());
	env.filters = logged_chain;
	env.rand = &dice;
	env.index = 3;
	env.now_ns = 100 * NS_PER_SEC;
	env.wall_ns = 1763768000123ull * NS_PER_MS;
}

/* Everything that was written: an array of objects. */
static json_t *end(void)
{
	json_t *all = json_array();
	char line[3 * ACCESS_LOG_LINE_BYTES];
	sink_flush(&env.outputs);
	CHECK_EQ(sinks_destroy(sinks), 0);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		json_error_t why;
		json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, &why);
		if (!o)
			printf("# %s in %s", why.text, line);
		CHECK(o && strlen(line) <= ACCESS_LOG_LINE_BYTES && line[strlen(line) - 1] == '\n');
		json_array_append_new(all, o);
	}
	fclose(f);
	unlink(path);
	config.access_log = (struct config_access_log){0};
	world_fini();
	return all;
}

static const char *str(json_t *all, size_t i, const char *key)
{
	const char *s = json_string_value(json_object_get(json_array_get(all, i), key));
	return s ? s : "(absent)";
}

static double num(json_t *all, size_t i, const char *key)
{
	json_t *n = json_object_get(json_array_get(all, i), key);
	return n ? json_number_value(n) : -1;
}

static void check_line(json_t *all, size_t i, const char *want)
{
	json_t *expected = json_loads(want, 0, NULL);
	bool same = expected && json_equal(expected, json_array_get(all, i));
	if (!same) {
		char *got = json_dumps(json_array_get(all, i), 0);
		printf("# got %s\n# expected %s\n", got, want);
		free(got);
	}
	CHECK(same);
	json_decref(expected);
}

static struct call *logged_call(void)
{
	struct call *c = call_with(&named,
		FIELDS(":method", "POST", ":path", "/a.B/C", ":authority", "chat.example.com",
			"content-type", "application/grpc", "user-agent", "grpc-c/1.51",
			"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
		false);
	c->peer = "10.0.0.1:5555"; /* after the open line here; before it in a front */
	return c;
}

#define WHAT                                                                                       \
	"\"id\":\"3-1\",\"listener\":\"in\",\"route\":\"named\",\"cluster\":\"up\","               \
	"\"protocol\":\"grpc\",\"http_method\":\"POST\",\"path\":\"/a.B/C\",\"service\":\"a.B\","  \
	"\"method\":\"C\",\"authority\":\"chat.example.com\",\"user_agent\":\"grpc-c/1.51\","      \
	"\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\""

TEST(a_stream_has_a_line_when_it_opens_one_each_so_long_and_one_at_its_end)
{
	begin(LOG_OPEN | LOG_UPDATE | LOG_CLOSE, 60 * NS_PER_SEC);
	struct call *c = logged_call();
	c->endpoint = "127.0.0.1:9000";
	request(c, two, TWO_BYTES, false);
	env.now_ns += 20 * NS_PER_MS;
	response_head(c);
	env.now_ns += 5 * NS_PER_MS;
	response(c, two, 8, false);
	call_tick(c); /* not yet due */
	env.now_ns = (100 + 60) * NS_PER_SEC;
	env.wall_ns += 60 * NS_PER_SEC;
	call_tick(c);
	call_tick(c); /* once */
	request(c, two, 8, true);
	env.now_ns += 10 * NS_PER_SEC;
	response_status(c, "0");
	finish(c);
	json_t *all = end();
	CHECK_EQ(json_array_size(all), 3);
	check_line(all, 0, "{\"time\":\"2025-11-21T23:33:20.123Z\",\"event\":\"open\"," WHAT "}");
	check_line(all, 1,
		"{\"time\":\"2025-11-21T23:34:20.123Z\",\"event\":\"update\"," WHAT
		",\"client\":\"10.0.0.1:5555\",\"endpoint\":\"127.0.0.1:9000\","
		"\"duration_ms\":60000,\"head_ms\":20,\"first_message_ms\":25,"
		"\"sent_messages\":2,\"sent_bytes\":14,\"sent_rate\":0.033,\"sent_age_ms\":60000,"
		"\"received_messages\":1,\"received_bytes\":8,\"received_rate\":0.016,"
		"\"received_age_ms\":59975,\"http_status\":200}");
	check_line(all, 2,
		"{\"time\":\"2025-11-21T23:34:20.123Z\",\"event\":\"close\"," WHAT
		",\"client\":\"10.0.0.1:5555\",\"endpoint\":\"127.0.0.1:9000\","
		"\"duration_ms\":70000,\"head_ms\":20,\"first_message_ms\":25,"
		"\"sent_messages\":3,\"sent_bytes\":22,\"sent_rate\":0.1,\"sent_age_ms\":10000,"
		"\"received_messages\":1,\"received_bytes\":8,\"received_rate\":0,"
		"\"received_age_ms\":69975,\"http_status\":200,\"grpc_status\":\"OK\","
		"\"ended_by\":\"upstream\",\"reason\":\"complete\"}");
	json_decref(all);
}

TEST(a_reset_says_who_and_with_which_code)
{
	begin(LOG_CLOSE, 0);
	struct call *c = logged_call();
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_CANCEL);
	finish(c);
	c = logged_call();
	response_head(c);
	call_reset(c, CALL_BY_UPSTREAM, REASON_UPSTREAM_RESET, H2_INTERNAL_ERROR);
	finish(c);
	json_t *all = end();
	CHECK_EQ(json_array_size(all), 2);
	CHECK_STR(str(all, 0, "ended_by"), "client");
	CHECK_STR(str(all, 0, "reason"), "client_cancel");
	CHECK_EQ(num(all, 0, "h2_code"), H2_CANCEL);
	CHECK_STR(str(all, 0, "grpc_status"), "(absent)");
	CHECK_EQ(num(all, 0, "http_status"), -1);
	CHECK_STR(str(all, 1, "ended_by"), "upstream");
	CHECK_STR(str(all, 1, "reason"), "upstream_reset");
	CHECK_EQ(num(all, 1, "h2_code"), H2_INTERNAL_ERROR);
	CHECK_EQ(num(all, 1, "http_status"), 200);
	json_decref(all);
}

TEST(what_weir_ends_itself_says_why_in_words)
{
	begin(LOG_CLOSE, 0);
	struct call *c = logged_call();
	call_fail(c, REASON_CONNECT_REFUSED, "no connection to \"up\": Connection refused");
	finish(c);
	json_t *all = end();
	CHECK_STR(str(all, 0, "ended_by"), "weir");
	CHECK_STR(str(all, 0, "reason"), "connect_refused");
	CHECK_STR(str(all, 0, "detail"), "no connection to \"up\": Connection refused");
	CHECK_STR(str(all, 0, "grpc_status"), "UNAVAILABLE");
	CHECK_EQ(num(all, 0, "h2_code"), -1);
	json_decref(all);
}

TEST(what_is_not_rpc_has_bytes_and_no_messages)
{
	begin(LOG_CLOSE, 0);
	struct call *c = call_with(NULL, FIELDS(":method", "GET", ":path", "/index.html"), true);
	response_fields(c, EVENT_HEAD, FIELDS(":status", "404"), false);
	response(c, "gone", 4, true);
	finish(c);
	json_t *all = end();
	CHECK_STR(str(all, 0, "protocol"), "http");
	CHECK_STR(str(all, 0, "route"), "(absent)");
	CHECK_STR(str(all, 0, "service"), "(absent)");
	CHECK_STR(str(all, 0, "user_agent"), "(absent)");
	CHECK_EQ(num(all, 0, "http_status"), 404);
	CHECK_EQ(num(all, 0, "received_bytes"), 4);
	CHECK_EQ(num(all, 0, "received_messages"), -1);
	CHECK_EQ(num(all, 0, "received_age_ms"), -1);
	json_decref(all);
}

TEST(seconds_of_stalls_stand_by_direction_and_cause)
{
	begin(LOG_UPDATE | LOG_CLOSE, 10 * NS_PER_SEC);
	struct call *c = logged_call();
	call_stall(c, LANE_RESPONSE, STALL_PEER_STREAM_WINDOW);
	env.now_ns += 1500 * NS_PER_MS;
	call_stall(c, LANE_RESPONSE, STALL_NONE);
	call_stall(c, LANE_REQUEST, STALL_SOCKET);
	env.now_ns += 10 * NS_PER_SEC;
	call_tick(c);
	call_stall(c, LANE_REQUEST, STALL_NONE);
	response_head(c);
	response_status(c, "0");
	finish(c);
	json_t *all = end();
	json_t *want = json_loads("{\"sent\":{\"now\":\"socket\",\"socket\":10},\"received\":{"
				  "\"peer_stream_window\":1.5}}",
		0, NULL);
	CHECK(json_equal(json_object_get(json_array_get(all, 0), "stalled"), want));
	json_object_del(json_object_get(want, "sent"), "now");
	CHECK(json_equal(json_object_get(json_array_get(all, 1), "stalled"), want));
	json_decref(want);
	json_decref(all);
}

TEST(a_stall_too_short_to_be_told_is_not_told)
{
	begin(LOG_CLOSE, 0);
	struct call *c = logged_call();
	call_stall(c, LANE_RESPONSE, STALL_SOCKET);
	env.now_ns += NS_PER_MS - 1;
	call_stall(c, LANE_RESPONSE, STALL_NONE);
	response_head(c);
	response_status(c, "0");
	finish(c);
	json_t *all = end();
	CHECK(!json_object_get(json_array_get(all, 0), "stalled"));
	json_decref(all);
}

TEST(update_lines_of_streams_that_began_together_are_spread)
{
	enum { STREAMS = 200, EVERY_S = 60 };
	begin(LOG_UPDATE, EVERY_S * NS_PER_SEC);
	struct call *c[STREAMS];
	unsigned lines = 0, most = 0;
	for (int i = 0; i < STREAMS; i++)
		c[i] = logged_call();
	struct sink_stats stats;
	const char *label[] = {"update"};
	for (int s = 1; s <= 3 * EVERY_S; s++) {
		env.now_ns += NS_PER_SEC;
		for (int i = 0; i < STREAMS; i++)
			call_tick(c[i]);
		unsigned sum = (unsigned)metrics_read(metrics, M_ACCESS_LOG_RECORDS, label);
		CHECK(s >= EVERY_S / 2 || sum == 0);
		CHECK(s != EVERY_S || sum == STREAMS); /* each within the first `every` */
		most = sum - lines > most ? sum - lines : most;
		lines = sum;
	}
	CHECK(lines >= 5 * STREAMS / 2 - STREAMS && lines <= 3 * STREAMS);
	CHECK(most < STREAMS / 5);
	sink_stats(config.access_log.sink, &stats);
	CHECK_EQ(stats.dropped, 0);
	for (int i = 0; i < STREAMS; i++) {
		call_reset(c[i], CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_CANCEL);
		finish(c[i]);
	}
	json_t *all = end();
	CHECK_EQ(json_array_size(all), lines);
	json_decref(all);
}

TEST(hostile_bytes_of_peers_neither_break_a_line_nor_make_it_long)
{
	begin(LOG_OPEN | LOG_CLOSE, 0);
	char all_bytes[256], much[5000], long_path[5000] = "/", long_name[129];
	for (int i = 0; i < 255; i++)
		all_bytes[i] = (char)(i + 1);
	all_bytes[255] = '\0';
	memset(much, '\x1b', sizeof much - 1); /* six bytes each in the line */
	much[sizeof much - 1] = '\0';
	memset(long_path + 1, 'x', 2000);
	long_path[2001] = '/';
	memset(long_path + 2002, 'y', 2000);
	long_path[4002] = '\0';
	memset(long_name, 'n', 128);
	long_name[128] = '\0';
	struct config_route route = {.name = long_name, .access_log = true};
	const char *texts[] = {all_bytes, much, "\xff\xfe\xc3", "\"},{\"event\":\"open", long_path};
	for (unsigned i = 0; i < 5; i++) {
		struct call *c = call_with(&route,
			FIELDS(":method", texts[i], ":path", texts[i], ":authority", texts[i],
				"content-type", "application/grpc", "user-agent", texts[i],
				"traceparent", texts[i]),
			false);
		c->peer = c->endpoint = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%interface]:65535";
		for (int lane = 0; lane < 2; lane++) {
			c->lanes[lane].messages = c->lanes[lane].bytes = INT64_MAX;
			c->lanes[lane].message_ns = 1;
			for (int cause = STALL_NONE + 1; cause < STALL_CAUSE_COUNT; cause++) {
				call_stall(c, (enum lane_id)lane, (enum stall_cause)cause);
				env.now_ns += 1234567 * NS_PER_MS;
			}
		}
		call_fail(c, REASON_CONNECT_REFUSED, texts[i]);
		finish(c);
	}
	json_t *all = end(); /* checks each line's length and form */
	CHECK_EQ(json_array_size(all), 10);
	CHECK_EQ(strlen(str(all, 8, "path")), ACCESS_LOG_PATH_BYTES);
	CHECK_EQ(strlen(str(all, 8, "service")), ACCESS_LOG_NAME_BYTES);
	CHECK_STR(str(all, 8, "path") + ACCESS_LOG_PATH_BYTES - 4, "x...");
	CHECK_STR(str(all, 6, "user_agent"), texts[3]);
	CHECK_STR(str(all, 0, "trace_id"), "(absent)");
	CHECK_EQ(strlen(str(all, 2, "path")), (ACCESS_LOG_PATH_BYTES - 3) / 6 + 3);
	json_decref(all);
}

static void refused(const struct fields *head, struct accesslog_refusal why)
{
	why.listener = "in";
	why.client = "10.0.0.1:5555";
	why.head = head;
	accesslog_refused(&env, &config.access_log, &why);
}

TEST(a_stream_that_was_refused_before_it_began_has_a_close_line_with_what_is_known)
{
	begin(LOG_CLOSE, 0);
	refused(NULL, (struct accesslog_refusal){.reason = "too_many_streams",
			      .detail = "beyond SETTINGS_MAX_CONCURRENT_STREAMS",
			      .h2_code = H2_REFUSED_STREAM});
	refused(NULL, (struct accesslog_refusal){.reason = "http1", .http_status = 505});
	struct fields *head = FIELDS(":method", "POST", ":path", "/a.B/C", ":authority",
		"chat.example.com", "content-type", "application/grpc", "user-agent", "grpc-c/1.51",
		"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	refused(head, (struct accesslog_refusal){
			      .reason = "memory_budget", .h2_code = H2_REFUSED_STREAM});
	fields_destroy(head);
	const char *labels[] = {"close"};
	CHECK_EQ(metrics_read(metrics, M_ACCESS_LOG_RECORDS, labels), 3);
	json_t *all = end();
	CHECK_EQ(json_array_size(all), 3);
#define REFUSED                                                                                    \
	"{\"time\":\"2025-11-21T23:33:20.123Z\",\"event\":\"close\",\"listener\":\"in\","          \
	"\"client\":\"10.0.0.1:5555\",\"ended_by\":\"weir\","
	check_line(all, 0,
		REFUSED "\"reason\":\"too_many_streams\",\"h2_code\":7,"
			"\"detail\":\"beyond SETTINGS_MAX_CONCURRENT_STREAMS\"}");
	check_line(all, 1, REFUSED "\"reason\":\"http1\",\"http_status\":505}");
	check_line(all, 2,
		REFUSED "\"reason\":\"memory_budget\",\"h2_code\":7,\"protocol\":\"grpc\","
			"\"http_method\":\"POST\",\"path\":\"/a.B/C\","
			"\"authority\":\"chat.example.com\",\"user_agent\":\"grpc-c/1.51\","
			"\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}");
	json_decref(all);
}

TEST(a_refused_stream_has_no_line_without_a_log_or_without_close_lines)
{
	begin(LOG_OPEN | LOG_UPDATE, 0);
	refused(NULL, (struct accesslog_refusal){.reason = "http1", .http_status = 505});
	struct config_access_log off = {.events = LOG_CLOSE};
	accesslog_refused(&env, &off, &(struct accesslog_refusal){.reason = "http1"});
	json_t *all = end();
	CHECK_EQ(json_array_size(all), 0);
	json_decref(all);
}

TEST(hostile_bytes_of_a_refused_head_neither_break_a_line_nor_make_it_long)
{
	begin(LOG_CLOSE, 0);
	char much[5000];
	memset(much, '\x1b', sizeof much - 1); /* six bytes each in the line */
	much[sizeof much - 1] = '\0';
	const char *texts[] = {much, "", "\xff\xfe\xc3", "\"},{\"event\":\"open"};
	for (unsigned i = 0; i < 4; i++) {
		struct fields *head = FIELDS(":method", texts[i], ":path", texts[i], ":authority",
			texts[i], "user-agent", texts[i], "traceparent", texts[i]);
		refused(head, (struct accesslog_refusal){.reason = "memory_budget", .h2_code = 7});
		fields_destroy(head);
	}
	json_t *all = end(); /* checks each line's length and form */
	CHECK_EQ(json_array_size(all), 4);
	CHECK_EQ(strlen(str(all, 0, "path")), (ACCESS_LOG_PATH_BYTES - 3) / 6 + 3);
	CHECK_STR(str(all, 3, "user_agent"), texts[3]);
	json_decref(all);
}

TEST(a_call_is_not_in_the_log_when_there_is_none_or_its_route_says_so)
{
	begin(LOG_OPEN | LOG_CLOSE, 0);
	struct sink *sink = config.access_log.sink;
	config.access_log.sink = NULL;
	struct call *c = logged_call();
	CHECK_EQ(c->stage_count, 1); /* count */
	finish(c);
	config.access_log.sink = sink;
	named.access_log = false;
	c = logged_call();
	CHECK_EQ(c->stage_count, 1);
	finish(c);
	named.access_log = true;
	json_t *all = end();
	CHECK_EQ(json_array_size(all), 0);
	json_decref(all);
}

TEST(a_line_without_memory_is_dropped_and_counted_and_the_call_goes_on)
{
	begin(LOG_UPDATE, NS_PER_SEC);
	struct call *c = logged_call();
	env.now_ns += NS_PER_SEC;
	mem_fail_after(1);
	call_tick(c);
	mem_fail_after(0);
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_CANCEL);
	finish(c);
	struct sink_stats stats;
	sink_stats(config.access_log.sink, &stats);
	CHECK_EQ(stats.dropped, 1);
	json_t *all = end();
	CHECK_EQ(json_array_size(all), 0);
	json_decref(all);
}

TEST(a_line_takes_no_memory_after_the_first)
{
	begin(LOG_UPDATE, NS_PER_SEC);
	struct call *c = logged_call();
	env.now_ns += NS_PER_SEC;
	call_tick(c);
	sink_flush(&env.outputs);
	size_t cap = env.line.cap;
	char *bytes = env.line.bytes;
	env.now_ns += NS_PER_SEC;
	call_tick(c);
	CHECK(env.line.bytes == bytes && env.line.cap == cap);
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_CANCEL);
	finish(c);
	json_t *all = end();
	CHECK_EQ(json_array_size(all), 2);
	json_decref(all);
}

TAP_MAIN()
