#include "proxy/h2io.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/clock.h"
#include "net/sock.h"
#include "proxy/walk.h"
#include "proxy/worker.h"

#define LINGER_NS     (1 * NS_PER_SEC)
#define IN_ROOM_BYTES 65536u /* a read begins with at least this much room */
#define FLUSH_IOVECS  1024
#define FRESH_BYTES   65536u /* new DATA that is written before more is read */
#define PATH_ASK_NS   NS_PER_SEC
#define PING_OPAQUE   0x7765697270696e67 /* "weirping" */

static const char *const close_labels[] = {
#define CLOSE(id, label, text) label,
	CLOSE_REASONS(CLOSE)
#undef CLOSE
};
static const char *const close_texts[] = {
#define CLOSE(id, label, text) text,
	CLOSE_REASONS(CLOSE)
#undef CLOSE
};

const char *close_reason_label(enum close_reason r)
{
	ASSERT(r < CLOSE_REASON_COUNT);
	return close_labels[r];
}

const char *close_reason_text(enum close_reason r)
{
	ASSERT(r < CLOSE_REASON_COUNT);
	return close_texts[r];
}

enum stall_cause stall_of(enum h2_blocked blocked)
{
	switch (blocked) {
	case H2_NOT_BLOCKED:
		return STALL_NONE;
	case H2_BLOCKED_STREAM_WINDOW:
		return STALL_PEER_STREAM_WINDOW;
	case H2_BLOCKED_CONN_WINDOW:
		return STALL_PEER_CONNECTION_WINDOW;
	case H2_BLOCKED_SOCKET:
		return STALL_SOCKET;
	}
	UNREACHABLE();
}

static void on_ready(struct watch *watch, uint32_t events);
static void on_linger_end(struct timer *t, uint64_t now_ns);

int h2io_init(struct h2io *io, struct worker *w, const struct h2io_ops *ops, int fd,
	const char *side, const char *name)
{
	memset(io, 0, sizeof(*io));
	io->worker = w;
	io->ops = ops;
	io->side = side;
	io->name = name;
	io->watch.fd = -1;
	io->watch.ready = on_ready;
	list_init(&io->dirty);
	list_init(&io->again);
	list_init(&io->all);
	timer_init(&io->timer, on_linger_end);
	io->opened_ns = io->moved_ns = w->loop.now_ns;
	io->id = ++w->ios_begun;
	const char *labels[] = {side, name};
	io->series = metrics_series(w->env.metrics, GROUP_CONNECTION, labels);
	if (loop_add(&w->loop, &io->watch, fd) != 0) {
		close(fd);
		return ERR_SYS;
	}
	list_push_back(&w->ios, &io->all);
	return 0;
}

void h2io_count_open(struct h2io *io)
{
	ASSERT(!io->counted);
	io->counted = true;
	series_add(io->series, M_CONNECTIONS_OPENED, 1);
	series_add(io->series, M_CONNECTIONS_OPEN, 1);
}

/* The owner lets go, the descriptor closes; memory goes at reap. */
void h2io_close(struct h2io *io, enum close_reason reason)
{
	if (io->dead)
		return;
	struct worker *w = io->worker;
	io->dead = true;
	if (!io->finishing)
		io->reason = reason;
	wheel_cancel(&w->loop.wheel, &io->timer);
	io->ops->lost(io);
	loop_close(&w->loop, &io->watch);
	list_remove(&io->dirty);
	list_remove(&io->again);
	walk_gone(&w->walks, &io->all);
	list_remove(&io->all);
	list_push_back(&w->dead, &io->all);
	series_add(worker_closed_series(w, io->side, io->name, close_reason_label(io->reason)),
		M_CONNECTIONS_CLOSED, 1);
	if (io->counted) {
		series_sub(io->series, M_CONNECTIONS_OPEN, 1);
		series_observe(io->series, M_CONNECTION_CALLS, io->calls);
	}
}

void h2io_finish(struct h2io *io, enum close_reason reason)
{
	if (io->dead || io->finishing)
		return;
	io->finishing = true;
	io->reason = reason;
	wheel_cancel(&io->worker->loop.wheel, &io->timer); /* whatever the owner used it for */
	timer_init(&io->timer, on_linger_end);
	wheel_arm(&io->worker->loop.wheel, &io->timer, io->worker->loop.now_ns + LINGER_NS);
	h2io_dirty(io);
}

