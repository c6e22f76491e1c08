/* fairness_test.c - siblings of a stalled stream keep their rate, to the frame.
 *
 *    alice ===== front | link ===== bob        the wire that is narrow takes CAP octets a turn
 *
 * Bob always has more to say on each stream; alice reads everything, but for the stalled stream,
 * whose credit she never gives. No clock, no chance: a run is its parameters. */
#include <string.h>
#include "http2/conn.h"
#include "tap.h"

enum { STREAMS = 8, TURNS = 600, WARM = 200, CAP = 50000, FRAME = 16384, PIECE = 1000 };
enum { ALICE, FRONT, LINK, BOB, ENDS };

struct run {
	struct h2_conn *end[ENDS];
	struct h2_books books;
	struct slab_pool *pool;
	struct h2_stream *ask[STREAMS], *front[STREAMS], *link[STREAMS], *bob[STREAMS];
	uint64_t got[STREAMS], counted[STREAMS];
	uint64_t said[STREAMS], left[STREAMS]; /* by bob: pushed, admitted */
	int stalled;                           /* -1: none */
	int narrow; /* whose output takes CAP octets a turn: FRONT or BOB */
};

static struct fields *head_fields(bool request)
{
	struct fields *f = fields_create();
	CHECK(f != NULL);
	if (request)
		CHECK(!fields_add_str(f, TOKEN_METHOD, "POST") &&
			!fields_add_str(f, TOKEN_SCHEME, "http") &&
			!fields_add_str(f, TOKEN_PATH, "/flood") &&
			!fields_add_str(f, TOKEN_AUTHORITY, "weir.test"));
	else
		CHECK(!fields_add_str(f, TOKEN_STATUS, "200"));
	return f;
}

static struct h2_stream *open_stream(struct h2_conn *c)
{
	struct h2_stream *s = NULL;
	struct event head = {.kind = EVENT_HEAD, .fields = head_fields(true)};
	CHECK_EQ(h2_conn_open(c, &head, &s), 0);
	return s;
}

static void answer(struct h2_stream *s)
{
	struct event head = {.kind = EVENT_HEAD, .fields = head_fields(false)};
	h2_stream_push(s, &head);
}

/* Streams keep their order on both wires. */
static int index_of(const struct h2_stream *s)
{
	return (int)(h2_stream_id(s) - 1) / 2;
}

static void on_message(struct run *r, int who, struct h2_event *ev)
{
	int i = index_of(ev->stream);
	uint32_t len = ev->ev.data.len;
	if (who == FRONT) {
		r->front[i] = ev->stream;
		r->link[i] = open_stream(r->end[LINK]);
	} else if (who == BOB) {
		r->bob[i] = ev->stream;
		answer(ev->stream);
	} else if (who == LINK) {
		h2_stream_push(r->front[i], &ev->ev);
	} else if (ev->ev.kind == EVENT_DATA) {
		r->got[i] += len;
		if (i != r->stalled)
			h2_stream_credit(ev->stream, len);
	}
	event_drop(&ev->ev);
}

static void poll_all(struct run *r, int who)
{
	struct h2_event ev;
	while (h2_conn_poll(r->end[who], &ev)) {
		CHECK(ev.kind != H2_EV_DEAD && ev.kind != H2_EV_RESET);
		if (ev.kind == H2_EV_MESSAGE)
			on_message(r, who, &ev);
		else if (ev.kind == H2_EV_ADMITTED && who == FRONT)
			h2_stream_credit(r->link[index_of(ev.stream)], ev.bytes);
		else if (ev.kind == H2_EV_ADMITTED && who == BOB)
			r->left[index_of(ev.stream)] += ev.bytes;
	}
}

