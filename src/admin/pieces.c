#include "admin/pieces.h"

#define PIECE_BYTES 65536u

bool pieces_push(struct pieces *p, struct call *c, bool end)
{
	const void *owner = c->terminus_state;
	while (c->terminus_state == owner && p->rest.len && p->uncredited < PIECES_WINDOW_BYTES) {
		uint32_t n = p->rest.len < PIECE_BYTES ? p->rest.len : PIECE_BYTES;
		struct event ev = {.kind = EVENT_DATA, .data = slice_cut(&p->rest, n)};
		if (!p->rest.len)
			slice_drop(&p->rest);
		ev.end = end && !p->rest.len;
		p->uncredited += n;
		call_push_response(c, &ev);
	}
	return c->terminus_state == owner;
}

void pieces_credit(struct pieces *p, uint32_t bytes)
{
	p->uncredited -= bytes < p->uncredited ? bytes : p->uncredited;
}
