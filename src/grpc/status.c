#include "grpc/status.h"
#include <stdbool.h>
#include <string.h>
#include "base/err.h"

static const char *const names[GRPC_STATUS_COUNT] = {
	[GRPC_OK] = "OK",
	[GRPC_CANCELLED] = "CANCELLED",
	[GRPC_UNKNOWN] = "UNKNOWN",
	[GRPC_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
	[GRPC_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
	[GRPC_NOT_FOUND] = "NOT_FOUND",
	[GRPC_ALREADY_EXISTS] = "ALREADY_EXISTS",
	[GRPC_PERMISSION_DENIED] = "PERMISSION_DENIED",
	[GRPC_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
	[GRPC_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
	[GRPC_ABORTED] = "ABORTED",
	[GRPC_OUT_OF_RANGE] = "OUT_OF_RANGE",
	[GRPC_UNIMPLEMENTED] = "UNIMPLEMENTED",
	[GRPC_INTERNAL] = "INTERNAL",
	[GRPC_UNAVAILABLE] = "UNAVAILABLE",
	[GRPC_DATA_LOSS] = "DATA_LOSS",
	[GRPC_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

const char *grpc_status_name(unsigned status)
{
	return names[status < GRPC_STATUS_COUNT ? status : GRPC_UNKNOWN];
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int grpc_status_parse(const char *text, size_t len)
{
	if (len == 0 || len > 2 || !is_digit(text[0]))
		return -1;
	if (len == 1)
		return text[0] - '0';
	/* "Status" in the specification: decimal digits without leading zeroes. */
	if (text[0] != '1' || !is_digit(text[1]) || text[1] > '6')
		return -1;
	return 10 + (text[1] - '0');
}

/* gRPC's http-grpc-status-mapping.md: for responses that carry no grpc-status. */
enum grpc_status grpc_status_of_http(unsigned http_status)
{
	switch (http_status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

/* gRPC over HTTP/2, "Errors": codes of RFC 9113 section 7. */
enum grpc_status grpc_status_of_h2_code(uint32_t code)
{
	static const uint8_t status[] = {
		[0x0] = GRPC_INTERNAL,    /* NO_ERROR: a status should have come */
		[0x1] = GRPC_INTERNAL,    /* PROTOCOL_ERROR */
		[0x2] = GRPC_INTERNAL,    /* INTERNAL_ERROR */
		[0x3] = GRPC_INTERNAL,    /* FLOW_CONTROL_ERROR */
		[0x4] = GRPC_INTERNAL,    /* SETTINGS_TIMEOUT */
		[0x5] = GRPC_UNKNOWN,     /* STREAM_CLOSED: the specification maps it to nothing */
		[0x6] = GRPC_INTERNAL,    /* FRAME_SIZE_ERROR */
		[0x7] = GRPC_UNAVAILABLE, /* REFUSED_STREAM: nothing was processed */
		[0x8] = GRPC_CANCELLED,   /* CANCEL */
		[0x9] = GRPC_INTERNAL,    /* COMPRESSION_ERROR */
		[0xa] = GRPC_INTERNAL,    /* CONNECT_ERROR */
		[0xb] = GRPC_RESOURCE_EXHAUSTED, /* ENHANCE_YOUR_CALM */
		[0xc] = GRPC_PERMISSION_DENIED,  /* INADEQUATE_SECURITY */
	};
	return code < sizeof status ? (enum grpc_status)status[code] : GRPC_UNKNOWN;
}

static bool passes(unsigned char c)
{
	return c >= 0x20 && c <= 0x7e && c != '%';
}

size_t grpc_message_encode(const char *text, size_t len, char *out, size_t out_cap)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		size_t need = passes(c) ? 1 : 3;
		if (out_cap - n < need)
			break;
		if (need == 1) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '%';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	return n;
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	char lower = (char)(c | 0x20);
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

size_t grpc_message_decode(const char *text, size_t len, char *out, size_t out_cap)
{
	size_t n = 0;
	for (size_t i = 0; i < len && n < out_cap; i++) {
		int high = -1, low = -1;
		if (text[i] == '%' && len - i > 2) {
			high = hex_value(text[i + 1]);
			low = hex_value(text[i + 2]);
		}
		/* "Percent-Encoded": what is no escape must stay, never be an error. */
		if (high < 0 || low < 0) {
			out[n++] = text[i];
			continue;
		}
		out[n++] = (char)(high << 4 | low);
		i += 2;
	}
	return n;
}

/* Visible ASCII without '/': what a name can be, and what a label shall be. */
static bool is_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] <= 0x20 || s[i] >= 0x7f || s[i] == '/')
			return false;
	return len > 0;
}

int grpc_path_split(const char *path, size_t len, const char **service, size_t *service_len,
	const char **method, size_t *method_len)
{
	/* The query belongs to Connect's GET, not to the method's name. */
	const char *query = memchr(path, '?', len);
	if (query)
		len = (size_t)(query - path);
	if (len == 0 || path[0] != '/')
		return ERR_INVALID;
	const char *slash = memchr(path + 1, '/', len - 1);
	if (!slash)
		return ERR_INVALID;
	size_t first = (size_t)(slash - path) - 1, second = len - first - 2;
	if (!is_name(path + 1, first) || !is_name(slash + 1, second))
		return ERR_INVALID;
	*service = path + 1;
	*service_len = first;
	*method = slash + 1;
	*method_len = second;
	return 0;
}
