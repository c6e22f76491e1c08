/* client.c - the load's client: opens what the work says, keeps it going, measures, and ends every
 * stream in order, so that nothing that was lost on the way goes unseen. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include "end.h"
#include "histogram.h"
#include "load.h"
#include "socket.h"

#define NS_PER_S  1000000000u
#define NS_PER_MS 1000000u

/* OPENING: until every stream was answered once. */
enum phase { OPENING, WARM, MEASURE, HOLDING, STOPPING, DONE };

struct moment {
	uint64_t ns, messages, cpu_ns[WATCH_MAX];
	double own_cpu_s;
};

static const struct load_options *opt;
static struct end client;
static enum phase phase;
static struct stream *streams; /* opt->conns x opt->streams */
static struct conn **conns;
static unsigned total, ready, opened, open_now;
static uint64_t calls; /* ever: gives each its number */
static uint64_t done;  /* messages heard, or calls completed */
static uint64_t phase_end_ns, pace_ns, issued;
static struct stream **idle; /* stack of those without a call: offered rate only */
static unsigned idle_count;
static struct histogram latencies;
static struct moment begin, end;

static bool is_unary(void)
{
	return opt->work == WORK_UNARY || opt->work == WORK_CONNECT || opt->work == WORK_PARKED;
}

static bool is_flood(void)
{
	return opt->work == WORK_SERVER_FLOOD || opt->work == WORK_BIDI_FLOOD;
}

/* ---- moments ---- */

