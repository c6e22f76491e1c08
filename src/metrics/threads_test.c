/* threads_test.c - writers of their own slabs, and readers of all of them, at once. */
#include <pthread.h>
#include <string.h>
#include "base/buf.h"
#include "metrics/metrics.h"
#include "tap.h"

enum { WRITERS = 4, ROUNDS = 4000, METHODS = 60, LIMIT = 30 };

struct writer {
	struct metrics *metrics;
	pthread_t thread;
	unsigned number;
};

static _Atomic bool stop_reading;

static void *write_metrics(void *arg)
{
	struct writer *w = arg;
	struct metrics_slab *slab = metrics_slab_create(w->metrics);
	for (unsigned i = 0; slab && i < ROUNDS; i++) {
		char name[16];
		snprintf(name, sizeof name, "M%u", (i * (w->number + 1)) % METHODS);
		const char *const values[] = {"ingress", "chat", "chat.Chat", name, "chat"};
		struct series *s = metrics_series(slab, GROUP_STREAM, values);
		series_add(s, M_SENT_MESSAGES, 1);
		series_observe(s, M_SENT_MESSAGE_SIZE, i);
		series_add(metrics_plain(slab, GROUP_PROCESS), M_BUGS, 1);
		struct series *times = metrics_series(
			slab, GROUP_TIMING, (const char *const[]){"in", "r", "c", "sent"});
		series_observe_times(times, M_MESSAGE_GAP, 1000ull * i * i, 2);
		(void)!metrics_series_known(slab, GROUP_STREAM, values);
	}
	return NULL;
}

static uint64_t page_sum(struct metrics *m, const char *name)
{
	struct buf page;
	uint64_t sum = 0;
	size_t len = strlen(name);
	buf_init(&page);
	metrics_render(m, METRICS_OPENMETRICS, &page);
	CHECK(!page.failed);
	for (char *line = page.bytes; line && *line; line = strchr(line, '\n'), line += !!line)
		if (!strncmp(line, name, len) && (line[len] == '{' || line[len] == ' '))
			sum += strtoull(strpbrk(line + len, " "), NULL, 10);
	CHECK(page.len >= 6 && !strcmp(page.bytes + page.len - 6, "# EOF\n"));
	buf_fini(&page);
	return sum;
}

/* What a reader sees of a counter never falls. */
static void *read_metrics(void *arg)
{
	struct metrics *m = arg;
	uint64_t last = 0;
	while (!atomic_load(&stop_reading)) {
		uint64_t now = page_sum(m, "grpc_stream_sent_messages_total");
		CHECK(now >= last && now <= WRITERS * ROUNDS);
		struct buf page;
		buf_init(&page);
		metrics_render(m, METRICS_PROTOBUF, &page);
		CHECK(!page.failed);
		buf_fini(&page);
		last = now;
	}
	return NULL;
}

TEST(writers_and_readers_at_once_lose_nothing_and_intern_each_set_once)
{
	struct metrics *m = metrics_create(LIMIT);
	struct writer w[WRITERS];
	pthread_t reader;
	atomic_store(&stop_reading, false);
	REQUIRE(!pthread_create(&reader, NULL, read_metrics, m));
	for (unsigned i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){.metrics = m, .number = i};
		REQUIRE(!pthread_create(&w[i].thread, NULL, write_metrics, &w[i]));
	}
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(w[i].thread, NULL);
	atomic_store(&stop_reading, true);
	pthread_join(reader, NULL);

	CHECK_EQ(page_sum(m, "grpc_stream_sent_messages_total"), WRITERS * ROUNDS);
	CHECK_EQ(page_sum(m, "grpc_stream_sent_message_size_bytes_count"), WRITERS * ROUNDS);
	CHECK_EQ(page_sum(m, "weir_message_gap_seconds_count"), 2 * WRITERS * ROUNDS);
	CHECK_EQ(metrics_read(m, M_BUGS, NULL), WRITERS * ROUNDS);
	/* Every look-up was of a method that has its own series, or was counted as overflow. */
	const char *const other[] = {"ingress", "chat", "_OTHER", "_OTHER", "chat"};
	CHECK_EQ(
		metrics_read(m, M_SENT_MESSAGES, other), metrics_read(m, M_METRICS_OVERFLOW, NULL));
	struct metrics_slab *slab = metrics_slab_create(m);
	unsigned known = 0;
	for (unsigned i = 0; i < METHODS; i++) {
		char name[16];
		snprintf(name, sizeof name, "M%u", i);
		known += metrics_series_known(slab, GROUP_STREAM,
			(const char *const[]){"ingress", "chat", "chat.Chat", name, "chat"});
	}
	CHECK_EQ(known, LIMIT - 2);
	metrics_destroy(m);
}

TAP_MAIN()
