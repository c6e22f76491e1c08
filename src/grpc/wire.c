/* wire.c - which envelopes a request or response uses, told by its head. */
#include <string.h>
#include <strings.h>
#include "grpc/frame.h"

/* The subtype begins with `name` and ends there, or goes on with a codec ("+proto") or parameters.
 */
static bool media_type_is(const struct field *type, const char *name)
{
	size_t len = strlen(name);
	if (!type || type->value_len < len || strncasecmp(type->value, name, len) != 0)
		return false;
	if (type->value_len == len)
		return true;
	char next = type->value[len];
	return next == '+' || next == ';' || next == ' ' || next == '\t';
}

static enum grpc_wire wire_of_type(const struct field *type)
{
	static const char grpc[] = "application/grpc";
	if (type && type->value_len == sizeof(grpc) - 1 &&
		!memcmp(type->value, grpc, sizeof(grpc) - 1)) /* as nearly all write it */
		return GRPC_WIRE_GRPC;
	if (media_type_is(type, "application/grpc"))
		return GRPC_WIRE_GRPC;
	if (media_type_is(type, "application/grpc-web"))
		return GRPC_WIRE_WEB;
	if (media_type_is(type, "application/grpc-web-text"))
		return GRPC_WIRE_WEB_TEXT;
	if (media_type_is(type, "application/connect"))
		return GRPC_WIRE_CONNECT_STREAM;
	return GRPC_WIRE_NONE;
}

/* Connect's unary GET has its message in the query and says so there: "?connect=v1&...". */
static bool is_connect_get(const struct fields *head)
{
	const struct field *path = fields_get(head, TOKEN_PATH);
	if (!path || !field_is(fields_get(head, TOKEN_METHOD), "GET"))
		return false;
	static const char mark[] = "connect=v1";
	const size_t mark_len = sizeof mark - 1;
	const char *at = memchr(path->value, '?', path->value_len);
	const char *end = path->value + path->value_len;
	while (at && (size_t)(end - ++at) >= mark_len) {
		if (!memcmp(at, mark, mark_len) && (at + mark_len == end || at[mark_len] == '&'))
			return true;
		at = memchr(at, '&', (size_t)(end - at));
	}
	return false;
}

enum grpc_wire grpc_wire_of_request(const struct fields *head)
{
	enum grpc_wire wire = wire_of_type(fields_get(head, TOKEN_CONTENT_TYPE));
	if (wire != GRPC_WIRE_NONE)
		return wire;
	if (field_is(fields_get(head, TOKEN_CONNECT_PROTOCOL_VERSION), "1") || is_connect_get(head))
		return GRPC_WIRE_CONNECT_UNARY;
	return GRPC_WIRE_NONE;
}

enum grpc_wire grpc_wire_of_response(enum grpc_wire request, const struct fields *head)
{
	if (request == GRPC_WIRE_NONE)
		return GRPC_WIRE_NONE;
	bool ok = field_is(fields_get(head, TOKEN_STATUS), "200");
	/* Connect's unary errors are JSON texts under another status, not messages. */
	if (request == GRPC_WIRE_CONNECT_UNARY)
		return ok ? GRPC_WIRE_CONNECT_UNARY : GRPC_WIRE_NONE;
	const struct field *type = fields_get(head, TOKEN_CONTENT_TYPE);
	if (!type)
		return ok ? request : GRPC_WIRE_NONE;
	return wire_of_type(type);
}

bool grpc_body_is_compressed(const struct fields *head)
{
	const struct field *f = fields_get(head, TOKEN_CONTENT_ENCODING);
	return f && !field_is(f, "identity");
}
