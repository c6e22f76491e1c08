/* handle.c - what the owner does with a stream: open, push, credit, reset, release. See conn.h. */
#include "http2/check.h"
#include "http2/conn_priv.h"
#include "http2/tx.h"

/* --- opening ------------------------------------------------------------------------------------
 */

uint32_t h2_conn_ids_left(const struct h2_conn *c)
{
	if (c->role != H2_CLIENT || c->next_id > H2_MAX_STREAM_ID)
		return 0;
	return (H2_MAX_STREAM_ID - c->next_id) / 2 + 1;
}

uint32_t h2_conn_open_slots(const struct h2_conn *c)
{
	if (c->role != H2_CLIENT || c->dead || c->drain != H2_DRAIN_NONE || c->goaway_seen)
		return 0;
	uint32_t ids = h2_conn_ids_left(c), limit = c->peer.max_concurrent_streams;
	uint32_t slots = limit > c->open_streams ? limit - c->open_streams : 0;
	return slots < ids ? slots : ids;
}

static int open_with(struct h2_conn *c, const struct event *head, struct h2_stream **out)
{
	struct h2_stream *s = h2_stream_create(c, c->next_id);
	if (!s)
		return ERR_NOMEM;
	int err = h2_tx_headers(s, head->fields, head->end);
	if (UNLIKELY(err)) {
		s->held = false;
		h2_stream_close(
			s, H2_CLOSED_BY_US); /* its id was not used on the wire, and will be */
		return err;
	}
	c->next_id += 2;
	h2_stream_move(s, H2_STATE_OPEN);
	struct h2_method method = h2_method_of(head->fields);
	s->req_head = method.head;
	s->req_connect = method.connect;
	s->tx_phase = head->end ? H2_TX_ENDED : H2_TX_BODY;
	if (head->end)
		h2_tx_ended(s);
	*out = s;
	return 0;
}

int h2_conn_open_kept(struct h2_conn *c, const struct event *head, struct h2_stream **out)
{
	*out = NULL;
	if (c->dead)
		return ERR_CLOSED;
	if (head->kind != EVENT_HEAD || !head->fields) {
		c->books->bugs++;
		return ERR_LIMIT;
	}
	return h2_conn_open_slots(c) ? open_with(c, head, out) : ERR_LIMIT;
}

int h2_conn_open(struct h2_conn *c, struct event *head, struct h2_stream **out)
{
	int err = h2_conn_open_kept(c, head, out);
	event_drop(head);
	return err;
}

/* --- pushing ------------------------------------------------------------------------------------
 */

static void push_data(struct h2_stream *s, struct event *ev)
{
	if (ev->data.len) {
		struct slice data = ev->data;
		ev->data = (struct slice){NULL, NULL, 0};
		if (UNLIKELY(h2_tx_data(s, data))) {
			h2_stream_fail_ours(s, H2_FAULT_NO_MEMORY_STREAM);
			return;
		}
	}
	if (ev->end)
		s->tx_phase = H2_TX_ENDED;
	h2_tx_schedule(s);
}

static void push_head(struct h2_stream *s, struct event *ev)
{
	bool end = ev->end && ev->kind == EVENT_HEAD;
	int err = h2_tx_headers(s, ev->fields, end);
	if (UNLIKELY(err)) {
		if (err == ERR_NOMEM ||
			ev->kind == EVENT_HEAD) /* without an interim one it goes on */
			h2_tx_refused(s, err, true);
		return;
	}
	if (ev->kind == EVENT_HEAD)
		s->tx_phase = end ? H2_TX_ENDED : H2_TX_BODY;
	if (end)
		h2_tx_ended(s);
}

static void push_trailers(struct h2_stream *s, struct event *ev)
{
	s->tx_phase = H2_TX_ENDED;
	if (s->queued_bytes) { /* encoded when they are reached: HPACK order is wire order */
		s->trailers = ev->fields;
		ev->fields = NULL;
		return;
	}
	int err = h2_tx_headers(s, ev->fields, true);
	if (UNLIKELY(err))
		h2_tx_refused(s, err, false);
	else
		h2_tx_ended(s);
}

