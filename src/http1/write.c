/* write.c - writing: heads from fields, content in its framing, and the queue before the socket. */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "http1/conn_priv.h"

/* ---- the queue ---- */

static bool make_room(struct http1_conn *c)
{
	if (c->piece_count < c->piece_cap)
		return true;
	if (c->piece_first > c->piece_cap / 2) {
		c->piece_count -= c->piece_first;
		memmove(c->pieces, c->pieces + c->piece_first, c->piece_count * sizeof *c->pieces);
		c->piece_first = 0;
		return true;
	}
	uint32_t cap = c->piece_cap ? c->piece_cap * 2 : 8;
	struct http1_piece *pieces = mem_realloc(c->pieces, cap * sizeof *pieces);
	if (!pieces)
		return false;
	c->pieces = pieces;
	c->piece_cap = cap;
	return true;
}

bool http1_queue(struct http1_conn *c, struct slice bytes, bool content)
{
	if (!bytes.len || !make_room(c)) {
		bool ok = !bytes.len;
		slice_drop(&bytes);
		if (!ok)
			http1_conn_fail(c, HTTP1_FAULT_NO_MEMORY);
		return ok;
	}
	c->pieces[c->piece_count++] = (struct http1_piece){bytes, content};
	c->unwritten += bytes.len;
	return true;
}

bool http1_queue_copy(struct http1_conn *c, const void *bytes, size_t len)
{
	struct slice copy = slice_copy(bytes, (uint32_t)len);
	if (len && !copy.slab) {
		http1_conn_fail(c, HTTP1_FAULT_NO_MEMORY);
		return false;
	}
	return http1_queue(c, copy, false);
}

void http1_queue_clear(struct http1_conn *c)
{
	while (c->piece_first < c->piece_count)
		slice_drop(&c->pieces[c->piece_first++].bytes);
	c->piece_first = c->piece_count = 0;
	c->unwritten = 0;
}

bool http1_conn_wants_write(const struct http1_conn *c)
{
	return c->unwritten > 0;
}

size_t http1_conn_unwritten(const struct http1_conn *c)
{
	return c->unwritten;
}

int http1_conn_output(struct http1_conn *c, struct iovec *iov, int max)
{
	int n = 0;
	for (uint32_t i = c->piece_first; i < c->piece_count && n < max; i++)
		iov[n++] = (struct iovec){c->pieces[i].bytes.at, c->pieces[i].bytes.len};
	return n;
}

void http1_conn_written(struct http1_conn *c, size_t bytes)
{
	ASSERT(bytes <= c->unwritten);
	c->unwritten -= bytes;
	while (bytes) {
		struct http1_piece *p = &c->pieces[c->piece_first];
		uint32_t n = bytes < p->bytes.len ? (uint32_t)bytes : p->bytes.len;
		c->admitted += p->content ? n : 0;
		bytes -= n;
		p->bytes.at += n;
		p->bytes.len -= n;
		if (!p->bytes.len) {
			slice_drop(&p->bytes);
			c->piece_first++;
		}
	}
	if (c->piece_first == c->piece_count)
		c->piece_first = c->piece_count = 0;
}

/* ---- heads ---- */

/* A head in the making. `broken`: its fields would not be read as what they are. */
struct head {
	struct buf out;
	bool broken, has_length, skip_length;
	unsigned cookies;
	uint64_t length;
};

static void put_field(struct http1_conn *c, struct head *h, const struct field *f)
{
	unsigned flags = token_flags((enum token)f->token);
	if ((flags & (TF_PSEUDO | TF_HOP)) || f->token == TOKEN_TE)
		return;
	if (c->role == HTTP1_CLIENT && (f->token == TOKEN_HOST || f->token == TOKEN_COOKIE))
		return; /* host is :authority, crumbs are put together */
	if (f->token == TOKEN_CONTENT_LENGTH) {
		h->broken |= h->has_length || !http1_parse_length(f, &h->length);
		h->has_length = true;
		if (h->skip_length)
			return;
	}
	h->broken |= !http1_is_token((const uint8_t *)f->name, f->name_len) ||
		     !http1_is_field_value((const uint8_t *)f->value, f->value_len);
	buf_add(&h->out, f->name, f->name_len);
	buf_str(&h->out, ": ");
	buf_add(&h->out, f->value, f->value_len);
	buf_str(&h->out, "\r\n");
}

static void put_fields(struct http1_conn *c, struct head *h, const struct fields *f)
{
	for (uint32_t i = 0; i < f->count; i++)
		put_field(c, h, &fields_list(f)[i]);
}

