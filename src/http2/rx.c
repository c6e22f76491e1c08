/* rx.c - the pull parser: bytes, frames and DATA. See rx.h. */
#include "http2/rx.h"
#include "base/mem.h"
#include "http2/conn_priv.h"

#define PART_FIRST_BYTES 256u

void h2_rx_init(struct h2_rx *rx, enum h2_role role)
{
	memset(rx, 0, sizeof(*rx));
	rx->state = role == H2_SERVER ? H2_RX_PREFACE : H2_RX_FRAME;
}

static void part_free(struct h2_rx *rx)
{
	mem_free(rx->part);
	rx->part = NULL;
	rx->part_len = rx->part_cap = 0;
}

void h2_rx_fini(struct h2_rx *rx)
{
	slice_drop(&rx->in);
	part_free(rx);
	mem_free(rx->block);
	rx->block = NULL;
	rx->block_len = rx->block_cap = rx->block_id = 0;
}

static uint8_t *part_bytes(struct h2_rx *rx)
{
	return rx->part ? rx->part : rx->part_small;
}

/* Moves input into the part until it holds `need` bytes; false when the input ended before (or no
 * memory: the connection died). The part grows with what arrives, not with what a header promises.
 */
static bool part_fill(struct h2_conn *c, uint32_t need)
{
	struct h2_rx *rx = &c->rx;
	if (rx->part_len >= need)
		return true;
	uint32_t take = need - rx->part_len;
	if (take > rx->in.len)
		take = rx->in.len;
	if (take == 0)
		return false;
	uint32_t have = rx->part_len + take, cap = rx->part ? rx->part_cap : sizeof(rx->part_small);
	if (have > cap) {
		cap = have + have / 2 > PART_FIRST_BYTES ? have + have / 2 : PART_FIRST_BYTES;
		if (cap > need)
			cap = need;
		uint8_t *bytes = mem_realloc(rx->part, cap);
		if (!bytes) {
			h2_conn_fail(c, H2_FAULT_NO_MEMORY);
			return false;
		}
		if (!rx->part)
			memcpy(bytes, rx->part_small, rx->part_len);
		rx->part = bytes;
		rx->part_cap = cap;
	}
	if (take)
		memcpy(part_bytes(rx) + rx->part_len, rx->in.at, take);
	rx->part_len = have;
	rx->in.at += take;
	rx->in.len -= take;
	return have == need;
}

/* The next `need` bytes in one piece, not yet consumed; NULL: they have not all come. */
static const uint8_t *view_slow(struct h2_conn *c, uint32_t need)
{
	struct h2_rx *rx = &c->rx;
	if (rx->part_len == 0) {
		part_free(rx);
		if (rx->in.len >= need)
			return rx->in.at;
	} else if (part_fill(c, need)) {
		return part_bytes(rx);
	}
	if (rx->in.len == 0)
		slice_drop(&rx->in);
	return NULL;
}

static inline const uint8_t *view(struct h2_conn *c, uint32_t need)
{
	if (LIKELY(c->rx.in.len >= need && c->rx.part_len == 0))
		return c->rx.in.at;
	return view_slow(c, need);
}

/* Consumes what view() showed. The bytes stay readable until the next view(). */
static inline void consume(struct h2_rx *rx, uint32_t bytes)
{
	if (UNLIKELY(rx->part_len)) {
		DEBUG_ASSERT(rx->part_len == bytes);
		rx->part_len = 0;
		return;
	}
	rx->in.at += bytes;
	rx->in.len -= bytes;
}

bool h2_rx_settle(struct h2_conn *c)
{
	struct h2_rx *rx = &c->rx;
	if (rx->part_len == 0)
		part_free(rx);
	/* a cut frame header asks for nothing beyond itself yet, so the rest of `in` always fits */
	if (rx->in.len && !part_fill(c, rx->part_len + rx->in.len))
		return false;
	slice_drop(&rx->in);
	return true;
}

bool h2_rx_charge(struct h2_conn *c)
{
	if (LIKELY(h2_guard_control(&c->guard, c->now_ns)))
		return true;
	h2_conn_fail(c, H2_FAULT_FLOOD_CONTROL);
	return false;
}

