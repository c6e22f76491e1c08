/* engine_kit.h - for the engine's own tests: two engines joined by a wire that may chop bytes, and
 * an engine that is fed raw frames. Tests only. */
#ifndef WEIR_HTTP2_ENGINE_KIT_H
#define WEIR_HTTP2_ENGINE_KIT_H
#include "base/mem.h"
#include "http2/conn_priv.h"
#include "tap.h"

#define KIT_EVENTS 4096

/* What one side was told, in order; DATA bytes are appended to `data`. */
struct kit_side {
	struct h2_conn *conn;
	struct h2_event events[KIT_EVENTS]; /* without fields and data: see `heads` */
	int count;
	struct fields *fields[KIT_EVENTS]; /* of the event with this index */
	uint8_t *data;
	size_t data_len, data_cap;
	bool auto_credit; /* credits DATA as it comes */
};

struct kit {
	struct slab_pool *pool;
	struct h2_books books; /* of both sides */
	struct kit_side a;     /* client */
	struct kit_side b;     /* server */
	uint64_t now_ns;
	size_t chop; /* bytes a feed; 0: all */
};

static inline struct fields *kit_fields_once(const char *const *pairs)
{
	struct fields *f = fields_create();
	for (int i = 0; f && pairs[i]; i += 2) {
		if (fields_add(f, pairs[i], strlen(pairs[i]), pairs[i + 1], strlen(pairs[i + 1]))) {
			fields_destroy(f);
			return NULL;
		}
	}
	return f;
}

/* Injected failures happen once, so the kit itself tries twice. */
static inline struct fields *kit_fields(const char *const *pairs)
{
	struct fields *f = kit_fields_once(pairs);
	if (!f)
		f = kit_fields_once(pairs);
	if (!f)
		abort();
	return f;
}

static inline struct slice kit_slice(const void *bytes, size_t len)
{
	struct slice s = slice_copy(bytes, (uint32_t)len);
	if (!s.slab && len)
		s = slice_copy(bytes, (uint32_t)len);
	if (!s.slab && len)
		abort();
	return s;
}
#define KIT_FIELDS(...) kit_fields((const char *const[]){__VA_ARGS__, NULL})
#define KIT_REQUEST                                                                                \
	KIT_FIELDS(":method", "POST", ":scheme", "http", ":path", "/chat.Chat/Say", ":authority",  \
		"chat.example.com", "content-type", "application/grpc", "te", "trailers")
#define KIT_RESPONSE KIT_FIELDS(":status", "200", "content-type", "application/grpc")
#define KIT_TRAILERS KIT_FIELDS("grpc-status", "0")

static inline void kit_take(struct kit_side *side, const struct h2_event *ev)
{
	if (side->count == KIT_EVENTS)
		abort();
	side->fields[side->count] = NULL;
	side->events[side->count] = *ev;
	if (ev->kind == H2_EV_MESSAGE) {
		side->fields[side->count] = ev->ev.fields;
		if (side->data_len + ev->ev.data.len > side->data_cap) {
			side->data_cap = (side->data_len + ev->ev.data.len) * 2;
			side->data = realloc(side->data, side->data_cap);
			if (!side->data)
				abort();
		}
		if (ev->ev.data.len)
			memcpy(side->data + side->data_len, ev->ev.data.at, ev->ev.data.len);
		side->data_len += ev->ev.data.len;
		struct slice data = ev->ev.data;
		uint32_t len = data.len;
		slice_drop(&data);
		if (side->auto_credit && len)
			h2_stream_credit(ev->stream, len);
	}
	side->count++;
}

static inline void kit_poll(struct kit_side *side)
{
	struct h2_event ev;
	while (h2_conn_poll(side->conn, &ev))
		kit_take(side, &ev);
}

/* Feeds a copy of the bytes, in pieces of `chop`. */
static inline void kit_feed(struct kit *k, struct kit_side *side, const void *bytes, size_t len)
{
	size_t step = k->chop ? k->chop : len;
	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;
		h2_conn_feed(side->conn, kit_slice((const uint8_t *)bytes + at, n), k->now_ns);
		kit_poll(side);
		if (k->chop)
			h2_conn_settle(side->conn);
	}
}

