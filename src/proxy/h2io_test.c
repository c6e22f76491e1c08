/* h2io_test.c - PINGs of one connection, on a clock of the test's own, and which connections are
 * written before more is read; the rest of h2io is tested by the whole program in tests/e2e. */
#include "proxy/h2io.h"
#include "base/clock.h"
#include "base/mem.h"
#include "proxy/worker.h"
#include "tap.h"

static struct worker w;
static struct h2io io;
static struct h2_books books;
static struct slab_pool *slabs;

static void begin_as(enum h2_role role)
{
	struct h2_options o = h2_options_default(role);
	memset(&w, 0, sizeof w);
	memset(&io, 0, sizeof io);
	memset(&books, 0, sizeof books);
	slabs = slab_pool_create(4);
	w.loop.now_ns = 1000 * NS_PER_SEC;
	io.worker = &w;
	io.path_asked_ns = w.loop.now_ns; /* there is no socket to ask */
	list_init(&io.dirty);
	list_init(&w.dirty);
	list_init(&w.full);
	io.h2 = h2_conn_create(role, &o, slabs, &books);
}

static void begin(void)
{
	begin_as(H2_SERVER);
}

static void end(void)
{
	h2_conn_destroy(io.h2);
	slab_pool_destroy(slabs);
}

/* Bytes that wait to be written; they are taken. */
static size_t written(void)
{
	struct iovec iov[16];
	size_t sum = 0;
	for (int n; (n = h2_conn_output(io.h2, iov, 16)) > 0;) {
		size_t bytes = 0;
		for (int i = 0; i < n; i++)
			bytes += iov[i].iov_len;
		h2_conn_written(io.h2, bytes);
		sum += bytes;
	}
	return sum;
}

#define PING_BYTES 17 /* RFC 9113 6.7 */

static uint64_t opaque_sent(void)
{
	struct iovec iov[16];
	uint64_t opaque = 0;
	int n = h2_conn_output(io.h2, iov, 16);
	const uint8_t *at = n == 1 && iov[0].iov_len == PING_BYTES ? iov[0].iov_base : NULL;
	for (int i = 0; at && i < 8; i++)
		opaque = opaque << 8 | at[9 + i];
	written();
	return opaque;
}

TEST(a_ping_is_measured_from_its_turn_to_that_of_its_answer)
{
	begin();
	written();
	CHECK_EQ(io.ping_ns, 0);
	h2io_ping(&io);
	uint64_t opaque = opaque_sent();
	CHECK(opaque != 0);
	w.loop.now_ns += 7 * NS_PER_MS;
	h2io_ping_answered(&io, opaque + 1); /* not ours */
	CHECK_EQ(io.ping_ns, 0);
	h2io_ping_answered(&io, opaque);
	CHECK_EQ(io.ping_ns, 7 * NS_PER_MS);
	CHECK(!io.pinging);
	w.loop.now_ns += NS_PER_MS;
	h2io_ping_answered(&io, opaque); /* nobody asked again */
	CHECK_EQ(io.ping_ns, 7 * NS_PER_MS);
	end();
}

TEST(pings_are_ten_seconds_apart_and_one_that_is_not_answered_is_the_last)
{
	begin();
	written();
	h2io_ping(&io);
	uint64_t opaque = opaque_sent();
	h2io_ping_answered(&io, opaque);
	w.loop.now_ns += H2IO_PING_EVERY_NS - 1;
	h2io_ping(&io);
	CHECK_EQ(written(), 0);
	w.loop.now_ns += 1;
	h2io_ping(&io);
	CHECK_EQ(written(), PING_BYTES);
	for (int i = 0; i < 10; i++) {
		w.loop.now_ns += H2IO_PING_EVERY_NS;
		h2io_ping(&io);
	}
	CHECK_EQ(written(), 0);
	end();
}

TEST(a_drains_ping_is_measured_unless_another_is_under_way)
{
	begin();
	written();
	h2io_drain_pinged(&io);
	h2io_ping(&io); /* not beside it */
	CHECK_EQ(written(), 0);
	w.loop.now_ns += 3 * NS_PER_MS;
	h2io_drain_answered(&io);
	CHECK_EQ(io.ping_ns, 3 * NS_PER_MS);
	w.loop.now_ns += H2IO_PING_EVERY_NS;
	h2io_ping(&io);
	uint64_t opaque = opaque_sent();
	h2io_drain_pinged(&io);
	w.loop.now_ns += 5 * NS_PER_MS;
	h2io_drain_answered(&io);
	CHECK_EQ(io.ping_ns, 3 * NS_PER_MS);
	h2io_ping_answered(&io, opaque);
	CHECK_EQ(io.ping_ns, 5 * NS_PER_MS);
	end();
}

