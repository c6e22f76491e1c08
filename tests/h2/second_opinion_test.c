/* second_opinion_test.c - our engine talks with libnghttp2 over a wire that chops bytes anywhere.
 *
 * Each conversation is a random programme from one seed: requests, DATA of every size, trailers,
 * interim heads, resets from both sides, slow and fast credit, SETTINGS that change windows (0 and
 * negative too), frame sizes and tables, PING, padding, GOAWAY. Every octet and field is checked
 * against the plan, both judges must stay content, nothing may hang, and the books end at zero.
 * SEED=n runs one conversation again, verbosely; ROUNDS=n runs more of them. */
#include "base/mem.h"
#include "http/event.h"
#include "http2/conn.h"
#include "peer_nghttp2.h"
#include "tap.h"

struct ours {
	struct h2_conn *c;
	struct h2_books books;
	struct slab_pool *pool;
	uint64_t now_ns;
	uint64_t pushed_bytes, admitted_bytes;
	bool dead, goaway_got;
	unsigned pings_answered;
};

static struct conversation conv;
static struct ours ours;

/* ---- what our engine tells ---- */

struct compare {
	const struct fields *f;
	uint32_t at;
	const char *missing;
};

static void compare_field(void *arg, const char *name, const char *value)
{
	struct compare *cmp = arg;
	const struct field *f = &fields_list(cmp->f)[cmp->at];
	if (cmp->at >= cmp->f->count || f->name_len != strlen(name) ||
		f->value_len != strlen(value) || memcmp(f->name, name, f->name_len) ||
		memcmp(f->value, value, f->value_len))
		cmp->missing = name;
	cmp->at++;
}

static void check_section(struct talk *t, const struct fields *f, enum section s)
{
	struct compare cmp = {.f = f};
	talk_section(&conv, t->id, false, s, compare_field, &cmp);
	if (cmp.missing || cmp.at != f->count)
		wrong(&conv, "stream %u: section %d arrived wrong", t->id, (int)s);
}

static void check_data(struct talk *t, const struct slice *d)
{
	for (uint32_t i = 0; i < d->len; i++)
		if (d->at[i] != talk_octet(t->id, t->down.got_bytes + i)) {
			wrong(&conv, "stream %u: octet %u to us is wrong", t->id,
				t->down.got_bytes + i);
			break;
		}
	t->down.got_bytes += d->len;
	t->down.owed_bytes += d->len;
}

static void take_message(struct talk *t, struct event *ev)
{
	switch (ev->kind) {
	case EVENT_INFO:
		check_section(t, ev->fields, SECTION_INFO);
		t->down.info_got = true;
		break;
	case EVENT_HEAD:
		check_section(t, ev->fields, SECTION_HEAD);
		t->down.head_got = true;
		break;
	case EVENT_DATA:
		check_data(t, &ev->data);
		break;
	case EVENT_TRAILERS:
		check_section(t, ev->fields, SECTION_TRAILERS);
		t->down.trailers_got = true;
		break;
	case EVENT_RESET:
		wrong(&conv, "a RESET event inside a message");
		break;
	}
	if (ev->end)
		t->down.end_got = true;
	event_drop(ev);
}

static void stream_over(struct talk *t, const struct h2_event *e)
{
	if (e->kind == H2_EV_RESET && !e->by_peer && !e->unprocessed)
		wrong(&conv, "stream %u: our engine calls libnghttp2's frames a fault (%s)", t->id,
			e->fault < H2_FAULT_COUNT ? h2_fault_text(e->fault) : "?");
	if (e->kind == H2_EV_RESET && e->by_peer && !t->they_reset && e->code != H2_NO_ERROR)
		wrong(&conv, "stream %u: a reset nobody asked for, code %u", t->id, e->code);
	if (e->kind == H2_EV_RESET && e->by_peer && !t->we_reset && e->code != t->code)
		wrong(&conv, "stream %u: reset code %u, sent was %u", t->id, e->code, t->code);
	t->unprocessed |= e->kind == H2_EV_RESET && e->unprocessed;
	t->ours_over = true;
	h2_stream_release(t->ours);
	t->ours = NULL;
}

