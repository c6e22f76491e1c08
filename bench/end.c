#include "end.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "socket.h"

#define READ_BYTES  (1u << 20)
#define FRAME_HEAD  9u
#define FRAME_MAX   16384u
#define EVENTS      256
#define HEADER_LIST 65536u

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8, HAS_PRIORITY = 32 };

struct frame {
	uint32_t len, id;
	uint8_t type, flags;
	const uint8_t *at;
};

static uint8_t input[FRAME_HEAD + FRAME_MAX + READ_BYTES];

uint64_t clock_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static _Noreturn void fault(const struct conn *c, const char *what, uint32_t id)
{
	die("bench_load %s: stream %u: %s", c->end->name, id, what);
}

/* ---- streams ---- */

void stream_init(struct stream *s, struct conn *c, uint32_t id)
{
	*s = (struct stream){.conn = c, .id = id, .window = c->peer_window};
	list_init(&s->sending);
	if (idmap_put(&c->streams, id, s))
		die("out of memory");
}

void stream_close(struct stream *s)
{
	if (!s->conn)
		return;
	list_remove(&s->sending);
	idmap_remove(&s->conn->streams, s->id);
	s->conn = NULL;
}

static void stream_send(struct stream *s)
{
	if (list_empty(&s->sending))
		list_push_back(&s->conn->sending, &s->sending);
	conn_touch(s->conn);
}

void stream_owe(struct stream *s, uint64_t owe)
{
	s->owe = owe;
	stream_send(s);
}

void stream_finish(struct stream *s)
{
	s->last = true;
	/* A flood ends behind the message that it is in. */
	if (s->owe == OWE_WITHOUT_END)
		s->owe = s->said + (s->at > 0);
	stream_send(s);
}

void stream_end_now(struct stream *s)
{
	s->ended = true;
	frame_put(s->conn, 0, DATA, END_STREAM, s->id);
}

void stream_reset(struct stream *s, uint32_t code)
{
	struct conn *c = s->conn;
	frame_put(c, 4, RST_STREAM, 0, s->id);
	for (unsigned i = 0; i < 4; i++)
		c->out.at[c->out.end++] = (uint8_t)(code >> (24 - 8 * i));
}

/* ---- frames that arrive ---- */

static struct stream *stream_find(struct conn *c, uint32_t id)
{
	return idmap_get(&c->streams, id);
}

/* Without padding and priority. */
static void unpad(const struct conn *c, struct frame *f)
{
	uint32_t pad = 0, skip = 0;
	if (f->flags & PADDED) {
		pad = f->len ? f->at[0] : 0;
		skip = 1;
	}
	if (f->type == HEADERS && (f->flags & HAS_PRIORITY))
		skip += 5;
	if (skip + pad > f->len)
		fault(c, "padding longer than its frame", f->id);
	f->at += skip;
	f->len -= skip + pad;
}

static void credit(struct conn *c, struct stream *s, uint32_t bytes)
{
	c->uncredited += bytes;
	if (c->uncredited >= END_CONN_WINDOW / 2) {
		frame_window(c, 0, c->uncredited);
		c->uncredited = 0;
	}
	if (!s || s->stalled || s->heard_end)
		return;
	s->uncredited += bytes;
	if (s->uncredited >= END_STREAM_WINDOW / 2) {
		frame_window(c, s->id, s->uncredited);
		s->uncredited = 0;
	}
}

static void on_data(struct conn *c, struct frame *f)
{
	struct stream *s = stream_find(c, f->id);
	uint32_t whole = f->len;
	unpad(c, f);
	if (s) {
		uint64_t heard = s->in.heard;
		s->heard_end = f->flags & END_STREAM;
		if (!s->heard_head)
			fault(c, "DATA before HEADERS", f->id);
		if (!message_check(&s->in, f->at, f->len))
			fault(c, "a message is not what was sent", f->id);
		if (s->heard_end && s->in.at)
			fault(c, "the stream ends within a message", f->id);
		credit(c, s, whole);
		if (s->in.heard > heard)
			c->end->role->messages(s, s->in.heard - heard);
		if (f->flags & END_STREAM && s->conn)
			c->end->role->heard_end(s, NULL);
	} else {
		credit(c, NULL, whole);
	}
}

