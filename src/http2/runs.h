/* runs.h - DATA frames of one stream that came in one feed become one event.
 *
 * Peers that write many small messages on many streams send a frame for each, in turn. What follows
 * (events, filters, the far queue) costs by the event, so rx gathers whole small frames of each
 * stream as long as nothing but such frames comes, and then surfaces one event a stream:
 *
 *   feed   A1 B1 A2 C1 B2 A3 | HEADERS ...      run A: A1 A2 A3 (copied behind each other)
 *                                               run B: B1 B2        run C: C1 (a view of the feed)
 *
 * Where streams have one message under way at a time there is nothing to join, and gathering is a
 * detour: after runs that joined nothing, frames are surfaced one by one until a stream comes twice
 * in a feed.
 *
 * What it does not: wait. Every run is surfaced before anything else is parsed and before the feed
 * is empty, so the order within a stream and among frames that are not DATA is the wire's.
 *
 * Owner: the connection; it has a table only while runs are pending. Bounded by the feed, and by
 * H2_RUNS streams and a small slab a stream at a time. Errors: without memory a frame is an event
 * of its own. Private to src/http2. */
#ifndef WEIR_HTTP2_RUNS_H
#define WEIR_HTTP2_RUNS_H
#include "http2/conn.h"

#define H2_RUNS 512u

/* The third and every further frame of a run takes the shortest way (h2_runs_gather): it moves `to`
 * and `room`, and what the stream and the slice have to know of it is settled when the run goes. */
struct h2_run {
	struct h2_stream *stream; /* NULL: closed meanwhile */
	struct slice data;
	uint8_t *to;      /* behind what was copied; NULL: a view of the feed */
	uint32_t room;    /* bytes that may follow there: of the slab, and of the stream's window */
	uint32_t wire_id; /* as it stands in a frame's header */
};
struct h2_runs {
	bool joined;           /* some stream had two frames in this feed */
	uint32_t first, count; /* of those to surface */
	uint16_t by_id[128];   /* by the last seven bits of ids: 1 + the place of a copied run */
	struct h2_run run[H2_RUNS];
};

/* A table, for a frame of `s`; false: no memory. */
bool h2_runs_begin(struct h2_conn *c, const struct h2_stream *s) MUST_USE;
/* Adds a frame's content to the stream's run, or begins one; the stream's window pays. False: it
 * does not fit now. Borrows. */
bool h2_runs_add(struct h2_conn *c, struct h2_stream *s, const struct slice *content) MUST_USE;
/* Takes the frames at the beginning of the feed that are for copied runs, as far as they go. */
void h2_runs_gather(struct h2_conn *c);
/* What was gathered becomes known to the slice and to the stream's window. */
void h2_runs_settle(struct h2_run *r);
void h2_runs_settle_all(struct h2_conn *c);
/* The next run as an event; false: none is pending. Settled before. */
bool h2_runs_next(struct h2_conn *c, struct h2_event *out) MUST_USE;
/* The stream is closed or its owner wants no more. */
void h2_runs_forget(struct h2_stream *s);
void h2_runs_fini(struct h2_conn *c);

static inline void h2_event_data(
	struct h2_event *out, struct h2_stream *s, struct slice data, bool end)
{
	out->kind = H2_EV_MESSAGE;
	out->stream = s;
	out->oversized = false;
	out->ev.kind = EVENT_DATA;
	out->ev.end = end;
	out->ev.code = 0;
	out->ev.fields = NULL;
	out->ev.data = data;
}
#endif
