#include "cli/top_views.h"

#include <math.h>
#include <string.h>

#include "cli/top_routes.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const json_t *top_at(const json_t *object, const char *path)
{
	while (object && *path) {
		size_t len = strcspn(path, ".");
		object = json_object_getn(object, path, len);
		path += len + (path[len] == '.');
	}
	return object;
}

const char *top_text(const json_t *object, const char *path)
{
	const char *text = json_string_value(top_at(object, path));
	return text ? text : "";
}

double top_number(const json_t *object, const char *path)
{
	const json_t *at = top_at(object, path);
	return json_is_number(at) ? json_number_value(at) : NAN;
}

const char *top_stall(const json_t *stream, const char *direction)
{
	const json_t *lane = top_at(stream, direction);
	const char *cause = top_text(lane, "stalled");
	return *cause && strcmp(cause, "none") ? cause : NULL;
}

/* ---- streams ---- */

/* Until there are two looks, the server's own idea of it. */
static void fill_rate_both(struct table_cell *cell, const void *row)
{
	cell->number = top_number(row, "rate");
	double sent = top_number(row, "sent.messages"), got = top_number(row, "received.messages");
	cell->count = isnan(sent) ? got : isnan(got) ? sent : sent + got;
}

/* The last message of either direction. */
static void fill_last(struct table_cell *cell, const void *row)
{
	cell->number = fmin(top_number(row, "sent.last_message_ms"),
		top_number(row, "received.last_message_ms"));
}

static void fill_path(struct table_cell *cell, const void *row)
{
	cell->text = top_text(row, "path");
}

/* "sent: socket": in a word what the person at the screen opens the stream for. */
static void fill_why(struct table_cell *cell, const void *row)
{
	static const struct {
		const char *cause, *sent, *received;
	} words[] = {
		{"peer_stream_window", "sent: window", "recv: window"},
		{"peer_connection_window", "sent: conn", "recv: conn"},
		{"socket", "sent: socket", "recv: socket"},
		{"stream_slot", "sent: slot", "recv: slot"},
		{"rate_limit", "sent: rate", "recv: rate"},
		{"memory_budget", "sent: memory", "recv: memory"},
	};
	const char *sent = top_stall(row, "sent"), *received = top_stall(row, "received");
	cell->text = sent || received ? "blocked" : "";
	for (size_t i = 0; i < COUNT(words); i++) {
		if (sent && !strcmp(sent, words[i].cause))
			cell->text = words[i].sent;
		else if (!sent && received && !strcmp(received, words[i].cause))
			cell->text = words[i].received;
	}
}

static enum table_tone stream_tone(const json_t *row)
{
	const char *state = top_text(row, "state");
	if (!strcmp(state, "stalled"))
		return TABLE_BAD;
	return !strcmp(state, "silent") || top_stall(row, "sent") || top_stall(row, "received")
		       ? TABLE_WARN
		       : TABLE_CALM;
}

static const struct table_column streams[] = {
	{"ID", TABLE_TEXT, 7, 0, 1, "id"},
	{"PATH", TABLE_PATH, 12, 0, 3, NULL, fill_path},
	{"AGE", TABLE_AGE, 5, 0, 0, "age_ms"},
	{"SENT", TABLE_NUMBER, 5, 1, 0, "sent.messages"},
	{"RECV", TABLE_NUMBER, 5, 1, 0, "received.messages"},
	{"MSG/s", TABLE_RATE, 5, 0, 0, NULL, fill_rate_both},
	{"SENT/s", TABLE_RATE, 6, 4, 0, "sent.messages"},
	{"RECV/s", TABLE_RATE, 6, 4, 0, "received.messages"},
	{"SENT B/s", TABLE_RATE, 8, 5, 0, "sent.bytes"},
	{"RECV B/s", TABLE_RATE, 8, 5, 0, "received.bytes"},
	{"LAST", TABLE_AGE, 5, 1, 0, NULL, fill_last},
	{"STATE", TABLE_TEXT, 7, 0, 0, "state"},
	{"WHY", TABLE_TEXT, 12, 1, 0, NULL, fill_why},
	{"QUEUED>", TABLE_NUMBER, 7, 4, 0, "sent.queued_bytes"},
	{"QUEUED<", TABLE_NUMBER, 7, 4, 0, "received.queued_bytes"},
	{"ROUTE", TABLE_TEXT, 10, 2, 1, "route"},
	{"CLIENT", TABLE_TEXT, 15, 3, 2, "client"},
	{"ENDPOINT", TABLE_TEXT, 15, 3, 2, "endpoint"},
	{"CLUSTER", TABLE_TEXT, 10, 6, 1, "cluster"},
	{"LISTENER", TABLE_TEXT, 10, 6, 1, "listener"},
};

