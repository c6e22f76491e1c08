/* pieces.h - the content of an admin answer on its way: pushed piece by piece, so much at once as
 * the client takes.
 *
 * Owner: embedded in what the call's terminus_state points to; zeroed is empty. Threads: control
 * only. Errors: none. Limits: PIECES_WINDOW_BYTES pushed and not yet credited. */
#ifndef WEIR_ADMIN_PIECES_H
#define WEIR_ADMIN_PIECES_H
#include "call/call.h"

#define PIECES_WINDOW_BYTES 262144u

struct pieces {
	struct slice rest;   /* not pushed yet */
	uint32_t uncredited; /* bytes */
};

/* Pushes what the window has room for; with `end`, the last piece ends the answer. An abort in the
 * middle of that frees c->terminus_state, and `p` with it: false. */
bool pieces_push(struct pieces *p, struct call *c, bool end) MUST_USE;
void pieces_credit(struct pieces *p, uint32_t bytes);
#endif
