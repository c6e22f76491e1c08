#include "proxy/upstream.h"
#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "base/slots.h"
#include "call/stall.h"
#include "proxy/link.h"
#include "proxy/waiting.h"

#define HELD_BYTES 256u /* the least that is allocated for what is held */
#define HELD_KEEP  256u
#define PACK_CALLS 256u /* with more calls open, what is kept of them takes as little as it can */

static struct upstream *upstream_of(const struct call *c)
{
	return c->terminus_state;
}

static struct worker *worker_of(const struct upstream *u)
{
	return u->call->env->worker;
}

static struct pool *pool_of(const struct call *c)
{
	const struct generation *g = c->generation->owner;
	return g->pools[c->cluster - c->generation->config->clusters];
}

/* ---- what is held ---- */

static void give_bytes(struct worker *w, struct held *h)
{
	if (h->cap == HELD_BYTES)
		free_list_give(&w->held_bytes, h->bytes, HELD_KEEP);
	else
		slots_give(h->bytes, h->cap);
}

/* The call is committed: it is sent to nobody else. */
static void release_held(struct upstream *u)
{
	struct worker *w = worker_of(u);
	struct held *h = u->held;
	if (!h)
		return;
	fields_destroy(h->head);
	fields_packed_destroy(h->packed);
	fields_destroy(h->trailers);
	w->waiting_bytes -= h->len;
	give_bytes(w, h);
	free_list_give(&w->held, h, HELD_KEEP);
	u->held = NULL;
}

/* Room for `more` bytes. Most calls hold one small message: their blocks are used again, as long as
 * there are not very many of them. */
static int reserve_held(struct worker *w, struct held *h, uint32_t more)
{
	uint32_t need = h->len + more;
	uint8_t *bytes;
	if (need <= h->cap)
		return 0;
	if (!h->bytes && need <= HELD_BYTES &&
		(w->held_bytes.first || w->env.calls <= PACK_CALLS)) {
		bytes = free_list_take(&w->held_bytes, HELD_BYTES);
		need = HELD_BYTES;
	} else {
		need = h->bytes ? need + need / 2 : need;
		bytes = slots_take(need);
	}
	if (!bytes)
		return ERR_NOMEM;
	if (h->bytes)
		memcpy(bytes, h->bytes, h->len);
	give_bytes(w, h);
	h->bytes = bytes;
	h->cap = need;
	return 0;
}

static int hold(struct worker *w, struct held *h, const struct slice *data)
{
	if (data->len == 0)
		return 0;
	if (reserve_held(w, h, data->len) != 0)
		return ERR_NOMEM;
	memcpy(h->bytes + h->len, data->at, data->len);
	h->len += data->len;
	w->waiting_bytes += data->len;
	return 0;
}

/* Keeps what may have to be sent (again). While waiting everything must be kept: the client's
 * stream window bounds it. With a stream only up to the replay limit; above it the call is
 * committed. */
static int keep(struct upstream *u, const struct event *ev)
{
	struct held *h = u->held;
	if (!h)
		return 0;
	if (ev->kind == EVENT_TRAILERS) {
		h->trailers = fields_copy(ev->fields);
		return h->trailers ? 0 : ERR_NOMEM;
	}
	if (u->stream && h->len + (uint64_t)ev->data.len >
				 u->call->generation->config->limits.replay_bytes) {
		release_held(u);
		return 0;
	}
	return hold(worker_of(u), h, &ev->data);
}

/* ---- attempts ---- */

static void leave_link(struct upstream *u)
{
	struct link *l = u->link;
	if (!l && !u->waiting)
		return;
	pool_count_stream(u->endpoint, false);
	if (!l) {
		waiting_leave(u);
		return;
	}
	link_leave(u);
	call_stall(u->call, LANE_REQUEST, STALL_NONE);
	if (u->stream) {
		h2_stream_set_user(u->stream, NULL);
		h2_stream_release(u->stream);
		u->stream = NULL;
	}
	link_stream_ended(l);
}

static void finish(struct upstream *u)
{
	leave_link(u);
	release_held(u);
	call_terminus_done(u->call);
}

/* Ends the call with the cause; its abort comes back to up_abort, which finishes. */
static void fail(struct upstream *u, enum call_reason_id reason, const char *why)
{
	leave_link(u);
	call_fail(u->call, reason, why);
}

static COLD void no_attempt_left(struct upstream *u, enum call_reason_id reason, const char *why)
{
	char text[256];
	if (why && reason != REASON_NO_ENDPOINT)
		snprintf(text, sizeof(text), "%s", why);
	else
		snprintf(text, sizeof(text), "cluster %s has no endpoint that can be reached%s%s",
			pool_of(u->call)->name, why ? ": " : "", why ? why : "");
	fail(u, reason, text);
}

