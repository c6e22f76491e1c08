#include "shared/sink.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "tap.h"

static char dir[64], path[96], other[96];

static void begin(void)
{
	snprintf(dir, sizeof dir, "/tmp/weir-sink-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof path, "%s/log", dir);
	snprintf(other, sizeof other, "%s/log.1", dir);
}

static void end(void)
{
	unlink(path);
	unlink(other);
	CHECK_EQ(rmdir(dir), 0);
}

/* A file's content, with a NUL behind it. */
static char *content(const char *name, size_t *len)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat st = {0};
	if (fd < 0 || fstat(fd, &st) != 0)
		abort();
	char *all = calloc(1, (size_t)st.st_size + 1);
	ssize_t n = read(fd, all, (size_t)st.st_size);
	close(fd);
	*len = n < 0 ? 0 : (size_t)n;
	return all;
}

static void check_content(const char *name, const char *want)
{
	size_t len;
	char *got = content(name, &len);
	CHECK_STR(got, want);
	free(got);
}

static bool put(struct sink *s, struct sink_producer *p, const char *text)
{
	return sink_put(s, p, text, strlen(text));
}

static struct sink_stats stats_of(struct sink *s)
{
	struct sink_stats stats;
	sink_stats(s, &stats);
	return stats;
}

TEST(records_get_into_the_file_in_order_and_are_counted)
{
	begin();
	struct sinks *all = sinks_create();
	struct sink *s = sink_open(all, path);
	struct sink_producer p = {0};
	REQUIRE(s);
	CHECK(sink_open(all, path) == s);
	CHECK(put(s, &p, "one\n") && put(s, &p, "") && put(s, &p, "two\n"));
	CHECK_EQ(stats_of(s).waiting_bytes, 8 + 3 * SINK_OVERHEAD_BYTES);
	sink_flush(&p);
	CHECK(put(s, &p, "three\n"));
	sink_flush(&p);
	CHECK_EQ(sinks_destroy(all), 0);
	check_content(path, "one\ntwo\nthree\n");
	struct stat st;
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 0777 & ~0640, 0);

	all = sinks_create();
	s = sink_open(all, path);
	CHECK(put(s, &p, "four\n"));
	sink_flush(&p);
	CHECK_EQ(sinks_destroy(all), 0);
	check_content(path, "one\ntwo\nthree\nfour\n"); /* appended */
	end();
}

TEST(records_may_hold_any_byte_and_be_longer_than_a_batch)
{
	begin();
	struct sinks *all = sinks_create();
	struct sink *s = sink_open(all, path);
	struct sink_producer p = {0};
	static char big[SINK_RECORD_BYTES_MAX + 1];
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * 31);
	CHECK(put(s, &p, "first"));
	CHECK(sink_put(s, &p, big, SINK_RECORD_BYTES_MAX));
	CHECK(put(s, &p, "last"));
	CHECK(!sink_put(s, &p, big, SINK_RECORD_BYTES_MAX + 1));
	CHECK_EQ(stats_of(s).dropped, 1);
	sink_flush(&p);
	CHECK_EQ(sinks_destroy(all), 0);
	size_t len;
	char *got = content(path, &len);
	REQUIRE(len == SINK_RECORD_BYTES_MAX + 9);
	CHECK(!memcmp(got, "first", 5) && !memcmp(got + 5, big, SINK_RECORD_BYTES_MAX) &&
		!memcmp(got + len - 4, "last", 4));
	free(got);
	end();
}

/* Reads `want` bytes; blocks for them. */
static void drain_pipe(int fd, char *into, size_t want)
{
	for (size_t n = 0; n < want;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t got = poll(&ready, 1, -1) == 1 ? read(fd, into + n, want - n) : -1;
		if (got <= 0)
			abort();
		n += (size_t)got;
	}
}