bool h2_rx_is_idle(const struct h2_conn *c, uint32_t id)
{
	if (c->role == H2_SERVER)
		return h2_is_ours(c, id) || id > c->last_id;
	return !h2_is_ours(c, id) || id >= c->next_id;
}

void h2_rx_refuse(struct h2_conn *c, uint32_t id, enum h2_fault fault)
{
	c->books->faults[fault]++;
	if (!h2_rx_charge(c) || !h2_conn_send_rst(c, id, h2_fault_code(fault)))
		return;
	h2_closed_remember(&c->closed, id, H2_CLOSED_BY_US);
	h2_conn_count_answer(c, H2_HEADER_BYTES + 4);
}

bool h2_rx_was_skipped(const struct h2_conn *c, uint32_t id)
{
	return c->gap_low && id >= c->gap_low && id <= c->gap_high;
}

void h2_rx_late(struct h2_conn *c, uint32_t id, bool content)
{
	enum h2_closed how = h2_closed_recall(&c->closed, id);
	switch (how) {
	case H2_CLOSED_ENDED:
		h2_conn_fail(c, H2_FAULT_STREAM_WAS_CLOSED);
		return;
	case H2_CLOSED_BY_PEER:
		h2_rx_refuse(c, id, H2_FAULT_STREAM_WAS_RESET);
		return;
	case H2_CLOSED_FORGOTTEN:
		if (h2_rx_was_skipped(c, id)) {
			h2_rx_refuse(c, id, H2_FAULT_STREAM_WAS_RESET);
			return;
		}
		break;
	case H2_CLOSED_BY_US:
		break;
	}
	/* Under way when our RST_STREAM was. After many resets at once that can be thousands of
	 * frames on forgotten streams: an answer to each, or a charge, would punish who did nothing
	 * wrong. */
	if (!content && c->role == H2_SERVER)
		(void)!h2_rx_charge(c);
}

/* --- DATA ---------------------------------------------------------------------------------------
 */

static enum h2_rx_step died(struct h2_conn *c, enum h2_fault fault)
{
	h2_conn_fail(c, fault);
	return H2_STEP_MORE;
}

/* Drops up to *left bytes of input. */
static enum h2_rx_step skip(struct h2_conn *c, uint32_t *left, enum h2_rx_state then)
{
	struct h2_rx *rx = &c->rx;
	uint32_t n = rx->in.len < *left ? rx->in.len : *left;
	if (n) /* a null slice has no place to step from */
		rx->in.at += n;
	rx->in.len -= n;
	*left -= n;
	if (*left) {
		slice_drop(&rx->in);
		return H2_STEP_WAIT;
	}
	rx->state = (uint8_t)then;
	return H2_STEP_MORE;
}

static enum h2_rx_state after_content(const struct h2_rx *rx)
{
	return rx->skip_left ? H2_RX_SKIP : H2_RX_FRAME;
}

/* Surfaces what there is of the DATA frame's content. */
static enum h2_rx_step step_data(struct h2_conn *c, struct h2_event *out)
{
	struct h2_rx *rx = &c->rx;
	struct h2_stream *s = rx->stream;
	if (UNLIKELY(!s))
		return skip(c, &rx->data_left, after_content(rx));
	uint32_t n = rx->in.len < rx->data_left ? rx->in.len : rx->data_left;
	if (UNLIKELY(n == 0)) {
		if (rx->data_left) {
			slice_drop(&rx->in);
			return H2_STEP_WAIT;
		}
		rx->state = (uint8_t)after_content(rx);
		if (!rx->data_end)
			return H2_STEP_MORE;
	}
	rx->data_left -= n;
	bool end = rx->data_end && rx->data_left == 0;
	if (n == rx->in.len) { /* the last view of the slab: hand the reference on */
		h2_event_data(out, s, rx->in, end);
		rx->in = (struct slice){NULL, NULL, 0};
	} else {
		h2_event_data(out, s, slice_of(rx->in.slab, rx->in.at, n), end);
		rx->in.at += n;
		rx->in.len -= n;
	}
	if (rx->data_left == 0)
		rx->state = (uint8_t)after_content(rx);
	if (end)
		h2_stream_ended(s, true);
	return H2_STEP_EVENT;
}

