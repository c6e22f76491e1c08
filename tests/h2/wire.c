/* wire.c - the life of a case, what the peer sends, what our side does. */
#include "base/mem.h"
#include "http/event.h"
#include "wire_own.h"

static const char *const mode_name[WIRE_MODES] = {
	"whole", "byte by byte", "random splits", "joined"};

void bytes_add(struct bytes *b, const void *from, size_t len)
{
	if (b->len + len + 1 > b->cap) {
		b->cap = (b->len + len + 1) * 2;
		b->p = realloc(b->p, b->cap);
		ASSERT(b->p);
	}
	if (len)
		memcpy(b->p + b->len, from, len);
	b->len += len;
	b->p[b->len] = 0;
}

void *wire_grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1) || count == 1) /* not a power of two, and 1 after 0 */
		return array;
	array = realloc(array, (count ? count * 2 : 2) * size);
	ASSERT(array);
	return array;
}

/* ---- life ---- */

void wire_create(struct wire *w, const struct h2_options *o)
{
	struct h2_options def = h2_options_default(w->role);
	w->c = h2_conn_create(w->role, o ? o : &def, w->pool, &w->books);
	ASSERT(w->c);
	w->peer_max_frame = 16384;
	w->next_id = 1;
	wire_sync(w);
}

void wire_handshake(struct wire *w, const char *settings, size_t len)
{
	if (w->role == H2_SERVER)
		wire_raw(w, PREFACE, sizeof(PREFACE) - 1);
	wire_frame(w, SETTINGS, 0, 0, settings, len);
	wire_frame(w, SETTINGS, ACK, 0, "", 0);
	/* Joined mode keeps the handshake's input waiting, so that it shares a feed with what
	 * follows; the answers to it are then after the mark, and no case may count SETTINGS ACKs.
	 */
	if (w->mode != WIRE_JOINED)
		wire_sync(w);
	w->frame_mark = w->frame_count;
	w->event_mark = w->event_count;
}

void wire_begin(struct wire *w, const struct h2_options *o)
{
	wire_create(w, o);
	wire_handshake(w, "", 0);
}

void wire_mark(struct wire *w)
{
	wire_sync(w);
	w->frame_mark = w->frame_count;
	w->event_mark = w->event_count;
}

void wire_destroy(struct wire *w)
{
	for (size_t i = 0; i < w->handle_count; i++)
		if (w->handles[i].s)
			h2_stream_release(w->handles[i].s);
	if (w->c)
		h2_conn_destroy(w->c);
	w->c = NULL;
	fields_cache_purge();
}

static void wire_clear(struct wire *w)
{
	for (size_t i = 0; i < w->frame_count; i++)
		free(w->frames[i].fields);
	for (size_t i = 0; i < w->event_count; i++)
		free(w->events[i].text);
	free(w->frames);
	free(w->events);
	free(w->handles);
	free(w->pending.p);
	free(w->out.p);
	free(w->data.p);
	w->frames = NULL;
	w->events = NULL;
	w->handles = NULL;
	w->frame_count = w->frame_mark = w->event_count = w->event_mark = w->handle_count = 0;
	w->pending = w->out = w->data = (struct bytes){0};
	w->out_parsed = 0;
	w->surfaced = w->headers_in = 0;
	w->dead = w->stop_reading = false;
	wire_inflate_end(w);
}

void wire_restart(struct wire *w, const struct h2_options *o)
{
	wire_destroy(w);
	wire_clear(w);
	wire_create(w, o);
}

static void wire_dump(struct wire *w)
{
	const char *dir = getenv("WIRE_DUMP");
	char path[512];
	if (!dir || w->mode != WIRE_WHOLE || !w->tape.len || w->tape.len > 20000)
		return;
	snprintf(path, sizeof(path), "%s/h2_%s/%s", dir, w->role == H2_SERVER ? "server" : "client",
		w->name);
	FILE *f = fopen(path, "wb");
	if (!f)
		return;
	/* The fuzzers take their decisions from the end: none here, so their defaults apply. */
	fwrite(w->tape.p, 1, w->tape.len, f);
	fputc(0, f);
	fclose(f);
}