TEST(a_pipe_that_nobody_reads_blocks_nobody_and_drops_whole_records_above_the_limit)
{
	begin();
	CHECK_EQ(mkfifo(path, 0600), 0);
	struct sinks *all = sinks_create();
	struct sink *s = sink_open(all, path); /* no reader yet */
	REQUIRE(s);
	enum { RECORD = 1000, RECORDS = 1000, LIMIT = 100000 };
	sinks_set_limit(all, LIMIT);
	struct sink_producer p = {0};
	char record[RECORD];
	unsigned taken = 0;
	for (unsigned i = 0; i < RECORDS; i++) {
		memset(record, 'a' + (int)(i % 26), sizeof record);
		snprintf(record, sizeof record, "%u", i);
		bool took = sink_put(s, &p, record, sizeof record);
		taken += took;
		CHECK(stats_of(s).waiting_bytes <= LIMIT);
		sink_flush(&p);
	}
	/* The pipe holds 64 KiB, the sink its limit: the rest is gone, and known to be. */
	CHECK(taken >= LIMIT / (RECORD + SINK_OVERHEAD_BYTES));
	CHECK(taken <= 65536 / RECORD + LIMIT / (RECORD + SINK_OVERHEAD_BYTES) + 1);
	CHECK_EQ(stats_of(s).dropped, RECORDS - taken);

	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	REQUIRE(fd >= 0);
	char *got = malloc((size_t)taken * RECORD);
	drain_pipe(fd, got, (size_t)taken * RECORD);
	long before = -1;
	for (unsigned i = 0; i < taken; i++) { /* whole and in order */
		long n = strtol(got + (size_t)i * RECORD, NULL, 10);
		CHECK(n > before);
		CHECK_EQ(got[(size_t)i * RECORD + RECORD - 1], 'a' + (int)(n % 26));
		before = n;
	}
	CHECK(put(s, &p, "and on"));
	sink_flush(&p);
	drain_pipe(fd, got, 6);
	CHECK_MEM(got, 6, "and on", 6);
	free(got);
	close(fd);
	CHECK_EQ(sinks_destroy(all), 0);
	end();
}

TEST(what_cannot_be_written_before_the_end_is_lost_after_a_bounded_wait)
{
	begin();
	CHECK_EQ(mkfifo(path, 0600), 0);
	struct sinks *all = sinks_create();
	struct sink *s = sink_open(all, path);
	struct sink_producer p = {0};
	static char record[4096];
	for (int i = 0; i < 40; i++)
		CHECK(sink_put(s, &p, record, sizeof record));
	sink_flush(&p);
	CHECK_EQ(sinks_destroy(all), 40 - 16); /* a pipe holds 16 pages */
	end();
}

static _Atomic int log_lines;
static void count_line(const char *line)
{
	if (strstr(line, "cannot write to an output") || strstr(line, "cannot reopen"))
		atomic_fetch_add(&log_lines, 1);
}

TEST(a_full_disk_is_counted_and_said_once_and_another_file_takes_what_waited)
{
	begin();
	CHECK_EQ(symlink("/dev/full", path), 0);
	struct sinks *all = sinks_create();
	struct sink *s = sink_open(all, path);
	struct sink_producer p = {0};
	REQUIRE(s);
	atomic_store(&log_lines, 0);
	log_set_sink(count_line);
	CHECK(put(s, &p, "kept\n"));
	sink_flush(&p);
	while (stats_of(s).errors < 1)
		poll(NULL, 0, 1);
	CHECK(put(s, &p, "kept too\n"));
	sink_flush(&p);
	CHECK_EQ(unlink(path), 0);
	sinks_reopen(all);
	CHECK_EQ(sinks_destroy(all), 0);
	CHECK_EQ(atomic_load(&log_lines), 1);
	log_set_sink(NULL);
	check_content(path, "kept\nkept too\n");
	end();
}

/* No file of this process may grow beyond `bytes`, as on a disk that is full in the middle of a
 * record. What it was. */
static rlim_t limit_files(rlim_t bytes)
{
	struct rlimit l;
	getrlimit(RLIMIT_FSIZE, &l);
	rlim_t was = l.rlim_cur;
	l.rlim_cur = bytes;
	setrlimit(RLIMIT_FSIZE, &l);
	return was;
}

TEST(a_record_that_a_full_disk_cut_is_completed_when_there_is_room)
{
	begin();
	struct sinks *all = sinks_create();
	struct sink *s = sink_open(all, path);
	struct sink_producer p = {0};
	log_set_sink(count_line);
	rlim_t was = limit_files(13);
	CHECK(put(s, &p, "one\n") && put(s, &p, "two\n") && put(s, &p, "and three\n"));
	sink_flush(&p);
	while (stats_of(s).errors < 1)
		poll(NULL, 0, 1);
	limit_files(was);
	check_content(path, "one\ntwo\nand t");
	CHECK_EQ(stats_of(s).records, 2);
	CHECK_EQ(stats_of(s).bytes, 8);
	sinks_reopen(all); /* the same file: it goes on where it stands */
	while (stats_of(s).records < 3)
		poll(NULL, 0, 1);
	CHECK_EQ(stats_of(s).waiting_bytes, 0);
	CHECK_EQ(sinks_destroy(all), 0);
	log_set_sink(NULL);
	check_content(path, "one\ntwo\nand three\n");
	end();
}