/* DATA for a stream in a phase that takes none; its content is dropped. */
static void data_unwanted(struct h2_stream *s, bool end)
{
	switch ((enum h2_rx_phase)s->rx_phase) {
	case H2_RX_HEAD:
		h2_stream_fail(s, H2_FAULT_DATA_EARLY);
		return;
	case H2_RX_ENDED:
		h2_stream_fail(s, H2_FAULT_HALF_CLOSED);
		return;
	case H2_RX_DISCARD:
		if (end)
			h2_stream_ended(s, true);
		return;
	case H2_RX_BODY:
		break;
	}
	UNREACHABLE();
}

/* The stream's side of a DATA frame: window, content-length. True when its content is wanted. */
static bool data_accept(struct h2_stream *s, uint32_t frame_bytes, uint32_t content, bool end)
{
	struct h2_conn *c = s->conn;
	if (UNLIKELY(s->rx_phase != H2_RX_BODY)) {
		data_unwanted(s, end);
		return false;
	}
	if (UNLIKELY(!h2_inflow_take(&s->inflow, frame_bytes))) {
		h2_stream_fail(s, H2_FAULT_WINDOW_EXCEEDED);
		return false;
	}
	if (UNLIKELY(s->content_left >= 0)) {
		s->content_left -= content;
		if (s->content_left < 0 || (end && s->content_left > 0)) {
			h2_stream_fail(s, H2_FAULT_CONTENT_MISMATCH);
			return false;
		}
	}
	if (UNLIKELY(frame_bytes != content))
		h2_stream_credit(s, frame_bytes - content); /* nobody else sees the padding */
	if (UNLIKELY(content == 0)) {
		if (!end && !h2_rx_charge(c))
			return false;
	} else {
		h2_guard_earn(&c->guard, 1);
	}
	return true;
}

static bool credit_conn(struct h2_conn *c)
{
	c->inflow.owed_bytes = c->inflow.target_bytes - (uint32_t)c->inflow.avail_bytes;
	if (!h2_conn_send_window(c, 0, c->inflow.owed_bytes))
		return false;
	h2_inflow_told(&c->inflow);
	return true;
}

static enum h2_rx_step begin_data(struct h2_conn *c, struct h2_frame f, struct h2_event *out)
{
	struct h2_rx *rx = &c->rx;
	uint32_t head = H2_HEADER_BYTES, content = f.len, pad = 0;
	if (UNLIKELY(f.flags & H2_FLAG_PADDED)) {
		if (f.len == 0)
			return died(c, H2_FAULT_FRAME_LENGTH);
		head++;
		const uint8_t *p = view(c, head);
		if (!p)
			return H2_STEP_WAIT;
		pad = p[H2_HEADER_BYTES];
		if (pad >= f.len)
			return died(c, H2_FAULT_PADDING);
		content = f.len - 1 - pad;
	}
	if (UNLIKELY(f.id == 0))
		return died(c, H2_FAULT_STREAM_ZERO);
	consume(rx, head);
	c->books->frames_in++;
	if (UNLIKELY(!h2_inflow_take(&c->inflow, f.len)))
		return died(c, H2_FAULT_WINDOW_EXCEEDED_CONN);
	/* The connection's window is given back on receipt, whatever becomes of the bytes: one
	 * stopped stream must not stop its siblings, and closed streams must not leak it. */
	if (UNLIKELY(c->inflow.avail_bytes < c->inflow_low_bytes) && !credit_conn(c))
		return H2_STEP_MORE;
	bool end = f.flags & H2_FLAG_END_STREAM;
	rx->state = H2_RX_DATA;
	rx->data_left = content;
	rx->skip_left = pad;
	rx->data_end = end;
	rx->stream = NULL;
	c->books->data_bytes_in += content;
	struct h2_stream *s = h2_stream_find(c, f.id);
	if (UNLIKELY(!s)) {
		if (h2_rx_is_idle(c, f.id))
			return died(c, H2_FAULT_IDLE_STREAM);
		h2_rx_late(c, f.id, content > 0);
		return H2_STEP_MORE;
	}
	if (UNLIKELY(!data_accept(s, f.len, content, end)))
		return H2_STEP_MORE;
	rx->stream = s;
	return step_data(c, out);
}

