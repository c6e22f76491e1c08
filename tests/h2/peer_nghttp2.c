/* peer_nghttp2.c - see the header. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "peer_nghttp2.h"

void wrong(struct conversation *c, const char *fmt, ...)
{
	va_list ap;
	if (c->wrong[0])
		return;
	va_start(ap, fmt);
	vsnprintf(c->wrong, sizeof(c->wrong), fmt, ap);
	va_end(ap);
}

void wirebuf_add(struct wirebuf *b, const void *bytes, size_t len)
{
	if (b->at == b->len)
		b->at = b->len = 0;
	if (b->len + len > b->cap) {
		b->cap = (b->len + len) * 2;
		b->p = realloc(b->p, b->cap);
		ASSERT(b->p);
	}
	memcpy(b->p + b->len, bytes, len);
	b->len += len;
}

/* ---- plans ---- */

static uint32_t plan_size(struct rand *r)
{
	switch (rand_below(r, 6)) {
	case 0:
		return 0;
	case 1:
		return (uint32_t)rand_below(r, 20);
	case 2:
		return (uint32_t)rand_below(r, 300000);
	default:
		return (uint32_t)rand_below(r, 9000);
	}
}

static void plan_lane(struct rand *r, struct lane *l)
{
	l->want_bytes = plan_size(r);
	l->trailers = rand_below(r, 2);
}

struct talk *talk_new(struct conversation *c, uint32_t id)
{
	ASSERT(c->count < MAX_TALKS);
	struct talk *t = &c->talks[c->count++];
	struct rand r;
	rand_seed(&r, c->seed * 1000003 + id);
	*t = (struct talk){.id = id};
	plan_lane(&r, &t->up);
	plan_lane(&r, &t->down);
	/* Responses may have an interim head. */
	(c->we_are_client ? &t->down : &t->up)->info = rand_below(&r, 4) == 0;
	return t;
}

struct talk *talk_of(struct conversation *c, uint32_t id)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->talks[i].id == id)
			return &c->talks[i];
	return NULL;
}

uint8_t talk_octet(uint32_t id, uint32_t n)
{
	return (uint8_t)((31 * (uint64_t)id + n) % 251);
}

static void random_fields(struct rand *r, section_fn *add, void *arg)
{
	char name[40], value[9000];
	unsigned n = (unsigned)rand_below(r, 8);
	while (n--) {
		size_t len =
			rand_below(r, 30) ? rand_below(r, 40) : rand_below(r, sizeof(value) - 1);
		/* Few names and often the same values: the dynamic tables work. */
		snprintf(name, sizeof(name), "x-%llu", (unsigned long long)rand_below(r, 12));
		char base = (char)('a' + rand_below(r, 20));
		for (size_t i = 0; i < len; i++)
			value[i] = (char)(base + (char)(i % 5));
		value[len] = 0;
		add(arg, name, value);
	}
	if (rand_below(r, 2))
		add(arg, "authorization", "Bearer 0123456789");
	if (rand_below(r, 2))
		add(arg, "grpc-timeout", "1500m");
}

void talk_section(const struct conversation *c, uint32_t id, bool up, enum section s,
	section_fn *add, void *arg)
{
	char path[40];
	struct rand r;
	rand_seed(&r, c->seed * 7919 + id * 8 + (unsigned)s * 2 + up);
	if (s == SECTION_INFO) {
		add(arg, ":status", "103");
	} else if (s == SECTION_HEAD && up == c->we_are_client) {
		snprintf(path, sizeof(path), "/talk/%u", id);
		add(arg, ":method", "POST");
		add(arg, ":scheme", "http");
		add(arg, ":path", path);
		add(arg, ":authority", "weir.test");
		add(arg, "te", "trailers");
	} else if (s == SECTION_HEAD) {
		add(arg, ":status", "200");
		add(arg, "content-type", "application/grpc");
	} else {
		add(arg, "grpc-status", "0");
	}
	random_fields(&r, add, arg);
}

/* ---- sections as nghttp2 wants them, and as text to compare ---- */

struct nv_list {
	nghttp2_nv nv[24];
	size_t count;
};

