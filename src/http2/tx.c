#include "http2/tx.h"
#include "base/mem.h"

/* --- header sections ----------------------------------------------------------------------------
 */

/* Turns the block at p + 9 into HEADERS and CONTINUATION in place, from the end, so that nothing is
 * overwritten. How many. */
static COLD uint32_t frame_long_block(
	uint8_t *p, size_t len, uint32_t max, uint32_t id, uint8_t flags)
{
	uint32_t n = (uint32_t)((len + max - 1) / max);
	for (uint32_t i = n; i-- > 0;) {
		size_t from = (size_t)i * max, part = i + 1 == n ? len - from : max;
		uint8_t *at = p + (size_t)i * (max + H2_HEADER_BYTES);
		if (i)
			memmove(at + H2_HEADER_BYTES, p + H2_HEADER_BYTES + from, part);
		uint8_t type = i ? H2_FRAME_CONTINUATION : H2_FRAME_HEADERS;
		uint8_t set = (uint8_t)((i ? 0 : flags) | (i + 1 == n ? H2_FLAG_END_HEADERS : 0));
		h2_frame_put(at, (uint32_t)part, type, set, id);
	}
	return n;
}

/* How many frames a long section may take; 0: it is more than the peer takes (6.5.2). */
static COLD size_t most_frames(struct h2_conn *c, const struct fields *f)
{
	if (f->list_bytes <= c->peer.max_header_list_bytes)
		return hpack_encode_bound(f) / c->peer.max_frame_bytes + 1;
	c->books->faults[H2_FAULT_PEER_HEADER_LIST]++;
	return 0;
}

int h2_tx_headers(struct h2_stream *s, const struct fields *f, bool end)
{
	struct h2_conn *c = s->conn;
	uint32_t max = c->peer.max_frame_bytes, frames = 1;
	uint8_t flags = end ? H2_FLAG_END_STREAM : 0;
	struct hpack_encoder *e = h2_conn_encoder(c);
	if (UNLIKELY(!e))
		return ERR_NOMEM;
	size_t bound = hpack_encode_bound(f), most = 1; /* the list's size, and more */
	if (UNLIKELY(bound > c->plain_block_bytes) && (most = most_frames(c, f)) == 0)
		return ERR_INVALID;
	uint8_t *p = h2_out_reserve(&c->out, bound + most * H2_HEADER_BYTES, 0);
	if (!p)
		return ERR_NOMEM;
	size_t len = hpack_encode(e, f, p + H2_HEADER_BYTES);
	if (LIKELY(len <= max))
		h2_frame_put(
			p, (uint32_t)len, H2_FRAME_HEADERS, flags | H2_FLAG_END_HEADERS, s->id);
	else
		frames = frame_long_block(p, len, max, s->id, flags);
	h2_out_commit(&c->out, len + (size_t)frames * H2_HEADER_BYTES);
	c->books->frames_out += frames;
	return 0;
}

void h2_tx_refused(struct h2_stream *s, int err, bool head)
{
	if (err == ERR_NOMEM) {
		h2_stream_fail_ours(s, H2_FAULT_NO_MEMORY_STREAM);
	} else if (s->mute || !s->held) { /* nobody would answer */
		if (h2_conn_send_rst(s->conn, s->id, H2_INTERNAL_ERROR))
			h2_stream_close(s, H2_CLOSED_BY_US);
	} else {
		s->tx_phase = head ? H2_TX_HEAD_REFUSED : H2_TX_TRAILERS_REFUSED;
		h2_stream_note(s, H2_NOTE_TOO_LARGE);
	}
}

/* --- the queue ----------------------------------------------------------------------------------
 */

static void queue_chunk(struct h2_stream *s, struct h2_chunk *k)
{
	if (s->last_chunk)
		s->last_chunk->next = k;
	else
		s->first_chunk = k;
	s->last_chunk = k;
}

/* Room behind a referenced run, whose slab nobody else looks at. NULL: there is not so much. */
static uint8_t *room_behind(const struct h2_chunk *k, uint32_t bytes)
{
	const struct slab *slab = k->ref.slab;
	if (k->cap || !slab || slab->bytes_cap != SLAB_SMALL_BYTES || slab->refs != 1)
		return NULL;
	const uint8_t *end = slab->bytes + slab->bytes_cap;
	uint8_t *to = k->ref.at + k->ref.len;
	return (size_t)(end - to) >= bytes ? to : NULL;
}

