/* conn.c - the public face: life of a connection, events, output, and its end. */
#include "http2/conn.h"
#include "base/mem.h"
#include "http2/conn_priv.h"
#include "http2/rx_quick.h"
#include "http2/tx.h"

#define ANSWERS_MAX_BYTES 65536u /* answers to control frames that the peer has not read */
#define DRAIN_PING        0x77656972647261ull

struct h2_options h2_options_default(enum h2_role role)
{
	return (struct h2_options){
		.max_concurrent_streams = role == H2_SERVER ? 1000 : 0,
		.stream_window_bytes = 262144,
		.crowded_window_bytes = 32768,
		.conn_window_bytes = 4194304,
		.max_frame_bytes = H2_FRAME_MIN_BYTES,
		.header_list_bytes = 65536,
		.decoder_table_bytes = HPACK_DEFAULT_TABLE_BYTES,
		.encoder_table_bytes = HPACK_DEFAULT_TABLE_BYTES,
		.output_bytes = 131072,
		.extended_connect = false,
		.control_frames_per_s = 1000,
		.resets_per_s = 200,
		.continuation_frames = 64,
	};
}

/* --- life ---------------------------------------------------------------------------------------
 */

static struct h2_options legal(struct h2_options o)
{
	if (o.stream_window_bytes > H2_WINDOW_MAX_BYTES)
		o.stream_window_bytes = H2_WINDOW_MAX_BYTES;
	if (o.conn_window_bytes > H2_WINDOW_MAX_BYTES)
		o.conn_window_bytes = H2_WINDOW_MAX_BYTES;
	if (o.conn_window_bytes < H2_WINDOW_DEFAULT)
		o.conn_window_bytes = H2_WINDOW_DEFAULT;
	if (o.max_frame_bytes < H2_FRAME_MIN_BYTES)
		o.max_frame_bytes = H2_FRAME_MIN_BYTES;
	if (o.max_frame_bytes > H2_FRAME_MAX_BYTES)
		o.max_frame_bytes = H2_FRAME_MAX_BYTES;
	if (o.crowded_window_bytes < 2)
		o.crowded_window_bytes = 2; /* half of it is never nothing */
	if (o.output_bytes == 0)
		o.output_bytes = 1;
	return o;
}

/* The connection preface (3.4) and, since windows of connections are not in SETTINGS, its window.
 */
