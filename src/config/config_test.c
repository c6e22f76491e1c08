#include "config/config.h"

#include <netinet/in.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "tap.h"

static const char FULL[] =
	"workers: 3\n"
	"admin: \"[::1]:9902\"\n"
	"listeners:\n"
	"  - {name: ingress, address: \"127.0.0.1:8080\"}\n"
	"  - {name: any, address: \"[::]:0\"}\n"
	"routes:\n"
	"  - name: chat\n"
	"    match:\n"
	"      hosts: [\"Chat.Example.com\", \"*.example.org\", \"[::1]\"]\n"
	"      method: {service: chat.Chat, method: Subscribe}\n"
	"      path: {prefix: /v1/}\n"
	"      headers:\n"
	"        - {name: X-Env-Tag, exact: canary}\n"
	"        - {name: x-user, prefix: \"a b\"}\n"
	"        - {name: x-trace, present: true}\n"
	"    backends: [{cluster: chat-v2, weight: 5}, {cluster: chat, weight: 95}]\n"
	"    sample:\n"
	"      every: 1000\n"
	"      header: {name: X-Debug, prefix: \"a b\"}\n"
	"      bytes: 1KiB\n"
	"      directions: [received]\n"
	"      to: [log, file]\n"
	"  - {name: exact, match: {path: {exact: /health}}, cluster: chat-v2}\n"
	"  - name: half\n"
	"    match: {method: {service: a.B}}\n"
	"    backends: [{cluster: chat}, {cluster: chat-v2, weight: 0}]\n"
	"  - {name: default, cluster: chat}\n"
	"clusters:\n"
	"  - name: chat\n"
	"    endpoints: [\"127.0.0.1:9000\", \"[::1]:9000\"]\n"
	"    balance: least_streams\n"
	"    connect_timeout: 1m30s\n"
	"    congestion_control: reno\n"
	"  - {name: chat-v2, endpoints: []}\n"
	"limits:\n"
	"  memory: 1GiB\n"
	"  streams_per_connection: 10\n"
	"  header_bytes: 16KB\n"
	"  crowded_window: 256KiB\n"
	"  message_bytes: 4GiB\n"
	"  series_per_family: 50\n"
	"  connections: 20\n"
	"  replay_bytes: 0\n"
	"  preface_timeout: 3s\n"
	"  settings_timeout: 4s\n"
	"  admin_idle: 250ms\n"
	"  admin_event_streams: 3\n"
	"drain: {grace: 2h}\n"
	"sampling: {ring: 2MiB, file: /tmp/s.bin, redact: [X-Token, x-other]}\n";

static const char MINIMAL[] = "listeners: [{name: in, address: \"127.0.0.1:8080\"}]\n"
			      "clusters: [{name: chat, endpoints: [\"127.0.0.1:9000\"]}]\n"
			      "routes: [{name: all, cluster: chat}]\n";

static struct config *parse(const char *text)
{
	struct buf errors;
	buf_init(&errors);
	struct config *c = config_parse("weir.yaml", text, strlen(text), &errors);
	if (!c)
		printf("# %s", errors.len ? errors.bytes : "no error\n");
	else
		CHECK_EQ(errors.len, 0);
	buf_fini(&errors);
	return c;
}

/* The errors, to be freed. */
static char *refused(const char *text, size_t len)
{
	struct buf errors;
	buf_init(&errors);
	struct config *c = config_parse("weir.yaml", text, len, &errors);
	CHECK(!c);
	config_unref(c);
	buf_str(&errors, "");
	char *copy = strdup(errors.bytes);
	buf_fini(&errors);
	return copy;
}

#define CHECK_REFUSED(text, len, want)                                                             \
	do {                                                                                       \
		char *errors = refused(text, len);                                                 \
		CHECK_STR(errors, want);                                                           \
		free(errors);                                                                      \
	} while (0)

