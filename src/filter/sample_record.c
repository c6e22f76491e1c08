#include "filter/sample_record.h"
#include "base/clock.h"
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
};
enum { FIELD_NAME = 1, FIELD_VALUE };
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 };

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

void sample_field_encode(struct buf *out, const struct sample_field *f)
{
	size_t m = pb_begin(out, SAMPLE_METADATA);
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
	if (s->metadata.len)
		buf_add(out, s->metadata.at, s->metadata.len);
	put_number(out, SAMPLE_METADATA_CUT, s->metadata_cut);
	put_number(out, SAMPLE_WORKER, s->worker);
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
	else if (number == SAMPLE_METADATA_CUT)
		s->metadata_cut = v != 0;
	else if (number == SAMPLE_WORKER)
		s->worker = (uint32_t)v;
}

/* Fields of the metadata stand one behind the other, as sample_encode writes them. */
static bool add_metadata(
	struct sample *s, const char *from, const uint8_t *to, struct sample_text t)
{
	struct sample_field unused;
	const char *end = (const char *)to;
	if (s->metadata.len && s->metadata.at + s->metadata.len != from)
		return false;
	if (!s->metadata.len)
		s->metadata.at = from;
	s->metadata.len = (size_t)(end - s->metadata.at);
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
		.metadata = none};
	while (c.at < c.end) {
		const char *from = (const char *)c.at;
		if (!take_value(&c, &v))
			return ERR_INVALID;
		if (v.is_text && v.number == SAMPLE_METADATA) {
			if (!add_metadata(out, from, c.at, v.text))
				return ERR_INVALID;
		} else if (v.is_text) {
			set_text(out, v.number, v.text);
		} else {
			set_number(out, v.number, v.v);
		}
	}
	return 0;
}

bool sample_field_next(struct sample_text *metadata, struct sample_field *out)
{
	struct cursor c = {
		(const uint8_t *)metadata->at, (const uint8_t *)metadata->at + metadata->len};
	struct value v;
	if (!metadata->len || !take_value(&c, &v) || !take_field(v.text, out))
		return false;
	*metadata = (struct sample_text){(const char *)c.at, (size_t)(c.end - c.at)};
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

static void put_metadata(struct jsonw *j, struct sample_text metadata)
{
	struct sample_field f;
	jsonw_array(j, "metadata");
	while (sample_field_next(&metadata, &f)) {
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

void sample_json(struct jsonw *j, const char *key, const struct sample *s)
{
	static const char *const directions[] = {"unknown", "sent", "received"};
	char time[CLOCK_TEXT_BYTES], id[QUERY_ID_BYTES];
	clock_text(s->time_ns, time);
	query_id_text(s->worker, s->stream, id);
	jsonw_object(j, key);
	jsonw_str(j, "time", time);
	jsonw_str(j, "stream", id);
	jsonw_text(j, "listener", s->listener.at, s->listener.len);
	jsonw_text(j, "route", s->route.at, s->route.len);
	jsonw_text(j, "cluster", s->cluster.at, s->cluster.len);
	jsonw_text(j, "service", s->service.at, s->service.len);
	jsonw_text(j, "method", s->method.at, s->method.len);
	jsonw_str(j, "direction", directions[s->direction]);
	jsonw_u64(j, "message", s->message);
	jsonw_u64(j, "size", s->size);
	jsonw_bool(j, "compressed", s->compressed);
	jsonw_bool(j, "cut", s->cut);
	jsonw_bool(j, "truncated", s->payload.len < s->size);
	put_base64(j, "payload", s->payload);
	put_metadata(j, s->metadata);
	jsonw_bool(j, "metadata_cut", s->metadata_cut);
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
