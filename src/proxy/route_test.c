#include "proxy/route.h"
#include "base/mem.h"
#include "call/known.h"
#include "tap.h"

static struct call_said said; /* of the call made last */

static struct call make_call(
	const char *authority, const char *path, const char *service, const char *method)
{
	said = (struct call_said){.authority = authority,
		.path = path,
		.grpc_service = service,
		.grpc_method = method};
	return (struct call){.said = &said};
}

static bool matches(const struct config_match *m, const char *authority, const char *path,
	const char *header, const char *value)
{
	struct call c = make_call(authority, path, "chat.Chat", "Subscribe");
	struct fields *head = fields_create();
	if (header)
		CHECK(!fields_add(head, header, strlen(header), value, strlen(value)));
	bool yes = route_matches(m, &c, head);
	fields_destroy(head);
	return yes;
}

TEST(a_match_without_conditions_takes_all)
{
	struct config_match m = {0};
	CHECK(matches(&m, "a", "/x", NULL, NULL));
	CHECK(matches(&m, "", "", NULL, NULL));
}

TEST(hosts_are_compared_without_port_and_case)
{
	char *hosts[] = {(char *)"chat.example.com", (char *)"[::1]"};
	struct config_match m = {.hosts = hosts, .host_count = 2};
	CHECK(matches(&m, "chat.example.com", "/", NULL, NULL));
	CHECK(matches(&m, "Chat.Example.COM:8080", "/", NULL, NULL));
	CHECK(matches(&m, "[::1]:80", "/", NULL, NULL));
	CHECK(!matches(&m, "chat.example.com.evil", "/", NULL, NULL));
	CHECK(!matches(&m, "xchat.example.com", "/", NULL, NULL));
	CHECK(!matches(&m, "", "/", NULL, NULL));
	/* RFC 9113 8.3.1: without :authority, host says it */
	CHECK(matches(&m, "", "/", "host", "chat.example.com:1"));
}

TEST(a_wildcard_host_stands_for_one_or_more_labels)
{
	char *hosts[] = {(char *)"*.example.org"};
	struct config_match m = {.hosts = hosts, .host_count = 1};
	CHECK(matches(&m, "a.example.org", "/", NULL, NULL));
	CHECK(matches(&m, "a.b.EXAMPLE.org:1", "/", NULL, NULL));
	CHECK(!matches(&m, "example.org", "/", NULL, NULL));
	CHECK(!matches(&m, ".example.org", "/", NULL, NULL));
	CHECK(!matches(&m, "aexample.org", "/", NULL, NULL));
}

TEST(service_and_method_match_exactly)
{
	struct config_match m = {.service = (char *)"chat.Chat"};
	CHECK(matches(&m, "h", "/chat.Chat/Subscribe", NULL, NULL));
	m.method = (char *)"Subscribe";
	CHECK(matches(&m, "h", "/", NULL, NULL));
	m.method = (char *)"subscribe";
	CHECK(!matches(&m, "h", "/", NULL, NULL));
	m.service = (char *)"chat";
	m.method = NULL;
	CHECK(!matches(&m, "h", "/", NULL, NULL));
}

TEST(paths_match_by_prefix_or_exactly_without_the_query)
{
	struct config_match m = {.path_kind = MATCH_PREFIX, .path = (char *)"/v1/"};
	CHECK(matches(&m, "h", "/v1/a", NULL, NULL));
	CHECK(!matches(&m, "h", "/v1", NULL, NULL));
	CHECK(!matches(&m, "h", "/V1/a", NULL, NULL));
	m = (struct config_match){.path_kind = MATCH_EXACT, .path = (char *)"/v1"};
	CHECK(matches(&m, "h", "/v1", NULL, NULL));
	CHECK(matches(&m, "h", "/v1?a=b", NULL, NULL));
	CHECK(!matches(&m, "h", "/v1/", NULL, NULL));
	CHECK(!matches(&m, "h", "/v", NULL, NULL));
}

TEST(all_header_conditions_must_hold)
{
	struct config_header_match h = {
		.name = (char *)"x-env-tag", .kind = MATCH_EXACT, .value = (char *)"canary"};
	struct config_match m = {.headers = &h, .header_count = 1};
	CHECK(matches(&m, "h", "/", "x-env-tag", "canary"));
	CHECK(!matches(&m, "h", "/", "x-env-tag", "canary2"));
	CHECK(!matches(&m, "h", "/", "x-env-tag2", "canary"));
	CHECK(!matches(&m, "h", "/", NULL, NULL));
	h.kind = MATCH_PREFIX;
	CHECK(matches(&m, "h", "/", "x-env-tag", "canary2"));
	CHECK(!matches(&m, "h", "/", "x-env-tag", "canar"));
	h.kind = MATCH_PRESENT;
	h.value = NULL;
	CHECK(matches(&m, "h", "/", "x-env-tag", ""));
	CHECK(!matches(&m, "h", "/", "x-env", ""));
}