TEST(every_key_reaches_its_field)
{
	struct config *c = parse(FULL);
	REQUIRE(c);
	CHECK_STR(c->file, "weir.yaml");
	CHECK_STR(c->text, FULL);
	CHECK_EQ(c->workers, 3);
	CHECK(c->has_admin);
	CHECK_STR(c->admin.text, "[::1]:9902");
	CHECK_EQ(c->limits.memory_bytes, 1ll << 30);
	CHECK_EQ(c->limits.streams_per_connection, 10);
	CHECK_EQ(c->limits.header_bytes, 16000);
	CHECK_EQ(c->limits.crowded_window_bytes, 256 << 10);
	CHECK_EQ(c->limits.message_bytes, 4ll << 30);
	CHECK_EQ(c->limits.series_per_family, 50);
	CHECK_EQ(c->limits.connections, 20);
	CHECK_EQ(c->limits.replay_bytes, 0);
	CHECK_EQ(c->limits.preface_timeout_ns, 3000000000);
	CHECK_EQ(c->limits.settings_timeout_ns, 4000000000);
	CHECK_EQ(c->limits.admin_idle_ns, 250000000);
	CHECK_EQ(c->limits.admin_event_streams, 3);
	CHECK_EQ(c->drain_grace_ns, 7200 * NS_PER_SEC);
	config_unref(c);
}

TEST(samples_are_taken_and_put_where_the_file_says)
{
	struct config *c = parse(FULL);
	REQUIRE(c);
	const struct config_sample *s = &c->routes[0].sample;
	CHECK_EQ(s->every, 1000);
	CHECK_STR(s->header.name, "x-debug");
	CHECK_EQ(s->header.kind, MATCH_PREFIX);
	CHECK_STR(s->header.value, "a b");
	CHECK_EQ(s->bytes, 1024);
	CHECK_EQ(s->lanes, SAMPLE_RECEIVED);
	CHECK_EQ(s->outputs, SAMPLE_TO_LOG | SAMPLE_TO_FILE);
	s = &c->routes[1].sample;
	CHECK(!s->every && !s->header.name && !s->lanes && !s->outputs);
	CHECK_EQ(c->sampling.ring_bytes, 2 << 20);
	CHECK_STR(c->sampling.file, "/tmp/s.bin");
	CHECK_EQ(c->sampling.redact_count, 2);
	CHECK_STR(c->sampling.redact[0], "x-token");
	CHECK_STR(c->sampling.redact[1], "x-other");
	config_unref(c);
	c = parse("listeners: [{name: in, address: \"127.0.0.1:8080\"}]\n"
		  "clusters: [{name: chat, endpoints: []}]\n"
		  "routes: [{name: all, cluster: chat, sample: {every: 2}}]\n");
	REQUIRE(c);
	s = &c->routes[0].sample;
	CHECK_EQ(s->every, 2);
	CHECK(!s->header.name);
	CHECK_EQ(s->bytes, 256);
	CHECK_EQ(s->lanes, SAMPLE_SENT | SAMPLE_RECEIVED);
	CHECK_EQ(s->outputs, SAMPLE_TO_RING);
	CHECK_EQ(c->sampling.ring_bytes, 1 << 20);
	CHECK(!c->sampling.file && !c->sampling.redact_count);
	config_unref(c);
}

TEST(an_access_log_is_off_unless_asked_for_and_its_parts_have_defaults)
{
#define BASE                                                                                       \
	"listeners: [{name: in, address: \"127.0.0.1:8080\"}]\n"                                   \
	"clusters: [{name: chat, endpoints: []}]\n"
	struct config *c = parse(BASE "routes: [{name: all, cluster: chat}]\n");
	REQUIRE(c);
	CHECK(!c->access_log.path && !c->access_log.sink);
	CHECK_EQ(c->limits.output_bytes, 4 << 20);
	CHECK_EQ(c->limits.admin_bytes, 64 << 20);
	config_unref(c);
	c = parse(BASE "routes: [{name: all, cluster: chat}]\n"
		       "access_log: {path: stderr}\n");
	REQUIRE(c);
	CHECK_STR(c->access_log.path, "stderr");
	CHECK_EQ(c->access_log.every_ns, 60 * NS_PER_SEC);
	CHECK_EQ(c->access_log.events, LOG_OPEN | LOG_UPDATE | LOG_CLOSE);
	CHECK(c->routes[0].access_log);
	config_unref(c);
	c = parse(BASE "routes: [{name: all, cluster: chat, access_log: off}]\n"
		       "access_log: {path: /var/log/a.json, every: 5s, events: [close, open]}\n"
		       "limits: {output_bytes: 64KiB, admin_bytes: 1MiB}\n");
	REQUIRE(c);
	CHECK_STR(c->access_log.path, "/var/log/a.json");
	CHECK_EQ(c->access_log.every_ns, 5 * NS_PER_SEC);
	CHECK_EQ(c->access_log.events, LOG_OPEN | LOG_CLOSE);
	CHECK(!c->routes[0].access_log);
	CHECK_EQ(c->limits.output_bytes, 64 << 10);
	CHECK_EQ(c->limits.admin_bytes, 1 << 20);
	config_unref(c);
#undef BASE
}

