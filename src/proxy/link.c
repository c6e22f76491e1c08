#include "proxy/link.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/sock.h"
#include "proxy/upstream.h"

static struct link *link_of(struct h2io *io)
{
	return CONTAINER_OF(io, struct link, io);
}

static struct upstream *first_of(struct list *l)
{
	return list_empty(l) ? NULL : CONTAINER_OF(l->next, struct upstream, node);
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
	if (l->state == LINK_CLOSING && list_empty(&l->active) && list_empty(&l->waiting))
		h2io_finish(&l->io, l->goaway ? CLOSED_PEER_GOAWAY : CLOSED_DRAIN);
}

/* ---- attempts that wait ---- */

/* Another link of the same endpoint that may take waiting attempts: with room, or still connecting.
 */
static struct link *find_link(struct pool_endpoint *e, bool connecting)
{
	LIST_FOR_EACH (n, &e->links) {
		struct link *l = CONTAINER_OF(n, struct link, node);
		if (connecting ? l->state == LINK_CONNECTING : has_room(l))
			return l;
	}
	return NULL;
}

static struct link *open_link(struct pool_endpoint *e, const char **why);

void link_leave(struct upstream *u)
{
	list_remove(&u->node);
	u->link = NULL;
	if (u->waiting)
		series_sub(u->endpoint->pool->series, M_STREAMS_WAITING, 1);
	u->waiting = false;
}

static void start_on(struct link *l, struct upstream *u)
{
	link_leave(u);
	u->link = l;
	list_push_back(&l->active, &u->node);
	l->io.calls++;
	upstream_start(u);
	h2io_dirty(&l->io);
}

static void wait_on(struct link *l, struct upstream *u)
{
	link_leave(u);
	u->link = l;
	u->waiting = true;
	series_add(u->endpoint->pool->series, M_STREAMS_WAITING, 1);
	list_push_back(&l->waiting, &u->node);
}

/* Streams for as many as there is room; the rest goes to another link once the peer's limit is
 * known. */
static void pump(struct link *l)
{
	struct upstream *u;
	while (l->state == LINK_READY && (u = first_of(&l->waiting)) && has_room(l))
		start_on(l, u);
	if (list_empty(&l->waiting) || l->state != LINK_READY ||
		!h2_conn_peer_settings_seen(l->io.h2))
		return;
	struct link *other = find_link(l->endpoint, false);
	if (!other)
		other = find_link(l->endpoint, true);
	const char *why;
	if (!other && l->endpoint->link_count < POOL_LINKS_MAX) {
		other = open_link(l->endpoint, &why);
		if (other)
			series_add(l->endpoint->pool->series, M_POOL_OVERFLOWS, 1);
	}
	if (!other || other == l)
		return; /* they wait for a stream of this link to end */
	while ((u = first_of(&l->waiting)) &&
		(other->state == LINK_CONNECTING || has_room(other))) {
		if (other->state == LINK_CONNECTING)
			wait_on(other, u);
		else
			start_on(other, u);
	}
}

static bool any_split(const struct pool_endpoint *e)
{
	LIST_FOR_EACH (n, &e->links) {
		if (CONTAINER_OF(n, struct link, node)->split)
			return true;
	}
	return false;
}

int link_enqueue(struct pool_endpoint *e, struct upstream *u, const char **why)
{
	struct link *l = find_link(e, false);
	if (l) {
		start_on(l, u);
		return 0;
	}
	l = find_link(e, true);
	if (!l && e->link_count < POOL_LINKS_MAX) {
		bool further = !list_empty(&e->links);
		l = open_link(e, why);
		if (!l && !further)
			return ERR_SYS;
		if (l && further && !any_split(e))
			series_add(e->pool->series, M_POOL_OVERFLOWS, 1);
	}
	/* Every link is full and no more may be opened: wait for a slot on the newest. */
	if (!l)
		l = CONTAINER_OF(e->links.prev, struct link, node);
	if (l->state == LINK_CLOSING) {
		*why = "too many connections to the endpoint are closing";
		return ERR_LIMIT;
	}
	wait_on(l, u);
	return 0;
}

void link_stream_ended(struct link *l)
{
	if (l->io.dead)
		return;
	if (!list_empty(&l->waiting))
		pump(l);
	close_when_idle(l);
	h2io_dirty(&l->io);
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
	l->state = l->endpoint->retired && list_empty(&l->waiting) ? LINK_CLOSING : LINK_READY;
	pool_connect_succeeded(l->endpoint);
	h2io_count_open(io);
	h2io_dirty(io);
	pump(l);
}

/* ---- events ---- */

static void begin_closing(struct link *l)
{
	if (l->state == LINK_CLOSING)
		return;
	l->state = LINK_CLOSING;
	/* Nobody will start what waits here: it was never sent. */
	for (struct upstream *u; (u = first_of(&l->waiting));)
		upstream_link_lost(u, REASON_UNPROCESSED, "the upstream connection is closing");
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
	for (struct upstream *u; (u = first_of(&l->active));)
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
			pump(l);
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
		pump(l);
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
	for (struct upstream *u; (u = first_of(&l->waiting));)
		upstream_link_lost(u, reason_of(io), l->why);
	for (struct upstream *u; (u = first_of(&l->active));)
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

static struct link *open_link(struct pool_endpoint *e, const char **why)
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
	list_init(&l->waiting);
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