static void add_nv(void *arg, const char *name, const char *value)
{
	struct nv_list *l = arg;
	ASSERT(l->count < 24);
	char *n = strdup(name), *v = strdup(value);
	ASSERT(n && v);
	l->nv[l->count++] = (nghttp2_nv){(uint8_t *)n, (uint8_t *)v, strlen(n), strlen(v), 0};
}

static void nv_free(struct nv_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->nv[i].name);
		free(l->nv[i].value);
	}
}

/* What is expected next in the section that is being received, one field at a time. */
struct expect {
	size_t skip; /* fields to pass over */
	const char *name, *value;
	char value_copy[9100], name_copy[64];
	bool found;
};

static void expect_field(void *arg, const char *name, const char *value)
{
	struct expect *e = arg;
	if (e->found || e->skip--)
		return;
	snprintf(e->name_copy, sizeof(e->name_copy), "%s", name);
	snprintf(e->value_copy, sizeof(e->value_copy), "%s", value);
	e->found = true;
}

static struct {
	int32_t id;
	size_t count; /* fields seen of the block that is being received */
	enum section section;
} block;

static int on_begin_headers(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
	struct conversation *c = user;
	struct talk *t = talk_of(c, (uint32_t)f->hd.stream_id);
	if (!t)
		t = talk_new(c, (uint32_t)f->hd.stream_id);
	block.id = f->hd.stream_id;
	block.count = 0;
	block.section = t->up.head_got                  ? SECTION_TRAILERS
			: t->up.info && !t->up.info_got ? SECTION_INFO
							: SECTION_HEAD;
	return 0;
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	static struct expect e;
	struct conversation *c = user;
	e = (struct expect){.skip = block.count++};
	talk_section(c, (uint32_t)block.id, true, block.section, expect_field, &e);
	if (!e.found || strlen(e.name_copy) != name_len || memcmp(e.name_copy, name, name_len) ||
		strlen(e.value_copy) != value_len || memcmp(e.value_copy, value, value_len))
		wrong(c, "stream %d: field %zu of section %d is %.*s", block.id, block.count,
			(int)block.section, (int)name_len, (const char *)name);
	return 0;
}

static void section_done(struct conversation *c, struct talk *t)
{
	static struct expect e;
	e = (struct expect){.skip = block.count};
	talk_section(c, t->id, true, block.section, expect_field, &e);
	if (e.found)
		wrong(c, "stream %u: field %s is missing", t->id, e.name_copy);
	if (block.section == SECTION_INFO)
		t->up.info_got = true;
	else if (block.section == SECTION_HEAD)
		t->up.head_got = true;
	else
		t->up.trailers_got = true;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
	struct conversation *c = user;
	struct talk *t = talk_of(c, (uint32_t)f->hd.stream_id);
	if (f->hd.type == NGHTTP2_HEADERS && t)
		section_done(c, t);
	if ((f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) && t &&
		f->hd.flags & NGHTTP2_FLAG_END_STREAM)
		t->up.end_got = true;
	if (f->hd.type == NGHTTP2_PING && f->hd.flags & NGHTTP2_FLAG_ACK)
		c->pings_answered++;
	if (f->hd.type == NGHTTP2_SETTINGS && f->hd.flags & NGHTTP2_FLAG_ACK)
		c->settings_acked++;
	if (f->hd.type == NGHTTP2_GOAWAY) {
		c->goaway_got = true;
		if (f->goaway.error_code != NGHTTP2_NO_ERROR)
			wrong(c, "our engine said GOAWAY(%u, %.*s)", f->goaway.error_code,
				(int)f->goaway.opaque_data_len,
				(const char *)f->goaway.opaque_data);
	}
	return 0;
}

static int on_data(
	nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t len, void *user)
{
	struct conversation *c = user;
	struct talk *t = talk_of(c, (uint32_t)id);
	for (size_t i = 0; t && i < len; i++)
		if (p[i] != talk_octet(t->id, t->up.got_bytes + (uint32_t)i)) {
			wrong(c, "stream %d: octet %zu from us is wrong", id, t->up.got_bytes + i);
			break;
		}
	if (t) {
		t->up.got_bytes += (uint32_t)len;
		t->up.owed_bytes += (uint32_t)len;
	}
	return 0;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t code, void *user)
{
	struct conversation *c = user;
	struct talk *t = talk_of(c, (uint32_t)id);
	if (!t)
		return 0;
	t->theirs_over = true;
	if (code != NGHTTP2_NO_ERROR && !t->we_reset && !t->they_reset && !t->unprocessed)
		wrong(c, "stream %d closed with %u at libnghttp2, nobody reset it", id, code);
	if (code != NGHTTP2_NO_ERROR && t->we_reset && !t->they_reset && code != t->code)
		wrong(c, "stream %d: libnghttp2 got code %u, we sent %u", id, code, t->code);
	/* What was received and not consumed goes back to the connection's window. */
	nghttp2_session_consume_connection(s, t->up.owed_bytes);
	t->up.owed_bytes = 0;
	return 0;
}

