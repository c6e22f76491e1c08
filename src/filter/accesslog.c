#include "filter/accesslog.h"
#include <string.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/rand.h"
#include "call/ending.h"
#include "call/known.h"
#include "call/stall.h"
#include "filter/trace_id.h"
#include "grpc/frame.h"
#include "grpc/status.h"
#include "http/query.h"

enum log_event { EVENT_LINE_OPEN, EVENT_LINE_UPDATE, EVENT_LINE_CLOSE };

static const char *const event_names[] = {"open", "update", "close"};

struct accesslog {
	char trace_id[TRACE_ID_BYTES]; /* "" = none */
	uint8_t wire;                  /* enum grpc_wire of the request */
	const char *user_agent;        /* in the call's arena; "" = none */
	uint64_t head_ns, first_ns;    /* the response's head, its first message; 0 = not yet */
	uint64_t line_ns;              /* the line before this one, at first the begin */
	uint64_t line_messages[2];     /* by enum lane_id: as that line said */
	uint64_t due_ns;               /* the next update; 0 = never */
};

/* ---- parts of a line ---- */

static void text(struct jsonw *j, const char *key, const char *value, size_t most)
{
	if (*value)
		jsonw_cut(j, key, value, most);
}

static void ms(struct jsonw *j, const char *key, uint64_t ns)
{
	jsonw_milli(j, key, ns / 1000);
}

static const char *protocol(enum grpc_wire wire)
{
	switch (wire) {
	case GRPC_WIRE_GRPC:
		return "grpc";
	case GRPC_WIRE_WEB:
	case GRPC_WIRE_WEB_TEXT:
		return "grpc-web";
	case GRPC_WIRE_CONNECT_STREAM:
	case GRPC_WIRE_CONNECT_UNARY:
		return "connect";
	case GRPC_WIRE_NONE:
		break;
	}
	return "http";
}

static void put_what(struct jsonw *j, const struct call *c, const struct accesslog *s)
{
	jsonw_str(j, "listener", c->listener ? c->listener->name : "");
	if (c->route)
		jsonw_str(j, "route", c->route->name);
	if (c->cluster)
		jsonw_str(j, "cluster", c->cluster->name);
	jsonw_str(j, "protocol", protocol((enum grpc_wire)s->wire));
	text(j, "http_method", c->said->method, ACCESS_LOG_METHOD_BYTES);
	text(j, "path", c->said->path, ACCESS_LOG_PATH_BYTES);
	if (s->wire != GRPC_WIRE_NONE) {
		text(j, "service", c->said->grpc_service, ACCESS_LOG_NAME_BYTES);
		text(j, "method", c->said->grpc_method, ACCESS_LOG_NAME_BYTES);
	}
	text(j, "authority", c->said->authority, ACCESS_LOG_TEXT_BYTES);
	text(j, "user_agent", s->user_agent, ACCESS_LOG_TEXT_BYTES);
	text(j, "client", c->peer, ACCESS_LOG_TEXT_BYTES);
	text(j, "endpoint", c->endpoint, ACCESS_LOG_TEXT_BYTES);
	text(j, "trace_id", s->trace_id, TRACE_ID_BYTES);
}

/* Messages a second, in thousandths. */
static uint64_t rate(uint64_t messages, uint64_t ns)
{
	return ns ? (uint64_t)((double)messages * 1e12 / (double)ns) : 0;
}

static void put_progress(struct jsonw *j, const struct call *c, const struct accesslog *s)
{
	static const struct {
		const char *messages, *bytes, *rate, *age;
	} keys[] = {
		[LANE_REQUEST] = {"sent_messages", "sent_bytes", "sent_rate", "sent_age_ms"},
		[LANE_RESPONSE] = {"received_messages", "received_bytes", "received_rate",
			"received_age_ms"},
	};
	uint64_t now_ns = c->env->now_ns;
	ms(j, "duration_ms", now_ns - c->begun_ns);
	if (s->head_ns)
		ms(j, "head_ms", s->head_ns - c->begun_ns);
	if (s->first_ns)
		ms(j, "first_message_ms", s->first_ns - c->begun_ns);
	for (int i = LANE_REQUEST; i <= LANE_RESPONSE; i++) {
		const struct call_lane *l = &c->lanes[i];
		if (s->wire != GRPC_WIRE_NONE) {
			jsonw_u64(j, keys[i].messages, l->messages);
			jsonw_milli(j, keys[i].rate,
				rate(l->messages - s->line_messages[i], now_ns - s->line_ns));
		}
		jsonw_u64(j, keys[i].bytes, l->bytes);
		if (l->message_ns)
			ms(j, keys[i].age, now_ns - l->message_ns);
	}
}