TEST(listeners_and_clusters_keep_addresses_as_written_and_as_the_kernel_wants_them)
{
	struct config *c = parse(FULL);
	REQUIRE(c);
	CHECK_EQ(c->listener_count, 2);
	CHECK_STR(c->listeners[0].name, "ingress");
	CHECK_STR(c->listeners[0].address.text, "127.0.0.1:8080");
	CHECK_EQ(c->listeners[0].address.sa_len, sizeof(struct sockaddr_in));
	const struct sockaddr_in *in = (const struct sockaddr_in *)&c->listeners[0].address.sa;
	CHECK_EQ(in->sin_family, AF_INET);
	CHECK_EQ(ntohs(in->sin_port), 8080);
	CHECK_EQ(ntohl(in->sin_addr.s_addr), INADDR_LOOPBACK);
	CHECK_STR(c->listeners[1].address.text, "[::]:0");

	CHECK_EQ(c->cluster_count, 2);
	CHECK_STR(c->clusters[0].name, "chat");
	CHECK_EQ(c->clusters[0].balance, BALANCE_LEAST_STREAMS);
	CHECK_EQ(c->clusters[0].connect_timeout_ns, 90 * NS_PER_SEC);
	CHECK_STR(c->clusters[0].congestion_control, "reno");
	CHECK_EQ(c->clusters[0].endpoint_count, 2);
	const struct config_address *six = &c->clusters[0].endpoints[1];
	CHECK_STR(six->text, "[::1]:9000");
	CHECK_EQ(six->sa_len, sizeof(struct sockaddr_in6));
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&six->sa;
	CHECK_EQ(in6->sin6_family, AF_INET6);
	CHECK_EQ(ntohs(in6->sin6_port), 9000);
	CHECK(IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr));
	CHECK_STR(c->clusters[1].name, "chat-v2");
	CHECK_EQ(c->clusters[1].endpoint_count, 0);
	CHECK_EQ(c->clusters[1].balance, BALANCE_ROUND_ROBIN);
	CHECK_EQ(c->clusters[1].connect_timeout_ns, 5 * NS_PER_SEC);
	config_unref(c);
}

TEST(routes_keep_their_order_and_every_condition)
{
	struct config *c = parse(FULL);
	REQUIRE(c && c->route_count == 4);
	const struct config_route *r = &c->routes[0];
	CHECK_STR(r->name, "chat");
	REQUIRE(r->match.host_count == 3);
	CHECK_STR(r->match.hosts[0], "chat.example.com");
	CHECK_STR(r->match.hosts[1], "*.example.org");
	CHECK_STR(r->match.hosts[2], "[::1]");
	CHECK_STR(r->match.service, "chat.Chat");
	CHECK_STR(r->match.method, "Subscribe");
	CHECK_EQ(r->match.path_kind, MATCH_PREFIX);
	CHECK_STR(r->match.path, "/v1/");
	REQUIRE(r->match.header_count == 3);
	CHECK_STR(r->match.headers[0].name, "x-env-tag");
	CHECK_EQ(r->match.headers[0].kind, MATCH_EXACT);
	CHECK_STR(r->match.headers[0].value, "canary");
	CHECK_EQ(r->match.headers[1].kind, MATCH_PREFIX);
	CHECK_STR(r->match.headers[1].value, "a b");
	CHECK_EQ(r->match.headers[2].kind, MATCH_PRESENT);
	CHECK(!r->match.headers[2].value);

	r = &c->routes[1];
	CHECK_EQ(r->match.path_kind, MATCH_EXACT);
	CHECK_STR(r->match.path, "/health");
	CHECK(!r->match.service && !r->match.method && !r->match.host_count);
	CHECK_STR(c->routes[3].name, "default");
	CHECK(!c->routes[3].match.path && !c->routes[3].match.header_count);
	config_unref(c);
}

