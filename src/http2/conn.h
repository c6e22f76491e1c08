/* conn.h - one HTTP/2 connection (RFC 9113), sans-I/O, client or server: the folder's public face.
 *
 * What it does: bytes in, events out; events in, bytes out. Everything of RFC 9113 but push
 * (refused) and priority (parsed, checked, ignored). What it does not: read a clock, touch a
 * socket, call back, know what a call or a route is.
 *
 *          h2_conn_feed(slice)                       h2_conn_output(iovec) / h2_conn_written
 *   net ---------> rx --> events --> h2_conn_poll        net <---- tx <---- h2_stream_push
 *                  |  settings, flow ledger, hpack, states, guard    |
 *                  +------------------- struct h2_conn --------------+
 *
 * One turn of the owner:
 *   feed(bytes read) ; while (poll(&ev)) act on ev ; ... at the end of the turn, for each
 * connection with h2_conn_wants_write: output -> writev -> written, then poll again for ADMITTED
 * and CLOSED. rx is a pull parser: poll parses until there is one event, so nothing re-enters and
 * nothing queues. Small DATA frames of one stream in one feed come as one event (runs.h).
 *
 * Streams are opaque handles. A handle is good from the event or call that brought it until the
 * owner gives it back with h2_stream_release, whatever happened to the stream in between; calls on
 * a closed stream's handle do nothing (pushed events are dropped). For each stream that was
 * surfaced, exactly one of H2_EV_CLOSED and H2_EV_RESET is its last event, unless the owner reset
 * or released it first, or the connection died. The owner must release every handle before
 * h2_conn_destroy.
 *
 * tx queues what is pushed, per stream, decoded: payloads up to 4 KiB are copied and merged, larger
 * ones are referenced. What leaves a stream's queue for the wire is "admitted" and reported by
 * H2_EV_ADMITTED (or at once, by h2_stream_push_now), on which the owner credits the far side's
 * stream. The connection's receive window is credited on receipt; a stream's only by
 * h2_stream_credit.
 *
 * Order on the wire: PING acknowledgements, RST_STREAM, WINDOW_UPDATE and SETTINGS go ahead of all
 * DATA that waits in streams' queues and behind what is framed already: while the socket takes
 * nothing, at most output_bytes and one more frame of up to 64 KiB (and what the kernel has:
 * sock.h). They are not put in front of that: its frames have merged into pieces that one writev
 * takes. A GOAWAY, and a change of windows by SETTINGS, visit streams in the order of their table,
 * not of their ids: who is told, or may send, first is by chance, and round robin makes up for it
 * in a frame.
 *
 * Owner: the front or link that made it. Threads: one. Time: passed to feed, for the flood budgets.
 * Errors: ERR_NOMEM at create; a peer's fault or lack of memory inside HPACK or the flow ledger
 * ends the connection with H2_EV_DEAD (GOAWAY is queued; output still yields it). */
#ifndef WEIR_HTTP2_CONN_H
#define WEIR_HTTP2_CONN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "base/err.h"
#include "base/slice.h"
#include "http/event.h"
#include "http2/error.h"

#define H2_MAX_STREAM_ID 0x7fffffffu

enum h2_role { H2_SERVER, H2_CLIENT };

