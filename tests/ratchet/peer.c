#include "peer.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IOVECS 256

void die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("ratchet_load: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

void peer_init(struct peer *p, const char *name, enum h2_role role, int fd)
{
	struct h2_options o = h2_options_default(role);
	memset(p, 0, sizeof(*p));
	p->name = name;
	p->fd = fd;
	p->slabs = slab_pool_create(4);
	p->h2 = p->slabs ? h2_conn_create(role, &o, p->slabs, &p->books) : NULL;
	if (!p->h2)
		die("out of memory");
}

void peer_fini(struct peer *p)
{
	close(p->fd);
	h2_conn_destroy(p->h2);
	slab_pool_destroy(p->slabs);
}

/* ---- what is said ---- */

/* The byte at `offset` of message `number`. */
static uint8_t message_byte(uint64_t number, unsigned offset)
{
	static const uint8_t prefix[5] = {0, 0, 0, 0, PAYLOAD_BYTES};
	if (offset < 5)
		return prefix[offset];
	if (offset < 13)
		return (uint8_t)(number >> 8 * (offset - 5));
	return (uint8_t)(number * 31 + offset);
}

/* Frames now what was pushed, or the engine would merge it with what comes next. */
static void frame_now(struct peer *p)
{
	struct iovec iov[IOVECS];
	h2_conn_output(p->h2, iov, IOVECS);
}

static void push(struct peer *p, unsigned i, struct event ev)
{
	h2_stream_push(p->halves[i].stream, &ev);
	frame_now(p);
}

static struct fields *make_fields(const char *const (*rows)[2], size_t n)
{
	struct fields *f = fields_create();
	for (size_t i = 0; f && i < n; i++) {
		if (fields_add(f, rows[i][0], strlen(rows[i][0]), rows[i][1], strlen(rows[i][1])))
			f = NULL;
	}
	if (!f)
		die("out of memory");
	return f;
}

void peer_ask(struct peer *p, const char *path, uint64_t number)
{
	char id[40];
	snprintf(id, sizeof(id), "%016llx-%016llx", (unsigned long long)number * 0x9e3779b97f4a7c15,
		(unsigned long long)number);
	const char *const rows[][2] = {
		{":method", "POST"},
		{":scheme", "http"},
		{":path", path},
		{":authority", "ratchet.example.com"},
		{"te", "trailers"},
		{"content-type", "application/grpc"},
		{"user-agent", "grpc-c/1.51 (linux; chttp2)"},
		{"grpc-accept-encoding", "identity, deflate, gzip"},
		{"x-request-id", id},
	};
	struct event head = {.kind = EVENT_HEAD, .fields = make_fields(rows, 9)};
	unsigned i = 0;
	while (i < PEER_STREAMS && p->halves[i].stream)
		i++;
	if (i == PEER_STREAMS || h2_conn_open(p->h2, &head, &p->halves[i].stream) != 0)
		die("%s: cannot open a stream", p->name);
	frame_now(p);
}

void peer_answer(struct peer *p, unsigned i)
{
	static const char *const rows[][2] = {
		{":status", "200"},
		{"content-type", "application/grpc"},
		{"grpc-accept-encoding", "identity, deflate, gzip"},
	};
	push(p, i, (struct event){.kind = EVENT_HEAD, .fields = make_fields(rows, 3)});
}

void peer_trailers(struct peer *p, unsigned i)
{
	static const char *const rows[][2] = {{"grpc-status", "0"}, {"grpc-message", ""}};
	push(p, i,
		(struct event){
			.kind = EVENT_TRAILERS, .end = true, .fields = make_fields(rows, 2)});
}

void peer_say(struct peer *p, unsigned i, bool end)
{
	uint8_t bytes[MESSAGE_BYTES]; /* small payloads are copied as they are pushed */
	for (unsigned at = 0; at < MESSAGE_BYTES; at++)
		bytes[at] = message_byte(p->halves[i].said, at);
	p->halves[i].said++;
	push(p, i,
		(struct event){.kind = EVENT_DATA,
			.end = end,
			.data = slice_static(bytes, MESSAGE_BYTES)});
}

void peer_end(struct peer *p, unsigned i)
{
	push(p, i, (struct event){.kind = EVENT_DATA, .end = true});
}

void peer_flush(struct peer *p)
{
	struct iovec iov[IOVECS];
	while (h2_conn_wants_write(p->h2)) {
		struct msghdr msg = {.msg_iov = iov};
		msg.msg_iovlen = (size_t)h2_conn_output(p->h2, iov, IOVECS);
		if (msg.msg_iovlen == 0)
			return;
		ssize_t n = sendmsg(p->fd, &msg, MSG_NOSIGNAL);
		if (n <= 0)
			die("%s: write: %s", p->name, strerror(errno));
		h2_conn_written(p->h2, (size_t)n);
	}
}

/* ---- what is heard ---- */

static struct half *half_of(struct peer *p, struct h2_stream *s)
{
	for (unsigned i = 0; i < PEER_STREAMS; i++) {
		if (p->halves[i].stream == s)
			return &p->halves[i];
	}
	for (unsigned i = 0; i < PEER_STREAMS; i++) {
		if (!p->halves[i].stream) {
			p->halves[i].stream = s;
			return &p->halves[i];
		}
	}
	die("%s: more streams than were opened", p->name);
}

static void check_field(struct peer *p, const struct fields *f, enum token t, const char *want)
{
	if (!field_is(fields_get(f, t), want))
		die("%s: a header section without %s: %s", p->name, token_name(t), want);
}

static void hear(struct peer *p, struct half *h, struct slice data)
{
	for (uint32_t i = 0; i < data.len; i++, h->heard_bytes++) {
		uint64_t number = h->heard_bytes / MESSAGE_BYTES;
		unsigned at = (unsigned)(h->heard_bytes % MESSAGE_BYTES);
		if (data.at[i] != message_byte(number, at))
			die("%s: byte %u of message %llu is wrong", p->name, at,
				(unsigned long long)number);
	}
	/* Nothing is held back: the far side may send as much again. */
	h2_stream_credit(h->stream, data.len);
}

static void on_message(struct peer *p, struct h2_event *ev)
{
	struct half *h = half_of(p, ev->stream);
	if (ev->ev.kind == EVENT_DATA)
		hear(p, h, ev->ev.data);
	else if (ev->ev.kind == EVENT_TRAILERS)
		check_field(p, ev->ev.fields, TOKEN_GRPC_STATUS, "0");
	else
		check_field(p, ev->ev.fields, TOKEN_CONTENT_TYPE, "application/grpc");
	h->ended = ev->ev.end;
	event_drop(&ev->ev);
}

static void on_event(struct peer *p, struct h2_event *ev)
{
	switch (ev->kind) {
	case H2_EV_MESSAGE:
		on_message(p, ev);
		break;
	case H2_EV_CLOSED:
		p->closed++;
		break;
	case H2_EV_PING_ACK:
		p->ping_acks++;
		break;
	case H2_EV_ADMITTED:
	case H2_EV_BLOCKED:
	case H2_EV_SETTINGS:
		break;
	case H2_EV_RESET:
	case H2_EV_GOAWAY:
	case H2_EV_DRAINED:
	case H2_EV_DEAD:
	case H2_EV_REFUSED:
	case H2_EV_TOO_LARGE:
		die("%s: event %d, code %s", p->name, ev->kind, h2_code_name(ev->code));
	}
}

static void poll_events(struct peer *p)
{
	struct h2_event ev;
	while (h2_conn_poll(p->h2, &ev))
		on_event(p, &ev);
}

void peer_read(struct peer *p)
{
	struct slab *slab = slab_get(p->slabs);
	if (!slab)
		die("out of memory");
	ssize_t n = recv(p->fd, slab->bytes, slab->bytes_cap, 0);
	if (n <= 0)
		die("%s: %s", p->name, n < 0 ? strerror(errno) : "closed by weir");
	h2_conn_feed(p->h2, slice_of(slab, slab->bytes, (uint32_t)n), 0);
	poll_events(p);
	h2_conn_settle(p->h2);
	slab_unref(slab);
}

uint64_t peer_heard(const struct peer *p)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < PEER_STREAMS; i++)
		n += p->halves[i].heard_bytes / MESSAGE_BYTES;
	return n;
}

void peer_forget(struct peer *p)
{
	poll_events(p); /* CLOSED follows the write of our own end */
	for (unsigned i = 0; i < PEER_STREAMS; i++) {
		if (p->halves[i].stream)
			h2_stream_release(p->halves[i].stream);
	}
	memset(p->halves, 0, sizeof(p->halves));
}