static void carry(struct run *r, int from, int to)
{
	size_t most = from == r->narrow ? CAP : SIZE_MAX;
	struct iovec iov[64];
	int n;
	while (most && (n = h2_conn_output(r->end[from], iov, 64)) > 0) {
		size_t sum = 0;
		for (int i = 0; i < n && most; i++) {
			size_t len = iov[i].iov_len < most ? iov[i].iov_len : most;
			struct slice in = slice_copy(iov[i].iov_base, (uint32_t)len);
			h2_conn_feed(r->end[to], in, 1);
			poll_all(r, to);
			sum += len;
			most -= len;
		}
		h2_conn_written(r->end[from], sum);
		poll_all(r, from);
	}
}

static void turn(struct run *r)
{
	static const uint8_t piece[PIECE];
	for (int i = 0; i < STREAMS; i++)
		while (r->bob[i] && r->said[i] - r->left[i] < 4 * FRAME) {
			struct event ev = {.kind = EVENT_DATA, .data = slice_copy(piece, PIECE)};
			h2_stream_push(r->bob[i], &ev);
			r->said[i] += PIECE;
		}
	carry(r, ALICE, FRONT);
	carry(r, LINK, BOB);
	carry(r, BOB, LINK);
	carry(r, FRONT, ALICE);
}

static void release(struct h2_stream *s, void *arg)
{
	h2_stream_release(s);
}

static void run(struct run *r, int narrow, int stalled)
{
	static const enum h2_role roles[] = {H2_CLIENT, H2_SERVER, H2_CLIENT, H2_SERVER};
	*r = (struct run){.stalled = stalled, .narrow = narrow, .pool = slab_pool_create(4)};
	for (int i = 0; i < ENDS; i++) {
		struct h2_options o = h2_options_default(roles[i]);
		r->end[i] = h2_conn_create(roles[i], &o, r->pool, &r->books);
	}
	for (int i = 0; i < STREAMS; i++)
		r->ask[i] = open_stream(r->end[ALICE]);
	for (int t = 0; t < TURNS; t++) {
		if (t == WARM)
			memcpy(r->counted, r->got, sizeof(r->got));
		turn(r);
	}
	for (int i = 0; i < STREAMS; i++)
		r->counted[i] = r->got[i] - r->counted[i];
	for (int i = 0; i < ENDS; i++) {
		h2_conn_each_stream(r->end[i], release, NULL);
		h2_conn_destroy(r->end[i]);
	}
	CHECK_EQ(r->books.held_bytes, 0);
	CHECK_EQ(r->books.bugs, 0);
	CHECK_EQ(slab_pool_out(r->pool), 0);
	slab_pool_destroy(r->pool);
	fields_cache_purge();
}

/* Least and most of the streams that are read. */
static void extremes(const struct run *r, uint64_t *least, uint64_t *most)
{
	*least = UINT64_MAX;
	*most = 0;
	for (int i = 0; i < STREAMS; i++) {
		uint64_t n = r->counted[i];
		if (i == r->stalled)
			continue;
		*least = n < *least ? n : *least;
		*most = n > *most ? n : *most;
	}
}

static void check_siblings(int narrow)
{
	static struct run read, stalled;
	uint64_t least, most, least_beside, most_beside;
	run(&read, narrow, -1);
	run(&stalled, narrow, 3);
	extremes(&read, &least, &most);
	extremes(&stalled, &least_beside, &most_beside);
	CHECK(most > 0 && most - least <= FRAME);
	CHECK_EQ(stalled.counted[3], 0);
	/* Its share is theirs now, in equal parts: not a frame more or less for anyone. */
	CHECK(most_beside - least_beside <= FRAME);
	CHECK(least_beside + FRAME >= least * STREAMS / (STREAMS - 1));
	CHECK(most_beside <= most * STREAMS / (STREAMS - 1) + FRAME);
}

TEST(siblings_of_a_stalled_stream_keep_their_rate_when_the_client_is_the_narrow_place)
{
	check_siblings(FRONT);
}

TEST(siblings_of_a_stalled_stream_keep_their_rate_when_the_server_is_the_narrow_place)
{
	check_siblings(BOB);
}

TAP_MAIN()