/* Limits: name, unit, default in h2_options_default(). Each has a metric (weir_http2_*). */
struct h2_options {
	uint32_t max_concurrent_streams; /* advertised; further streams are REFUSED_STREAM (server)
					  */
	uint32_t stream_window_bytes;    /* SETTINGS_INITIAL_WINDOW_SIZE; 256 KiB */
	uint32_t crowded_window_bytes;   /* the least while the connection is crowded; 32 KiB */
	uint32_t conn_window_bytes;      /* 4 MiB, >= 65535 */
	uint32_t max_frame_bytes;        /* SETTINGS_MAX_FRAME_SIZE; 16384 */
	uint32_t header_list_bytes; /* SETTINGS_MAX_HEADER_LIST_SIZE; 64 KiB. Above: `oversized` */
	uint32_t decoder_table_bytes; /* SETTINGS_HEADER_TABLE_SIZE; 4096 */
	uint32_t encoder_table_bytes; /* cap of what we use of the peer's table; 4096 */
	uint32_t output_bytes; /* framed but unwritten bytes above which no DATA is framed; 128 KiB
				*/
	bool extended_connect; /* RFC 8441 (server: advertise; client: may use); false */
	/* flood budgets: units a second, with a burst of ten seconds' worth; 0 = off. Guard faults
	 * are GOAWAY(ENHANCE_YOUR_CALM). */
	uint32_t control_frames_per_s; /* PING, SETTINGS, PRIORITY, RST of unknown..., empty DATA;
					  1000 */
	uint32_t resets_per_s; /* streams that the peer reset before our response ended; 200 */
	uint32_t continuation_frames; /* CONTINUATION frames in one header block; 64 */
};
struct h2_options h2_options_default(enum h2_role role);

/* Counters and books that the owner (a worker) shares over its connections: plain, one thread. */
struct h2_books {
	uint64_t held_bytes; /* payload bytes in tx queues and output: the memory budget counts
				these */
	uint64_t streams;    /* stream objects alive, handles included */
	uint64_t conns;      /* connection objects alive */
	uint64_t frames_in, frames_out;
	uint64_t data_bytes_in, data_bytes_out; /* payload without padding */
	uint64_t windows_shrunk;                /* of streams, on crowded connections */
	uint64_t merged_frames; /* DATA frames that were joined to another, as they came or went */
	uint64_t resets_in[H2_CODE_COUNT + 1],
		resets_out[H2_CODE_COUNT + 1]; /* last: unknown codes */
	uint64_t goaways_in[H2_CODE_COUNT + 1], goaways_out[H2_CODE_COUNT + 1];
	uint64_t faults[H2_FAULT_COUNT];
	uint64_t bugs; /* broken protocol-state invariants of our own: weir_bugs_total */
};

enum h2_event_kind {
	H2_EV_MESSAGE,   /* stream, ev: INFO, HEAD, DATA, TRAILERS. A server's first HEAD brings a
			    handle */
	H2_EV_RESET,     /* stream, code, by_peer, unprocessed */
	H2_EV_CLOSED,    /* stream: both directions ended and everything is in the output */
	H2_EV_ADMITTED,  /* stream, bytes: DATA that left the stream's queue since the last time */
	H2_EV_BLOCKED,   /* stream, blocked: what keeps its queue from going out has changed */
	H2_EV_TOO_LARGE, /* stream, head: the head (else the trailers) that was pushed is larger
			    than the peer's SETTINGS_MAX_HEADER_LIST_SIZE and was dropped, as was
			    what came behind it. Push another, or reset */
	H2_EV_SETTINGS,  /* the peer's settings changed (its first SETTINGS included) */
	H2_EV_GOAWAY,   /* last_id, code, debug: the peer's; streams above were reset as unprocessed
			 */
	H2_EV_PING_ACK, /* opaque: answers h2_conn_ping */
	H2_EV_DRAINED,  /* our drain's second GOAWAY is out: last_id; no new streams will come */
	H2_EV_DEAD,     /* code, fault: the connection is beyond use; the last event */
	H2_EV_REFUSED,  /* code, fault: a request became no stream, and RST_STREAM says so: over
			   max_concurrent_streams, after GOAWAY, malformed, no memory. No handle */
};

enum h2_blocked {
	H2_NOT_BLOCKED,
	H2_BLOCKED_STREAM_WINDOW, /* the peer's stream window is used up */
	H2_BLOCKED_CONN_WINDOW,
	H2_BLOCKED_SOCKET, /* the output is above output_bytes */
};

struct h2_stream; /* opaque */
struct h2_conn;   /* opaque */

