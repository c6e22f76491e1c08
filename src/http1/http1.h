/* http1.h - one HTTP/1.1 connection (RFC 9112), sans-I/O, server or client: the folder's public
 * face.
 *
 * What it does: bytes in, events out; events in, bytes out; one exchange after the other. Heads
 * have the shape of HTTP/2: names in lower case, :method :scheme :authority :path in front (Host is
 * gone, an absolute target is taken apart), without connection-specific fields. Strict where
 * recipients disagree: bare LF, folded lines, space before a colon, more than one Content-Length or
 * any beside Transfer-Encoding, other codings than one "chunked" and bytes that have no business
 * there are faults. HTTP/1.0 is answered and closed. What it does not: upgrade (the field is
 * dropped), tunnel (CONNECT has no content here, and its connection closes), read a clock, touch a
 * socket.
 *
 *          http1_conn_feed(slice)                      http1_conn_output(iovec) / _written
 *   net ------> lines, body --> http1_conn_poll          net <---- queue <---- http1_conn_push
 *
 * One turn of the owner: while http1_conn_wants_read, read and feed; while (poll(&ev)) act on ev;
 * when http1_conn_wants_write, output -> writev -> written, then poll again; when
 * http1_conn_wants_close, shut down writing, read what still comes for a moment (else the kernel's
 * reset may overtake the answer), close.
 *
 * A server takes one request at a time: pipelined bytes wait until its response is written. A
 * response pushed while the request is still coming closes the connection after it; so does one
 * without length to an HTTP/1.0 client. A peer's fault before our response began is answered by the
 * engine (status and text of fault.def); after it the connection just ends. Either way
 * HTTP1_EV_DEAD follows and pushes are dropped.
 *
 * Back-pressure: content that was handed out and not credited counts against window_bytes; at the
 * limit no more comes out and wants_read is false.
 *
 * Owner: a front or a client. Threads: one. Errors: NULL at creation; later a fault (NO_MEMORY). */
#ifndef WEIR_HTTP1_HTTP1_H
#define WEIR_HTTP1_HTTP1_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "http/event.h"

enum http1_role { HTTP1_SERVER, HTTP1_CLIENT };

enum http1_fault {
#define HTTP1_FAULT(id, status, text) HTTP1_FAULT_##id,
#include "http1/fault.def"
#undef HTTP1_FAULT
	HTTP1_FAULT_COUNT,
};
const char *http1_fault_name(enum http1_fault f); /* lower-case id, a metric label */
const char *http1_fault_text(enum http1_fault f);
unsigned http1_fault_status(enum http1_fault f);

/* Limits: name, unit, default in http1_options_default(). */
struct http1_options {
	uint32_t line_bytes;   /* the first line, and each field line, without CRLF; 8192 */
	uint32_t header_bytes; /* RFC 9113 6.5.2 size of a header or trailer section; 64 KiB */
	uint32_t header_count; /* fields in a section, pseudo-headers included; 128 */
	uint32_t window_bytes; /* content handed out and not credited; 256 KiB */
	const char *scheme;    /* :scheme of origin-form targets; "http" */
};
struct http1_options http1_options_default(void);

enum http1_event_kind {
	HTTP1_EV_MESSAGE, /* ev: INFO (client), HEAD, DATA, TRAILERS, exactly one of them with `end`
			   */
	HTTP1_EV_ADMITTED, /* bytes: content that was written since the last time */
	HTTP1_EV_CLOSED, /* the exchange is over and written; a server may go on with the next HEAD
			  */
	HTTP1_EV_DEAD,   /* fault: the last event; what is in the output may still be written */
};
struct http1_event {
	enum http1_event_kind kind;
	struct event ev; /* owned by whoever polled */
	uint32_t bytes;
	enum http1_fault fault;
};

struct http1_conn; /* opaque */

struct http1_conn *http1_conn_create(enum http1_role role, const struct http1_options *o) MUST_USE;
void http1_conn_destroy(struct http1_conn *c); /* NULL is fine */

/* In: takes the slice. What comes before all was polled out is copied behind it, so ask wants_read
 * before reading; once the connection closes it is dropped. */
bool http1_conn_wants_read(const struct http1_conn *c);
void http1_conn_feed(struct http1_conn *c, struct slice in);
void http1_conn_eof(struct http1_conn *c); /* the peer has shut down its direction; then poll */
bool http1_conn_poll(struct http1_conn *c, struct http1_event *out) MUST_USE;
/* At the end of a turn: pipelined bytes move to an exact-size buffer, so that they pin no slab. */
void http1_conn_settle(struct http1_conn *c);

/* Takes ev. Server: INFO* HEAD DATA* TRAILERS? of the response to the request that was polled;
 * client: HEAD DATA* TRAILERS? of a request, when http1_conn_is_idle. `end` on the last. Out of
 * order, with bytes that would not survive on the wire, or content that disagrees with its
 * content-length: INTERNAL. */
void http1_conn_push(struct http1_conn *c, struct event *ev);
void http1_conn_credit(struct http1_conn *c, uint32_t bytes);

bool http1_conn_wants_write(const struct http1_conn *c);
int http1_conn_output(struct http1_conn *c, struct iovec *iov, int max);
void http1_conn_written(struct http1_conn *c, size_t bytes);
size_t http1_conn_unwritten(const struct http1_conn *c);

bool http1_conn_is_idle(
	const struct http1_conn *c); /* between exchanges, alive, not one byte begun */
bool http1_conn_wants_close(const struct http1_conn *c);
void http1_conn_drain(struct http1_conn *c); /* no exchange after this one */
/* Ends it, as if the peer had committed this fault: TIMEOUT, OVERLOAD, INTERNAL. */
void http1_conn_fail(struct http1_conn *c, enum http1_fault fault);

/* Do these first bytes of a connection begin an HTTP/1 request line? Decided after a method, a
 * space and the first byte of a target: 24 bytes are enough for it. HTTP/2's preface is NO from
 * "PRI " on. */
enum http1_guess { HTTP1_NO, HTTP1_MAYBE, HTTP1_YES };
enum http1_guess http1_looks_like(const void *bytes, size_t len);

/* A whole text/plain response that closes: status line, headers, `text` and a newline. */
void http1_refusal(struct buf *out, unsigned status, const char *text);
const char *http1_reason(unsigned status); /* "Not Found"; unknown: "" */
#endif
