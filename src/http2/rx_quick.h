/* rx_quick.h - the common frames at once: whole, unpadded DATA on an open stream, within its
 * windows and far from a WINDOW_UPDATE, and HEADERS that are a whole head. It does what rx.c does
 * for such a frame, and nothing else; whatever is out of the ordinary is left to h2_rx_step. DATA
 * frames are gathered by stream (runs.h), but for one with END_STREAM, and one that no DATA
 * follows. Private to src/http2. */
#ifndef WEIR_HTTP2_RX_QUICK_H
#define WEIR_HTTP2_RX_QUICK_H
#include "http2/conn_priv.h"

/* May the next frame be tried here? Asked whenever something slow is over. */
static inline void h2_rx_set_quick(struct h2_conn *c)
{
	struct h2_rx *rx = &c->rx;
	rx->quick = !((unsigned)c->pending | (rx->state ^ H2_RX_FRAME) | !rx->first_seen |
		      rx->part_len | rx->block_id);
}

/* The stream of the frame at `p`, and its content's bytes; NULL: the frame is not for here. */
static inline struct h2_stream *h2_rx_quick_look(
	struct h2_conn *c, const uint8_t *p, uint32_t have, uint32_t *len)
{
	if (UNLIKELY(have <= H2_HEADER_BYTES))
		return NULL;
	uint64_t head = h2_get_u64(p);
	uint32_t n = (uint32_t)(head >> 40);
	if (UNLIKELY(head & 0xfffe000000u)) /* type and flags, of which END_STREAM may be */
		return NULL;
	if (UNLIKELY(n - 1 >= have - H2_HEADER_BYTES || n > c->options.max_frame_bytes))
		return NULL;
	struct h2_stream *s = h2_stream_find(c, h2_get_u32(p + 5));
	if (s && s->run)
		h2_runs_settle(&c->runs->run[s->run - 1]);
	if (UNLIKELY(!s || !s->rx_plain || (int32_t)n > s->inflow.avail_bytes ||
		     c->inflow.avail_bytes - (int32_t)n < c->inflow_low_bytes))
		return NULL;
	*len = n;
	return s;
}

/* Frames are taken: the connection's window, books. */
static inline void h2_rx_quick_pay(struct h2_conn *c, uint32_t frames, uint32_t bytes)
{
	c->inflow.avail_bytes -= (int32_t)bytes;
	c->books->frames_in += frames;
	c->books->data_bytes_in += bytes;
	h2_guard_earn(&c->guard, frames);
}

/* Does DATA follow the frame with `len` bytes of content? */
static inline bool h2_rx_quick_more(const struct slice *in, uint32_t len)
{
	return in->len - len >= 2 * H2_HEADER_BYTES &&
	       in->at[H2_HEADER_BYTES + len + 3] == H2_FRAME_DATA;
}

/* Is the frame surfaced by itself, because streams come but once a feed (runs.h)? */
static inline bool h2_rx_quick_singly(struct h2_conn *c, struct h2_stream *s)
{
	if (!c->singly)
		return false;
	if (UNLIKELY(s->fed_in == c->feeds)) {
		c->singly = false;
		return false;
	}
	s->fed_in = c->feeds;
	return true;
}

/* A whole head in one frame, without padding and priority. False: it is something else, or nothing
 * is to be told of it. */
static inline bool h2_rx_quick_head(struct h2_conn *c, struct h2_event *out)
{
	struct slice *in = &c->rx.in;
	const uint8_t *p = in->at;
	if (in->len <= H2_HEADER_BYTES || (p[4] & ~H2_FLAG_END_STREAM) != H2_FLAG_END_HEADERS ||
		p[3] != H2_FRAME_HEADERS)
		return false;
	struct h2_frame f = h2_frame_get(p);
	if (UNLIKELY(f.len > in->len - H2_HEADER_BYTES || f.len > c->options.max_frame_bytes ||
		     f.id == 0))
		return false;
	in->at += H2_HEADER_BYTES + f.len;
	in->len -= H2_HEADER_BYTES + f.len;
	c->books->frames_in++;
	return h2_rx_plain_headers(c, f, p + H2_HEADER_BYTES, out) == H2_STEP_EVENT;
}

/* rx->quick holds. The next event; false: there is nothing here that is quick. */
static inline bool h2_rx_quick(struct h2_conn *c, struct h2_event *out)
{
	struct slice *in = &c->rx.in;
	for (;;) {
		uint32_t len;
		if (c->runs)
			h2_runs_gather(c);
		struct h2_stream *s = h2_rx_quick_look(c, in->at, in->len, &len);
		if (!s)
			break;
		struct slice content = {in->slab, in->at + H2_HEADER_BYTES, len};
		bool last = in->len == len + H2_HEADER_BYTES, end = in->at[4] & H2_FLAG_END_STREAM;
		/* with nothing to be gathered with, or no memory for a run: an event of its own */
		bool alone =
			!c->runs && (end || h2_rx_quick_singly(c, s) ||
					    !h2_rx_quick_more(in, len) || !h2_runs_begin(c, s));
		if (alone)
			s->inflow.avail_bytes -= (int32_t)len;
		else if (end || !h2_runs_add(c, s, &content))
			break; /* it does not fit to those that go now */
		h2_rx_quick_pay(c, 1, len);
		in->at += H2_HEADER_BYTES + len;
		in->len -= H2_HEADER_BYTES + len;
		if (alone)
			h2_event_data(out, s, slice_dup(content), end);
		if (last)
			slice_drop(in);
		if (end)
			h2_stream_ended(s, true);
		if (alone)
			return true;
	}
	if (!c->runs)
		return h2_rx_quick_head(c, out);
	h2_runs_settle_all(c);
	return h2_runs_next(c, out);
}
#endif