TEST(backends_name_clusters_by_index_and_sum_their_weights)
{
	struct config *c = parse(FULL);
	REQUIRE(c && c->route_count == 4);
	const struct config_route *r = c->routes;
	REQUIRE(r[0].backend_count == 2 && r[2].backend_count == 2);
	CHECK_EQ(r[0].backends[0].cluster, 1);
	CHECK_EQ(r[0].backends[0].weight, 5);
	CHECK_EQ(r[0].backends[1].cluster, 0);
	CHECK_EQ(r[0].backends[1].weight, 95);
	CHECK_EQ(r[0].weight_sum, 100);
	CHECK_EQ(r[1].backend_count, 1);
	CHECK_EQ(r[1].backends[0].cluster, 1);
	CHECK_EQ(r[1].weight_sum, 1);
	CHECK_EQ(r[2].backends[0].weight, 1);
	CHECK_EQ(r[2].backends[1].weight, 0);
	CHECK_EQ(r[2].weight_sum, 1);
	config_unref(c);
}

TEST(what_is_not_written_has_its_default)
{
	struct config *c = parse(MINIMAL);
	REQUIRE(c);
	CHECK(c->workers >= 1 && c->workers <= 256);
	CHECK(c->has_admin);
	CHECK_STR(c->admin.text, "127.0.0.1:9901");
	CHECK_EQ(c->admin.sa_len, sizeof(struct sockaddr_in));
	CHECK_EQ(c->clusters[0].balance, BALANCE_ROUND_ROBIN);
	CHECK_EQ(c->clusters[0].connect_timeout_ns, 5 * NS_PER_SEC);
	CHECK_EQ(c->limits.memory_bytes, 512ll << 20);
	CHECK_EQ(c->limits.streams_per_connection, 1000);
	CHECK_EQ(c->limits.header_bytes, 64 << 10);
	CHECK_EQ(c->limits.crowded_window_bytes, 32 << 10);
	CHECK_EQ(c->limits.message_bytes, 64ll << 20);
	CHECK_EQ(c->limits.series_per_family, 1000);
	CHECK_EQ(c->limits.connections, 100000);
	CHECK_EQ(c->limits.replay_bytes, 64 << 10);
	CHECK_EQ(c->limits.preface_timeout_ns, 10000000000);
	CHECK_EQ(c->limits.settings_timeout_ns, 10000000000);
	CHECK_EQ(c->limits.admin_idle_ns, 60000000000);
	CHECK_EQ(c->limits.admin_event_streams, 16);
	CHECK_EQ(c->drain_grace_ns, 30 * NS_PER_SEC);
	CHECK_EQ(c->generation, 0);
	config_unref(c);
}

TEST(admin_can_be_switched_off)
{
	static const char *const words[] = {"off", "false", "\"off\""};
	for (size_t i = 0; i < 3; i++) {
		char text[512];
		snprintf(text, sizeof(text), "%sadmin: %s\n", MINIMAL, words[i]);
		struct config *c = parse(text);
		REQUIRE(c);
		CHECK(!c->has_admin);
		CHECK(!c->admin.text);
		config_unref(c);
	}
}

TEST(line_ends_byte_order_mark_and_json_are_fine)
{
	static const char dos[] = "\xef\xbb\xbf# dos\r\nlisteners:\r\n  - name: in\r\n"
				  "    address: 127.0.0.1:8080\r\n"
				  "clusters: [{name: c, endpoints: []}]\r\n"
				  "routes: [{name: all, cluster: c}]\r\n";
	static const char json[] =
		"{\"listeners\":[{\"name\":\"in\",\"address\":\"127.0.0.1:8080\"}],"
		"\"clusters\":[{\"name\":\"c\",\"endpoints\":[\"127.0.0.1:1\"]}],"
		"\"routes\":[{\"name\":\"all\",\"cluster\":\"c\"}],\"workers\":2}";
	struct config *c = parse(dos);
	REQUIRE(c);
	config_unref(c);
	c = parse(json);
	REQUIRE(c);
	CHECK_EQ(c->workers, 2);
	config_unref(c);
}

