/* crowd_test.c - what smaller windows of crowded connections do to uploads, near and far.
 *
 *    clients (engines) ==== delay, bandwidth ==== sockets -> one worker: turns, shares of a turn
 *
 * The worker's turns, its reads and what it finds out about crowds are as in h2io.c; what it reads
 * it has forwarded by the end of the turn, and each byte takes it so long. Time is the test's own:
 * a run is its parameters. */
#include "base/clock.h"
#include "proxy/h2io.h"
#include "proxy/worker.h"
#include "tap.h"

enum { CONNS = 8, STREAMS = 16, MARKS = 8192, PIECE = 10007 };
enum { BYTE_NS = 5, TURN_NS = 20000 }; /* the worker does 200 MB/s */
#define WINDOW  262144ull
#define NEAR_NS (20 * 1000ull)   /* one way */
#define FAR_NS  (30 * NS_PER_MS) /* one way: 60 ms there and back */

/* One direction of a connection: bytes, and when they come. */
struct wire {
	uint8_t *bytes;
	size_t at, len, cap;
	struct mark {
		uint64_t when_ns;
		size_t to; /* of all bytes ever */
	} marks[MARKS];
	uint32_t first, count;
	size_t sent, taken; /* bytes ever */
	uint64_t free_ns;   /* when the line has sent what it was given */
};

struct upload {
	struct h2_conn *client;
	struct h2io io; /* the worker's end */
	struct h2_books books;
	struct wire up, down;
	uint64_t way_ns;
	struct h2_stream *out[STREAMS];
	uint64_t said[STREAMS], left[STREAMS], got[STREAMS];
	int streams;
};

static struct sim {
	struct worker w;
	struct slab_pool *slabs;
	struct upload ups[CONNS];
	int count;
	uint64_t now_ns;
	uint32_t least_window; /* crowded_window_bytes; 0: the default */
} sim;

/* ---- wires ---- */

static void wire_put(struct wire *x, const void *bytes, size_t len, uint64_t now_ns, uint64_t way)
{
	if (x->len + len > x->cap) {
		if (x->at)
			memmove(x->bytes, x->bytes + x->at, x->len - x->at);
		x->len -= x->at;
		x->at = 0;
		x->cap = (x->len + len) * 2;
		x->bytes = realloc(x->bytes, x->cap);
	}
	memcpy(x->bytes + x->len, bytes, len);
	x->len += len;
	x->sent += len;
	x->free_ns = (x->free_ns > now_ns ? x->free_ns : now_ns) + len;
	if (x->count == MARKS)
		abort();
	x->marks[(x->first + x->count++) % MARKS] = (struct mark){x->free_ns + way, x->sent};
}

/* Bytes that have come by now, all at once or those of the first mark alone. */
static size_t wire_here(struct wire *x, uint64_t now_ns, bool one, uint64_t *when_ns)
{
	while (x->count && x->marks[x->first].when_ns <= now_ns) {
		*when_ns = x->marks[x->first].when_ns;
		x->taken = x->marks[x->first].to;
		x->first = (x->first + 1) % MARKS;
		x->count--;
		if (one)
			break;
	}
	return x->taken - (x->sent - (x->len - x->at));
}

static struct slice wire_take(struct wire *x, size_t len)
{
	struct slice in = slice_copy(x->bytes + x->at, (uint32_t)len);
	x->at += len;
	return in;
}

/* ---- the clients ---- */

static void client_say(struct upload *u, uint64_t now_ns)
{
	static const uint8_t zeros[PIECE];
	struct iovec iov[64];
	struct h2_event ev;
	for (;;) {
		for (int i = 0; i < u->streams; i++)
			while (u->said[i] - u->left[i] < 2 * WINDOW) {
				struct event data = {
					.kind = EVENT_DATA, .data = slice_static(zeros, PIECE)};
				h2_stream_push(u->out[i], &data);
				u->said[i] += PIECE;
			}
		int n = h2_conn_output(u->client, iov, 64);
		size_t sum = 0;
		for (int i = 0; i < n; i++) {
			wire_put(&u->up, iov[i].iov_base, iov[i].iov_len, now_ns, u->way_ns);
			sum += iov[i].iov_len;
		}
		if (!sum)
			return;
		h2_conn_written(u->client, sum);
		while (h2_conn_poll(u->client, &ev))
			if (ev.kind == H2_EV_ADMITTED)
				u->left[(h2_stream_id(ev.stream) - 1) / 2] += ev.bytes;
	}
}