/* --- frames -------------------------------------------------------------------------------------
 */

static enum h2_rx_step dispatch(
	struct h2_conn *c, struct h2_frame f, const uint8_t *p, struct h2_event *out)
{
	switch (f.type) {
	case H2_FRAME_HEADERS:
		return h2_rx_headers(c, f, p, out);
	case H2_FRAME_CONTINUATION:
		return h2_rx_continuation(c, f, p, out);
	default:
		return h2_rx_control(c, f, p, out);
	}
}

/* Every frame but DATA: waited for until it is whole. */
static enum h2_rx_step other_frame(struct h2_conn *c, struct h2_frame f, struct h2_event *out)
{
	struct h2_rx *rx = &c->rx;
	if (rx->block_id && f.type != H2_FRAME_CONTINUATION)
		return died(c, H2_FAULT_BLOCK_INTERRUPTED);
	if (f.type > H2_FRAME_CONTINUATION) { /* 4.1, 5.5: unknown types are ignored */
		if (!h2_rx_charge(c))
			return H2_STEP_MORE;
		consume(rx, H2_HEADER_BYTES);
		c->books->frames_in++;
		rx->skip_left = f.len;
		rx->state = H2_RX_SKIP;
		return H2_STEP_MORE;
	}
	const uint8_t *p = view(c, H2_HEADER_BYTES + f.len);
	if (!p)
		return H2_STEP_WAIT;
	consume(rx, H2_HEADER_BYTES + f.len);
	c->books->frames_in++;
	return dispatch(c, f, p + H2_HEADER_BYTES, out);
}

static enum h2_rx_step step_frame(struct h2_conn *c, struct h2_event *out)
{
	struct h2_rx *rx = &c->rx;
	const uint8_t *p = view(c, H2_HEADER_BYTES);
	if (!p)
		return H2_STEP_WAIT;
	struct h2_frame f = h2_frame_get(p);
	if (UNLIKELY(f.len > c->options.max_frame_bytes))
		return died(c, H2_FAULT_FRAME_TOO_LARGE);
	if (UNLIKELY(!rx->first_seen)) { /* 3.4: the preface ends with SETTINGS */
		if (f.type != H2_FRAME_SETTINGS || f.flags & H2_FLAG_ACK)
			return died(c, H2_FAULT_FIRST_NOT_SETTINGS);
		rx->first_seen = true;
	}
	if (LIKELY(f.type == H2_FRAME_DATA && rx->block_id == 0))
		return begin_data(c, f, out);
	return other_frame(c, f, out);
}

static enum h2_rx_step step_preface(struct h2_conn *c)
{
	struct h2_rx *rx = &c->rx;
	uint32_t n = H2_PREFACE_BYTES - rx->preface_len;
	if (n > rx->in.len)
		n = rx->in.len;
	if (n == 0)
		return H2_STEP_WAIT; /* polled before anything was fed: there is no slice yet */
	if (memcmp(rx->in.at, h2_preface + rx->preface_len, n) != 0)
		return died(c, H2_FAULT_BAD_PREFACE);
	rx->in.at += n;
	rx->in.len -= n;
	rx->preface_len = (uint8_t)(rx->preface_len + n);
	if (rx->preface_len < H2_PREFACE_BYTES) {
		slice_drop(&rx->in);
		return H2_STEP_WAIT;
	}
	rx->state = H2_RX_FRAME;
	return H2_STEP_MORE;
}

enum h2_rx_step h2_rx_step(struct h2_conn *c, struct h2_event *out)
{
	switch ((enum h2_rx_state)c->rx.state) {
	case H2_RX_FRAME:
		return step_frame(c, out);
	case H2_RX_DATA:
		return step_data(c, out);
	case H2_RX_SKIP:
		return skip(c, &c->rx.skip_left, H2_RX_FRAME);
	case H2_RX_PREFACE:
		return step_preface(c);
	}
	UNREACHABLE();
}