struct h2_event {
	enum h2_event_kind kind;
	struct h2_stream *stream;
	struct event ev;  /* H2_EV_MESSAGE: owned by whoever polled */
	bool oversized;   /* HEAD/TRAILERS: the list was larger than header_list_bytes; the rest is
			     cut off */
	bool by_peer;     /* RESET: the peer's RST_STREAM; else the engine's (malformed, GOAWAY) */
	bool head;        /* TOO_LARGE: else it was the trailers */
	bool unprocessed; /* RESET: the peer provably did not act (REFUSED_STREAM, above GOAWAY's
			     last id) */
	uint32_t code;    /* enum h2_code, or whatever the peer sent */
	uint32_t last_id;
	uint32_t bytes;
	enum h2_blocked blocked; /* BLOCKED */
	uint64_t opaque;
	enum h2_fault fault; /* DEAD, REFUSED, and RESET by the engine; H2_FAULT_COUNT = none */
	const char *debug;   /* GOAWAY debug data: borrowed until the next poll */
	uint32_t debug_len;
};

/* `pool` gives slabs for output and reassembly. `books` and `pool` outlive the connection.
 * A client's preface and both roles' SETTINGS are in the output from the start. */
struct h2_conn *h2_conn_create(enum h2_role role, const struct h2_options *options,
	struct slab_pool *pool, struct h2_books *books) MUST_USE;
void h2_conn_destroy(struct h2_conn *c);
/* Gives up what the thread's connections did not need since the last time. */
void h2_caches_cool(void);
void h2_conn_set_user(struct h2_conn *c, void *user);
void *h2_conn_user(const struct h2_conn *c);

/* In: takes the slice. The whole of it must be polled out before the next feed. */
void h2_conn_feed(struct h2_conn *c, struct slice in, uint64_t now_ns);
/* The next event; false when there is none. */
bool h2_conn_poll(struct h2_conn *c, struct h2_event *out) MUST_USE;
/* After the last feed of a turn and an empty poll: bytes of an unfinished frame or header block
 * move out of the fed slab into an exact-size buffer, so that a slow sender pins no slab. */
void h2_conn_settle(struct h2_conn *c);

/* Something is to be told of a stream: poll has an event without input. */
bool h2_conn_has_news(const struct h2_conn *c);

/* Out: frames what windows allow and fills at most `max` iovecs; how many. */
bool h2_conn_wants_write(const struct h2_conn *c);
int h2_conn_output(struct h2_conn *c, struct iovec *iov, int max);
void h2_conn_written(struct h2_conn *c, size_t bytes);
/* The socket stopped taking bytes: large slabs pinned by a small rest are copied to exact size. */
void h2_conn_compact(struct h2_conn *c);
/* DATA waits although its stream may send: the peer's connection window is used up. */
bool h2_conn_window_blocked(const struct h2_conn *c);
/* More of the peer's DATA is here than can be worked off while it is in the cache. Until that is
 * over, credit halves a stream's window, down to crowded_window_bytes; then it grows again by an
 * eighth with each WINDOW_UPDATE that finds nothing of the stream held. */
void h2_conn_set_crowded(struct h2_conn *c, bool crowded);
/* DATA that was queued since the last output, but for small pieces that joined others: is it worth
 * an output in the middle of a turn? */
uint32_t h2_conn_fresh_bytes(const struct h2_conn *c);
size_t h2_conn_unwritten(const struct h2_conn *c); /* framed bytes that wait for the socket */

/* Client: opens a stream with its request head; takes head's fields in every case.
 * ERR_LIMIT: no slot (peer's MAX_CONCURRENT_STREAMS, 100 before its SETTINGS; ids exhausted; GOAWAY
 * seen or sent). ERR_INVALID: the head is larger than the peer's SETTINGS_MAX_HEADER_LIST_SIZE.
 * ERR_NOMEM. ERR_CLOSED: dead. */
int h2_conn_open(struct h2_conn *c, struct event *head, struct h2_stream **out) MUST_USE;
/* The same with a head that stays the caller's, who may have to send it again. */
int h2_conn_open_kept(struct h2_conn *c, const struct event *head, struct h2_stream **out) MUST_USE;
/* How many streams could be opened now (0 when draining, after GOAWAY, or dead). */
uint32_t h2_conn_open_slots(const struct h2_conn *c);
/* Ids left for new streams; the pool replaces a connection before they run out. */
uint32_t h2_conn_ids_left(const struct h2_conn *c);
uint32_t h2_conn_open_streams(const struct h2_conn *c); /* not closed, both sides */

