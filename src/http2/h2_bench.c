/* h2_bench.c - what one hop costs: instructions by callgrind, not a test.
 *
 *   h2_bench            runs every shape under callgrind and prints instructions a round
 *   h2_bench SHAPE N    one shape, N rounds (what the above runs; callgrind collects the hop only)
 *
 *   client ---> [ server engine | client engine ] ---> server       the hop is what is in brackets:
 *          <---       in        |      out         <---             rx of one, tx of the other
 *
 * Shapes: unary (a round is a call with 128 B each way), flood (a round is a DATA frame of 128 B,
 * 512 a read), ping_pong (a round is 128 B there and 128 B back, on one stream). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "http2/conn.h"

#define MESSAGE_BYTES 128u
#define FLOOD_BATCH   512u

static struct slab_pool *pool;
static struct h2_books books;
static struct h2_conn *client, *in, *out, *server; /* in and out are the hop */

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "h2_bench: %s\n", what);
		exit(1);
	}
}

/* The relay pairs streams by their user pointers. */
static void relay_head(struct h2_conn *from, struct h2_event *ev)
{
	struct h2_stream *far;
	if (from == in) {
		must(h2_conn_open(out, &ev->ev, &far) == 0, "open");
		h2_stream_set_user(far, ev->stream);
		h2_stream_set_user(ev->stream, far);
		return;
	}
	h2_stream_push(h2_stream_user(ev->stream), &ev->ev);
}

static void relay(struct h2_conn *from)
{
	struct h2_event ev;
	while (h2_conn_poll(from, &ev)) {
		switch (ev.kind) {
		case H2_EV_MESSAGE:
			if (ev.ev.kind == EVENT_HEAD)
				relay_head(from, &ev);
			else
				h2_stream_push(h2_stream_user(ev.stream), &ev.ev);
			break;
		case H2_EV_ADMITTED:
			h2_stream_credit(h2_stream_user(ev.stream), ev.bytes);
			break;
		case H2_EV_CLOSED:
			h2_stream_release(ev.stream);
			break;
		case H2_EV_SETTINGS:
		case H2_EV_BLOCKED:
			break;
		case H2_EV_RESET:
		case H2_EV_GOAWAY:
		case H2_EV_PING_ACK:
		case H2_EV_DRAINED:
		case H2_EV_DEAD:
		case H2_EV_REFUSED:
		case H2_EV_TOO_LARGE:
			must(false, "the hop was disturbed");
		}
	}
}

/* What callgrind counts (--toggle-collect): the hop's share of a turn. */
__attribute__((noinline)) static void hop_read(struct h2_conn *c, struct slice s)
{
	h2_conn_feed(c, s, 0);
	relay(c);
}

__attribute__((noinline)) static int hop_output(struct h2_conn *c, struct iovec *iov, int max)
{
	return h2_conn_wants_write(c) ? h2_conn_output(c, iov, max) : 0;
}

__attribute__((noinline)) static void hop_written(struct h2_conn *c, size_t bytes)
{
	h2_conn_written(c, bytes);
	relay(c); /* ADMITTED, CLOSED */
}

static unsigned heads, ends;
static uint64_t content;
static struct h2_stream *newest;

/* The ends only look and credit. */
static void look(struct h2_conn *c)
{
	struct h2_event ev;
	while (h2_conn_poll(c, &ev)) {
		if (ev.kind == H2_EV_MESSAGE) {
			heads += ev.ev.kind == EVENT_HEAD;
			ends += ev.ev.end;
			content += ev.ev.data.len;
			newest = ev.stream;
			if (ev.ev.data.len)
				h2_stream_credit(ev.stream, ev.ev.data.len);
			event_drop(&ev.ev);
		} else if (ev.kind == H2_EV_CLOSED) {
			h2_stream_release(ev.stream);
		}
		must(ev.kind != H2_EV_DEAD && ev.kind != H2_EV_RESET, "an end was disturbed");
	}
}

