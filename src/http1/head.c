/* head.c - heads: from lines to fields in the shape of HTTP/2 (RFC 9112 sections 2.3 to 6). */
#include <string.h>
#include "base/ascii.h"
#include "http1/conn_priv.h"

enum {
	METHOD_BYTES = 32,
	NAME_BYTES = 256,   /* the longest field name */
	LENGTH_DIGITS = 18, /* of a Content-Length: far from overflow */
	NOMINATED_MAX = 16, /* names in Connection */
};

/* Puts a pseudo-header where it belongs; false without memory. */
static bool add(struct http1_conn *c, enum token t, const void *value, size_t len)
{
	return fields_add_token(c->fields, t, value, len) == 0;
}

static bool parse_version(const uint8_t *s, size_t len, unsigned *major, unsigned *minor)
{
	if (len != 8 || memcmp(s, "HTTP/", 5) || s[5] < '0' || s[5] > '9' || s[6] != '.' ||
		s[7] < '0' || s[7] > '9')
		return false;
	*major = s[5] - '0';
	*minor = s[7] - '0';
	return true;
}

static enum http1_fault add_target(struct http1_conn *c, const char *scheme,
	const uint8_t *authority, size_t authority_len, const uint8_t *path, size_t path_len)
{
	/* The authority of origin form is the Host header's; its place is kept for it. */
	bool ok = add(c, TOKEN_SCHEME, scheme, strlen(scheme)) &&
		  add(c, TOKEN_AUTHORITY, authority, authority_len) &&
		  add(c, TOKEN_PATH, path, path_len);
	return ok ? HTTP1_NO_FAULT : HTTP1_FAULT_NO_MEMORY;
}

/* RFC 9112 3.2.2: "http://authority/path?query"; an empty path is "/", or "*" of OPTIONS (3.2.4).
 */
static enum http1_fault parse_absolute(
	struct http1_conn *c, const uint8_t *target, size_t len, bool is_options)
{
	const char *scheme = NULL;
	size_t at = 0;
	if (len > 7 && http1_text_is(target, 7, "http://"))
		scheme = "http", at = 7;
	else if (len > 8 && http1_text_is(target, 8, "https://"))
		scheme = "https", at = 8;
	else
		return HTTP1_FAULT_TARGET;
	size_t end = at;
	while (end < len && target[end] != '/' && target[end] != '?')
		end++;
	if (end == at || !http1_is_authority(target + at, end - at))
		return HTTP1_FAULT_TARGET;
	const uint8_t *authority = target + at;
	if (end == len)
		return add_target(c, scheme, authority, end - at,
			(const uint8_t *)(is_options ? "*" : "/"), 1);
	if (target[end] == '/')
		return add_target(c, scheme, authority, end - at, target + end, len - end);
	char *path = fields_alloc(c->fields, 1 + len - end);
	if (!path)
		return HTTP1_FAULT_NO_MEMORY;
	path[0] = '/';
	memcpy(path + 1, target + end, len - end);
	return add_target(c, scheme, authority, end - at, (const uint8_t *)path, 1 + len - end);
}

static enum http1_fault parse_target(struct http1_conn *c, const uint8_t *method, size_t method_len,
	const uint8_t *target, size_t len)
{
	bool is_options = method_len == 7 && !memcmp(method, "OPTIONS", 7);
	if (!http1_is_target(target, len))
		return HTTP1_FAULT_TARGET;
	c->connect_request = method_len == 7 && !memcmp(method, "CONNECT", 7);
	if (c->connect_request) {
		/* RFC 9112 3.2.3; the port is not optional. HTTP/2's shape has no scheme and no
		 * path. */
		if (!http1_is_authority(target, len) || !memchr(target, ':', len))
			return HTTP1_FAULT_TARGET;
		return add(c, TOKEN_AUTHORITY, target, len) ? HTTP1_NO_FAULT
							    : HTTP1_FAULT_NO_MEMORY;
	}
	if (target[0] == '/' || (is_options && len == 1 && target[0] == '*'))
		return add_target(c, c->o.scheme, NULL, 0, target, len);
	return parse_absolute(c, target, len, is_options);
}

