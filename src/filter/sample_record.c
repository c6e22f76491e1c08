#include "filter/sample_record.h"
#include "base/clock.h"
#include "grpc/status.h"
#include "http/query.h"
#include "metrics/protobuf.h"

/* Numbers of docs/sample.proto. */
enum {
	SAMPLE_TIME = 1,
	SAMPLE_STREAM,
	SAMPLE_LISTENER,
	SAMPLE_ROUTE,
	SAMPLE_CLUSTER,
	SAMPLE_SERVICE,
	SAMPLE_METHOD,
	SAMPLE_DIRECTION,
	SAMPLE_MESSAGE,
	SAMPLE_SIZE,
	SAMPLE_COMPRESSED,
	SAMPLE_CUT,
	SAMPLE_PAYLOAD,
	SAMPLE_METADATA,
	SAMPLE_METADATA_CUT,
	SAMPLE_WORKER,
	SAMPLE_EVENT,
	SAMPLE_RESPONSE_METADATA,
	SAMPLE_RESPONSE_METADATA_CUT,
	SAMPLE_TRAILERS,
	SAMPLE_TRAILERS_CUT,
	SAMPLE_HTTP_STATUS,
	SAMPLE_GRPC_STATUS,
	SAMPLE_ENDED_BY,
	SAMPLE_REASON,
};
enum { FIELD_NAME = 1, FIELD_VALUE };
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 };

static const struct {
	unsigned fields, cut;
	const char *key, *cut_key;
} lists[] = {
	[SAMPLE_LIST_REQUEST] = {SAMPLE_METADATA, SAMPLE_METADATA_CUT, "metadata", "metadata_cut"},
	[SAMPLE_LIST_RESPONSE] = {SAMPLE_RESPONSE_METADATA, SAMPLE_RESPONSE_METADATA_CUT,
		"response_metadata", "response_metadata_cut"},
	[SAMPLE_LIST_TRAILERS] = {SAMPLE_TRAILERS, SAMPLE_TRAILERS_CUT, "trailers", "trailers_cut"},
};

/* ---- writing ---- */

static void put_text(struct buf *out, unsigned field, struct sample_text t)
{
	if (t.len)
		pb_string(out, field, t.at, t.len);
}

static void put_number(struct buf *out, unsigned field, uint64_t v)
{
	if (v)
		pb_uint(out, field, v);
}

void sample_field_encode(struct buf *out, enum sample_list list, const struct sample_field *f)
{
	size_t m = pb_begin(out, lists[list].fields);
	pb_string(out, FIELD_NAME, f->name.at, f->name.len);
	if (f->value.at)
		pb_string(out, FIELD_VALUE, f->value.at, f->value.len);
	pb_end(out, m);
}

void sample_encode(struct buf *out, const struct sample *s)
{
	size_t begun = out->len;
	buf_add(out, "\0\0\0\0", SAMPLE_LENGTH_BYTES);
	put_number(out, SAMPLE_TIME, s->time_ns);
	put_number(out, SAMPLE_STREAM, s->stream);
	put_text(out, SAMPLE_LISTENER, s->listener);
	put_text(out, SAMPLE_ROUTE, s->route);
	put_text(out, SAMPLE_CLUSTER, s->cluster);
	put_text(out, SAMPLE_SERVICE, s->service);
	put_text(out, SAMPLE_METHOD, s->method);
	put_number(out, SAMPLE_DIRECTION, s->direction);
	put_number(out, SAMPLE_MESSAGE, s->message);
	put_number(out, SAMPLE_SIZE, s->size);
	put_number(out, SAMPLE_COMPRESSED, s->compressed);
	put_number(out, SAMPLE_CUT, s->cut);
	put_text(out, SAMPLE_PAYLOAD, s->payload);
	for (int i = 0; i < SAMPLE_LISTS; i++) {
		if (s->lists[i].fields.len)
			buf_add(out, s->lists[i].fields.at, s->lists[i].fields.len);
		put_number(out, lists[i].cut, s->lists[i].cut);
	}
	put_number(out, SAMPLE_WORKER, s->worker);
	put_number(out, SAMPLE_EVENT, s->event);
	put_number(out, SAMPLE_HTTP_STATUS, s->http_status);
	if (s->grpc_status >= 0)
		pb_uint(out, SAMPLE_GRPC_STATUS, (uint64_t)s->grpc_status);
	put_text(out, SAMPLE_ENDED_BY, s->ended_by);
	put_text(out, SAMPLE_REASON, s->reason);
	if (out->failed)
		return;
	size_t len = out->len - begun - SAMPLE_LENGTH_BYTES;
	for (unsigned i = 0; i < SAMPLE_LENGTH_BYTES; i++)
		out->bytes[begun + i] = (char)(len >> (24 - 8 * i) & 0xff);
}