TEST(a_record_that_a_full_disk_cut_is_whole_in_the_next_file)
{
	begin();
	struct sinks *all = sinks_create();
	struct sink *s = sink_open(all, path);
	struct sink_producer p = {0};
	log_set_sink(count_line);
	rlim_t was = limit_files(6);
	CHECK(put(s, &p, "one\n") && put(s, &p, "two\n"));
	sink_flush(&p);
	while (stats_of(s).errors < 1)
		poll(NULL, 0, 1);
	limit_files(was);
	CHECK_EQ(rename(path, other), 0);
	sinks_reopen(all);
	CHECK_EQ(sinks_destroy(all), 0);
	log_set_sink(NULL);
	check_content(other, "one\ntw");
	check_content(path, "two\n");
	end();
}

TEST(a_file_that_cannot_be_reopened_stays_in_use)
{
	begin();
	struct sinks *all = sinks_create();
	struct sink *s = sink_open(all, path);
	struct sink_producer p = {0};
	CHECK_EQ(rename(path, other), 0);
	CHECK_EQ(mkdir(path, 0700), 0);
	atomic_store(&log_lines, 0);
	log_set_sink(count_line);
	sinks_reopen(all);
	log_set_sink(NULL);
	CHECK_EQ(atomic_load(&log_lines), 1);
	CHECK_EQ(stats_of(s).errors, 1);
	CHECK(put(s, &p, "a line\n"));
	sink_flush(&p);
	CHECK_EQ(sinks_destroy(all), 0);
	check_content(other, "a line\n");
	CHECK_EQ(rmdir(path), 0);
	end();
}

TEST(what_was_handed_over_before_a_reopening_is_in_the_old_file)
{
	begin();
	struct sinks *all = sinks_create();
	struct sink *s = sink_open(all, path);
	struct sink_producer p = {0};
	CHECK(put(s, &p, "old\n"));
	sink_flush(&p);
	while (stats_of(s).records < 1)
		poll(NULL, 0, 1);
	CHECK_EQ(rename(path, other), 0);
	sinks_reopen(all);
	CHECK(put(s, &p, "new\n"));
	sink_flush(&p);
	sinks_reopen(all); /* the same file: nothing changes */
	CHECK(put(s, &p, "newer\n"));
	sink_flush(&p);
	CHECK_EQ(sinks_destroy(all), 0);
	check_content(other, "old\n");
	check_content(path, "new\nnewer\n");
	end();
}

TEST(what_cannot_be_opened_says_why_and_there_are_so_many_outputs_and_no_more)
{
	begin();
	struct sinks *all = sinks_create();
	char name[128];
	snprintf(name, sizeof name, "%s/absent/log", dir);
	CHECK(sink_open(all, name) == NULL);
	CHECK_EQ(errno, ENOENT);
	for (unsigned i = 0; i < SINKS_MAX; i++) {
		snprintf(name, sizeof name, "%s/%u", dir, i);
		CHECK(sink_open(all, name) != NULL);
		CHECK_EQ(unlink(name), 0);
	}
	CHECK(sink_open(all, path) == NULL);
	CHECK_EQ(errno, ENOSPC);
	CHECK_EQ(sinks_destroy(all), 0);
	end();
}

TEST(without_memory_a_record_is_dropped_and_counted)
{
	begin();
	struct sinks *all = sinks_create();
	struct sink *s = sink_open(all, path);
	struct sink_producer p = {0};
	mem_fail_after(1);
	CHECK(!put(s, &p, "lost\n"));
	CHECK_EQ(stats_of(s).waiting_bytes, 0);
	CHECK_EQ(stats_of(s).dropped, 1);
	CHECK(put(s, &p, "kept\n"));
	mem_fail_after(1); /* a batch that cannot shrink goes as it is */
	sink_flush(&p);
	mem_fail_after(0);
	CHECK_EQ(sinks_destroy(all), 0);
	check_content(path, "kept\n");
	end();
}

