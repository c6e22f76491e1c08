#include "shared/sink.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"

#define BATCH_BYTES_MIN 1024u
#define BATCH_BYTES_MAX (64u << 10) /* a batch this large is handed over before the turn ends */
#define IOV_MOST        64

/* Records of one producer, each behind its length (4 bytes, native). */
struct sink_batch {
	struct letter letter;
	struct sink *sink;
	struct list node; /* in sink->queue */
	uint32_t len, cap;
	uint32_t at; /* the writer: the first record that is not written */
	uint8_t bytes[];
};

struct sink {
	uint32_t index;
	struct sinks *all;
	char *path; /* NULL: standard error */

	_Alignas(128) _Atomic uint64_t waiting; /* bytes */
	_Atomic uint64_t records, bytes, dropped, errors;

	/* The writer's. */
	_Alignas(128) int fd; /* -1 until its first letter */
	struct list node;     /* in sinks->open */
	struct list queue;    /* of struct sink_batch */
	uint32_t part;        /* bytes of the first record that are written */
	bool blocked;         /* until poll says POLLOUT */
	bool failing;         /* until retry_ns */
	bool is_pipe, is_socket;
	uint64_t retry_ns;
};

struct sinks {
	struct sink *sink[SINKS_MAX];
	uint32_t count;
	_Atomic uint64_t limit_bytes;
	struct mailbox box;
	pthread_t thread;
	bool started;
	struct letter stop;
	struct list open; /* the writer's: sinks that have a file */
	uint64_t stop_ns; /* the writer's: it ends then; 0 = goes on */
};

/* A file for a sink, on its way to the writer. */
struct new_file {
	struct letter letter;
	struct sink *sink;
	int fd;
};

/* ---- producers ---- */

void sink_drop(struct sink *s)
{
	atomic_fetch_add_explicit(&s->dropped, 1, memory_order_relaxed);
}

static void open_batch(struct letter *l, void *owner)
{
	struct sink_batch *b = CONTAINER_OF(l, struct sink_batch, letter);
	list_push_back(&b->sink->queue, &b->node);
}

static void post_batch(struct sink_producer *p, uint32_t index)
{
	struct sink_batch *b = p->pending[index];
	p->pending[index] = NULL;
	p->waiting &= ~(1u << index);
	struct sink_batch *fitting = mem_realloc(b, sizeof(*b) + b->len);
	if (fitting)
		b = fitting;
	b->letter.open = open_batch;
	list_init(&b->node);
	mailbox_post(&b->sink->all->box, &b->letter);
}

void sink_hand_over(struct sink_producer *p)
{
	while (p->waiting)
		post_batch(p, (uint32_t)__builtin_ctz(p->waiting));
}

/* The batch with room for `more` bytes. NULL: out of memory. */
static struct sink_batch *batch_for(struct sink *s, struct sink_producer *p, uint32_t more)
{
	struct sink_batch *b = p->pending[s->index];
	if (b && b->len + more > BATCH_BYTES_MAX) {
		post_batch(p, s->index);
		b = NULL;
	}
	uint32_t len = b ? b->len : 0, cap = b ? b->cap : 0;
	if (cap - len >= more)
		return b;
	cap = cap ? cap : BATCH_BYTES_MIN;
	while (cap - len < more)
		cap *= 2;
	struct sink_batch *grown = mem_realloc(b, sizeof(*b) + cap);
	if (!grown)
		return NULL;
	if (!b)
		*grown = (struct sink_batch){.sink = s};
	grown->cap = cap;
	p->pending[s->index] = grown;
	p->waiting |= 1u << s->index;
	return grown;
}

bool sink_put(struct sink *s, struct sink_producer *p, const void *record, size_t len)
{
	uint64_t limit = atomic_load_explicit(&s->all->limit_bytes, memory_order_relaxed);
	uint64_t cost = len + SINK_OVERHEAD_BYTES;
	if (len > SINK_RECORD_BYTES_MAX) {
		sink_drop(s);
		return false;
	}
	uint64_t before = atomic_fetch_add_explicit(&s->waiting, cost, memory_order_relaxed);
	struct sink_batch *b = before + cost <= limit ? batch_for(s, p, (uint32_t)cost) : NULL;
	if (!b) {
		atomic_fetch_sub_explicit(&s->waiting, cost, memory_order_relaxed);
		sink_drop(s);
		return false;
	}
	uint32_t prefix = (uint32_t)len;
	memcpy(b->bytes + b->len, &prefix, sizeof(prefix));
	if (len)
		memcpy(b->bytes + b->len + sizeof(prefix), record, len);
	b->len += (uint32_t)cost;
	return true;
}

