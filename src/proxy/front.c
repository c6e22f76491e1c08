#include "proxy/front.h"
#include <string.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "call/stall.h"
#include "filter/accesslog.h"
#include "http1/http1.h"
#include "net/sock.h"
#include "proxy/accept.h"
#include "proxy/front1.h"
#include "proxy/link.h"
#include "proxy/route.h"
#include "proxy/upstream.h"
#include "proxy/walk.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
_Static_assert(
	sizeof(preface) - 1 == sizeof(((struct front *)0)->sniffed), "RFC 9113 3.4: 24 bytes");

static struct front *front_of(struct h2io *io)
{
	return CONTAINER_OF(io, struct front, io);
}

/* ---- the call's front end: one h2_stream ---- */

static void stream_let_go(struct call *c)
{
	struct h2_stream *s = c->front_state;
	struct front *f = h2_conn_user(h2_stream_conn(s));
	c->front_state = NULL;
	h2_stream_set_user(s, NULL);
	h2_stream_release(s);
	walk_gone(&f->io.worker->walks, &c->node);
	list_remove(&c->node);
	call_front_done(c);
}

/* What a slow client has yet to take keeps its connection: the drain's own limits end it. */
static void maybe_drained(struct front *f)
{
	if (f->draining && h2_conn_open_streams(f->io.h2) == 0 && list_empty(&f->calls) &&
		!h2_conn_wants_write(f->io.h2))
		h2io_finish(&f->io, CLOSED_DRAIN);
}

static void stream_push(struct call *c, struct event *ev)
{
	struct h2_stream *s = c->front_state;
	struct front *f = h2_conn_user(h2_stream_conn(s));
	h2io_dirty(&f->io);
	/* Our own pages push when they are credited, and must not be credited as they push. */
	if (UNLIKELY(c->terminus != &upstream_terminus)) {
		h2_stream_push(s, ev);
		return;
	}
	bool end = ev->end;
	uint32_t sent = h2_stream_push_now(s, ev);
	if (sent)
		call_credit_response(c, sent);
	if (end && h2_stream_is_over(s))
		stream_let_go(c);
}

static void stream_credit(struct call *c, uint32_t bytes)
{
	if (c->request_ended) /* the client has nothing more to send */
		return;
	struct h2_stream *s = c->front_state;
	struct front *f = h2_conn_user(h2_stream_conn(s));
	h2_stream_credit(s, bytes);
	if (h2_conn_wants_write(f->io.h2))
		h2io_dirty(&f->io);
}

static void stream_drop_queued(struct call *c)
{
	h2_stream_drop_queued(c->front_state);
}

static void stream_abort(struct call *c)
{
	struct h2_stream *s = c->front_state;
	struct front *f = h2_conn_user(h2_stream_conn(s));
	h2_stream_reset(s, c->abort.h2_code);
	h2io_dirty(&f->io);
	stream_let_go(c);
}

static const struct call_front stream_front = {
	.push = stream_push,
	.credit = stream_credit,
	.drop_queued = stream_drop_queued,
	.abort = stream_abort,
};

/* ---- calls ---- */

/* A line about what becomes no call. `head`: NULL when it is not known. */
static void log_refusal(struct front *f, const struct fields *head, struct accesslog_refusal why)
{
	struct worker *w = f->io.worker;
	const struct listener *l = f->listener->listener;
	if (l->admin)
		return;
	why.listener = l->config.name;
	why.client = f->peer;
	why.head = head;
	accesslog_refused(&w->env, &w->current->base.config->access_log, &why);
}

/* By the engine, and answered. */
static void on_refused(struct front *f, const struct h2_event *ev)
{
	if (ev->fault == H2_FAULT_TOO_MANY_STREAMS)
		series_add(f->listener->series, M_STREAMS_REFUSED, 1);
	log_refusal(f, NULL,
		(struct accesslog_refusal){.reason = h2_fault_name(ev->fault),
			.detail = h2_fault_text(ev->fault),
			.h2_code = ev->code});
}

static void refuse(struct front *f, struct h2_event *ev)
{
	series_add(f->listener->series, M_STREAMS_REFUSED, 1);
	h2_stream_reset(ev->stream, H2_REFUSED_STREAM);
	h2_stream_release(ev->stream);
	event_drop(&ev->ev);
	h2io_dirty(&f->io);
}

static void refuse_for(struct front *f, struct h2_event *ev, enum call_reason_id why)
{
	log_refusal(f, ev->ev.fields,
		(struct accesslog_refusal){
			.reason = call_reason_label(why), .h2_code = H2_REFUSED_STREAM});
	refuse(f, ev);
}