/* Is the event in order (conn.h)? The shape of a client's own head is h2_conn_open's business. */
static bool in_order(const struct h2_stream *s, const struct event *ev)
{
	switch (ev->kind) {
	case EVENT_INFO:
	case EVENT_HEAD:
		return s->tx_phase == H2_TX_HEAD && ev->fields && s->conn->role == H2_SERVER;
	case EVENT_DATA:
		return s->tx_phase == H2_TX_BODY;
	case EVENT_TRAILERS:
		return s->tx_phase == H2_TX_BODY && ev->fields;
	case EVENT_RESET:
		return true;
	}
	return false;
}

__attribute__((noinline)) static void push_slowly(struct h2_stream *s, struct event *ev)
{
	if (UNLIKELY(s->state == H2_STATE_CLOSED || s->tx_phase >= H2_TX_ENDED)) {
		if (ev->kind == EVENT_RESET)
			h2_stream_reset(s, ev->code);
	} else if (UNLIKELY(!in_order(s, ev))) {
		s->conn->books->bugs++;
	} else {
		switch (ev->kind) {
		case EVENT_DATA:
			push_data(s, ev);
			break;
		case EVENT_INFO:
		case EVENT_HEAD:
			push_head(s, ev);
			break;
		case EVENT_TRAILERS:
			push_trailers(s, ev);
			break;
		case EVENT_RESET:
			h2_stream_reset(s, ev->code);
			break;
		}
	}
	event_drop(ev);
}

void h2_stream_push(struct h2_stream *s, struct event *ev)
{
	/* a chunk is queued, so the stream is open, and scheduled or waiting for a window */
	if (LIKELY(ev->kind == EVENT_DATA && !ev->end && s->tx_phase == H2_TX_BODY) &&
		LIKELY(h2_tx_quick(s, ev)))
		return;
	push_slowly(s, ev);
}

static __attribute__((noinline)) uint32_t push_data_now(struct h2_stream *s, struct event *ev)
{
	uint32_t len = ev->data.len;
	if (!h2_tx_now(s, ev)) {
		h2_stream_push(s, ev);
		return 0;
	}
	if (ev->end) {
		s->tx_phase = H2_TX_ENDED;
		h2_tx_ended(s);
	}
	return len;
}

/* A head that is due (only a server pushes one), or trailers with nothing before them, in order by
 * the phase: a closed stream's is H2_TX_ENDED. */
static __attribute__((noinline)) uint32_t push_other_now(struct h2_stream *s, struct event *ev)
{
	struct fields *fields = ev->fields;
	if (LIKELY(fields && ev->kind == EVENT_TRAILERS && s->tx_phase == H2_TX_BODY &&
		    !s->queued_bytes)) {
		push_trailers(s, ev);
	} else if (LIKELY(fields && ev->kind == EVENT_HEAD && s->tx_phase == H2_TX_HEAD &&
			   s->conn->role == H2_SERVER)) {
		push_head(s, ev);
	} else {
		push_slowly(s, ev);
		return 0;
	}
	ev->fields = NULL;
	fields_destroy(fields);
	return 0;
}

uint32_t h2_stream_push_now(struct h2_stream *s, struct event *ev)
{
	return ev->kind == EVENT_DATA ? push_data_now(s, ev) : push_other_now(s, ev);
}

/* --- credit, reset, release ---------------------------------------------------------------------
 */

/* A crowded connection's streams get by with smaller windows; they grow again when it is not. */
static void fit_window(struct h2_stream *s)
{
	struct h2_conn *c = s->conn;
	if (UNLIKELY(c->crowded)) {
		if (h2_inflow_shrink(&s->inflow, c->options.crowded_window_bytes))
			c->books->windows_shrunk++;
	} else if (UNLIKELY(s->inflow.reserve_bytes) && h2_inflow_held(&s->inflow) == 0 &&
		   h2_inflow_due(&s->inflow)) {
		h2_inflow_grow(&s->inflow);
	}
}

