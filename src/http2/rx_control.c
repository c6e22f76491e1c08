/* rx_control.c - the frames that are not content: checked, charged, answered. */
#include "http2/conn_priv.h"
#include "http2/tx.h"

static enum h2_rx_step died(struct h2_conn *c, enum h2_fault fault)
{
	h2_conn_fail(c, fault);
	return H2_STEP_MORE;
}

/* A stream error on a frame that is allowed in any state: on an idle stream RST_STREAM is not
 * (5.1), so there it costs the connection. */
static enum h2_rx_step stream_fault(struct h2_conn *c, uint32_t id, enum h2_fault fault)
{
	struct h2_stream *s = h2_stream_find(c, id);
	if (s)
		h2_stream_fail(s, fault);
	else if (h2_rx_is_idle(c, id))
		h2_conn_fail(c, fault);
	else if (h2_closed_recall(&c->closed, id) != H2_CLOSED_BY_US)
		h2_rx_refuse(c, id, fault);
	return H2_STEP_MORE;
}

/* RFC 9113 6.3: parsed, checked, ignored. */
static enum h2_rx_step priority(struct h2_conn *c, struct h2_frame f, const uint8_t *p)
{
	if (f.id == 0)
		return died(c, H2_FAULT_STREAM_ZERO);
	if (!h2_rx_charge(c))
		return H2_STEP_MORE;
	if (f.len != 5)
		return stream_fault(c, f.id, H2_FAULT_PRIORITY_LENGTH);
	if ((h2_get_u32(p) & 0x7fffffff) == f.id)
		return stream_fault(c, f.id, H2_FAULT_SELF_DEPENDENCY);
	return H2_STEP_MORE;
}

static enum h2_rx_step rst_stream(struct h2_conn *c, struct h2_frame f, const uint8_t *p)
{
	if (f.id == 0)
		return died(c, H2_FAULT_STREAM_ZERO);
	if (f.len != 4)
		return died(c, H2_FAULT_FRAME_LENGTH);
	if (h2_rx_is_idle(c, f.id))
		return died(c, H2_FAULT_IDLE_STREAM);
	uint32_t code = h2_get_u32(p);
	c->books->resets_in[code < H2_CODE_COUNT ? code : H2_CODE_COUNT]++;
	struct h2_stream *s = h2_stream_find(c, f.id);
	if (!s) {
		/* Servers of gRPC end a stream, reset it, and may do both again when a deadline
		 * passes meanwhile. After RST_STREAM that costs the stream alone (5.1). */
		if (h2_closed_recall(&c->closed, f.id) == H2_CLOSED_ENDED)
			h2_closed_remember(&c->closed, f.id, H2_CLOSED_BY_PEER);
		(void)!h2_rx_charge(c);
		return H2_STEP_MORE;
	}
	/* CVE-2023-44487: a request opened and cancelled costs us its work; a server pays attention
	 */
	if (c->role == H2_SERVER && !h2_state_local_ended((enum h2_state)s->state) &&
		!h2_guard_reset(&c->guard, c->now_ns))
		return died(c, H2_FAULT_FLOOD_RESETS);
	h2_stream_lost(
		s, code, H2_FAULT_COUNT, true, c->role == H2_CLIENT && code == H2_REFUSED_STREAM);
	return H2_STEP_MORE;
}

/* 6.9.2: the difference applies to every stream, and may leave windows negative. One pass a frame,
 * however often it names the setting: `highest` stands for the values in between, none of which may
 * overflow a window. */
static bool adjust_send_windows(struct h2_conn *c, int32_t before, int32_t highest)
{
	int64_t by = (int64_t)c->peer.initial_window_bytes - before;
	uint32_t it = 0;
	for (struct h2_stream *s; (s = h2_stream_next_open(c, &it));) {
		int32_t peak = s->send_window_bytes;
		if (!h2_window_add(&peak, (int64_t)highest - before) ||
			!h2_window_add(&s->send_window_bytes, by)) {
			h2_conn_fail(c, H2_FAULT_WINDOW_OVERFLOW_CONN);
			return false;
		}
		h2_tx_schedule(s);
	}
	return true;
}

