/* stream.h - one stream: its state, windows and queue; the connection's table of streams; the
 * memory of closed ones.
 *
 * A stream object lives as long as it is open on the wire or its handle is out. Both ends meet in
 * h2_stream_unhold / h2_stream_close, whichever comes last frees it.
 *
 *   conn->table (idmap)   open streams by id         conn->closed_held   closed, handle is out
 *   conn->ready           may send now               conn->starved   wait for the connection window
 *   conn->notes           have something to tell at the next poll
 *   conn->over            closed, handle is out, and that has not been told
 *
 * Objects and chunks come from thread-local free lists that live while the thread has connections.
 * Private to src/http2. */
#ifndef WEIR_HTTP2_STREAM_H
#define WEIR_HTTP2_STREAM_H
#include <stdbool.h>
#include <stdint.h>
#include "base/list.h"
#include "base/slice.h"
#include "http/fields.h"
#include "http2/conn.h"
#include "http2/flow.h"
#include "http2/state.h"

/* Queued DATA: a copy in `bytes`, or a reference. */
struct h2_chunk {
	struct h2_chunk *next;
	struct slice ref; /* cap == 0: the unsent bytes by reference */
	uint32_t at, end; /* unsent bytes: bytes[at .. end) */
	uint32_t cap;     /* of `bytes`; 0: a reference */
	uint32_t pushes;  /* DATA events in it */
	uint8_t bytes[];
};

_Static_assert(H2_FAULT_COUNT <= UINT8_MAX, "a stream keeps one in a byte");

enum h2_rx_phase {
	H2_RX_HEAD,    /* the (final) head has not come */
	H2_RX_BODY,    /* DATA or trailers */
	H2_RX_ENDED,   /* END_STREAM came */
	H2_RX_DISCARD, /* we lost interest: late frames are dropped */
};
enum h2_tx_phase {
	H2_TX_HEAD,
	H2_TX_BODY,
	H2_TX_ENDED, /* pushed, maybe not sent */
	/* too large for the peer: pushes are dropped until that is told */
	H2_TX_HEAD_REFUSED,
	H2_TX_TRAILERS_REFUSED,
};
/* A stream that has but CLOSED to tell is in conn->over, with any other in conn->notes (too). */
enum {
	H2_NOTE_ADMITTED = 1,
	H2_NOTE_RESET = 2,
	H2_NOTE_CLOSED = 4,
	H2_NOTE_BLOCKED = 8,
	H2_NOTE_TOO_LARGE = 16,
};

struct h2_stream {
	/* what every message needs comes first */
	struct h2_conn *conn;
	void *user;
	uint32_t id;
	uint8_t state;        /* enum h2_state: only h2_stream_move changes it */
	uint8_t rx_phase;     /* enum h2_rx_phase: only h2_stream_set_rx changes it */
	bool rx_plain;        /* H2_RX_BODY without a content-length to keep */
	uint8_t tx_phase;     /* enum h2_tx_phase */
	uint8_t notes;        /* H2_NOTE_* to tell */
	uint8_t blocked;      /* enum h2_blocked, as of the last output */
	bool held : 1;        /* the owner has the handle */
	bool mute : 1;        /* the owner reset it: no more events */
	bool reset_after : 1; /* RST_STREAM(NO_ERROR) when the queue is sent */
	bool by_peer : 1;     /* of the RESET to tell */
	bool unprocessed : 1;
	bool req_head : 1;    /* client: the request is HEAD */
	bool req_connect : 1; /* client: the request is CONNECT */
	bool queued : 1;      /* in conn->ready or conn->starved */
	uint8_t fault;        /* enum h2_fault of the RESET to tell */
	uint16_t run;         /* 1 + its place in conn->runs; 0: none */
	uint16_t fed_in;      /* conn->feeds when DATA was surfaced frame by frame (runs.h) */
	int32_t send_window_bytes;
	struct h2_inflow inflow;
	uint32_t now_in; /* conn->outputs when DATA was last framed at once */
	struct h2_chunk *first_chunk, *last_chunk;
	uint32_t queued_bytes;   /* in the chunks */
	uint32_t admitted_bytes; /* to tell */
	union {
		int64_t content_left; /* by content-length; -1: not announced */
		uint32_t code;        /* closed: of the RESET to tell */
	};
	struct fields *trailers; /* queued behind the chunks */
	struct list send_node;   /* in conn->ready or starved; when closed, in conn->over or
				  closed_held */
	struct list note_node;
};