/* Has this direction stood still for as long as a line can say? */
static bool ever_stalled(const struct call *c, enum lane_id lane)
{
	bool ever = call_stalled(c, lane) != STALL_NONE;
	for (int cause = STALL_NONE + 1; cause < STALL_CAUSE_COUNT; cause++)
		ever |= call_stalled_ns(c, lane, (enum stall_cause)cause) >= NS_PER_MS;
	return ever;
}

/* "sent": {"now": "socket", "socket": 1.5}: seconds by cause. */
static void put_stalled_lane(struct jsonw *j, const struct call *c, enum lane_id lane)
{
	enum stall_cause now = call_stalled(c, lane);
	if (!ever_stalled(c, lane))
		return;
	jsonw_object(j, lane_direction(lane));
	if (now != STALL_NONE)
		jsonw_str(j, "now", stall_cause_label(now));
	for (int cause = STALL_NONE + 1; cause < STALL_CAUSE_COUNT; cause++) {
		uint64_t ns = call_stalled_ns(c, lane, (enum stall_cause)cause);
		if (ns >= NS_PER_MS)
			jsonw_milli(j, stall_cause_label((enum stall_cause)cause), ns / NS_PER_MS);
	}
	jsonw_end(j);
}

static void put_stalled(struct jsonw *j, const struct call *c)
{
	if (!c->stalls || (!ever_stalled(c, LANE_REQUEST) && !ever_stalled(c, LANE_RESPONSE)))
		return;
	jsonw_object(j, "stalled");
	put_stalled_lane(j, c, LANE_REQUEST);
	put_stalled_lane(j, c, LANE_RESPONSE);
	jsonw_end(j);
}

static void put_end(struct jsonw *j, const struct call *c)
{
	enum call_ending ending = call_ending(c);
	const struct call_abort *a = &c->abort;
	if (c->grpc_status >= 0)
		jsonw_str(j, "grpc_status", grpc_status_name((unsigned)c->grpc_status));
	jsonw_str(j, "ended_by", call_ending_by(ending));
	jsonw_str(j, "reason", call_ending_label(ending));
	if (a->who == CALL_BY_SELF)
		text(j, "detail", a->text, ACCESS_LOG_TEXT_BYTES);
	if (a->reason == REASON_CLIENT_RESET || a->reason == REASON_UPSTREAM_RESET)
		jsonw_u64(j, "h2_code", a->h2_code);
}

static void count_line(struct call_env *env, enum log_event event)
{
	const char *labels[] = {event_names[event]};
	series_add(metrics_series(env->metrics, GROUP_ACCESS_LOG, labels), M_ACCESS_LOG_RECORDS, 1);
}

static void begin_line(struct jsonw *j, struct call_env *env, enum log_event event)
{
	char time[CLOCK_TEXT_BYTES];
	clock_text(env->wall_ns, time);
	buf_clear(&env->line);
	jsonw_begin(j, &env->line);
	jsonw_object(j, NULL);
	jsonw_str(j, "time", time);
	jsonw_str(j, "event", event_names[event]);
}

static void end_line(struct jsonw *j, struct call_env *env, struct sink *sink, enum log_event event)
{
	struct buf *line = &env->line;
	jsonw_end(j);
	buf_char(line, '\n');
	count_line(env, event);
	DEBUG_ASSERT(line->failed || line->len <= ACCESS_LOG_LINE_BYTES);
	if (line->failed)
		sink_drop(sink);
	else
		(void)sink_put(sink, &env->outputs, line->bytes, line->len);
}

static void write_line(struct call *c, struct accesslog *s, enum log_event event)
{
	struct call_env *env = c->env;
	char id[QUERY_ID_BYTES]; /* as in /streams and in the log */
	struct jsonw j;
	query_id_text(env->index, c->id, id);
	begin_line(&j, env, event);
	jsonw_str(&j, "id", id);
	put_what(&j, c, s);
	if (event != EVENT_LINE_OPEN) {
		put_progress(&j, c, s);
		put_stalled(&j, c);
		if (c->hung != HUNG_NO)
			jsonw_str(&j, "hung", hung_label((enum hung_state)c->hung));
		if (c->http_status)
			jsonw_u64(&j, "http_status", c->http_status);
	}
	if (event == EVENT_LINE_CLOSE)
		put_end(&j, c);
	end_line(&j, env, c->generation->config->access_log.sink, event);
	s->line_ns = env->now_ns;
	for (int i = LANE_REQUEST; i <= LANE_RESPONSE; i++)
		s->line_messages[i] = c->lanes[i].messages;
}

/* ---- what became no call ---- */

