/* filter_kit.h - a call between a front and a terminus that only remember what reached them, in a
 * world of one worker and one configuration: for the tests of the filters. */
#ifndef WEIR_FILTER_KIT_H
#define WEIR_FILTER_KIT_H
#include "base/mem.h"
#include "call/labels.h"
#include "filter/count.h"
#include "grpc/status.h"
#include "http/code.h"
#include "tap.h"

/* A call between a front and a terminus that only remember what reached them. */
static struct {
	unsigned messages_out, data_bytes;
	unsigned resets;
	char grpc_message[256];
	bool ended;
} told; /* what the client got */
static struct {
	unsigned data_bytes;
	bool aborted;
} served; /* what the server got */

static inline void note_message(const struct fields *f)
{
	const struct field *m = fields_get(f, TOKEN_GRPC_MESSAGE);
	if (m)
		snprintf(told.grpc_message, sizeof told.grpc_message, "%.*s", (int)m->value_len,
			m->value);
}

static inline void front_push(struct call *c, struct event *ev)
{
	if (ev->kind == EVENT_DATA)
		told.data_bytes += ev->data.len;
	else
		note_message(ev->fields);
	told.ended |= ev->end;
	event_drop(ev);
}
static inline void front_credit(struct call *c, uint32_t bytes)
{
}
static inline void front_drop(struct call *c)
{
}
static inline void front_abort(struct call *c)
{
	told.resets++;
}
static const struct call_front front = {front_push, front_credit, front_drop, front_abort};

static int terminus_open(struct call *c)
{
	return 0;
}
static inline void terminus_push(struct call *c, struct event *ev)
{
	if (ev->kind == EVENT_DATA)
		served.data_bytes += ev->data.len;
	event_drop(ev);
}
static inline void terminus_credit(struct call *c, uint32_t bytes)
{
}
static inline void terminus_abort(struct call *c)
{
	served.aborted = true;
}
static const struct call_terminus terminus = {
	"test", terminus_open, terminus_push, terminus_credit, terminus_abort};

/* The world: one worker's environment, one configuration. */
static const struct call_filter *const chain[] = {&filter_count, NULL};
static struct config_listener listener = {.name = "in"};
static __attribute__((unused)) struct config_route named = {
	.name = "named", .match = {.service = "a.B", .method = "C"}};
static struct config_cluster cluster = {.name = "up"};
static struct config config;
static struct call_generation generation = {.config = &config};
static struct call_env env;
static struct metrics *metrics;
static long world_blocks;
static bool world_has_threads; /* that free what this one allocated: mem.h counts by thread */

static inline void world_init(uint32_t series_per_family)
{
	memset(&told, 0, sizeof told);
	memset(&served, 0, sizeof served);
	world_blocks = mem_live_blocks();
	world_has_threads = false;
	metrics = metrics_create(series_per_family);
	call_env_init(&env);
	env.metrics = metrics_slab_create(metrics);
	env.filters = chain;
	config.limits.message_bytes = 1000;
}

static inline void world_fini(void)
{
	CHECK_EQ(env.calls, 0);
	labels_fini(&generation);
	call_env_fini(&env);
	metrics_destroy(metrics);
	fields_cache_purge();
	if (!world_has_threads)
		CHECK_EQ(mem_live_blocks(), world_blocks);
}

static inline struct fields *fields_of(const char *const *pairs)
{
	struct fields *f = fields_create();
	for (; pairs[0]; pairs += 2)
		if (!f || fields_add(f, pairs[0], strlen(pairs[0]), pairs[1], strlen(pairs[1])) < 0)
			abort();
	return f;
}
#define FIELDS(...) fields_of((const char *const[]){__VA_ARGS__, NULL})

static inline struct call *call_with(
	const struct config_route *route, struct fields *head, bool end)
{
	struct call *c = call_create(&env, &generation, &listener, &front, NULL, head);
	c->route = route;
	c->cluster = &cluster;
	if (call_open(c, &terminus) != 0)
		abort();
	struct event ev = {.kind = EVENT_HEAD, .fields = head, .end = end};
	call_push_request(c, &ev);
	return c;
}

static inline struct call *grpc_call(const struct config_route *route, const char *path)
{
	return call_with(route,
		FIELDS(":method", "POST", ":path", path, "content-type", "application/grpc"),
		false);
}

static inline void request(struct call *c, const void *bytes, uint32_t len, bool end)
{
	struct event ev = {.kind = EVENT_DATA, .data = slice_copy(bytes, len), .end = end};
	call_push_request(c, &ev);
}
static inline void response(struct call *c, const void *bytes, uint32_t len, bool end)
{
	struct event ev = {.kind = EVENT_DATA, .data = slice_copy(bytes, len), .end = end};
	call_push_response(c, &ev);
}
static inline void response_fields(struct call *c, enum event_kind kind, struct fields *f, bool end)
{
	struct event ev = {.kind = kind, .fields = f, .end = end};
	call_push_response(c, &ev);
}
static inline void response_head(struct call *c)
{
	response_fields(
		c, EVENT_HEAD, FIELDS(":status", "200", "content-type", "application/grpc"), false);
}
static inline void response_status(struct call *c, const char *status)
{
	response_fields(c, EVENT_TRAILERS, FIELDS("grpc-status", status), true);
}
static inline void finish(struct call *c)
{
	call_front_done(c);
	if (!c->terminus_done)
		call_terminus_done(c);
	CHECK_EQ(call_reap(&env), 1);
}

/* Reading. */
static inline uint64_t of(const char *route, const char *service, const char *method, enum metric m)
{
	const char *labels[] = {"in", route, service, method, "up"};
	return metrics_read(metrics, m, labels);
}
static inline uint64_t completed(
	const char *route, const char *service, const char *method, const char *status)
{
	const char *labels[] = {"in", route, service, method, "up", status};
	return metrics_read(metrics, M_STREAMS_COMPLETED, labels);
}
static inline bool has_series(const char *route, const char *service, const char *method)
{
	const char *labels[] = {"in", route, service, method, "up"};
	return metrics_series_known(env.metrics, GROUP_STREAM, labels);
}

/* "\0\0\0\0\3abc" and "\1\0\0\0\1z": two messages, 14 bytes. */
static const char two[] = "\0\0\0\0\3abc\1\0\0\0\1z";
#define TWO_BYTES 14
#endif
