#include "client/http_get.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "http1/http1.h"

enum { READ_BYTES = 65536, IOV_MAX_PARTS = 8 };

struct get {
	const struct http_get *want;
	struct http1_conn *conn;
	int fd;
	uint64_t deadline_ns;
	unsigned *status;
	struct buf *body;
	char *why; /* HTTP_GET_WHY_MAX */
	bool done;
};

static int fail(struct get *g, int err, const char *why)
{
	snprintf(g->why, HTTP_GET_WHY_MAX, "%s", why);
	return err;
}

static int fail_errno(struct get *g, const char *what)
{
	snprintf(g->why, HTTP_GET_WHY_MAX, "%s%s", what, strerror(errno));
	return ERR_SYS;
}

/* Waits until the socket is ready for `events`. */
static int wait_for(struct get *g, short events)
{
	for (;;) {
		uint64_t now = clock_mono_ns();
		if (now >= g->deadline_ns) {
			snprintf(g->why, HTTP_GET_WHY_MAX, "no answer in %llu ms",
				(unsigned long long)(g->want->timeout_ns / NS_PER_MS));
			return ERR_AGAIN;
		}
		struct pollfd p[2] = {{.fd = g->fd, .events = events},
			{.fd = g->want->wake_fd, .events = POLLIN}};
		int n = poll(
			p, g->want->wake_fd ? 2 : 1, (int)((g->deadline_ns - now) / NS_PER_MS) + 1);
		if (n > 0)
			return p[0].revents ? ERR_NONE : fail(g, ERR_AGAIN, "");
		if (n < 0 && errno != EINTR)
			return fail_errno(g, "poll: ");
	}
}

static int connect_to(struct get *g)
{
	int err = 0;
	socklen_t len = sizeof(err);
	g->fd = socket(g->want->sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (g->fd < 0)
		return fail_errno(g, "socket: ");
	if (connect(g->fd, (const struct sockaddr *)g->want->sa, g->want->sa_len) == 0)
		return ERR_NONE;
	if (errno != EINPROGRESS)
		return fail_errno(g, "");
	int waited = wait_for(g, POLLOUT);
	if (waited)
		return waited;
	if (getsockopt(g->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err) {
		errno = err ? err : errno;
		return fail_errno(g, "");
	}
	return ERR_NONE;
}

static int ask(struct get *g)
{
	const struct http_get *w = g->want;
	struct fields *f = fields_create();
	if (!f || fields_add_str(f, TOKEN_METHOD, "GET") ||
		fields_add_str(f, TOKEN_SCHEME, "http") ||
		fields_add_str(f, TOKEN_AUTHORITY, w->authority) ||
		fields_add_str(f, TOKEN_PATH, w->path) ||
		(w->accept && fields_add_str(f, TOKEN_ACCEPT, w->accept))) {
		fields_destroy(f);
		return fail(g, ERR_NOMEM, "out of memory");
	}
	struct event ev = {.kind = EVENT_HEAD, .end = true, .fields = f};
	http1_conn_push(g->conn, &ev);
	return ERR_NONE;
}

static int send_all(struct get *g)
{
	while (http1_conn_wants_write(g->conn)) {
		struct iovec iov[IOV_MAX_PARTS];
		int parts = http1_conn_output(g->conn, iov, IOV_MAX_PARTS);
		struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)parts};
		ssize_t n = sendmsg(g->fd, &msg, MSG_NOSIGNAL);
		if (n >= 0) {
			http1_conn_written(g->conn, (size_t)n);
		} else if (errno == EAGAIN) {
			int waited = wait_for(g, POLLOUT);
			if (waited)
				return waited;
		} else if (errno != EINTR) {
			return fail_errno(g, "");
		}
	}
	return ERR_NONE;
}

static int take_message(struct get *g, struct event *ev)
{
	if (ev->kind == EVENT_HEAD) {
		const struct field *status = fields_get(ev->fields, TOKEN_STATUS);
		char digits[8] = "";
		if (status && status->value_len < sizeof(digits))
			memcpy(digits, status->value, status->value_len);
		*g->status = (unsigned)strtoul(digits, NULL, 10);
	} else if (ev->kind == EVENT_DATA) {
		if (ev->data.len > g->want->body_max_bytes - g->body->len) {
			snprintf(g->why, HTTP_GET_WHY_MAX, "more than %zu bytes",
				g->want->body_max_bytes);
			return ERR_LIMIT;
		}
		buf_add(g->body, ev->data.at, ev->data.len);
		http1_conn_credit(g->conn, ev->data.len);
		if (g->body->failed)
			return fail(g, ERR_NOMEM, "out of memory");
	}
	g->done |= ev->end;
	return ERR_NONE;
}

static int take_events(struct get *g)
{
	struct http1_event ev;
	int err = ERR_NONE;
	while (!err && !g->done && http1_conn_poll(g->conn, &ev)) {
		if (ev.kind == HTTP1_EV_MESSAGE) {
			err = take_message(g, &ev.ev);
			event_drop(&ev.ev);
		} else if (ev.kind == HTTP1_EV_DEAD) {
			err = fail(g, ev.fault == HTTP1_FAULT_NO_MEMORY ? ERR_NOMEM : ERR_PROTOCOL,
				http1_fault_text(ev.fault));
		}
	}
	return err;
}

static int read_some(struct get *g)
{
	int waited = wait_for(g, POLLIN);
	if (waited)
		return waited;
	struct slab *slab = slab_exact(READ_BYTES);
	if (!slab)
		return fail(g, ERR_NOMEM, "out of memory");
	ssize_t n = recv(g->fd, slab->bytes, READ_BYTES, 0);
	int err = ERR_NONE;
	if (n > 0)
		http1_conn_feed(g->conn, slice_of(slab, slab->bytes, (uint32_t)n));
	else if (n == 0)
		http1_conn_eof(g->conn);
	else if (errno != EAGAIN && errno != EINTR)
		err = fail_errno(g, "");
	slab_unref(slab);
	if (!err)
		err = take_events(g);
	if (!err && n == 0 && !g->done)
		err = fail(g, ERR_CLOSED, "closed before its answer was complete");
	return err;
}

int http_get(
	const struct http_get *want, unsigned *status, struct buf *body, char why[HTTP_GET_WHY_MAX])
{
	struct http1_options options = http1_options_default();
	struct get g = {.want = want,
		.conn = http1_conn_create(HTTP1_CLIENT, &options),
		.fd = -1,
		.deadline_ns = clock_mono_ns() + want->timeout_ns,
		.status = status,
		.body = body,
		.why = why};
	int err;

	*status = 0;
	why[0] = '\0';
	buf_clear(body);
	if (!g.conn) {
		err = fail(&g, ERR_NOMEM, "out of memory");
		goto out;
	}
	err = connect_to(&g);
	if (!err)
		err = ask(&g);
	while (!err && !g.done) {
		err = send_all(&g);
		if (!err)
			err = take_events(&g); /* a push may have failed */
		if (!err && !g.done)
			err = read_some(&g);
	}
out:
	http1_conn_destroy(g.conn);
	if (g.fd >= 0)
		close(g.fd);
	return err;
}
