/* rx_headers.c - HEADERS and CONTINUATION: from fragments to messages. */
#include "base/mem.h"
#include "http2/check.h"
#include "http2/conn_priv.h"

#define BLOCK_FIRST_BYTES 1024u

/* One complete header block on its way to a message. */
struct block {
	uint32_t id;
	const uint8_t *at;
	uint32_t len;
	bool end;  /* END_STREAM */
	bool self; /* its priority depends on the stream itself */
};

static enum h2_rx_step died(struct h2_conn *c, enum h2_fault fault)
{
	h2_conn_fail(c, fault);
	return H2_STEP_MORE;
}

/* The connection died; false. */
static COLD bool undecodable(struct h2_conn *c, int err)
{
	h2_conn_fail(c, err == ERR_NOMEM ? H2_FAULT_NO_MEMORY : H2_FAULT_COMPRESSION);
	return false;
}

/* Decodes into `fields` (NULL: only to keep the table in step). False: the connection died. */
static __attribute__((noinline)) bool decode(
	struct h2_conn *c, const struct block *b, struct fields *fields, bool *overflow)
{
	bool ignored;
	struct hpack_decoder *d = h2_conn_decoder(c);
	int err = !d ? ERR_NOMEM
		     : hpack_decode(d, b->at, b->len, c->options.header_list_bytes, fields,
			       overflow ? overflow : &ignored);
	return err == 0 || undecodable(c, err);
}

/* The same for a section that is wanted and empty, by the short way where its beginning is known.
 */
static inline bool decode_wanted(
	struct h2_conn *c, const struct block *b, struct fields *fields, bool *overflow)
{
	uint32_t max = c->options.header_list_bytes, known = 0;
	if (LIKELY(c->decoder))
		known = hpack_decode_known(c->decoder, b->at, b->len, max, fields);
	if (UNLIKELY(known == 0))
		return decode(c, b, fields, overflow);
	if (known == b->len)
		return true;
	int err = hpack_decode_behind(
		c->decoder, b->at + known, b->len - known, max, fields, overflow);
	return LIKELY(err == 0) || undecodable(c, err);
}

/* A request that becomes no stream: answered here, and told. */
static enum h2_rx_step refuse(struct h2_conn *c, const struct block *b, struct fields *fields,
	enum h2_fault fault, struct h2_event *out)
{
	fields_destroy(fields);
	h2_rx_refuse(c, b->id, fault);
	*out = (struct h2_event){
		.kind = H2_EV_REFUSED, .code = h2_fault_code(fault), .fault = fault};
	return H2_STEP_EVENT;
}

/* Faults for which a peer pays from its budget of resets: it makes us work and gets RST_STREAM. */
static bool charge_reset(struct h2_conn *c)
{
	if (c->role != H2_SERVER || h2_guard_reset(&c->guard, c->now_ns))
		return true;
	h2_conn_fail(c, H2_FAULT_FLOOD_RESETS);
	return false;
}

static enum h2_rx_step message(struct h2_stream *s, enum event_kind kind, const struct block *b,
	struct fields *fields, bool overflow, struct h2_event *out)
{
	out->kind = H2_EV_MESSAGE;
	out->stream = s;
	out->oversized = overflow;
	out->ev = (struct event){.kind = kind, .end = b->end, .fields = fields};
	if (b->end)
		h2_stream_ended(s, true);
	return H2_STEP_EVENT;
}

/* --- a new stream -------------------------------------------------------------------------------
 */

/* Remembers which ids the peer left out: HEADERS on one of them is not late, it is out of order. */
static void note_gap(struct h2_conn *c, uint32_t id)
{
	uint32_t expected = c->last_id ? c->last_id + 2 : 1;
	if (id > expected) {
		c->gap_low = c->gap_low ? c->gap_low : expected;
		c->gap_high = id - 2;
	}
}

