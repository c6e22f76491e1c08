/* view_test.c - /streams over two workers that do not run, whose clocks stand apart as those of
 * two threads do: one has come to its turn 50 ms later. */
#include "proxy/view.h"
#include "base/clock.h"
#include "base/mem.h"
#include "call/stall.h"
#include "proxy/front.h"
#include "tap.h"

enum { WORKERS = 2, CALLS = 8 };
#define APART_NS (50 * NS_PER_MS)

static struct metrics *metrics;
static struct shared *shared;
static struct worker *workers[WORKERS];
static struct worker_end ends[WORKERS];
static struct control control;
static struct front fronts[WORKERS];
static struct call calls[CALLS];
static struct config_listener listener = {.name = "in"};
static struct call_said said = {"POST", "/", "", "", ""};
static struct buf page;
static uint64_t began_ns;

/* Call i is of worker i % 2, and i ms younger than the first. */
static void make_call(unsigned i)
{
	struct worker *w = workers[i % WORKERS];
	struct call *c = &calls[i];
	uint64_t at_ns = began_ns + i * NS_PER_MS;
	*c = (struct call){.env = &w->env,
		.id = i + 1,
		.listener = &listener,
		.said = &said,
		.peer = "",
		.endpoint = "",
		.grpc_status = -1,
		.terminus_done = true,
		.begun_ns = at_ns};
	c->lanes[LANE_RESPONSE].last_ns = at_ns;
	list_push_back(&fronts[i % WORKERS].calls, &c->node);
	w->env.now_ns = at_ns;
	call_stall(c, LANE_RESPONSE, STALL_SOCKET);
}

static void begin(void)
{
	metrics = metrics_create(100);
	shared = shared_create(WORKERS + 1);
	struct worker_setup setup = {.shared = shared, .metrics = metrics};
	memset(fronts, 0, sizeof fronts);
	began_ns = clock_mono_ns() - NS_PER_SEC;
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = worker_create(&setup, i, false);
		REQUIRE(workers[i]);
		list_init(&fronts[i].calls);
		list_push_back(&workers[i]->ios, &fronts[i].io.all);
	}
	control = (struct control){.worker = worker_create(&setup, WORKERS, true),
		.workers = workers,
		.ends = ends,
		.worker_count = WORKERS,
		.started = WORKERS};
	REQUIRE(control.worker);
	control.gathers.box = &control.worker->box;
	control.gathers.wheel = &control.worker->loop.wheel;
	for (unsigned i = 0; i < CALLS; i++)
		make_call(i);
	for (unsigned i = 0; i < WORKERS; i++)
		workers[i]->env.now_ns = began_ns + NS_PER_SEC / 2 + i * APART_NS;
	buf_init(&page);
}

static void end(void)
{
	for (unsigned i = 0; i < CALLS; i++)
		call_unwatch(&calls[i]);
	for (unsigned i = 0; i < WORKERS; i++)
		list_remove(&fronts[i].io.all);
	for (unsigned i = 0; i < WORKERS; i++)
		worker_destroy(workers[i]);
	worker_destroy(control.worker);
	shared_destroy(shared);
	metrics_destroy(metrics);
	buf_fini(&page);
}

static void keep(void *ctx, struct buf *json)
{
	CHECK(json && !json->failed);
	buf_clear(&page);
	buf_add(&page, json->bytes, json->len);
	buf_char(&page, '\0');
}

static void ask(const char *path)
{
	struct query query;
	CHECK_EQ(query_parse(&query, view_streams.keys, path, NULL), 0);
	view_streams.ask(&control, &query, keep, NULL);
	for (unsigned i = 0; i < WORKERS; i++)
		mailbox_run(&workers[i]->box, workers[i]);
	mailbox_run(&control.worker->box, control.worker);
}

/* The number behind the n-th `key`, from 0. */
static long nth(const char *key, unsigned n)
{
	const char *at = page.bytes;
	for (unsigned i = 0; at && i <= n; i++)
		if ((at = strstr(at, key)))
			at += strlen(key);
	return at ? strtol(at, NULL, 10) : -1;
}

TEST(rows_of_two_workers_stand_in_the_order_of_their_times_whenever_each_was_looked_at)
{
	static const char *const sorts[] = {"oldest", "silent", "stalled"};
	begin();
	for (unsigned s = 0; s < 3; s++) {
		char path[64];
		snprintf(path, sizeof path, "/streams?sort=%s&limit=%d", sorts[s], CALLS - 1);
		ask(path);
		for (unsigned i = 0; i < CALLS; i++) /* the last is beyond the limit */
			CHECK_EQ(nth(i % 2 ? "\"id\":\"1-" : "\"id\":\"0-", i / 2),
				i < CALLS - 1 ? (long)i + 1 : -1);
		for (unsigned i = 0; i + 1 < CALLS - 1; i++) {
			/* Ages of one moment: a millisecond apart, as they began. */
			long apart = nth("\"age_ms\":", i) - nth("\"age_ms\":", i + 1);
			CHECK_EQ(apart, 1);
			CHECK(nth("\"stalled_ms\":", 2 * i + 1) >= 1000 - CALLS);
			CHECK_EQ(nth("\"last_content_ms\":", 2 * i + 1), nth("\"age_ms\":", i));
			CHECK_EQ(nth("\"stalled_ms\":", 2 * i + 1), nth("\"age_ms\":", i));
		}
	}
	end();
}

TAP_MAIN()
