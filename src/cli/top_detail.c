#include "cli/top_detail.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_COLUMNS = 20, VALUE_COLUMNS = 26, FIELD_COLUMNS = 30, DEPTH_MAX = 4 };

static void put_text(struct buf *out, const json_t *stream, const char *path)
{
	const char *text = top_text(stream, path);
	text_clean(out, *text ? text : "-", *text ? strlen(text) : 1);
}

static void put_style(struct buf *out, enum text_style style)
{
	buf_char(out, (char)style);
}

/* ---- the two directions, side by side ---- */

static void put_label(struct buf *out, const char *label)
{
	put_style(out, TEXT_FAINT);
	text_put(out, label, LABEL_COLUMNS, TEXT_CUT_END, false);
	put_style(out, TEXT_PLAIN);
}

static void put_both(struct buf *out, const char *label, const char *sent, const char *received)
{
	put_label(out, label);
	text_put(out, sent, VALUE_COLUMNS, TEXT_CUT_END, false);
	text_clean(out, received, strlen(received));
	buf_char(out, '\n');
}

static double rate_of(const struct top_look *l, const struct table_row *row, const char *title)
{
	int column = table_column(&l->table, title);
	return column < 0 ? NAN : row->cells[column].number;
}

/* "1.2k, 5.0 a second" */
static void count_text(char out[64], double count, double rate)
{
	char number[TEXT_NUMBER_MAX], second[TEXT_NUMBER_MAX];
	text_number(number, count);
	text_number(second, rate);
	if (isnan(rate))
		snprintf(out, 64, "%s", number);
	else
		snprintf(out, 64, "%s, %s a second", number, second);
}

static void put_counts(struct buf *out, const struct top_look *l, const struct table_row *row,
	const char *label, const char *member)
{
	char path[64], text[2][64];
	bool bytes = !strcmp(member, "bytes");
	snprintf(path, sizeof(path), "sent.%s", member);
	count_text(text[0], top_number(row->source, path),
		rate_of(l, row, bytes ? "SENT B/s" : "SENT/s"));
	snprintf(path, sizeof(path), "received.%s", member);
	count_text(text[1], top_number(row->source, path),
		rate_of(l, row, bytes ? "RECV B/s" : "RECV/s"));
	put_both(out, label, text[0], text[1]);
}

/* "for 1m05" and the like; `none` where there is no number. */
static void age_text(char out[64], const json_t *stream, const char *path, const char *before,
	const char *behind, const char *none)
{
	char age[TEXT_NUMBER_MAX];
	double ms = top_number(stream, path);
	text_age(age, ms);
	if (isnan(ms))
		snprintf(out, 64, "%s", none);
	else
		snprintf(out, 64, "%s%s%s", before, age, behind);
}

static void stalled_text(char out[64], const json_t *stream, const char *direction)
{
	char path[64];
	snprintf(path, sizeof(path), "%s.stalled_ms", direction);
	if (top_stall(stream, direction))
		age_text(out, stream, path, "yes, for ", "", "yes");
	else
		snprintf(out, 64, "no");
}

/* The causes of one direction with the seconds each took so far, if it took any. */
static void put_stall_times(struct buf *out, const json_t *stream, const char *direction)
{
	const char *cause;
	json_t *seconds;
	json_t *causes = json_object_get(json_object_get(stream, direction), "stalled_seconds");
	bool first = true;
	json_object_foreach(causes, cause, seconds)
	{
		char text[TEXT_NUMBER_MAX];
		if (!(json_number_value(seconds) > 0))
			continue;
		text_age(text, json_number_value(seconds) * 1000);
		buf_str(out, first ? "" : ", ");
		text_clean(out, cause, strlen(cause));
		buf_fmt(out, " %s", text);
		first = false;
	}
	buf_str(out, first ? "never" : "");
	buf_char(out, '\n');
}

static void put_directions(struct buf *out, const struct top_look *l, const struct table_row *row)
{
	const json_t *stream = row->source;
	char a[64], b[64];
	put_style(out, TEXT_STRONG);
	text_put(out, "", LABEL_COLUMNS, TEXT_CUT_END, false);
	text_put(out, "client to server", VALUE_COLUMNS, TEXT_CUT_END, false);
	buf_str(out, "server to client");
	put_style(out, TEXT_PLAIN);
	buf_char(out, '\n');
	put_counts(out, l, row, "messages", "messages");
	put_counts(out, l, row, "bytes", "bytes");
	age_text(a, stream, "sent.last_message_ms", "", " ago", "none yet");
	age_text(b, stream, "received.last_message_ms", "", " ago", "none yet");
	put_both(out, "last message", a, b);
	text_number(a, top_number(stream, "sent.queued_bytes"));
	text_number(b, top_number(stream, "received.queued_bytes"));
	put_both(out, "bytes held in weir", a, b);
	stalled_text(a, stream, "sent");
	stalled_text(b, stream, "received");
	put_both(out, "blocked now", a, b);
	put_label(out, "blocked so far, >");
	put_stall_times(out, stream, "sent");
	put_label(out, "                <");
	put_stall_times(out, stream, "received");
}

/* ---- the two ends ---- */

static void put_window(struct buf *out, const json_t *end, const char *path, const char *before,
	const char *behind)
{
	double number = top_number(end, path);
	if (isnan(number))
		buf_fmt(out, "%s-%s", before, behind);
	else
		buf_fmt(out, "%s%.0f%s", before, number, behind);
}

