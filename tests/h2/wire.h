/* wire.h - a script-like kit that plays the peer of one HTTP/2 engine with raw frames.
 *
 * What it does: builds frames and header blocks by hand (literals only, so that no encoder of ours
 * is trusted), feeds them to a `struct h2_conn` whole, byte by byte, in random pieces and joined
 * together, collects the events and the frames that come out (header blocks are decoded by
 * libnghttp2, which shares no code with the engine), and answers "did exactly this happen?". What
 * it does not: judge for the test. It checks only what holds in every test: frames that no endpoint
 * may send, events after a stream's last one, and books that do not return to zero.
 *
 *   BOTH(rfc9113_6_5_settings_on_stream_is_protocol_error)
 *   {
 *           FRAME(w, SETTINGS, 0, 1, "");
 *           GOAWAY(w, H2_PROTOCOL_ERROR);
 *   }
 *
 * A case runs once for each mode. Input is lazy: expectations and the app_ functions deliver what
 * was built before. Header texts read "name value|name value"; a name ends at its first space.
 * Environment: WIRE_DUMP=DIR writes each case's input as a seed for the engine fuzzers; SEED=N
 * replays the random splits. Owner: the case runner. One thread. */
#ifndef WEIR_TESTS_H2_WIRE_H
#define WEIR_TESTS_H2_WIRE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/rand.h"
#include "http2/conn.h"
#include "tap.h"

enum {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY_F,
	WINDOW_UPDATE,
	CONTINUATION
};
enum { ES = 0x1, ACK = 0x1, EH = 0x4, PAD = 0x8, PRIO = 0x20 };                    /* flags */
enum { S_TABLE = 1, S_PUSH, S_STREAMS, S_WINDOW, S_FRAME, S_LIST, S_CONNECT = 8 }; /* settings */

#define PREFACE  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define GET_REQ  ":method GET|:scheme http|:path /|:authority weir.test"
#define POST_REQ ":method POST|:scheme http|:path /|:authority weir.test"
#define OK_RESP  ":status 200"

enum wire_mode { WIRE_WHOLE, WIRE_BYTES, WIRE_RANDOM, WIRE_JOINED, WIRE_MODES };

struct wire_frame { /* a frame that the engine sent */
	uint32_t len, id;
	uint8_t type, flags;
	size_t at;    /* payload, offset in w->out */
	char *fields; /* of a complete header block, on its HEADERS frame; else NULL */
	bool end_headers_seen;
};

struct wire_event {
	struct h2_event e; /* e.ev.fields and e.ev.data are gone: see text and at */
	uint32_t id;
	char *text;   /* fields, or GOAWAY debug data; never NULL */
	size_t at;    /* DATA, offset in w->data */
	uint32_t len; /* bytes of DATA */
};

struct wire_handle {
	struct h2_stream *s; /* NULL once released */
	uint32_t id;
	bool over; /* CLOSED or RESET was seen */
};

struct bytes { /* grows; plain malloc, so that injected failures hit the engine only */
	uint8_t *p;
	size_t len, cap;
};

struct wire {
	enum h2_role role;
	enum wire_mode mode;
	const char *name;
	struct h2_conn *c;
	struct h2_books books;
	struct slab_pool *pool;
	struct rand rand;
	uint64_t now_ns;
	long live_before;           /* mem_live_blocks() */
	struct bytes pending, tape; /* built but not fed; everything fed */
	struct bytes out, data;
	size_t out_parsed;
	struct wire_frame *frames;
	size_t frame_count, frame_mark;
	struct wire_event *events;
	size_t event_count, event_mark;
	struct wire_handle *handles;
	size_t handle_count;
	uint32_t next_id;        /* the id of the peer's next stream (server role) */
	uint32_t surfaced;       /* highest id that came with a HEAD (server role) */
	uint32_t headers_in;     /* highest id of a HEADERS frame that was built */
	uint32_t peer_max_frame; /* what the engine may send */
	bool stop_reading;       /* leave the engine's output where it is */
	bool out_of_order;       /* the case plays with ids itself: judge fewer things */
	bool dead;               /* H2_EV_DEAD was seen */
	bool release_early;      /* give handles back at their last event */
	uint64_t pings;
	void *inflater;
	const char *broken; /* first thing that must not happen in any case */
};

