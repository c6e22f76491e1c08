#include "http2/stream.h"
#include "base/freelist.h"
#include "base/slots.h"
#include "http2/conn_priv.h"

#define CHUNK_SMALL_BYTES (512u - (uint32_t)sizeof(struct h2_chunk))
#define CHUNK_LARGE_BYTES (8192u - (uint32_t)sizeof(struct h2_chunk))
#define CACHE_STREAMS     1024u
#define CACHE_CHUNKS      256u
#define CACHE_RUNS        4u

static _Thread_local struct {
	uint32_t conns;
	uint32_t small_out; /* small chunks in use */
	struct free_list streams, refs, small, large, runs;
} caches;

void h2_caches_hold(void)
{
	caches.conns++;
}

void h2_caches_release(void)
{
	ASSERT(caches.conns > 0);
	if (--caches.conns)
		return;
	free_list_purge(&caches.streams);
	free_list_purge(&caches.refs);
	free_list_purge(&caches.small);
	free_list_purge(&caches.large);
	free_list_purge(&caches.runs);
}

void h2_caches_cool(void)
{
	free_list_cool(&caches.streams);
	free_list_cool(&caches.refs);
	free_list_cool(&caches.small);
	free_list_cool(&caches.large);
	free_list_cool(&caches.runs);
}

/* --- chunks ----------------------------------------------------------------------------------- */

static struct free_list *chunk_list(uint32_t cap)
{
	return cap == 0 ? &caches.refs : cap == CHUNK_SMALL_BYTES ? &caches.small : &caches.large;
}

static bool is_cached(uint32_t cap)
{
	return cap == 0 || cap == CHUNK_SMALL_BYTES || cap == CHUNK_LARGE_BYTES;
}

struct h2_chunk *h2_chunk_get(uint32_t bytes)
{
	uint32_t cap = bytes == 0                   ? 0
		       : bytes <= CHUNK_SMALL_BYTES ? CHUNK_SMALL_BYTES
						    : CHUNK_LARGE_BYTES;
	ASSERT(bytes <= cap);
	/* Of very many streams that wait at once, each takes only what it needs. */
	if (cap == CHUNK_SMALL_BYTES && caches.small_out >= CACHE_CHUNKS)
		cap = bytes;
	struct h2_chunk *k = is_cached(cap) ? free_list_take(chunk_list(cap), sizeof(*k) + cap)
					    : slots_take(sizeof(*k) + cap);
	if (!k)
		return NULL;
	caches.small_out += cap == CHUNK_SMALL_BYTES;
	k->next = NULL;
	k->ref = (struct slice){NULL, NULL, 0};
	k->at = k->end = 0;
	k->cap = cap;
	k->pushes = 1;
	return k;
}

void h2_chunk_put(struct h2_chunk *k)
{
	slice_drop(&k->ref);
	caches.small_out -= k->cap == CHUNK_SMALL_BYTES;
	if (is_cached(k->cap))
		free_list_give(chunk_list(k->cap), k, CACHE_CHUNKS);
	else
		slots_give(k, sizeof(*k) + k->cap);
}

struct h2_runs *h2_runs_get(void)
{
	return free_list_take(&caches.runs, sizeof(struct h2_runs));
}

void h2_runs_put(struct h2_runs *runs)
{
	free_list_give(&caches.runs, runs, CACHE_RUNS);
}

/* --- closed ids ---------------------------------------------------------------------------------
 */

void h2_closed_remember(struct h2_closed_memory *m, uint32_t id, enum h2_closed how)
{
	uint32_t entry = id >> 1 << 2 | (uint32_t)how;
	for (unsigned i = 0; how != H2_CLOSED_ENDED && i < H2_CLOSED_MEMORY; i++) {
		if (m->ring[i] >> 2 == id >> 1 &&
			m->ring[i]) { /* a late frame was answered, or a late reset came */
			m->ring[i] = entry;
			return;
		}
	}
	m->ring[m->next] = entry;
	m->next = (uint8_t)((m->next + 1) % H2_CLOSED_MEMORY);
}

enum h2_closed h2_closed_recall(const struct h2_closed_memory *m, uint32_t id)
{
	for (unsigned i = 0; i < H2_CLOSED_MEMORY; i++)
		if (m->ring[i] && m->ring[i] >> 2 == id >> 1)
			return (enum h2_closed)(m->ring[i] & 3);
	return H2_CLOSED_FORGOTTEN;
}

/* --- streams ------------------------------------------------------------------------------------
 */

/* Before the peer acknowledged our SETTINGS it may still use the default window (6.9.2). */
static uint32_t first_window(const struct h2_conn *c)
{
	uint32_t want = c->options.stream_window_bytes;
	return !c->settings_acked && want < H2_WINDOW_DEFAULT ? H2_WINDOW_DEFAULT : want;
}

struct h2_stream *h2_stream_create(struct h2_conn *c, uint32_t id)
{
	struct h2_stream *s = free_list_take(&caches.streams, sizeof(*s));
	if (!s)
		return NULL;
	if (!c->solo) {
		c->solo = s;
	} else if (idmap_put(&c->table, id, s)) {
		free_list_give(&caches.streams, s, CACHE_STREAMS);
		return NULL;
	}
	memset(s, 0, sizeof(*s));
	s->conn = c;
	s->id = id;
	s->held = true;
	s->fault = H2_FAULT_COUNT;
	s->send_window_bytes = c->peer.initial_window_bytes;
	s->content_left = -1;
	h2_inflow_init(&s->inflow, first_window(c));
	list_init(&s->send_node);
	list_init(&s->note_node);
	c->open_streams++;
	c->books->streams++;
	c->last = s;
	return s;
}