static void attempt(struct upstream *u, enum call_reason_id reason, const char *why)
{
	while (u->held->attempts < UPSTREAM_ATTEMPTS) {
		const char *none = NULL;
		struct pool_endpoint *e = pool_pick(pool_of(u->call), u->held->tried, &none);
		if (!e) {
			if (!why)
				why = none;
			break;
		}
		u->held->attempts++;
		u->held->tried |= 1ull << (e->index % 64);
		u->endpoint = e;
		e->calls++;
		u->call->endpoint = e->address;
		u->again = u->credited;
		pool_count_stream(e, true);
		if (waiting_enqueue(e, u, &why) == 0)
			return;
		pool_count_stream(e, false);
		reason = REASON_CONNECT_REFUSED;
	}
	no_attempt_left(u, reason, why);
}

/* The endpoint provably did not process the call. */
static void again(struct upstream *u, enum call_reason_id reason, const char *why)
{
	char kept[192];
	snprintf(kept, sizeof(kept), "%s", why);
	bool was_sent = u->stream != NULL;
	leave_link(u);
	if (!u->held || u->held->attempts >= UPSTREAM_ATTEMPTS) {
		series_add(pool_of(u->call)->series, M_REPLAYS_EXHAUSTED, 1);
		fail(u, reason, kept);
		return;
	}
	if (was_sent)
		series_add(pool_of(u->call)->series, M_REPLAYS, 1);
	attempt(u, reason, kept);
}

static void send_held(struct upstream *u)
{
	if (u->held->len) {
		struct event data = {
			.kind = EVENT_DATA,
			.data = slice_copy(u->held->bytes, u->held->len),
			.end = u->request_ended && !u->held->trailers,
		};
		if (!data.data.slab) {
			fail(u, REASON_NO_MEMORY, "out of memory");
			return;
		}
		h2_stream_push(u->stream, &data);
	}
	if (u->held->trailers) {
		struct event trailers = {.kind = EVENT_TRAILERS,
			.end = true,
			.fields = fields_copy(u->held->trailers)};
		if (!trailers.fields)
			fail(u, REASON_NO_MEMORY, "out of memory");
		else
			h2_stream_push(u->stream, &trailers);
	}
}

/* The head goes where it takes little room; where there is none, it stays. */
static void pack_head(struct upstream *u)
{
	u->held->packed = fields_pack(u->held->head);
	if (!u->held->packed)
		return;
	fields_destroy(u->held->head);
	u->held->head = NULL;
}

static bool unpack_head(struct upstream *u)
{
	if (u->held->head)
		return true;
	u->held->head = fields_unpack(u->held->packed);
	fields_packed_destroy(u->held->packed);
	u->held->packed = NULL;
	return u->held->head != NULL;
}

/* The request's `part` is more than the endpoint takes. */
static COLD void too_large(struct upstream *u, const char *part)
{
	char why[192];
	snprintf(why, sizeof(why), "the request's %s are larger than endpoint %s takes", part,
		u->endpoint->address);
	fail(u, REASON_UPSTREAM_HEADER_BYTES, why);
}

void upstream_start(struct upstream *u)
{
	if (!unpack_head(u)) {
		fail(u, REASON_NO_MEMORY, "out of memory");
		return;
	}
	struct event head = {
		.kind = EVENT_HEAD,
		.fields = u->held->head,
		.end = u->request_ended && !u->held->len && !u->held->trailers,
	};
	int err = h2_conn_open_kept(u->link->io.h2, &head, &u->stream);
	if (UNLIKELY(err)) {
		u->stream = NULL;
		if (err == ERR_INVALID)
			too_large(u, "headers");
		else
			fail(u, REASON_NO_MEMORY, "the upstream stream could not be opened");
		return;
	}
	h2_stream_set_user(u->stream, u);
	if (worker_of(u)->env.calls > PACK_CALLS)
		pack_head(u);
	send_held(u);
}

/* ---- from the link ---- */

void upstream_on_message(struct upstream *u, struct h2_event *ev)
{
	if (UNLIKELY(ev->oversized)) {
		event_drop(&ev->ev);
		fail(u, REASON_UPSTREAM_PROTOCOL,
			"the response's headers are larger than limits.header_bytes");
		return;
	}
	if (ev->ev.kind == EVENT_HEAD && u->held)
		release_held(u);
	bool end = ev->ev.end;
	call_push_response(u->call, &ev->ev);
	if (end && u->stream && h2_stream_is_over(u->stream))
		finish(u);
}

static void on_reset(struct upstream *u, const struct h2_event *ev)
{
	char why[192];
	struct call *c = u->call;
	if (ev->unprocessed) {
		snprintf(why, sizeof(why), "endpoint %s refused the stream before processing it",
			u->endpoint->address);
		again(u, REASON_UNPROCESSED, why);
	} else if (!ev->by_peer) {
		snprintf(why, sizeof(why), "endpoint %s broke HTTP/2: %s", u->endpoint->address,
			ev->fault < H2_FAULT_COUNT ? h2_fault_text(ev->fault)
						   : h2_code_name(ev->code));
		fail(u, REASON_UPSTREAM_PROTOCOL, why);
	} else {
		/* The far side let go already; the code is kept for the client. */
		leave_link(u);
		call_reset(c, CALL_BY_UPSTREAM, REASON_UPSTREAM_RESET, ev->code);
	}
}

