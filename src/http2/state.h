/* state.h - the stream state machine: names, allowed moves, and what an END_STREAM does. */
#ifndef WEIR_HTTP2_STATE_H
#define WEIR_HTTP2_STATE_H
#include <stdbool.h>

enum h2_state {
#define H2_STATE(id, text) H2_STATE_##id,
#include "http2/state.def"
#undef H2_STATE
	H2_STATE_COUNT,
};

bool h2_state_may(enum h2_state from, enum h2_state to);
/* The state after our (or the peer's) END_STREAM; `from` itself when that is not a move. */
enum h2_state h2_state_after_end(enum h2_state from, bool by_peer);
bool h2_state_remote_ended(enum h2_state s);
bool h2_state_local_ended(enum h2_state s);
const char *h2_state_name(enum h2_state s);
#endif
