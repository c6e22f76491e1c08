#include "admin/accept.h"
#include <string.h>
#include <strings.h>

struct text {
	const char *at;
	size_t len;
};

/* Cuts off what is in front of `separator`, without the white space around it. */
static struct text cut(struct text *rest, char separator)
{
	const char *end = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
	struct text piece = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
	size_t used = piece.len + (end ? 1 : 0);
	rest->at += used;
	rest->len -= used;
	while (piece.len && (*piece.at == ' ' || *piece.at == '\t'))
		piece.at++, piece.len--;
	while (piece.len && (piece.at[piece.len - 1] == ' ' || piece.at[piece.len - 1] == '\t'))
		piece.len--;
	return piece;
}

static bool is(struct text t, const char *word)
{
	return t.len == strlen(word) && !strncasecmp(t.at, word, t.len);
}

/* "1", "0.75", "1.000" in thousandths; 0 when it is none of these. */
static int thousandths(struct text q)
{
	int value = 0, digit = 1000;
	if (!q.len || q.len > 5 || (q.at[0] != '0' && q.at[0] != '1') ||
		(q.len > 1 && q.at[1] != '.'))
		return 0;
	for (size_t i = 0; i < q.len; i++) {
		if (i == 1)
			continue;
		if (q.at[i] < '0' || q.at[i] > '9')
			return 0;
		value += (q.at[i] - '0') * digit;
		digit /= 10;
	}
	return value <= 1000 ? value : 0;
}

/* What the header says of each, in thousandths; -1: nothing. */
struct wishes {
	int protobuf, openmetrics, text, any_text, anything;
};

static void read_range(struct text range, struct wishes *w)
{
	struct text type = cut(&range, ';');
	bool version_ok = true, families = false, delimited = false;
	int q = 1000;
	while (range.len) {
		struct text value = cut(&range, ';'), name = cut(&value, '=');
		if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
			value = (struct text){value.at + 1, value.len - 2};
		if (is(name, "q"))
			q = thousandths(value);
		else if (is(name, "version"))
			version_ok = is(value, "1.0.0");
		else if (is(name, "proto"))
			families = is(value, "io.prometheus.client.MetricFamily");
		else if (is(name, "encoding"))
			delimited = is(value, "delimited");
	}
	if (is(type, "application/openmetrics-text")) {
		if (version_ok && q > w->openmetrics)
			w->openmetrics = q;
	} else if (is(type, "application/vnd.google.protobuf")) {
		if (families && delimited && q > w->protobuf)
			w->protobuf = q;
	} else if (is(type, "text/plain")) {
		w->text = q > w->text ? q : w->text;
	} else if (is(type, "text/*")) {
		w->any_text = q;
	} else if (is(type, "*/*")) {
		w->anything = q;
	}
}

enum metrics_format accept_metrics_format(const struct fields *head)
{
	struct wishes w = {-1, -1, -1, -1, -1};
	for (uint32_t i = 0; i < head->count; i++) {
		const struct field *f = &fields_list(head)[i];
		struct text list = {f->value, f->value_len};
		while (f->token == TOKEN_ACCEPT && list.len)
			read_range(cut(&list, ','), &w);
	}
	int text = w.text >= 0 ? w.text : w.any_text >= 0 ? w.any_text : w.anything;
	if (w.protobuf > 0 && w.protobuf >= w.openmetrics && w.protobuf >= text)
		return METRICS_PROTOBUF;
	return w.openmetrics > 0 && w.openmetrics >= text ? METRICS_OPENMETRICS
							  : METRICS_PROMETHEUS_TEXT;
}
