#include "filter/count.h"
#include <string.h>
#include "call/known.h"
#include "call/labels.h"
#include "call/timing.h"
#include "filter/limit.h"
#include "grpc/frame.h"
#include "grpc/status.h"
#include "http/run.h"

#define OTHER "_OTHER"

struct count {
	struct series *series; /* takes the counts: the pending block, or the decided series */
	uint32_t limit;        /* limits.message_bytes, here for the way of each message */
	uint8_t wire;          /* enum grpc_wire of the request */
	bool begun : 1, as_other : 1;
	bool ended[2];
	struct grpc_walker walk[2];
	struct series *other;         /* pending: where the call is active meanwhile; else NULL */
	struct method_labels *method; /* NULL: its series are looked up */
};

/* What differs between the lanes. */
static const struct {
	enum metric messages, bytes, size;
} lane_metrics[] = {
	[LANE_REQUEST] = {M_SENT_MESSAGES, M_SENT_BYTES, M_SENT_MESSAGE_SIZE},
	[LANE_RESPONSE] = {M_RECEIVED_MESSAGES, M_RECEIVED_BYTES, M_RECEIVED_MESSAGE_SIZE},
};

/* Label values in metrics.def's order, GROUP(STREAM) and STREAM_STATUS, whose last is `status`. */
struct labels {
	const char *v[6];
};

static struct labels labels_of(
	const struct call *c, const struct count *s, bool as_other, const char *status)
{
	bool rpc = s->wire != GRPC_WIRE_NONE;
	return (struct labels){{
		c->listener ? c->listener->name : "",
		c->route ? c->route->name : "",
		as_other ? OTHER
		: rpc    ? c->said->grpc_service
			 : "",
		as_other ? OTHER
		: rpc    ? c->said->grpc_method
			 : "",
		c->cluster ? c->cluster->name : "",
		status,
	}};
}

static struct series *stream_series(struct call *c, const struct count *s, bool as_other)
{
	struct labels l = labels_of(c, s, as_other, NULL);
	return metrics_series(c->env->metrics, GROUP_STREAM, l.v);
}

/* May this call's method have series of its own before it has succeeded? */
static bool is_trusted(struct call *c, const struct count *s)
{
	if (s->wire == GRPC_WIRE_NONE || !*c->said->grpc_service)
		return true; /* the labels are "" */
	if (c->route && c->route->match.service && c->route->match.method)
		return true;
	struct labels l = labels_of(c, s, false, NULL);
	return metrics_series_known(c->env->metrics, GROUP_STREAM, l.v);
}

static struct series *pending_block(struct call *c)
{
	size_t bytes = series_bytes(GROUP_STREAM);
	struct series *block = arena_alloc(&c->arena, bytes);
	if (block) {
		memset(block, 0, bytes);
		block->group = GROUP_STREAM;
	}
	return block;
}

/* Remembered from an earlier call of this method; NULL: this is the first, or it is not remembered.
 */
static struct method_labels *remembered(struct call *c, const struct count *s)
{
	return c->labels && s->wire != GRPC_WIRE_NONE ? labels_method(c->labels, c) : NULL;
}

/* A method that has series of its own is remembered with them. */
static struct series *own_series(struct call *c, struct count *s)
{
	struct series *own = stream_series(c, s, false);
	if (c->labels && s->wire != GRPC_WIRE_NONE && !s->method)
		s->method = labels_remember(c->labels, c);
	if (s->method)
		s->method->stream = own;
	return own;
}

/* The series that may be seen: the method's own, or _OTHER. */
static struct series *public_series(struct call *c, struct count *s, bool *own)
{
	s->method = remembered(c, s);
	*own = s->method || is_trusted(c, s);
	if (s->method && s->method->stream)
		return s->method->stream;
	return *own ? own_series(c, s) : stream_series(c, s, true);
}

/* At the request's head, or at the first thing that happens to a call which has none. */
static void begin(struct call *c, struct count *s, enum grpc_wire wire)
{
	uint64_t limit = c->generation->config->limits.message_bytes;
	bool own;
	s->begun = true;
	s->limit = limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX;
	s->wire = (uint8_t)wire;
	grpc_walker_init(&s->walk[LANE_REQUEST], wire);
	struct series *public = public_series(c, s, &own);
	struct series *block = own ? NULL : pending_block(c);
	s->as_other = !own && !block;
	s->other = block ? public : NULL;
	s->series = block ? block : public;
	series_add(s->series, M_STREAMS_STARTED, 1);
	series_add(public, M_STREAMS_ACTIVE, 1);
	if (c->labels)
		labels_begin(c->labels, c, wire != GRPC_WIRE_NONE);
}