static void on_linger_end(struct timer *t, uint64_t now_ns)
{
	struct h2io *io = CONTAINER_OF(t, struct h2io, timer);
	h2io_close(io, io->reason);
}

static void poll_events(struct h2io *io)
{
	struct h2_event ev;
	while (!io->dead && !io->finishing && h2_conn_poll(io->h2, &ev))
		io->ops->event(io, &ev);
	if (!io->dead && h2_conn_wants_write(io->h2))
		h2io_dirty(io);
}

void h2io_feed(struct h2io *io, struct slice in)
{
	if (io->dead || h2_conn_is_dead(io->h2)) {
		slice_drop(&in);
		return;
	}
	h2_conn_feed(io->h2, in, io->worker->loop.now_ns);
	poll_events(io);
}

void h2io_dirty(struct h2io *io)
{
	/* A full socket: EPOLLOUT makes it dirty again. That streams wait for it is told at once.
	 */
	if (io->dead || (!io->writable && !(io->h2 && h2_conn_has_news(io->h2))))
		return;
	if (list_empty(&io->dirty))
		list_push_back(&io->worker->dirty, &io->dirty);
	if (io->h2 && UNLIKELY(h2_conn_fresh_bytes(io->h2) >= FRESH_BYTES)) {
		list_remove(&io->dirty);
		list_push_back(&io->worker->full, &io->dirty);
	}
}

/* ---- SETTINGS ---- */

static void on_settings_due(struct timer *t, uint64_t now_ns)
{
	struct h2io *io = CONTAINER_OF(t, struct h2io, timer);
	h2_conn_settings_due(io->h2);
	poll_events(io);
}

void h2io_expect_settings_ack(struct h2io *io, uint64_t timeout_ns)
{
	timer_init(&io->timer, on_settings_due);
	wheel_arm(&io->worker->loop.wheel, &io->timer, io->worker->loop.now_ns + timeout_ns);
}

void h2io_finish_dead(struct h2io *io, const struct h2_event *ev)
{
	h2io_finish(io,
		ev->fault == H2_FAULT_SETTINGS_TIMEOUT ? CLOSED_SETTINGS_TIMEOUT : CLOSED_PROTOCOL);
}

/* ---- PING ---- */

static void ping_is_out(struct h2io *io, enum h2io_ping which)
{
	io->pinging = (uint8_t)which;
	io->ping_sent_ns = io->worker->loop.now_ns;
}

void h2io_ping(struct h2io *io)
{
	uint64_t now = io->worker->loop.now_ns;
	if (!io->h2 || io->dead || io->finishing || io->pinging)
		return;
	if (io->ping_sent_ns && now - io->ping_sent_ns < H2IO_PING_EVERY_NS)
		return;
	h2_conn_ping(io->h2, PING_OPAQUE);
	ping_is_out(io, H2IO_PING_ASKED);
	h2io_dirty(io);
}

static void ping_is_back(struct h2io *io, enum h2io_ping which)
{
	if (io->pinging != which)
		return;
	io->pinging = H2IO_PING_NONE;
	io->ping_ns = io->worker->loop.now_ns - io->ping_sent_ns;
}

void h2io_ping_answered(struct h2io *io, uint64_t opaque)
{
	if (opaque == PING_OPAQUE)
		ping_is_back(io, H2IO_PING_ASKED);
}

void h2io_drain_pinged(struct h2io *io)
{
	if (!io->pinging)
		ping_is_out(io, H2IO_PING_DRAIN);
}

void h2io_drain_answered(struct h2io *io)
{
	ping_is_back(io, H2IO_PING_DRAIN);
}

static void flush_list(struct list *l);

/* ---- reading ---- */

/* Room in the worker's input slab: rewinds it when nobody holds a part of it. */
static bool take_room(struct worker *w)
{
	if (w->in && w->in->refs == 1)
		w->in_used = 0;
	if (w->in && w->in->bytes_cap - w->in_used >= IN_ROOM_BYTES)
		return true;
	if (w->in)
		slab_unref(w->in);
	w->in = slab_get(w->slabs);
	w->in_used = 0;
	return w->in != NULL;
}