/* HEADERS of a request on an id that is behind us. */
static enum h2_rx_step late_request(struct h2_conn *c, const struct block *b)
{
	if (h2_rx_was_skipped(c, b->id) &&
		h2_closed_recall(&c->closed, b->id) == H2_CLOSED_FORGOTTEN)
		return died(c, H2_FAULT_STREAM_ID);
	if (decode(c, b, NULL, NULL))
		h2_rx_late(c, b->id, false);
	return H2_STEP_MORE;
}

/* Why the stream may not be opened, before a look at its fields; H2_FAULT_COUNT: it may. */
static enum h2_fault may_open(const struct h2_conn *c, const struct block *b)
{
	if (c->drain == H2_DRAIN_FINAL)
		return H2_FAULT_DRAINING;
	if (c->open_streams >= c->options.max_concurrent_streams)
		return H2_FAULT_TOO_MANY_STREAMS;
	return b->self ? H2_FAULT_SELF_DEPENDENCY : H2_FAULT_COUNT;
}

static enum h2_fault judge_request(
	struct h2_conn *c, const struct block *b, struct fields *fields, struct h2_facts *facts)
{
	enum h2_fault fault = h2_check_request(fields, c->options.extended_connect, facts);
	if (fault != H2_FAULT_COUNT)
		return fault;
	if (facts->connect)
		facts->content_length = -1; /* a tunnel has no content (RFC 9110 9.3.6) */
	if (b->end && facts->content_length > 0)
		return H2_FAULT_CONTENT_MISMATCH;
	if (LIKELY(facts->no_cookie))
		return H2_FAULT_COUNT;
	return h2_join_cookies(fields) ? H2_FAULT_NO_MEMORY_OPEN : H2_FAULT_COUNT;
}

static enum h2_rx_step open_stream(struct h2_conn *c, const struct block *b, struct h2_event *out)
{
	if (h2_is_ours(c, b->id))
		return died(c, H2_FAULT_STREAM_ID);
	if (b->id <= c->last_id)
		return late_request(c, b);
	note_gap(c, b->id);
	c->last_id = b->id;
	enum h2_fault fault = may_open(c, b);
	struct fields *fields = fault == H2_FAULT_COUNT ? fields_create() : NULL;
	bool overflow = false;
	if (!(LIKELY(fields) ? decode_wanted(c, b, fields, &overflow) : decode(c, b, NULL, NULL))) {
		fields_destroy(fields);
		return H2_STEP_MORE;
	}
	if (!fields)
		return refuse(
			c, b, NULL, fault == H2_FAULT_COUNT ? H2_FAULT_NO_MEMORY_OPEN : fault, out);
	struct h2_facts facts = {.content_length = -1};
	if (!overflow) /* a cut list can't be judged; the owner answers 431 */
		fault = judge_request(c, b, fields, &facts);
	if (fault != H2_FAULT_COUNT) {
		if (charge_reset(c))
			return refuse(c, b, fields, fault, out);
		fields_destroy(fields);
		return H2_STEP_MORE;
	}
	struct h2_stream *s = h2_stream_create(c, b->id);
	if (!s)
		return refuse(c, b, fields, H2_FAULT_NO_MEMORY_OPEN, out);
	h2_stream_move(s, H2_STATE_OPEN);
	h2_stream_set_rx(s, H2_RX_BODY, facts.content_length);
	return message(s, EVENT_HEAD, b, fields, overflow, out);
}

/* --- a stream we know ---------------------------------------------------------------------------
 */

static bool may_have_content(const struct h2_stream *s, unsigned status)
{
	return !s->req_head && status != 204 && status != 304;
}