static int queue_copy(struct h2_stream *s, const struct slice *data)
{
	struct h2_chunk *k = s->last_chunk;
	uint8_t *behind = k ? room_behind(k, data->len) : NULL;
	if (behind) {
		mem_copy(behind, data->at, data->len);
		k->ref.len += data->len;
		k->pushes++;
		return 0;
	}
	if (k && k->cap - k->end >= data->len) {
		k->pushes++;
	} else {
		/* the first chunk of a queue is as small as its payload, those behind it are large
		 */
		k = h2_chunk_get(k ? H2_TX_COPY_BYTES : data->len);
		if (!k)
			return ERR_NOMEM;
		queue_chunk(s, k);
	}
	mem_copy(k->bytes + k->end, data->at, data->len);
	k->end += data->len;
	return 0;
}

/* A slab of its own that is not mostly empty: rx gathered it (runs.h), and it need not be copied
 * again. The first of a queue that may go may be emptier, for what follows goes behind it. */
static bool is_run(const struct h2_stream *s, const struct slice *data)
{
	bool goes = !s->first_chunk && (int64_t)data->len <= s->send_window_bytes;
	uint32_t least = goes ? SLAB_SMALL_BYTES / 16 : SLAB_SMALL_BYTES / 4;
	return data->slab && data->slab->bytes_cap == SLAB_SMALL_BYTES && data->slab->refs == 1 &&
	       data->len > least;
}

int h2_tx_data(struct h2_stream *s, struct slice data)
{
	int err = 0;
	uint32_t len = data.len;
	if (LIKELY(len <= H2_TX_COPY_BYTES && !is_run(s, &data))) {
		err = queue_copy(s, &data);
		slice_drop(&data);
	} else {
		struct h2_chunk *k = h2_chunk_get(0);
		if (k) {
			k->ref = data;
			queue_chunk(s, k);
		} else {
			slice_drop(&data);
			err = ERR_NOMEM;
		}
	}
	if (UNLIKELY(err))
		return err;
	s->queued_bytes += len;
	s->conn->books->held_bytes += len;
	if (LIKELY(s->conn->fresh_bytes <= UINT32_MAX / 2))
		s->conn->fresh_bytes += len;
	return 0;
}

/* What keeps the queue from going out; the owner hears of every change. */
void h2_tx_blocked(struct h2_stream *s, enum h2_blocked how)
{
	if (LIKELY(s->blocked == how))
		return;
	s->blocked = (uint8_t)how;
	h2_stream_note(s, H2_NOTE_BLOCKED);
}

/* The socket took not all of what was framed: what is queued waits for it. */
static inline bool is_stuck(const struct h2_conn *c)
{
	return UNLIKELY(c->now_bytes == 0) && c->out.unwritten && !c->dead;
}

void h2_tx_schedule(struct h2_stream *s)
{
	if (s->queued)
		return;
	if (s->queued_bytes) {
		if (s->send_window_bytes <= 0) {
			h2_tx_blocked(s, H2_BLOCKED_STREAM_WINDOW);
			return;
		}
		if (is_stuck(s->conn))
			h2_tx_blocked(s, H2_BLOCKED_SOCKET);
	} else if (s->tx_phase != H2_TX_ENDED || h2_state_local_ended((enum h2_state)s->state)) {
		return;
	}
	list_push_back(&s->conn->ready, &s->send_node);
	s->queued = true;
}

void h2_tx_wake(struct h2_conn *c)
{
	if (c->send_window_bytes <= 0)
		return;
	if (is_stuck(c)) {
		LIST_FOR_EACH (node, &c->starved)
			h2_tx_blocked(
				CONTAINER_OF(node, struct h2_stream, send_node), H2_BLOCKED_SOCKET);
	}
	list_splice_back(&c->ready, &c->starved);
}

void h2_tx_compact(struct h2_stream *s)
{
	for (struct h2_chunk *k = s->first_chunk; k; k = k->next) {
		if (!k->ref.slab || !k->ref.slab->pool || k->ref.len > k->ref.slab->bytes_cap / 4)
			continue;
		struct slice copy = slice_copy(k->ref.at, k->ref.len);
		if (!copy.slab)
			return;
		slice_drop(&k->ref);
		k->ref = copy;
	}
}

/* --- framing ------------------------------------------------------------------------------------
 */

void h2_tx_ended(struct h2_stream *s)
{
	bool reset_after = s->reset_after && s->state == H2_STATE_OPEN;
	if (!reset_after) {
		h2_stream_ended(s, false);
		return;
	}
	if (!h2_stream_move(s, H2_STATE_HALF_LOCAL))
		return;
	if (h2_conn_send_rst(s->conn, s->id, H2_NO_ERROR))
		h2_stream_close(s, H2_CLOSED_BY_US);
}

static inline uint32_t chunk_len(const struct h2_chunk *k)
{
	return k->cap ? k->end - k->at : k->ref.len;
}