TEST(ephemeral_ports_do_not_collide)
{
	struct config *c = parse("admin: 127.0.0.1:0\n"
				 "listeners: [{name: a, address: \"127.0.0.1:0\"},\n"
				 "  {name: b, address: \"127.0.0.1:0\"}]\n"
				 "clusters: [{name: c, endpoints: []}]\n"
				 "routes: [{name: all, cluster: c}]\n");
	REQUIRE(c);
	CHECK_EQ(c->listener_count, 2);
	config_unref(c);
}

TEST(routes_that_only_overlap_are_fine)
{
	struct config *c =
		parse("listeners: [{name: a, address: \"127.0.0.1:80\"}]\n"
		      "clusters: [{name: c, endpoints: []}]\n"
		      "routes:\n"
		      "- {name: 1, cluster: c, match: {hosts: [\"*.a.org\"]}}\n"
		      "- {name: 2, cluster: c, match: {hosts: [b.a.org, a.org]}}\n"
		      "- {name: 3, cluster: c, match: {path: {exact: /v1}}}\n"
		      "- {name: 4, cluster: c, match: {path: {prefix: /v1}}}\n"
		      "- {name: 5, cluster: c, match: {method: {method: M}}}\n"
		      "- {name: 6, cluster: c, match: {method: {service: S}}}\n"
		      "- {name: 7, cluster: c, match: {headers: [{name: h, exact: x}]}}\n"
		      "- {name: 8, cluster: c, match: {headers: [{name: h, prefix: x}]}}\n"
		      "- {name: 9, cluster: c, match: {headers: [{name: h, present: true}]}}\n"
		      "- {name: 10, cluster: c, match: {headers: [{name: i, exact: x}]}}\n"
		      "- {name: 11, cluster: c, match: {hosts: [\"*.org\"]}}\n"
		      "- {name: 12, cluster: c}\n");
	REQUIRE(c);
	CHECK_EQ(c->route_count, 12);
	config_unref(c);
}

TEST(an_empty_text_says_so)
{
	CHECK_REFUSED("", 0,
		"weir.yaml:1:1: empty, expected a mapping with listeners, routes and clusters\n");
	CHECK_REFUSED("\xef\xbb\xbf", 3,
		"weir.yaml:1:1: empty, expected a mapping with listeners, routes and clusters\n");
}

TEST(a_text_that_is_too_long_says_so)
{
	size_t len = (1 << 20) + 1;
	char *text = malloc(len);
	REQUIRE(text);
	memset(text, '#', len);
	CHECK_REFUSED(text, len, "weir.yaml:1:1: too long, expected at most 1048576 bytes\n");
	free(text);
}

TEST(a_tree_with_too_many_nodes_says_so)
{
	size_t len = 1 << 20;
	char *text = malloc(len + 1);
	REQUIRE(text);
	memset(text, ' ', len);
	text[0] = '[';
	for (size_t i = 1; i < len; i += 2)
		memcpy(text + i, "a,", 2);
	CHECK_REFUSED(text, len,
		"weir.yaml:1:200000: too large, expected at most 100000 keys, values and list "
		"items\n");
	free(text);
}

TEST(a_thousand_errors_are_shown_and_the_rest_counted)
{
	struct buf text;
	buf_init(&text);
	for (int i = 0; i < 1500; i++)
		buf_fmt(&text, "key%d: 1\n", i);
	char *errors = refused(text.bytes, text.len);
	unsigned lines = 0;
	for (const char *c = errors; *c; c++)
		lines += *c == '\n';
	CHECK_EQ(lines, 1001);
	/* 1500 unknown keys and three missing ones. */
	CHECK(strstr(errors, "weir.yaml: and 503 more errors\n"));
	free(errors);
	buf_fini(&text);
}

TEST(errors_come_in_the_order_of_the_text)
{
	char *errors = refused("routes: 1\nworkers: x\nclusters: 2\nlisteners: 3\n", 46);
	unsigned last = 0, line;
	for (char *at = errors; *at; at = strchr(at, '\n') + 1) {
		REQUIRE(sscanf(at, "weir.yaml:%u:", &line) == 1);
		CHECK(line > last);
		last = line;
	}
	CHECK_EQ(last, 4);
	free(errors);
}