static void take_event(struct h2_event *e)
{
	struct talk *t = e->stream ? h2_stream_user(e->stream) : NULL;
	switch ((int)e->kind) {
	case H2_EV_MESSAGE:
		if (!t) {
			t = talk_of(&conv, h2_stream_id(e->stream));
			t->ours = e->stream;
			h2_stream_set_user(e->stream, t);
		}
		take_message(t, &e->ev);
		break;
	case H2_EV_RESET:
	case H2_EV_CLOSED:
		stream_over(t, e);
		break;
	case H2_EV_ADMITTED:
		ours.admitted_bytes += e->bytes;
		break;
	case H2_EV_GOAWAY:
		ours.goaway_got = true;
		if (e->code != H2_NO_ERROR)
			wrong(&conv, "libnghttp2 said GOAWAY(%u): %.*s", e->code, (int)e->debug_len,
				e->debug);
		break;
	case H2_EV_PING_ACK:
		ours.pings_answered++;
		break;
	case H2_EV_DEAD:
		ours.dead = true;
		wrong(&conv, "our engine died: %s",
			e->fault < H2_FAULT_COUNT ? h2_fault_text(e->fault) : "?");
		break;
	default: /* what a conversation does not ask for */
		break;
	}
}

static void poll_all(void)
{
	struct h2_event e;
	while (h2_conn_poll(ours.c, &e))
		take_event(&e);
}

static bool feed_us(size_t bytes)
{
	struct wirebuf *b = &conv.to_us;
	if (bytes > b->len - b->at)
		bytes = b->len - b->at;
	if (!bytes)
		return false;
	h2_conn_feed(ours.c, slice_copy(b->p + b->at, (uint32_t)bytes), ours.now_ns);
	b->at += bytes;
	poll_all();
	if (rand_below(&conv.rand, 2))
		h2_conn_settle(ours.c);
	return true;
}

static bool write_us(void)
{
	struct iovec iov[8];
	size_t total = 0;
	int n = h2_conn_output(ours.c, iov, 1 + (int)rand_below(&conv.rand, 8));
	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	size_t take =
		total && rand_below(&conv.rand, 3) == 0 ? 1 + rand_below(&conv.rand, total) : total;
	for (int i = 0; i < n && take; i++) {
		size_t part = iov[i].iov_len < take ? iov[i].iov_len : take;
		wirebuf_add(&conv.to_them, iov[i].iov_base, part);
		h2_conn_written(ours.c, part);
		take -= part;
		if (part < iov[i].iov_len)
			break;
	}
	if (rand_below(&conv.rand, 20) == 0)
		h2_conn_compact(ours.c);
	poll_all();
	return total > 0;
}

/* ---- what our engine is asked to do ---- */

static void add_field(void *arg, const char *name, const char *value)
{
	if (fields_add(arg, name, strlen(name), value, strlen(value)))
		abort();
}

static struct event section(struct talk *t, enum event_kind kind, enum section s)
{
	struct event ev = {.kind = kind, .fields = fields_create()};
	if (!ev.fields)
		abort();
	talk_section(&conv, t->id, true, s, add_field, ev.fields);
	return ev;
}

static void our_request(void)
{
	/* The id is not known before the HEADERS frame: the plan needs it, and ids rise by two. */
	uint32_t id = H2_MAX_STREAM_ID - 2 * h2_conn_ids_left(ours.c) + 2;
	struct talk plan = {.id = id};
	struct event ev = section(&plan, EVENT_HEAD, SECTION_HEAD);
	struct h2_stream *s;
	struct talk *t = talk_new(&conv, id);
	ev.end = !t->up.want_bytes && !t->up.trailers;
	if (h2_conn_open(ours.c, &ev, &s)) {
		conv.count--;
		return;
	}
	t->up.head_sent = true;
	t->up.end_sent = !t->up.want_bytes && !t->up.trailers;
	t->ours = s;
	h2_stream_set_user(s, t);
}

static void our_head(struct talk *t)
{
	if (t->up.info) {
		struct event info = section(t, EVENT_INFO, SECTION_INFO);
		h2_stream_push(t->ours, &info);
	}
	struct event ev = section(t, EVENT_HEAD, SECTION_HEAD);
	t->up.head_sent = true;
	t->up.end_sent = ev.end = !t->up.want_bytes && !t->up.trailers;
	h2_stream_push(t->ours, &ev);
}