static void decide(struct call *c, struct count *s, bool as_other)
{
	struct series *public = as_other ? s->other : own_series(c, s);
	series_merge(public, s->series);
	if (public != s->other) {
		series_sub(s->other, M_STREAMS_ACTIVE, 1);
		series_add(public, M_STREAMS_ACTIVE, 1);
	}
	s->series = public;
	s->other = NULL;
	s->as_other = as_other;
}

/* DATA of exactly one message: what a stream that is not flooded consists of, so it has a way of
 * its own that calls nothing. False: not so, and nothing is counted. */
static inline bool count_single(
	struct call *c, struct count *s, enum lane_id lane, const struct event *ev)
{
	uint32_t size;
	if (ev->kind != EVENT_DATA ||
		!grpc_walk_is_single(&s->walk[lane], ev->data.at, ev->data.len, &size) ||
		size > s->limit)
		return false;
	struct series *to = s->series;
	series_add(to, lane_metrics[lane].bytes, ev->data.len);
	series_add(to, lane_metrics[lane].messages, 1);
	series_observe_bytes(to, lane_metrics[lane].size, size);
	timing_passed(c, lane, 1, ev->data.len);
	if (ev->end) /* between messages: nothing else is to be counted */
		s->ended[lane] = true;
	return true;
}

/* Counts the messages that end in this piece and asks the limit about each, and about the one under
 * way. False: one is too large, the call has been failed. */
static bool count_messages(
	struct call *c, struct count *s, enum lane_id lane, const struct slice *data)
{
	struct grpc_walker *w = &s->walk[lane];
	const uint8_t *at = data->at, *end = at + data->len;
	uint64_t limit = c->generation->config->limits.message_bytes, messages = 0;
	uint64_t alike = 0, sum = 0; /* messages since the size's bucket changed, and their bytes */
	uint32_t size = 0;
	unsigned bucket = 0;
	while (at < end && size <= limit && grpc_walk(w, &at, end, &size)) {
		uint64_t n = 1;
		if (size <= limit)
			n += grpc_walk_alike(w, &at, end, size);
		messages += n;
		unsigned b = metrics_bytes_bucket(size);
		if (b != bucket) {
			series_observe_bytes_of(
				s->series, lane_metrics[lane].size, bucket, alike, sum);
			alike = sum = 0;
			bucket = b;
		}
		alike += n;
		sum += n * size;
	}
	series_observe_bytes_of(s->series, lane_metrics[lane].size, bucket, alike, sum);
	series_add(s->series, lane_metrics[lane].messages, messages);
	timing_passed(c, lane, messages, 0);
	if (size <= limit)
		size = grpc_walker_pending(w);
	return limit_message(c, lane, size);
}

static bool count_data(struct call *c, struct count *s, enum lane_id lane, struct event *ev)
{
	if (ev->data.len == 0)
		return true; /* an END of its own; it may point to nothing */
	series_add(s->series, lane_metrics[lane].bytes, ev->data.len);
	timing_passed(c, lane, 0, ev->data.len);
	if (s->walk[lane].wire == GRPC_WIRE_NONE || count_messages(c, s, lane, &ev->data))
		return true;
	event_drop(ev);
	return false;
}

static void count_end(struct count *s, enum lane_id lane)
{
	uint32_t size;
	s->ended[lane] = true;
	switch (grpc_walker_finish(&s->walk[lane], &size)) {
	case GRPC_WALK_CLEAN:
		break;
	case GRPC_WALK_COMPLETE:
		series_add(s->series, lane_metrics[lane].messages, 1);
		series_observe_bytes(s->series, lane_metrics[lane].size, size);
		break;
	case GRPC_WALK_TRUNCATED:
		series_add(s->series, M_TRUNCATED_MESSAGES, 1);
		break;
	}
}

/* The call is over and the lane never ended. */
static void count_cut(struct count *s, enum lane_id lane)
{
	struct grpc_walker *w = &s->walk[lane];
	uint32_t size;
	bool inside = w->wire == GRPC_WIRE_CONNECT_UNARY
			      ? grpc_walker_pending(w) > 0
			      : grpc_walker_finish(w, &size) == GRPC_WALK_TRUNCATED;
	if (inside)
		series_add(s->series, M_TRUNCATED_MESSAGES, 1);
}

/* Status and content-type decide: with both in its run, the run has the answer for all of gRPC. */
static enum grpc_wire wire_of_answer(const struct count *s, const struct fields *head)
{
	struct fields_run *run = fields_run(head);
	if (!run || s->wire != GRPC_WIRE_GRPC)
		return grpc_wire_of_response((enum grpc_wire)s->wire, head);
	if (run->wire)
		return (enum grpc_wire)(run->wire - 1);
	enum grpc_wire wire = grpc_wire_of_response(GRPC_WIRE_GRPC, head);
	if (run_get(run, TOKEN_STATUS) && run_get(run, TOKEN_CONTENT_TYPE))
		run->wire = (uint8_t)(1 + wire);
	return wire;
}