static const char *wire_books(struct wire *w)
{
	static char m[160];
	uint64_t out = slab_pool_out(w->pool);
	if (w->books.held_bytes || w->books.streams || w->books.conns || out) {
		snprintf(m, sizeof(m),
			"books after destroy: held %llu streams %llu conns %llu slabs %llu",
			(unsigned long long)w->books.held_bytes,
			(unsigned long long)w->books.streams, (unsigned long long)w->books.conns,
			(unsigned long long)out);
		return m;
	}
	slab_pool_destroy(w->pool);
	long leaked = mem_live_blocks() - w->live_before;
	if (leaked) {
		snprintf(m, sizeof(m), "%ld blocks leaked", leaked);
		return m;
	}
	return w->books.bugs ? "books->bugs is not zero" : NULL;
}

void wire_run(
	enum h2_role role, bool raw, const char *name, void (*body)(struct wire *w), int *failures)
{
	const char *seed = getenv("SEED");
	for (enum wire_mode mode = 0; mode < WIRE_MODES; mode++) {
		struct wire w = {.role = role, .mode = mode, .name = name, .now_ns = 1000000000};
		int before = *failures;
		w.live_before = mem_live_blocks();
		w.pool = slab_pool_create(4);
		ASSERT(w.pool);
		rand_seed(&w.rand, seed ? strtoull(seed, NULL, 0) : 20 + mode);
		w.release_early = mode == WIRE_RANDOM;
		if (!raw)
			wire_begin(&w, NULL);
		body(&w);
		if (w.c)
			wire_sync(&w);
		if (w.broken) {
			(*failures)++;
			printf("# %s\n", w.broken);
		}
		wire_dump(&w);
		wire_destroy(&w);
		const char *books = wire_books(&w);
		if (books) {
			(*failures)++;
			printf("# %s\n", books);
		}
		if (*failures > before)
			printf("# ... when fed %s\n", mode_name[mode]);
		wire_clear(&w);
		free(w.tape.p);
		if (*failures > before)
			return;
	}
}

/* ---- feeding ---- */

static void wire_feed(struct wire *w, const uint8_t *bytes, uint32_t len)
{
	struct slice s;
	if (w->mode == WIRE_WHOLE || w->mode == WIRE_JOINED) {
		struct slab *slab = slab_get(w->pool);
		ASSERT(slab && len <= SLAB_BYTES);
		memcpy(slab->bytes, bytes, len);
		s = slice_of(slab, slab->bytes, len);
		slab_unref(slab);
	} else {
		s = slice_copy(bytes, len); /* exact size: a read beyond it is seen by ASan */
	}
	h2_conn_feed(w->c, s, w->now_ns);
	wire_pump(w);
	if (w->mode == WIRE_BYTES || (w->mode == WIRE_RANDOM && rand_below(&w->rand, 2)))
		h2_conn_settle(w->c);
}

void wire_sync(struct wire *w)
{
	struct bytes in = w->pending;
	size_t at = 0;
	w->pending = (struct bytes){0};
	wire_pump(w);
	while (at < in.len && !w->dead) {
		size_t n = in.len - at;
		if (w->mode == WIRE_BYTES) /* the middle of long inputs goes faster */
			n = at < 3000 || n < 300 ? 1 : 1 + rand_below(&w->rand, 1000);
		else if (w->mode == WIRE_RANDOM)
			n = 1 +
			    rand_below(&w->rand, rand_below(&w->rand, 4) ? (n < 40 ? n : 40) : n);
		if (n > in.len - at)
			n = in.len - at;
		if (n > 200000)
			n = 200000;
		wire_feed(w, in.p + at, (uint32_t)n);
		at += n;
	}
	free(in.p);
	wire_pump(w);
}

void wire_raw(struct wire *w, const void *bytes, size_t len)
{
	bytes_add(&w->pending, bytes, len);
	bytes_add(&w->tape, bytes, len);
	if (w->mode != WIRE_JOINED)
		wire_sync(w);
}

void wire_frame(struct wire *w, int type, int flags, uint32_t id, const void *payload, size_t len)
{
	uint8_t *f = malloc(9 + len);
	ASSERT(f);
	f[0] = (uint8_t)(len >> 16);
	f[1] = (uint8_t)(len >> 8);
	f[2] = (uint8_t)len;
	f[3] = (uint8_t)type;
	f[4] = (uint8_t)flags;
	wire_put32(f + 5, id);
	if (len)
		memcpy(f + 9, payload, len);
	if (type == HEADERS && (id & H2_MAX_STREAM_ID) > w->headers_in)
		w->headers_in = id & H2_MAX_STREAM_ID;
	wire_raw(w, f, 9 + len);
	free(f);
}

