#include "proxy/link.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/sock.h"
#include "proxy/upstream.h"
#include "proxy/waiting.h"

static struct link *link_of(struct h2io *io)
{
	return CONTAINER_OF(io, struct link, io);
}

static struct upstream *first_active(struct link *l)
{
	return list_empty(&l->active) ? NULL : CONTAINER_OF(l->active.next, struct upstream, node);
}

/* Before its SETTINGS a new connection is taken to allow what the endpoint's last one did. */
static bool has_room(const struct link *l)
{
	if (l->state != LINK_READY || l->split || h2_conn_open_slots(l->io.h2) == 0)
		return false;
	uint32_t limit = l->endpoint->stream_limit;
	return h2_conn_peer_settings_seen(l->io.h2) || limit == 0 ||
	       h2_conn_open_streams(l->io.h2) < limit;
}

static void close_when_idle(struct link *l)
{
	if (l->state == LINK_CLOSING && list_empty(&l->active))
		h2io_finish(&l->io, l->goaway ? CLOSED_PEER_GOAWAY : CLOSED_DRAIN);
}

/* ---- streams ---- */

struct link *link_with_room(struct pool_endpoint *e)
{
	LIST_FOR_EACH (n, &e->links) {
		struct link *l = CONTAINER_OF(n, struct link, node);
		if (has_room(l))
			return l;
	}
	return NULL;
}

void link_start(struct link *l, struct upstream *u)
{
	u->link = l;
	list_push_back(&l->active, &u->node);
	l->io.calls++;
	upstream_start(u);
	h2io_dirty(&l->io);
}

void link_leave(struct upstream *u)
{
	list_remove(&u->node);
	u->link = NULL;
}

void link_stream_ended(struct link *l)
{
	if (l->io.dead)
		return;
	waiting_wake(l->endpoint);
	close_when_idle(l);
	h2io_dirty(&l->io);
}

bool link_available(const struct pool_endpoint *e)
{
	LIST_FOR_EACH (n, &e->links) {
		if (CONTAINER_OF(n, struct link, node)->state != LINK_CLOSING)
			return true;
	}
	return false;
}

bool link_expected(const struct pool_endpoint *e)
{
	LIST_FOR_EACH (n, &e->links) {
		const struct link *l = CONTAINER_OF(n, struct link, node);
		if (l->state == LINK_CONNECTING ||
			(l->state == LINK_READY && !h2_conn_peer_settings_seen(l->io.h2)))
			return true;
	}
	return false;
}

bool link_any_ready(const struct pool_endpoint *e)
{
	LIST_FOR_EACH (n, &e->links) {
		if (CONTAINER_OF(n, struct link, node)->state == LINK_READY)
			return true;
	}
	return false;
}

/* ---- connecting ---- */

static void fail_connect(struct link *l, enum close_reason reason, const char *why)
{
	char address_why[128];
	snprintf(address_why, sizeof(address_why), "%s: %s", l->endpoint->address, why);
	snprintf(l->why, sizeof(l->why), "cluster %s, endpoint %s", l->endpoint->pool->name,
		address_why);
	pool_connect_failed(l->endpoint, address_why);
	h2io_close(&l->io, reason);
}

static void on_connect_timeout(struct timer *t, uint64_t now_ns)
{
	fail_connect(CONTAINER_OF(t, struct link, io.timer), CLOSED_CONNECT_TIMEOUT,
		"connect timed out");
}

static void on_writable(struct h2io *io)
{
	struct link *l = link_of(io);
	if (l->state != LINK_CONNECTING)
		return;
	int err = sock_error(io->watch.fd);
	if (err) {
		fail_connect(l, CLOSED_CONNECT_REFUSED,
			err == ECONNREFUSED ? "connection refused" : strerror(err));
		return;
	}
	struct worker *w = io->worker;
	struct h2_options o = h2_options_default(H2_CLIENT);
	/* It carries the streams of many clients, and each needs its WINDOW_UPDATEs. */
	o.control_frames_per_s *= 10;
	if (w->current) {
		const struct config_limits *limits = &w->current->base.config->limits;
		o.header_list_bytes = limits->header_bytes;
		o.crowded_window_bytes = limits->crowded_window_bytes;
	}
	io->h2 = h2_conn_create(H2_CLIENT, &o, w->slabs, &w->up);
	if (!io->h2) {
		fail_connect(l, CLOSED_NO_MEMORY, "out of memory");
		return;
	}
	h2_conn_set_user(io->h2, l);
	wheel_cancel(&w->loop.wheel, &io->timer);
	if (w->current)
		h2io_expect_settings_ack(io, w->current->base.config->limits.settings_timeout_ns);
	l->state = l->endpoint->retired && list_empty(&l->endpoint->waiting) ? LINK_CLOSING
									     : LINK_READY;
	pool_connect_succeeded(l->endpoint);
	h2io_count_open(io);
	h2io_dirty(io);
	waiting_wake(l->endpoint);
}

