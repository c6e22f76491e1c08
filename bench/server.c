/* server.c - the load's server: answers /bench.Bench/Echo message by message, and
 * /bench.Bench/Flood with messages of the request's size without end, until the client ends.
 * Trailers of a flood say how many messages were said and heard, so that the client finds what was
 * lost. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "end.h"
#include "load.h"
#include "socket.h"

static struct end server;
static int listen_fd;

static struct stream *on_stream(struct conn *c, uint32_t id)
{
	struct stream *s = malloc(sizeof(*s));
	if (!s)
		die("out of memory");
	stream_init(s, c, id);
	s->in.learn_base = true;
	return s;
}

static void on_head(struct stream *s, const struct fields *f)
{
	const struct field *path = fields_get(f, TOKEN_PATH);
	s->flood = field_is(path, "/bench.Bench/Flood");
	if (!s->flood && !field_is(path, "/bench.Bench/Echo"))
		die("bench_load server: another :path than was asked for");
	if (!field_is(fields_get(f, TOKEN_CONTENT_TYPE), "application/grpc") ||
		!field_is(fields_get(f, TOKEN_TE), "trailers") ||
		!fields_has(f, TOKEN_GRPC_TIMEOUT))
		die("bench_load server: a request head is not what was sent");
}

static void on_messages(struct stream *s, uint64_t n)
{
	if (s->in.heard == n) { /* the first */
		s->base = s->in.base;
		s->size = s->in.size;
		head_response(s);
	}
	if (!s->flood)
		stream_owe(s, s->in.heard);
	else if (s->owe != OWE_WITHOUT_END)
		stream_owe(s, OWE_WITHOUT_END);
}

static void on_end(struct stream *s, const struct fields *trailers)
{
	if (s->in.heard == 0)
		die("bench_load server: a call without a message");
	stream_finish(s);
}

static void on_finish(struct stream *s)
{
	head_trailers(s, s->flood);
	stream_close(s);
	free(s);
}

static void on_reset(struct stream *s, uint32_t code)
{
	stream_close(s);
	free(s);
}

static void on_closed(struct conn *c)
{
	uint32_t it = 0, id;
	void *s;
	while (idmap_next(&c->streams, &it, &id, &s)) {
		on_reset(s, 0);
		it = 0; /* the table changed */
	}
}

static void on_settings(struct conn *c)
{
}

static const struct end_role role = {
	.stream = on_stream,
	.head = on_head,
	.messages = on_messages,
	.heard_end = on_end,
	.finish = on_finish,
	.reset = on_reset,
	.closed = on_closed,
	.settings = on_settings,
};

static void accept_ready(void)
{
	int fd;
	while ((fd = socket_accept(listen_fd)) >= 0)
		conn_create(&server, fd);
}

int server_main(unsigned port)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	end_init(&server, "server", &role);
	listen_fd = socket_listen(port);
	if (epoll_ctl(server.epoll_fd, EPOLL_CTL_ADD, listen_fd, &ev))
		die("bench_load server: epoll_ctl");
	puts("listening");
	fflush(stdout);
	for (;;)
		end_turn(&server, 0, accept_ready);
}