enum http1_fault http1_parse_request_line(struct http1_conn *c, const uint8_t *line, uint32_t len)
{
	const uint8_t *end = line + len, *space = memchr(line, ' ', len);
	const uint8_t *second = space ? memchr(space + 1, ' ', (size_t)(end - space - 1)) : NULL;
	unsigned major, minor;
	if (!second || !parse_version(second + 1, (size_t)(end - second - 1), &major, &minor))
		return HTTP1_FAULT_REQUEST_LINE;
	if (major != 1)
		return HTTP1_FAULT_VERSION;
	size_t method_len = (size_t)(space - line);
	if (method_len > METHOD_BYTES || !http1_is_token(line, method_len))
		return HTTP1_FAULT_METHOD;
	c->version = minor ? HTTP1_1_1 : HTTP1_1_0;
	c->close_after |= !minor;
	c->head_request = method_len == 4 && !memcmp(line, "HEAD", 4);
	if (!add(c, TOKEN_METHOD, line, method_len))
		return HTTP1_FAULT_NO_MEMORY;
	return parse_target(c, line, method_len, space + 1, (size_t)(second - space - 1));
}

enum http1_fault http1_parse_status_line(struct http1_conn *c, const uint8_t *line, uint32_t len)
{
	unsigned major, minor;
	if (len < 12 || !parse_version(line, 8, &major, &minor) || line[8] != ' ')
		return HTTP1_FAULT_STATUS_LINE;
	if (major != 1)
		return HTTP1_FAULT_VERSION;
	const uint8_t *digits = line + 9;
	for (unsigned i = 0; i < 3; i++)
		if (digits[i] < '0' || digits[i] > '9')
			return HTTP1_FAULT_STATUS_LINE;
	c->status = (digits[0] - '0') * 100u + (digits[1] - '0') * 10u + (digits[2] - '0');
	/* Many leave out the space before an empty reason (RFC 9112 4 wants it). */
	bool reason_ok =
		len == 12 || (line[12] == ' ' && http1_is_field_value(line + 13, len - 13));
	if (c->status < 100 || c->status > 599 || !reason_ok)
		return HTTP1_FAULT_STATUS_LINE;
	if (c->status == 101)
		return HTTP1_FAULT_SWITCHED;
	c->version = minor ? HTTP1_1_1 : HTTP1_1_0;
	c->close_after |= !minor;
	return add(c, TOKEN_STATUS, digits, 3) ? HTTP1_NO_FAULT : HTTP1_FAULT_NO_MEMORY;
}

enum http1_fault http1_parse_field(struct http1_conn *c, const uint8_t *line, uint32_t len)
{
	uint8_t name[NAME_BYTES];
	if (line[0] == ' ' || line[0] == '\t')
		return HTTP1_FAULT_FIELD_FOLDED;
	const uint8_t *colon = memchr(line, ':', len);
	if (!colon)
		return HTTP1_FAULT_FIELD_LINE;
	size_t name_len = (size_t)(colon - line);
	if (name_len > sizeof name || !http1_is_token(line, name_len))
		return HTTP1_FAULT_FIELD_NAME;
	for (size_t i = 0; i < name_len; i++)
		name[i] = (uint8_t)ascii_lower((char)line[i]);
	const uint8_t *value = colon + 1, *end = line + len;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	size_t value_len = (size_t)(end - value);
	if (!http1_is_field_value(value, value_len))
		return HTTP1_FAULT_FIELD_VALUE;
	if (c->fields->count >= c->o.header_count)
		return HTTP1_FAULT_FIELDS_TOO_MANY;
	if (c->fields->list_bytes + name_len + value_len + 32 > c->o.header_bytes)
		return HTTP1_FAULT_FIELDS_TOO_LARGE;
	return fields_add(c->fields, name, name_len, value, value_len) ? HTTP1_FAULT_NO_MEMORY
								       : HTTP1_NO_FAULT;
}