/* A response head, interim or final. H2_FAULT_COUNT: *kind is set. */
static enum h2_fault judge_response(struct h2_stream *s, const struct block *b,
	const struct fields *fields, bool overflow, enum event_kind *kind)
{
	struct h2_facts facts = {.content_length = -1};
	enum h2_fault fault = H2_FAULT_COUNT;
	if (overflow)
		facts.status = h2_status_of(fields);
	else
		fault = h2_check_response(fields, &facts);
	if (fault != H2_FAULT_COUNT)
		return fault;
	if (facts.status >= 100 && facts.status < 200) {
		*kind = EVENT_INFO;
		return b->end ? H2_FAULT_INFO_END : H2_FAULT_COUNT;
	}
	*kind = EVENT_HEAD;
	if (!may_have_content(s, facts.status))
		facts.content_length = 0;
	else if (s->req_connect && facts.status / 100 == 2)
		facts.content_length = -1;
	h2_stream_set_rx(s, H2_RX_BODY, facts.content_length);
	return b->end && s->content_left > 0 ? H2_FAULT_CONTENT_MISMATCH : H2_FAULT_COUNT;
}

static enum h2_fault judge_trailers(
	const struct h2_stream *s, const struct block *b, const struct fields *fields)
{
	if (!b->end)
		return H2_FAULT_TRAILERS_OPEN;
	if (s->content_left > 0)
		return H2_FAULT_CONTENT_MISMATCH;
	return h2_check_trailers(fields);
}

/* A block that can't become a message: the table is kept in step, then the stream pays. */
static enum h2_rx_step unwanted(struct h2_stream *s, const struct block *b, enum h2_fault fault)
{
	if (decode(s->conn, b, NULL, NULL))
		h2_stream_fail(s, fault);
	return H2_STEP_MORE;
}

static enum h2_rx_step on_stream(struct h2_stream *s, const struct block *b, struct h2_event *out)
{
	struct h2_conn *c = s->conn;
	if (s->rx_phase == H2_RX_ENDED)
		return unwanted(s, b, H2_FAULT_HALF_CLOSED);
	if (b->self)
		return unwanted(s, b, H2_FAULT_SELF_DEPENDENCY);
	if (s->rx_phase == H2_RX_DISCARD) {
		if (decode(c, b, NULL, NULL) && b->end)
			h2_stream_ended(s, true);
		return H2_STEP_MORE;
	}
	struct fields *fields = fields_create();
	if (!fields)
		return unwanted(s, b, H2_FAULT_NO_MEMORY_STREAM);
	bool overflow = false;
	if (!decode_wanted(c, b, fields, &overflow)) {
		fields_destroy(fields);
		return H2_STEP_MORE;
	}
	enum event_kind kind = EVENT_TRAILERS;
	enum h2_fault fault = s->rx_phase == H2_RX_HEAD
				      ? judge_response(s, b, fields, overflow, &kind)
				      : judge_trailers(s, b, fields);
	if (fault != H2_FAULT_COUNT) {
		fields_destroy(fields);
		h2_stream_fail(s, fault);
		return H2_STEP_MORE;
	}
	if (kind == EVENT_INFO && !h2_rx_charge(c)) {
		fields_destroy(fields);
		return H2_STEP_MORE;
	}
	return message(s, kind, b, fields, overflow, out);
}

static enum h2_rx_step whole_block(struct h2_conn *c, const struct block *b, struct h2_event *out)
{
	h2_guard_earn(&c->guard, 2); /* calls need a WINDOW_UPDATE, or a late RST_STREAM, each */
	if (c->role == H2_SERVER && LIKELY(b->id > c->last_id))
		return open_stream(c, b, out);
	struct h2_stream *s = h2_stream_find(c, b->id);
	if (LIKELY(s))
		return on_stream(s, b, out);
	if (c->role == H2_SERVER)
		return open_stream(c, b, out);
	if (h2_rx_is_idle(c, b->id))
		return died(c, H2_FAULT_IDLE_STREAM);
	if (decode(c, b, NULL, NULL))
		h2_rx_late(c, b->id, false);
	return H2_STEP_MORE;
}

/* --- fragments ----------------------------------------------------------------------------------
 */

/* More compressed bytes than this can't become an acceptable list, however well they compress. */
static uint64_t block_limit(const struct h2_conn *c)
{
	return 4ull * c->options.header_list_bytes + 16384;
}