/* -- the life of a case -- */
void wire_create(struct wire *w, const struct h2_options *o); /* NULL: defaults; no handshake */
void wire_begin(struct wire *w, const struct h2_options *o);  /* with handshake */
void wire_restart(
	struct wire *w, const struct h2_options *o); /* a fresh connection, no handshake */
void wire_handshake(struct wire *w, const char *settings, size_t len);
void wire_run(
	enum h2_role role, bool raw, const char *name, void (*body)(struct wire *w), int *failures);
void wire_mark(struct wire *w); /* expectations look at what happens from here on */
void wire_destroy(struct wire *w);

#define WIRE_CASE(role, raw, id, body)                                                             \
	TEST(id)                                                                                   \
	{                                                                                          \
		wire_run(role, raw, #id, body, &tap_failures);                                     \
	}
#define SERVER(id)                                                                                 \
	static void case_##id(struct wire *w);                                                     \
	WIRE_CASE(H2_SERVER, false, id, case_##id)                                                 \
	static void case_##id(struct wire *w)
#define CLIENT(id)                                                                                 \
	static void case_##id(struct wire *w);                                                     \
	WIRE_CASE(H2_CLIENT, false, id, case_##id)                                                 \
	static void case_##id(struct wire *w)
#define BOTH(id)                                                                                   \
	static void case_##id(struct wire *w);                                                     \
	WIRE_CASE(H2_SERVER, false, id##_as_server, case_##id)                                     \
	WIRE_CASE(H2_CLIENT, false, id##_as_client, case_##id)                                     \
	static void case_##id(struct wire *w)
/* The case creates its connection itself (options, unusual prefaces). */
#define RAW_SERVER(id)                                                                             \
	static void case_##id(struct wire *w);                                                     \
	WIRE_CASE(H2_SERVER, true, id, case_##id)                                                  \
	static void case_##id(struct wire *w)
#define RAW_CLIENT(id)                                                                             \
	static void case_##id(struct wire *w);                                                     \
	WIRE_CASE(H2_CLIENT, true, id, case_##id)                                                  \
	static void case_##id(struct wire *w)
#define RAW_BOTH(id)                                                                               \
	static void case_##id(struct wire *w);                                                     \
	WIRE_CASE(H2_SERVER, true, id##_as_server, case_##id)                                      \
	WIRE_CASE(H2_CLIENT, true, id##_as_client, case_##id)                                      \
	static void case_##id(struct wire *w)

/* -- what the peer sends -- */
void wire_raw(struct wire *w, const void *bytes, size_t len);
void wire_frame(struct wire *w, int type, int flags, uint32_t id, const void *payload, size_t len);
#define FRAME(w, type, flags, id, literal)                                                         \
	wire_frame(w, type, flags, id, literal, sizeof(literal) - 1)
void wire_fill(struct wire *w, int type, int flags, uint32_t id, size_t len); /* len times 'x' */
void wire_headers(struct wire *w, uint32_t id, int flags, const char *text); /* END_HEADERS added */
void wire_setting(struct wire *w, unsigned id, uint32_t value);
void wire_window(struct wire *w, uint32_t id, uint32_t increment);
/* SETTINGS_HEADER_TABLE_SIZE, which the decoder of our output obeys too. */
void wire_table_setting(struct wire *w, uint32_t bytes);
void wire_rst(struct wire *w, uint32_t id, uint32_t code);
void wire_goaway(struct wire *w, uint32_t last_id, uint32_t code, const char *debug);
void wire_ping(struct wire *w, int flags, uint64_t opaque);
/* The head that fits the role: a request to a server, a response to a client. */
void wire_head(struct wire *w, uint32_t id, int flags);

/* Header blocks by hand. */
struct block {
	uint8_t p[70000];
	size_t len;
};
void block_field(
	struct block *b, const char *name, size_t name_len, const char *value, size_t value_len);
void block_text(struct block *b, const char *text);
void block_raw(struct block *b, const void *bytes, size_t len);
void wire_block(struct wire *w, uint32_t id, int flags, const struct block *b);

/* Delivers everything built so far and collects events and output. */
void wire_sync(struct wire *w);

/* -- what our side does -- */
struct h2_stream *wire_stream(struct wire *w, uint32_t id);    /* NULL: none, or released */
uint32_t app_open(struct wire *w, const char *head, bool end); /* client; 0 when refused */
void app_info(struct wire *w, uint32_t id, const char *text);
void app_head(struct wire *w, uint32_t id, const char *text, bool end);
void app_data(struct wire *w, uint32_t id, size_t len, bool end); /* a counting pattern */
void app_trailers(struct wire *w, uint32_t id, const char *text);
void app_credit(struct wire *w, uint32_t id, uint32_t bytes);
void app_reset(struct wire *w, uint32_t id, uint32_t code);
void app_release(struct wire *w, uint32_t id);

/* Streams in the states of RFC 9113 section 5.1, in either role; their id. */
uint32_t stream_open(struct wire *w);
uint32_t stream_peer_ended(struct wire *w); /* half-closed (remote) */
uint32_t stream_we_ended(struct wire *w);   /* half-closed (local) */
uint32_t stream_both_ended(struct wire *w); /* closed by END_STREAM */
uint32_t stream_peer_reset(struct wire *w);
uint32_t stream_we_reset(struct wire *w);
uint32_t stream_idle(struct wire *w); /* an id nobody used yet */
/* A stream on which the peer may send DATA (a client's has its response head). */
uint32_t stream_in_body(struct wire *w);

/* -- what must have happened: NULL, or a sentence -- */
const char *wire_want_goaway(struct wire *w, uint32_t code);
const char *wire_want_reset(struct wire *w, uint32_t id, uint32_t code);
const char *wire_want_fault(
	struct wire *w, uint32_t id, uint32_t code); /* of the stream or of all */
const char *wire_want_alive(struct wire *w);
const char *wire_want_ignored(struct wire *w, uint32_t id);
const char *wire_want_frames(struct wire *w, int type, uint32_t id, size_t count);
const char *wire_want_message(
	struct wire *w, uint32_t id, enum event_kind kind, const char *text, bool end);
const char *wire_want_events(struct wire *w, enum h2_event_kind kind, uint32_t id, size_t count);

/* Look-ups since the mark, after a sync; NULL when there is none. */
const struct wire_frame *wire_sent(struct wire *w, int type, uint32_t id, size_t nth);
const struct wire_event *wire_got(struct wire *w, enum h2_event_kind kind, uint32_t id, size_t nth);
const struct wire_event *wire_got_message(
	struct wire *w, enum event_kind kind, uint32_t id, size_t nth);
uint32_t wire_u32(const struct wire *w, const struct wire_frame *f, size_t at);
uint64_t wire_sent_data(struct wire *w, uint32_t id); /* bytes of DATA that came out for it */
uint64_t wire_got_data(struct wire *w, uint32_t id);
uint64_t wire_sent_window(struct wire *w, uint32_t id); /* sum of WINDOW_UPDATE increments */
bool wire_sent_pattern(
	struct wire *w, uint32_t id); /* the DATA sent counts up as app_data's does */
bool wire_sent_end(struct wire *w, uint32_t id);
/* Fields as sent or received contain exactly this "name value". */
bool wire_has_field(const char *fields, const char *field);

#define WANT(expr)                                                                                 \
	do {                                                                                       \
		const char *want_m = (expr);                                                       \
		if (want_m) {                                                                      \
			tap_failures++;                                                            \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, want_m);                       \
		}                                                                                  \
	} while (0)
#define GOAWAY(w, code)           WANT(wire_want_goaway(w, code))
#define RESET(w, id, code)        WANT(wire_want_reset(w, id, code))
#define FAULT(w, id, code)        WANT(wire_want_fault(w, id, code))
#define ALIVE(w)                  WANT(wire_want_alive(w))
#define IGNORED(w, id)            WANT(wire_want_ignored(w, id))
#define FRAMES(w, type, id, n)    WANT(wire_want_frames(w, type, id, n))
#define EVENTS(w, kind, id, n)    WANT(wire_want_events(w, kind, id, n))
#define MESSAGE(w, id, k, t, end) WANT(wire_want_message(w, id, k, t, end))
#endif
