#include "proxy/front1.h"
#include <string.h>
#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "http1/http1.h"
#include "proxy/accept.h"

struct front1 {
	struct http1_conn *conn; /* NULL: only `refusal` is sent */
	struct buf refusal;
	struct call *call; /* the exchange under way */
};

/* ---- the call's front end: the connection's one exchange ---- */

static struct front *front_of_call(const struct call *c)
{
	return c->front_state;
}

static void let_go(struct front *f)
{
	struct call *c = f->http1->call;
	f->http1->call = NULL;
	list_remove(&c->node);
	call_front_done(c);
}

static void exchange_push(struct call *c, struct event *ev)
{
	struct front *f = front_of_call(c);
	http1_conn_push(f->http1->conn, ev);
	h2io_dirty(&f->io);
}

static void exchange_credit(struct call *c, uint32_t bytes)
{
	struct front *f = front_of_call(c);
	http1_conn_credit(f->http1->conn, bytes);
	h2io_resume(&f->io);
}

/* A complete answer closes the connection by itself when the request is still coming; anything less
 * can't be put right any more: the connection ends. */
static void exchange_abort(struct call *c)
{
	struct front *f = front_of_call(c);
	if (!c->response_ended)
		http1_conn_fail(f->http1->conn, HTTP1_FAULT_INTERNAL);
	h2io_dirty(&f->io);
	let_go(f);
}

static const struct call_front exchange_front = {
	.push = exchange_push,
	.credit = exchange_credit,
	.abort = exchange_abort,
};

/* ---- events ---- */

static void begin_exchange(struct front *f, struct event *ev)
{
	struct worker *w = f->io.worker;
	struct call *c = call_create(&w->env, &w->current->base, &f->listener->listener->config,
		&exchange_front, f, ev->fields);
	f->io.calls++;
	if (!c) {
		event_drop(ev);
		http1_conn_fail(f->http1->conn, HTTP1_FAULT_OVERLOAD);
		return;
	}
	f->http1->call = c;
	c->peer = f->peer;
	list_push_back(&f->calls, &c->node);
	if (front_begin_call(c, ev, false, w->admin_terminus) != 0) {
		f->http1->call = NULL;
		http1_conn_fail(f->http1->conn, HTTP1_FAULT_OVERLOAD);
	}
}

static void on_event(struct front *f, struct http1_event *ev)
{
	struct front1 *h = f->http1;
	switch (ev->kind) {
	case HTTP1_EV_MESSAGE:
		if (h->call)
			call_push_request(h->call, &ev->ev);
		else if (ev->ev.kind == EVENT_HEAD)
			begin_exchange(f, &ev->ev);
		else
			event_drop(&ev->ev);
		break;
	case HTTP1_EV_ADMITTED:
		if (h->call)
			call_credit_response(h->call, ev->bytes);
		break;
	case HTTP1_EV_CLOSED:
		if (h->call)
			let_go(f);
		break;
	case HTTP1_EV_DEAD:
		if (h->call) {
			call_reset(h->call, CALL_BY_CLIENT, REASON_CLIENT_GONE, H2_CANCEL);
			let_go(f);
		}
		break;
	}
}

static void poll_events(struct front *f)
{
	struct http1_event ev;
	struct front1 *h = f->http1;
	while (!f->io.dead && http1_conn_poll(h->conn, &ev))
		on_event(f, &ev);
	if (f->io.dead)
		return;
	http1_conn_settle(h->conn);
	if (http1_conn_wants_write(h->conn))
		h2io_dirty(&f->io);
	else if (http1_conn_wants_close(h->conn))
		h2io_finish(&f->io, CLOSED_HTTP1);
	else
		h2io_resume(&f->io);
}

/* Also bounds how long a request may take to arrive and an answer to be read. */
static void on_idle(struct timer *t, uint64_t now_ns)
{
	struct front *f = CONTAINER_OF(t, struct front, io.timer);
	h2io_finish(&f->io, CLOSED_IDLE); /* first, so that this is the reason that counts */
	http1_conn_fail(f->http1->conn, HTTP1_FAULT_TIMEOUT);
	poll_events(f);
}

static void note_activity(struct front *f)
{
	struct worker *w = f->io.worker;
	if (!f->io.finishing && !f->io.dead)
		wheel_arm(&w->loop.wheel, &f->io.timer,
			w->loop.now_ns + w->current->base.config->limits.admin_idle_ns);
}

void front1_feed(struct front *f, struct slice in)
{
	struct front1 *h = f->http1;
	if (!h->conn || in.len == 0) {
		slice_drop(&in);
		return;
	}
	note_activity(f);
	http1_conn_feed(h->conn, in);
	poll_events(f);
}

bool front1_eof(struct front *f)
{
	struct front1 *h = f->http1;
	if (!h->conn)
		return false;
	http1_conn_eof(h->conn);
	poll_events(f);
	return !f->io.dead && (h->call || http1_conn_wants_write(h->conn));
}

bool front1_wants_read(const struct front *f)
{
	return !f->http1->conn || http1_conn_wants_read(f->http1->conn);
}

int front1_begin(struct front *f, const uint8_t *bytes, uint32_t len)
{
	struct front1 *h = mem_zalloc(sizeof(*h));
	if (!h)
		return ERR_NOMEM;
	buf_init(&h->refusal);
	f->http1 = h;
	if (!f->listener->listener->admin) {
		http1_refusal(&h->refusal, 505,
			"This listener speaks HTTP/2 by prior knowledge (h2c), not HTTP/1.");
		h2io_finish(&f->io, CLOSED_HTTP1);
		return h->refusal.failed ? ERR_NOMEM : 0;
	}
	struct http1_options o = http1_options_default();
	h->conn = http1_conn_create(HTTP1_SERVER, &o);
	if (!h->conn)
		return ERR_NOMEM;
	timer_init(&f->io.timer, on_idle);
	note_activity(f);
	front1_feed(f, slice_static(bytes, len));
	return 0;
}

int front1_output(struct front *f, struct iovec *iov, int max)
{
	struct front1 *h = f->http1;
	if (h->conn)
		return http1_conn_output(h->conn, iov, max);
	if (h->refusal.len == 0)
		return 0;
	*iov = (struct iovec){h->refusal.bytes, h->refusal.len};
	return 1;
}

void front1_written(struct front *f, size_t bytes)
{
	struct front1 *h = f->http1;
	if (!h->conn) {
		buf_consume(&h->refusal, bytes);
		return;
	}
	note_activity(f);
	http1_conn_written(h->conn, bytes);
	poll_events(f);
}

void front1_lost(struct front *f)
{
	struct call *c = f->http1->call;
	if (c) {
		call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, H2_CANCEL);
		let_go(f);
	}
}

void front1_destroy(struct front *f)
{
	http1_conn_destroy(f->http1->conn);
	buf_fini(&f->http1->refusal);
	mem_free(f->http1);
}