/* 1*DIGIT, once: no sign, no list (RFC 9110 8.6). */
bool http1_parse_length(const struct field *f, uint64_t *out)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < f->value_len; i++) {
		if (f->value[i] < '0' || f->value[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(f->value[i] - '0');
	}
	*out = n;
	return f->value_len > 0 && f->value_len <= LENGTH_DIGITS;
}

/* What connection-specific and framing fields of a head say. */
struct facts {
	unsigned hosts, lengths, codings, nominated_count;
	uint64_t length;
	const struct field *host;
	struct {
		const char *name;
		size_t len;
	} nominated[NOMINATED_MAX]; /* in Connection: names that end here */
};

static bool is_framing_name(const char *s, size_t len)
{
	return http1_text_is(s, len, "host") || http1_text_is(s, len, "content-length") ||
	       http1_text_is(s, len, "transfer-encoding");
}

static enum http1_fault read_connection(
	struct http1_conn *c, const struct field *f, struct facts *facts)
{
	const char *at = f->value, *end = f->value + f->value_len;
	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma ? comma : end, *next = comma ? comma + 1 : end;
		while (at < stop && (*at == ' ' || *at == '\t'))
			at++;
		while (stop > at && (stop[-1] == ' ' || stop[-1] == '\t'))
			stop--;
		size_t len = (size_t)(stop - at);
		if (http1_text_is(at, len, "close")) {
			c->close_after = true;
		} else if (len) {
			/* Whoever is told to drop a framing field reads another message than we do.
			 */
			if (!http1_is_token((const uint8_t *)at, len) || is_framing_name(at, len) ||
				facts->nominated_count == NOMINATED_MAX)
				return HTTP1_FAULT_CONNECTION;
			facts->nominated[facts->nominated_count].name = at;
			facts->nominated[facts->nominated_count++].len = len;
		}
		at = next;
	}
	return HTTP1_NO_FAULT;
}

static enum http1_fault read_coding(
	struct http1_conn *c, const struct field *f, struct facts *facts)
{
	if (c->version == HTTP1_1_0) /* RFC 9112 6.1: framing is faulty */
		return HTTP1_FAULT_TRANSFER_IN_1_0;
	if (facts->codings++ || !http1_text_is(f->value, f->value_len, "chunked"))
		return HTTP1_FAULT_TRANSFER_ENCODING;
	return HTTP1_NO_FAULT;
}

static enum http1_fault read_expect(struct http1_conn *c, const struct field *f)
{
	if (!http1_text_is(f->value, f->value_len, "100-continue"))
		return HTTP1_FAULT_EXPECT;
	c->expects_continue = c->version == HTTP1_1_1; /* RFC 9110 10.1.1 */
	return HTTP1_NO_FAULT;
}

static enum http1_fault read_field(struct http1_conn *c, const struct field *f, struct facts *facts)
{
	if (f->token == TOKEN_CONTENT_LENGTH)
		return facts->lengths++ || !http1_parse_length(f, &facts->length)
			       ? HTTP1_FAULT_CONTENT_LENGTH
			       : HTTP1_NO_FAULT;
	if (f->token == TOKEN_TRANSFER_ENCODING)
		return read_coding(c, f, facts);
	if (f->token == TOKEN_CONNECTION)
		return read_connection(c, f, facts);
	if (c->role == HTTP1_SERVER && f->token == TOKEN_EXPECT)
		return read_expect(c, f);
	if (f->token == TOKEN_HOST) {
		facts->hosts++;
		facts->host = f;
	}
	return HTTP1_NO_FAULT;
}

static bool ends_here(const struct http1_conn *c, const struct field *f, const struct facts *facts)
{
	unsigned flags = token_flags((enum token)f->token);
	if (flags & TF_PSEUDO)
		return false;
	if (flags & TF_HOP)
		return true;
	if (f->token == TOKEN_TE)
		return !http1_text_is(f->value, f->value_len, "trailers");
	if (c->role == HTTP1_SERVER && (f->token == TOKEN_HOST || f->token == TOKEN_EXPECT))
		return true;
	for (unsigned i = 0; i < facts->nominated_count; i++) {
		if (facts->nominated[i].len != f->name_len)
			continue;
		size_t same = 0;
		while (same < f->name_len &&
			(facts->nominated[i].name[same] == f->name[same] ||
				((uint8_t)(facts->nominated[i].name[same] - 'A') < 26 &&
					(facts->nominated[i].name[same] | 0x20) == f->name[same])))
			same++;
		if (same == f->name_len)
			return true;
	}
	return false;
}