/* ---- reading ---- */

struct cursor {
	const uint8_t *at, *end;
};

static bool take_varint(struct cursor *c, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; shift < 64 && c->at < c->end; shift += 7) {
		uint8_t byte = *c->at++;
		*out |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool take_bytes(struct cursor *c, uint64_t len, struct sample_text *out)
{
	if (len > (uint64_t)(c->end - c->at))
		return false;
	*out = (struct sample_text){(const char *)c->at, (size_t)len};
	c->at += len;
	return true;
}

/* One field of a message: a number, or a text. */
struct value {
	uint64_t number; /* of the field */
	bool is_text;
	uint64_t v;
	struct sample_text text;
};

static bool take_value(struct cursor *c, struct value *out)
{
	uint64_t tag;
	*out = (struct value){0};
	if (!take_varint(c, &tag) || tag >> 3 == 0)
		return false;
	out->number = tag >> 3;
	switch (tag & 7) {
	case WIRE_VARINT:
		return take_varint(c, &out->v);
	case WIRE_LENGTH:
		out->is_text = true;
		return take_varint(c, &out->v) && take_bytes(c, out->v, &out->text);
	case WIRE_FIXED64:
	case WIRE_FIXED32: /* none of ours */
		out->number = 0;
		return take_bytes(c, (tag & 7) == WIRE_FIXED64 ? 8 : 4, &out->text);
	}
	return false;
}

static bool take_field(struct sample_text bytes, struct sample_field *out)
{
	struct cursor c = {(const uint8_t *)bytes.at, (const uint8_t *)bytes.at + bytes.len};
	struct value v;
	*out = (struct sample_field){{"", 0}, {NULL, 0}};
	while (c.at < c.end) {
		if (!take_value(&c, &v))
			return false;
		if (v.is_text && v.number == FIELD_NAME)
			out->name = v.text;
		else if (v.is_text && v.number == FIELD_VALUE)
			out->value = v.text;
	}
	return true;
}

static void set_text(struct sample *s, uint64_t number, struct sample_text t)
{
	struct sample_text *const places[] = {
		[SAMPLE_LISTENER] = &s->listener,
		[SAMPLE_ROUTE] = &s->route,
		[SAMPLE_CLUSTER] = &s->cluster,
		[SAMPLE_SERVICE] = &s->service,
		[SAMPLE_METHOD] = &s->method,
		[SAMPLE_PAYLOAD] = &s->payload,
		[SAMPLE_ENDED_BY] = &s->ended_by,
		[SAMPLE_REASON] = &s->reason,
	};
	if (number < sizeof places / sizeof *places && places[number])
		*places[number] = t;
}

static void set_number(struct sample *s, uint64_t number, uint64_t v)
{
	if (number == SAMPLE_TIME)
		s->time_ns = v;
	else if (number == SAMPLE_STREAM)
		s->stream = v;
	else if (number == SAMPLE_DIRECTION)
		s->direction = v <= SAMPLE_DIRECTION_RECEIVED ? (enum sample_direction)v
							      : SAMPLE_DIRECTION_UNKNOWN;
	else if (number == SAMPLE_MESSAGE)
		s->message = v;
	else if (number == SAMPLE_SIZE)
		s->size = v;
	else if (number == SAMPLE_COMPRESSED)
		s->compressed = v != 0;
	else if (number == SAMPLE_CUT)
		s->cut = v != 0;
	else if (number == SAMPLE_WORKER)
		s->worker = (uint32_t)v;
	else if (number == SAMPLE_EVENT)
		s->event = v == SAMPLE_EVENT_END ? SAMPLE_EVENT_END : SAMPLE_EVENT_MESSAGE;
	else if (number == SAMPLE_HTTP_STATUS)
		s->http_status = (uint16_t)v;
	else if (number == SAMPLE_GRPC_STATUS)
		s->grpc_status = v < GRPC_STATUS_COUNT ? (int16_t)v : GRPC_UNKNOWN;
	for (int i = 0; i < SAMPLE_LISTS; i++)
		if (number == lists[i].cut)
			s->lists[i].cut = v != 0;
}

static struct sample_fields *list_of(struct sample *s, uint64_t number)
{
	for (int i = 0; i < SAMPLE_LISTS; i++)
		if (number == lists[i].fields)
			return &s->lists[i];
	return NULL;
}

/* Fields of a list stand one behind the other, as sample_encode writes them. */
static bool add_field(
	struct sample_text *fields, const char *from, const uint8_t *to, struct sample_text t)
{
	struct sample_field unused;
	const char *end = (const char *)to;
	if (fields->len && fields->at + fields->len != from)
		return false;
	if (!fields->len)
		fields->at = from;
	fields->len = (size_t)(end - fields->at);
	return take_field(t, &unused);
}

int64_t sample_record_bytes(const void *bytes, size_t len)
{
	const uint8_t *b = bytes;
	if (len < SAMPLE_LENGTH_BYTES)
		return 0;
	uint32_t n = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
	if (n > SAMPLE_RECORD_BYTES_MAX)
		return ERR_LIMIT;
	return len - SAMPLE_LENGTH_BYTES < n ? 0 : (int64_t)n + SAMPLE_LENGTH_BYTES;
}

int sample_decode(const void *bytes, size_t len, struct sample *out)
{
	struct cursor c = {bytes, (const uint8_t *)bytes + len};
	struct value v;
	static const struct sample_text none = {"", 0};
	*out = (struct sample){.listener = none,
		.route = none,
		.cluster = none,
		.service = none,
		.method = none,
		.payload = none,
		.lists = {{none, false}, {none, false}, {none, false}},
		.grpc_status = -1,
		.ended_by = none,
		.reason = none};
	while (c.at < c.end) {
		const char *from = (const char *)c.at;
		if (!take_value(&c, &v))
			return ERR_INVALID;
		struct sample_fields *list = v.is_text ? list_of(out, v.number) : NULL;
		if (list) {
			if (!add_field(&list->fields, from, c.at, v.text))
				return ERR_INVALID;
		} else if (v.is_text) {
			set_text(out, v.number, v.text);
		} else {
			set_number(out, v.number, v.v);
		}
	}
	return 0;
}

bool sample_field_next(struct sample_text *fields, struct sample_field *out)
{
	struct cursor c = {(const uint8_t *)fields->at, (const uint8_t *)fields->at + fields->len};
	struct value v;
	if (!fields->len || !take_value(&c, &v) || !take_field(v.text, out))
		return false;
	*fields = (struct sample_text){(const char *)c.at, (size_t)(c.end - c.at)};
	return true;
}

/* ---- JSON ---- */

static void put_base64(struct jsonw *j, const char *key, struct sample_text t)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *b = (const uint8_t *)t.at;
	struct buf text;
	buf_init(&text);
	for (size_t i = 0; i < t.len; i += 3) {
		size_t left = t.len - i;
		uint32_t bits = (uint32_t)b[i] << 16 | (left > 1 ? (uint32_t)b[i + 1] << 8 : 0) |
				(left > 2 ? b[i + 2] : 0u);
		char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
			left > 1 ? digits[bits >> 6 & 63] : '=',
			left > 2 ? digits[bits & 63] : '='};
		buf_add(&text, four, sizeof four);
	}
	jsonw_text(j, key, text.bytes, text.len);
	j->out->failed |= text.failed;
	buf_fini(&text);
}