TEST(a_connection_that_ends_or_is_not_http2_gets_no_ping)
{
	begin();
	written();
	io.finishing = true;
	h2io_ping(&io);
	io.finishing = false;
	io.dead = true;
	h2io_ping(&io);
	CHECK_EQ(written(), 0);
	struct h2_conn *h2 = io.h2;
	io.dead = false;
	io.h2 = NULL;
	h2io_ping(&io);
	CHECK(!io.pinging);
	io.h2 = h2;
	end();
}

static struct h2_stream *open_stream(void)
{
	struct h2_stream *s = NULL;
	struct event head = {.kind = EVENT_HEAD, .fields = fields_create()};
	CHECK(!fields_add_str(head.fields, TOKEN_METHOD, "POST") &&
		!fields_add_str(head.fields, TOKEN_SCHEME, "http") &&
		!fields_add_str(head.fields, TOKEN_PATH, "/flood"));
	CHECK_EQ(h2_conn_open(io.h2, &head, &s), 0);
	return s;
}

/* As an owner does it: what is pushed makes the connection dirty. */
static void push(struct h2_stream *s, uint32_t bytes)
{
	static const uint8_t zeros[65536];
	struct event data = {.kind = EVENT_DATA, .data = slice_static(zeros, bytes)};
	h2_stream_push(s, &data);
	h2io_dirty(&io);
}

static bool is_in(struct list *l)
{
	return l->next == &io.dirty && l->prev == &io.dirty;
}

TEST(a_connection_with_much_new_data_is_written_before_more_is_read)
{
	begin_as(H2_CLIENT);
	struct h2_stream *s = open_stream();
	h2io_dirty(&io);
	CHECK(list_empty(&w.dirty) && list_empty(&w.full)); /* its socket takes nothing */
	io.writable = true;
	push(s, 40000);
	CHECK(is_in(&w.dirty) && list_empty(&w.full));
	push(s, 40000);
	CHECK(list_empty(&w.dirty) && is_in(&w.full));
	push(s, 40000);
	CHECK(list_empty(&w.dirty) && is_in(&w.full));
	CHECK(written() > 0); /* 65,535 bytes are let out; what the window keeps back is not new */
	list_remove(&io.dirty);
	h2io_dirty(&io);
	CHECK(is_in(&w.dirty) && list_empty(&w.full));
	push(s, 65536);
	CHECK(list_empty(&w.dirty) && is_in(&w.full));
	list_remove(&io.dirty);
	h2_stream_release(s);
	end();
}

TEST(a_connection_is_crowded_only_in_a_turn_that_brings_much_behind_one_that_did)
{
	begin();
	static const struct {
		uint32_t before, bytes;
		bool crowded;
	} rows[] = {
		{0, WORKER_CONN_READ_BYTES, false},
		{WORKER_CROWD_TURN_BYTES - 1, WORKER_CONN_READ_BYTES, false},
		{WORKER_CROWD_TURN_BYTES, WORKER_CROWD_CONN_BYTES - 1, false},
		{WORKER_CROWD_TURN_BYTES, WORKER_CROWD_CONN_BYTES, true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		w.read_before = rows[i].before;
		h2io_note_crowd(&io, rows[i].bytes);
		h2io_note_crowd(&io, rows[i].bytes);
		CHECK_EQ(io.crowded, rows[i].crowded);
		CHECK_EQ(w.crowded_count, rows[i].crowded);
		h2io_crowds_over(&w);
		CHECK(!io.crowded);
		CHECK_EQ(w.crowded_count, 0);
	}
	end();
}

TEST(a_connection_over_a_long_path_is_never_crowded)
{
	begin();
	w.read_before = WORKER_TURN_READ_BYTES;
	io.path_ns = WORKER_CROWD_PATH_NS;
	h2io_note_crowd(&io, WORKER_CONN_READ_BYTES);
	CHECK(!io.crowded);
	io.path_ns--;
	h2io_note_crowd(&io, WORKER_CONN_READ_BYTES);
	CHECK(io.crowded);
	h2io_crowds_over(&w);
	/* Asked again after a second: of what is no TCP connection the kernel can't say. */
	io.watch.fd = -1;
	w.loop.now_ns += NS_PER_SEC;
	h2io_note_crowd(&io, WORKER_CONN_READ_BYTES);
	CHECK(!io.crowded);
	CHECK_EQ(io.path_ns, UINT64_MAX);
	end();
}

TAP_MAIN()