/* RFC 9113 8.2.3: crumbs become one field, with "; " between them. */
static void put_cookies(struct head *h, const struct fields *f)
{
	for (uint32_t i = 0; i < f->count; i++) {
		const struct field *crumb = &fields_list(f)[i];
		if (crumb->token != TOKEN_COOKIE)
			continue;
		h->broken |= !http1_is_field_value((const uint8_t *)crumb->value, crumb->value_len);
		buf_str(&h->out, h->cookies++ ? "; " : "cookie: ");
		buf_add(&h->out, crumb->value, crumb->value_len);
	}
	if (h->cookies)
		buf_str(&h->out, "\r\n");
}

static bool send_head(struct http1_conn *c, struct head *h)
{
	enum http1_fault fault = h->broken       ? HTTP1_FAULT_INTERNAL
				 : h->out.failed ? HTTP1_FAULT_NO_MEMORY
						 : HTTP1_NO_FAULT;
	if (fault != HTTP1_NO_FAULT)
		http1_conn_fail(c, fault);
	else
		http1_queue_copy(c, h->out.bytes, h->out.len);
	buf_fini(&h->out);
	return c->fault == HTTP1_NO_FAULT;
}

/* The status as a number, 0 when there is none that makes sense. */
static unsigned status_of(const struct fields *f)
{
	const struct field *s = f ? fields_get(f, TOKEN_STATUS) : NULL;
	uint64_t n;
	return s && s->value_len == 3 && http1_parse_length(s, &n) && n >= 100 && n < 600
		       ? (unsigned)n
		       : 0;
}

static void put_status_line(struct head *h, unsigned status)
{
	buf_fmt(&h->out, "HTTP/1.1 %u %s\r\n", status, http1_reason(status));
}

static void push_info(struct http1_conn *c, const struct event *ev)
{
	struct head h = {.skip_length = true};
	unsigned status = status_of(ev->fields);
	if (c->role != HTTP1_SERVER || c->out != HTTP1_OUT_HEAD || status < 100 || status > 199 ||
		status == 101) {
		http1_conn_fail(c, HTTP1_FAULT_INTERNAL);
		return;
	}
	if (c->version == HTTP1_1_0) /* RFC 9110 15.2 */
		return;
	if (status == 100)
		c->expects_continue = false;
	put_status_line(&h, status);
	put_fields(c, &h, ev->fields);
	buf_str(&h.out, "\r\n");
	send_head(c, &h);
}

/* How the response's content will be framed (RFC 9112 6), said in the head. */
static void put_response_framing(struct http1_conn *c, struct head *h, bool no_content, bool end)
{
	if (no_content) {
		c->out = HTTP1_OUT_NOTHING;
	} else if (h->has_length || end) {
		c->out = HTTP1_OUT_LENGTH;
		c->out_left = h->length;
		if (!h->has_length)
			buf_str(&h->out, "content-length: 0\r\n");
	} else if (c->version == HTTP1_1_0) {
		c->out = HTTP1_OUT_UNTIL_CLOSE;
	} else {
		c->out = HTTP1_OUT_CHUNKED;
		buf_str(&h->out, "transfer-encoding: chunked\r\n");
	}
	c->close_after |= c->in != HTTP1_IN_DONE || (c->eof && !c->input.len);
	buf_str(&h->out, c->close_after ? "connection: close\r\n\r\n" : "\r\n");
}

static void push_response_head(struct http1_conn *c, const struct event *ev)
{
	struct head h = {0};
	unsigned status = status_of(ev->fields);
	bool no_content = c->head_request || status == 204 || status == 304;
	h.skip_length = status == 204;
	put_status_line(&h, status);
	put_fields(c, &h, ev->fields);
	h.broken |= status < 200 || (ev->end && !no_content && h.length);
	/* A broken head is found before the response has begun, so that a 500 can take its place.
	 */
	if (!h.broken)
		put_response_framing(c, &h, no_content, ev->end);
	send_head(c, &h);
}

static bool is_one_of(const struct field *f, const char *const *names)
{
	for (; *names; names++)
		if (field_is(f, *names))
			return true;
	return false;
}