/* Our SETTINGS are in force: what the peer could use before them is gone. */
static void settings_acked(struct h2_conn *c)
{
	if (c->settings_acked)
		return;
	c->settings_acked = true;
	if (c->decoder)
		hpack_decoder_set_limit(c->decoder, c->options.decoder_table_bytes);
	uint32_t window = c->options.stream_window_bytes;
	if (window >= H2_WINDOW_DEFAULT)
		return;
	uint32_t it = 0;
	for (struct h2_stream *s; (s = h2_stream_next_open(c, &it));) {
		s->inflow.avail_bytes -= H2_WINDOW_DEFAULT - (int32_t)window;
		s->inflow.target_bytes = window;
		s->inflow.reserve_bytes = 0;
		/* What was owed may have been little of 65,535 and be all of the smaller window:
		 * the peer may be waiting for it. */
		h2_stream_credit(s, 0);
	}
}

/* An encoder that is not there yet begins with the default. False: no memory, the connection died.
 */
static bool limit_encoder(struct h2_conn *c)
{
	uint32_t bytes = c->peer.header_table_bytes;
	if (!c->encoder && bytes == HPACK_DEFAULT_TABLE_BYTES)
		return true;
	struct hpack_encoder *e = h2_conn_encoder(c);
	if (!e) {
		h2_conn_fail(c, H2_FAULT_NO_MEMORY);
		return false;
	}
	hpack_encoder_set_limit(e, bytes);
	return true;
}

/* The parameters take effect in order (6.5.3). */
static bool apply_settings(struct h2_conn *c, const uint8_t *p, uint32_t len)
{
	int32_t before = c->peer.initial_window_bytes, highest = before;
	enum h2_role peer = c->role == H2_SERVER ? H2_CLIENT : H2_SERVER;
	for (const uint8_t *end = p + len; p < end; p += H2_SETTING_BYTES) {
		enum h2_fault fault = h2_settings_apply(&c->peer, peer, p);
		if (fault != H2_FAULT_COUNT) {
			h2_conn_fail(c, fault);
			return false;
		}
		if ((p[0] << 8 | p[1]) == H2_SETTING_HEADER_TABLE_SIZE && !limit_encoder(c))
			return false;
		if (c->peer.initial_window_bytes > highest)
			highest = c->peer.initial_window_bytes;
	}
	if (highest == before && c->peer.initial_window_bytes == before)
		return true;
	return adjust_send_windows(c, before, highest);
}

static enum h2_rx_step settings(
	struct h2_conn *c, struct h2_frame f, const uint8_t *p, struct h2_event *out)
{
	if (f.id != 0)
		return died(c, H2_FAULT_STREAM_NOT_ZERO);
	if (f.flags & H2_FLAG_ACK ? f.len != 0 : f.len % H2_SETTING_BYTES != 0)
		return died(c, H2_FAULT_FRAME_LENGTH);
	if (!h2_rx_charge(c))
		return H2_STEP_MORE;
	if (f.flags & H2_FLAG_ACK) {
		settings_acked(c);
		return H2_STEP_MORE;
	}
	if (!c->peer_settings_seen) /* it has spoken: without a number there is no limit (6.5.2) */
		c->peer.max_concurrent_streams = UINT32_MAX;
	c->peer_settings_seen = true;
	if (!apply_settings(c, p, f.len))
		return H2_STEP_MORE;
	c->plain_block_bytes = h2_settings_plain_block_bytes(&c->peer);
	if (!h2_conn_send_settings_ack(c))
		return H2_STEP_MORE;
	out->kind = H2_EV_SETTINGS;
	out->stream = NULL;
	return H2_STEP_EVENT;
}

static enum h2_rx_step ping(
	struct h2_conn *c, struct h2_frame f, const uint8_t *p, struct h2_event *out)
{
	if (f.id != 0)
		return died(c, H2_FAULT_STREAM_NOT_ZERO);
	if (f.len != 8)
		return died(c, H2_FAULT_FRAME_LENGTH);
	if (!h2_rx_charge(c))
		return H2_STEP_MORE;
	uint64_t opaque = h2_get_u64(p);
	if (!(f.flags & H2_FLAG_ACK)) {
		h2_conn_send_ping(c, H2_FLAG_ACK, opaque);
		return H2_STEP_MORE;
	}
	if (h2_conn_drain_acked(c, opaque))
		return H2_STEP_MORE;
	out->kind = H2_EV_PING_ACK;
	out->stream = NULL;
	out->opaque = opaque;
	return H2_STEP_EVENT;
}