/* ---- connections ---- */

static const struct table_column connections[] = {
	{"ID", TABLE_TEXT, 7, 0, 1, "id"},
	{"SIDE", TABLE_TEXT, 10, 1, 0, "side"},
	{"OF", TABLE_TEXT, 7, 0, 1, "name"},
	{"PEER", TABLE_TEXT, 15, 0, 2, "peer"},
	{"AGE", TABLE_AGE, 5, 0, 0, "age_ms"},
	{"IDLE", TABLE_AGE, 5, 1, 0, "idle_ms"},
	{"NOW", TABLE_NUMBER, 4, 0, 0, "streams"},
	{"EVER", TABLE_NUMBER, 5, 1, 0, "streams_total"},
	{"CALLS/s", TABLE_RATE, 7, 4, 0, "streams_total"},
	{"IN B/s", TABLE_RATE, 6, 4, 0, "bytes_in"},
	{"OUT B/s", TABLE_RATE, 7, 4, 0, "bytes_out"},
	{"PING ms", TABLE_NUMBER, 7, 3, 0, "ping_ms"},
	{"RTT ms", TABLE_NUMBER, 6, 3, 0, "tcp_rtt_ms"},
	{"STATE", TABLE_TEXT, 8, 3, 0, "state"},
	{"WAITS FOR", TABLE_TEXT, 9, 1, 1, "waits"},
	{"FD", TABLE_NUMBER, 4, 5, 0, "fd"},
	{"UNWRITTEN", TABLE_NUMBER, 9, 5, 0, "unwritten_bytes"},
	{"LOCAL", TABLE_TEXT, 15, 6, 2, "local"},
	{"PROTOCOL", TABLE_TEXT, 8, 6, 0, "protocol"},
};

/* ---- clusters ---- */

/* A cluster has a name, an endpoint an address. */
static void fill_place(struct table_cell *cell, const void *row)
{
	const char *name = top_text(row, "name");
	cell->text = *name ? name : top_text(row, "address");
}

static enum table_tone endpoint_tone(const json_t *row)
{
	const char *state = top_text(row, "state");
	if (!strcmp(state, "down"))
		return TABLE_BAD;
	return !strcmp(state, "backoff") ? TABLE_WARN : TABLE_CALM;
}

static const struct table_column clusters[] = {
	{"CLUSTER, ENDPOINT", TABLE_TREE, 18, 0, 1, NULL, fill_place},
	{"STATE", TABLE_TEXT, 10, 0, 0, "state"},
	{"CONNS", TABLE_NUMBER, 5, 0, 0, "connections"},
	{"STREAMS", TABLE_NUMBER, 7, 0, 0, "streams"},
	{"WAITING", TABLE_NUMBER, 7, 2, 0, "waiting_calls"},
	{"CALLS", TABLE_NUMBER, 5, 1, 0, "calls_total"},
	{"CALLS/s", TABLE_RATE, 7, 1, 0, "calls_total"},
	{"FAILED", TABLE_NUMBER, 6, 1, 0, "failures_total"},
	{"RETRY IN", TABLE_AGE, 8, 3, 0, "retry_in_ms"},
	{"LAST ERROR", TABLE_TEXT, 10, 2, 1, "last_error"},
};