/* Each client hears and answers when its bytes come, between the worker's turns. */
static void client_hear(struct upload *u)
{
	uint64_t when = 0;
	struct h2_event ev;
	for (size_t n; (n = wire_here(&u->down, sim.now_ns, true, &when)) > 0;) {
		h2_conn_feed(u->client, wire_take(&u->down, n), when);
		while (h2_conn_poll(u->client, &ev))
			CHECK(ev.kind != H2_EV_DEAD && ev.kind != H2_EV_RESET);
		client_say(u, when);
	}
}

/* ---- the worker ---- */

static void worker_hear(struct upload *u, struct slice in)
{
	struct h2_event ev;
	h2_conn_feed(u->io.h2, in, sim.now_ns);
	while (h2_conn_poll(u->io.h2, &ev)) {
		CHECK(ev.kind != H2_EV_DEAD && ev.kind != H2_EV_RESET);
		if (ev.kind != H2_EV_MESSAGE)
			continue;
		uint32_t len = ev.ev.data.len;
		if (ev.ev.kind == EVENT_DATA) {
			u->got[(h2_stream_id(ev.stream) - 1) / 2] += len;
			h2_stream_credit(ev.stream, len);
		}
		event_drop(&ev.ev);
	}
}

static void worker_read(struct upload *u)
{
	struct worker *w = &sim.w;
	uint64_t when;
	uint32_t before = w->read_left;
	u->io.path_asked_ns = sim.now_ns; /* the kernel has no such connection */
	size_t here = wire_here(&u->up, sim.now_ns, false, &when);
	while (here && w->read_left && before - w->read_left < WORKER_CONN_READ_BYTES) {
		uint32_t n = here < SLAB_BYTES ? (uint32_t)here : SLAB_BYTES;
		worker_hear(u, wire_take(&u->up, n));
		here -= n;
		w->read_left -= n < w->read_left ? n : w->read_left;
		h2io_note_crowd(&u->io, before - w->read_left);
	}
	h2_conn_settle(u->io.h2);
}

static void worker_write(struct upload *u)
{
	struct iovec iov[64];
	struct h2_event ev;
	for (int n; (n = h2_conn_output(u->io.h2, iov, 64)) > 0;) {
		size_t sum = 0;
		for (int i = 0; i < n; i++) {
			wire_put(&u->down, iov[i].iov_base, iov[i].iov_len, sim.now_ns, u->way_ns);
			sum += iov[i].iov_len;
		}
		h2_conn_written(u->io.h2, sum);
		while (h2_conn_poll(u->io.h2, &ev))
			;
	}
}

static void turn(uint64_t number)
{
	struct worker *w = &sim.w;
	w->loop.now_ns = sim.now_ns;
	w->read_before = WORKER_TURN_READ_BYTES - w->read_left;
	w->read_left = WORKER_TURN_READ_BYTES;
	for (int i = 0; i < sim.count; i++)
		worker_read(&sim.ups[(i + number) % (unsigned)sim.count]);
	sim.now_ns += TURN_NS + (uint64_t)(WORKER_TURN_READ_BYTES - w->read_left) * BYTE_NS;
	for (int i = 0; i < sim.count; i++)
		worker_write(&sim.ups[i]);
	h2io_crowds_over(w);
	for (int i = 0; i < sim.count; i++)
		client_hear(&sim.ups[i]);
}

/* How many turns that had something to read. */
static uint64_t run(uint64_t ns)
{
	uint64_t end = sim.now_ns + ns, turns = 1;
	for (uint64_t i = 0; sim.now_ns < end; i++) {
		turn(i);
		turns += sim.w.read_left < WORKER_TURN_READ_BYTES;
	}
	return turns;
}

/* ---- runs ---- */

static struct h2_stream *open_stream(struct h2_conn *c)
{
	struct h2_stream *s = NULL;
	struct event head = {.kind = EVENT_HEAD, .fields = fields_create()};
	CHECK(!fields_add_str(head.fields, TOKEN_METHOD, "POST") &&
		!fields_add_str(head.fields, TOKEN_SCHEME, "http") &&
		!fields_add_str(head.fields, TOKEN_PATH, "/upload"));
	CHECK_EQ(h2_conn_open(c, &head, &s), 0);
	return s;
}

static void begin(void)
{
	memset(&sim, 0, sizeof(sim));
	sim.slabs = slab_pool_create(4);
	sim.now_ns = 1000 * NS_PER_SEC;
	sim.w.read_left = WORKER_TURN_READ_BYTES;
}