static int on_invalid(nghttp2_session *s, const nghttp2_frame *f, int error, void *user)
{
	wrong(user, "libnghttp2 calls our frame of type %d on stream %d invalid: %s", f->hd.type,
		f->hd.stream_id, nghttp2_strerror(error));
	return 0;
}

static int on_error(nghttp2_session *s, int code, const char *msg, size_t len, void *user)
{
	wrong(user, "libnghttp2: %.*s", (int)len, msg);
	return 0;
}

static ssize_t padded(nghttp2_session *s, const nghttp2_frame *f, size_t max, void *user)
{
	struct conversation *c = user;
	size_t room = max - f->hd.length;
	if (rand_below(&c->rand, 4) || !room)
		return (ssize_t)f->hd.length;
	return (ssize_t)(f->hd.length + rand_below(&c->rand, room < 255 ? room : 255));
}

static ssize_t read_length(nghttp2_session *s, uint8_t type, int32_t id, int32_t session_window,
	int32_t stream_window, uint32_t max_frame, void *user)
{
	struct conversation *c = user;
	return 1 + (ssize_t)rand_below(&c->rand, rand_below(&c->rand, 2) ? max_frame : 50);
}

static ssize_t source(nghttp2_session *s, int32_t id, uint8_t *buf, size_t len, uint32_t *flags,
	nghttp2_data_source *src, void *user)
{
	struct conversation *c = user;
	struct talk *t = talk_of(c, (uint32_t)id);
	struct lane *l = &t->down;
	size_t left = l->want_bytes - l->sent_bytes;
	if (left && !rand_below(&c->rand, 4))
		return NGHTTP2_ERR_DEFERRED;
	size_t n = left < len ? left : len;
	for (size_t i = 0; i < n; i++)
		buf[i] = talk_octet(t->id, l->sent_bytes + (uint32_t)i);
	l->sent_bytes += (uint32_t)n;
	if (l->sent_bytes == l->want_bytes) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		l->end_sent = true;
		if (l->trailers) {
			struct nv_list list = {.count = 0};
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			talk_section(c, t->id, false, SECTION_TRAILERS, add_nv, &list);
			if (nghttp2_submit_trailer(s, id, list.nv, list.count))
				wrong(c, "submit_trailer");
			nv_free(&list);
		}
	}
	return (ssize_t)n;
}

/* ---- the session ---- */

void peer_create(struct conversation *c)
{
	nghttp2_session_callbacks *cb;
	nghttp2_option *opt;
	ASSERT(nghttp2_session_callbacks_new(&cb) == 0 && nghttp2_option_new(&opt) == 0);
	nghttp2_option_set_no_auto_window_update(opt, 1);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid);
	nghttp2_session_callbacks_set_error_callback2(cb, on_error);
	nghttp2_session_callbacks_set_select_padding_callback(cb, padded);
	nghttp2_session_callbacks_set_data_source_read_length_callback(cb, read_length);
	ASSERT((c->we_are_client ? nghttp2_session_server_new2(&c->them, cb, c, opt)
				 : nghttp2_session_client_new2(&c->them, cb, c, opt)) == 0);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(opt);
	peer_settings(c, false);
}

void peer_destroy(struct conversation *c)
{
	nghttp2_session_del(c->them);
	free(c->to_them.p);
	free(c->to_us.p);
}

bool peer_feed(struct conversation *c, size_t bytes)
{
	struct wirebuf *b = &c->to_them;
	if (bytes > b->len - b->at)
		bytes = b->len - b->at;
	ssize_t n = nghttp2_session_mem_recv(c->them, b->p + b->at, bytes);
	if (n != (ssize_t)bytes)
		wrong(c, "nghttp2_session_mem_recv: %s",
			n < 0 ? nghttp2_strerror((int)n) : "stopped");
	b->at += bytes;
	return bytes > 0;
}

