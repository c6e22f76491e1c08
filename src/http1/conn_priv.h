/* conn_priv.h - the inside of a connection, for this folder's .c files.
 *
 *   head.c   lines to fields: request line, status line, header lines, what a head says about
 * framing conn.c   reading: states, lines, content; the life of an exchange write.c  writing:
 * heads, content, the queue text.c   tables and characters */
#ifndef WEIR_HTTP1_CONN_PRIV_H
#define WEIR_HTTP1_CONN_PRIV_H
#include "base/assert.h"
#include "http1/http1.h"

enum http1_in {
#define HTTP1_IN(id) HTTP1_IN_##id,
#include "http1/state.def"
#undef HTTP1_IN
};
#define HTTP1_IN_COUNT (HTTP1_IN_CLOSED + 1)

enum http1_out {
	HTTP1_OUT_IDLE,   /* no exchange (server: no request yet) */
	HTTP1_OUT_HEAD,   /* a server's response has not begun */
	HTTP1_OUT_LENGTH, /* out_left bytes of content are announced */
	HTTP1_OUT_CHUNKED,
	HTTP1_OUT_UNTIL_CLOSE, /* content ends with the connection (HTTP/1.0 clients) */
	HTTP1_OUT_NOTHING,     /* content is dropped: HEAD, 204, 304 */
	HTTP1_OUT_DONE,
};

enum http1_version { HTTP1_1_0, HTTP1_1_1 };

struct http1_piece {
	struct slice bytes;
	bool content; /* counts as admitted when written */
};

#define HTTP1_NO_FAULT HTTP1_FAULT_COUNT

struct http1_conn {
	enum http1_role role;
	struct http1_options o;

	/* Reading. */
	enum http1_in in;
	struct slice input; /* not parsed yet; may keep its slab while a line in it is looked at */
	struct buf line;    /* the beginning of a line whose end has not come */
	bool line_given;    /* `line` was handed out whole and is to be emptied */
	bool eof;
	unsigned blank_lines;  /* before a request line */
	unsigned infos;        /* interim responses of this exchange */
	struct fields *fields; /* the section in the making */
	unsigned status;       /* client: of the response in the making */
	uint64_t in_left;      /* of the content, or of the chunk */
	uint64_t uncredited;

	/* The exchange. */
	enum http1_version version; /* of the peer's head */
	bool head_request;          /* HEAD: the response has no content */
	bool connect_request;
	bool expects_continue;
	bool close_after; /* no exchange after this one */

	/* Writing. */
	enum http1_out out;
	uint64_t out_left;
	struct http1_piece *pieces; /* [piece_first, piece_count) are to be written */
	uint32_t piece_first, piece_count, piece_cap;
	size_t unwritten;
	uint32_t admitted;

	enum http1_fault fault; /* HTTP1_NO_FAULT while alive */
	bool fault_told;
};

/* head.c: each answers HTTP1_NO_FAULT when all is well. */
enum http1_fault http1_parse_request_line(struct http1_conn *c, const uint8_t *line, uint32_t len);
enum http1_fault http1_parse_status_line(struct http1_conn *c, const uint8_t *line, uint32_t len);
enum http1_fault http1_parse_field(struct http1_conn *c, const uint8_t *line, uint32_t len);
enum http1_framing_kind { HTTP1_NO_CONTENT, HTTP1_WITH_LENGTH, HTTP1_IN_CHUNKS, HTTP1_TO_THE_END };
struct http1_framing {
	enum http1_framing_kind kind;
	uint64_t length;
};
/* The header section is complete: checks it, gives it its HTTP/2 shape, says how content is framed.
 */
enum http1_fault http1_finish_head(struct http1_conn *c, struct http1_framing *out);
void http1_finish_trailers(struct fields *f); /* forbidden fields are dropped */
bool http1_parse_length(const struct field *f, uint64_t *out);

/* write.c */
bool http1_queue(struct http1_conn *c, struct slice bytes, bool content); /* takes bytes */
bool http1_queue_copy(struct http1_conn *c, const void *bytes, size_t len);
void http1_queue_clear(struct http1_conn *c);

/* text.c */
bool http1_is_token(const uint8_t *s, size_t len);       /* RFC 9110 5.6.2; not empty */
bool http1_is_field_value(const uint8_t *s, size_t len); /* RFC 9110 5.5 */
bool http1_is_target(const uint8_t *s, size_t len);      /* visible ASCII but '#'; not empty */
bool http1_is_authority(const uint8_t *s, size_t len);   /* host [":" port]; may be empty */
bool http1_text_is(const void *s, size_t len, const char *word); /* ASCII case ignored */
#endif