/* Everything that `from` wants to write, in a fresh buffer. */
static inline uint8_t *kit_drain(struct kit_side *from, size_t *len)
{
	uint8_t *bytes = malloc(1);
	*len = 0;
	while (h2_conn_wants_write(from->conn)) {
		struct iovec iov[8];
		int n = h2_conn_output(from->conn, iov, 8);
		size_t sum = 0;
		for (int i = 0; i < n; i++) {
			bytes = realloc(bytes, *len + iov[i].iov_len + 1);
			if (!bytes)
				abort();
			memcpy(bytes + *len, iov[i].iov_base, iov[i].iov_len);
			*len += iov[i].iov_len;
			sum += iov[i].iov_len;
		}
		if (!sum)
			break;
		h2_conn_written(from->conn, sum);
		kit_poll(from);
	}
	return bytes;
}

static inline bool kit_carry(struct kit *k, struct kit_side *from, struct kit_side *to)
{
	size_t len;
	uint8_t *bytes = kit_drain(from, &len);
	kit_feed(k, to, bytes, len);
	free(bytes);
	return len > 0;
}

/* Until nobody has anything to say. */
static inline void kit_run(struct kit *k)
{
	bool more = true;
	while (more) {
		more = kit_carry(k, &k->a, &k->b);
		more = kit_carry(k, &k->b, &k->a) || more;
	}
}

static inline struct kit *kit_create(
	const struct h2_options *client, const struct h2_options *server)
{
	struct kit *k = calloc(1, sizeof(*k));
	struct h2_options co = h2_options_default(H2_CLIENT), so = h2_options_default(H2_SERVER);
	if (!k)
		abort();
	k->pool = slab_pool_create(4);
	k->now_ns = 1000000000;
	k->a.conn = h2_conn_create(H2_CLIENT, client ? client : &co, k->pool, &k->books);
	k->b.conn = h2_conn_create(H2_SERVER, server ? server : &so, k->pool, &k->books);
	k->a.auto_credit = k->b.auto_credit = true;
	return k;
}

static inline void kit_release_one(struct h2_stream *s, void *arg)
{
	(void)arg;
	h2_stream_release(s);
}

static inline void kit_forget(struct kit_side *side)
{
	for (int i = 0; i < side->count; i++)
		fields_destroy(side->fields[i]);
	side->count = 0;
	side->data_len = 0;
}

/* Ends everything and checks the books. */
static inline void kit_destroy(struct kit *k)
{
	struct kit_side *sides[2] = {&k->a, &k->b};
	for (int i = 0; i < 2; i++) {
		if (sides[i]->conn) {
			h2_conn_each_stream(sides[i]->conn, kit_release_one, NULL);
			h2_conn_destroy(sides[i]->conn);
		}
		kit_forget(sides[i]);
		free(sides[i]->data);
	}
	CHECK_EQ(k->books.held_bytes, 0);
	CHECK_EQ(k->books.streams, 0);
	CHECK_EQ(k->books.conns, 0);
	CHECK_EQ(k->books.bugs, 0);
	CHECK_EQ(slab_pool_out(k->pool), 0);
	slab_pool_destroy(k->pool);
	free(k);
	fields_cache_purge();
	CHECK_EQ(mem_live_blocks(), 0);
}

/* The last event of this kind; NULL: none. */
static inline struct h2_event *kit_last(struct kit_side *side, enum h2_event_kind kind)
{
	for (int i = side->count; i-- > 0;)
		if (side->events[i].kind == kind)
			return &side->events[i];
	return NULL;
}

static inline int kit_count(const struct kit_side *side, enum h2_event_kind kind)
{
	int n = 0;
	for (int i = 0; i < side->count; i++)
		n += side->events[i].kind == kind;
	return n;
}

static inline struct h2_stream *kit_open(struct kit *k, struct fields *f, bool end)
{
	struct event head = {.kind = EVENT_HEAD, .end = end, .fields = f};
	struct h2_stream *s;
	return h2_conn_open(k->a.conn, &head, &s) ? NULL : s;
}

