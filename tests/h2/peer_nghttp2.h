/* peer_nghttp2.h - a libnghttp2 session as the other end of a conversation.
 *
 * What it does: keeps one nghttp2_session in memory, client or server; sends what the
 * conversation's plan says, in frames of random sizes and padding; notes what arrived. What it does
 * not: decide when. The test moves bytes and asks for actions; it also owns `rand`.
 *
 *    struct talk (one stream)     up: ours -> theirs          down: theirs -> ours
 *
 * Payload octet n of stream s is (31 s + n) mod 251 in both directions, so that a lost, doubled or
 * misplaced octet shows. Errors: the first one is kept in `wrong`. One thread. */
#ifndef WEIR_TESTS_H2_PEER_NGHTTP2_H
#define WEIR_TESTS_H2_PEER_NGHTTP2_H
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/rand.h"

#define MAX_TALKS 64

struct h2_stream;

struct lane {
	uint32_t want_bytes;      /* the plan */
	bool trailers, info;      /* the plan */
	bool head_sent, end_sent; /* by its sender */
	bool head_got, end_got;   /* by its receiver */
	bool info_got, trailers_got;
	uint32_t sent_bytes, got_bytes;
	uint32_t owed_bytes; /* received and not yet credited */
};

struct talk {
	uint32_t id;
	struct h2_stream *ours; /* NULL: not open, or given back */
	struct lane up, down;
	bool we_reset, they_reset, unprocessed;
	bool ours_over, theirs_over;
	uint32_t code; /* of the reset that was asked for */
};

struct wirebuf {
	uint8_t *p;
	size_t len, at, cap;
};

struct conversation {
	bool we_are_client;
	uint64_t seed;
	struct rand rand;
	nghttp2_session *them;
	struct wirebuf to_them, to_us;
	struct talk talks[MAX_TALKS];
	unsigned count;
	unsigned pings_answered, settings_acked;
	bool goaway_got;
	char wrong[300];
};

void wirebuf_add(struct wirebuf *b, const void *bytes, size_t len);

/* The plan of the talk that begins now: sizes, trailers and fields follow from seed and number. */
struct talk *talk_new(struct conversation *c, uint32_t id);
struct talk *talk_of(struct conversation *c, uint32_t id);
uint8_t talk_octet(uint32_t id, uint32_t n);
/* The fields of one header section, the same at both ends: calls `add` for each. */
enum section { SECTION_HEAD, SECTION_TRAILERS, SECTION_INFO };
typedef void section_fn(void *arg, const char *name, const char *value);
void talk_section(const struct conversation *c, uint32_t id, bool up, enum section s,
	section_fn *add, void *arg);
__attribute__((format(printf, 2, 3))) void wrong(struct conversation *c, const char *fmt, ...);

void peer_create(struct conversation *c);
void peer_destroy(struct conversation *c);
bool peer_feed(struct conversation *c, size_t bytes); /* from to_them */
void peer_write(struct conversation *c, bool all);    /* into to_us: one frame, or all there is */
void peer_start(struct conversation *c);              /* client: a request */
void peer_answer(struct conversation *c, struct talk *t); /* server: the response, once */
void peer_resume(struct conversation *c, struct talk *t); /* more DATA may be read */
void peer_reset(struct conversation *c, struct talk *t, uint32_t code);
void peer_credit(struct conversation *c, struct talk *t);
void peer_settings(struct conversation *c, bool generous);
void peer_ping(struct conversation *c);
void peer_goaway(struct conversation *c);
#endif