TEST(a_file_that_cannot_be_read_says_why)
{
	struct buf errors;
	buf_init(&errors);
	CHECK(!config_load("/nonexistent/weir.yaml", &errors));
	CHECK_STR(errors.bytes,
		"/nonexistent/weir.yaml: cannot be read: No such file or directory\n");
	buf_clear(&errors);
	CHECK(!config_load("/", &errors));
	CHECK_STR(errors.bytes, "/: cannot be read: Is a directory\n");
	buf_fini(&errors);
}

TEST(a_file_is_read_whole)
{
	char path[] = "/tmp/weir-config-XXXXXX";
	int fd = mkstemp(path);
	struct buf errors;
	REQUIRE(fd >= 0);
	buf_init(&errors);
	CHECK_EQ(write(fd, FULL, sizeof(FULL) - 1), sizeof(FULL) - 1);
	close(fd);
	struct config *c = config_load(path, &errors);
	CHECK(c);
	CHECK_STR(c ? c->text : NULL, FULL);
	CHECK_STR(c ? c->file : NULL, path);
	config_unref(c);
	unlink(path);
	buf_fini(&errors);
}

TEST(the_last_reference_frees_everything)
{
	long before = mem_live_blocks();
	struct config *c = parse(FULL);
	REQUIRE(c);
	CHECK(config_ref(c) == c);
	config_unref(c);
	CHECK_STR(c->routes[0].name, "chat");
	config_unref(c);
	config_unref(NULL);
	CHECK_EQ(mem_live_blocks(), before);
}

/* `bad` also takes the ways that report errors. */
static void fail_each_allocation(const char *text, bool bad)
{
	long before = mem_live_blocks();
	for (long nth = 1; nth < 10000; nth++) {
		struct buf errors;
		buf_init(&errors);
		mem_fail_after(nth);
		struct config *c = config_parse("weir.yaml", text, strlen(text), &errors);
		bool failed = !c && (!bad || errors.failed || !errors.len ||
					    strstr(errors.bytes, "out of memory"));
		mem_fail_after(0);
		config_unref(c);
		buf_fini(&errors);
		CHECK_EQ(mem_live_blocks(), before);
		if (!failed) {
			CHECK(nth > 4); /* it had allocations to fail */
			CHECK_EQ(c != NULL, !bad);
			return;
		}
	}
	CHECK(!"still allocating");
}

TEST(each_failed_allocation_is_out_of_memory_and_leaks_nothing)
{
	fail_each_allocation(FULL, false);
}

TEST(each_failed_allocation_while_reporting_leaks_nothing)
{
	fail_each_allocation("workers: none\n"
			     "listeners: [{nam: in, address: localhost}, 7]\n"
			     "clusters: [{name: c, endpoints: [x]}]\n"
			     "routes: [{name: all, cluster: d}]\n",
		true);
}

/* Bytes changed, dropped, doubled and swapped at random: an answer comes every time, a snapshot or
 * an error with a place. */
TEST(mutated_texts_get_a_snapshot_or_an_error_with_its_place)
{
	static const char bytes[] = "{}[]:,-#&*!|>'\"%@` \n\t\\0x~\xc3\xff";
	struct rand rand;
	rand_seed(&rand, 20261121);
	long before = mem_live_blocks();
	for (int round = 0; round < 20000; round++) {
		char text[sizeof(FULL) + 8];
		size_t len = sizeof(FULL) - 1;
		memcpy(text, FULL, len);
		for (uint64_t n = 1 + rand_below(&rand, 4); n; n--) {
			size_t at = rand_below(&rand, len - 1);
			switch (rand_below(&rand, 3)) {
			case 0:
				text[at] = bytes[rand_below(&rand, sizeof(bytes) - 1)];
				break;
			case 1:
				memmove(text + at, text + at + 1, len - at - 1);
				len--;
				break;
			default:
				text[at] = text[rand_below(&rand, len)];
				break;
			}
		}
		struct buf errors;
		buf_init(&errors);
		struct config *c = config_parse("m", text, len, &errors);
		unsigned line, column;
		if (!c && (!errors.len || sscanf(errors.bytes, "m:%u:%u: ", &line, &column) != 2 ||
				  !line || !column)) {
			tap_failures++;
			printf("# round %d: %s\n", round, errors.len ? errors.bytes : "no error");
		}
		config_unref(c);
		buf_fini(&errors);
	}
	CHECK_EQ(mem_live_blocks(), before);
}

TAP_MAIN()