/* ---- the writer ---- */

static struct sink_batch *first_batch(struct sink *s)
{
	return list_empty(&s->queue) ? NULL : CONTAINER_OF(s->queue.next, struct sink_batch, node);
}

static uint32_t record_len(const struct sink_batch *b, uint32_t at)
{
	uint32_t len;
	memcpy(&len, b->bytes + at, sizeof(len));
	return len;
}

/* Records of the first batch from where the writing stands. Into a pipe no more than what the
 * kernel takes whole or not at all (pipe(7)), so that no other writer gets between. */
static int gather(const struct sink *s, struct sink_batch *b, struct iovec *iov)
{
	size_t sum = 0;
	int n = 0;
	for (uint32_t at = b->at, part = s->part; at < b->len && n < IOV_MOST; part = 0) {
		uint32_t len = record_len(b, at);
		if (s->is_pipe && n > 0 && sum + len > PIPE_BUF)
			break;
		iov[n++] = (struct iovec){b->bytes + at + SINK_OVERHEAD_BYTES + part, len - part};
		sum += len - part;
		at += SINK_OVERHEAD_BYTES + len;
	}
	return n;
}

static void batch_free(struct sink_batch *b)
{
	list_remove(&b->node);
	mem_free(b);
}

/* `bytes` more are written. */
static void advance(struct sink *s, struct sink_batch *b, size_t bytes)
{
	uint64_t records = 0, freed = 0;
	bytes += s->part;
	while (b->at < b->len && bytes >= record_len(b, b->at)) {
		uint32_t len = record_len(b, b->at);
		bytes -= len;
		b->at += SINK_OVERHEAD_BYTES + len;
		freed += SINK_OVERHEAD_BYTES + len;
		records++;
	}
	s->part = (uint32_t)bytes;
	atomic_fetch_add_explicit(&s->records, records, memory_order_relaxed);
	atomic_fetch_add_explicit(
		&s->bytes, freed - records * SINK_OVERHEAD_BYTES, memory_order_relaxed);
	atomic_fetch_sub_explicit(&s->waiting, freed, memory_order_relaxed);
	if (b->at == b->len)
		batch_free(b);
}

static void write_failed(struct sink *s, uint64_t now_ns)
{
	int why = errno;
	atomic_fetch_add_explicit(&s->errors, 1, memory_order_relaxed);
	if (!s->failing && s->path) /* of standard error standard error does not speak */
		log_line(LOG_ERROR,
			"cannot write to an output: records wait, then they are dropped", "output",
			s->path, "cause", strerror(why), NULL);
	s->failing = true;
	s->retry_ns = now_ns + SINK_RETRY_MS * NS_PER_MS;
}

static ssize_t write_once(const struct sink *s, struct iovec *iov, int n)
{
	if (!s->is_socket)
		return writev(s->fd, iov, n);
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};
	return sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void write_some(struct sink *s, uint64_t now_ns)
{
	struct iovec iov[IOV_MOST];
	for (struct sink_batch *b; (b = first_batch(s));) {
		ssize_t n = write_once(s, iov, gather(s, b, iov));
		if (n < 0 && errno == EINTR)
			continue;
		s->blocked = n < 0 && errno == EAGAIN;
		if (s->blocked)
			return;
		if (n < 0) {
			write_failed(s, now_ns);
			return;
		}
		s->failing = false;
		advance(s, b, (size_t)n);
	}
}

/* The same file goes on where it is, maybe within a record; into another a record that a full disk
 * cut goes as a whole. */
static void open_new_file(struct letter *l, void *owner)
{
	struct new_file *f = CONTAINER_OF(l, struct new_file, letter);
	struct sinks *all = owner;
	struct sink *s = f->sink;
	struct stat old = {0}, new = {0};
	(void)fstat(f->fd, &new); /* of our own, open descriptors */
	(void)fstat(s->fd, &old);
	if (s->fd < 0)
		list_push_back(&all->open, &s->node);
	else if (old.st_dev == new.st_dev && old.st_ino == new.st_ino)
		goto out;
	else
		close(s->fd);
	s->fd = f->fd;
	f->fd = -1;
	s->is_pipe = S_ISFIFO(new.st_mode);
	s->is_socket = S_ISSOCK(new.st_mode);
	s->blocked = s->failing = false;
	s->part = 0;
out:
	if (f->fd >= 0)
		close(f->fd);
	mem_free(f);
}