static uint64_t cpu_ns(int pid)
{
	clockid_t clock;
	struct timespec t;
	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		die("bench_load client: process %d: %s", pid, strerror(errno));
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Messages so far. What was said in a flood is counted when it is framed: between two moments of a
 * steady flood that is what was carried. */
static uint64_t messages_now(void)
{
	uint64_t n = done;
	if (opt->work == WORK_BIDI_FLOOD) {
		for (unsigned i = 0; i < total; i++)
			n += streams[i].said;
	}
	return opt->work == WORK_ECHO ? 2 * n : n;
}

static struct moment moment_now(void)
{
	struct moment m = {.messages = messages_now(), .ns = clock_now()};
	for (int i = 0; i < opt->watched; i++)
		m.cpu_ns[i] = cpu_ns(opt->watch[i]);
	m.own_cpu_s = (double)clock() / CLOCKS_PER_SEC;
	return m;
}

/* ---- calls ---- */

static void start_call(struct stream *s, struct conn *c, uint64_t due_ns)
{
	uint64_t number = ++calls;
	if (c->streams.len >= c->peer_streams)
		die("bench_load client: the proxy allows %u streams a connection", c->peer_streams);
	stream_init(s, c, c->next_id);
	c->next_id += 2;
	s->flood = is_flood();
	s->size = opt->size;
	s->base = s->in.base = number << 32;
	s->in.size = opt->size;
	s->due_ns = due_ns;
	s->last = is_unary();
	s->stalled = (unsigned)(s - streams) % (opt->streams ? opt->streams : 1) < opt->stall;
	head_request(s, number);
	stream_owe(s, 1);
	open_now++;
}

static void connect_and_call(struct stream *s, uint64_t due_ns)
{
	start_call(s, conn_create(&client, socket_connect(opt->port, 1)), due_ns);
}

static struct conn *conn_of(const struct stream *s)
{
	return conns[(unsigned)(s - streams) / opt->streams];
}

static void next_call(struct stream *s)
{
	if (phase == STOPPING || opt->work == WORK_PARKED)
		return;
	if (opt->rate)
		idle[idle_count++] = s;
	else if (opt->work == WORK_CONNECT)
		connect_and_call(s, clock_now());
	else
		start_call(s, conn_of(s), clock_now());
}

/* The open loop: what is due is sent, whether answers came or not, and latencies count from when it
 * was due (no coordinated omission). */
static uint64_t due_of(uint64_t n)
{
	return pace_ns + (uint64_t)((double)n * NS_PER_S / (double)opt->rate);
}

static void issue_due(void)
{
	uint64_t now = clock_now();
	if (phase != WARM && phase != MEASURE)
		return;
	while (due_of(issued) <= now) {
		if (opt->work == WORK_ECHO) {
			struct stream *s = &streams[issued % total];
			stream_owe(s, s->owe + 1);
		} else {
			if (idle_count == 0)
				return;
			struct stream *s = idle[--idle_count];
			if (opt->work == WORK_CONNECT)
				connect_and_call(s, due_of(issued));
			else
				start_call(s, conn_of(s), due_of(issued));
		}
		issued++;
	}
}

/* ---- what is heard ---- */

static void on_head(struct stream *s, const struct fields *f)
{
	const struct field *status = fields_get(f, TOKEN_GRPC_STATUS);
	const struct field *message = fields_get(f, TOKEN_GRPC_MESSAGE);
	if (!field_is(fields_get(f, TOKEN_STATUS), "200") ||
		!field_is(fields_get(f, TOKEN_CONTENT_TYPE), "application/grpc"))
		die("bench_load client: a response head is not what was sent");
	if (status)
		die("bench_load client: no messages, grpc-status %.*s: %.*s",
			(int)status->value_len, status->value,
			message ? (int)message->value_len : 0, message ? message->value : "");
}

static void measure_echo(struct stream *s, uint64_t n)
{
	uint64_t now = clock_now();
	if (!opt->rate) {
		histogram_add(&latencies, now - s->due_ns);
		s->due_ns = now;
		return;
	}
	for (uint64_t k = s->in.heard - n; k < s->in.heard; k++) {
		/* Message 0 opened the stream. */
		uint64_t due = k ? due_of((k - 1) * total + (uint64_t)(s - streams)) : now;
		histogram_add(&latencies, now > due ? now - due : 0);
	}
}

static void on_messages(struct stream *s, uint64_t n)
{
	if (!is_unary()) {
		done += n;
		opened += s->in.heard == n;
	}
	if (opt->work == WORK_BIDI_FLOOD && s->owe == 1 && !s->last)
		stream_owe(s, OWE_WITHOUT_END);
	if (opt->work != WORK_ECHO)
		return;
	measure_echo(s, n);
	if (!opt->rate && phase != STOPPING)
		stream_owe(s, s->owe + 1);
}

static void check_end(struct stream *s, const struct fields *trailers)
{
	if (!trailers || !field_is(fields_get(trailers, TOKEN_GRPC_STATUS), "0"))
		die("bench_load client: a call ended without grpc-status 0");
	if (!s->ended)
		die("bench_load client: a call ended before its client did");
	if (s->flood) {
		if (field_number(trailers, "x-bench-said") != s->in.heard ||
			field_number(trailers, "x-bench-heard") != s->said)
			die("bench_load client: messages were lost");
	} else if (s->in.heard != s->said) {
		die("bench_load client: messages were lost");
	}
}

static void on_end(struct stream *s, const struct fields *trailers)
{
	struct conn *c = s->conn;
	check_end(s, trailers);
	stream_close(s);
	open_now--;
	if (!is_unary())
		return;
	done++;
	histogram_add(&latencies, clock_now() - s->due_ns);
	if (opt->work == WORK_CONNECT)
		conn_close(c);
	next_call(s);
}

static void on_finish(struct stream *s)
{
	if (!s->ended)
		stream_end_now(s);
}

static void on_reset(struct stream *s, uint32_t code)
{
	if (code == 0 && s->heard_end) /* RFC 9113 8.1 */
		return;
	die("bench_load client: stream %u was reset with code %u", s->id, code);
}

static void on_closed(struct conn *c)
{
	if (phase != STOPPING || c->streams.len)
		die("bench_load client: the proxy closed a connection with %u streams",
			c->streams.len);
}

static void on_settings(struct conn *c)
{
	ready++;
}

static const struct end_role role = {
	.client = true,
	.head = on_head,
	.messages = on_messages,
	.heard_end = on_end,
	.finish = on_finish,
	.reset = on_reset,
	.closed = on_closed,
	.settings = on_settings,
};

/* ---- phases ---- */

static void open_all(void)
{
	for (unsigned i = 0; i < total; i++) {
		if (opt->rate && is_unary())
			idle[idle_count++] = &streams[i];
		else if (opt->work == WORK_CONNECT)
			connect_and_call(&streams[i], clock_now());
		else
			start_call(&streams[i], conn_of(&streams[i]), clock_now());
	}
}

static void stop(void)
{
	phase = STOPPING;
	for (unsigned i = 0; i < total && !is_unary(); i++) {
		struct stream *s = &streams[i];
		if (!s->conn)
			continue;
		stream_finish(s);
		if (s->stalled) { /* or the server could not end */
			s->stalled = false;
			if (s->in.heard)
				frame_window(s->conn, s->id, END_STREAM_WINDOW);
		}
	}
}

static void begin_work(void)
{
	phase = opt->work >= WORK_IDLE ? HOLDING : WARM;
	if (phase == HOLDING) {
		puts("holding");
		fflush(stdout);
		return;
	}
	pace_ns = clock_now();
	phase_end_ns = pace_ns + (uint64_t)opt->warm_ms * NS_PER_MS;
}

static bool all_open(void)
{
	if (opt->work == WORK_PARKED)
		return open_now == 0;
	return is_unary() || opened == total;
}

static void advance(void)
{
	static bool started;
	if (phase == OPENING && !started && ready >= (opt->work == WORK_CONNECT ? 0 : opt->conns)) {
		started = true;
		begin = moment_now();
		open_all();
	}
	if (phase == OPENING && started && all_open())
		begin_work();
	uint64_t now = clock_now();
	if (opt->messages && phase == WARM && messages_now() >= opt->messages)
		stop();
	if (!opt->messages && phase == WARM && now >= phase_end_ns) {
		begin = moment_now();
		latencies = (struct histogram){0};
		phase = MEASURE;
		phase_end_ns = begin.ns + (uint64_t)opt->run_ms * NS_PER_MS;
	} else if (phase == MEASURE && now >= phase_end_ns) {
		end = moment_now();
		stop();
	}
	if (phase == STOPPING && open_now == 0)
		phase = DONE;
}

static uint64_t next_ns(void)
{
	uint64_t next = opt->messages ? UINT64_MAX : phase_end_ns;
	if (phase != WARM && phase != MEASURE)
		return 0;
	if (opt->rate && due_of(issued) < next && (!is_unary() || idle_count))
		next = due_of(issued);
	return next == UINT64_MAX ? 0 : next;
}

static void stdin_ready(void)
{
	char c[64];
	if (read(0, c, sizeof(c)) >= 0 && phase == HOLDING) {
		epoll_ctl(client.epoll_fd, EPOLL_CTL_DEL, 0, NULL);
		stop();
	}
}

static void report(void)
{
	double seconds = (double)(end.ns - begin.ns) / 1e9, cpu_s = 0;
	for (int i = 0; i < opt->watched; i++)
		cpu_s += (double)(end.cpu_ns[i] - begin.cpu_ns[i]) / 1e9;
	printf("{\"work\": \"%s\", \"messages\": %" PRIu64 ", \"seconds\": %.6f, \"cpu_s\": %.9f, "
	       "\"client_cpu_s\": %.6f, \"in_all\": %" PRIu64 ", \"latency_us\": {",
		opt->work_name, end.messages - begin.messages, seconds, cpu_s,
		end.own_cpu_s - begin.own_cpu_s, messages_now());
	static const double at[] = {50, 90, 99, 99.9};
	for (unsigned i = 0; i < 4 && latencies.count; i++)
		printf("\"p%g\": %.1f, ", at[i], (double)histogram_ns(&latencies, at[i]) / 1e3);
	if (latencies.count)
		printf("\"max\": %.1f", (double)latencies.max_ns / 1e3);
	puts("}}");
}

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);
	if (!p)
		die("out of memory");
	return p;
}

int client_main(const struct load_options *o)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	opt = o;
	total = o->conns * o->streams;
	streams = zeroed(total, sizeof(*streams));
	conns = zeroed(o->conns, sizeof(struct conn *));
	idle = zeroed(total, sizeof(struct stream *));
	prctl(PR_SET_TIMERSLACK, 1);
	end_init(&client, "client", &role);
	for (unsigned i = 0; i < o->conns && o->work != WORK_CONNECT; i++)
		conns[i] = conn_create(&client, socket_connect(o->port, 0));
	if (o->work >= WORK_IDLE && epoll_ctl(client.epoll_fd, EPOLL_CTL_ADD, 0, &ev))
		die("bench_load client: idle needs a pipe or a terminal on stdin");
	if (o->work < WORK_IDLE)
		alarm(o->patience_s); /* SIGALRM ends it */
	for (advance(); phase != DONE; advance()) {
		if (o->rate)
			issue_due();
		end_flush(&client);
		end_turn(&client, next_ns(), stdin_ready);
	}
	if (end.ns == 0)
		end = moment_now();
	report();
	return 0;
}
