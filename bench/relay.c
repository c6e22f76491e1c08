/* relay.c - a TCP relay that parses nothing: the limit that a proxy is compared with.
 *
 *   bench_relay LISTEN_PORT UPSTREAM_PORT [--corrupt OFFSET | --congestion NAME]
 *
 * One thread, epoll. Each accepted connection gets one of its own upstream. What one read brings
 * (up to 1 MiB) leaves in one write; what the socket does not take waits, and meanwhile its source
 * is not read. --corrupt flips a bit of the byte at OFFSET of what the first upstream says: the
 * load generator must notice.
 * --congestion gives all its sockets this congestion control of TCP. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/list.h"
#include "socket.h"

#define READ_BYTES (1u << 20)
#define EVENTS     256

/* One socket of a pair. What was read from the other and not yet taken by this one is `rest`. */
struct end {
	int fd;
	struct end *other;
	uint8_t *rest;
	size_t rest_at, rest_len;
	bool upstream;
	bool eof;     /* it will say no more */
	bool shut;    /* it was told that the other will say no more */
	bool more;    /* a full read: there may be more without another event */
	bool waiting; /* to be read: the other end takes bytes again */
	bool dead;
};
struct pair {
	struct end down, up;
	struct pair *next_dead;
};

static int epoll_fd;
static unsigned upstream_port;
static uint8_t bytes[READ_BYTES];
static struct pair *dead_pairs;
static long long corrupt_at = -1;
static const char *congestion; /* NULL: the system's */

static struct pair *pair_of(struct end *e)
{
	return e->upstream ? CONTAINER_OF(e, struct pair, up) : CONTAINER_OF(e, struct pair, down);
}

/* Memory is freed behind the turn: its events may name either end. */
static void end_pair(struct end *e)
{
	struct pair *p = pair_of(e);
	if (p->down.dead)
		return;
	p->down.dead = p->up.dead = true;
	close(p->down.fd);
	close(p->up.fd);
	p->next_dead = dead_pairs;
	dead_pairs = p;
}

static void reap(void)
{
	for (struct pair *p; (p = dead_pairs);) {
		dead_pairs = p->next_dead;
		free(p->down.rest);
		free(p->up.rest);
		free(p);
	}
}

/* Keeps what the socket did not take. */
static void keep(struct end *e, const uint8_t *at, size_t len)
{
	e->rest = malloc(len);
	if (!e->rest)
		die("out of memory");
	memcpy(e->rest, at, len);
	e->rest_at = 0;
	e->rest_len = len;
}

/* Writes once; how many bytes were taken, -1 when the pair is over. */
static ssize_t write_once(struct end *e, const uint8_t *at, size_t len)
{
	ssize_t n = send(e->fd, at, len, MSG_NOSIGNAL);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == ENOTCONN)
		return 0;
	end_pair(e);
	return -1;
}

static void pass_eof(struct end *from)
{
	struct end *to = from->other;
	if (!from->eof || to->rest || to->shut)
		return;
	to->shut = true;
	shutdown(to->fd, SHUT_WR);
	if (to->eof && from->shut)
		end_pair(from);
}

static void corrupt(const struct end *from, ssize_t n)
{
	if (corrupt_at < 0 || !from->upstream)
		return;
	if (corrupt_at < n)
		bytes[corrupt_at] ^= 1;
	corrupt_at -= n;
}

static void read_once(struct end *from)
{
	struct end *to = from->other;
	ssize_t n = recv(from->fd, bytes, sizeof(bytes), 0);
	from->more = n == sizeof(bytes);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		end_pair(from);
		return;
	}
	if (n == 0) {
		from->eof = true;
		pass_eof(from);
		return;
	}
	corrupt(from, n);
	ssize_t took = write_once(to, bytes, (size_t)n);
	if (took >= 0 && took < n)
		keep(to, bytes + took, (size_t)(n - took));
}

static void read_from(struct end *from)
{
	do {
		if (from->dead || from->eof)
			return;
		from->waiting = from->other->rest != NULL;
		if (from->waiting)
			return;
		read_once(from);
	} while (from->more);
}

static void write_rest(struct end *e)
{
	if (!e->rest)
		return;
	ssize_t n = write_once(e, e->rest + e->rest_at, e->rest_len - e->rest_at);
	if (n < 0)
		return;
	e->rest_at += (size_t)n;
	if (e->rest_at < e->rest_len)
		return;
	free(e->rest);
	e->rest = NULL;
	pass_eof(e->other);
	if (e->other->waiting)
		read_from(e->other);
}

static void watch(struct end *e)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = e};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, e->fd, &ev))
		die("epoll_ctl: %s", strerror(errno));
}

static void accept_all(int listen_fd)
{
	int fd;
	while ((fd = socket_accept(listen_fd)) >= 0) {
		struct pair *p = calloc(1, sizeof(*p));
		if (!p)
			die("out of memory");
		p->down = (struct end){.fd = fd, .other = &p->up};
		p->up = (struct end){.other = &p->down, .upstream = true};
		p->up.fd = socket_connect(upstream_port, 0);
		if (congestion)
			socket_congestion(p->up.fd, congestion);
		watch(&p->down);
		watch(&p->up);
	}
}

static void turn(int listen_fd)
{
	static struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll_fd, events, EVENTS, -1);
	for (int i = 0; i < n; i++) {
		struct end *e = events[i].data.ptr;
		if (!e) {
			accept_all(listen_fd);
			continue;
		}
		if (!e->dead && (events[i].events & EPOLLOUT))
			write_rest(e);
		if (!e->dead && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
			read_from(e);
	}
	reap();
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[3], "--corrupt")) {
		corrupt_at = atoll(argv[4]);
	} else if (argc == 5 && !strcmp(argv[3], "--congestion")) {
		congestion = argv[4];
	} else if (argc != 3) {
		fprintf(stderr, "usage: bench_relay LISTEN_PORT UPSTREAM_PORT [--corrupt OFFSET | "
				"--congestion NAME]\n");
		return 2;
	}
	upstream_port = (unsigned)atoi(argv[2]);
	int listen_fd = socket_listen((unsigned)atoi(argv[1]));
	if (congestion)
		socket_congestion(listen_fd, congestion);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &ev))
		die("epoll_ctl: %s", strerror(errno));
	for (;;)
		turn(listen_fd);
}
