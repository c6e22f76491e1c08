/* wire_app.c - our side of a case: polls events, writes output, pushes and resets. */
#include "http/event.h"
#include "wire_own.h"

static void broken(struct wire *w, const char *what)
{
	if (!w->broken)
		w->broken = what;
}

static struct wire_handle *handle_of(struct wire *w, const struct h2_stream *s)
{
	for (size_t i = 0; i < w->handle_count; i++)
		if (w->handles[i].s == s)
			return &w->handles[i];
	return NULL;
}

static struct wire_handle *handle_add(struct wire *w, struct h2_stream *s)
{
	w->handles = wire_grow(w->handles, w->handle_count, sizeof(*w->handles));
	struct wire_handle *h = &w->handles[w->handle_count++];
	*h = (struct wire_handle){.s = s, .id = h2_stream_id(s)};
	return h;
}

static char *text_of(const struct fields *f)
{
	struct bytes b = {0};
	bytes_add(&b, "", 0);
	for (uint32_t i = 0; f && i < f->count; i++) {
		const struct field *x = &fields_list(f)[i];
		bytes_add(&b, "|", i > 0);
		bytes_add(&b, x->name, x->name_len);
		bytes_add(&b, " ", 1);
		bytes_add(&b, x->value, x->value_len);
	}
	return (char *)b.p;
}

/* Every stream event but a server's first HEAD names a handle that is still ours. */
static void note_stream(struct wire *w, struct h2_event *e, struct wire_event *log)
{
	struct wire_handle *h = handle_of(w, e->stream);
	bool head = e->kind == H2_EV_MESSAGE && e->ev.kind == EVENT_HEAD;
	if (!h && head && w->role == H2_SERVER) {
		h = handle_add(w, e->stream);
		if (h->id > w->surfaced)
			w->surfaced = h->id;
	}
	if (!h) {
		broken(w, "event for a stream without a handle");
		return;
	}
	h->id = h2_stream_id(h->s);
	log->id = h->id;
	if (h->over)
		broken(w, "event after a stream's last event");
	if (e->kind == H2_EV_CLOSED || e->kind == H2_EV_RESET) {
		h->over = true;
		if (w->release_early) {
			h2_stream_release(h->s);
			h->s = NULL;
		}
	}
}

static void note_event(struct wire *w, struct h2_event *e)
{
	w->events = wire_grow(w->events, w->event_count, sizeof(*w->events));
	struct wire_event *log = &w->events[w->event_count++];
	*log = (struct wire_event){.e = *e, .at = w->data.len};
	if (w->dead)
		broken(w, "event after DEAD");
	if (e->kind == H2_EV_MESSAGE || e->kind == H2_EV_RESET || e->kind == H2_EV_CLOSED ||
		e->kind == H2_EV_ADMITTED)
		note_stream(w, e, log);
	if (e->kind == H2_EV_GOAWAY) {
		struct bytes b = {0};
		bytes_add(&b, e->debug, e->debug_len);
		log->text = (char *)b.p;
	} else {
		log->text = text_of(e->kind == H2_EV_MESSAGE ? e->ev.fields : NULL);
	}
	if (e->kind == H2_EV_MESSAGE) {
		bytes_add(&w->data, e->ev.data.at, e->ev.data.len);
		log->len = e->ev.data.len;
		event_drop(&e->ev);
	}
	if (e->kind == H2_EV_DEAD)
		w->dead = true;
}

static bool wire_write(struct wire *w)
{
	struct iovec iov[4];
	size_t total = 0;
	int n = h2_conn_output(w->c, iov, 1 + (int)rand_below(&w->rand, 4));
	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	if (!total)
		return false;
	/* Short writes happen: a part of what was offered, anywhere. */
	size_t take = w->mode == WIRE_RANDOM ? 1 + rand_below(&w->rand, total) : total, left = take;
	for (int i = 0; i < n && left; i++) {
		size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;
		bytes_add(&w->out, iov[i].iov_base, part);
		left -= part;
	}
	h2_conn_written(w->c, take);
	if (w->mode == WIRE_RANDOM && !rand_below(&w->rand, 8))
		h2_conn_compact(w->c);
	return true;
}

void wire_pump(struct wire *w)
{
	bool more = true;
	while (more) {
		struct h2_event e;
		more = false;
		while (h2_conn_poll(w->c, &e)) {
			note_event(w, &e);
			more = true;
		}
		if (!w->stop_reading && wire_write(w))
			more = true;
	}
	for (size_t i = 0; i < w->handle_count; i++)
		if (w->handles[i].s)
			w->handles[i].id = h2_stream_id(w->handles[i].s);
	wire_parse_out(w);
}

struct h2_stream *wire_stream(struct wire *w, uint32_t id)
{
	for (size_t i = 0; i < w->handle_count; i++)
		if (w->handles[i].id == id && w->handles[i].s)
			return w->handles[i].s;
	return NULL;
}

