/* view_streams.c - /streams: each live stream, what it carried, and what it waits for. */
#include <stddef.h>
#include <string.h>
#include "base/assert.h"
#include "base/clock.h"
#include "call/stall.h"
#include "call/timing.h"
#include "proxy/front.h"
#include "proxy/upstream.h"
#include "proxy/view.h"

/* ---- the query ---- */

enum sort { SORT_OLDEST, SORT_BUSIEST, SORT_STALLED, SORT_SILENT };
static const char *const sorts[] = {"oldest", "busiest", "stalled", "silent", NULL};
static const char *const states[] = {"open", "stalled", "silent", NULL}; /* enum hung_state */

enum { LISTENER = VIEW_OWN_KEYS, ROUTE, CLUSTER, SERVICE, METHOD, STATE, ID };
static const struct query_key keys[] = {
	[VIEW_SORT] = {"sort", QUERY_CHOICE, sorts, 0, 0, SORT_OLDEST},
	[VIEW_LIMIT] = VIEW_LIMIT_KEY,
	[LISTENER] = {"listener", QUERY_TEXT, NULL, 0, 0, 0},
	[ROUTE] = {"route", QUERY_TEXT, NULL, 0, 0, 0},
	[CLUSTER] = {"cluster", QUERY_TEXT, NULL, 0, 0, 0},
	[SERVICE] = {"service", QUERY_TEXT, NULL, 0, 0, 0},
	[METHOD] = {"method", QUERY_TEXT, NULL, 0, 0, 0},
	[STATE] = {"state", QUERY_CHOICE, states, 0, 0, 0},
	[ID] = {"id", QUERY_ID, NULL, 0, 0, 0},
	{NULL, QUERY_TEXT, NULL, 0, 0, 0},
};

/* ---- a row ---- */

enum text {
	T_LISTENER,
	T_ROUTE,
	T_CLUSTER,
	T_SERVICE,
	T_METHOD,
	T_PATH,
	T_AUTHORITY,
	T_CLIENT,
	T_ENDPOINT,
	TEXTS
};

struct lane_row {
	uint64_t messages, bytes, queued_bytes;
	uint64_t message_ns, last_ns; /* when; 0 = never */
	enum stall_cause cause;
	uint64_t stalled_ns; /* since when; 0 = it is not */
	uint64_t total_ns[STALL_CAUSE_COUNT];
};

struct end_row {
	bool there;
	uint64_t connection;
	struct h2_stream_info stream;
};

struct stream_row {
	struct ranked ranked; /* its id is the row's */
	uint64_t begun_ns, rate_milli;
	bool grpc;
	enum hung_state state;
	int http_status, grpc_status; /* 0, -1: not yet */
	struct lane_row lanes[2];
	struct end_row down, up;
	const char *texts[TEXTS];
};

static const char *name_of(const struct call *c, enum text which)
{
	switch (which) {
	case T_LISTENER:
		return c->listener->name;
	case T_ROUTE:
		return c->route ? c->route->name : "";
	case T_CLUSTER:
		return c->cluster ? c->cluster->name : "";
	case T_SERVICE:
		return c->is_grpc ? c->said->grpc_service : "";
	case T_METHOD:
		return c->is_grpc ? c->said->grpc_method : c->said->method;
	case T_PATH:
		return c->said->path;
	case T_AUTHORITY:
		return c->said->authority;
	case T_CLIENT:
		return c->peer;
	case T_ENDPOINT:
		return c->endpoint;
	case TEXTS:
		break;
	}
	UNREACHABLE();
}

static bool matches(const struct call *c, const struct view_part *p)
{
	static const enum text text_of[] = {[LISTENER] = T_LISTENER,
		[ROUTE] = T_ROUTE,
		[CLUSTER] = T_CLUSTER,
		[SERVICE] = T_SERVICE,
		[METHOD] = T_METHOD};
	const struct query *q = p->query;
	if (q->given[ID] && q->number[ID] != query_id(p->worker->index, c->id))
		return false;
	if (q->given[STATE] && q->number[STATE] != c->hung)
		return false;
	for (unsigned key = LISTENER; key <= METHOD; key++) {
		if (q->given[key] && strcmp(query_text(q, key), name_of(c, text_of[key])) != 0)
			return false;
	}
	return true;
}