static void push_request_head(struct http1_conn *c, const struct event *ev)
{
	static const char *const with_content[] = {"POST", "PUT", "PATCH", NULL};
	struct head h = {0};
	const struct field *method = fields_get(ev->fields, TOKEN_METHOD);
	const struct field *path = fields_get(ev->fields, TOKEN_PATH);
	const struct field *authority = fields_get(ev->fields, TOKEN_AUTHORITY);
	bool ok = http1_conn_is_idle(c) && method && path && authority &&
		  !field_is(method, "CONNECT") &&
		  http1_is_token((const uint8_t *)method->value, method->value_len) &&
		  http1_is_target((const uint8_t *)path->value, path->value_len) &&
		  http1_is_authority((const uint8_t *)authority->value, authority->value_len);
	if (!ok) {
		http1_conn_fail(c, HTTP1_FAULT_INTERNAL);
		return;
	}
	buf_fmt(&h.out, "%.*s %.*s HTTP/1.1\r\nhost: %.*s\r\n", (int)method->value_len,
		method->value, (int)path->value_len, path->value, (int)authority->value_len,
		authority->value);
	put_fields(c, &h, ev->fields);
	put_cookies(&h, ev->fields);
	c->head_request = field_is(method, "HEAD");
	c->out = HTTP1_OUT_LENGTH;
	c->out_left = h.length;
	h.broken |= ev->end && h.length;
	if (!h.has_length && ev->end && is_one_of(method, with_content))
		buf_str(&h.out, "content-length: 0\r\n");
	if (!h.has_length && !ev->end) {
		c->out = HTTP1_OUT_CHUNKED;
		buf_str(&h.out, "transfer-encoding: chunked\r\n");
	}
	buf_str(&h.out, c->close_after ? "connection: close\r\n\r\n" : "\r\n");
	send_head(c, &h);
}

/* ---- content ---- */

static void push_chunk(struct http1_conn *c, struct slice *data)
{
	char size[16];
	int n = snprintf(size, sizeof size, "%x\r\n", data->len);
	if (http1_queue_copy(c, size, (size_t)n) &&
		http1_queue(c, slice_cut(data, data->len), true))
		http1_queue(c, slice_static("\r\n", 2), false);
}

static void push_data(struct http1_conn *c, struct event *ev)
{
	switch (c->out) {
	case HTTP1_OUT_LENGTH:
		if (ev->data.len > c->out_left) {
			http1_conn_fail(c, HTTP1_FAULT_INTERNAL);
			return;
		}
		c->out_left -= ev->data.len;
		http1_queue(c, slice_cut(&ev->data, ev->data.len), true);
		return;
	case HTTP1_OUT_CHUNKED:
		if (ev->data.len)
			push_chunk(c, &ev->data);
		return;
	case HTTP1_OUT_UNTIL_CLOSE:
		http1_queue(c, slice_cut(&ev->data, ev->data.len), true);
		return;
	case HTTP1_OUT_NOTHING:
		c->admitted += ev->data.len; /* gone, so its sender may go on */
		return;
	case HTTP1_OUT_IDLE:
	case HTTP1_OUT_HEAD:
	case HTTP1_OUT_DONE:
		http1_conn_fail(c, HTTP1_FAULT_INTERNAL);
		return;
	}
	UNREACHABLE();
}

static void push_end(struct http1_conn *c, const struct fields *trailers)
{
	struct head h = {.skip_length = true};
	enum http1_out was = c->out;
	if (was == HTTP1_OUT_LENGTH && c->out_left) {
		http1_conn_fail(c, HTTP1_FAULT_INTERNAL);
		return;
	}
	if (was == HTTP1_OUT_CHUNKED) {
		buf_str(&h.out, "0\r\n");
		if (trailers)
			put_fields(c, &h, trailers);
		buf_str(&h.out, "\r\n");
		if (!send_head(c, &h))
			return;
	}
	c->out = HTTP1_OUT_DONE;
}

static void push_head(struct http1_conn *c, const struct event *ev)
{
	bool in_order = c->out == (c->role == HTTP1_SERVER ? HTTP1_OUT_HEAD : HTTP1_OUT_IDLE);
	if (!in_order || !ev->fields)
		http1_conn_fail(c, HTTP1_FAULT_INTERNAL);
	else if (c->role == HTTP1_SERVER)
		push_response_head(c, ev);
	else
		push_request_head(c, ev);
}

static bool content_may_come(const struct http1_conn *c)
{
	return c->out != HTTP1_OUT_IDLE && c->out != HTTP1_OUT_HEAD && c->out != HTTP1_OUT_DONE;
}

void http1_conn_push(struct http1_conn *c, struct event *ev)
{
	/* A client whose response is complete has nothing more to say. */
	bool late = c->fault != HTTP1_NO_FAULT || c->in == HTTP1_IN_CLOSED;
	switch (late ? EVENT_INFO : ev->kind) {
	case EVENT_INFO:
		if (!late)
			push_info(c, ev);
		break;
	case EVENT_HEAD:
		push_head(c, ev);
		break;
	case EVENT_DATA:
		push_data(c, ev);
		break;
	case EVENT_TRAILERS:
		if (!content_may_come(c))
			http1_conn_fail(c, HTTP1_FAULT_INTERNAL);
		break;
	case EVENT_RESET:
		http1_conn_fail(c, HTTP1_FAULT_INTERNAL);
		break;
	}
	if (!late && c->fault == HTTP1_NO_FAULT && ev->kind != EVENT_INFO &&
		(ev->end || ev->kind == EVENT_TRAILERS))
		push_end(c, ev->kind == EVENT_TRAILERS ? ev->fields : NULL);
	event_drop(ev);
}
