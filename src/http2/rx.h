/* rx.h - the receiving half: a pull parser over the fed slice.
 *
 *   fed slice  [ ...frame ][ frame ][ fra      the incomplete end stays in the slice until settle
 * (or ^at               the next feed) moves it to `part`
 *
 * DATA payload is surfaced as slices of the fed slab, never gathered; a frame cut by the end of the
 * input is surfaced in pieces. Every other frame is parsed when it is whole, in place if it is
 * whole in the slice. A header block with CONTINUATION is gathered in `block`.
 *
 *   rx.c          bytes, frames, DATA        rx_headers.c   HEADERS, CONTINUATION, messages
 *   rx_control.c  the other frame types
 * Private to src/http2. */
#ifndef WEIR_HTTP2_RX_H
#define WEIR_HTTP2_RX_H
#include <stdbool.h>
#include <stdint.h>
#include "base/slice.h"
#include "http2/conn.h"
#include "http2/frame.h"

enum h2_rx_state {
	H2_RX_PREFACE, /* server: the 24 bytes (part_len counts them) */
	H2_RX_FRAME,   /* at a frame header */
	H2_RX_DATA,    /* inside DATA's content */
	H2_RX_SKIP,    /* inside bytes that nobody wants: padding, unknown frames */
};

enum h2_rx_step { H2_STEP_MORE, H2_STEP_EVENT, H2_STEP_WAIT };

struct h2_rx {
	struct slice in;
	uint8_t state;            /* enum h2_rx_state */
	bool data_end;            /* the DATA frame had END_STREAM */
	uint8_t part_small[10];   /* a cut frame header, with the pad length */
	uint8_t preface_len;      /* bytes of the preface seen */
	bool first_seen;          /* the peer's first frame (SETTINGS) came */
	bool quick;               /* at a frame header with nothing pending: see rx_quick.h */
	struct h2_stream *stream; /* of the DATA frame; NULL: its content is dropped */
	uint32_t data_left;       /* content bytes to come */
	uint32_t skip_left;       /* bytes to drop (padding) */
	uint8_t *part;            /* a cut frame; NULL: part_small */
	uint32_t part_len, part_cap;

	uint8_t *block; /* header block fragments before END_HEADERS */
	uint32_t block_len, block_cap;
	uint32_t block_id;     /* 0: no block is open */
	uint16_t block_frames; /* CONTINUATION frames in it */
	uint8_t block_flags;   /* of its HEADERS frame */
	bool block_self;       /* its priority depends on the stream itself */
};

struct h2_conn;
void h2_rx_init(struct h2_rx *rx, enum h2_role role);
void h2_rx_fini(struct h2_rx *rx);
enum h2_rx_step h2_rx_step(struct h2_conn *c, struct h2_event *out);
/* Moves an unfinished frame out of the fed slice. False: no memory, the connection died. */
bool h2_rx_settle(struct h2_conn *c);
/* Charges a control frame; false: over the budget, the connection died. */
bool h2_rx_charge(struct h2_conn *c);
/* DATA or HEADERS on a stream that is closed: ignored, answered, or the end (RFC 9113 5.1).
 * `content` says that it carries bytes that the peer pays for by flow control. */
COLD void h2_rx_late(struct h2_conn *c, uint32_t id, bool content);
/* Did the peer leave this id out when it opened a higher one? */
bool h2_rx_was_skipped(const struct h2_conn *c, uint32_t id);
/* A stream error where there is no stream object: counts, charges, sends RST_STREAM, remembers. */
COLD void h2_rx_refuse(struct h2_conn *c, uint32_t id, enum h2_fault fault);
/* Is `id` a stream that nobody opened yet? */
bool h2_rx_is_idle(const struct h2_conn *c, uint32_t id);

/* HEADERS and CONTINUATION, whole, payload at `p`. */
enum h2_rx_step h2_rx_headers(
	struct h2_conn *c, struct h2_frame f, const uint8_t *p, struct h2_event *out);
/* HEADERS that is a whole block, without padding and priority, on a stream that is not 0. */
enum h2_rx_step h2_rx_plain_headers(
	struct h2_conn *c, struct h2_frame f, const uint8_t *p, struct h2_event *out);
enum h2_rx_step h2_rx_continuation(
	struct h2_conn *c, struct h2_frame f, const uint8_t *p, struct h2_event *out);
/* PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, whole. */
enum h2_rx_step h2_rx_control(
	struct h2_conn *c, struct h2_frame f, const uint8_t *p, struct h2_event *out);
#endif