int front_begin_call(
	struct call *c, struct event *ev, bool oversized, const struct call_terminus *local)
{
	c->unfiltered = local != NULL;
	if (!local)
		route_call(c, ev->fields);
	const struct call_terminus *t = local      ? local
					: c->route ? &upstream_terminus
						   : &nowhere_terminus;
	if (call_open(c, t) != 0) {
		event_drop(ev);
		call_discard(c);
		return ERR_NOMEM;
	}
	if (oversized)
		call_fail(c, REASON_HEADER_BYTES,
			"the request's headers are larger than limits.header_bytes");
	else if (!local && c->is_connect)
		call_fail(c, REASON_CONNECT_METHOD, "CONNECT is not served here");
	call_push_request(c, ev);
	return 0;
}

static void begin_call(struct front *f, struct h2_event *ev)
{
	struct worker *w = f->io.worker;
	bool admin = f->listener->listener->admin;
	if (!admin && worker_refuses_streams(w)) {
		enum call_reason_id why = w->draining ? REASON_SHUTDOWN : REASON_MEMORY_BUDGET;
		refuse_for(f, ev, why);
		return;
	}
	struct call *c = call_create(&w->env, &w->current->base, &f->listener->listener->config,
		&stream_front, ev->stream, ev->ev.fields);
	if (!c) {
		refuse_for(f, ev, REASON_NO_MEMORY);
		return;
	}
	f->io.calls++;
	struct h2_stream *s = ev->stream;
	c->peer = f->peer;
	h2_stream_set_user(s, c);
	list_push_back(&f->calls, &c->node);
	if (front_begin_call(c, &ev->ev, ev->oversized, admin ? w->admin_terminus : NULL) != 0) {
		h2_stream_set_user(s, NULL);
		struct h2_event refused = {.stream = s};
		refuse(f, &refused);
	}
}

/* A request's head or trailers; others never come here. */
static COLD void on_oversized(struct front *f, struct call *c, struct h2_event *ev)
{
	if (!c) {
		begin_call(f, ev);
		return;
	}
	call_fail(c, REASON_HEADER_BYTES,
		"the request's trailers are larger than limits.header_bytes");
	call_push_request(c, &ev->ev);
}

/* The response's head or trailers are more than the client takes. */
static COLD void on_too_large(struct front *f, struct call *c, bool head)
{
	if (c->abort.who != CALL_BY_NOBODY) { /* it was our own answer, or is too late for one */
		h2_stream_reset(c->front_state, H2_INTERNAL_ERROR);
		stream_let_go(c);
		maybe_drained(f);
		return;
	}
	call_unanswer(c, head);
	call_fail(c, REASON_CLIENT_HEADER_BYTES,
		head ? "the response's headers are larger than the client takes"
		     : "the response's trailers are larger than the client takes");
}

static __attribute__((noinline)) void on_other_event(struct h2io *io, struct h2_event *ev)
{
	struct front *f = front_of(io);
	struct call *c = ev->stream ? h2_stream_user(ev->stream) : NULL;
	switch (ev->kind) {
	case H2_EV_MESSAGE:
		on_oversized(f, c, ev);
		break;
	case H2_EV_RESET:
		if (c) {
			call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_RESET, ev->code);
			stream_let_go(c);
			maybe_drained(f);
		}
		break;
	case H2_EV_CLOSED:
		if (c) {
			stream_let_go(c);
			maybe_drained(f);
		}
		break;
	case H2_EV_ADMITTED:
		if (c)
			call_credit_response(c, ev->bytes);
		break;
	case H2_EV_BLOCKED:
		if (c)
			call_stall(c, LANE_RESPONSE, stall_of(ev->blocked));
		break;
	case H2_EV_TOO_LARGE:
		if (c)
			on_too_large(f, c, ev->head);
		break;
	case H2_EV_DRAINED:
		h2io_drain_answered(io);
		f->draining = true;
		maybe_drained(f);
		break;
	case H2_EV_DEAD:
		h2io_finish_dead(io, ev);
		break;
	case H2_EV_PING_ACK:
		h2io_ping_answered(io, ev->opaque);
		break;
	case H2_EV_REFUSED:
		on_refused(f, ev);
		break;
	case H2_EV_SETTINGS:
	case H2_EV_GOAWAY:
		break;
	}
}

/* Messages, at once: most events are nothing else. */
static void on_event(struct h2io *io, struct h2_event *ev)
{
	if (LIKELY(ev->kind == H2_EV_MESSAGE && !ev->oversized)) {
		struct call *c = h2_stream_user(ev->stream);
		if (LIKELY(c))
			call_push_request(c, &ev->ev);
		else
			begin_call(front_of(io), ev);
		return;
	}
	on_other_event(io, ev);
}