/* What is sent again was credited the first time. */
static void on_admitted(struct upstream *u, uint32_t bytes)
{
	uint32_t old = bytes < u->again ? bytes : u->again;
	u->again -= old;
	if (old == bytes)
		return;
	u->credited += bytes - old;
	call_credit_request(u->call, bytes - old);
}

void upstream_on_event(struct upstream *u, struct h2_event *ev)
{
	switch (ev->kind) {
	case H2_EV_RESET:
		on_reset(u, ev);
		break;
	case H2_EV_CLOSED:
		finish(u);
		break;
	case H2_EV_ADMITTED:
		on_admitted(u, ev->bytes);
		break;
	case H2_EV_BLOCKED:
		call_stall(u->call, LANE_REQUEST, stall_of(ev->blocked));
		break;
	case H2_EV_TOO_LARGE:
		too_large(u, "trailers");
		break;
	case H2_EV_MESSAGE: /* upstream_on_message */
	case H2_EV_SETTINGS:
	case H2_EV_GOAWAY:
	case H2_EV_PING_ACK:
	case H2_EV_DRAINED:
	case H2_EV_DEAD:
	case H2_EV_REFUSED:
		UNREACHABLE(); /* the link's own */
	}
}

void upstream_link_lost(struct upstream *u, enum call_reason_id reason, const char *why)
{
	if (!u->stream)
		again(u, reason, why);
	else
		fail(u, reason, why);
}

/* ---- the terminus ---- */

static int up_open(struct call *c)
{
	struct upstream *u = call_zalloc(c, sizeof(*u));
	if (!u)
		return ERR_NOMEM;
	struct worker *w = c->env->worker;
	u->held = free_list_take(&w->held, sizeof(*u->held));
	if (!u->held)
		return ERR_NOMEM;
	memset(u->held, 0, sizeof(*u->held));
	u->call = c;
	list_init(&u->node);
	c->terminus_state = u;
	return 0;
}

static void up_push(struct call *c, struct event *ev)
{
	struct upstream *u = upstream_of(c);
	u->request_ended = ev->end;
	if (ev->kind == EVENT_HEAD) {
		u->held->head = ev->fields;
		attempt(u, REASON_NO_ENDPOINT, NULL);
		return;
	}
	if (keep(u, ev) != 0) {
		event_drop(ev);
		fail(u, REASON_NO_MEMORY, "out of memory");
	} else if (u->stream) {
		h2io_dirty(&u->link->io);
		uint32_t sent = h2_stream_push_now(u->stream, ev);
		if (sent)
			on_admitted(u, sent);
	} else {
		event_drop(ev);
	}
}

static void up_credit(struct call *c, uint32_t bytes)
{
	struct upstream *u = upstream_of(c);
	if (!u->stream)
		return;
	h2_stream_credit(u->stream, bytes);
	if (h2_conn_wants_write(u->link->io.h2))
		h2io_dirty(&u->link->io);
}

static void up_abort(struct call *c)
{
	struct upstream *u = upstream_of(c);
	if (u->stream)
		h2_stream_reset(u->stream, c->abort.h2_code);
	finish(u);
}

const struct call_terminus upstream_terminus = {
	.name = "upstream",
	.open = up_open,
	.push = up_push,
	.credit = up_credit,
	.abort = up_abort,
};

uint64_t upstream_queued(const struct call *c)
{
	const struct upstream *u = upstream_of(c);
	struct h2_stream_info info = {0};
	if (c->terminus_done)
		return 0;
	if (u->stream)
		h2_stream_inspect(u->stream, &info);
	return info.queued_bytes + (u->held ? u->held->len : 0);
}

const struct h2io *upstream_stream(const struct call *c, struct h2_stream_info *out)
{
	const struct upstream *u = upstream_of(c);
	if (c->terminus != &upstream_terminus || c->terminus_done || !u->stream)
		return NULL;
	h2_stream_inspect(u->stream, out);
	return &u->link->io;
}

/* ---- no route ---- */

static int nowhere_open(struct call *c)
{
	return 0;
}

static void nowhere_push(struct call *c, struct event *ev)
{
	event_drop(ev);
	char text[256];
	snprintf(text, sizeof(text), "no route matches %.60s %.120s", c->said->authority,
		c->said->path);
	call_fail(c, REASON_NO_ROUTE, text);
}

static void nowhere_credit(struct call *c, uint32_t bytes)
{
}

static void nowhere_abort(struct call *c)
{
	call_terminus_done(c);
}

const struct call_terminus nowhere_terminus = {
	.name = "nowhere",
	.open = nowhere_open,
	.push = nowhere_push,
	.credit = nowhere_credit,
	.abort = nowhere_abort,
};