void peer_write(struct conversation *c, bool all)
{
	const uint8_t *p;
	ssize_t n;
	do {
		n = nghttp2_session_mem_send(c->them, &p);
		if (n < 0)
			wrong(c, "nghttp2_session_mem_send: %s", nghttp2_strerror((int)n));
		if (n > 0)
			wirebuf_add(&c->to_us, p, (size_t)n);
	} while (all && n > 0);
}

static void send_head(struct conversation *c, struct talk *t)
{
	struct nv_list list = {.count = 0};
	nghttp2_data_provider body = {.read_callback = source};
	bool empty = !t->down.want_bytes && !t->down.trailers;
	talk_section(c, t->id, false, SECTION_HEAD, add_nv, &list);
	int rc = c->we_are_client ? nghttp2_submit_response(c->them, (int32_t)t->id, list.nv,
					    list.count, empty ? NULL : &body)
				  : nghttp2_submit_request(c->them, NULL, list.nv, list.count,
					    empty ? NULL : &body, NULL);
	if (rc < 0)
		wrong(c, "libnghttp2 refused to send a head: %s", nghttp2_strerror(rc));
	if (!c->we_are_client && rc != (int)t->id)
		wrong(c, "libnghttp2 took stream id %d for %u", rc, t->id);
	t->down.head_sent = true;
	t->down.end_sent = empty;
	nv_free(&list);
}

void peer_start(struct conversation *c)
{
	int32_t id = nghttp2_session_get_next_stream_id(c->them);
	send_head(c, talk_new(c, (uint32_t)id));
}

void peer_answer(struct conversation *c, struct talk *t)
{
	if (t->down.head_sent || !t->up.head_got || t->theirs_over || t->they_reset)
		return;
	if (t->down.info) {
		struct nv_list list = {.count = 0};
		talk_section(c, t->id, false, SECTION_INFO, add_nv, &list);
		if (nghttp2_submit_headers(
			    c->them, 0, (int32_t)t->id, NULL, list.nv, list.count, NULL) < 0)
			wrong(c, "submit_headers");
		nv_free(&list);
	}
	send_head(c, t);
}

void peer_resume(struct conversation *c, struct talk *t)
{
	if (t->down.head_sent && !t->theirs_over)
		nghttp2_session_resume_data(c->them, (int32_t)t->id);
}

void peer_reset(struct conversation *c, struct talk *t, uint32_t code)
{
	if (t->theirs_over || t->they_reset ||
		(c->we_are_client ? !t->up.head_got : !t->down.head_sent))
		return;
	t->they_reset = true;
	if (!t->we_reset)
		t->code = code;
	nghttp2_submit_rst_stream(c->them, 0, (int32_t)t->id, code);
}

void peer_credit(struct conversation *c, struct talk *t)
{
	if (t->up.owed_bytes)
		nghttp2_session_consume(c->them, (int32_t)t->id, t->up.owed_bytes);
	t->up.owed_bytes = 0;
}

void peer_settings(struct conversation *c, bool generous)
{
	static const uint32_t windows[] = {0, 1, 100, 65535, 70000, 1 << 20};
	static const uint32_t frames[] = {16384, 16385, 40000};
	static const uint32_t tables[] = {0, 64, 500, 4096, 65536};
	nghttp2_settings_entry e[4] = {
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, windows[rand_below(&c->rand, 6)]},
		{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, frames[rand_below(&c->rand, 3)]},
		{NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, tables[rand_below(&c->rand, 5)]},
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 200},
	};
	if (generous)
		e[0].value = 1 << 20;
	if (nghttp2_submit_settings(c->them, 0, e, 4))
		wrong(c, "submit_settings");
}

void peer_ping(struct conversation *c)
{
	nghttp2_submit_ping(c->them, 0, (const uint8_t *)"question");
}

void peer_goaway(struct conversation *c)
{
	nghttp2_submit_goaway(c->them, 0, nghttp2_session_get_last_proc_stream_id(c->them),
		NGHTTP2_NO_ERROR, (const uint8_t *)"done", 4);
}