/* Pushes the next piece of what the plan says. */
static void our_step(struct talk *t)
{
	uint8_t bytes[20000];
	if (!t->ours || t->up.end_sent)
		return;
	if (!t->up.head_sent) {
		our_head(t);
		return;
	}
	uint32_t left = t->up.want_bytes - t->up.sent_bytes, n = left;
	uint32_t most = rand_below(&conv.rand, 3) ? 300 : sizeof(bytes);
	if (n > most)
		n = 1 + (uint32_t)rand_below(&conv.rand, most);
	if (n) {
		for (uint32_t i = 0; i < n; i++)
			bytes[i] = talk_octet(t->id, t->up.sent_bytes + i);
		struct event ev = {.kind = EVENT_DATA, .data = slice_copy(bytes, n)};
		t->up.sent_bytes += n;
		ours.pushed_bytes += n;
		t->up.end_sent = ev.end = n == left && !t->up.trailers;
		h2_stream_push(t->ours, &ev);
	} else if (t->up.trailers) {
		struct event ev = section(t, EVENT_TRAILERS, SECTION_TRAILERS);
		ev.end = t->up.end_sent = true;
		h2_stream_push(t->ours, &ev);
	}
}

static void our_reset(struct talk *t, uint32_t code)
{
	if (!t->ours)
		return;
	t->we_reset = true;
	if (!t->they_reset)
		t->code = code;
	h2_stream_reset(t->ours, code);
	h2_stream_release(t->ours);
	t->ours = NULL;
	t->ours_over = true;
}

static void our_credit(struct talk *t)
{
	if (t->ours && t->down.owed_bytes)
		h2_stream_credit(t->ours, t->down.owed_bytes);
	t->down.owed_bytes = 0;
}

/* ---- the programme ---- */

static void begin(bool client, uint64_t seed)
{
	static const uint32_t windows[] = {1, 1000, 65535, 262144},
			      conns[] = {65535, 100000, 4 << 20};
	static const uint32_t frames[] = {16384, 20000, 65536}, tables[] = {0, 100, 4096, 20000};
	enum h2_role role = client ? H2_CLIENT : H2_SERVER;
	struct h2_options o = h2_options_default(role);
	memset(&conv, 0, sizeof(conv));
	memset(&ours, 0, sizeof(ours));
	conv.we_are_client = client;
	conv.seed = seed;
	rand_seed(&conv.rand, seed);
	o.stream_window_bytes = windows[rand_below(&conv.rand, 4)];
	o.conn_window_bytes = conns[rand_below(&conv.rand, 3)];
	o.max_frame_bytes = frames[rand_below(&conv.rand, 3)];
	o.decoder_table_bytes = tables[rand_below(&conv.rand, 4)];
	o.encoder_table_bytes = tables[rand_below(&conv.rand, 4)];
	o.control_frames_per_s = o.resets_per_s = 0; /* a chopped wire looks like a flood */
	o.max_concurrent_streams = 100;
	ours.pool = slab_pool_create(4);
	ours.c = ours.pool ? h2_conn_create(role, &o, ours.pool, &ours.books) : NULL;
	if (!ours.c)
		abort();
	peer_create(&conv);
}

static size_t chop(void)
{
	switch (rand_below(&conv.rand, 4)) {
	case 0:
		return 1 + rand_below(&conv.rand, 12);
	case 1:
		return 1 + rand_below(&conv.rand, 300);
	default:
		return 1 + rand_below(&conv.rand, 40000);
	}
}

static void one_action(unsigned streams)
{
	struct rand *r = &conv.rand;
	struct talk *t = conv.count ? &conv.talks[rand_below(r, conv.count)] : NULL;
	uint64_t dice = rand_below(r, 1000);
	if (dice < 250)
		feed_us(chop());
	else if (dice < 500)
		peer_feed(&conv, chop());
	else if (dice < 650)
		write_us();
	else if (dice < 780)
		peer_write(&conv, false);
	else if (dice < 790 && conv.count < streams)
		conv.we_are_client ? our_request() : peer_start(&conv);
	else if (dice < 985 && t) {
		our_step(t);
		if (rand_below(r, 3) == 0)
			our_credit(t);
		if (rand_below(r, 3) == 0)
			peer_credit(&conv, t);
		if (conv.we_are_client && rand_below(r, 3) == 0)
			peer_answer(&conv, t);
		peer_resume(&conv, t);
	} else if (dice < 987 && t)
		our_reset(t, 1 + (uint32_t)rand_below(r, 13));
	else if (dice < 989 && t)
		peer_reset(&conv, t, 1 + (uint32_t)rand_below(r, 13));
	else if (dice < 993)
		peer_settings(&conv, false);
	else if (dice < 995)
		h2_conn_ping(ours.c, 7);
	else if (dice < 997)
		peer_ping(&conv);
	ours.now_ns += 1000;
}

