/* memory_test.c - what an idle stream and an idle connection hold, as the C library counts it, and
 * whole blocks of what base/slots.h gave.
 *
 * The objects are those of a relay: of two engines that talk to each other one has the stream
 * towards the client and the other the one towards the server; the call has the filter that every
 * call has, and an attempt. What is cached for the thread is there before anything is counted. */
#include <malloc.h>
#include <stdio.h>
#include "base/mem.h"
#include "base/slots.h"
#include "call/known.h"
#include "call/labels.h"
#include "filter/count.h"
#include "http/run.h"
#include "http2/conn.h"
#include "proxy/front.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"
#include "tap.h"

#define WARM    600u /* above what any cache keeps */
#define STREAMS 4000u
#define CONNS   200u

/* Bytes, with what allocators add. */
#define STREAM_MAX_BYTES    1024u
#define NEW_CONN_MAX_BYTES  1500u
#define USED_CONN_MAX_BYTES 4096u

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTED 0
#else
#define COUNTED 1
#endif

static struct slab_pool *pool;
static struct h2_books books;
static struct h2_stream *handles[2][WARM + STREAMS];
static unsigned handle_count[2];

static long bytes_now(void)
{
	return (long)(mallinfo2().uordblks + slots_used_bytes());
}

static struct h2_conn *engine(enum h2_role role)
{
	struct h2_options o = h2_options_default(role);
	o.max_concurrent_streams = 2 * STREAMS;
	o.control_frames_per_s = 0;
	struct h2_conn *c = h2_conn_create(role, &o, pool, &books);
	if (!c)
		abort();
	return c;
}

/* The head of a gRPC call; `number` is in what differs. */
static struct fields *request_head(unsigned number)
{
	static const char *const pairs[] = {":method", "POST", ":scheme", "http", ":path",
		"/bench.Bench/Echo", ":authority", "bench.example.com", "te", "trailers",
		"content-type", "application/grpc", "user-agent", "grpc-c/1.51 (linux; chttp2)",
		"grpc-accept-encoding", "identity, deflate, gzip"};
	char id[40];
	struct fields *f = fields_create();
	for (unsigned i = 0; f && i < sizeof(pairs) / sizeof(*pairs); i += 2)
		if (fields_add(f, pairs[i], strlen(pairs[i]), pairs[i + 1], strlen(pairs[i + 1])))
			abort();
	snprintf(id, sizeof(id), "%032u", number);
	if (!f || fields_add(f, "x-request-id", 12, id, 32))
		abort();
	return f;
}

static void answer(struct h2_stream *s)
{
	struct event ev = {.kind = EVENT_HEAD, .fields = fields_create()};
	if (!ev.fields || fields_add_str(ev.fields, TOKEN_STATUS, "200") ||
		fields_add_str(ev.fields, TOKEN_CONTENT_TYPE, "application/grpc"))
		abort();
	h2_stream_push(s, &ev);
}

static void say(struct h2_stream *s, bool end)
{
	static const uint8_t message[133] = {0, 0, 0, 0, 128};
	struct event ev = {
		.kind = EVENT_DATA, .data = slice_static(message, sizeof(message)), .end = end};
	h2_stream_push(s, &ev);
}

/* Everything that `from` has to say reaches `to`, whose owner answers heads and keeps handles. */
static void carry(struct h2_conn *from, struct h2_conn *to, int side)
{
	struct iovec iov[64];
	struct h2_event ev;
	for (int n; (n = h2_conn_output(from, iov, 64)) > 0;) {
		size_t bytes = 0;
		for (int i = 0; i < n; i++) {
			h2_conn_feed(to, slice_copy(iov[i].iov_base, (uint32_t)iov[i].iov_len), 1);
			bytes += iov[i].iov_len;
			while (h2_conn_poll(to, &ev)) {
				if (ev.kind == H2_EV_MESSAGE && ev.ev.kind == EVENT_HEAD && side) {
					handles[1][handle_count[1]++] = ev.stream;
					answer(ev.stream);
				}
				if (ev.kind == H2_EV_MESSAGE && ev.ev.data.len)
					h2_stream_credit(ev.stream, ev.ev.data.len);
				if (ev.kind == H2_EV_MESSAGE)
					event_drop(&ev.ev);
			}
		}
		h2_conn_settle(to);
		h2_conn_written(from, bytes);
	}
	while (h2_conn_poll(from, &ev))
		;
}

static void talk(struct h2_conn *client, struct h2_conn *server)
{
	while (h2_conn_wants_write(client) || h2_conn_wants_write(server)) {
		carry(client, server, 1);
		carry(server, client, 0);
	}
}

/* Streams that have exchanged heads and a message each way, as `n` calls do. */
static void open_streams(struct h2_conn *client, struct h2_conn *server, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct event head = {.kind = EVENT_HEAD, .fields = request_head(i)};
		unsigned at = handle_count[0]++;
		if (h2_conn_open(client, &head, &handles[0][at]))
			abort();
		say(handles[0][at], false);
		talk(client, server);
		say(handles[1][at], false);
		talk(client, server);
	}
}

static void release_all(void)
{
	for (int side = 0; side < 2; side++)
		for (unsigned i = 0; i < handle_count[side]; i++)
			h2_stream_release(handles[side][i]);
	handle_count[0] = handle_count[1] = 0;
}

static double stream_objects_bytes(void)
{
	struct h2_conn *client = engine(H2_CLIENT), *server = engine(H2_SERVER);
	talk(client, server);
	open_streams(client, server, WARM);
	long before = bytes_now();
	open_streams(client, server, STREAMS);
	double each = (double)(bytes_now() - before) / STREAMS;
	release_all();
	h2_conn_destroy(client);
	h2_conn_destroy(server);
	return each;
}

