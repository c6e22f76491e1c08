/* sample_kit.h - calls that are sampled, and what became of that: for the tests of the filter. */
#ifndef WEIR_FILTER_SAMPLE_KIT_H
#define WEIR_FILTER_SAMPLE_KIT_H
#include <unistd.h>
#include "base/rand.h"
#include "filter/filter_kit.h"
#include "filter/sample.h"
#include "filter/sample_record.h"
#include "shared/sink.h"

static const struct call_filter *const sampling_chain[] = {&filter_count, &filter_sample, NULL};
static struct config_route route = {.name = "sampled"};
static struct rand random_numbers;
static struct sinks *sinks;
static char file_path[] = "/tmp/weir-sample-test-XXXXXX",
	    log_path[] = "/tmp/weir-sample-test-XXXXXX";

static inline void make_path(char *path)
{
	memcpy(path + strlen(path) - 6, "XXXXXX", 6);
	int fd = mkstemp(path);
	CHECK(fd >= 0);
	close(fd);
}

static inline void begin(struct config_sample sample)
{
	world_init(1000);
	rand_seed(&random_numbers, tap_seed());
	route.sample = sample;
	route.sample.lanes = sample.lanes ? sample.lanes : SAMPLE_SENT | SAMPLE_RECEIVED;
	route.sample.outputs = sample.outputs ? sample.outputs : SAMPLE_TO_RING;
	config.routes = &route;
	config.route_count = 1;
	config.sampling = (struct config_sampling){.ring_bytes = 128 << 10};
	config.limits.message_bytes = 1 << 20;
	env.filters = sampling_chain;
	env.rand = &random_numbers;
	env.wall_ns = 1700000000000000000;
	CHECK_EQ(sampler_install(&env, &config), 0);
}

/* A file each in place of the log and of the file. */
static inline void open_outputs(void)
{
	world_has_threads = true;
	make_path(file_path);
	make_path(log_path);
	sinks = sinks_create();
	config.sampling.file_sink = sink_open(sinks, file_path);
	config.sampling.log_sink = sink_open(sinks, log_path);
}

/* What was put is in the files. */
static inline void close_outputs(void)
{
	sink_flush(&env.outputs);
	CHECK_EQ(sinks_destroy(sinks), 0);
	sinks = NULL;
}

static inline void end(void)
{
	if (sinks)
		close_outputs();
	if (world_has_threads) {
		unlink(file_path);
		unlink(log_path);
	}
	sampler_destroy(&env);
	config.routes = NULL;
	config.route_count = 0;
	world_fini();
}

/* ---- what the ring has ---- */

static struct buf latest;
#define SAMPLES_MAX 2048
static struct sample samples[SAMPLES_MAX];
static unsigned sample_count;

static inline unsigned records_in(const char *bytes, size_t len)
{
	unsigned n = 0;
	for (size_t at = 0; at < len;) {
		int64_t size = sample_record_bytes(bytes + at, len - at);
		CHECK(size >= SAMPLE_LENGTH_BYTES && n < SAMPLES_MAX);
		if (size < SAMPLE_LENGTH_BYTES || n == SAMPLES_MAX)
			break;
		CHECK_EQ(sample_decode(bytes + at + 4, (size_t)size - 4, &samples[n++]), 0);
		at += (size_t)size;
	}
	return n;
}

static inline unsigned look_for(const char *of_route, uint64_t stream, uint32_t limit)
{
	struct sample_search search = {.route = of_route, .stream = stream, .limit = limit};
	buf_init(&search.found);
	while (!sampler_search(env.sampler, &search))
		;
	CHECK(!search.found.failed);
	buf_fini(&latest);
	latest = search.found;
	sample_count = records_in(latest.bytes + search.gone, latest.len - search.gone);
	CHECK_EQ(sample_count, search.count);
	return sample_count;
}

static inline unsigned look(void)
{
	return look_for(NULL, 0, UINT32_MAX);
}

static inline void forget(void)
{
	buf_fini(&latest);
}

/* The same, without the ends of calls. */
static inline unsigned look_at_messages(void)
{
	unsigned n = 0;
	look();
	for (unsigned i = 0; i < sample_count; i++)
		if (samples[i].event == SAMPLE_EVENT_MESSAGE)
			samples[n++] = samples[i];
	return sample_count = n;
}

static inline bool is(struct sample_text t, const char *want)
{
	return t.len == strlen(want) && !memcmp(t.at, want, t.len);
}

static inline bool has(const struct sample_fields *list, const char *name)
{
	struct sample_text left = list->fields;
	struct sample_field f;
	while (sample_field_next(&left, &f))
		if (is(f.name, name))
			return true;
	return false;
}

static inline uint64_t taken(const char *direction)
{
	const char *labels[] = {"sampled", direction};
	return metrics_read(metrics, M_SAMPLES, labels);
}
static inline uint64_t dropped(const char *reason)
{
	const char *labels[] = {reason};
	return metrics_read(metrics, M_SAMPLES_DROPPED, labels);
}

/* ---- calls ---- */

static inline struct call *sampled_call(void)
{
	return grpc_call(&route, "/a.B/C");
}

static inline size_t message(char *to, uint8_t flag, const void *payload, uint32_t len)
{
	const uint8_t prefix[] = {flag, (uint8_t)(len >> 24), (uint8_t)(len >> 16),
		(uint8_t)(len >> 8), (uint8_t)len};
	memcpy(to, prefix, 5);
	if (len)
		memcpy(to + 5, payload, len);
	return 5 + len;
}

static inline void send_numbered(struct call *c, enum lane_id lane, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++) {
		char bytes[64], text[32];
		int len = snprintf(text, sizeof text, "message %u", i);
		size_t size = message(bytes, 0, text, (uint32_t)len);
		(lane == LANE_REQUEST ? request : response)(c, bytes, (uint32_t)size, false);
	}
}

static inline void over(struct call *c)
{
	if (!c->response_ended)
		response_status(c, "0");
	finish(c);
}
#endif
