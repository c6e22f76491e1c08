/* engine_fuzz.c - see the header. */
#include <stdlib.h>
#include "engine_fuzz.h"
#include "base/mem.h"
#include "http/event.h"

#define MAX_STREAMS 32
#define PREFACE     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

struct slot {
	struct h2_stream *s; /* NULL: free */
	bool over, ended;
};

struct run {
	enum h2_role role;
	struct h2_conn *c;
	struct slab_pool *pool;
	struct h2_books books;
	struct slot slots[MAX_STREAMS];
	const uint8_t *decisions, *decisions_end;
	uint64_t now_ns;
	bool dead;
};

static unsigned decide(struct run *r, unsigned below)
{
	return r->decisions < r->decisions_end ? *r->decisions++ % below : 0;
}

static struct slot *slot_of(struct run *r, const struct h2_stream *s)
{
	for (size_t i = 0; i < MAX_STREAMS; i++)
		if (r->slots[i].s == s)
			return &r->slots[i];
	return NULL;
}

static struct slice some_bytes(unsigned choice)
{
	static const uint8_t bytes[70000];
	static const uint32_t sizes[] = {11, 0, 1, 4096, 4097, 16384, 70000, 300};
	uint32_t n = sizes[choice % 8];
	return n > 4096 ? slice_copy(bytes, n) : slice_static(bytes, n);
}

static void push(
	struct h2_stream *s, enum event_kind kind, enum token t, const char *value, bool end)
{
	struct event ev = {.kind = kind, .end = end, .fields = fields_create()};
	/* Without memory there are fewer fields: the engine must live with what it gets. */
	if (ev.fields && fields_add_str(ev.fields, t, value)) {
		event_drop(&ev);
		return;
	}
	if (ev.fields)
		h2_stream_push(s, &ev);
}

static void push_data(struct run *r, struct slot *slot, unsigned choice, bool end)
{
	struct event ev = {.kind = EVENT_DATA, .data = some_bytes(choice), .end = end};
	slot->ended |= end;
	if (choice & 2)
		h2_stream_push_now(slot->s, &ev);
	else
		h2_stream_push(slot->s, &ev);
}

static void answer(struct run *r, struct slot *slot)
{
	unsigned choice = decide(r, 8);
	if (r->role == H2_SERVER)
		push(slot->s, EVENT_HEAD, TOKEN_STATUS, "200", choice == 7);
	if (choice == 6)
		return;
	push_data(r, slot, choice, choice & 1);
	if (!slot->ended)
		push(slot->s, EVENT_TRAILERS, TOKEN_GRPC_STATUS, "0", true);
	slot->ended = true;
}

/* Something the owner does to a stream on its own account. */
static void meddle(struct run *r, struct slot *slot)
{
	struct h2_stream_info info;
	switch (decide(r, 12)) {
	case 1:
		h2_stream_reset(slot->s, H2_CANCEL);
		slot->over = true;
		break;
	case 2:
		h2_stream_reset(slot->s, H2_NO_ERROR);
		break;
	case 3:
		h2_stream_drop_queued(slot->s);
		break;
	case 4:
		h2_stream_release(slot->s);
		slot->s = NULL;
		break;
	case 5:
		push_data(r, slot, decide(r, 8), false);
		break;
	case 6:
		push(slot->s, EVENT_TRAILERS, TOKEN_GRPC_STATUS, "13", true);
		break;
	case 7:
		h2_stream_credit(slot->s, decide(r, 255) * 1000);
		break;
	case 8:
		push(slot->s, EVENT_INFO, TOKEN_STATUS, "103", false);
		break;
	default:
		h2_stream_inspect(slot->s, &info);
	}
}

static void message(struct run *r, struct h2_event *e)
{
	struct slot *slot = slot_of(r, e->stream);
	if (!slot) {
		ASSERT(r->role == H2_SERVER && e->ev.kind == EVENT_HEAD);
		slot = slot_of(r, NULL);
		if (slot)
			*slot = (struct slot){.s = e->stream};
		else
			h2_stream_release(e->stream);
	}
	if (slot && e->ev.kind == EVENT_DATA && e->ev.data.len && decide(r, 4) == 0)
		h2_stream_credit(slot->s, e->ev.data.len);
	if (slot && e->ev.kind == EVENT_HEAD && r->role == H2_SERVER && !slot->ended)
		answer(r, slot);
	else if (slot)
		meddle(r, slot);
	event_drop(&e->ev);
}

static void act(struct run *r)
{
	struct h2_event e;
	while (h2_conn_poll(r->c, &e)) {
		struct slot *slot = e.stream ? slot_of(r, e.stream) : NULL;
		ASSERT(!r->dead && !(slot && slot->over));
		switch ((int)e.kind) {
		case H2_EV_MESSAGE:
			message(r, &e);
			break;
		case H2_EV_RESET:
		case H2_EV_CLOSED:
			slot->over = true;
			if (decide(r, 3) == 0) {
				h2_stream_release(slot->s);
				slot->s = NULL;
			}
			break;
		case H2_EV_ADMITTED:
			if (slot)
				meddle(r, slot);
			break;
		case H2_EV_DEAD:
			r->dead = true;
			break;
		default:
			break;
		}
	}
}