void h2_stream_free(struct h2_stream *s)
{
	struct h2_conn *c = s->conn;
	list_remove(&s->send_node);
	list_remove(&s->note_node);
	c->books->streams--;
	free_list_give(&caches.streams, s, CACHE_STREAMS);
}

struct h2_stream *h2_stream_next_open(const struct h2_conn *c, uint32_t *it)
{
	uint32_t key;
	void *s;
	if (*it == 0) {
		*it = 1;
		if (c->solo)
			return c->solo;
	}
	uint32_t at = *it - 1;
	bool found = idmap_next(&c->table, &at, &key, &s);
	*it = at + 1;
	return found ? s : NULL;
}

bool h2_stream_move(struct h2_stream *s, enum h2_state to)
{
	if (UNLIKELY(!h2_state_may((enum h2_state)s->state, to))) {
		h2_conn_bug(s->conn);
		return false;
	}
	s->state = (uint8_t)to;
	return true;
}

uint32_t h2_stream_drop_chunks(struct h2_stream *s)
{
	uint32_t bytes = s->queued_bytes;
	while (s->first_chunk) {
		struct h2_chunk *k = s->first_chunk;
		s->first_chunk = k->next;
		h2_chunk_put(k);
	}
	s->last_chunk = NULL;
	s->queued_bytes = 0;
	s->conn->books->held_bytes -= bytes;
	return bytes;
}

void h2_stream_note(struct h2_stream *s, unsigned note)
{
	if (s->mute || !s->held)
		return;
	s->notes |= (uint8_t)note;
	if (list_empty(&s->note_node))
		list_push_back(&s->conn->notes, &s->note_node);
	h2_conn_attend(s->conn, H2_PEND_NOTES);
}

void h2_stream_close(struct h2_stream *s, enum h2_closed how)
{
	struct h2_conn *c = s->conn;
	if (s->state == H2_STATE_CLOSED || !h2_stream_move(s, H2_STATE_CLOSED))
		return;
	if (UNLIKELY(s->first_chunk))
		h2_stream_drop_chunks(s);
	if (UNLIKELY(s->run))
		h2_runs_forget(s);
	if (UNLIKELY(s->trailers))
		fields_destroy(s->trailers);
	s->trailers = NULL;
	h2_stream_set_rx(s, H2_RX_ENDED, -1);
	s->tx_phase = H2_TX_ENDED;
	list_remove(&s->send_node);
	s->queued = false;
	if (c->solo == s)
		c->solo = NULL;
	else
		idmap_remove(&c->table, s->id);
	h2_closed_remember(&c->closed, s->id, how);
	c->open_streams--;
	if (c->last == s)
		c->last = NULL;
	if (c->rx.stream == s)
		c->rx.stream = NULL;
	if (s->notes & H2_NOTE_CLOSED)
		list_push_back(&c->over, &s->send_node);
	else if (s->held)
		list_push_back(&c->closed_held, &s->send_node);
	else
		h2_stream_free(s);
}

void h2_stream_ended(struct h2_stream *s, bool by_peer)
{
	enum h2_state to = h2_state_after_end((enum h2_state)s->state, by_peer);
	if (by_peer && s->rx_phase != H2_RX_DISCARD)
		h2_stream_set_rx(s, H2_RX_ENDED, -1);
	if (to == H2_STATE_CLOSED) {
		if (s->held && !s->mute) {
			s->notes |= H2_NOTE_CLOSED;
			h2_conn_attend(s->conn, H2_PEND_NOTES);
		}
		h2_stream_close(s, H2_CLOSED_ENDED);
	} else {
		h2_stream_move(s, to);
	}
}

void h2_stream_lost(
	struct h2_stream *s, uint32_t code, enum h2_fault fault, bool by_peer, bool unprocessed)
{
	bool told = s->held; /* else it may be gone when it is closed */
	s->fault = (uint8_t)fault;
	s->by_peer = by_peer;
	s->unprocessed = unprocessed;
	s->notes &= (uint8_t)~H2_NOTE_TOO_LARGE;
	h2_stream_note(s, H2_NOTE_RESET);
	h2_stream_close(s, by_peer ? H2_CLOSED_BY_PEER : H2_CLOSED_BY_US);
	if (told)
		s->code = code;
}

void h2_stream_mute(struct h2_stream *s)
{
	s->mute = true;
	if (s->run)
		h2_runs_forget(s);
	s->notes = 0;
	list_remove(&s->note_node);
}

static void fail(struct h2_stream *s, enum h2_fault fault)
{
	struct h2_conn *c = s->conn;
	uint32_t code = h2_fault_code(fault);
	c->books->faults[fault]++;
	if (h2_conn_send_rst(c, s->id, code))
		h2_stream_lost(s, code, fault, false, false);
}

void h2_stream_fail(struct h2_stream *s, enum h2_fault fault)
{
	struct h2_conn *c = s->conn;
	/* a peer that provokes our resets pays as if it sent them (a cousin of CVE-2023-44487) */
	if (c->role == H2_SERVER && !h2_guard_reset(&c->guard, c->now_ns))
		h2_conn_fail(c, H2_FAULT_FLOOD_RESETS);
	else
		fail(s, fault);
}

void h2_stream_fail_ours(struct h2_stream *s, enum h2_fault fault)
{
	fail(s, fault);
}