/* What an end writes, as one read. */
static struct slice drain(struct h2_conn *c)
{
	struct slab *slab = slab_get(pool);
	must(slab != NULL, "slab");
	uint32_t len = 0;
	struct iovec iov[64];
	while (h2_conn_wants_write(c)) {
		int n = h2_conn_output(c, iov, 64);
		size_t sum = 0;
		for (int i = 0; i < n; i++) {
			must(len + iov[i].iov_len <= slab->bytes_cap, "batch");
			memcpy(slab->bytes + len, iov[i].iov_base, iov[i].iov_len);
			len += (uint32_t)iov[i].iov_len;
			sum += iov[i].iov_len;
		}
		if (sum == 0)
			break;
		h2_conn_written(c, sum);
	}
	return (struct slice){slab, slab->bytes, len};
}

/* One read of `to`; the hop's reads are what callgrind sees. */
static bool give(struct h2_conn *to, struct slice s, bool hop)
{
	bool any = s.len > 0;
	if (!any) {
		slice_drop(&s);
		return false;
	}
	if (hop) {
		hop_read(to, s);
	} else {
		h2_conn_feed(to, s, 0);
		look(to);
	}
	return any;
}

/* What a hop's engine writes: framing counts, the copy that stands for the socket does not. */
static struct slice drain_hop(struct h2_conn *c)
{
	struct slab *slab = slab_get(pool);
	must(slab != NULL, "slab");
	uint32_t len = 0;
	struct iovec iov[64];
	for (;;) {
		int n = hop_output(c, iov, 64);
		size_t sum = 0;
		for (int i = 0; i < n; i++) {
			must(len + iov[i].iov_len <= slab->bytes_cap, "batch");
			memcpy(slab->bytes + len, iov[i].iov_base, iov[i].iov_len);
			len += (uint32_t)iov[i].iov_len;
			sum += iov[i].iov_len;
		}
		if (sum == 0)
			break;
		hop_written(c, sum);
	}
	return (struct slice){slab, slab->bytes, len};
}

/* Carries bytes until all four are quiet. */
static void run(void)
{
	bool more = true;
	while (more) {
		more = give(in, drain(client), true);
		more = give(server, drain_hop(out), false) || more;
		more = give(out, drain(server), true) || more;
		more = give(client, drain_hop(in), false) || more;
	}
}

static void add(struct fields *f, const char *name, const char *value)
{
	must(f && !fields_add(f, name, strlen(name), value, strlen(value)), "fields");
}

static struct h2_stream *start_call(void)
{
	static unsigned round;
	char timeout[16], request_id[40];
	snprintf(timeout, sizeof(timeout), "%uu", 29999000 + round % 1000);
	snprintf(request_id, sizeof(request_id), "7f3a%08x-11d2-4c5e-9a77", round++ * 2654435761u);
	struct fields *f = fields_create();
	add(f, ":method", "POST");
	add(f, ":scheme", "http");
	add(f, ":path", "/chat.Chat/Subscribe");
	add(f, ":authority", "chat.example.com:8080");
	add(f, "te", "trailers");
	add(f, "content-type", "application/grpc");
	add(f, "user-agent", "grpc-c++/1.51.1 grpc-c/29.0.0 (linux; chttp2)");
	add(f, "grpc-accept-encoding", "identity, deflate, gzip");
	add(f, "grpc-timeout", timeout);
	add(f, "x-request-id", request_id);
	struct event head = {.kind = EVENT_HEAD, .fields = f};
	struct h2_stream *s;
	must(h2_conn_open(client, &head, &s) == 0, "open");
	return s;
}

static void send_data(struct h2_stream *s, bool end)
{
	static uint8_t bytes[MESSAGE_BYTES];
	struct event ev = {
		.kind = EVENT_DATA, .end = end, .data = slice_static(bytes, MESSAGE_BYTES)};
	h2_stream_push(s, &ev);
}

static void send_head(struct h2_stream *s)
{
	struct event ev = {.kind = EVENT_HEAD, .fields = fields_create()};
	add(ev.fields, ":status", "200");
	add(ev.fields, "content-type", "application/grpc");
	add(ev.fields, "grpc-accept-encoding", "identity, deflate, gzip");
	h2_stream_push(s, &ev);
}

