/* tx.h - the sending half: per-stream queues, and who goes next.
 *
 * Header sections with nothing before them are encoded at once, so that HPACK's order is the wire's
 * order; trailers behind queued DATA stay decoded until they are reached. DATA is framed only in
 * h2_tx_fill, behind all control frames of the turn, round robin: each ready stream gets one frame,
 * until windows or the output's cap stop it.
 *
 *   push -> chunks (copies merge, large ones are references) -> fill -> out
 * Private to src/http2. */
#ifndef WEIR_HTTP2_TX_H
#define WEIR_HTTP2_TX_H
#include "base/mem.h"
#include "http2/conn_priv.h"

#define H2_TX_COPY_BYTES  4096u /* payloads up to this are copied and merged */
#define H2_TX_QUICK_BYTES 1024u /* of those, without a further question */
#define H2_TX_FRAME_BYTES                                                                          \
	65536u /* the largest DATA frame that we make: siblings wait behind it                     \
		*/

/* Encodes a section into the output now. ERR_NOMEM: nothing changed. Borrows `f`. */
int h2_tx_headers(struct h2_stream *s, const struct fields *f, bool end) MUST_USE;
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