void h2_conn_ping(struct h2_conn *c, uint64_t opaque);
/* Server: starts the two-phase drain: GOAWAY(2^31-1, NO_ERROR, debug) and PING; at the PING's
 * acknowledgement, or at h2_conn_drain_now, GOAWAY(last id seen) and H2_EV_DRAINED.
 * Client: one GOAWAY; no new streams. */
void h2_conn_drain(struct h2_conn *c, const char *debug);
void h2_conn_drain_now(struct h2_conn *c);
/* Ends the connection at once: GOAWAY(code, debug); streams stay as dead handles; then H2_EV_DEAD.
 */
void h2_conn_kill(struct h2_conn *c, enum h2_code code, const char *debug);
bool h2_conn_is_dead(const struct h2_conn *c);
/* The time that the owner gives a peer for its acknowledgement of our SETTINGS is over (6.5.3):
 * without it the connection ends. */
void h2_conn_settings_due(struct h2_conn *c);
bool h2_conn_peer_settings_seen(const struct h2_conn *c);
bool h2_conn_peer_extended_connect(const struct h2_conn *c);

/* Takes ev (fields, data). Order: INFO* HEAD DATA* TRAILERS?; `end` closes our direction. RESET is
 * h2_stream_reset. A push after our end, on a closed stream or a dead connection is dropped; one
 * out of order is dropped and counts in books->bugs. Out of memory: the stream is reset
 * INTERNAL_ERROR and an H2_EV_RESET (not by_peer) follows. */
void h2_stream_push(struct h2_stream *s, struct event *ev);
/* The same, but a small payload that nothing waits before is framed at once, without a queue: ahead
 * of what the turn has still to say, and maybe not merged with the next. Its bytes, admitted: no
 * H2_EV_ADMITTED will tell of them. 0: it took the way of h2_stream_push. */
uint32_t h2_stream_push_now(struct h2_stream *s, struct event *ev);
/* Gives `bytes` of received DATA back to the peer's stream window. */
void h2_stream_credit(struct h2_stream *s, uint32_t bytes);
/* Drops what is queued and sends RST_STREAM(code). With NO_ERROR and our end already pushed it
 * waits until the queue is sent (RFC 9113 8.1: a complete response before the request ended). No
 * event. */
void h2_stream_reset(struct h2_stream *s, uint32_t code);
/* Forgets queued, unadmitted DATA (to put an error's trailers in its place); bytes dropped.
 * Trailers or an end that were pushed behind it are forgotten too: push another end. */
uint32_t h2_stream_drop_queued(struct h2_stream *s);
/* Has the stream closed, with H2_EV_CLOSED all that is to be told of it? Who asks after a message
 * or a push with an end, and releases the handle, saves the event. */
bool h2_stream_is_over(const struct h2_stream *s);
/* Gives the handle back; a stream that is still open is reset with CANCEL. */
void h2_stream_release(struct h2_stream *s);
void h2_stream_set_user(struct h2_stream *s, void *user);
void *h2_stream_user(const struct h2_stream *s);
uint32_t h2_stream_id(const struct h2_stream *s);
struct h2_conn *h2_stream_conn(const struct h2_stream *s);

struct h2_stream_info {
	uint32_t id;
	int64_t send_window_bytes, conn_send_window_bytes; /* may be negative */
	int64_t receive_window_bytes;                      /* what the peer may still send */
	uint32_t queued_bytes;                             /* pushed, not admitted */
	enum h2_blocked blocked; /* of our direction, as of the last output */
	bool local_ended, remote_ended;
};
void h2_stream_inspect(const struct h2_stream *s, struct h2_stream_info *out);
/* Visits every stream that has a handle; `visit` may release or reset that stream only. */
void h2_conn_each_stream(
	struct h2_conn *c, void (*visit)(struct h2_stream *s, void *arg), void *arg);
#endif