static void unary(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		send_data(start_call(), true);
		run();
		send_head(newest);
		send_data(newest, false);
		struct event ev = {.kind = EVENT_TRAILERS, .end = true, .fields = fields_create()};
		add(ev.fields, "grpc-status", "0");
		h2_stream_push(newest, &ev);
		run();
	}
	must(heads == 2 * rounds && ends == 2 * rounds, "calls were lost");
}

static void ping_pong(unsigned rounds)
{
	struct h2_stream *s = start_call();
	run();
	struct h2_stream *t = newest;
	send_head(t);
	run();
	for (unsigned i = 0; i < rounds; i++) {
		send_data(s, false);
		run();
		send_data(t, false);
		run();
	}
	must(content == 2ull * rounds * MESSAGE_BYTES, "messages were lost");
}

/* DATA frames of 128 B by hand: our own tx would merge them. */
static void flood(unsigned rounds)
{
	struct h2_stream *s = start_call();
	run();
	uint32_t id = h2_stream_id(s);
	const uint8_t head[9] = {0, 0, MESSAGE_BYTES, 0, 0, 0, 0, 0, (uint8_t)id};
	for (unsigned sent = 0; sent < rounds;) {
		struct slab *slab = slab_get(pool);
		must(slab != NULL, "slab");
		uint32_t at = 0;
		for (unsigned i = 0; i < FLOOD_BATCH && sent < rounds; i++, sent++) {
			memcpy(slab->bytes + at, head, sizeof(head));
			memset(slab->bytes + at + sizeof(head), 'x', MESSAGE_BYTES);
			at += (uint32_t)sizeof(head) + MESSAGE_BYTES;
		}
		give(in, (struct slice){slab, slab->bytes, at}, true);
		run();
	}
	must(content == (uint64_t)rounds * MESSAGE_BYTES, "messages were lost");
}

static const struct shape {
	const char *name;
	void (*run)(unsigned rounds);
	unsigned few, many; /* rounds: the difference is what counts */
} shapes[] = {
	{"unary", unary, 200, 1200},
	{"flood", flood, 5120, 51200},
	{"ping_pong", ping_pong, 200, 2200},
};

static unsigned long long collected(const char *self, const char *shape, unsigned rounds)
{
	char command[512], line[256];
	unsigned long long sum = 0;
	snprintf(command, sizeof(command),
		"valgrind --tool=callgrind --callgrind-out-file=/dev/null "
		"--toggle-collect='hop_*' %s %s %u 2>&1",
		self, shape, rounds);
	FILE *f = popen(command, "r");
	must(f != NULL, "valgrind");
	while (fgets(line, sizeof(line), f)) {
		const char *p = strstr(line, "Collected : ");
		if (p)
			sum = strtoull(p + 12, NULL, 10);
	}
	must(pclose(f) == 0 && sum, "callgrind failed");
	return sum;
}

static int one(const char *shape, unsigned rounds)
{
	struct h2_options co = h2_options_default(H2_CLIENT), so = h2_options_default(H2_SERVER);
	co.control_frames_per_s = so.control_frames_per_s = 0; /* time stands still here */
	co.conn_window_bytes = so.conn_window_bytes = 1 << 30;
	pool = slab_pool_create(16);
	client = h2_conn_create(H2_CLIENT, &co, pool, &books);
	in = h2_conn_create(H2_SERVER, &so, pool, &books);
	out = h2_conn_create(H2_CLIENT, &co, pool, &books);
	server = h2_conn_create(H2_SERVER, &so, pool, &books);
	must(client && in && out && server, "create");
	run();
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (!strcmp(shape, shapes[i].name))
			shapes[i].run(rounds);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return one(argv[1], (unsigned)strtoul(argv[2], NULL, 10));
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];
		unsigned long long few = collected(argv[0], s->name, s->few);
		unsigned long long many = collected(argv[0], s->name, s->many);
		printf("%-10s %8.1f instructions a round\n", s->name,
			(double)(many - few) / (double)(s->many - s->few));
	}
	return 0;
}
