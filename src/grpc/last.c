#include "grpc/last.h"
#include <strings.h>
#include "base/ascii.h"
#include "grpc/gunzip.h"
#include "grpc/status.h"

#define COMPRESSED 0x01 /* in the first byte of an envelope, on every wire */
#define TOO_LONG   UINT8_MAX

/* --- gRPC-Web: a section of header fields, as HTTP/1 writes them --------------------------------
 */

static const char name[] = "grpc-status:";
#define NAME_LEN   (sizeof(name) - 1)
#define OTHER_LINE UINT8_MAX

static void fields_byte(struct grpc_last_fields *f, uint8_t c)
{
	if (c == '\n') {
		f->value_is_whole |= f->matched == NAME_LEN;
		f->matched = 0;
	} else if (f->matched < NAME_LEN) {
		f->matched = ascii_lower((char)c) == name[f->matched] ? f->matched + 1 : OTHER_LINE;
	} else if (f->matched == NAME_LEN && !f->value_is_whole && c != ' ' && c != '\t' &&
		   c != '\r' && f->len < sizeof(f->value)) {
		f->value[f->len++] = (char)c;
	}
}

/* --- Connect: JSON (RFC 8259) -------------------------------------------------------------------
 */

static bool string_is(const struct grpc_last_json *j, const char *text)
{
	return j->len == strlen(text) && !memcmp(j->text, text, j->len);
}

/* Connect's codes are gRPC's names in lower case, but for one; -1: it is none of them. */
static int8_t code_of(const struct grpc_last_json *j)
{
	char text[sizeof(j->text) + 1];
	if (j->len > sizeof(j->text))
		return -1;
	memcpy(text, j->text, j->len);
	text[j->len] = '\0';
	if (!strcmp(text, "canceled"))
		return GRPC_CANCELLED;
	for (int i = GRPC_UNKNOWN; i < GRPC_STATUS_COUNT; i++)
		if (!strcasecmp(text, grpc_status_name((unsigned)i)))
			return (int8_t)i;
	return -1;
}

static void string_ended(struct grpc_last_json *j, int8_t *status)
{
	bool at_code = j->on == j->want;
	if (j->depth == 0)
		j->over = j->lost = true;
	if (j->depth != j->on)
		return; /* somewhere else */
	if (!j->value)
		j->named = string_is(j, at_code ? "code" : "error");
	else if (at_code && j->named && *status < 0)
		*status = code_of(j);
}

static void string_byte(struct grpc_last_json *j, uint8_t c, int8_t *status)
{
	if (j->escape) {
		j->escape = false;
		j->len = TOO_LONG; /* nothing that matters needs one */
	} else if (c == '\\') {
		j->escape = true;
	} else if (c == '"') {
		j->string = false;
		string_ended(j, status);
	} else if (j->len < sizeof(j->text)) {
		j->text[j->len++] = (char)c;
	} else {
		j->len = TOO_LONG;
	}
}

static void open_bracket(struct grpc_last_json *j, bool object)
{
	if (j->depth == UINT8_MAX || (j->depth == 0 && !object)) {
		j->over = j->lost = true;
		return;
	}
	if (object && j->depth == j->on && j->on < j->want &&
		(j->on == 0 || (j->value && j->named)))
		j->reached |= ++j->on == j->want;
	j->depth++;
	j->value = false;
}

static void close_bracket(struct grpc_last_json *j)
{
	if (j->depth == 0) {
		j->over = j->lost = true;
		return;
	}
	if (j->on == j->depth)
		j->on--;
	j->value = true;
	j->over = --j->depth == 0;
}

static void json_byte(struct grpc_last_json *j, uint8_t c, int8_t *status)
{
	if (j->over)
		return;
	if (j->string)
		string_byte(j, c, status);
	else if (c == '{' || c == '[')
		open_bracket(j, c == '{');
	else if (c == '}' || c == ']')
		close_bracket(j);
	else if (c == ':' || c == ',')
		j->value = c == ':';
	else if (c == '"') {
		j->string = true;
		j->len = 0;
	}
}

/* A stream without an error ended well; an error without a code that is known is UNKNOWN. */
static int8_t json_status(const struct grpc_last_json *j, int8_t status)
{
	if (status >= 0)
		return status;
	if (j->want == 1 || !j->over || j->lost)
		return GRPC_LAST_UNREAD;
	return j->reached ? GRPC_UNKNOWN : GRPC_OK;
}

/* --- envelopes ----------------------------------------------------------------------------------
 */

static bool is_json(const struct grpc_last *l)
{
	return l->walk.wire == GRPC_WIRE_CONNECT_STREAM || l->walk.wire == GRPC_WIRE_CONNECT_UNARY;
}

static void begin(struct grpc_last *l)
{
	memset(&l->in, 0, sizeof(l->in));
	if (is_json(l))
		l->in.json.want = l->walk.wire == GRPC_WIRE_CONNECT_UNARY ? 1 : 2;
	l->status = -1;
	l->looked = 0;
}