/* What the next frame takes: bytes to copy, and references, for one reservation. */
static void measure(const struct h2_stream *s, uint32_t n, uint32_t *copies, uint32_t *refs)
{
	*copies = *refs = 0;
	for (const struct h2_chunk *k = s->first_chunk; n; k = k->next) {
		uint32_t len = chunk_len(k), part = len < n ? len : n;
		if (k->cap)
			*copies += part;
		else
			++*refs;
		n -= part;
	}
}

/* Moves n queued bytes into the output, whose room is reserved. */
static void move_payload(struct h2_stream *s, uint32_t n)
{
	struct h2_out *o = &s->conn->out;
	while (n) {
		struct h2_chunk *k = s->first_chunk;
		uint32_t len = chunk_len(k), part = len < n ? len : n;
		if (k->cap) {
			memcpy(o->at, k->bytes + k->at, part);
			h2_out_commit(o, part);
			k->at += part;
		} else {
			h2_out_take(o, slice_cut(&k->ref, part));
		}
		n -= part;
		if (part == len) {
			s->conn->books->merged_frames += k->pushes - (n == 0);
			s->first_chunk = k->next;
			if (!s->first_chunk)
				s->last_chunk = NULL;
			h2_chunk_put(k);
		}
	}
}

/* One DATA frame of n bytes (0: only END_STREAM). False: no memory, the connection died. */
static bool frame_data(struct h2_stream *s, uint32_t n, bool end)
{
	struct h2_conn *c = s->conn;
	uint32_t copies, refs;
	measure(s, n, &copies, &refs);
	/* a run of copies can be cut by each reference */
	uint8_t *p = h2_out_reserve(&c->out, H2_HEADER_BYTES + copies, 2 * refs);
	if (UNLIKELY(!p)) {
		h2_conn_fail(c, H2_FAULT_NO_MEMORY);
		return false;
	}
	h2_frame_put(p, n, H2_FRAME_DATA, end ? H2_FLAG_END_STREAM : 0, s->id);
	h2_out_commit(&c->out, H2_HEADER_BYTES);
	move_payload(s, n);
	s->queued_bytes -= n;
	h2_tx_framed(s, n);
	if (n) {
		s->admitted_bytes += n;
		h2_stream_note(s, H2_NOTE_ADMITTED);
	}
	return true;
}

/* How much of the queue may go into one frame now. */
static uint32_t frame_room(const struct h2_stream *s)
{
	const struct h2_conn *c = s->conn;
	int64_t n = c->peer.max_frame_bytes < H2_TX_FRAME_BYTES ? c->peer.max_frame_bytes
								: H2_TX_FRAME_BYTES;
	if (n > s->queued_bytes)
		n = s->queued_bytes;
	if (n > s->send_window_bytes)
		n = s->send_window_bytes;
	if (n > c->send_window_bytes)
		n = c->send_window_bytes;
	return n > 0 ? (uint32_t)n : 0;
}

/* What follows the last DATA: trailers, or an END_STREAM that found no DATA to ride on. */
static void finish(struct h2_stream *s, bool end_sent)
{
	if (s->tx_phase != H2_TX_ENDED)
		return;
	if (s->trailers) {
		int err = h2_tx_headers(s, s->trailers, true);
		if (err == ERR_NOMEM) {
			h2_conn_fail(s->conn, H2_FAULT_NO_MEMORY);
			return;
		}
		fields_destroy(s->trailers);
		s->trailers = NULL;
		if (UNLIKELY(err)) {
			h2_tx_refused(s, err, false);
			return;
		}
	} else if (!end_sent && !frame_data(s, 0, true)) {
		return;
	}
	h2_tx_ended(s);
}

/* One turn of one stream, which has left the ready list. */
static void send_one(struct h2_stream *s)
{
	struct h2_conn *c = s->conn;
	bool end = false;
	if (s->queued_bytes) {
		uint32_t n = frame_room(s);
		if (n == 0 && s->send_window_bytes > 0) { /* the connection's window is used up */
			h2_tx_blocked(s, H2_BLOCKED_CONN_WINDOW);
			list_push_back(&c->starved, &s->send_node);
			s->queued = true;
			return;
		}
		end = n == s->queued_bytes && s->tx_phase == H2_TX_ENDED && !s->trailers;
		if (n && !frame_data(s, n, end))
			return;
	}
	if (s->queued_bytes) {
		h2_tx_schedule(s);
		return;
	}
	h2_tx_blocked(s, H2_NOT_BLOCKED);
	finish(s, end);
}

void h2_tx_fill(struct h2_conn *c)
{
	while (!c->dead && c->out.unwritten < c->options.output_bytes) {
		struct list *node = list_pop_front(&c->ready);
		if (!node)
			return;
		struct h2_stream *s = CONTAINER_OF(node, struct h2_stream, send_node);
		s->queued = false;
		send_one(s);
	}
}
