/* transcript.h - for tests and the fuzz target: runs a connection over input that is cut into
 * pieces and writes down what came out of it, one event a line; DATA that only the cuts divided is
 * one line.
 *
 *   HEAD :method=GET :scheme=http :authority=h :path=/ accept=x
 *   DATA hello
 *   END
 *   CLOSED
 *   DEAD bare_lf */
#ifndef WEIR_HTTP1_TRANSCRIPT_H
#define WEIR_HTTP1_TRANSCRIPT_H
#include <stdlib.h>
#include <string.h>
#include "base/rand.h"
#include "http1/http1.h"

struct transcript {
	struct buf events;
	struct buf output; /* what the connection wrote */
	struct buf data;   /* of the DATA line in the making */
	bool answer;       /* a server answers "200" with "ok" at the end of each request */
	bool eof;          /* the input ends with the connection */
	uint64_t admitted, handed_out;
	unsigned heads, ends;
};

static inline void transcript_init(struct transcript *t)
{
	*t = (struct transcript){.answer = true, .eof = true};
	buf_init(&t->events);
	buf_init(&t->output);
	buf_init(&t->data);
}

static inline void transcript_fini(struct transcript *t)
{
	buf_fini(&t->events);
	buf_fini(&t->output);
	buf_fini(&t->data);
}

static inline void transcript_line(struct transcript *t, const char *word, const struct fields *f)
{
	if (t->data.len)
		buf_fmt(&t->events, "DATA %.*s\n", (int)t->data.len, t->data.bytes);
	buf_clear(&t->data);
	buf_str(&t->events, word);
	for (uint32_t i = 0; f && i < f->count; i++)
		buf_fmt(&t->events, " %.*s=%.*s", (int)fields_list(f)[i].name_len,
			fields_list(f)[i].name, (int)fields_list(f)[i].value_len,
			fields_list(f)[i].value);
	buf_char(&t->events, '\n');
}

static inline struct event transcript_head(const char *status, const char *length, bool end)
{
	struct event ev = {.kind = EVENT_HEAD, .end = end, .fields = fields_create()};
	if (!ev.fields || fields_add_str(ev.fields, TOKEN_STATUS, status) ||
		(length && fields_add_str(ev.fields, TOKEN_CONTENT_LENGTH, length)))
		abort();
	return ev;
}

static inline void transcript_answer(struct http1_conn *c)
{
	struct event head = transcript_head("200", "2", false);
	struct event data = {.kind = EVENT_DATA, .end = true, .data = slice_static("ok", 2)};
	http1_conn_push(c, &head);
	http1_conn_push(c, &data);
}

static inline void transcript_message(struct transcript *t, struct http1_conn *c, struct event *ev)
{
	static const char *const words[] = {"INFO", "HEAD", "DATA", "TRAILERS", "RESET"};
	bool end = ev->end;
	t->heads += ev->kind == EVENT_HEAD;
	t->ends += end;
	if (ev->kind == EVENT_DATA) {
		buf_add(&t->data, ev->data.at, ev->data.len);
		t->handed_out += ev->data.len;
		http1_conn_credit(c, ev->data.len);
	} else {
		transcript_line(t, words[ev->kind], ev->fields);
	}
	event_drop(ev);
	if (end)
		transcript_line(t, "END", NULL);
	if (end && t->answer)
		transcript_answer(c);
}

static inline bool transcript_write(struct transcript *t, struct http1_conn *c)
{
	struct iovec iov[4];
	bool any = false;
	int n;
	while ((n = http1_conn_output(c, iov, 4)) > 0) {
		size_t total = 0;
		for (int i = 0; i < n; i++) {
			buf_add(&t->output, iov[i].iov_base, iov[i].iov_len);
			total += iov[i].iov_len;
		}
		http1_conn_written(c, total);
		any = true;
	}
	return any;
}

static inline void transcript_poll(struct transcript *t, struct http1_conn *c)
{
	struct http1_event ev;
	bool again = true;
	while (again) {
		again = false;
		while (http1_conn_poll(c, &ev)) {
			again = true;
			if (ev.kind == HTTP1_EV_MESSAGE)
				transcript_message(t, c, &ev.ev);
			else if (ev.kind == HTTP1_EV_ADMITTED)
				t->admitted += ev.bytes;
			else
				transcript_line(
					t, ev.kind == HTTP1_EV_CLOSED ? "CLOSED" : "DEAD", NULL);
			if (ev.kind == HTTP1_EV_DEAD) {
				t->events.len--;
				buf_fmt(&t->events, " %s\n", http1_fault_name(ev.fault));
			}
		}
		again |= transcript_write(t, c);
	}
	http1_conn_settle(c);
}

/* Pieces of 1..`most` bytes, at random; `most` 0: one piece. */
static inline void transcript_run(struct transcript *t, struct http1_conn *c, const void *bytes,
	size_t len, uint32_t most, uint64_t seed)
{
	struct rand r;
	rand_seed(&r, seed);
	transcript_poll(t, c);
	for (size_t at = 0; at < len && http1_conn_wants_read(c);) {
		size_t n = most ? 1 + rand_below(&r, most) : len;
		n = n > len - at ? len - at : n;
		struct slice piece = slice_copy((const uint8_t *)bytes + at, (uint32_t)n);
		http1_conn_feed(c, piece);
		at += n;
		transcript_poll(t, c);
	}
	if (t->eof) {
		http1_conn_eof(c);
		transcript_poll(t, c);
	}
	if (t->data.len)
		buf_fmt(&t->events, "DATA %.*s\n", (int)t->data.len, t->data.bytes);
	buf_clear(&t->data);
}
#endif