static void look(struct grpc_last *l, const uint8_t *at, size_t len)
{
	size_t left = GRPC_LAST_BYTES - l->looked;
	const uint8_t *end = at + (len < left ? len : left);
	l->looked = (uint16_t)(l->looked + (end - at));
	for (; at < end; at++) {
		if (is_json(l))
			json_byte(&l->in.json, *at, &l->status);
		else
			fields_byte(&l->in.fields, *at);
	}
}

static int8_t status_of(const struct grpc_last *l)
{
	const struct grpc_last_fields *f = &l->in.fields;
	if (is_json(l))
		return json_status(&l->in.json, l->status);
	int status = grpc_status_parse(f->value, f->len);
	return status < 0 ? GRPC_LAST_UNREAD : (int8_t)status;
}

/* Until it is whole. */
static void keep(struct grpc_last *l, const uint8_t *at, size_t len)
{
	if (l->kept.failed)
		return;
	if (l->unpacked < GRPC_LAST_UNPACK && len <= GRPC_LAST_BYTES - l->kept.len) {
		buf_add(&l->kept, at, len);
		return;
	}
	buf_fini(&l->kept);
	l->kept.failed = true;
}

/* The same as if what is kept had come as it is unpacked. */
static int8_t status_of_kept(struct grpc_last *l)
{
	uint8_t bytes[GRPC_LAST_BYTES];
	size_t len;
	int8_t status = GRPC_LAST_UNREAD;
	if (!l->kept.failed && l->kept.len) {
		l->unpacked++;
		if (grpc_gunzip(l->kept.bytes, l->kept.len, bytes, sizeof(bytes), &len) == 0) {
			look(l, bytes, len);
			status = status_of(l);
		}
	}
	buf_fini(&l->kept);
	return status;
}

static bool is_last(const struct grpc_walker *w)
{
	return w->flag & w->skip;
}

/* At most the rest of a prefix or of a payload. */
static const uint8_t *step(struct grpc_last *l, const uint8_t *at, const uint8_t *end)
{
	struct grpc_walker *w = &l->walk;
	bool prefix = w->have < GRPC_PREFIX_BYTES;
	uint64_t want = prefix ? GRPC_PREFIX_BYTES - (uint64_t)w->have : w->left;
	size_t n = (size_t)(end - at) < want ? (size_t)(end - at) : (size_t)want;
	uint32_t size;
	if (!prefix && is_last(w))
		(w->flag & COMPRESSED ? keep : look)(l, at, n);
	(void)grpc_walk_slowly(w, &at, at + n, &size);
	if (!is_last(w))
		return at;
	if (prefix && n == want)
		begin(l);
	if (w->have == 0)
		l->decided = w->flag & COMPRESSED ? status_of_kept(l) : status_of(l);
	return at;
}

static void take(struct grpc_last *l, const uint8_t *at, size_t len)
{
	const uint8_t *end = at + len;
	uint32_t size;
	while (at < end) {
		size_t left = (size_t)(end - at);
		if (grpc_walk_prefix(&l->walk, at, left, &size) && size <= left - GRPC_PREFIX_BYTES)
			at += GRPC_PREFIX_BYTES + size;
		else
			at = step(l, at, end);
	}
}

static void take_text(struct grpc_last *l, const uint8_t *at, size_t len)
{
	uint8_t bytes[256];
	size_t n = 0;
	for (const uint8_t *end = at + len; at < end; at++) {
		n += grpc_text_byte(&l->walk, *at, &bytes[n]);
		if (n == sizeof(bytes) || at + 1 == end) {
			take(l, bytes, n);
			n = 0;
		}
	}
}

void grpc_last_init(struct grpc_last *l, enum grpc_wire wire, bool unary_is_compressed)
{
	*l = (struct grpc_last){.text = wire == GRPC_WIRE_WEB_TEXT,
		.packed = wire == GRPC_WIRE_CONNECT_UNARY && unary_is_compressed,
		.decided = GRPC_LAST_ABSENT};
	buf_init(&l->kept);
	grpc_walker_init(&l->walk, l->text ? GRPC_WIRE_WEB : wire);
	begin(l);
}

void grpc_last_fini(struct grpc_last *l)
{
	buf_fini(&l->kept);
}

void grpc_last_take(struct grpc_last *l, const uint8_t *at, size_t len)
{
	if (l->walk.wire == GRPC_WIRE_CONNECT_UNARY)
		(l->packed ? keep : look)(l, at, len);
	else if (l->text)
		take_text(l, at, len);
	else
		take(l, at, len);
}

void grpc_last_finish(struct grpc_last *l)
{
	if (l->packed)
		l->decided = status_of_kept(l);
}

int grpc_last_status(const struct grpc_last *l)
{
	bool is_open = l->walk.wire == GRPC_WIRE_CONNECT_UNARY && !l->packed;
	return is_open ? status_of(l) : l->decided;
}
