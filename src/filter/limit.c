#include "filter/limit.h"
#include <inttypes.h>
#include <stdio.h>

void limit_refuse_message(struct call *c, enum lane_id lane, uint64_t message_bytes)
{
	char text[128];
	snprintf(text, sizeof text,
		"a %s message of %" PRIu64 " bytes is larger than limits.message_bytes (%" PRIu64
		")",
		lane == LANE_REQUEST ? "request" : "response", message_bytes,
		c->generation->config->limits.message_bytes);
	call_fail(c, REASON_MESSAGE_BYTES, text);
}