static void take_input(struct h2io *io, uint32_t bytes)
{
	struct worker *w = io->worker;
	struct slice in = slice_of(w->in, w->in->bytes + w->in_used, bytes);
	w->in_used += bytes;
	w->read_left -= bytes < w->read_left ? bytes : w->read_left;
	series_add(io->series, M_CONNECTION_BYTES_IN, bytes);
	io->bytes_in += bytes;
	io->moved_ns = w->loop.now_ns;
	if (io->finishing)
		slice_drop(&in); /* lingering: the peer's words don't count any more */
	else if (io->h2)
		h2io_feed(io, in);
	else
		io->ops->raw(io, in);
}

/* One recv; true while there may be more to read. */
static bool read_once(struct h2io *io)
{
	struct worker *w = io->worker;
	if (!take_room(w)) {
		h2io_close(io, CLOSED_NO_MEMORY);
		return false;
	}
	uint32_t room = w->in->bytes_cap - w->in_used;
	ssize_t n = sock_recv(io->watch.fd, w->in->bytes + w->in_used, room);
	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno == EAGAIN) {
		io->readable = false;
		return false;
	}
	if (n == 0 && !io->h2 && !io->finishing && io->ops->raw_eof && io->ops->raw_eof(io)) {
		io->readable = false;
		return false;
	}
	if (n <= 0) {
		io->sys_errno = n < 0 ? errno : 0;
		h2io_close(io, n < 0 ? CLOSED_RESET : CLOSED_PEER);
		return false;
	}
	/* A short read has emptied the socket; a FIN behind it has its own epoll event. */
	if ((uint32_t)n < room && !io->hangup)
		io->readable = false;
	take_input(io, (uint32_t)n);
	return !io->dead && io->readable;
}

static bool wants_input(struct h2io *io)
{
	return io->h2 || io->finishing || !io->ops->raw_wants || io->ops->raw_wants(io);
}

/* What is under way on a long path is not here, and needs a window. */
static bool path_is_short(struct h2io *io)
{
	uint64_t now = io->worker->loop.now_ns;
	if (!io->path_asked_ns || now - io->path_asked_ns >= PATH_ASK_NS) {
		io->path_ns = sock_path_ns(io->watch.fd);
		io->path_asked_ns = now;
	}
	return io->path_ns < WORKER_CROWD_PATH_NS;
}

void h2io_note_crowd(struct h2io *io, uint32_t bytes)
{
	struct worker *w = io->worker;
	if (LIKELY(bytes < WORKER_CROWD_CONN_BYTES || w->read_before < WORKER_CROWD_TURN_BYTES) ||
		io->crowded || io->dead || !io->h2 || w->crowded_count == WORKER_CROWDED ||
		!path_is_short(io))
		return;
	io->crowded = true;
	w->crowded[w->crowded_count++] = io;
	h2_conn_set_crowded(io->h2, true);
}

void h2io_crowds_over(struct worker *w)
{
	for (uint32_t i = 0; i < w->crowded_count; i++) {
		w->crowded[i]->crowded = false;
		h2_conn_set_crowded(w->crowded[i]->h2, false);
	}
	w->crowded_count = 0;
}

static void read_share(struct h2io *io)
{
	struct worker *w = io->worker;
	uint32_t before = w->read_left;
	bool more = true;
	while (more && w->read_left > 0 && before - w->read_left < WORKER_CONN_READ_BYTES &&
		wants_input(io)) {
		more = read_once(io);
		h2io_note_crowd(io, before - w->read_left);
		flush_list(&w->full);
		more = more && !io->dead && io->readable;
	}
	if (io->dead)
		return;
	if (io->h2)
		h2_conn_settle(io->h2);
	if (io->readable && wants_input(io))
		h2io_resume(io);
}

void h2io_resume(struct h2io *io)
{
	struct worker *w = io->worker;
	if (!io->dead && io->readable && list_empty(&io->again)) {
		list_push_back(&w->again, &io->again);
		loop_again(&w->loop);
	}
}

void h2io_read_again(struct worker *w)
{
	struct list turn;
	list_init(&turn);
	list_splice_back(&turn, &w->again);
	for (struct list *n; (n = list_pop_front(&turn));)
		read_share(CONTAINER_OF(n, struct h2io, again));
}