static void put_field(
	struct jsonw *j, const char *key, const struct fields *head, enum token name, size_t most)
{
	char value[ACCESS_LOG_PATH_BYTES + 2]; /* one more than is shown: a cut one shows it */
	const struct field *f = fields_get(head, name);
	if (!f)
		return;
	size_t len = f->value_len <= most ? f->value_len : most + 1;
	memcpy(value, f->value, len);
	value[len] = '\0';
	text(j, key, value, most);
}

static void put_head(struct jsonw *j, const struct fields *head)
{
	char trace_id[TRACE_ID_BYTES];
	trace_id_of(head, trace_id);
	jsonw_str(j, "protocol", protocol(grpc_wire_of_request(head)));
	put_field(j, "http_method", head, TOKEN_METHOD, ACCESS_LOG_METHOD_BYTES);
	put_field(j, "path", head, TOKEN_PATH, ACCESS_LOG_PATH_BYTES);
	put_field(j, "authority", head, TOKEN_AUTHORITY, ACCESS_LOG_TEXT_BYTES);
	put_field(j, "user_agent", head, TOKEN_USER_AGENT, ACCESS_LOG_TEXT_BYTES);
	text(j, "trace_id", trace_id, TRACE_ID_BYTES);
}

void accesslog_refused(struct call_env *env, const struct config_access_log *log,
	const struct accesslog_refusal *why)
{
	struct jsonw j;
	if (!log->sink || !(log->events & LOG_CLOSE))
		return;
	begin_line(&j, env, EVENT_LINE_CLOSE);
	jsonw_str(&j, "listener", why->listener);
	if (why->head)
		put_head(&j, why->head);
	text(&j, "client", why->client, ACCESS_LOG_TEXT_BYTES);
	if (why->http_status)
		jsonw_u64(&j, "http_status", why->http_status);
	jsonw_str(&j, "ended_by", "weir");
	jsonw_str(&j, "reason", why->reason);
	if (why->detail)
		text(&j, "detail", why->detail, ACCESS_LOG_TEXT_BYTES);
	if (why->h2_code)
		jsonw_u64(&j, "h2_code", why->h2_code);
	end_line(&j, env, log->sink, EVENT_LINE_CLOSE);
}

/* ---- the filter ---- */

static bool wants(const struct call *c)
{
	return c->generation->config->access_log.sink && (!c->route || c->route->access_log);
}

static const char *keep_user_agent(struct call *c)
{
	const struct field *f = fields_get(c->env->head, TOKEN_USER_AGENT);
	if (!f)
		return "";
	/* One more than is shown, so that a cut one shows it. */
	size_t len =
		f->value_len <= ACCESS_LOG_TEXT_BYTES ? f->value_len : ACCESS_LOG_TEXT_BYTES + 1;
	return arena_dup(&c->arena, f->value, len);
}

static int on_open(struct call *c, void *state)
{
	struct accesslog *s = state;
	const struct config_access_log *log = &c->generation->config->access_log;
	s->wire = (uint8_t)known_wire(c, c->env->head);
	s->user_agent = keep_user_agent(c);
	if (!s->user_agent)
		return ERR_NOMEM;
	trace_id_of(c->env->head, s->trace_id);
	s->line_ns = c->begun_ns;
	if (log->every_ns && log->events & LOG_UPDATE)
		s->due_ns = c->begun_ns + log->every_ns / 2 +
			    rand_below(c->env->rand, log->every_ns / 2 + 1);
	if (log->events & LOG_OPEN)
		write_line(c, s, EVENT_LINE_OPEN);
	return 0;
}

static bool on_response(struct call *c, void *state, struct event *ev)
{
	struct accesslog *s = state;
	if (!s->head_ns && ev->kind == EVENT_HEAD)
		s->head_ns = c->env->now_ns;
	if (!s->first_ns && c->lanes[LANE_RESPONSE].messages)
		s->first_ns = c->env->now_ns;
	return true;
}

static void on_tick(struct call *c, void *state)
{
	struct accesslog *s = state;
	uint64_t now_ns = c->env->now_ns, every_ns = c->generation->config->access_log.every_ns;
	if (!s->due_ns || now_ns < s->due_ns)
		return;
	s->due_ns += every_ns;
	if (s->due_ns <= now_ns)
		s->due_ns = now_ns + every_ns;
	write_line(c, s, EVENT_LINE_UPDATE);
}

static void on_close(struct call *c, void *state)
{
	if (c->generation->config->access_log.events & LOG_CLOSE)
		write_line(c, state, EVENT_LINE_CLOSE);
}

const struct call_filter filter_accesslog = {
	.name = "accesslog",
	.state_bytes = sizeof(struct accesslog),
	.wants = wants,
	.open = on_open,
	.response = on_response,
	.tick = on_tick,
	.close = on_close,
};