static void on_headers(struct conn *c, struct frame *f)
{
	const struct end_role *role = c->end->role;
	struct stream *s = stream_find(c, f->id);
	struct fields *fields = fields_create();
	bool overflow = false;
	if (!(f->flags & END_HEADERS))
		fault(c, "CONTINUATION is not expected", f->id);
	unpad(c, f);
	if (!fields || hpack_decode(c->decoder, f->at, f->len, HEADER_LIST, fields, &overflow) ||
		overflow)
		fault(c, "a header block cannot be decoded", f->id);
	if (!s && !role->client)
		s = role->stream(c, f->id);
	if (s) {
		bool head = !s->heard_head, end = f->flags & END_STREAM;
		s->heard_head = true;
		s->heard_end = end;
		if (end && s->in.at)
			fault(c, "the stream ends within a message", f->id);
		if (head)
			role->head(s, fields);
		if (end && s->conn)
			role->heard_end(s, fields);
		else if (!head)
			fault(c, "trailers without END_STREAM", f->id);
	}
	fields_destroy(fields);
}

static void on_window(struct conn *c, const struct frame *f)
{
	uint32_t bytes = get_u32(f->at) & 0x7fffffff;
	if (f->id == 0) {
		c->window += bytes;
		conn_touch(c);
		return;
	}
	struct stream *s = stream_find(c, f->id);
	if (!s)
		return;
	s->window += bytes;
	if (s->said < s->owe || s->last)
		stream_send(s);
}

static void new_peer_window(struct conn *c, uint32_t bytes)
{
	uint32_t it = 0, id;
	void *value;
	int64_t delta = (int64_t)bytes - c->peer_window;
	c->peer_window = bytes;
	while (idmap_next(&c->streams, &it, &id, &value)) {
		struct stream *s = value;
		s->window += delta;
		if (s->said < s->owe)
			stream_send(s);
	}
}

static void on_settings(struct conn *c, const struct frame *f)
{
	if (f->flags & ACK)
		return;
	for (uint32_t at = 0; at + 6 <= f->len; at += 6) {
		unsigned id = (unsigned)f->at[at] << 8 | f->at[at + 1];
		uint32_t value = get_u32(f->at + at + 2);
		if (id == 1 && value < HPACK_DEFAULT_TABLE_BYTES)
			c->no_table = c->say_no_table = true;
		if (id == 3)
			c->peer_streams = value;
		if (id == 4)
			new_peer_window(c, value);
	}
	frame_put(c, 0, SETTINGS, ACK, 0);
	if (!c->peer_settings) {
		c->peer_settings = true;
		c->end->role->settings(c);
	}
}

static void on_ping(struct conn *c, const struct frame *f)
{
	if (f->flags & ACK)
		return;
	frame_put(c, 8, PING, ACK, 0);
	memcpy(c->out.at + c->out.end, f->at, 8);
	c->out.end += 8;
}

static void on_frame(struct conn *c, struct frame *f)
{
	struct stream *s;
	static const uint8_t fixed[] = {
		[RST_STREAM] = 4, [PING] = 8, [GOAWAY] = 8, [WINDOW_UPDATE] = 4};
	if (f->type < sizeof(fixed) && f->len < fixed[f->type])
		fault(c, "a frame is too short", f->id);
	switch (f->type) {
	case DATA:
		on_data(c, f);
		break;
	case HEADERS:
		on_headers(c, f);
		break;
	case RST_STREAM:
		s = stream_find(c, f->id);
		if (s)
			c->end->role->reset(s, get_u32(f->at));
		break;
	case SETTINGS:
		on_settings(c, f);
		break;
	case PING:
		on_ping(c, f);
		break;
	case GOAWAY:
		c->eof = true;
		if (c->streams.len && c->end->role->client && get_u32(f->at + 4))
			die("bench_load %s: GOAWAY, code %u", c->end->name, get_u32(f->at + 4));
		break;
	case WINDOW_UPDATE:
		on_window(c, f);
		break;
	case PRIORITY:
		break;
	case PUSH_PROMISE:
		fault(c, "PUSH_PROMISE", f->id);
	default: /* extensions (RFC 9113 4.1) */
		break;
	}
}

/* ---- bytes ---- */

static uint32_t parse(struct conn *c, const uint8_t *at, uint32_t len)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	uint32_t done = 0;
	if (!c->end->role->client && !c->peer_settings && len >= 24 && !memcmp(at, preface, 24))
		done = 24;
	else if (!c->end->role->client && !c->peer_settings && len < 24)
		return 0;
	while (len - done >= FRAME_HEAD && !c->dead) {
		const uint8_t *p = at + done;
		struct frame f = {.len = get_u32(p) >> 8,
			.type = p[3],
			.flags = p[4],
			.id = get_u32(p + 5) & 0x7fffffff,
			.at = p + FRAME_HEAD};
		if (f.len > FRAME_MAX)
			fault(c, "a frame above 16384 bytes", f.id);
		if (len - done < FRAME_HEAD + f.len)
			break;
		done += FRAME_HEAD + f.len;
		on_frame(c, &f);
	}
	return done;
}