void wire_put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

void wire_fill(struct wire *w, int type, int flags, uint32_t id, size_t len)
{
	uint8_t *p = malloc(len + 1);
	ASSERT(p);
	memset(p, 'x', len);
	wire_frame(w, type, flags, id, p, len);
	free(p);
}

/* ---- header blocks by hand: literals without indexing, RFC 7541 6.2.2 ---- */

static void block_string(struct block *b, const char *s, size_t len)
{
	ASSERT(b->len + len + 8 <= sizeof(b->p));
	if (len < 127) {
		b->p[b->len++] = (uint8_t)len;
	} else {
		size_t rest = len - 127;
		b->p[b->len++] = 127;
		for (; rest >= 128; rest >>= 7)
			b->p[b->len++] = (uint8_t)(rest | 0x80);
		b->p[b->len++] = (uint8_t)rest;
	}
	if (len)
		memcpy(b->p + b->len, s, len);
	b->len += len;
}

void block_field(
	struct block *b, const char *name, size_t name_len, const char *value, size_t value_len)
{
	block_raw(b, "\x00", 1);
	block_string(b, name, name_len);
	block_string(b, value, value_len);
}

void block_raw(struct block *b, const void *bytes, size_t len)
{
	ASSERT(b->len + len <= sizeof(b->p));
	memcpy(b->p + b->len, bytes, len);
	b->len += len;
}

/* Calls `each` for every "name value" of `text`. */
void wire_each_field(const char *text, wire_field_fn *each, void *arg)
{
	while (*text) {
		size_t len = strcspn(text, "|");
		const char *space = memchr(text, ' ', len);
		size_t name_len = space ? (size_t)(space - text) : len;
		size_t value_at = space ? name_len + 1 : len;
		each(arg, text, name_len, text + value_at, len - value_at);
		text += len + (text[len] == '|');
	}
}

static void add_to_block(void *arg, const char *name, size_t nl, const char *value, size_t vl)
{
	block_field(arg, name, nl, value, vl);
}

void block_text(struct block *b, const char *text)
{
	wire_each_field(text, add_to_block, b);
}

void wire_block(struct wire *w, uint32_t id, int flags, const struct block *b)
{
	wire_frame(w, HEADERS, flags | EH, id, b->p, b->len);
}

void wire_headers(struct wire *w, uint32_t id, int flags, const char *text)
{
	static struct block b;
	b.len = 0;
	block_text(&b, text);
	wire_block(w, id, flags, &b);
}

void wire_head(struct wire *w, uint32_t id, int flags)
{
	wire_headers(w, id, flags, w->role == H2_SERVER ? POST_REQ : OK_RESP);
}

void wire_setting(struct wire *w, unsigned id, uint32_t value)
{
	uint8_t p[6] = {(uint8_t)(id >> 8), (uint8_t)id};
	wire_put32(p + 2, value);
	if (id == S_FRAME && value >= 16384 && value <= 16777215)
		w->peer_max_frame = value;
	wire_frame(w, SETTINGS, 0, 0, p, 6);
}

void wire_window(struct wire *w, uint32_t id, uint32_t increment)
{
	uint8_t p[4];
	wire_put32(p, increment);
	wire_frame(w, WINDOW_UPDATE, 0, id, p, 4);
}

void wire_rst(struct wire *w, uint32_t id, uint32_t code)
{
	uint8_t p[4];
	wire_put32(p, code);
	wire_frame(w, RST_STREAM, 0, id, p, 4);
}

void wire_goaway(struct wire *w, uint32_t last_id, uint32_t code, const char *debug)
{
	uint8_t p[256];
	size_t len = strlen(debug);
	ASSERT(len < sizeof(p) - 8);
	wire_put32(p, last_id);
	wire_put32(p + 4, code);
	memcpy(p + 8, debug, len);
	wire_frame(w, GOAWAY_F, 0, 0, p, 8 + len);
}

void wire_ping(struct wire *w, int flags, uint64_t opaque)
{
	uint8_t p[8];
	wire_put32(p, (uint32_t)(opaque >> 32));
	wire_put32(p + 4, (uint32_t)opaque);
	wire_frame(w, PING, flags, 0, p, 8);
}