static __attribute__((noinline)) bool on_other_request(
	struct call *c, struct count *s, struct event *ev)
{
	if (ev->kind == EVENT_HEAD && !s->begun)
		begin(c, s, known_wire(c, ev->fields));
	if (ev->kind == EVENT_DATA && !count_data(c, s, LANE_REQUEST, ev))
		return false;
	if (ev->end)
		count_end(s, LANE_REQUEST);
	return true;
}

static bool on_request(struct call *c, void *state, struct event *ev)
{
	return count_single(c, state, LANE_REQUEST, ev) || on_other_request(c, state, ev);
}

/* A call without a request head, such as one whose head was too large: the call itself tells least.
 */
static void begin_late(struct call *c, struct count *s)
{
	begin(c, s, c->is_grpc ? GRPC_WIRE_GRPC : GRPC_WIRE_NONE);
}

static bool is_evidence(const struct count *s, const struct event *ev)
{
	if (field_is(fields_get(ev->fields, TOKEN_GRPC_STATUS), "0"))
		return true;
	return ev->kind == EVENT_HEAD && s->walk[LANE_RESPONSE].wire != GRPC_WIRE_NONE &&
	       (!ev->end || s->wire == GRPC_WIRE_CONNECT_UNARY) &&
	       field_is(fields_get(ev->fields, TOKEN_STATUS), "200");
}

static __attribute__((noinline)) bool on_other_response(
	struct call *c, struct count *s, struct event *ev)
{
	if (!s->begun)
		begin_late(c, s);
	if (ev->kind == EVENT_HEAD)
		grpc_walker_init(&s->walk[LANE_RESPONSE], wire_of_answer(s, ev->fields));
	if (s->other && (ev->kind == EVENT_HEAD || ev->kind == EVENT_TRAILERS) &&
		is_evidence(s, ev))
		decide(c, s, false);
	if (ev->kind == EVENT_DATA && !count_data(c, s, LANE_RESPONSE, ev))
		return false;
	/* Weir's own answer may have ended the lane while an event was being refused. */
	if (ev->end && !s->ended[LANE_RESPONSE])
		count_end(s, LANE_RESPONSE);
	return true;
}

static bool on_response(struct call *c, void *state, struct event *ev)
{
	return count_single(c, state, LANE_RESPONSE, ev) || on_other_response(c, state, ev);
}

static enum grpc_status status_of_abort(const struct call_abort *abort)
{
	static const uint8_t status[REASON_COUNT] = {
#define REASON(id, label, grpc, http) [REASON_##id] = grpc,
#include "call/reason.def"
#undef REASON
	};
	if (abort->reason == REASON_UPSTREAM_RESET)
		return grpc_status_of_h2_code(
			abort->h2_code); /* what its client makes of the code */
	return (enum grpc_status)status[abort->reason];
}

static enum grpc_status final_status(const struct call *c, const struct count *s)
{
	if (c->grpc_status >= 0)
		return (enum grpc_status)c->grpc_status;
	bool answered = c->response_ended && c->http_status != 0;
	if (c->abort.who == CALL_BY_SELF || (c->abort.who != CALL_BY_NOBODY && !answered))
		return status_of_abort(&c->abort);
	/* Where HTTP's status is all there is, its success is success. */
	bool plain = s->wire == GRPC_WIRE_NONE || s->wire == GRPC_WIRE_CONNECT_UNARY;
	if (plain && c->http_status >= 200 && c->http_status < 400)
		return GRPC_OK;
	return grpc_status_of_http(c->http_status);
}

static struct series *status_series(struct call *c, struct count *s, enum grpc_status status)
{
	struct series **kept = s->method ? &s->method->status[status] : NULL;
	if (kept && *kept)
		return *kept;
	struct labels l = labels_of(c, s, s->as_other, grpc_status_name((unsigned)status));
	struct series *found = metrics_series(c->env->metrics, GROUP_STREAM_STATUS, l.v);
	if (kept)
		*kept = found;
	return found;
}

static void on_close(struct call *c, void *state)
{
	struct count *s = state;
	if (!s->begun)
		begin_late(c, s);
	for (unsigned lane = 0; lane < 2; lane++)
		if (!s->ended[lane])
			count_cut(s, lane);
	if (s->other)
		decide(c, s, true);
	series_sub(s->series, M_STREAMS_ACTIVE, 1);
	series_add(status_series(c, s, final_status(c, s)), M_STREAMS_COMPLETED, 1);
	labels_ended(c->labels, c, s->wire != GRPC_WIRE_NONE);
}

const struct call_filter filter_count = {
	.name = "count",
	.state_bytes = sizeof(struct count),
	.request = on_request,
	.response = on_response,
	.close = on_close,
};