/* Everybody reads, credits and sends what is left; false when nothing moves any more. */
static bool finish_step(void)
{
	bool moved = false;
	for (unsigned i = 0; i < conv.count; i++) {
		struct talk *t = &conv.talks[i];
		our_step(t);
		our_credit(t);
		peer_credit(&conv, t);
		if (conv.we_are_client)
			peer_answer(&conv, t);
		peer_resume(&conv, t);
	}
	while (write_us())
		moved = true;
	peer_write(&conv, true);
	while (feed_us(chop()))
		moved = true;
	while (peer_feed(&conv, chop()))
		moved = true;
	return moved;
}

static void judge_talk(const struct talk *t)
{
	if (t->we_reset || t->they_reset || t->unprocessed)
		return;
	if (t->up.got_bytes != t->up.want_bytes || !t->up.end_got ||
		t->up.trailers_got != t->up.trailers || !t->up.head_got ||
		t->up.info_got != t->up.info)
		wrong(&conv, "stream %u up: %u of %u octets, end %d", t->id, t->up.got_bytes,
			t->up.want_bytes, t->up.end_got);
	if (t->down.got_bytes != t->down.want_bytes || !t->down.end_got ||
		t->down.trailers_got != t->down.trailers || !t->down.head_got ||
		t->down.info_got != t->down.info)
		wrong(&conv, "stream %u down: %u of %u octets, end %d", t->id, t->down.got_bytes,
			t->down.want_bytes, t->down.end_got);
	if (t->ours || !t->ours_over || !t->theirs_over)
		wrong(&conv, "stream %u did not close", t->id);
}

static void finish(void)
{
	peer_settings(&conv, true);
	for (int idle = 0; idle < 200 && !conv.wrong[0]; idle++)
		if (finish_step())
			idle = 0;
	for (unsigned i = 0; i < conv.count; i++)
		judge_talk(&conv.talks[i]);
	if (!conv.wrong[0] && h2_conn_open_streams(ours.c))
		wrong(&conv, "%u streams are still open", h2_conn_open_streams(ours.c));
	if (!conv.wrong[0] && ours.books.held_bytes)
		wrong(&conv, "%llu bytes are still held",
			(unsigned long long)ours.books.held_bytes);
	/* Farewell, either way. */
	if (conv.seed % 2)
		peer_goaway(&conv);
	else
		h2_conn_drain(ours.c, "done");
	for (int i = 0; i < 20 && !conv.wrong[0]; i++)
		finish_step();
	if (!(conv.seed % 2 ? ours.goaway_got : conv.goaway_got))
		wrong(&conv, "GOAWAY did not arrive");
}

static void end(void)
{
	for (unsigned i = 0; i < conv.count; i++)
		if (conv.talks[i].ours)
			h2_stream_release(conv.talks[i].ours);
	h2_conn_destroy(ours.c);
	if (ours.books.held_bytes || ours.books.streams || ours.books.conns ||
		slab_pool_out(ours.pool))
		wrong(&conv, "the books did not return to zero");
	if (ours.books.bugs)
		wrong(&conv, "books.bugs is %llu", (unsigned long long)ours.books.bugs);
	slab_pool_destroy(ours.pool);
	peer_destroy(&conv);
	fields_cache_purge();
}

/* Runs one conversation; false when something went wrong. */
static bool converse(bool client, uint64_t seed)
{
	long live = mem_live_blocks();
	begin(client, seed);
	unsigned streams = 1 + (unsigned)rand_below(&conv.rand, 40);
	unsigned actions = 500 + (unsigned)rand_below(&conv.rand, 15000);
	for (unsigned i = 0; i < actions && !conv.wrong[0]; i++)
		one_action(streams);
	if (!conv.wrong[0])
		finish();
	end();
	if (mem_live_blocks() != live)
		wrong(&conv, "%ld blocks leaked", mem_live_blocks() - live);
	if (conv.wrong[0])
		printf("# SEED=%llu (%s): %s\n", (unsigned long long)seed,
			client ? "client" : "server", conv.wrong);
	return !conv.wrong[0];
}

static void converse_all(bool client)
{
	const char *seed = getenv("SEED"), *rounds = getenv("ROUNDS");
	if (seed) {
		CHECK(converse(client, strtoull(seed, NULL, 0)));
		return;
	}
	uint64_t n = rounds ? strtoull(rounds, NULL, 0) : 40;
	unsigned bad = 0;
	for (uint64_t s = 1; s <= n && bad < 5; s++)
		bad += !converse(client, s);
	CHECK_EQ(bad, 0);
}

TEST(our_client_and_a_libnghttp2_server_agree_on_random_conversations)
{
	converse_all(true);
}

TEST(our_server_and_a_libnghttp2_client_agree_on_random_conversations)
{
	converse_all(false);
}

TAP_MAIN()
