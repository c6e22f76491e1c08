#include "cli/top_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum { LABELS_MAX = 16, NAME_MAX_BYTES = 128 };
#define VALUE_MAX 2e19 /* above 2^64 */

/* The families that rows are made of, and their place in the counts. */
static const struct family {
	const char *name;
	size_t at;
	bool whole;        /* it knows no methods */
	const char *state; /* the value of its label `state`; NULL: it has none */
} families[] = {
	{"grpc_streams_active", offsetof(struct top_counts, active), false, NULL},
	{"grpc_streams_started_total", offsetof(struct top_counts, started), false, NULL},
	{"grpc_stream_sent_messages_total", offsetof(struct top_counts, sent_messages), false,
		NULL},
	{"grpc_stream_received_messages_total", offsetof(struct top_counts, received_messages),
		false, NULL},
	{"grpc_stream_sent_bytes_total", offsetof(struct top_counts, sent_bytes), false, NULL},
	{"grpc_stream_received_bytes_total", offsetof(struct top_counts, received_bytes), false,
		NULL},
	{"grpc_streams_completed_total", offsetof(struct top_counts, errors), false, NULL},
	{"weir_streams_hung", offsetof(struct top_counts, stalled), true, "stalled"},
	{"weir_streams_hung", offsetof(struct top_counts, silent), true, "silent"},
	{"weir_stream_stalled_seconds_total", offsetof(struct top_counts, stalled_s), true, NULL},
};
static const struct {
	const char *name;
	size_t at;
} gauges[] = {
	{"weir_memory_held_bytes", offsetof(struct top_page, memory_held_bytes)},
	{"weir_memory_limit_bytes", offsetof(struct top_page, memory_limit_bytes)},
	{"weir_config_generation", offsetof(struct top_page, generation)},
	{"weir_draining", offsetof(struct top_page, draining)},
	{"process_start_time_seconds", offsetof(struct top_page, start_time_s)},
};
#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define COUNTS_FIELDS (sizeof(struct top_counts) / sizeof(double))

/* One sample; the strings are in `values`, one behind the other, each with a NUL. */
struct sample {
	char name[NAME_MAX_BYTES];
	struct {
		const char *name;
		size_t name_len, at; /* at: in `values` */
	} labels[LABELS_MAX];
	size_t label_count;
	struct buf values;
	double value;
};

void top_page_init(struct top_page *p)
{
	*p = (struct top_page){0};
	arena_init(&p->arena, NULL, 0, 4096);
	strmap_init(&p->by_key);
}

void top_page_fini(struct top_page *p)
{
	strmap_fini(&p->by_key);
	arena_fini(&p->arena);
	mem_free(p->rows);
	p->rows = NULL;
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == ':';
}

static size_t name_len(const char *at, const char *end)
{
	const char *p = at;
	while (p < end && name_char(*p))
		p++;
	return (size_t)(p - at);
}

/* A label's value, behind its first quote; NULL when it does not end. */
static const char *read_value(struct sample *s, const char *at, const char *end)
{
	for (; at < end && *at != '"'; at++) {
		if (*at == '\\' && ++at == end)
			return NULL;
		buf_char(&s->values, at[-1] == '\\' && *at == 'n' ? '\n' : *at);
	}
	buf_char(&s->values, '\0');
	return at < end ? at + 1 : NULL;
}

/* {name="value",...}; the place behind it, NULL when it is something else. */
static const char *read_labels(struct sample *s, const char *at, const char *end)
{
	for (at++; at < end && *at != '}';) {
		size_t len = name_len(at, end);
		if (!len || end - at < (ptrdiff_t)len + 2 || at[len] != '=' || at[len + 1] != '"' ||
			s->label_count == LABELS_MAX)
			return NULL;
		s->labels[s->label_count].name = at;
		s->labels[s->label_count].name_len = len;
		s->labels[s->label_count++].at = s->values.len;
		at = read_value(s, at + len + 2, end);
		if (!at || at == end)
			return NULL;
		if (*at == ',')
			at++;
		else if (*at != '}')
			return NULL;
	}
	return at < end ? at + 1 : NULL;
}

/* The line without its end; false when it is no sample. */
static bool read_sample(struct sample *s, const char *at, const char *end)
{
	char number[64];
	size_t len = name_len(at, end);
	s->label_count = 0;
	buf_clear(&s->values);
	if (len == 0 || len >= sizeof(s->name))
		return false;
	memcpy(s->name, at, len);
	s->name[len] = '\0';
	at += len;
	if (at < end && *at == '{')
		at = read_labels(s, at, end);
	if (!at || at == end || *at != ' ')
		return false;
	at++;
	len = 0;
	while (at + len < end && at[len] != ' ')
		len++;
	if (len == 0 || len >= sizeof(number))
		return false;
	memcpy(number, at, len);
	number[len] = '\0';
	char *behind;
	s->value = strtod(number, &behind);
	/* NaN, infinities and what no 64-bit counter can be would spoil sums and JSON. */
	if (!(s->value > -VALUE_MAX && s->value < VALUE_MAX))
		s->value = 0;
	return *behind == '\0';
}

/* A label's value, "" when it is not there. */
static const char *label(const struct sample *s, const char *name)
{
	for (size_t i = 0; i < s->label_count; i++)
		if (s->labels[i].name_len == strlen(name) &&
			!memcmp(s->labels[i].name, name, s->labels[i].name_len))
			return s->values.bytes + s->labels[i].at;
	return "";
}