static void put_list(struct jsonw *j, const char *key, struct sample_text fields)
{
	struct sample_field f;
	jsonw_array(j, key);
	while (sample_field_next(&fields, &f)) {
		jsonw_array(j, NULL);
		jsonw_text(j, NULL, f.name.at, f.name.len);
		if (f.value.at)
			jsonw_text(j, NULL, f.value.at, f.value.len);
		else
			jsonw_null(j, NULL);
		jsonw_end(j);
	}
	jsonw_end(j);
}

static void put_message(struct jsonw *j, const struct sample *s)
{
	static const char *const directions[] = {"unknown", "sent", "received"};
	jsonw_str(j, "direction", directions[s->direction]);
	jsonw_u64(j, "message", s->message);
	jsonw_u64(j, "size", s->size);
	jsonw_bool(j, "compressed", s->compressed);
	jsonw_bool(j, "cut", s->cut);
	jsonw_bool(j, "truncated", s->payload.len < s->size);
	put_base64(j, "payload", s->payload);
}

static void put_end(struct jsonw *j, const struct sample *s)
{
	if (s->http_status)
		jsonw_u64(j, "http_status", s->http_status);
	if (s->grpc_status >= 0)
		jsonw_str(j, "grpc_status", grpc_status_name((unsigned)s->grpc_status));
	jsonw_text(j, "ended_by", s->ended_by.at, s->ended_by.len);
	jsonw_text(j, "reason", s->reason.at, s->reason.len);
}

