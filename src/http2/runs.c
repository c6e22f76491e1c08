#include "http2/runs.h"
#include <endian.h>
#include "base/mem.h"
#include "http2/conn_priv.h"
#include "http2/rx_quick.h"

bool h2_runs_begin(struct h2_conn *c, const struct h2_stream *s)
{
	c->runs = h2_runs_get();
	if (!c->runs)
		return false;
	c->runs->joined = s->fed_in == c->feeds;
	c->runs->first = c->runs->count = 0;
	memset(c->runs->by_id, 0, sizeof(c->runs->by_id));
	return true;
}

static bool begin_run(struct h2_conn *c, struct h2_stream *s, const struct slice *content)
{
	struct h2_runs *runs = c->runs;
	if (runs->count == H2_RUNS)
		return false;
	runs->run[runs->count] = (struct h2_run){s, slice_dup(*content), NULL, 0, htobe32(s->id)};
	s->run = (uint16_t)++runs->count;
	s->inflow.avail_bytes -= (int32_t)content->len;
	return true;
}

/* The second frame: what was a view becomes a copy. */
static bool make_copy(struct h2_conn *c, struct h2_run *r)
{
	struct slab *slab = slab_get_small(c->out.pool);
	if (!slab)
		return false;
	memcpy(slab->bytes, r->data.at, r->data.len);
	if (r->data.slab)
		slab_unref(r->data.slab);
	r->data.slab = slab;
	r->data.at = slab->bytes;
	r->to = slab->bytes + r->data.len;
	c->runs->joined = true;
	c->runs->by_id[(r->stream->id & 0xff) >> 1] = r->stream->run;
	return true;
}

/* How much more may follow behind a copy. */
static uint32_t room_of(const struct h2_run *r)
{
	uint32_t slab = SLAB_SMALL_BYTES - r->data.len;
	int32_t window = r->stream->inflow.avail_bytes;
	return window < (int32_t)slab ? (uint32_t)(window > 0 ? window : 0) : slab;
}

bool h2_runs_add(struct h2_conn *c, struct h2_stream *s, const struct slice *content)
{
	if (!s->run)
		return begin_run(c, s, content);
	struct h2_run *r = &c->runs->run[s->run - 1];
	uint32_t len = content->len;
	if (len + r->data.len > SLAB_SMALL_BYTES || (!r->to && !make_copy(c, r)))
		return false;
	mem_copy(r->to, content->at, len);
	r->to += len;
	h2_runs_settle(r);
	r->room = room_of(r);
	c->books->merged_frames++;
	return true;
}

void h2_runs_settle(struct h2_run *r)
{
	if (!r->to)
		return;
	uint32_t more = (uint32_t)(r->to - r->data.at) - r->data.len;
	r->data.len += more;
	r->stream->inflow.avail_bytes -= (int32_t)more;
}

void h2_runs_settle_all(struct h2_conn *c)
{
	for (uint32_t i = 0; i < c->runs->count; i++)
		h2_runs_settle(&c->runs->run[i]);
}

/* The copied run that the frame at `p` is for, and its content's bytes; NULL: it is not for here.
 */
static inline struct h2_run *run_of_frame(
	struct h2_runs *runs, const uint8_t *p, size_t have, uint32_t *len)
{
	uint64_t head = h2_get_u64(p);
	uint32_t n = (uint32_t)(head >> 40), wire_id;
	if (UNLIKELY(head & 0xffff000000u)) /* type and flags */
		return NULL;
	uint32_t place = runs->by_id[p[8] >> 1];
	if (UNLIKELY(place == 0))
		return NULL;
	struct h2_run *r = &runs->run[place - 1];
	memcpy(&wire_id, p + 5, sizeof(wire_id));
	if (UNLIKELY(r->wire_id != wire_id || n > r->room || n - 1 >= have - H2_HEADER_BYTES))
		return NULL;
	*len = n;
	return r;
}

void h2_runs_gather(struct h2_conn *c)
{
	struct slice *in = &c->rx.in;
	if (in->len <= H2_HEADER_BYTES)
		return; /* a null slice has no place to count from */
	const uint8_t *p = in->at, *end = p + in->len;
	int32_t window = c->inflow.avail_bytes - c->inflow_low_bytes, left = window;
	uint32_t frames = 0, len;
	struct h2_run *r;
	while (end - p > H2_HEADER_BYTES &&
		(r = run_of_frame(c->runs, p, (size_t)(end - p), &len)) && (int32_t)len <= left) {
		uint8_t *to = r->to;
		left -= (int32_t)len;
		r->to += len;
		r->room -= len;
		frames++;
		mem_copy(to, p + H2_HEADER_BYTES, len);
		/* Until its next frame comes the stream's siblings have theirs. */
		__builtin_prefetch(to + len + 64, 1);
		__builtin_prefetch(to + len + 128, 1);
		p += H2_HEADER_BYTES + len;
	}
	if (frames == 0)
		return;
	c->books->merged_frames += frames;
	h2_rx_quick_pay(c, frames, (uint32_t)(window - left));
	in->len = (uint32_t)(end - p);
	in->at += p - in->at;
	if (in->len == 0)
		slice_drop(in);
}

bool h2_runs_next(struct h2_conn *c, struct h2_event *out)
{
	struct h2_runs *runs = c->runs;
	while (runs->first < runs->count) {
		struct h2_run *r = &runs->run[runs->first++];
		if (UNLIKELY(!r->stream))
			continue;
		r->stream->run = 0;
		h2_event_data(out, r->stream, r->data, false);
		return true;
	}
	c->singly = !runs->joined;
	c->runs = NULL;
	h2_runs_put(runs);
	return false;
}

void h2_runs_forget(struct h2_stream *s)
{
	struct h2_run *r = &s->conn->runs->run[s->run - 1];
	slice_drop(&r->data);
	r->stream = NULL;
	r->to = NULL;
	r->room = 0;
	s->run = 0;
}

void h2_runs_fini(struct h2_conn *c)
{
	struct h2_event unwanted;
	while (c->runs && h2_runs_next(c, &unwanted))
		event_drop(&unwanted.ev);
}