TEST(every_draw_falls_on_its_backend_by_weight)
{
	struct config_backend b[] = {{0, 5}, {1, 0}, {2, 95}};
	struct config_route r = {.backends = b, .backend_count = 3, .weight_sum = 100};
	unsigned hits[3] = {0};
	for (uint64_t draw = 0; draw < 100; draw++)
		hits[route_backend(&r, draw)->cluster]++;
	CHECK_EQ(hits[0], 5);
	CHECK_EQ(hits[1], 0);
	CHECK_EQ(hits[2], 95);
}

TEST(the_first_route_that_matches_wins)
{
	struct config_cluster clusters[] = {{.name = (char *)"a"}, {.name = (char *)"b"}};
	struct config_backend to_a = {0, 1}, to_b = {1, 1};
	struct config_route routes[] = {
		{.name = (char *)"chat",
			.match = {.service = (char *)"chat.Chat"},
			.backends = &to_b,
			.backend_count = 1,
			.weight_sum = 1},
		{.name = (char *)"rest", .backends = &to_a, .backend_count = 1, .weight_sum = 1},
	};
	struct config config = {
		.routes = routes, .route_count = 2, .clusters = clusters, .cluster_count = 2};
	struct call c = make_call("h", "/chat.Chat/S", "chat.Chat", "S");
	struct fields *head = fields_create();
	struct call_generation generation = {.config = &config};
	c.generation = &generation;
	route_call(&c, head);
	CHECK(c.route == &routes[0] && c.cluster == &clusters[1]);
	said.grpc_service = "other";
	route_call(&c, head);
	CHECK(c.route == &routes[1] && c.cluster == &clusters[0]);
	config.route_count = 1;
	c.route = NULL;
	c.cluster = NULL;
	route_call(&c, head);
	CHECK(!c.route && !c.cluster);
	fields_destroy(head);
	fields_cache_purge();
}

static const struct config_cluster *routed(
	struct config *config, struct call_known *k, const char *authority, const char *header)
{
	struct rand rand;
	struct call_env env = {.rand = &rand};
	struct fields *head = fields_create();
	struct call c = make_call(authority, "/a.B/C", "a.B", "C");
	rand_seed(&rand, 1);
	if (header)
		CHECK(!fields_add(head, header, strlen(header), "1", 1));
	c.env = &env;
	struct call_generation generation = {.config = config};
	c.generation = &generation;
	c.known = k;
	route_call(&c, head);
	fields_destroy(head);
	return c.cluster;
}

TEST(a_known_head_is_routed_once_where_nothing_else_decides)
{
	struct config_cluster clusters[2] = {0};
	struct config_backend one[] = {{.cluster = 0, .weight = 1}};
	struct config_backend other[] = {{.cluster = 1, .weight = 1}};
	char *hosts[] = {(char *)"*.example.org"};
	struct config_header_match canary = {.name = (char *)"x-canary", .kind = MATCH_PRESENT};
	struct config_route routes[] = {
		{.match = {.hosts = hosts, .host_count = 1},
			.backends = other,
			.backend_count = 1,
			.weight_sum = 1},
		{.backends = one, .backend_count = 1, .weight_sum = 1},
	};
	struct config config = {
		.clusters = clusters, .cluster_count = 2, .routes = routes, .route_count = 2};
	struct call_known k = {0};
	CHECK(routed(&config, &k, "a.example", NULL) == &clusters[0]);
	CHECK(k.routed && k.route == &routes[1]);
	CHECK(routed(&config, &k, "a.example", "x-other") == &clusters[0]);
	/* the host header decides */
	k = (struct call_known){0};
	CHECK(routed(&config, &k, "", NULL) == &clusters[0]);
	CHECK(!k.routed);
	CHECK(routed(&config, &k, ":80", NULL) == &clusters[0]);
	CHECK(!k.routed);
	/* a field behind the run decides */
	routes[0].match = (struct config_match){.headers = &canary, .header_count = 1};
	CHECK(routed(&config, &k, "a.example", NULL) == &clusters[0]);
	CHECK(!k.routed);
	CHECK(routed(&config, &k, "a.example", "x-canary") == &clusters[1]);
	CHECK(!k.routed);
	/* chance decides */
	struct config_backend both[] = {{.cluster = 0, .weight = 1}, {.cluster = 1, .weight = 1}};
	routes[0] = (struct config_route){.backends = both, .backend_count = 2, .weight_sum = 2};
	CHECK(routed(&config, &k, "a.example", NULL));
	CHECK(!k.routed);
}

TAP_MAIN()