static void on_ready(struct watch *watch, uint32_t events)
{
	struct h2io *io = CONTAINER_OF(watch, struct h2io, watch);
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		io->hangup = true;
	/* Most edges say again what was known: a peer's ACK freed a part of the buffer. */
	if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP) && !io->writable) {
		io->writable = true;
		if (io->ops->writable)
			io->ops->writable(io);
		if (io->dead)
			return;
		h2io_dirty(io);
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		io->readable = true;
		read_share(io);
	}
}

static int output(struct h2io *io, struct iovec *iov)
{
	if (io->h2)
		return h2_conn_output(io->h2, iov, FLUSH_IOVECS);
	return io->ops->raw_output ? io->ops->raw_output(io, iov, FLUSH_IOVECS) : 0;
}

static void written(struct h2io *io, size_t bytes)
{
	series_add(io->series, M_CONNECTION_BYTES_OUT, bytes);
	io->bytes_out += bytes;
	io->moved_ns = io->worker->loop.now_ns;
	if (io->h2)
		h2_conn_written(io->h2, bytes);
	else
		io->ops->raw_written(io, bytes);
}

/* What is in one piece goes without the kernel's work for lists. */
static ssize_t send_all(int fd, struct iovec *iov, int n)
{
	if (n == 1)
		return sock_send(fd, iov->iov_base, iov->iov_len);
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)n};
	return sock_send_all(fd, &msg);
}

/* One writev; true when everything that was framed went out and there may be more to frame. */
static bool write_once(struct h2io *io)
{
	struct iovec iov[FLUSH_IOVECS];
	int n = output(io, iov);
	if (n <= 0)
		return false;
	size_t total = 0;
	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	ssize_t sent = send_all(io->watch.fd, iov, n);
	if (sent < 0 && errno == EINTR)
		return true;
	if (sent < 0 && errno != EAGAIN) {
		io->sys_errno = errno;
		h2io_close(io, CLOSED_RESET);
		return false;
	}
	if (sent > 0)
		written(io, (size_t)sent);
	if (sent < (ssize_t)total) {
		io->writable = false;
		if (io->h2)
			h2_conn_compact(io->h2);
		return false;
	}
	return !io->h2 || h2_conn_wants_write(io->h2);
}

static bool all_written(const struct h2io *io)
{
	struct iovec iov;
	if (io->h2)
		return h2_conn_unwritten(io->h2) == 0;
	return !io->ops->raw_output || io->ops->raw_output((struct h2io *)io, &iov, 1) == 0;
}

static void begin_linger(struct h2io *io)
{
	if (io->lingering || !all_written(io))
		return;
	io->lingering = true;
	shutdown(io->watch.fd, SHUT_WR);
	/* What has come is read, and discarded, in the next loop iteration; the peer's FIN or the
	 * timer closes. Reading here would flush other connections, which may begin to linger in
	 * turn: a recursion as deep as there are connections. */
	io->readable = true;
	h2io_resume(io);
}

static void flush(struct h2io *io)
{
	/* Bounded by what windows let out and the socket takes. */
	while (io->writable && !io->dead && write_once(io))
		;
	if (!io->dead && io->h2)
		poll_events(io); /* ADMITTED, CLOSED */
	if (!io->dead && io->ops->flushed)
		io->ops->flushed(io);
	if (!io->dead && io->finishing)
		begin_linger(io);
}

static void flush_list(struct list *l)
{
	for (struct list *n; (n = list_pop_front(l));)
		flush(CONTAINER_OF(n, struct h2io, dirty));
}

/* Admission credits far sides, which makes their connections dirty in turn: until none is left. */
void h2io_flush_all(struct worker *w)
{
	while (!list_empty(&w->full) || !list_empty(&w->dirty)) {
		flush_list(&w->full);
		flush_list(&w->dirty);
	}
}

void h2io_reap(struct worker *w)
{
	for (struct list *n; (n = list_pop_front(&w->dead));) {
		struct h2io *io = CONTAINER_OF(n, struct h2io, all);
		if (io->h2)
			h2_conn_destroy(io->h2);
		io->ops->destroy(io);
	}
}