static struct upload *add(uint64_t way_ns, int streams)
{
	struct upload *u = &sim.ups[sim.count++];
	struct h2_options client = h2_options_default(H2_CLIENT);
	struct h2_options server = h2_options_default(H2_SERVER);
	if (sim.least_window)
		server.crowded_window_bytes = sim.least_window;
	u->client = h2_conn_create(H2_CLIENT, &client, sim.slabs, &u->books);
	u->io.h2 = h2_conn_create(H2_SERVER, &server, sim.slabs, &u->books);
	u->io.worker = &sim.w;
	u->way_ns = way_ns;
	u->io.path_ns = 2 * way_ns;
	u->streams = streams;
	for (int i = 0; i < streams; i++)
		u->out[i] = open_stream(u->client);
	client_say(u, sim.now_ns);
	return u;
}

static void release(struct h2_stream *s, void *arg)
{
	h2_stream_release(s);
}

static void end(void)
{
	for (int i = 0; i < sim.count; i++) {
		struct upload *u = &sim.ups[i];
		h2_conn_each_stream(u->client, release, NULL);
		h2_conn_each_stream(u->io.h2, release, NULL);
		h2_conn_destroy(u->client);
		h2_conn_destroy(u->io.h2);
		CHECK_EQ(u->books.bugs, 0);
		CHECK_EQ(u->books.held_bytes, 0);
		free(u->up.bytes);
		free(u->down.bytes);
	}
	CHECK_EQ(slab_pool_out(sim.slabs), 0);
	slab_pool_destroy(sim.slabs);
	fields_cache_purge();
}

static uint64_t all(const struct upload *u)
{
	uint64_t sum = 0;
	for (int i = 0; i < u->streams; i++)
		sum += u->got[i];
	return sum;
}

#define RUN_NS (2 * NS_PER_SEC)

/* What came, once it runs, of what the windows let through, in per cent. A window goes round in a
 * round trip and the turn that reads it. */
static unsigned share_of_window(struct upload *u)
{
	run(RUN_NS / 4);
	uint64_t before = all(u), from_ns = sim.now_ns;
	uint64_t turns = run(RUN_NS);
	uint64_t ns = sim.now_ns - from_ns;
	uint64_t rounds = ns / (2 * u->way_ns + ns / turns);
	unsigned share =
		(unsigned)((all(u) - before) * 100 / (rounds * WINDOW * (unsigned)u->streams));
	printf("# %d streams: %u %%\n", u->streams, share);
	CHECK_EQ(u->books.windows_shrunk, 0);
	return share;
}

/* Up to half of a stream's window may be owed and not told (flow.h). */
TEST(uploads_over_a_long_path_keep_their_windows)
{
	for (int n = 1; n <= STREAMS; n *= 2) {
		begin();
		CHECK(share_of_window(add(FAR_NS, n)) >= 60);
		end();
	}
}

static void flood(void)
{
	for (int i = 0; i < 5; i++)
		add(NEAR_NS, 4);
}

TEST(uploads_over_a_long_path_keep_their_windows_beside_those_that_crowd_the_worker)
{
	for (int n = 1; n <= 4; n *= 2) {
		begin();
		struct upload *far = add(FAR_NS, n);
		flood();
		CHECK(share_of_window(far) >= 50);
		CHECK(sim.ups[1].books.windows_shrunk > 0);
		end();
	}
}

TEST(a_crowded_window_as_large_as_the_whole_is_never_made_smaller)
{
	begin();
	sim.least_window = WINDOW;
	flood();
	run(RUN_NS / 4);
	for (int i = 0; i < sim.count; i++)
		CHECK_EQ(sim.ups[i].books.windows_shrunk, 0);
	end();
}

TEST(every_stream_of_a_crowded_worker_moves_on_and_has_its_share)
{
	begin();
	flood();
	run(RUN_NS / 4);
	uint64_t least = UINT64_MAX, most = 0, sum = 0, before[CONNS][STREAMS];
	for (int i = 0; i < sim.count; i++)
		memcpy(before[i], sim.ups[i].got, sizeof(before[i]));
	uint64_t from_ns = sim.now_ns;
	run(RUN_NS);
	for (int i = 0; i < sim.count; i++) {
		CHECK(sim.ups[i].books.windows_shrunk > 0);
		for (int k = 0; k < sim.ups[i].streams; k++) {
			uint64_t n = sim.ups[i].got[k] - before[i][k];
			least = n < least ? n : least;
			most = n > most ? n : most;
			sum += n;
		}
	}
	printf("# least %llu most %llu\n", (unsigned long long)least, (unsigned long long)most);
	CHECK(least > 0 && most - least <= most / 10);
	/* Nothing of what the worker can do is lost. */
	CHECK(sum * BYTE_NS * 100 >= (sim.now_ns - from_ns) * 90);
	end();
}

TAP_MAIN()