static int send_preface(struct h2_conn *c)
{
	uint8_t *p =
		h2_out_reserve(&c->out, H2_PREFACE_BYTES + H2_SETTINGS_FRAME_MAX_BYTES + 13, 0);
	if (!p)
		return ERR_NOMEM;
	uint8_t *at = p;
	if (c->role == H2_CLIENT) {
		memcpy(at, h2_preface, H2_PREFACE_BYTES);
		at += H2_PREFACE_BYTES;
	}
	at += h2_settings_put(at, (enum h2_role)c->role, &c->options);
	c->books->frames_out++;
	uint32_t more = c->options.conn_window_bytes - H2_WINDOW_DEFAULT;
	if (more) {
		at += h2_frame_put_window(at, 0, more);
		c->books->frames_out++;
	}
	h2_out_commit(&c->out, (size_t)(at - p));
	return 0;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

struct hpack_decoder *h2_conn_make_decoder(struct h2_conn *c)
{
	uint32_t bytes = c->options.decoder_table_bytes;
	/* until it acknowledges our SETTINGS the peer may use the default table */
	c->decoder = hpack_decoder_create(larger(bytes, HPACK_DEFAULT_TABLE_BYTES));
	if (c->decoder && c->settings_acked)
		hpack_decoder_set_limit(c->decoder, bytes);
	return c->decoder;
}

struct hpack_encoder *h2_conn_make_encoder(struct h2_conn *c)
{
	c->encoder = hpack_encoder_create(c->options.encoder_table_bytes);
	return c->encoder;
}

struct h2_conn *h2_conn_create(enum h2_role role, const struct h2_options *options,
	struct slab_pool *pool, struct h2_books *books)
{
	struct h2_conn *c = mem_zalloc(sizeof(*c));
	if (!c)
		return NULL;
	h2_caches_hold();
	c->role = (uint8_t)role;
	c->options = legal(*options);
	c->books = books;
	books->conns++;
	c->peer = h2_settings_assumed();
	c->plain_block_bytes = h2_settings_plain_block_bytes(&c->peer);
	c->send_window_bytes = H2_WINDOW_DEFAULT;
	c->now_bytes = c->options.output_bytes;
	c->outputs = 1;
	c->next_id = 1;
	c->goaway_out_id = H2_MAX_STREAM_ID;
	c->dead_fault = H2_FAULT_COUNT;
	list_init(&c->notes);
	list_init(&c->ready);
	list_init(&c->starved);
	list_init(&c->over);
	list_init(&c->closed_held);
	idmap_init(&c->table);
	h2_rx_init(&c->rx, role);
	h2_out_init(&c->out, pool);
	h2_inflow_init(&c->inflow, c->options.conn_window_bytes);
	/* an eighth: it is told seldom, and much stands behind it */
	c->inflow_low_bytes = (int32_t)(c->inflow.target_bytes - c->inflow.target_bytes / 8);
	h2_guard_init(&c->guard, c->options.control_frames_per_s, c->options.resets_per_s);
	if (send_preface(c)) {
		h2_conn_destroy(c);
		return NULL;
	}
	return c;
}

static void tell_no_more(struct h2_stream *s)
{
	list_remove(&s->note_node);
	s->notes = 0;
}

/* Those without a handle are gone after. */
static void close_streams(struct h2_conn *c)
{
	list_splice_back(&c->closed_held, &c->over);
	LIST_FOR_EACH (node, &c->closed_held)
		tell_no_more(CONTAINER_OF(node, struct h2_stream, send_node));
	uint32_t it = 0;
	for (struct h2_stream *s; (s = h2_stream_next_open(c, &it)); it--) {
		tell_no_more(s);
		h2_stream_close(s, H2_CLOSED_BY_US);
	}
}

void h2_conn_destroy(struct h2_conn *c)
{
	if (!c)
		return;
	c->dead = true;
	close_streams(c);
	ASSERT(list_empty(&c->closed_held)); /* the owner released every handle */
	c->books->held_bytes -= c->out_held;
	h2_out_fini(&c->out);
	h2_runs_fini(c);
	h2_rx_fini(&c->rx);
	hpack_decoder_destroy(c->decoder);
	hpack_encoder_destroy(c->encoder);
	idmap_fini(&c->table);
	c->books->conns--;
	mem_free(c);
	h2_caches_release();
}

void h2_conn_set_user(struct h2_conn *c, void *user)
{
	c->user = user;
}

void *h2_conn_user(const struct h2_conn *c)
{
	return c->user;
}

/* --- frames of our own --------------------------------------------------------------------------
 */

/* Room for a small frame; NULL: the connection is dead, maybe for want of memory. */
static uint8_t *small_frame(struct h2_conn *c, size_t bytes)
{
	if (UNLIKELY(c->dead)) /* nothing follows its GOAWAY */
		return NULL;
	uint8_t *p = h2_out_reserve(&c->out, bytes, 0);
	if (UNLIKELY(!p))
		h2_conn_fail(c, H2_FAULT_NO_MEMORY);
	else
		c->books->frames_out++;
	return p;
}

bool h2_conn_send_rst(struct h2_conn *c, uint32_t id, uint32_t code)
{
	uint8_t *p = small_frame(c, 13);
	if (!p)
		return false;
	c->books->resets_out[code < H2_CODE_COUNT ? code : H2_CODE_COUNT]++;
	h2_out_commit(&c->out, h2_frame_put_rst(p, id, code));
	return true;
}

bool h2_conn_send_window(struct h2_conn *c, uint32_t id, uint32_t bytes)
{
	uint8_t *p = small_frame(c, 13);
	if (!p)
		return false;
	h2_out_commit(&c->out, h2_frame_put_window(p, id, bytes));
	return true;
}

bool h2_conn_send_ping(struct h2_conn *c, uint8_t flags, uint64_t opaque)
{
	uint8_t *p = small_frame(c, 17);
	if (!p)
		return false;
	h2_out_commit(&c->out, h2_frame_put_ping(p, flags, opaque));
	if (flags & H2_FLAG_ACK)
		h2_conn_count_answer(c, 17);
	return true;
}

bool h2_conn_send_settings_ack(struct h2_conn *c)
{
	uint8_t *p = small_frame(c, H2_HEADER_BYTES);
	if (!p)
		return false;
	h2_out_commit(&c->out, h2_frame_put_settings_ack(p));
	h2_conn_count_answer(c, H2_HEADER_BYTES);
	return true;
}

/* Two halves: when everything up to the mark was written, the older half has been read. */
void h2_conn_count_answer(struct h2_conn *c, uint32_t bytes)
{
	c->answers_new += bytes;
	if (UNLIKELY(c->answers_old + c->answers_new > ANSWERS_MAX_BYTES))
		h2_conn_fail(c, H2_FAULT_FLOOD_ANSWERS);
}

static void answers_written(struct h2_conn *c)
{
	if (c->out.queued_total - c->out.unwritten < c->answers_mark)
		return;
	c->answers_old = c->answers_new;
	c->answers_new = 0;
	c->answers_mark = c->out.queued_total;
	if (c->out.unwritten == 0)
		c->answers_old = 0;
}

/* --- the end ------------------------------------------------------------------------------------
 */

void h2_conn_goaway(struct h2_conn *c, uint32_t last_id, uint32_t code, const char *debug)
{
	size_t len = debug ? strnlen(debug, 256) : 0;
	if (last_id > c->goaway_out_id) /* 6.8: it must not increase */
		last_id = c->goaway_out_id;
	c->goaway_out_id = last_id;
	c->books->goaways_out[code < H2_CODE_COUNT ? code : H2_CODE_COUNT]++;
	c->books->frames_out++;
	uint8_t *p = h2_out_reserve(&c->out, 17 + len, 0);
	if (p) {
		h2_out_commit(&c->out, h2_frame_put_goaway(p, last_id, code, debug, len));
	} else if (c->dead) { /* the last frame of all has its own reserve */
		uint8_t frame[17];
		h2_out_last_words(
			&c->out, frame, h2_frame_put_goaway(frame, last_id, code, NULL, 0));
	}
}

void h2_conn_die(struct h2_conn *c, uint32_t code, enum h2_fault fault, const char *debug)
{
	if (c->dead)
		return;
	c->dead = true;
	c->now_bytes = 0;
	c->dead_code = code;
	c->dead_fault = (uint16_t)fault;
	h2_conn_attend(c, H2_PEND_DEAD | H2_PEND_OVER);
	if (fault != H2_FAULT_COUNT)
		c->books->faults[fault]++;
	h2_conn_goaway(c, c->role == H2_SERVER ? c->last_id : 0, code, debug);
	close_streams(c);
}

void h2_conn_fail(struct h2_conn *c, enum h2_fault fault)
{
	h2_conn_die(c, h2_fault_code(fault), fault, h2_fault_text(fault));
}

void h2_conn_bug(struct h2_conn *c)
{
	c->books->bugs++;
	h2_conn_fail(c, H2_FAULT_BUG);
}

void h2_conn_kill(struct h2_conn *c, enum h2_code code, const char *debug)
{
	h2_conn_die(c, code, H2_FAULT_COUNT, debug);
}

bool h2_conn_is_dead(const struct h2_conn *c)
{
	return c->dead;
}

/* --- drain --------------------------------------------------------------------------------------
 */

void h2_conn_drain(struct h2_conn *c, const char *debug)
{
	if (c->dead || c->drain != H2_DRAIN_NONE)
		return;
	if (c->role == H2_CLIENT) {
		c->drain = H2_DRAIN_FINAL;
		h2_conn_goaway(c, 0, H2_NO_ERROR, debug);
		return;
	}
	c->drain = H2_DRAIN_ANNOUNCED;
	h2_conn_goaway(c, H2_MAX_STREAM_ID, H2_NO_ERROR, debug);
	h2_conn_send_ping(c, 0, DRAIN_PING);
}

void h2_conn_drain_now(struct h2_conn *c)
{
	if (c->dead || c->drain == H2_DRAIN_FINAL)
		return;
	c->drain = H2_DRAIN_FINAL;
	if (c->role == H2_SERVER)
		h2_conn_attend(c, H2_PEND_DRAINED);
	h2_conn_goaway(c, c->role == H2_SERVER ? c->last_id : 0, H2_NO_ERROR, NULL);
}

bool h2_conn_drain_acked(struct h2_conn *c, uint64_t opaque)
{
	if (c->drain != H2_DRAIN_ANNOUNCED || opaque != DRAIN_PING)
		return false;
	h2_conn_drain_now(c);
	return true;
}

/* --- in -----------------------------------------------------------------------------------------
 */

void h2_conn_feed(struct h2_conn *c, struct slice in, uint64_t now_ns)
{
	c->now_ns = now_ns;
	DEBUG_ASSERT(!c->runs);
	if (c->dead || !h2_rx_settle(c)) {
		slice_drop(&in);
		return;
	}
	c->rx.in = in;
	c->feeds++;
	h2_rx_set_quick(c);
}

void h2_conn_settle(struct h2_conn *c)
{
	if (!c->dead)
		(void)!h2_rx_settle(c);
}

/* A stream's notes, in the order in which they may be told. */
static bool tell_stream(struct h2_conn *c, struct h2_event *out)
{
	struct h2_stream *s = CONTAINER_OF(c->notes.next, struct h2_stream, note_node);
	out->stream = s;
	if (s->notes & H2_NOTE_ADMITTED) {
		s->notes &= (uint8_t)~H2_NOTE_ADMITTED;
		out->kind = H2_EV_ADMITTED;
		out->bytes = s->admitted_bytes;
		s->admitted_bytes = 0;
	} else if (s->notes & H2_NOTE_BLOCKED) {
		s->notes &= (uint8_t)~H2_NOTE_BLOCKED;
		out->kind = H2_EV_BLOCKED;
		out->blocked = (enum h2_blocked)s->blocked;
	} else if (s->notes & H2_NOTE_TOO_LARGE) {
		s->notes &= (uint8_t)~H2_NOTE_TOO_LARGE;
		out->kind = H2_EV_TOO_LARGE;
		out->head = s->tx_phase == H2_TX_HEAD_REFUSED;
		s->tx_phase = out->head ? H2_TX_HEAD : H2_TX_BODY;
	} else {
		s->notes = 0;
		out->kind = H2_EV_RESET;
		out->by_peer = s->by_peer;
		out->unprocessed = s->unprocessed;
		out->code = s->code;
		out->fault = (enum h2_fault)s->fault;
	}
	if (!(s->notes & ~H2_NOTE_CLOSED))
		list_remove(&s->note_node);
	return true;
}

/* Behind all notes: what left a stream's queue is told before its end. */
static bool tell_over(struct h2_conn *c, struct h2_event *out)
{
	for (struct list *node; (node = list_pop_front(&c->over));) {
		struct h2_stream *s = CONTAINER_OF(node, struct h2_stream, send_node);
		list_push_back(&c->closed_held, node);
		if (!s->notes) /* its owner reset it meanwhile */
			continue;
		s->notes = 0;
		out->stream = s;
		out->kind = H2_EV_CLOSED;
		return true;
	}
	return false;
}

static bool tell_conn(struct h2_conn *c, struct h2_event *out)
{
	out->stream = NULL;
	if (c->pending & H2_PEND_DEAD) {
		c->pending = H2_PEND_OVER;
		out->kind = H2_EV_DEAD;
		out->code = c->dead_code;
		out->fault = (enum h2_fault)c->dead_fault;
		return true;
	}
	if (c->pending & H2_PEND_DRAINED) {
		c->pending &= (uint8_t)~H2_PEND_DRAINED;
		out->kind = H2_EV_DRAINED;
		out->last_id = c->goaway_out_id;
		return true;
	}
	return false;
}

/* What is to be told before more is parsed; false: nothing. */
static bool tell(struct h2_conn *c, struct h2_event *out)
{
	if (tell_conn(c, out))
		return true;
	if (!list_empty(&c->notes))
		return tell_stream(c, out);
	if (!list_empty(&c->over) && tell_over(c, out))
		return true;
	c->pending &= (uint8_t)~H2_PEND_NOTES;
	return false;
}

__attribute__((noinline)) static bool poll_slowly(struct h2_conn *c, struct h2_event *out)
{
	bool found = false;
	enum h2_rx_step step = H2_STEP_MORE;
	while (!found && (step != H2_STEP_WAIT || c->pending)) {
		if (UNLIKELY(c->pending)) {
			if (tell(c, out))
				return true;
			if (c->dead) {
				slice_drop(&c->rx.in);
				return false;
			}
		}
		step = h2_rx_step(c, out);
		found = step == H2_STEP_EVENT;
	}
	h2_rx_set_quick(c);
	return found;
}

/* A stream had something to tell, and its owner released it without waiting for that. */
static inline bool told_all(const struct h2_conn *c)
{
	return c->pending == H2_PEND_NOTES && list_empty(&c->notes) && list_empty(&c->over);
}

bool h2_conn_poll(struct h2_conn *c, struct h2_event *out)
{
	if (c->runs && h2_runs_next(c, out))
		return true;
	if (told_all(c)) {
		c->pending = 0;
		h2_rx_set_quick(c);
	}
	if (LIKELY(c->rx.quick)) {
		if (c->rx.in.len == 0) { /* at a frame's begin, with nothing to tell */
			slice_drop(&c->rx.in);
			return false;
		}
		if (LIKELY(h2_rx_quick(c, out)))
			return true;
	}
	return poll_slowly(c, out);
}

/* --- out ----------------------------------------------------------------------------------------
 */

bool h2_conn_wants_write(const struct h2_conn *c)
{
	return c->out.unwritten || (!c->dead && !list_empty(&c->ready));
}

bool h2_conn_has_news(const struct h2_conn *c)
{
	return !list_empty(&c->notes);
}

int h2_conn_output(struct h2_conn *c, struct iovec *iov, int max)
{
	c->fresh_bytes = 0;
	h2_tx_fill(c);
	return h2_out_iov(&c->out, iov, max);
}

void h2_conn_written(struct h2_conn *c, size_t bytes)
{
	h2_out_written(&c->out, bytes);
	uint64_t payload = c->out.unwritten ? bytes : c->out_held;
	if (payload > c->out_held)
		payload = c->out_held;
	c->out_held -= payload;
	c->books->held_bytes -= payload;
	c->outputs++;
	if (!c->dead && c->out.unwritten < c->options.output_bytes)
		c->now_bytes = c->options.output_bytes - (uint32_t)c->out.unwritten;
	answers_written(c);
}

void h2_conn_compact(struct h2_conn *c)
{
	c->now_bytes = 0;
	h2_out_compact(&c->out);
	LIST_FOR_EACH (node, &c->ready)
		h2_tx_blocked(CONTAINER_OF(node, struct h2_stream, send_node), H2_BLOCKED_SOCKET);
	uint32_t it = 0;
	for (struct h2_stream *s; (s = h2_stream_next_open(c, &it));)
		h2_tx_compact(s);
}

void h2_conn_set_crowded(struct h2_conn *c, bool crowded)
{
	c->crowded = crowded;
}

uint32_t h2_conn_fresh_bytes(const struct h2_conn *c)
{
	return c->fresh_bytes;
}

size_t h2_conn_unwritten(const struct h2_conn *c)
{
	return c->out.unwritten;
}

void h2_conn_ping(struct h2_conn *c, uint64_t opaque)
{
	if (!c->dead)
		h2_conn_send_ping(c, 0, opaque);
}

void h2_conn_settings_due(struct h2_conn *c)
{
	if (!c->dead && !c->settings_acked)
		h2_conn_fail(c, H2_FAULT_SETTINGS_TIMEOUT);
}

bool h2_conn_peer_settings_seen(const struct h2_conn *c)
{
	return c->peer_settings_seen;
}

bool h2_conn_peer_extended_connect(const struct h2_conn *c)
{
	return c->peer.enable_connect;
}

uint32_t h2_conn_open_streams(const struct h2_conn *c)
{
	return c->open_streams;
}

void h2_conn_each_stream(
	struct h2_conn *c, void (*visit)(struct h2_stream *s, void *arg), void *arg)
{
	LIST_FOR_EACH_SAFE (node, &c->over)
		visit(CONTAINER_OF(node, struct h2_stream, send_node), arg);
	LIST_FOR_EACH_SAFE (node, &c->closed_held)
		visit(CONTAINER_OF(node, struct h2_stream, send_node), arg);
	uint32_t it = 0;
	for (struct h2_stream *s; (s = h2_stream_next_open(c, &it));) {
		uint32_t open = c->open_streams;
		if (s->held)
			visit(s, arg);
		it -= c->open_streams < open; /* it was closed */
	}
}

bool h2_conn_window_blocked(const struct h2_conn *c)
{
	return !list_empty(&c->starved);
}