static void open_stop(struct letter *l, void *owner)
{
	struct sinks *all = owner;
	all->stop_ns = clock_mono_ns() + SINK_STOP_MS * NS_PER_MS;
}

/* What poll waits for; fds[0] is the mailbox. Answers poll's timeout. */
static int what_to_wait_for(struct sinks *all, struct pollfd *fds, struct sink **of, nfds_t *count)
{
	uint64_t now_ns = clock_mono_ns(), until = all->stop_ns;
	fds[0] = (struct pollfd){.fd = all->box.fd, .events = POLLIN};
	*count = 1;
	LIST_FOR_EACH (n, &all->open) {
		struct sink *s = CONTAINER_OF(n, struct sink, node);
		of[*count] = s;
		if (s->blocked)
			fds[(*count)++] = (struct pollfd){.fd = s->fd, .events = POLLOUT};
		else if (s->failing && (!until || s->retry_ns < until))
			until = s->retry_ns;
	}
	if (!until)
		return -1;
	return until > now_ns ? (int)((until - now_ns) / NS_PER_MS) + 1 : 0;
}

static bool all_written(const struct sinks *all)
{
	LIST_FOR_EACH (n, &all->open) {
		if (!list_empty(&CONTAINER_OF(n, struct sink, node)->queue))
			return false;
	}
	return true;
}

static void *writer(void *arg)
{
	struct sinks *all = arg;
	struct pollfd fds[SINKS_MAX + 1];
	struct sink *of[SINKS_MAX + 1];
	nfds_t count;
	pthread_setname_np(pthread_self(), "writer");
	for (uint64_t now_ns = 0; !all->stop_ns || (now_ns < all->stop_ns && !all_written(all));) {
		int timeout_ms = what_to_wait_for(all, fds, of, &count);
		if (poll(fds, count, timeout_ms) > 0) {
			for (nfds_t i = 1; i < count; i++)
				of[i]->blocked = !fds[i].revents;
			mailbox_run(&all->box, all);
		}
		now_ns = clock_mono_ns();
		LIST_FOR_EACH (n, &all->open) {
			struct sink *s = CONTAINER_OF(n, struct sink, node);
			if (!s->blocked && (!s->failing || now_ns >= s->retry_ns))
				write_some(s, now_ns);
		}
	}
	return NULL;
}

/* ---- control ---- */

struct sinks *sinks_create(void)
{
	struct sinks *all = mem_zalloc(sizeof(*all));
	if (!all)
		return NULL;
	if (mailbox_init(&all->box) != 0) {
		mem_free(all);
		return NULL;
	}
	list_init(&all->open);
	all->stop.open = open_stop;
	sinks_set_limit(all, SINK_LIMIT_DEFAULT);
	return all;
}

void sinks_set_limit(struct sinks *all, uint64_t bytes)
{
	atomic_store_explicit(&all->limit_bytes, bytes, memory_order_relaxed);
}

/* With every signal blocked: they are control's. */
static int start_writer(struct sinks *all)
{
	sigset_t every, before;
	sigfillset(&every);
	pthread_sigmask(SIG_BLOCK, &every, &before);
	int err = pthread_create(&all->thread, NULL, writer, all);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = err;
	all->started = err == 0;
	return err ? ERR_SYS : 0;
}

/* For reading too: so a FIFO can be opened before its reader is there, and outlives one. */
static int open_path(const char *path)
{
	const int flags = O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	int fd = open(path, O_RDWR | flags, 0640);
	return fd >= 0 ? fd : open(path, O_WRONLY | flags, 0640);
}

/* Through /proc the kernel opens what the descriptor names. */
static int open_own_stderr(void)
{
	return open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

/* A description of our own where it must not block, as O_NONBLOCK would be for all who share it.
 * A plain file is shared, for its position; a socket is told at each write. */
static int open_stderr(void)
{
	struct stat st;
	if (fstat(STDERR_FILENO, &st) != 0)
		return -1;
	int fd = S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode) ? open_own_stderr() : -1;
	return fd >= 0 ? fd : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
}

