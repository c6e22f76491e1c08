/* bare_main.c - weir with less filters, to be compared with the real one:
 *
 *   ratchet_bare bare CONFIG     an empty chain: what relaying costs
 *   ratchet_bare timed CONFIG    a chain that only takes times (call/timing.h): the rest of what
 *                                weir's chain costs more is counting
 *   ratchet_bare counted CONFIG  a chain that counts: weir's has filters besides that no route of
 *                                the configuration wants
 *
 * The load sends each message as one DATA event. */
#include <string.h>
#include "base/log.h"
#include "call/timing.h"
#include "filter/count.h"
#include "proxy/control.h"

static bool time_event(struct call *c, enum lane_id lane, const struct event *ev)
{
	if (ev->kind == EVENT_DATA && ev->data.len)
		timing_passed(c, lane, 1, ev->data.len);
	return true;
}

static bool on_request(struct call *c, void *state, struct event *ev)
{
	return time_event(c, LANE_REQUEST, ev);
}

static bool on_response(struct call *c, void *state, struct event *ev)
{
	return time_event(c, LANE_RESPONSE, ev);
}

static const struct call_filter filter_time = {
	.name = "time",
	.request = on_request,
	.response = on_response,
};
static const struct call_filter *const bare[] = {NULL};
static const struct call_filter *const timed[] = {&filter_time, NULL};
static const struct call_filter *const counted[] = {&filter_count, NULL};

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	struct control_setup setup = {
		.config_file = argv[2],
		.filters = !strcmp(argv[1], "timed")     ? timed
			   : !strcmp(argv[1], "counted") ? counted
							 : bare,
	};
	log_set_level(LOG_WARN);
	struct control *control = control_create(&setup);
	if (!control)
		return 1;
	int code = control_run(control);
	control_destroy(control);
	return code;
}