/* Windows of one end: what weir may send to it, and what it may send to weir. */
static void put_end(struct buf *out, const json_t *stream, const char *name, const char *address,
	const char *member)
{
	const json_t *end = top_at(stream, member);
	put_label(out, name);
	put_text(out, stream, address);
	if (!json_is_object(end)) {
		buf_str(out, ", no stream there\n");
		return;
	}
	put_window(out, end, "stream", ", stream ", " of connection ");
	put_text(out, end, "connection");
	buf_char(out, '\n');
	put_label(out, "  may still get");
	put_window(out, end, "send_window", "", " bytes on this stream, ");
	put_window(out, end, "connection_send_window", "", " on the connection\n");
	put_label(out, "  may still send");
	put_window(out, end, "receive_window", "", " bytes on this stream\n");
}

/* ---- why it stands still ---- */

/* What a cause means; %s is the end that does not take the bytes. */
static const struct {
	const char *cause, *words;
} meanings[] = {
	{"peer_stream_window", "the %s takes no more of this stream: it has used up the HTTP/2 "
			       "window of the stream. "
			       "It is slow to read it, or has stopped."},
	{"peer_connection_window",
		"the %s takes no more on this connection: the HTTP/2 window that all its streams "
		"share "
		"is used up. Look for other streams on the same connection that it does not read."},
	{"socket", "the TCP connection to the %s takes no more bytes: its network is slow, or the "
		   "process "
		   "there does not read from its socket."},
	{"stream_slot",
		"no connection to the server has a free stream: one is being opened, or each "
		"carries as many as the server allows (SETTINGS_MAX_CONCURRENT_STREAMS)."},
	{"rate_limit", "Weir holds it back: a rate limit of its route is reached."},
	{"memory_budget", "Weir takes no more of it for now: its memory budget (limits.memory) is "
			  "80 % used by "
			  "streams whose readers are slow."},
};

static void put_meaning(struct buf *out, const json_t *stream, const char *direction)
{
	const char *cause = top_stall(stream, direction), *words = NULL;
	bool sent = !strcmp(direction, "sent");
	char text[512];
	if (!cause)
		return;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (!strcmp(cause, meanings[i].cause))
			words = meanings[i].words;
	put_style(out, TEXT_BAD);
	buf_fmt(out, "%s is blocked (", sent ? "Client to server" : "Server to client");
	text_clean(out, cause, strlen(cause));
	buf_str(out, "): ");
	const char *place = words ? strstr(words, "%s") : NULL;
	if (place)
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(place - words), words,
			sent ? "server" : "client", place + 2);
	else
		snprintf(text, sizeof(text), "%s",
			words ? words : "a cause that is new to weir top.");
	buf_str(out, text);
	put_style(out, TEXT_PLAIN);
	buf_char(out, '\n');
}

static void put_why(struct buf *out, const json_t *stream)
{
	const char *state = top_text(stream, "state");
	if (!strcmp(state, "silent")) {
		put_style(out, TEXT_WARN);
		buf_str(out,
			"Silent: nothing has passed in either direction for longer than its route "
			"allows. Both ends have nothing to say, or one of them is gone.");
		put_style(out, TEXT_PLAIN);
		buf_char(out, '\n');
	} else if (!strcmp(state, "stalled")) {
		put_style(out, TEXT_BAD);
		buf_str(out, "Stalled: it has been blocked for longer than its route allows.");
		put_style(out, TEXT_PLAIN);
		buf_char(out, '\n');
	} else if (!top_stall(stream, "sent") && !top_stall(stream, "received")) {
		buf_str(out, "Nothing blocks it.\n");
	}
	put_meaning(out, stream, "sent");
	put_meaning(out, stream, "received");
}

void top_detail_stream(struct buf *out, const struct top_look *l, const struct table_row *row)
{
	const json_t *stream = row->source;
	char age[TEXT_NUMBER_MAX];
	text_age(age, top_number(stream, "age_ms"));
	put_style(out, TEXT_STRONG);
	buf_str(out, "stream ");
	text_clean(out, row->key, strlen(row->key));
	put_style(out, TEXT_PLAIN);
	buf_fmt(out, ", open for %s, ", age);
	put_text(out, stream, "state");
	buf_char(out, '\n');
	put_why(out, stream);
	buf_char(out, '\n');
	put_label(out, "request");
	put_text(out, stream, "path");
	buf_str(out, " to ");
	put_text(out, stream, "authority");
	buf_str(out, ", ");
	put_text(out, stream, "protocol");
	buf_char(out, '\n');
	put_label(out, "route");
	put_text(out, stream, "route");
	buf_str(out, ", listener ");
	put_text(out, stream, "listener");
	buf_str(out, ", cluster ");
	put_text(out, stream, "cluster");
	buf_str(out, "\n\n");
	put_directions(out, l, row);
	buf_char(out, '\n');
	put_end(out, stream, "client", "client", "downstream");
	put_end(out, stream, "server", "endpoint", "upstream");
}

/* ---- any object ---- */

static void put_value(struct buf *out, const json_t *value)
{
	if (json_is_string(value))
		text_clean(out, json_string_value(value), strlen(json_string_value(value)));
	else if (json_is_integer(value))
		buf_fmt(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		buf_fmt(out, "%.3f", json_real_value(value));
	else
		buf_str(out, json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
}

static void put_fields(struct buf *out, const json_t *object, unsigned depth)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		char label[128];
		snprintf(label, sizeof(label), "%*s%s", (int)depth * 2, "", name);
		put_style(out, TEXT_FAINT);
		text_put(out, label, FIELD_COLUMNS, TEXT_CUT_END, false);
		put_style(out, TEXT_PLAIN);
		if (!json_is_object(value))
			put_value(out, value);
		buf_char(out, '\n');
		if (depth < DEPTH_MAX)
			put_fields(out, value, depth + 1);
	}
}

void top_detail_fields(struct buf *out, const json_t *object)
{
	put_fields(out, object, 0);
}