/* The request's are always there, the others when they had come. */
static void put_lists(struct jsonw *j, const struct sample *s)
{
	for (int i = 0; i < SAMPLE_LISTS; i++) {
		const struct sample_fields *l = &s->lists[i];
		if (i != SAMPLE_LIST_REQUEST && !l->fields.len && !l->cut)
			continue;
		put_list(j, lists[i].key, l->fields);
		jsonw_bool(j, lists[i].cut_key, l->cut);
	}
}

void sample_json(struct jsonw *j, const char *key, const struct sample *s)
{
	char time[CLOCK_TEXT_BYTES], id[QUERY_ID_BYTES];
	clock_text(s->time_ns, time);
	query_id_text(s->worker, s->stream, id);
	jsonw_object(j, key);
	jsonw_str(j, "time", time);
	jsonw_str(j, "event", s->event == SAMPLE_EVENT_END ? "end" : "message");
	jsonw_str(j, "stream", id);
	jsonw_text(j, "listener", s->listener.at, s->listener.len);
	jsonw_text(j, "route", s->route.at, s->route.len);
	jsonw_text(j, "cluster", s->cluster.at, s->cluster.len);
	jsonw_text(j, "service", s->service.at, s->service.len);
	jsonw_text(j, "method", s->method.at, s->method.len);
	if (s->event == SAMPLE_EVENT_END)
		put_end(j, s);
	else
		put_message(j, s);
	put_lists(j, s);
	jsonw_end(j);
}

int sample_lines(const void *bytes, size_t len, struct buf *out, size_t *used)
{
	const char *b = bytes;
	for (*used = 0;;) {
		struct sample s;
		struct jsonw j;
		int64_t n = sample_record_bytes(b + *used, len - *used);
		if (n <= 0)
			return (int)n;
		if (sample_decode(b + *used + SAMPLE_LENGTH_BYTES, (size_t)n - SAMPLE_LENGTH_BYTES,
			    &s) != 0)
			return ERR_INVALID;
		jsonw_begin(&j, out);
		sample_json(&j, NULL, &s);
		buf_char(out, '\n');
		*used += (size_t)n;
	}
}
