/* tx.h - the sending half: per-stream queues, and who goes next.
 *
 * Header sections with nothing before them are encoded at once, so that HPACK's order is the wire's
 * order; trailers behind queued DATA stay decoded until they are reached. DATA is framed only in
 * h2_tx_fill, behind all control frames of the turn, round robin: each ready stream gets one frame,
 * until windows or the output's cap stop it. Unless its owner said that it may go at once and
 * nothing waits.
 *
 *   push -> chunks (copies merge, large ones are references) -> fill -> out
 *   push_now ---------------------------------------------------------> out
 * Private to src/http2. */
#ifndef WEIR_HTTP2_TX_H
#define WEIR_HTTP2_TX_H
#include "base/mem.h"
#include "http2/conn_priv.h"

#define H2_TX_COPY_BYTES  4096u /* payloads up to this are copied and merged */
#define H2_TX_QUICK_BYTES 1024u /* of those, without a further question */
#define H2_TX_NOW_BYTES   2048u /* of those, may be framed at once */
#define H2_TX_FRAME_BYTES                                                                          \
	65536u /* the largest DATA frame that we make: siblings wait behind it                     \
		*/

/* Encodes a section into the output now. ERR_NOMEM, or ERR_INVALID: larger than the peer takes;
 * nothing changed. Borrows `f`. */
int h2_tx_headers(struct h2_stream *s, const struct fields *f, bool end) MUST_USE;
/* What becomes of a stream whose head (else trailers) h2_tx_headers did not take: lost, or its
 * owner is told. `s` may be gone after. */
COLD void h2_tx_refused(struct h2_stream *s, int err, bool head);
/* Queues DATA (takes it). ERR_NOMEM: dropped. */
int h2_tx_data(struct h2_stream *s, struct slice data) MUST_USE;
/* The common push at once: DATA that fits behind what is queued. False: nothing was done. */
static inline bool h2_tx_quick(struct h2_stream *s, struct event *ev)
{
	struct h2_chunk *k = s->last_chunk;
	uint32_t len = ev->data.len;
	if (!k || len - 1 >= k->cap - k->end || len > H2_TX_QUICK_BYTES)
		return false;
	struct slab *slab = ev->data.slab;
	uint8_t *to = k->bytes + k->end, *from = ev->data.at;
	size_t n = len;
	ev->data = (struct slice){NULL, NULL, 0};
	k->end += len;
	k->pushes++;
	s->queued_bytes += len;
	s->conn->books->held_bytes += n;
	mem_copy(to, from, n);
	if (LIKELY(slab))
		slab_unref(slab);
	return true;
}
/* A DATA frame of n bytes is in the output. */
static inline void h2_tx_framed(struct h2_stream *s, uint32_t n)
{
	struct h2_conn *c = s->conn;
	s->send_window_bytes -= (int32_t)n;
	c->send_window_bytes -= (int32_t)n;
	c->out_held += n;
	c->books->frames_out++;
	c->books->data_bytes_out += n;
	h2_guard_earn(&c->guard, 3 + n / 128);
}
/* DATA that nothing waits before, small enough and with room in its windows and in the output: into
 * the output, with one copy and no queue. Once a stream for each output: what else comes meanwhile
 * is queued, where it merges. `ev` keeps its end, which is in the frame. False: nothing was done.
 */
static inline bool h2_tx_now(struct h2_stream *s, struct event *ev)
{
	struct h2_conn *c = s->conn;
	uint32_t len = ev->data.len, whole = H2_HEADER_BYTES + len;
	if (len - 1 >= H2_TX_NOW_BYTES || whole > c->now_bytes || s->now_in == c->outputs ||
		s->first_chunk || s->tx_phase != H2_TX_BODY)
		return false;
	if ((int32_t)len > s->send_window_bytes || (int32_t)len > c->send_window_bytes ||
		!list_empty(&c->ready) || !list_empty(&c->starved))
		return false;
	uint8_t *p = h2_out_reserve(&c->out, whole, 0);
	if (UNLIKELY(!p))
		return false;
	s->now_in = c->outputs;
	c->now_bytes -= whole;
	h2_frame_put(p, len, H2_FRAME_DATA, ev->end ? H2_FLAG_END_STREAM : 0, s->id);
	mem_copy(p + H2_HEADER_BYTES, ev->data.at, len);
	h2_out_commit(&c->out, whole);
	h2_tx_framed(s, len);
	c->books->held_bytes += len;
	slice_drop(&ev->data);
	return true;
}
/* The stream may have something to send: into the ready list. */
void h2_tx_schedule(struct h2_stream *s);
void h2_tx_blocked(struct h2_stream *s, enum h2_blocked how);
/* The connection's window grew. */
void h2_tx_wake(struct h2_conn *c);
/* Frames what windows and the output's cap allow. */
void h2_tx_fill(struct h2_conn *c);
/* Our END_STREAM is in the output. `s` may be gone after. */
void h2_tx_ended(struct h2_stream *s);
/* References to much larger slabs become copies of exact size. */
void h2_tx_compact(struct h2_stream *s);
#endif