static inline void kit_push_data(struct h2_stream *s, const void *bytes, uint32_t len, bool end)
{
	struct event ev = {.kind = EVENT_DATA, .end = end, .data = kit_slice(bytes, len)};
	h2_stream_push(s, &ev);
}

static inline void kit_push_fields(
	struct h2_stream *s, enum event_kind kind, struct fields *f, bool end)
{
	struct event ev = {.kind = kind, .end = end, .fields = f};
	h2_stream_push(s, &ev);
}

/* Of the latest request that the server was told of. */
static inline struct h2_stream *kit_server_stream(struct kit *k)
{
	for (int i = k->b.count; i-- > 0;)
		if (k->b.events[i].kind == H2_EV_MESSAGE && k->b.events[i].ev.kind == EVENT_HEAD)
			return k->b.events[i].stream;
	return NULL;
}

/* One whole call, both ways. */
static inline void kit_call(struct kit *k)
{
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	REQUIRE(s != NULL);
	kit_push_data(s, "hello", 5, true);
	kit_run(k);
	struct h2_stream *t = kit_server_stream(k);
	REQUIRE(t != NULL);
	CHECK_MEM(k->b.data, k->b.data_len, "hello", 5);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, false);
	kit_push_data(t, "world", 5, false);
	kit_push_fields(t, EVENT_TRAILERS, KIT_TRAILERS, true);
	kit_run(k);
	CHECK_MEM(k->a.data, k->a.data_len, "world", 5);
	CHECK(kit_last(&k->a, H2_EV_CLOSED) != NULL);
	CHECK(kit_last(&k->b, H2_EV_CLOSED) != NULL);
	CHECK(kit_last(&k->a, H2_EV_DEAD) == NULL);
	CHECK(kit_last(&k->b, H2_EV_DEAD) == NULL);
	struct h2_event *trailers = kit_last(&k->a, H2_EV_MESSAGE);
	CHECK_EQ(trailers->ev.kind, EVENT_TRAILERS);
	CHECK(trailers->ev.end);
	h2_stream_release(s);
	h2_stream_release(t);
	kit_forget(&k->a);
	kit_forget(&k->b);
}

/* A call whose request is open at both ends; *server_side is its other half. */
static inline struct h2_stream *kit_open_call(struct kit *k, struct h2_stream **server_side)
{
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	kit_run(k);
	*server_side = kit_server_stream(k);
	return s;
}

/* --- raw frames ---------------------------------------------------------------------------------
 */

struct kit_bytes {
	uint8_t at[1 << 20];
	size_t len;
};

static inline void kit_frame(struct kit_bytes *b, uint8_t type, uint8_t flags, uint32_t id,
	const void *payload, size_t len)
{
	h2_frame_put(b->at + b->len, (uint32_t)len, type, flags, id);
	if (len)
		memcpy(b->at + b->len + 9, payload, len);
	b->len += 9 + len;
}

static inline void kit_preface(struct kit_bytes *b)
{
	b->len = 0;
	memcpy(b->at, h2_preface, 24);
	b->len = 24;
	kit_frame(b, H2_FRAME_SETTINGS, 0, 0, NULL, 0);
}

/* :method POST, :scheme http, :path /, :authority a: every byte by hand. */
#define KIT_RAW_REQUEST                                                                            \
	"\x83\x86\x84\x41\x01"                                                                     \
	"a"

static inline void kit_headers(struct kit_bytes *b, uint32_t id, uint8_t flags)
{
	kit_frame(b, H2_FRAME_HEADERS, flags | H2_FLAG_END_HEADERS, id, KIT_RAW_REQUEST,
		sizeof(KIT_RAW_REQUEST) - 1);
}

/* Finds the n-th frame of a type in written bytes; payload in *p. False: there is none. */
static inline bool kit_find(const uint8_t *bytes, size_t len, uint8_t type, int n,
	struct h2_frame *f, const uint8_t **p)
{
	for (size_t at = 0; at + 9 <= len;) {
		*f = h2_frame_get(bytes + at);
		*p = bytes + at + 9;
		if (f->type == type && n-- == 0)
			return true;
		at += 9 + f->len;
	}
	return false;
}
#endif