/* Standard error of this process, replaced by `fd` while `s` opens it. */
static struct sink *open_as_stderr(struct sinks *all, int fd)
{
	int saved = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	struct sink *s = sink_open(all, NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	return s;
}

static void see(void *ctx, const char *name, const struct sink_stats *stats)
{
	++*(unsigned *)ctx;
	CHECK_STR(name, "stderr");
}

TEST(standard_error_may_be_a_file_a_pipe_or_a_socket_and_stays_blocking_for_others)
{
	struct sink_producer p = {0};
	for (int kind = 0; kind < 2; kind++) {
		int ends[2];
		CHECK_EQ(kind ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)
			      : pipe2(ends, O_CLOEXEC),
			0);
		struct sinks *all = sinks_create();
		struct sink *s = open_as_stderr(all, ends[1]);
		REQUIRE(s);
		CHECK_EQ(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
		static char much[300 * 1000];
		memset(much, 'x', sizeof much);
		CHECK(sink_put(s, &p, much, sizeof much)); /* more than either takes */
		sink_flush(&p);
		static char got[sizeof much];
		drain_pipe(ends[0], got, sizeof got);
		CHECK(!memcmp(got, much, sizeof got));
		sinks_reopen(all);
		unsigned seen = 0;
		sinks_each(all, see, &seen);
		CHECK_EQ(seen, 1);
		CHECK_EQ(sinks_destroy(all), 0);
		close(ends[0]);
		close(ends[1]);
	}
	begin();
	int fd = open(
		path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600); /* without O_APPEND, as a shell's > */
	CHECK_EQ(write(fd, "before\n", 7), 7);
	struct sinks *all = sinks_create();
	struct sink *s = open_as_stderr(all, fd);
	CHECK(put(s, &p, "ours\n"));
	sink_flush(&p);
	CHECK_EQ(sinks_destroy(all), 0);
	CHECK_EQ(write(fd, "after\n", 6), 6);
	close(fd);
	check_content(path, "before\nours\nafter\n");
	end();
}

/* Several producers, and a file that is renamed all the while. */
#define THREADS 4
#define EACH    3000
static struct sink *shared_sink;

static void *produce(void *arg)
{
	struct sink_producer p = {0};
	char line[64], dots[41] = "";
	memset(dots, '.', 40);
	uint64_t id = (uint64_t)(uintptr_t)arg, taken = 0;
	for (unsigned i = 0; i < EACH; i++) {
		int n = snprintf(line, sizeof line, "%llu %u %.*s\n", (unsigned long long)id, i,
			(int)(i % 40), dots);
		taken += sink_put(shared_sink, &p, line, (size_t)n);
		if (i % 7 == 0)
			sink_flush(&p);
	}
	sink_flush(&p);
	return (void *)(uintptr_t)taken;
}

/* Every line of a file continues its thread's sequence. */
static unsigned check_lines(const char *name, unsigned *next)
{
	size_t len;
	char *all = content(name, &len), *save = NULL;
	unsigned lines = 0;
	for (char *l = strtok_r(all, "\n", &save); l; l = strtok_r(NULL, "\n", &save), lines++) {
		unsigned thread, i;
		char dots[64] = "";
		int fields = sscanf(l, "%u %u %63s", &thread, &i, dots);
		if (fields < 2 || thread >= THREADS || i != next[thread] ||
			strlen(dots) != i % 40) {
			printf("# %s: torn or out of order: %s\n", name, l);
			CHECK(false);
			break;
		}
		next[thread]++;
	}
	free(all);
	return lines;
}

TEST(several_threads_write_while_the_file_is_rotated_and_no_line_is_lost_or_torn)
{
	begin();
	struct sinks *all = sinks_create();
	shared_sink = sink_open(all, path);
	pthread_t t[THREADS];
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, produce, (void *)i), 0);
	enum { ROTATIONS = 20 };
	char name[128];
	for (int i = 0; i < ROTATIONS; i++) {
		snprintf(name, sizeof name, "%s.%d", path, i + 2);
		CHECK_EQ(rename(path, name), 0);
		sinks_reopen(all);
		while (stats_of(shared_sink).records <
			(uint64_t)(i * THREADS * EACH) / ROTATIONS / 2)
			sched_yield();
	}
	for (int i = 0; i < THREADS; i++) {
		void *taken;
		pthread_join(t[i], &taken);
		CHECK_EQ((uintptr_t)taken, EACH);
	}
	CHECK_EQ(stats_of(shared_sink).dropped, 0);
	CHECK_EQ(sinks_destroy(all), 0);
	unsigned next[THREADS] = {0}, lines = 0;
	for (int i = 0; i < ROTATIONS; i++) {
		snprintf(name, sizeof name, "%s.%d", path, i + 2);
		lines += check_lines(name, next);
		unlink(name);
	}
	lines += check_lines(path, next);
	CHECK_EQ(lines, THREADS * EACH);
	end();
}

TAP_MAIN()
