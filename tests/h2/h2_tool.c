/* h2_tool.c - the engine on plain blocking sockets, for conformance suites written by others:
 *   h2_tool serve PORT    answers every request on 127.0.0.1:PORT with 200 and a short body
 *   h2_tool get PORT      GET / from 127.0.0.1:PORT; stays until the server closes, two seconds at
 * most Not a product: no TLS, no limits beyond the engine's. See tests/interop/h2spec.sh. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "http/event.h"
#include "http2/conn.h"

#define MAX_CONNS 256

struct peer {
	int fd;
	struct h2_conn *c;
};

static struct slab_pool *pool;
static struct h2_books books;
static const char body[] =
	"a body of some octets, so that flow control has something to hold back\n";

static void respond(struct h2_stream *s)
{
	struct event head = {.kind = EVENT_HEAD, .fields = fields_create()};
	struct event data = {
		.kind = EVENT_DATA, .data = slice_static(body, sizeof(body) - 1), .end = true};
	if (!head.fields || fields_add_str(head.fields, TOKEN_STATUS, "200") ||
		fields_add(head.fields, "content-type", 12, "text/plain", 10))
		abort();
	h2_stream_push(s, &head);
	h2_stream_push(s, &data);
}

/* Acts on every event; false when the connection is over. */
static bool act(struct peer *p, enum h2_role role)
{
	struct h2_event e;
	while (h2_conn_poll(p->c, &e)) {
		switch ((int)e.kind) {
		case H2_EV_MESSAGE:
			if (e.ev.kind == EVENT_DATA && e.ev.data.len)
				h2_stream_credit(e.stream, e.ev.data.len);
			if (e.ev.end && role == H2_SERVER)
				respond(e.stream);
			event_drop(&e.ev);
			break;
		case H2_EV_RESET:
		case H2_EV_CLOSED:
			h2_stream_release(e.stream);
			break;
		case H2_EV_DEAD:
			return false;
		default:
			break;
		}
	}
	return true;
}

static bool flush(struct peer *p)
{
	struct iovec iov[16];
	int n;
	while ((n = h2_conn_output(p->c, iov, 16)) > 0) {
		ssize_t sent = writev(p->fd, iov, n);
		if (sent <= 0)
			return false;
		h2_conn_written(p->c, (size_t)sent);
	}
	return true;
}

/* Reads once, acts, answers; false when the connection is over. */
static bool turn(struct peer *p, enum h2_role role)
{
	struct slab *slab = slab_get(pool);
	if (!slab)
		abort();
	ssize_t n = read(p->fd, slab->bytes, SLAB_BYTES);
	bool alive = n > 0;
	if (alive) {
		h2_conn_feed(p->c, slice_of(slab, slab->bytes, (uint32_t)n), clock_mono_ns());
		/* Writing makes CLOSED and ADMITTED events: look again until there is nothing to
		 * send. */
		do
			alive = act(p, role) && flush(p);
		while (alive && h2_conn_wants_write(p->c));
		alive = alive && act(p, role);
		if (!alive)
			flush(p);
		else
			h2_conn_settle(p->c);
	}
	slab_unref(slab);
	return alive;
}

static void release(struct h2_stream *s, void *arg)
{
	h2_stream_release(s);
}

static void hang_up(struct peer *p)
{
	char rest[4096];
	h2_conn_each_stream(p->c, release, NULL);
	h2_conn_destroy(p->c);
	/* Let the peer read our GOAWAY: close after its end, or a quarter of a second. */
	struct timeval wait = {.tv_usec = 250000};
	shutdown(p->fd, SHUT_WR);
	setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	while (read(p->fd, rest, sizeof(rest)) > 0)
		continue;
	close(p->fd);
}

static bool meet(struct peer *p, int fd, enum h2_role role)
{
	int one = 1;
	struct h2_options o = h2_options_default(role);
	o.max_concurrent_streams = 100;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*p = (struct peer){fd, h2_conn_create(role, &o, pool, &books)};
	return p->c && flush(p);
}

static struct sockaddr_in loopback(const char *port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int serve(const char *port)
{
	struct peer peers[MAX_CONNS];
	struct pollfd fds[MAX_CONNS + 1];
	struct sockaddr_in a = loopback(port);
	int one = 1, count = 0, fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 64)) {
		perror("h2_tool: listen");
		return 1;
	}
	printf("listening on 127.0.0.1:%s\n", port);
	fflush(stdout);
	for (;;) {
		fds[0] = (struct pollfd){.fd = fd, .events = count < MAX_CONNS ? POLLIN : 0};
		for (int i = 0; i < count; i++)
			fds[i + 1] = (struct pollfd){.fd = peers[i].fd, .events = POLLIN};
		if (poll(fds, (nfds_t)count + 1, -1) < 0)
			return errno == EINTR ? 0 : 1;
		for (int i = count - 1; i >= 0; i--) {
			if (!fds[i + 1].revents || turn(&peers[i], H2_SERVER))
				continue;
			hang_up(&peers[i]);
			peers[i] = peers[--count];
		}
		if (fds[0].revents & POLLIN) {
			int peer = accept(fd, NULL, NULL);
			if (peer >= 0 && meet(&peers[count], peer, H2_SERVER))
				count++;
		}
	}
}

static int get(const char *port)
{
	struct peer p;
	struct sockaddr_in a = loopback(port);
	struct h2_stream *s;
	struct event head = {.kind = EVENT_HEAD, .fields = fields_create(), .end = true};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) || !meet(&p, fd, H2_CLIENT)) {
		perror("h2_tool: connect");
		return 1;
	}
	if (!head.fields || fields_add_str(head.fields, TOKEN_METHOD, "GET") ||
		fields_add_str(head.fields, TOKEN_SCHEME, "http") ||
		fields_add_str(head.fields, TOKEN_PATH, "/") ||
		fields_add_str(head.fields, TOKEN_AUTHORITY, "127.0.0.1"))
		return 1;
	bool alive = h2_conn_open(p.c, &head, &s) == 0 && flush(&p);
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	while (alive && poll(&pfd, 1, 2000) > 0)
		alive = turn(&p, H2_CLIENT);
	hang_up(&p);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	pool = slab_pool_create(8);
	if (pool && argc == 3 && !strcmp(argv[1], "serve"))
		return serve(argv[2]);
	/* A URL serves as well as a port: its digits behind the last colon count. */
	const char *colon = argc == 3 ? strrchr(argv[2], ':') : NULL;
	if (pool && argc == 3 && !strcmp(argv[1], "get"))
		return get(colon ? colon + 1 : argv[2]);
	fprintf(stderr, "usage: h2_tool serve PORT | h2_tool get PORT\n");
	return 2;
}