const struct top_view top_views[TOP_VIEWS] = {
	[TOP_ROUTES] = {.name = "routes",
		.path = "/metrics",
		.columns = top_routes_columns,
		.column_count = TOP_ROUTES_COLUMNS,
		.sorts = {{"most active", NULL, "ACTIVE", false},
			{"most sent", NULL, "SENT/s", false},
			{"most received", NULL, "RECV/s", false},
			{"most hung", NULL, "HUNG", false}, {"most errors", NULL, "ERRORS", false},
			{"by name", NULL, "ROUTE, METHOD", true}}},
	[TOP_STREAMS] = {.name = "streams",
		.path = "/streams",
		.json = true,
		.limited = true,
		.columns = streams,
		.column_count = COUNT(streams),
		.sorts = {{"oldest", "oldest", NULL, false}, {"busiest", "busiest", NULL, false},
			{"most stalled", "stalled", NULL, false},
			{"longest silent", "silent", NULL, false}},
		.key = "id",
		.filters = {"listener", "route", "cluster", "service", "method", "state", "id"},
		.tone = stream_tone},
	[TOP_CONNECTIONS] = {.name = "connections",
		.path = "/connections",
		.json = true,
		.limited = true,
		.columns = connections,
		.column_count = COUNT(connections),
		.sorts = {{"oldest", "oldest", NULL, false}, {"busiest", "busiest", NULL, false},
			{"longest idle", "idle", NULL, false},
			{"most reused", "reused", NULL, false}},
		.key = "id",
		.filters = {"side", "name", "id"}},
	[TOP_CLUSTERS] = {.name = "clusters",
		.path = "/clusters",
		.json = true,
		.below = "endpoints",
		.columns = clusters,
		.column_count = COUNT(clusters),
		.sorts = {{"by name", NULL, "CLUSTER, ENDPOINT", true},
			{"most streams", NULL, "STREAMS", false},
			{"most failures", NULL, "FAILED", false}},
		.key = "name",
		.below_key = "address",
		.filters = {"cluster"},
		.tone = endpoint_tone},
};

/* ---- what is asked for ---- */

static void put_encoded(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			     (c >= 'A' && c <= 'Z') || (c && strchr("-._~:/", c));
		if (plain)
			buf_char(out, (char)c);
		else
			buf_fmt(out, "%%%02X", c);
	}
}

static void put_parameter(
	struct buf *path, const char *name, size_t name_len, const char *value, size_t len)
{
	buf_char(path, memchr(path->bytes, '?', path->len) ? '&' : '?');
	buf_add(path, name, name_len);
	buf_char(path, '=');
	put_encoded(path, value, len);
}

/* NAME=VALUE with a name that the page knows. */
static bool ask_server(struct buf *path, const struct top_view *view, const char *word, size_t len)
{
	const char *equals = memchr(word, '=', len);
	for (const char *const *f = view->filters; equals && *f; f++) {
		size_t name_len = (size_t)(equals - word);
		if (strlen(*f) == name_len && !memcmp(*f, word, name_len)) {
			put_parameter(path, word, name_len, equals + 1, len - name_len - 1);
			return true;
		}
	}
	return false;
}

void top_query(struct buf *path, struct buf *rest, const struct top_view *view, unsigned sort,
	const char *filter, const char *id)
{
	char limit[16];
	buf_str(path, view->path);
	buf_str(rest, "");
	if (id) {
		put_parameter(path, "id", 2, id, strlen(id));
		return;
	}
	if (view->sorts[sort].ask)
		put_parameter(
			path, "sort", 4, view->sorts[sort].ask, strlen(view->sorts[sort].ask));
	if (view->limited) {
		int n = snprintf(limit, sizeof(limit), "%d", TOP_LIMIT_ROWS);
		put_parameter(path, "limit", 5, limit, (size_t)n);
	}
	while (*(filter += strspn(filter, " "))) {
		size_t len = strcspn(filter, " ");
		if (!ask_server(path, view, filter, len)) {
			buf_add(rest, filter, len);
			buf_char(rest, ' ');
		}
		filter += len;
	}
	buf_str(rest, "");
}