/* ---- events ---- */

static void begin_closing(struct link *l)
{
	if (l->state == LINK_CLOSING)
		return;
	l->state = LINK_CLOSING;
	waiting_link_gone(
		l->endpoint, false, REASON_UNPROCESSED, "the upstream connection is closing");
	close_when_idle(l);
}

static void on_goaway(struct link *l, const struct h2_event *ev)
{
	int len = ev->debug_len < 60 ? (int)ev->debug_len : 60;
	l->goaway = true;
	snprintf(l->why, sizeof(l->why), "endpoint %s sent GOAWAY %s%s%.*s", l->endpoint->address,
		h2_code_name(ev->code), len ? ": " : "", len, ev->debug ? ev->debug : "");
	begin_closing(l);
}

static void on_dead(struct link *l, const struct h2_event *ev)
{
	snprintf(l->why, sizeof(l->why), "endpoint %s broke HTTP/2: %s", l->endpoint->address,
		ev->fault < H2_FAULT_COUNT ? h2_fault_text(ev->fault) : h2_code_name(ev->code));
	/* Its calls end now; the GOAWAY is still written. */
	h2io_finish_dead(&l->io, ev);
	begin_closing(l);
	for (struct upstream *u; (u = first_active(l));)
		upstream_link_lost(u, REASON_UPSTREAM_PROTOCOL, l->why);
}

static void note_blocked(struct link *l)
{
	struct worker *w = l->io.worker;
	if (!h2_conn_window_blocked(l->io.h2)) {
		bool was_split = l->split;
		l->blocked_since_ns = 0;
		l->split = false;
		if (was_split)
			waiting_wake(l->endpoint);
	} else if (l->blocked_since_ns == 0) {
		l->blocked_since_ns = w->loop.now_ns;
		if (!timer_armed(&w->blocked_timer))
			wheel_arm(&w->loop.wheel, &w->blocked_timer,
				w->loop.now_ns + LINK_BLOCKED_NS);
	}
}

static __attribute__((noinline)) void on_other_event(struct h2io *io, struct h2_event *ev)
{
	struct link *l = link_of(io);
	struct upstream *u = ev->stream ? h2_stream_user(ev->stream) : NULL;
	switch (ev->kind) {
	case H2_EV_MESSAGE:
		event_drop(&ev->ev); /* its call is gone */
		break;
	case H2_EV_RESET:
	case H2_EV_CLOSED:
	case H2_EV_ADMITTED:
	case H2_EV_BLOCKED:
	case H2_EV_TOO_LARGE:
		if (u)
			upstream_on_event(u, ev);
		break;
	case H2_EV_SETTINGS:
		l->endpoint->stream_limit =
			h2_conn_open_streams(io->h2) + h2_conn_open_slots(io->h2);
		waiting_wake(l->endpoint);
		break;
	case H2_EV_GOAWAY:
		on_goaway(l, ev);
		break;
	case H2_EV_DEAD:
		on_dead(l, ev);
		break;
	case H2_EV_PING_ACK:
		h2io_ping_answered(io, ev->opaque);
		break;
	case H2_EV_DRAINED:
	case H2_EV_REFUSED:
		break;
	}
}

/* Messages, at once: most events are nothing else. */
static void on_event(struct h2io *io, struct h2_event *ev)
{
	struct upstream *u = ev->kind == H2_EV_MESSAGE ? h2_stream_user(ev->stream) : NULL;
	if (UNLIKELY(!u))
		on_other_event(io, ev);
	else if (LIKELY(ev->ev.kind == EVENT_DATA))
		call_push_response(u->call, &ev->ev);
	else
		upstream_on_message(u, ev);
}

static void on_flushed(struct h2io *io)
{
	struct link *l = link_of(io);
	if (!io->h2 || io->finishing)
		return;
	note_blocked(l);
	if (h2_conn_ids_left(io->h2) < LINK_IDS_RESERVE)
		begin_closing(l);
}

/* ---- ending ---- */