void h2_stream_credit(struct h2_stream *s, uint32_t bytes)
{
	struct h2_conn *c = s->conn;
	if (s->state == H2_STATE_CLOSED)
		return;
	if (UNLIKELY(!h2_inflow_give(&s->inflow, bytes))) {
		h2_conn_bug(c);
		return;
	}
	fit_window(s);
	uint32_t due = h2_inflow_due(&s->inflow);
	if (!due || s->state == H2_STATE_HALF_REMOTE)
		return;
	if (h2_conn_send_window(c, s->id, due))
		h2_inflow_told(&s->inflow);
}

void h2_stream_reset(struct h2_stream *s, uint32_t code)
{
	struct h2_conn *c = s->conn;
	h2_stream_mute(s);
	if (s->state == H2_STATE_CLOSED)
		return;
	bool queue = s->tx_phase == H2_TX_ENDED && !h2_state_local_ended((enum h2_state)s->state);
	if (code == H2_NO_ERROR && queue) { /* 8.1: let the complete response out first */
		s->reset_after = true;
		if (s->rx_phase != H2_RX_ENDED)
			h2_stream_set_rx(s, H2_RX_DISCARD, -1);
		if (c->rx.stream == s)
			c->rx.stream = NULL;
		return;
	}
	if (h2_conn_send_rst(c, s->id, code))
		h2_stream_close(s, H2_CLOSED_BY_US);
}

uint32_t h2_stream_drop_queued(struct h2_stream *s)
{
	if (s->state == H2_STATE_CLOSED)
		return 0;
	fields_destroy(s->trailers);
	s->trailers = NULL;
	if (s->tx_phase == H2_TX_ENDED && !h2_state_local_ended((enum h2_state)s->state))
		s->tx_phase = H2_TX_BODY; /* an end behind what is dropped is dropped with it */
	list_remove(&s->send_node);
	s->queued = false;
	h2_tx_blocked(s, H2_NOT_BLOCKED);
	return h2_stream_drop_chunks(s);
}

bool h2_stream_is_over(const struct h2_stream *s)
{
	return s->notes == H2_NOTE_CLOSED;
}

void h2_stream_release(struct h2_stream *s)
{
	if (s->state != H2_STATE_CLOSED && !s->reset_after)
		h2_stream_reset(s, H2_CANCEL);
	h2_stream_mute(s);
	s->held = false;
	if (s->state == H2_STATE_CLOSED)
		h2_stream_free(s);
}

void h2_stream_set_user(struct h2_stream *s, void *user)
{
	s->user = user;
}

void *h2_stream_user(const struct h2_stream *s)
{
	return s->user;
}

uint32_t h2_stream_id(const struct h2_stream *s)
{
	return s->id;
}

struct h2_conn *h2_stream_conn(const struct h2_stream *s)
{
	return s->conn;
}

void h2_stream_inspect(const struct h2_stream *s, struct h2_stream_info *out)
{
	const struct h2_conn *c = s->conn;
	*out = (struct h2_stream_info){
		.id = s->id,
		.send_window_bytes = s->send_window_bytes,
		.conn_send_window_bytes = c->send_window_bytes,
		.receive_window_bytes = s->inflow.avail_bytes,
		.queued_bytes = s->queued_bytes,
		.blocked = s->queued_bytes ? (enum h2_blocked)s->blocked : H2_NOT_BLOCKED,
		.local_ended = h2_state_local_ended((enum h2_state)s->state),
		.remote_ended = h2_state_remote_ended((enum h2_state)s->state),
	};
	if (s->queued_bytes && s->queued && out->blocked == H2_NOT_BLOCKED)
		out->blocked = H2_BLOCKED_SOCKET;
}