/* ---- calls ---- */

static struct worker worker;
static struct config_cluster cluster = {.name = (char *)"up"};
static struct config_listener listener = {.name = (char *)"in"};
static struct config_route route = {.name = (char *)"all"};
static struct config config = {.clusters = &cluster, .cluster_count = 1};
static struct pool *pools[1];
static struct generation generation = {
	.base = {.config = &config, .owner = &generation}, .pools = pools};
static const struct call_filter *const filters[] = {&filter_count, NULL};

static void front_push(struct call *c, struct event *ev)
{
	event_drop(ev);
}
static void front_nothing(struct call *c)
{
}
static void front_credit(struct call *c, uint32_t bytes)
{
}
static const struct call_front front = {front_push, front_credit, front_nothing, front_nothing};

static struct call *open_call(struct fields_run *run)
{
	struct fields *head = fields_create();
	if (!head)
		abort();
	fields_begin(head, run_ref(run));
	struct call *c = call_create(&worker.env, &generation.base, &listener, &front, NULL, head);
	fields_destroy(head);
	if (!c || !c->known)
		abort();
	c->route = &route;
	c->cluster = &cluster;
	if (call_open(c, &upstream_terminus))
		abort();
	struct h2_event answered = {
		.kind = H2_EV_MESSAGE, .ev = {.kind = EVENT_HEAD, .fields = fields_create()}};
	if (!answered.ev.fields || fields_add_str(answered.ev.fields, TOKEN_STATUS, "200"))
		abort();
	upstream_on_message(c->terminus_state, &answered); /* nothing is kept any more */
	return c;
}

static double call_bytes(void)
{
	static struct call *calls[WARM + STREAMS];
	struct metrics *metrics = metrics_create(100);
	struct fields *head = request_head(0);
	struct fields_run *run = run_intern(fields_list(head), 8);
	if (!metrics || !run)
		abort();
	call_env_init(&worker.env);
	worker.env.metrics = metrics_slab_create(metrics);
	worker.env.filters = filters;
	worker.env.worker = &worker;
	long before = 0;
	for (unsigned i = 0; i < WARM + STREAMS; i++) {
		if (i == WARM)
			before = bytes_now();
		calls[i] = open_call(run);
	}
	double each = (double)(bytes_now() - before) / STREAMS;
	for (unsigned i = 0; i < WARM + STREAMS; i++) {
		call_reset(calls[i], CALL_BY_CLIENT, REASON_CLIENT_GONE, 8);
		call_front_done(calls[i]);
	}
	CHECK_EQ(call_reap(&worker.env), WARM + STREAMS);
	run_unref(run);
	fields_destroy(head);
	labels_fini(&generation.base);
	call_env_fini(&worker.env);
	free_list_purge(&worker.held);
	metrics_destroy(metrics);
	return each;
}

TEST(an_idle_stream_holds_little)
{
	pool = slab_pool_create(4);
	REQUIRE(pool);
	double streams = stream_objects_bytes(), call = call_bytes();
	printf("# bytes an idle stream: %.0f stream objects on both sides with their tables,"
	       " %.0f call with its filter and attempt: %.0f in all\n",
		streams, call, streams + call);
	if (COUNTED)
		CHECK(streams + call <= STREAM_MAX_BYTES);
	slab_pool_destroy(pool);
	fields_cache_purge();
}

/* ---- connections ---- */

/* One server's connection, which its client leaves after `calls` calls. */
static struct h2_conn *served(unsigned calls)
{
	struct h2_conn *client = engine(H2_CLIENT), *server = engine(H2_SERVER);
	talk(client, server);
	for (unsigned i = 0; i < calls; i++) {
		struct event head = {.kind = EVENT_HEAD, .fields = request_head(i)};
		if (h2_conn_open(client, &head, &handles[0][0]))
			abort();
		say(handles[0][0], true);
		handle_count[1] = 0;
		talk(client, server);
		say(handles[1][0], false);
		struct event trailers = {
			.kind = EVENT_TRAILERS, .end = true, .fields = fields_create()};
		if (!trailers.fields || fields_add_str(trailers.fields, TOKEN_GRPC_STATUS, "0"))
			abort();
		h2_stream_push(handles[1][0], &trailers);
		talk(client, server);
		h2_stream_release(handles[0][0]);
		h2_stream_release(handles[1][0]);
	}
	handle_count[1] = 0;
	h2_conn_destroy(client);
	return server;
}

static double connection_bytes(unsigned calls)
{
	static struct h2_conn *conns[CONNS];
	static struct front *fronts[CONNS];
	h2_conn_destroy(served(calls)); /* caches, the slab */
	long before = bytes_now();
	for (unsigned i = 0; i < CONNS; i++) {
		fronts[i] = mem_zalloc(sizeof(*fronts[i]));
		conns[i] = served(calls);
	}
	double each = (double)(bytes_now() - before) / CONNS;
	for (unsigned i = 0; i < CONNS; i++) {
		mem_free(fronts[i]);
		h2_conn_destroy(conns[i]);
	}
	return each;
}

TEST(an_idle_connection_holds_little_before_and_after_its_first_calls)
{
	pool = slab_pool_create(4);
	REQUIRE(pool);
	struct h2_conn *keeps_caches = served(0);
	double fresh = connection_bytes(0), used = connection_bytes(3);
	printf("# bytes an idle connection: %.0f before its first call, %.0f after three\n", fresh,
		used);
	if (COUNTED) {
		CHECK(fresh <= NEW_CONN_MAX_BYTES);
		CHECK(used <= USED_CONN_MAX_BYTES);
	}
	h2_conn_destroy(keeps_caches);
	slab_pool_destroy(pool);
	fields_cache_purge();
}

TAP_MAIN()
