/* conn_priv.h - what the files of src/http2 know of a connection. Nobody else includes this. */
#ifndef WEIR_HTTP2_CONN_PRIV_H
#define WEIR_HTTP2_CONN_PRIV_H
#include "base/list.h"
#include "base/map.h"
#include "http2/conn.h"
#include "http2/flow.h"
#include "http2/frame.h"
#include "http2/guard.h"
#include "http2/hpack.h"
#include "http2/out.h"
#include "http2/runs.h"
#include "http2/rx.h"
#include "http2/settings.h"
#include "http2/stream.h"

/* What poll must look at before it parses. */
enum {
	H2_PEND_DEAD = 1,    /* tell that it died */
	H2_PEND_DRAINED = 2, /* tell that it is drained */
	H2_PEND_NOTES = 4,   /* `notes` or `over` is not empty, or was not */
	H2_PEND_OVER = 8,    /* dead: nothing is parsed any more */
};
enum h2_drain { H2_DRAIN_NONE, H2_DRAIN_ANNOUNCED, H2_DRAIN_FINAL };

struct h2_conn {
	/* the data path's first lines */
	struct h2_rx rx;
	struct h2_books *books;
	struct h2_stream *last; /* found last; NULL: none */
	struct h2_runs *runs;   /* DATA to surface; NULL: none */
	struct list notes;      /* streams with something to tell */
	uint8_t role;           /* enum h2_role */
	uint8_t pending;        /* H2_PEND_* */
	bool dead;
	bool singly;    /* the last runs joined nothing: DATA is surfaced frame by frame (runs.h) */
	uint16_t feeds; /* so far; wraps */
	bool crowded;   /* streams get smaller windows */
	struct h2_inflow inflow;  /* the connection's receive window */
	int32_t inflow_low_bytes; /* below this the peer gets a WINDOW_UPDATE */
	struct h2_guard guard;
	uint64_t now_ns; /* of the last feed */

	struct h2_out out;
	int32_t send_window_bytes;
	uint32_t now_bytes; /* room for DATA that is framed at once; 0: the socket is full, or dead
			     */
	uint32_t outputs;   /* written so far; wraps */
	struct list ready, starved;
	uint32_t fresh_bytes;  /* DATA that was queued since the last output; stops at the top */
	uint64_t out_held;     /* payload bytes framed and not yet written */
	uint64_t answers_mark; /* out.queued_total when the older half of the answers was counted */
	uint32_t answers_old, answers_new; /* bytes of unread answers to control frames */

	struct h2_stream
		*solo; /* one open stream is kept out of the table: calls in series cost no heap */
	struct idmap table;      /* the other open streams by id */
	struct list over;        /* closed streams of which H2_EV_CLOSED is to be told */
	struct list closed_held; /* other closed streams that their owner has not released yet */
	uint32_t open_streams;
	uint32_t next_id;           /* client: the next to open */
	uint32_t last_id;           /* server: the highest the peer opened */
	uint32_t gap_low, gap_high; /* hull of the ids that the peer skipped; 0: none */
	struct h2_settings peer;
	uint32_t plain_block_bytes;    /* of `peer` */
	struct hpack_decoder *decoder; /* NULL until the first block comes */
	struct hpack_encoder *encoder; /* NULL until the first block goes: h2_conn_encoder */
	struct h2_options options;
	void *user;

	uint8_t drain; /* enum h2_drain */
	bool peer_settings_seen, settings_acked, goaway_seen;
	uint32_t goaway_out_id; /* the last id of our last GOAWAY */
	uint32_t goaway_in_id;
	uint32_t dead_code;
	uint16_t dead_fault; /* enum h2_fault */
	struct h2_closed_memory closed;
};

/* Ends the connection with GOAWAY; the caller returns at once. */
COLD void h2_conn_fail(struct h2_conn *c, enum h2_fault fault);
COLD void h2_conn_die(struct h2_conn *c, uint32_t code, enum h2_fault fault, const char *debug);
/* Counts a broken invariant of our own and ends the connection. */
COLD void h2_conn_bug(struct h2_conn *c);
COLD void h2_conn_goaway(struct h2_conn *c, uint32_t last_id, uint32_t code, const char *debug);
/* Frames written at once, in order. False: no memory, the connection died. */
bool h2_conn_send_rst(struct h2_conn *c, uint32_t id, uint32_t code);
bool h2_conn_send_window(struct h2_conn *c, uint32_t id, uint32_t bytes);
bool h2_conn_send_ping(struct h2_conn *c, uint8_t flags, uint64_t opaque);
bool h2_conn_send_settings_ack(struct h2_conn *c);
/* So many bytes of output answer control frames; too many unread ones end the connection. */
void h2_conn_count_answer(struct h2_conn *c, uint32_t bytes);
/* The drain's PING came back. */
bool h2_conn_drain_acked(struct h2_conn *c, uint64_t opaque);

/* Made at the first block, for many connections wait long for it. NULL: out of memory. */
struct hpack_decoder *h2_conn_make_decoder(struct h2_conn *c);
struct hpack_encoder *h2_conn_make_encoder(struct h2_conn *c);
static inline struct hpack_decoder *h2_conn_decoder(struct h2_conn *c)
{
	return LIKELY(c->decoder) ? c->decoder : h2_conn_make_decoder(c);
}
static inline struct hpack_encoder *h2_conn_encoder(struct h2_conn *c)
{
	return LIKELY(c->encoder) ? c->encoder : h2_conn_make_encoder(c);
}

/* Something is to be told before more is parsed. */
static inline void h2_conn_attend(struct h2_conn *c, unsigned pending)
{
	c->pending |= (uint8_t)pending;
	c->rx.quick = false;
}

static inline bool h2_is_ours(const struct h2_conn *c, uint32_t id)
{
	return (id & 1) == (c->role == H2_CLIENT);
}

static inline struct h2_stream *h2_stream_find(struct h2_conn *c, uint32_t id)
{
	struct h2_stream *s = c->last;
	if (s && s->id == id)
		return s;
	s = c->solo && c->solo->id == id ? c->solo : idmap_get(&c->table, id);
	if (LIKELY(s))
		c->last = s;
	return s;
}
#endif
