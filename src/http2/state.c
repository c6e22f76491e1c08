#include "http2/state.h"
#include <stdint.h>
#include "base/assert.h"

static const uint8_t moves[H2_STATE_COUNT][H2_STATE_COUNT] = {
#define H2_MOVE(from, to) [H2_STATE_##from][H2_STATE_##to] = 1,
#include "http2/state.def"
#undef H2_MOVE
};

static const char *const names[H2_STATE_COUNT] = {
#define H2_STATE(id, text) text,
#include "http2/state.def"
#undef H2_STATE
};

bool h2_state_may(enum h2_state from, enum h2_state to)
{
	return from < H2_STATE_COUNT && to < H2_STATE_COUNT && moves[from][to];
}

enum h2_state h2_state_after_end(enum h2_state from, bool by_peer)
{
	switch (from) {
	case H2_STATE_OPEN:
		return by_peer ? H2_STATE_HALF_REMOTE : H2_STATE_HALF_LOCAL;
	case H2_STATE_HALF_LOCAL:
		return by_peer ? H2_STATE_CLOSED : from;
	case H2_STATE_HALF_REMOTE:
		return by_peer ? from : H2_STATE_CLOSED;
	case H2_STATE_IDLE:
	case H2_STATE_CLOSED:
	case H2_STATE_COUNT:
		return from;
	}
	UNREACHABLE();
}

bool h2_state_remote_ended(enum h2_state s)
{
	return s == H2_STATE_HALF_REMOTE || s == H2_STATE_CLOSED;
}

bool h2_state_local_ended(enum h2_state s)
{
	return s == H2_STATE_HALF_LOCAL || s == H2_STATE_CLOSED;
}

const char *h2_state_name(enum h2_state s)
{
	return s < H2_STATE_COUNT ? names[s] : "unknown";
}