static void keep_end_to_end(const struct http1_conn *c, const struct facts *facts)
{
	struct fields *f = c->fields;
	struct field *list = fields_own(f);
	uint32_t kept = 0;
	for (uint32_t i = 0; i < f->count; i++) {
		if (ends_here(c, &list[i], facts))
			f->list_bytes -= list[i].name_len + list[i].value_len + 32;
		else
			list[kept++] = list[i];
	}
	f->count = kept;
}

/* RFC 9112 3.2: one valid Host in HTTP/1.1. Absolute and authority form overrule it (3.2.2). */
static enum http1_fault apply_host(struct http1_conn *c, const struct facts *facts)
{
	const struct field *host = facts->host;
	if (facts->hosts > 1 || (!facts->hosts && c->version == HTTP1_1_1))
		return HTTP1_FAULT_HOST;
	if (host && !http1_is_authority((const uint8_t *)host->value, host->value_len))
		return HTTP1_FAULT_HOST;
	const struct field *authority = fields_get(c->fields, TOKEN_AUTHORITY);
	if (authority && authority->value_len)
		return HTTP1_NO_FAULT;
	if (!host || !host->value_len)
		fields_remove(c->fields, TOKEN_AUTHORITY);
	else if (fields_set(c->fields, TOKEN_AUTHORITY, host->value, host->value_len))
		return HTTP1_FAULT_NO_MEMORY;
	return HTTP1_NO_FAULT;
}

/* RFC 9112 6.3. */
static enum http1_fault decide_framing(
	struct http1_conn *c, const struct facts *facts, struct http1_framing *out)
{
	*out = (struct http1_framing){HTTP1_NO_CONTENT, 0};
	if (facts->codings && facts->lengths)
		return HTTP1_FAULT_LENGTH_AND_CHUNKED;
	if (c->role == HTTP1_CLIENT &&
		(c->head_request || c->status < 200 || c->status == 204 || c->status == 304)) {
		/* A 204 with content is a server that we don't understand: not another word with
		 * it. */
		c->close_after |= c->status == 204 && (facts->length || facts->codings);
		return HTTP1_NO_FAULT;
	}
	if (c->role == HTTP1_SERVER && c->connect_request && (facts->codings || facts->lengths))
		return HTTP1_FAULT_CONTENT_LENGTH;
	if (facts->codings) {
		out->kind = HTTP1_IN_CHUNKS;
	} else if (facts->length) {
		*out = (struct http1_framing){HTTP1_WITH_LENGTH, facts->length};
	} else if (!facts->lengths && c->role == HTTP1_CLIENT) {
		out->kind = HTTP1_TO_THE_END;
		c->close_after = true;
	}
	return HTTP1_NO_FAULT;
}

enum http1_fault http1_finish_head(struct http1_conn *c, struct http1_framing *out)
{
	struct facts facts = {0};
	enum http1_fault fault = HTTP1_NO_FAULT;
	for (uint32_t i = 0; i < c->fields->count && fault == HTTP1_NO_FAULT; i++)
		fault = read_field(c, &fields_list(c->fields)[i], &facts);
	if (fault == HTTP1_NO_FAULT)
		fault = decide_framing(c, &facts, out);
	if (fault == HTTP1_NO_FAULT && c->role == HTTP1_SERVER)
		fault = apply_host(c, &facts);
	if (fault != HTTP1_NO_FAULT)
		return fault;
	c->close_after |= c->connect_request;
	keep_end_to_end(c, &facts);
	return HTTP1_NO_FAULT;
}

/* RFC 9110 6.5.1: what frames, routes or authenticates a message has no business behind it. */
void http1_finish_trailers(struct fields *f)
{
	static const enum token forbidden[] = {TOKEN_CONTENT_LENGTH, TOKEN_TRANSFER_ENCODING,
		TOKEN_HOST, TOKEN_TE, TOKEN_EXPECT, TOKEN_CONNECTION, TOKEN_KEEP_ALIVE,
		TOKEN_PROXY_CONNECTION, TOKEN_UPGRADE, TOKEN_HTTP2_SETTINGS, TOKEN_TRAILER,
		TOKEN_AUTHORIZATION, TOKEN_COOKIE, TOKEN_SET_COOKIE, TOKEN_CONTENT_TYPE,
		TOKEN_CONTENT_ENCODING, TOKEN_CONTENT_RANGE, TOKEN_CACHE_CONTROL};
	for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
		fields_remove(f, forbidden[i]);
}