/* How a closed stream ended, for late frames (RFC 9113 5.1). */
enum h2_closed {
	H2_CLOSED_FORGOTTEN, /* not in memory */
	H2_CLOSED_ENDED,     /* both sides sent END_STREAM */
	H2_CLOSED_BY_US,     /* we reset it: late frames are ignored */
	H2_CLOSED_BY_PEER,   /* the peer reset it: it may send nothing more */
};
#define H2_CLOSED_MEMORY 64u
struct h2_closed_memory {
	uint32_t ring[H2_CLOSED_MEMORY]; /* id >> 1 << 2 | enum h2_closed; 0: empty */
	uint8_t next;
};
void h2_closed_remember(struct h2_closed_memory *m, uint32_t id, enum h2_closed how);
enum h2_closed h2_closed_recall(const struct h2_closed_memory *m, uint32_t id);

/* A new stream in the table, state IDLE, held by the owner; NULL: out of memory. */
struct h2_stream *h2_stream_create(struct h2_conn *c, uint32_t id) MUST_USE;
/* The only way to change the state. False: not a move; the connection died of it (a bug of ours).
 */
bool h2_stream_move(struct h2_stream *s, enum h2_state to);
static inline void h2_stream_set_rx(
	struct h2_stream *s, enum h2_rx_phase phase, int64_t content_left)
{
	s->rx_phase = (uint8_t)phase;
	s->content_left = content_left;
	s->rx_plain = phase == H2_RX_BODY && content_left < 0;
}
/* END_STREAM was sent or received; closes the stream when it was the second. `s` may be gone after.
 */
void h2_stream_ended(struct h2_stream *s, bool by_peer);
/* Closes at once: queue dropped, out of the table, remembered. `s` may be gone after. */
void h2_stream_close(struct h2_stream *s, enum h2_closed how);
/* The engine or the peer ended the stream before its time: close and tell the owner. */
void h2_stream_lost(
	struct h2_stream *s, uint32_t code, enum h2_fault fault, bool by_peer, bool unprocessed);
void h2_stream_note(struct h2_stream *s, unsigned note);
/* Nothing more to tell: the owner reset or released it. */
void h2_stream_mute(struct h2_stream *s);
/* A stream error: RST_STREAM, and a RESET for the owner. The peer's fault is charged to its budget;
 * ours (out of memory) is not. `s` may be gone after. */
COLD void h2_stream_fail(struct h2_stream *s, enum h2_fault fault);
COLD void h2_stream_fail_ours(struct h2_stream *s, enum h2_fault fault);
/* Drops chunks (and the books with them); bytes. */
uint32_t h2_stream_drop_chunks(struct h2_stream *s);
/* The open streams one by one, in no order, while none is opened; *it starts at 0. When the one
 * that was answered has closed, one less in *it goes on behind it. */
struct h2_stream *h2_stream_next_open(const struct h2_conn *c, uint32_t *it);
/* Back to the free list; not in the table any more. */
void h2_stream_free(struct h2_stream *s);

/* Chunks: for `bytes` of copies, or 0 for a reference. */
struct h2_chunk *h2_chunk_get(uint32_t bytes) MUST_USE;
void h2_chunk_put(struct h2_chunk *k);
struct h2_runs;
struct h2_runs *h2_runs_get(void) MUST_USE;
void h2_runs_put(struct h2_runs *runs);

/* The thread's free lists live as long as it has connections. */
void h2_caches_hold(void);
void h2_caches_release(void);
#endif
