#include "call/ending.h"
#include "base/assert.h"
#include "http/code.h"

static bool is_will(uint32_t h2_code)
{
	return h2_code == H2_NO_ERROR || h2_code == H2_CANCEL;
}

enum call_ending call_ending(const struct call *c)
{
	const struct call_abort *a = &c->abort;
	if (a->who == CALL_BY_SELF)
		return (enum call_ending)a->reason;
	/* A reset behind the whole answer only says that the rest of the request is not wanted. */
	bool missing = c->status_missing || (c->is_grpc && c->grpc_status < 0);
	if (c->response_ended && c->http_status != 0)
		return missing ? ENDING_NO_STATUS : ENDING_COMPLETE;
	if (a->reason == REASON_CLIENT_RESET && is_will(a->h2_code))
		return ENDING_CLIENT_CANCEL;
	if (a->reason == REASON_UPSTREAM_RESET && is_will(a->h2_code))
		return ENDING_UPSTREAM_CANCEL;
	return a->who == CALL_BY_NOBODY ? ENDING_REFUSED : (enum call_ending)a->reason;
}

enum call_outcome call_ending_outcome(enum call_ending e)
{
	switch (e) {
	case ENDING_COMPLETE:
	case ENDING_CLIENT_CANCEL:
	case ENDING_UPSTREAM_CANCEL:
		return OUTCOME_WILL;
	case ENDING_NONE:
	case ENDING_CLIENT_RESET:
	case ENDING_UPSTREAM_RESET:
	case ENDING_NO_ENDPOINT:
	case ENDING_CONNECT_REFUSED:
	case ENDING_CONNECT_TIMEOUT:
	case ENDING_UPSTREAM_LOST:
	case ENDING_UPSTREAM_PROTOCOL:
	case ENDING_UNPROCESSED:
	case ENDING_MEMORY_BUDGET:
	case ENDING_SHUTDOWN:
	case ENDING_CLIENT_HEADER_BYTES:
	case ENDING_MESSAGE_BYTES:
	case ENDING_NO_MEMORY:
	case ENDING_INTERNAL:
	case ENDING_NO_STATUS:
		return OUTCOME_FAILURE;
	case ENDING_CLIENT_GONE:
	case ENDING_NO_ROUTE:
	case ENDING_HEADER_BYTES:
	case ENDING_UPSTREAM_HEADER_BYTES:
	case ENDING_BAD_REQUEST:
	case ENDING_CONNECT_METHOD:
	case ENDING_ADMIN_NOT_FOUND:
	case ENDING_REFUSED:
	case ENDING_COUNT:
		break;
	}
	return OUTCOME_EXCLUDED;
}

const char *call_ending_label(enum call_ending e)
{
	static const char *const labels[ENDING_COUNT] = {
#define REASON(id, label, grpc, http) [ENDING_##id] = label,
#include "call/reason.def"
#undef REASON
		[ENDING_COMPLETE] = "complete",
		[ENDING_NO_STATUS] = "no_status",
		[ENDING_CLIENT_CANCEL] = "client_cancel",
		[ENDING_UPSTREAM_CANCEL] = "upstream_cancel",
		[ENDING_REFUSED] = "refused",
	};
	ASSERT(e < ENDING_COUNT);
	return labels[e];
}

const char *call_ending_by(enum call_ending e)
{
	if (e == ENDING_CLIENT_CANCEL || e == ENDING_CLIENT_RESET || e == ENDING_CLIENT_GONE)
		return "client";
	if (e == ENDING_COMPLETE || e == ENDING_NO_STATUS || e == ENDING_UPSTREAM_CANCEL ||
		e == ENDING_UPSTREAM_RESET)
		return "upstream";
	return "weir";
}

const char *call_outcome_label(enum call_outcome o)
{
	static const char *const labels[OUTCOME_COUNT] = {
		[OUTCOME_WILL] = "will",
		[OUTCOME_FAILURE] = "failure",
		[OUTCOME_EXCLUDED] = "excluded",
	};
	ASSERT(o < OUTCOME_COUNT);
	return labels[o];
}