static enum h2_rx_step goaway(
	struct h2_conn *c, struct h2_frame f, const uint8_t *p, struct h2_event *out)
{
	if (f.id != 0)
		return died(c, H2_FAULT_STREAM_NOT_ZERO);
	if (f.len < 8)
		return died(c, H2_FAULT_FRAME_LENGTH);
	if (!h2_rx_charge(c))
		return H2_STEP_MORE;
	uint32_t last_id = h2_get_u32(p) & 0x7fffffff, code = h2_get_u32(p + 4);
	if (c->goaway_seen && last_id > c->goaway_in_id)
		return died(c, H2_FAULT_GOAWAY_INCREASED);
	c->goaway_seen = true;
	c->goaway_in_id = last_id;
	c->books->goaways_in[code < H2_CODE_COUNT ? code : H2_CODE_COUNT]++;
	if (c->role ==
		H2_CLIENT) { /* 6.8: what is above was not processed and may be tried again */
		uint32_t it = 0;
		for (struct h2_stream *s; (s = h2_stream_next_open(c, &it));) {
			if (s->id <= last_id)
				continue;
			h2_stream_lost(s, H2_REFUSED_STREAM, H2_FAULT_COUNT, false, true);
			it--;
		}
	}
	out->kind = H2_EV_GOAWAY;
	out->stream = NULL;
	out->last_id = last_id;
	out->code = code;
	out->debug = (const char *)p + 8;
	out->debug_len = f.len - 8;
	return H2_STEP_EVENT;
}

static enum h2_rx_step window_update(struct h2_conn *c, struct h2_frame f, const uint8_t *p)
{
	if (f.len != 4)
		return died(c, H2_FAULT_FRAME_LENGTH);
	if (!h2_rx_charge(c))
		return H2_STEP_MORE;
	uint32_t by = h2_get_u32(p) & 0x7fffffff;
	if (f.id == 0) {
		if (by == 0)
			return died(c, H2_FAULT_WINDOW_ZERO_CONN);
		if (!h2_window_add(&c->send_window_bytes, by))
			return died(c, H2_FAULT_WINDOW_OVERFLOW_CONN);
		h2_tx_wake(c);
		return H2_STEP_MORE;
	}
	struct h2_stream *s = h2_stream_find(c, f.id);
	if (!s) /* 5.1: may come late on a closed stream */
		return h2_rx_is_idle(c, f.id) ? died(c, H2_FAULT_IDLE_STREAM) : H2_STEP_MORE;
	if (by == 0)
		h2_stream_fail(s, H2_FAULT_WINDOW_ZERO);
	else if (!h2_window_add(&s->send_window_bytes, by))
		h2_stream_fail(s, H2_FAULT_WINDOW_OVERFLOW);
	else
		h2_tx_schedule(s);
	return H2_STEP_MORE;
}

enum h2_rx_step h2_rx_control(
	struct h2_conn *c, struct h2_frame f, const uint8_t *p, struct h2_event *out)
{
	switch (f.type) {
	case H2_FRAME_PRIORITY:
		return priority(c, f, p);
	case H2_FRAME_RST_STREAM:
		return rst_stream(c, f, p);
	case H2_FRAME_SETTINGS:
		return settings(c, f, p, out);
	case H2_FRAME_PUSH_PROMISE: /* both roles refuse push */
		return died(c, H2_FAULT_PUSH_PROMISE);
	case H2_FRAME_PING:
		return ping(c, f, p, out);
	case H2_FRAME_GOAWAY:
		return goaway(c, f, p, out);
	case H2_FRAME_WINDOW_UPDATE:
		return window_update(c, f, p);
	default:
		return died(c, H2_FAULT_BUG); /* rx.c lets nothing else through... */
	}
}