static void add_field(void *arg, const char *name, size_t nl, const char *value, size_t vl)
{
	ASSERT(fields_add(arg, name, nl, value, vl) == 0);
}

static struct fields *fields_of(const char *text)
{
	struct fields *f = fields_create();
	ASSERT(f);
	wire_each_field(text, add_field, f);
	return f;
}

uint32_t app_open(struct wire *w, const char *head, bool end)
{
	struct event ev = {.kind = EVENT_HEAD, .end = end, .fields = fields_of(head)};
	struct h2_stream *s = NULL;
	wire_sync(w);
	if (h2_conn_open(w->c, &ev, &s))
		return 0;
	handle_add(w, s);
	size_t i = w->handle_count - 1;
	wire_pump(w);
	return w->handles[i].id;
}

static void push(struct wire *w, uint32_t id, struct event ev)
{
	wire_sync(w);
	struct h2_stream *s = wire_stream(w, id);
	if (s)
		h2_stream_push(s, &ev);
	else
		event_drop(&ev);
	wire_pump(w);
}

void app_info(struct wire *w, uint32_t id, const char *text)
{
	push(w, id, (struct event){.kind = EVENT_INFO, .fields = fields_of(text)});
}

void app_head(struct wire *w, uint32_t id, const char *text, bool end)
{
	push(w, id, (struct event){.kind = EVENT_HEAD, .fields = fields_of(text), .end = end});
}

void app_data(struct wire *w, uint32_t id, size_t len, bool end)
{
	struct slice s = {0};
	if (len) {
		uint8_t *p = malloc(len);
		ASSERT(p);
		for (size_t i = 0; i < len; i++)
			p[i] = (uint8_t)(i % 251);
		s = slice_copy(p, (uint32_t)len);
		ASSERT(s.slab);
		free(p);
	}
	push(w, id, (struct event){.kind = EVENT_DATA, .data = s, .end = end});
}

void app_trailers(struct wire *w, uint32_t id, const char *text)
{
	push(w, id, (struct event){.kind = EVENT_TRAILERS, .fields = fields_of(text), .end = true});
}

void app_credit(struct wire *w, uint32_t id, uint32_t bytes)
{
	wire_sync(w);
	struct h2_stream *s = wire_stream(w, id);
	if (s)
		h2_stream_credit(s, bytes);
	wire_pump(w);
}

void app_reset(struct wire *w, uint32_t id, uint32_t code)
{
	wire_sync(w);
	struct h2_stream *s = wire_stream(w, id);
	if (s) {
		handle_of(w, s)->over = true; /* no event may follow */
		h2_stream_reset(s, code);
	}
	wire_pump(w);
}

void app_release(struct wire *w, uint32_t id)
{
	wire_sync(w);
	struct h2_stream *s = wire_stream(w, id);
	if (s) {
		handle_of(w, s)->s = NULL;
		h2_stream_release(s);
	}
	wire_pump(w);
}

/* ---- streams in the states of RFC 9113 section 5.1 ---- */

uint32_t stream_open(struct wire *w)
{
	if (w->role == H2_CLIENT)
		return app_open(w, POST_REQ, false);
	uint32_t id = w->next_id;
	w->next_id += 2;
	wire_headers(w, id, 0, POST_REQ);
	return id;
}

uint32_t stream_in_body(struct wire *w)
{
	uint32_t id = stream_open(w);
	if (w->role == H2_CLIENT)
		wire_head(w, id, 0);
	return id;
}

uint32_t stream_peer_ended(struct wire *w)
{
	uint32_t id;
	if (w->role == H2_CLIENT) {
		id = stream_open(w);
		wire_head(w, id, ES);
		return id;
	}
	id = w->next_id;
	w->next_id += 2;
	wire_head(w, id, ES);
	return id;
}

uint32_t stream_we_ended(struct wire *w)
{
	if (w->role == H2_CLIENT)
		return app_open(w, GET_REQ, true);
	uint32_t id = stream_open(w);
	app_head(w, id, OK_RESP, true);
	return id;
}

uint32_t stream_both_ended(struct wire *w)
{
	uint32_t id;
	if (w->role == H2_CLIENT) {
		id = stream_we_ended(w);
		wire_head(w, id, ES);
	} else {
		id = stream_peer_ended(w);
		app_head(w, id, OK_RESP, true);
	}
	wire_sync(w);
	return id;
}

uint32_t stream_peer_reset(struct wire *w)
{
	uint32_t id = stream_open(w);
	wire_rst(w, id, H2_CANCEL);
	wire_sync(w);
	return id;
}

uint32_t stream_we_reset(struct wire *w)
{
	uint32_t id = stream_open(w);
	app_reset(w, id, H2_CANCEL);
	return id;
}

uint32_t stream_idle(struct wire *w)
{
	return w->role == H2_SERVER ? w->next_id + 20 : 21;
}