static void write_some(struct run *r)
{
	struct iovec iov[8];
	unsigned how = decide(r, 8);
	if (how == 1)
		return; /* the socket is full */
	for (int turns = 0; turns < 100; turns++) {
		size_t total = 0;
		int n = h2_conn_output(r->c, iov, how == 2 ? 1 : 8);
		for (int i = 0; i < n; i++)
			total += iov[i].iov_len;
		if (!total)
			break;
		h2_conn_written(r->c, how == 3 ? 1 + total / 2 : total);
		act(r);
		if (how)
			break;
	}
	if (how == 4)
		h2_conn_compact(r->c);
}

static void open_streams(struct run *r)
{
	unsigned n = 3 + decide(r, 8);
	for (unsigned i = 0; i < n; i++) {
		struct event head = {.kind = EVENT_HEAD, .fields = fields_create(), .end = i % 2};
		struct h2_stream *s;
		struct slot *slot = slot_of(r, NULL);
		if (!head.fields)
			return;
		if (!slot || fields_add_str(head.fields, TOKEN_METHOD, i == 1 ? "HEAD" : "POST") ||
			fields_add_str(head.fields, TOKEN_SCHEME, "http") ||
			fields_add_str(head.fields, TOKEN_PATH, "/")) {
			event_drop(&head);
			return;
		}
		if (h2_conn_open(r->c, &head, &s))
			return;
		*slot = (struct slot){.s = s, .ended = i % 2};
		if (!slot->ended && decide(r, 2))
			answer(r, slot);
	}
}

static void owner_turn(struct run *r)
{
	switch (decide(r, 24)) {
	case 1:
		h2_conn_drain(r->c, "drain");
		break;
	case 2:
		h2_conn_drain_now(r->c);
		break;
	case 3:
		h2_conn_ping(r->c, 1);
		break;
	case 4:
		h2_conn_kill(r->c, H2_INTERNAL_ERROR, "killed");
		break;
	case 5:
		mem_fail_after(1 + decide(r, 30));
		break;
	case 6:
		r->now_ns += 1000000000;
		break;
	case 7:
		if (r->role == H2_CLIENT)
			open_streams(r);
		break;
	case 8:
		for (size_t i = 0; i < MAX_STREAMS; i++)
			if (r->slots[i].s)
				meddle(r, &r->slots[i]);
		break;
	default:
		break;
	}
	write_some(r);
	act(r);
}

static void feed(struct run *r, const uint8_t *p, size_t len)
{
	while (len) {
		unsigned d = decide(r, 256);
		size_t n = d == 0 || d > len ? len : d;
		if (n > 100000)
			n = 100000;
		struct slice in = slice_copy(p, (uint32_t)n);
		p += n;
		len -= n;
		if (!in.slab)
			continue; /* the injected failure hit the reader: bytes are lost */
		h2_conn_feed(r->c, in, r->now_ns);
		act(r);
		owner_turn(r);
		if (d & 1)
			h2_conn_settle(r->c);
	}
}

static void finish(struct run *r)
{
	mem_fail_after(0);
	write_some(r);
	act(r);
	for (size_t i = 0; i < MAX_STREAMS; i++)
		if (r->slots[i].s)
			h2_stream_release(r->slots[i].s);
	h2_conn_destroy(r->c);
	ASSERT(!r->books.held_bytes && !r->books.streams && !r->books.conns);
	ASSERT(slab_pool_out(r->pool) == 0);
}

int engine_fuzz(enum h2_role role, const uint8_t *data, size_t len)
{
	struct run r = {.role = role, .now_ns = 1000000000};
	struct h2_options o = h2_options_default(role);
	if (!len)
		return 0;
	size_t count = data[len - 1] < len - 1 ? data[len - 1] : len - 1;
	r.decisions_end = data + len - 1;
	r.decisions = r.decisions_end - count;
	long live = mem_live_blocks();
	unsigned shape = decide(&r, 8);
	if (shape & 1)
		o.stream_window_bytes = 100;
	if (shape & 2)
		o.extended_connect = true;
	if (shape & 4)
		o.max_concurrent_streams = 4, o.header_list_bytes = 500, o.output_bytes = 1000;
	r.pool = slab_pool_create(2);
	r.c = r.pool ? h2_conn_create(role, &o, r.pool, &r.books) : NULL;
	if (!r.c)
		abort();
	if (role == H2_CLIENT)
		open_streams(&r);
	else if (len < 4 || memcmp(data, "PRI", 3) != 0)
		feed(&r, (const uint8_t *)PREFACE, sizeof(PREFACE) - 1);
	feed(&r, data, len - 1 - count);
	finish(&r);
	slab_pool_destroy(r.pool);
	fields_cache_purge();
	ASSERT(mem_live_blocks() == live);
	return 0;
}