/* The stall that has lasted longest, of two; 0: there is none. */
static uint64_t first_stall(const struct call *c)
{
	uint64_t sent = call_stalled_since(c, LANE_REQUEST);
	uint64_t received = call_stalled_since(c, LANE_RESPONSE);
	return !sent || (received && received < sent) ? received : sent;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t stalled_in_all(const struct call *c)
{
	uint64_t ns = 0;
	for (int lane = 0; lane < 2; lane++)
		for (int cause = STALL_NONE + 1; cause < STALL_CAUSE_COUNT; cause++)
			ns += call_stalled_ns(c, (enum lane_id)lane, (enum stall_cause)cause);
	return ns;
}

static void rank(const struct call *c, enum sort sort, uint64_t rank[2])
{
	uint64_t stalled_ns;
	rank[1] = 0;
	switch (sort) {
	case SORT_OLDEST:
		rank[0] = view_earlier(c->begun_ns);
		return;
	case SORT_BUSIEST:
		rank[0] = timing_rate_milli(c);
		rank[1] = c->lanes[0].bytes + c->lanes[1].bytes;
		return;
	case SORT_STALLED:
		stalled_ns = first_stall(c);
		rank[0] = stalled_ns ? view_earlier(stalled_ns) : 0;
		rank[1] = stalled_in_all(c);
		return;
	case SORT_SILENT:
		rank[0] = view_earlier(
			larger(c->begun_ns, larger(c->lanes[0].last_ns, c->lanes[1].last_ns)));
		rank[1] = view_earlier(c->begun_ns);
		return;
	}
	UNREACHABLE();
}

static void fill_lane(
	const struct call *c, enum lane_id lane, uint64_t queued, struct lane_row *out)
{
	const struct call_lane *l = &c->lanes[lane];
	out->messages = l->messages;
	out->bytes = l->bytes;
	out->queued_bytes = queued;
	out->message_ns = l->message_ns;
	out->last_ns = l->last_ns;
	out->cause = call_stalled(c, lane);
	out->stalled_ns = call_stalled_since(c, lane);
	for (int cause = STALL_NONE; cause < STALL_CAUSE_COUNT; cause++)
		out->total_ns[cause] = call_stalled_ns(c, lane, (enum stall_cause)cause);
}

static void fill_end(const struct h2io *io, struct end_row *end)
{
	end->there = io != NULL;
	end->connection = io ? io->id : 0;
}

static void visit(struct call *c, void *part)
{
	struct view_part *p = part;
	struct stream_row row = {.ranked.id = query_id(p->worker->index, c->id)};
	if (!matches(c, p))
		return;
	rank(c, (enum sort)p->query->number[VIEW_SORT], row.ranked.rank);
	if (!best_counts(&p->best, &row.ranked))
		return;
	row.begun_ns = c->begun_ns;
	row.rate_milli = timing_rate_milli(c);
	row.grpc = c->is_grpc;
	row.state = (enum hung_state)c->hung;
	row.http_status = c->http_status;
	row.grpc_status = c->grpc_status;
	fill_end(front_stream(c, &row.down.stream), &row.down);
	fill_end(upstream_stream(c, &row.up.stream), &row.up);
	fill_lane(c, LANE_REQUEST, upstream_queued(c), &row.lanes[LANE_REQUEST]);
	fill_lane(c, LANE_RESPONSE, row.down.stream.queued_bytes, &row.lanes[LANE_RESPONSE]);
	for (unsigned i = 0; i < TEXTS; i++)
		row.texts[i] = name_of(c, (enum text)i);
	best_keep(&p->best, view_row(&row, sizeof(row), offsetof(struct stream_row, texts), TEXTS));
}

/* ---- JSON ---- */

static void write_ago(struct jsonw *j, const char *key, uint64_t now_ns, uint64_t then_ns)
{
	if (then_ns)
		jsonw_u64(j, key, view_since(now_ns, then_ns) / NS_PER_MS);
	else
		jsonw_null(j, key);
}

static void write_lane(
	struct jsonw *j, enum lane_id lane, const struct lane_row *l, uint64_t now_ns)
{
	jsonw_object(j, lane_direction(lane));
	jsonw_u64(j, "messages", l->messages);
	jsonw_u64(j, "bytes", l->bytes);
	write_ago(j, "last_message_ms", now_ns, l->message_ns);
	write_ago(j, "last_content_ms", now_ns, l->last_ns);
	jsonw_u64(j, "queued_bytes", l->queued_bytes);
	jsonw_str(j, "stalled", stall_cause_label(l->cause));
	uint64_t stalled_ns = l->stalled_ns ? view_since(now_ns, l->stalled_ns) : 0;
	jsonw_u64(j, "stalled_ms", stalled_ns / NS_PER_MS);
	jsonw_object(j, "stalled_seconds");
	for (int cause = STALL_NONE + 1; cause < STALL_CAUSE_COUNT; cause++) {
		if (l->total_ns[cause])
			jsonw_milli(j, stall_cause_label((enum stall_cause)cause),
				l->total_ns[cause] / NS_PER_MS);
	}
	jsonw_end(j);
	jsonw_end(j);
}

static void write_end(
	struct jsonw *j, const char *key, const struct end_row *end, const struct ranked *ranked)
{
	if (!end->there) {
		jsonw_null(j, key);
		return;
	}
	jsonw_object(j, key);
	jsonw_u64(j, "stream", end->stream.id);
	jsonw_i64(j, "send_window", end->stream.send_window_bytes);
	jsonw_i64(j, "receive_window", end->stream.receive_window_bytes);
	jsonw_i64(j, "connection_send_window", end->stream.conn_send_window_bytes);
	view_write_id(j, "connection", query_id(query_id_first(ranked->id), end->connection));
	jsonw_end(j);
}

static void write_row(struct jsonw *j, const struct ranked *ranked, uint64_t now_ns)
{
	static const char *const text_keys[TEXTS] = {[T_LISTENER] = "listener",
		[T_ROUTE] = "route",
		[T_CLUSTER] = "cluster",
		[T_SERVICE] = "service",
		[T_METHOD] = "method",
		[T_PATH] = "path",
		[T_AUTHORITY] = "authority",
		[T_CLIENT] = "client",
		[T_ENDPOINT] = "endpoint"};
	const struct stream_row *r = (const void *)ranked;
	jsonw_object(j, NULL);
	view_write_id(j, "id", ranked->id);
	for (unsigned i = 0; i < TEXTS; i++)
		jsonw_str(j, text_keys[i], r->texts[i]);
	jsonw_str(j, "protocol", r->grpc ? "grpc" : "http");
	write_ago(j, "age_ms", now_ns, r->begun_ns);
	jsonw_str(j, "state", states[r->state]);
	jsonw_milli(j, "rate", r->rate_milli);
	for (int lane = 0; lane < 2; lane++)
		write_lane(j, (enum lane_id)lane, &r->lanes[lane], now_ns);
	write_end(j, "downstream", &r->down, ranked);
	write_end(j, "upstream", &r->up, ranked);
	if (r->http_status)
		jsonw_u64(j, "http_status", (uint64_t)r->http_status);
	else
		jsonw_null(j, "http_status");
	if (r->grpc_status >= 0)
		jsonw_u64(j, "grpc_status", (uint64_t)r->grpc_status);
	else
		jsonw_null(j, "grpc_status");
	jsonw_end(j);
}

static const struct view_rows rows = {
	.name = "streams",
	.visit_call = visit,
	.write = write_row,
};

static void ask(
	void *arg, const struct query *query, void (*done)(void *ctx, struct buf *json), void *ctx)
{
	view_ask_rows(arg, &rows, query, done, ctx);
}

const struct introspect_page view_streams = {
	.path = "/streams",
	.title = "live streams: what they carried and what they wait for (JSON)",
	.keys = keys,
	.ask = ask,
};