static int open_file(struct sink *s)
{
	struct new_file *f = mem_zalloc(sizeof(*f));
	if (!f)
		return ERR_NOMEM;
	*f = (struct new_file){.letter.open = open_new_file, .sink = s};
	f->fd = s->path ? open_path(s->path) : open_stderr();
	if (f->fd < 0) {
		mem_free(f);
		return ERR_SYS;
	}
	mailbox_post(&s->all->box, &f->letter);
	return 0;
}

static struct sink *find(struct sinks *all, const char *path)
{
	for (uint32_t i = 0; i < all->count; i++) {
		const char *known = all->sink[i]->path;
		if (path && known ? !strcmp(path, known) : !path && !known)
			return all->sink[i];
	}
	return NULL;
}

static void sink_free(struct sink *s)
{
	mem_free(s->path);
	free(s);
}

static struct sink *sink_make(struct sinks *all, const char *path)
{
	/* mem_alloc does not align to a cache line pair. */
	struct sink *s = aligned_alloc(_Alignof(struct sink), sizeof(*s));
	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->index = all->count;
	s->all = all;
	s->fd = -1;
	list_init(&s->node);
	list_init(&s->queue);
	s->path = path ? mem_dup(path, strlen(path)) : NULL;
	if (path && !s->path) {
		free(s);
		return NULL;
	}
	return s;
}

struct sink *sink_open(struct sinks *all, const char *path)
{
	struct sink *s = find(all, path);
	if (s)
		return s;
	errno = ENOSPC;
	if (all->count == SINKS_MAX || (!all->started && start_writer(all) != 0))
		return NULL;
	errno = ENOMEM;
	s = sink_make(all, path);
	if (!s)
		return NULL;
	if (open_file(s) != 0) {
		int why = errno;
		sink_free(s);
		errno = why;
		return NULL;
	}
	all->sink[all->count++] = s;
	return s;
}

void sinks_reopen(struct sinks *all)
{
	for (uint32_t i = 0; i < all->count; i++) {
		struct sink *s = all->sink[i];
		if (!s->path || open_file(s) == 0)
			continue;
		atomic_fetch_add_explicit(&s->errors, 1, memory_order_relaxed);
		log_line(LOG_ERROR, "cannot reopen an output: the old file stays", "output",
			s->path, "cause", strerror(errno), NULL);
	}
}

void sink_stats(const struct sink *s, struct sink_stats *out)
{
	*out = (struct sink_stats){
		.records = atomic_load_explicit(&s->records, memory_order_relaxed),
		.bytes = atomic_load_explicit(&s->bytes, memory_order_relaxed),
		.dropped = atomic_load_explicit(&s->dropped, memory_order_relaxed),
		.errors = atomic_load_explicit(&s->errors, memory_order_relaxed),
		.waiting_bytes = atomic_load_explicit(&s->waiting, memory_order_relaxed),
	};
}

void sinks_each(struct sinks *all,
	void (*see)(void *ctx, const char *path, const struct sink_stats *stats), void *ctx)
{
	for (uint32_t i = 0; i < all->count; i++) {
		struct sink_stats stats;
		sink_stats(all->sink[i], &stats);
		see(ctx, all->sink[i]->path ? all->sink[i]->path : "stderr", &stats);
	}
}

/* Answers how many records were not written. */
static uint64_t close_sink(struct sink *s)
{
	uint64_t lost = 0;
	for (struct sink_batch *b; (b = first_batch(s)); batch_free(b))
		for (uint32_t at = b->at; at < b->len; lost++)
			at += SINK_OVERHEAD_BYTES + record_len(b, at);
	if (s->fd >= 0)
		close(s->fd);
	sink_free(s);
	return lost;
}

uint64_t sinks_destroy(struct sinks *all)
{
	uint64_t lost = 0;
	if (!all)
		return 0;
	if (all->started) {
		struct timespec until;
		mailbox_post(&all->box, &all->stop);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += 1 + SINK_STOP_MS / 1000;
		if (pthread_timedjoin_np(all->thread, NULL, &until) != 0)
			return 0; /* it hangs in a write: the process ends without it */
	}
	mailbox_run(&all->box, all);
	for (uint32_t i = 0; i < all->count; i++)
		lost += close_sink(all->sink[i]);
	mailbox_fini(&all->box);
	mem_free(all);
	return lost;
}