static enum call_reason_id reason_of(const struct h2io *io)
{
	switch (io->reason) {
	case CLOSED_CONNECT_REFUSED:
		return REASON_CONNECT_REFUSED;
	case CLOSED_CONNECT_TIMEOUT:
		return REASON_CONNECT_TIMEOUT;
	case CLOSED_PROTOCOL:
	case CLOSED_SETTINGS_TIMEOUT:
		return REASON_UPSTREAM_PROTOCOL;
	case CLOSED_NO_MEMORY:
		return REASON_NO_MEMORY;
	case CLOSED_NONE:
	case CLOSED_PEER:
	case CLOSED_RESET:
	case CLOSED_PEER_GOAWAY:
	case CLOSED_DRAIN:
	case CLOSED_NOT_HTTP2:
	case CLOSED_HTTP1:
	case CLOSED_PREFACE_TIMEOUT:
	case CLOSED_IDLE:
	case CLOSED_SHUTDOWN:
	case CLOSE_REASON_COUNT:
		return REASON_UPSTREAM_LOST;
	}
	UNREACHABLE();
}

static void on_lost(struct h2io *io)
{
	struct link *l = link_of(io);
	bool connecting = l->state == LINK_CONNECTING;
	l->state = LINK_CLOSING;
	list_remove(&l->node);
	l->endpoint->link_count--;
	if (connecting && !l->why[0]) {
		char why[160];
		snprintf(why, sizeof(why), "%s: %s", l->endpoint->address,
			io->sys_errno ? strerror(io->sys_errno) : close_reason_text(io->reason));
		pool_connect_failed(l->endpoint, why);
	}
	if (!l->why[0])
		snprintf(l->why, sizeof(l->why),
			"connection to endpoint %s of cluster %s was lost: %s",
			l->endpoint->address, l->endpoint->pool->name,
			io->sys_errno ? strerror(io->sys_errno) : close_reason_text(io->reason));
	waiting_link_gone(l->endpoint, connecting, reason_of(io), l->why);
	for (struct upstream *u; (u = first_active(l));)
		upstream_link_lost(u, reason_of(io), l->why);
}

static void on_destroy(struct h2io *io)
{
	mem_free(link_of(io));
}

/* Bytes before the connection stands can't be. */
static void on_raw(struct h2io *io, struct slice in)
{
	slice_drop(&in);
}

static const struct h2io_ops link_ops = {
	.event = on_event,
	.raw = on_raw,
	.writable = on_writable,
	.flushed = on_flushed,
	.lost = on_lost,
	.destroy = on_destroy,
};

bool link_is(const struct h2io *io)
{
	return io->ops == &link_ops;
}

struct link *link_open(struct pool_endpoint *e, const char **why)
{
	struct worker *w = e->pool->worker;
	struct link *l = mem_zalloc(sizeof(*l));
	*why = "out of memory";
	if (!l)
		return NULL;
	series_add(e->pool->series, M_CONNECT_ATTEMPTS, 1);
	const char *congestion = e->pool->congestion_control;
	int fd =
		sock_connect((struct sockaddr *)&e->sa, e->sa_len, *congestion ? congestion : NULL);
	if (fd < 0) {
		char text[96];
		snprintf(text, sizeof(text), "%s: %s", e->address, strerror(errno));
		pool_connect_failed(e, text);
		*why = e->last_error;
		mem_free(l);
		return NULL;
	}
	if (h2io_init(&l->io, w, &link_ops, fd, "upstream", e->pool->name) != 0) {
		mem_free(l);
		return NULL;
	}
	l->endpoint = e;
	list_init(&l->active);
	list_init(&l->node);
	list_push_back(&e->links, &l->node);
	e->link_count++;
	timer_init(&l->io.timer, on_connect_timeout);
	wheel_arm(&w->loop.wheel, &l->io.timer, w->loop.now_ns + e->pool->connect_timeout_ns);
	return l;
}

void link_retire(struct link *l)
{
	if (l->state != LINK_CONNECTING)
		begin_closing(l);
}

void link_check_blocked(struct worker *w, uint64_t now_ns)
{
	bool again = false;
	LIST_FOR_EACH (n, &w->ios) {
		struct h2io *io = CONTAINER_OF(n, struct h2io, all);
		struct link *l = link_is(io) ? link_of(io) : NULL;
		if (!l || l->blocked_since_ns == 0)
			continue;
		again = true;
		if (!l->split && now_ns - l->blocked_since_ns >= LINK_BLOCKED_NS) {
			l->split = true;
			series_add(l->endpoint->pool->series, M_POOL_SPLITS, 1);
		}
	}
	if (again)
		wheel_arm(&w->loop.wheel, &w->blocked_timer, now_ns + LINK_BLOCKED_NS);
}