static bool block_append(struct h2_conn *c, const uint8_t *p, uint32_t len)
{
	struct h2_rx *rx = &c->rx;
	uint64_t need = (uint64_t)rx->block_len + len;
	if (need > block_limit(c)) {
		h2_conn_fail(c, H2_FAULT_FLOOD_BLOCK);
		return false;
	}
	if (need > rx->block_cap) {
		uint64_t cap = need + need / 2;
		cap = cap < BLOCK_FIRST_BYTES ? BLOCK_FIRST_BYTES : cap;
		uint8_t *bytes = cap <= UINT32_MAX ? mem_realloc(rx->block, cap) : NULL;
		if (!bytes) {
			h2_conn_fail(c, H2_FAULT_NO_MEMORY);
			return false;
		}
		rx->block = bytes;
		rx->block_cap = (uint32_t)cap;
	}
	if (len)
		memcpy(rx->block + rx->block_len, p, len);
	rx->block_len = (uint32_t)need;
	return true;
}

static void block_close(struct h2_rx *rx)
{
	mem_free(rx->block);
	rx->block = NULL;
	rx->block_len = rx->block_cap = rx->block_id = 0;
}

enum h2_rx_step h2_rx_plain_headers(
	struct h2_conn *c, struct h2_frame f, const uint8_t *p, struct h2_event *out)
{
	struct block b = {f.id, p, f.len, f.flags & H2_FLAG_END_STREAM, false};
	if (UNLIKELY(b.len > block_limit(c)))
		return died(c, H2_FAULT_FLOOD_BLOCK);
	return whole_block(c, &b, out);
}

enum h2_rx_step h2_rx_headers(
	struct h2_conn *c, struct h2_frame f, const uint8_t *p, struct h2_event *out)
{
	struct h2_rx *rx = &c->rx;
	uint32_t at = 0, pad = 0;
	bool self = false;
	if (f.id == 0)
		return died(c, H2_FAULT_STREAM_ZERO);
	if (f.flags & H2_FLAG_PADDED) {
		if (f.len < 1)
			return died(c, H2_FAULT_FRAME_LENGTH);
		pad = p[at++];
	}
	if (f.flags & H2_FLAG_PRIORITY) {
		if (f.len < at + 5)
			return died(c, H2_FAULT_FRAME_LENGTH);
		self = (h2_get_u32(p + at) & 0x7fffffff) == f.id;
		at += 5;
	}
	if (pad > f.len - at)
		return died(c, H2_FAULT_PADDING);
	struct block b = {f.id, p + at, f.len - at - pad, f.flags & H2_FLAG_END_STREAM, self};
	if (b.len > block_limit(c))
		return died(c, H2_FAULT_FLOOD_BLOCK);
	if (LIKELY(f.flags & H2_FLAG_END_HEADERS))
		return whole_block(c, &b, out);
	if (!block_append(c, b.at, b.len))
		return H2_STEP_MORE;
	rx->block_id = f.id;
	rx->block_flags = f.flags;
	rx->block_self = self;
	rx->block_frames = 0;
	return H2_STEP_MORE;
}

enum h2_rx_step h2_rx_continuation(
	struct h2_conn *c, struct h2_frame f, const uint8_t *p, struct h2_event *out)
{
	struct h2_rx *rx = &c->rx;
	if (rx->block_id == 0)
		return died(c, H2_FAULT_CONTINUATION);
	if (f.id != rx->block_id)
		return died(c, H2_FAULT_BLOCK_INTERRUPTED);
	if (c->options.continuation_frames && rx->block_frames++ >= c->options.continuation_frames)
		return died(c, H2_FAULT_FLOOD_CONTINUATION);
	if (!block_append(c, p, f.len))
		return H2_STEP_MORE;
	if (!(f.flags & H2_FLAG_END_HEADERS))
		return H2_STEP_MORE;
	struct block b = {f.id, rx->block, rx->block_len, rx->block_flags & H2_FLAG_END_STREAM,
		rx->block_self};
	enum h2_rx_step step = whole_block(c, &b, out);
	block_close(rx);
	return step;
}