static const char *keep(struct top_page *p, const char *text)
{
	return arena_dup(&p->arena, text, strlen(text));
}

/* whole, route NUL service NUL method */
static bool row_key(
	struct buf *key, bool whole, const char *route, const char *service, const char *method)
{
	buf_char(key, whole ? 'r' : 'm');
	buf_add(key, route, strlen(route) + 1);
	buf_add(key, service, strlen(service) + 1);
	buf_add(key, method, strlen(method));
	return !key->failed;
}

static struct top_page_row *row_create(struct top_page *p, const struct sample *s, bool whole)
{
	struct top_page_row *row = arena_alloc(&p->arena, sizeof(*row));
	if (p->count == p->cap) {
		uint32_t cap = p->cap ? p->cap * 2 : 64;
		struct top_page_row **rows =
			mem_realloc(p->rows, cap * sizeof(struct top_page_row *));
		if (!rows)
			return NULL;
		p->rows = rows;
		p->cap = cap;
	}
	if (!row)
		return NULL;
	*row = (struct top_page_row){.route = keep(p, label(s, "rt_route")),
		.service = keep(p, label(s, "grpc_service")),
		.method = keep(p, label(s, "grpc_method")),
		.whole = whole};
	if (!row->route || !row->service || !row->method)
		return NULL;
	p->rows[p->count++] = row;
	return row;
}

static struct top_page_row *row_get(struct top_page *p, const struct sample *s, bool whole)
{
	struct top_page_row *row = NULL;
	struct buf key;
	buf_init(&key);
	if (row_key(&key, whole, label(s, "rt_route"), label(s, "grpc_service"),
		    label(s, "grpc_method"))) {
		row = strmap_get(&p->by_key, key.bytes, key.len);
		if (!row) {
			row = row_create(p, s, whole);
			if (row && strmap_put(&p->by_key, key.bytes, key.len, row))
				row = NULL;
		}
	}
	buf_fini(&key);
	return row;
}

/* The family that the sample is one of, and that counts it; NULL. */
static const struct family *family_of(const struct sample *s)
{
	const char *status = label(s, "grpc_status");
	if (!strcmp(status, "OK") || !strcmp(status, "CANCELLED"))
		return NULL;
	for (size_t i = 0; i < COUNT(families); i++) {
		const struct family *f = &families[i];
		if (!strcmp(s->name, f->name) &&
			(!f->state || !strcmp(f->state, label(s, "state"))))
			return f;
	}
	return NULL;
}

static int take_sample(struct top_page *p, const struct sample *s)
{
	const struct family *f = family_of(s);
	if (f) {
		struct top_page_row *row = row_get(p, s, f->whole);
		if (!row)
			return ERR_NOMEM;
		((double *)&row->now)[f->at / sizeof(double)] += s->value;
		return ERR_NONE;
	}
	for (size_t i = 0; i < COUNT(gauges); i++)
		if (!strcmp(s->name, gauges[i].name))
			memcpy((char *)p + gauges[i].at, &s->value, sizeof(s->value));
	if (!strcmp(s->name, "weir_connections_open")) {
		if (!strcmp(label(s, "side"), "upstream"))
			p->upstream_connections += s->value;
		else
			p->downstream_connections += s->value;
	} else if (!strcmp(s->name, "weir_build_info")) {
		strncpy(p->version, label(s, "version"), sizeof(p->version) - 1);
	}
	return ERR_NONE;
}

int top_page_parse(struct top_page *p, const char *text, size_t len)
{
	struct sample s;
	const char *end = text + len;
	int err = ERR_NONE;

	buf_init(&s.values);
	for (p->line = 1; text < end && !err; p->line++) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		if (!eol)
			eol = end;
		if (text < eol && *text != '#') {
			if (!read_sample(&s, text, eol))
				err = ERR_INVALID;
			else
				err = s.values.failed ? ERR_NOMEM : take_sample(p, &s);
			if (err)
				break;
		}
		text = eol + 1;
	}
	buf_fini(&s.values);
	return err;
}

void top_counts_add(struct top_counts *to, const struct top_counts *from)
{
	double *t = (double *)to;
	const double *f = (const double *)from;
	for (size_t i = 0; i < COUNTS_FIELDS; i++)
		t[i] += f[i];
}

void top_page_rates(struct top_page *now, const struct top_page *before, double seconds)
{
	static const struct top_counts none;
	now->has_rates = seconds > 0;
	for (uint32_t i = 0; now->has_rates && i < now->count; i++) {
		struct top_page_row *row = now->rows[i];
		struct buf key;
		buf_init(&key);
		const struct top_page_row *old = NULL;
		if (row_key(&key, row->whole, row->route, row->service, row->method))
			old = strmap_get(&before->by_key, key.bytes, key.len);
		buf_fini(&key);
		const double *a = (const double *)(old ? &old->now : &none);
		const double *b = (const double *)&row->now;
		double *rate = (double *)&row->rate;
		for (size_t f = 0; f < COUNTS_FIELDS; f++)
			rate[f] = (b[f] < a[f] ? b[f] : b[f] - a[f]) / seconds;
		row->rate.active = row->rate.stalled = row->rate.silent = 0;
	}
}