static void gone(struct conn *c)
{
	c->end->role->closed(c);
	conn_close(c);
}

/* One read, and all that follows from it; whether there may be more. */
static bool read_once(struct conn *c)
{
	uint32_t kept = c->in.end;
	if (kept)
		memcpy(input, c->in.at, kept);
	ssize_t n = recv(c->fd, input + kept, READ_BYTES, 0);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		gone(c);
		return false;
	}
	uint32_t len = kept + (uint32_t)n, done = parse(c, input, len);
	if (c->dead)
		return false;
	c->in.begin = c->in.end = 0;
	if (done < len) {
		memcpy(bytes_room(&c->in, len - done), input + done, len - done);
		c->in.end = len - done;
	}
	return n == READ_BYTES;
}

static void write_conn(struct conn *c)
{
	pump(c);
	uint32_t len = c->out.end - c->out.begin;
	if (len == 0 || c->dead)
		return;
	ssize_t n = send(c->fd, c->out.at + c->out.begin, len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN) {
		gone(c);
		return;
	}
	if (n > 0)
		c->out.begin += (uint32_t)n;
	c->blocked = c->out.begin < c->out.end;
	if (!c->blocked && !list_empty(&c->sending) && c->window > 0)
		conn_touch(c);
}

void end_flush(struct end *e)
{
	struct list now;
	list_init(&now);
	list_splice_back(&now, &e->dirty);
	for (struct list *node; (node = list_pop_front(&now));) {
		struct conn *c = CONTAINER_OF(node, struct conn, dirty);
		if (!c->blocked)
			write_conn(c);
	}
	for (struct conn *c; (c = e->dead);) {
		e->dead = c->next_dead;
		idmap_fini(&c->streams);
		hpack_decoder_destroy(c->decoder);
		free(c->in.at);
		free(c->out.at);
		free(c);
	}
}

/* ---- connections and turns ---- */

void end_init(struct end *e, const char *name, const struct end_role *role)
{
	*e = (struct end){.role = role, .name = name, .now_ns = clock_now()};
	list_init(&e->conns);
	list_init(&e->dirty);
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	message_init();
}

struct conn *conn_create(struct end *e, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
	if (!c || !(c->decoder = hpack_decoder_create(HPACK_DEFAULT_TABLE_BYTES)))
		die("out of memory");
	c->end = e;
	c->fd = fd;
	c->window = c->peer_window = 65535;
	c->peer_streams = UINT32_MAX;
	c->next_id = 1;
	c->blocked = true; /* until it is connected */
	list_init(&c->dirty);
	list_init(&c->sending);
	idmap_init(&c->streams);
	list_push_back(&e->conns, &c->node);
	if (epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, fd, &ev))
		die("epoll_ctl: %s", strerror(errno));
	frame_hello(c);
	return c;
}

void conn_close(struct conn *c)
{
	if (c->dead)
		return;
	c->dead = true;
	close(c->fd);
	list_remove(&c->node);
	list_remove(&c->dirty);
	c->next_dead = c->end->dead;
	c->end->dead = c;
}

static void ready(struct conn *c, uint32_t events)
{
	if (events & EPOLLOUT && c->blocked) {
		c->blocked = false;
		conn_touch(c);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		while (!c->dead && read_once(c)) {
		}
	}
}

void end_turn(struct end *e, uint64_t until_ns, void (*accept_ready)(void))
{
	static struct epoll_event events[EVENTS];
	struct timespec wait = {0};
	uint64_t now = until_ns ? clock_now() : 0;
	if (list_empty(&e->dirty) && until_ns > now)
		wait = (struct timespec){(time_t)((until_ns - now) / 1000000000u),
			(long)((until_ns - now) % 1000000000u)};
	int n = epoll_pwait2(e->epoll_fd, events, EVENTS,
		list_empty(&e->dirty) && !until_ns ? NULL : &wait, NULL);
	e->now_ns = clock_now();
	for (int i = 0; i < n; i++) {
		struct conn *c = events[i].data.ptr;
		if (!c)
			accept_ready();
		else if (!c->dead)
			ready(c, events[i].events);
	}
	end_flush(e);
}
