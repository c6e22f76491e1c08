/* rx_quick.h - the common frame at once: whole, unpadded DATA without END_STREAM on an open stream,
 * within its windows and far from a WINDOW_UPDATE. It does what rx.c does for such a frame, and
 * nothing else; whatever is out of the ordinary is left to h2_rx_step. Private to src/http2. */
#ifndef WEIR_HTTP2_RX_QUICK_H
#define WEIR_HTTP2_RX_QUICK_H
#include "http2/conn_priv.h"

/* May the next frame be tried here? Asked whenever something slow is over. */
static inline void h2_rx_set_quick(struct h2_conn *c)
{
	struct h2_rx *rx = &c->rx;
	rx->quick = !c->pending && rx->state == H2_RX_FRAME && rx->first_seen &&
		    rx->part_len == 0 && rx->block_id == 0;
}

/* rx->quick holds. False: nothing was done. */
static inline bool h2_rx_quick(struct h2_conn *c, struct h2_event *out)
{
	struct h2_rx *rx = &c->rx;
	struct h2_books *books = c->books;
	if (UNLIKELY(rx->in.len <= H2_HEADER_BYTES))
		return false;
	uint8_t *p = rx->in.at;
	uint64_t head = h2_get_u64(p);
	uint32_t left = rx->in.len - H2_HEADER_BYTES, len = (uint32_t)(head >> 40);
	if (UNLIKELY(head & 0xffff000000u)) /* type and flags */
		return false;
	if (UNLIKELY(len - 1 >= left || len > c->options.max_frame_bytes))
		return false;
	struct h2_stream *s = h2_stream_find(c, h2_get_u32(p + 5));
	if (UNLIKELY(!s))
		return false;
	int32_t conn_avail = c->inflow.avail_bytes - (int32_t)len;
	int32_t avail = s->inflow.avail_bytes - (int32_t)len;
	if (UNLIKELY(conn_avail < c->inflow_low_bytes || avail < 0 || !s->rx_plain))
		return false;
	c->inflow.avail_bytes = conn_avail;
	s->inflow.avail_bytes = avail;
	books->frames_in++;
	books->data_bytes_in += len;
	h2_guard_earn(&c->guard, 1);
	struct slab *slab = rx->in.slab;
	p += H2_HEADER_BYTES;
	left -= len;
	rx->in.at = p + len;
	rx->in.len = left;
	if (LIKELY(left))
		slab_ref(slab);
	else
		rx->in.slab = NULL; /* the event has the reference */
	out->kind = H2_EV_MESSAGE;
	out->stream = s;
	out->ev.kind = EVENT_DATA;
	out->ev.end = false;
	out->ev.code = 0;
	out->ev.fields = NULL;
	out->ev.data.slab = slab;
	out->ev.data.at = p;
	out->ev.data.len = len;
	out->oversized = false;
	return true;
}
#endif
