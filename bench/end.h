/* end.h - one end of the load: connections of minimal HTTP/2 frames over epoll.
 *
 * What it does: reads frames, keeps both flow ledgers, checks every message (message.h), and sends
 * what streams still owe, each message in DATA frames of its own, in turn. What it does not: decide
 * what is asked or answered (client.c, server.c, by `struct end_role`), nor use Weir's own engine,
 * which is being measured; only its HPACK decoder, since it has to understand every proxy.
 *
 *   read -> frames -> message_check -> role          role -> stream_owe -> pump -> one write a turn
 *
 * Owner: main, one `struct end` a process. One thread. Errors: what breaks the protocol or a check
 * ends the program, with a line on stderr and status 1. */
#ifndef WEIR_BENCH_END_H
#define WEIR_BENCH_END_H
#include <stdbool.h>
#include <stdint.h>
#include "base/list.h"
#include "base/map.h"
#include "http/fields.h"
#include "http2/hpack.h"
#include "message.h"

#define END_STREAM_WINDOW (1u << 20)
#define END_CONN_WINDOW   (16u << 20)
#define OWE_WITHOUT_END   UINT64_MAX

/* Header fields that are sent, and their place in the dynamic table: encode.c. */
enum name {
	NAME_PATH_ECHO,
	NAME_PATH_FLOOD,
	NAME_AUTHORITY,
	NAME_TE,
	NAME_CONTENT_TYPE,
	NAME_USER_AGENT,
	NAME_ACCEPT_ENCODING,
	NAME_TIMEOUT,
	NAME_REQUEST_ID,
	NAME_STATUS,
	NAME_MESSAGE,
	NAME_SAID,
	NAME_HEARD,
	NAME_COUNT,
};

struct bytes { /* a queue of bytes */
	uint8_t *at;
	uint32_t begin, end, cap;
};

struct end;
struct conn {
	struct end *end;
	int fd;
	struct list node;    /* in end->conns */
	struct list dirty;   /* in end->dirty: something may be written */
	struct list sending; /* streams that owe, and may send as far as they know */
	struct idmap streams;
	struct hpack_decoder *decoder;
	uint32_t inserted, inserted_at[NAME_COUNT];
	struct bytes in, out;
	int64_t window;      /* what we may send */
	uint32_t uncredited; /* what we received and did not give back */
	uint32_t peer_window, peer_streams, next_id;
	bool peer_settings, blocked, dead, eof;
	bool no_table, say_no_table; /* the peer has no room for a dynamic table: nginx */
	struct conn *next_dead;
};

struct stream {
	struct conn *conn;
	struct list sending;
	uint32_t id;
	uint32_t size;      /* payload bytes of what is sent */
	uint64_t base;      /* number of the first message sent */
	uint64_t said, owe; /* messages: sent whole, and to be sent in all */
	uint32_t at;        /* bytes of the current message that were sent */
	uint32_t uncredited;
	int64_t window;
	struct message_reader in;
	bool flood; /* of the path */
	bool last;  /* our direction ends when nothing is owed */
	bool ended; /* ours did */
	bool heard_end;
	bool heard_head;
	bool stalled; /* the other end gets no credit */
	uint64_t due_ns;
};

struct end_role {
	bool client;
	struct stream *(*stream)(struct conn *c, uint32_t id);  /* a server's new stream */
	void (*head)(struct stream *s, const struct fields *f); /* END may follow */
	void (*messages)(struct stream *s, uint64_t n);         /* n more were heard */
	void (*heard_end)(struct stream *s, const struct fields *trailers); /* NULL: END on DATA */
	void (*finish)(struct stream *s); /* all is said that `last` waited for */
	void (*reset)(struct stream *s, uint32_t code);
	void (*closed)(struct conn *c);   /* by the other end; c is freed behind it */
	void (*settings)(struct conn *c); /* the first */
};

struct end {
	const struct end_role *role;
	int epoll_fd;
	struct list conns, dirty;
	struct conn *dead; /* to be freed at the end of the turn */
	uint64_t now_ns;
	const char *name;
};

void end_init(struct end *e, const char *name, const struct end_role *role);
struct conn *conn_create(struct end *e, int fd);
void conn_close(struct conn *c); /* at once; freed at the end of the turn */
/* Polls, at most until `until_ns` (0: as long as it takes), handles what came, writes. */
void end_turn(struct end *e, uint64_t until_ns, void (*accept_ready)(void));
void end_flush(struct end *e);
uint64_t clock_now(void);

/* ---- streams ---- */
void stream_init(struct stream *s, struct conn *c, uint32_t id);
void stream_close(struct stream *s);             /* forgets it: it is in no table and no list */
void stream_owe(struct stream *s, uint64_t owe); /* messages in all */
void stream_finish(struct stream *s);            /* `last`: END behind what is owed */
void stream_end_now(struct stream *s);           /* an empty DATA frame with END */
void stream_reset(struct stream *s, uint32_t code);

/* ---- frames (encode.c) ---- */
void conn_touch(struct conn *c); /* has something to write */
uint8_t *bytes_room(struct bytes *b, uint32_t len);
void frame_put(struct conn *c, uint32_t len, uint8_t type, uint8_t flags, uint32_t id);
void frame_window(struct conn *c, uint32_t id, uint32_t bytes);
void frame_hello(struct conn *c);
/* `number`: of the call, for the request id and the timeout, which never repeat. */
void head_request(struct stream *s, uint64_t number);
void head_response(struct stream *s);
void head_trailers(struct stream *s, bool counts);
void pump(struct conn *c);
uint64_t field_number(const struct fields *f, const char *name);
#endif