static void on_flushed(struct h2io *io)
{
	maybe_drained(front_of(io));
}

static void end_calls(struct front *f)
{
	LIST_FOR_EACH_SAFE (n, &f->calls) {
		struct call *c = CONTAINER_OF(n, struct call, node);
		call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, H2_CANCEL);
		stream_let_go(c);
	}
}

/* ---- the first bytes ---- */

static int begin_http2(struct front *f)
{
	struct worker *w = f->io.worker;
	const struct config_limits *limits = &w->current->base.config->limits;
	struct h2_options o = h2_options_default(H2_SERVER);
	o.max_concurrent_streams = limits->streams_per_connection;
	/* Streams need WINDOW_UPDATE, and a peer may send them for all of its streams at once. */
	if (o.control_frames_per_s < limits->streams_per_connection)
		o.control_frames_per_s = limits->streams_per_connection;
	o.header_list_bytes = limits->header_bytes;
	o.crowded_window_bytes = limits->crowded_window_bytes;
	f->io.h2 = h2_conn_create(H2_SERVER, &o, w->slabs, &w->down);
	if (!f->io.h2)
		return ERR_NOMEM;
	h2_conn_set_user(f->io.h2, f);
	wheel_cancel(&w->loop.wheel, &f->io.timer);
	h2io_expect_settings_ack(&f->io, limits->settings_timeout_ns);
	h2io_dirty(&f->io);
	if (w->draining)
		h2_conn_drain(f->io.h2, "shutdown");
	return 0;
}

static void begin_http1(struct front *f, struct slice *in)
{
	struct worker *w = f->io.worker;
	wheel_cancel(&w->loop.wheel, &f->io.timer);
	if (!f->listener->listener->admin) {
		series_add(f->listener->series, M_HTTP1_REFUSED, 1);
		log_refusal(
			f, NULL, (struct accesslog_refusal){.reason = "http1", .http_status = 505});
	}
	if (front1_begin(f, f->sniffed, f->sniffed_len) != 0) {
		h2io_close(&f->io, CLOSED_NO_MEMORY);
		return;
	}
	front1_feed(f, slice_cut(in, in->len));
}

/* Moves bytes of `in` to f->sniffed; they are judged together with what came before. */
static void sniff(struct front *f, struct slice *in)
{
	uint32_t want = (uint32_t)sizeof(f->sniffed) - f->sniffed_len;
	uint32_t take = in->len < want ? in->len : want;
	memcpy(f->sniffed + f->sniffed_len, in->at, take);
	f->sniffed_len += (uint8_t)take;
	struct slice head = slice_cut(in, take);
	slice_drop(&head);
}

static void on_raw(struct h2io *io, struct slice in)
{
	struct front *f = front_of(io);
	if (f->http1) {
		front1_feed(f, in);
		return;
	}
	sniff(f, &in);
	bool http2 = !memcmp(f->sniffed, preface, f->sniffed_len);
	if (http2 && f->sniffed_len == sizeof(f->sniffed)) {
		if (begin_http2(f) != 0) {
			slice_drop(&in);
			h2io_close(io, CLOSED_NO_MEMORY);
			return;
		}
		h2io_feed(io, slice_static(f->sniffed, f->sniffed_len));
		if (in.len)
			h2io_feed(io, slice_cut(&in, in.len));
	} else if (!http2) {
		enum http1_guess guess = http1_looks_like(f->sniffed, f->sniffed_len);
		if (guess == HTTP1_YES || (guess == HTTP1_MAYBE && f->listener->listener->admin)) {
			begin_http1(f, &in);
		} else if (guess == HTTP1_NO || f->sniffed_len == sizeof(f->sniffed)) {
			series_add(f->listener->series, M_NOT_HTTP2, 1);
			h2io_close(io, CLOSED_NOT_HTTP2);
		}
	}
	slice_drop(&in);
}

static void on_preface_timeout(struct timer *t, uint64_t now_ns)
{
	struct front *f = CONTAINER_OF(t, struct front, io.timer);
	series_add(f->listener->series, M_NOT_HTTP2, 1);
	h2io_close(&f->io, CLOSED_PREFACE_TIMEOUT);
}

/* ---- life ---- */

static void on_lost(struct h2io *io)
{
	struct front *f = front_of(io);
	if (f->http1)
		front1_lost(f);
	end_calls(f);
}

static void on_destroy(struct h2io *io)
{
	struct front *f = front_of(io);
	accept_gone(f->listener);
	if (f->http1)
		front1_destroy(f);
	mem_free(f);
}

static bool raw_wants(struct h2io *io)
{
	struct front *f = front_of(io);
	return !f->http1 || front1_wants_read(f);
}

static bool raw_eof(struct h2io *io)
{
	struct front *f = front_of(io);
	return f->http1 && front1_eof(f);
}

static int raw_output(struct h2io *io, struct iovec *iov, int max)
{
	struct front *f = front_of(io);
	return f->http1 ? front1_output(f, iov, max) : 0;
}

static void raw_written(struct h2io *io, size_t bytes)
{
	front1_written(front_of(io), bytes);
}

static const struct h2io_ops front_ops = {
	.event = on_event,
	.raw = on_raw,
	.raw_wants = raw_wants,
	.raw_eof = raw_eof,
	.raw_output = raw_output,
	.raw_written = raw_written,
	.flushed = on_flushed,
	.lost = on_lost,
	.destroy = on_destroy,
};

int front_create(struct worker *w, struct worker_listener *wl, int fd, const char *peer)
{
	struct front *f = mem_zalloc(sizeof(*f));
	if (!f) {
		close(fd);
		return ERR_NOMEM;
	}
	if (h2io_init(&f->io, w, &front_ops, fd, "downstream", wl->listener->config.name) != 0) {
		mem_free(f);
		return ERR_SYS;
	}
	f->listener = wl;
	memcpy(f->peer, peer, strnlen(peer, sizeof(f->peer) - 1));
	wl->fronts++;
	list_init(&f->calls);
	h2io_count_open(&f->io);
	timer_init(&f->io.timer, on_preface_timeout);
	wheel_arm(&w->loop.wheel, &f->io.timer,
		w->loop.now_ns + w->current->base.config->limits.preface_timeout_ns);
	return 0;
}

void front_drain(struct h2io *io)
{
	if (io->h2) {
		h2_conn_drain(io->h2, "shutdown");
		h2io_drain_pinged(io);
		h2io_dirty(io);
	} else if (list_empty(&front_of(io)->calls)) {
		h2io_finish(io, CLOSED_DRAIN);
	}
}

void front_shutdown(struct h2io *io)
{
	struct front *f = front_of(io);
	LIST_FOR_EACH_SAFE (n, &f->calls)
		call_fail(CONTAINER_OF(n, struct call, node), REASON_SHUTDOWN,
			"the proxy is shutting down");
	if (io->h2) {
		if (io->pinging == H2IO_PING_DRAIN)
			io->pinging = H2IO_PING_NONE; /* nobody waits for it any more */
		h2_conn_drain_now(io->h2);
		f->draining = true;
		h2io_dirty(io);
	} else {
		h2io_finish(io, CLOSED_DRAIN);
	}
}

struct list *front_calls(struct h2io *io)
{
	return link_is(io) ? NULL : &front_of(io)->calls;
}

const struct h2io *front_stream(const struct call *c, struct h2_stream_info *out)
{
	if (c->front != &stream_front || !c->front_state)
		return NULL;
	h2_stream_inspect(c->front_state, out);
	struct front *f = h2_conn_user(h2_stream_conn(c->front_state));
	return &f->io;
}

/* ---- memory ---- */

static uint64_t queued_of(const struct call *c)
{
	struct h2_stream_info info = {0};
	front_stream(c, &info);
	return info.queued_bytes + (c->terminus == &upstream_terminus ? upstream_queued(c) : 0);
}

static bool holds_most(const struct worker *w)
{
	uint64_t mine = atomic_load_explicit(&w->cell->held_bytes, memory_order_relaxed);
	for (uint32_t i = 0; i < w->shared->threads; i++) {
		if (atomic_load_explicit(&w->shared->cells[i].held_bytes, memory_order_relaxed) >
			mine)
			return false;
	}
	return mine > 0;
}

void front_cut_heaviest(struct worker *w)
{
	struct call *heaviest = NULL;
	uint64_t most = 0;
	if (!holds_most(w))
		return;
	LIST_FOR_EACH (n, &w->ios) {
		struct h2io *io = CONTAINER_OF(n, struct h2io, all);
		if (link_is(io))
			continue;
		LIST_FOR_EACH (cn, &front_of(io)->calls) {
			struct call *c = CONTAINER_OF(cn, struct call, node);
			uint64_t queued = queued_of(c);
			if (queued > most) {
				most = queued;
				heaviest = c;
			}
		}
	}
	if (!heaviest)
		return;
	series_add(w->process, M_MEMORY_CUTS, 1);
	call_fail(heaviest, REASON_MEMORY_BUDGET,
		"limits.memory is used up and this stream held most of it");
}
