/* text.c - the characters and words of HTTP/1. */
#include <string.h>
#include "base/ascii.h"
#include "http1/conn_priv.h"

const char *http1_fault_text(enum http1_fault f)
{
	static const char *const texts[] = {
#define HTTP1_FAULT(id, status, text) text,
#include "http1/fault.def"
#undef HTTP1_FAULT
	};
	ASSERT(f < HTTP1_FAULT_COUNT);
	return texts[f];
}

unsigned http1_fault_status(enum http1_fault f)
{
	static const uint16_t statuses[] = {
#define HTTP1_FAULT(id, status, text) status,
#include "http1/fault.def"
#undef HTTP1_FAULT
	};
	ASSERT(f < HTTP1_FAULT_COUNT);
	return statuses[f];
}

/* The ids are upper case in C and lower case as labels: lowered at the first question. */
const char *http1_fault_name(enum http1_fault f)
{
	static const char *const ids[] = {
#define HTTP1_FAULT(id, status, text) #id,
#include "http1/fault.def"
#undef HTTP1_FAULT
	};
	static _Thread_local char names[HTTP1_FAULT_COUNT][24];
	ASSERT(f < HTTP1_FAULT_COUNT);
	for (unsigned i = 0; !names[f][0] || (i && ids[f][i] && i < sizeof names[f] - 1); i++)
		names[f][i] = ascii_lower(ids[f][i]);
	return names[f];
}

/* RFC 9110 section 15, and the few of RFC 6585 that proxies use. */
const char *http1_reason(unsigned status)
{
	static const struct {
		uint16_t status;
		const char *reason;
	} reasons[] = {
		{100, "Continue"},
		{103, "Early Hints"},
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{206, "Partial Content"},
		{301, "Moved Permanently"},
		{302, "Found"},
		{303, "See Other"},
		{304, "Not Modified"},
		{307, "Temporary Redirect"},
		{308, "Permanent Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{411, "Length Required"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{415, "Unsupported Media Type"},
		{416, "Range Not Satisfiable"},
		{417, "Expectation Failed"},
		{421, "Misdirected Request"},
		{426, "Upgrade Required"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
	};
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

static bool is_alnum(uint8_t b)
{
	return (b >= '0' && b <= '9') || ((b | 0x20) >= 'a' && (b | 0x20) <= 'z');
}

bool http1_is_token(const uint8_t *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && (!s[i] || !strchr("!#$%&'*+-.^_`|~", s[i])))
			return false;
	return len > 0;
}

bool http1_is_field_value(const uint8_t *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
			return false;
	return true;
}

bool http1_is_target(const uint8_t *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] < 0x21 || s[i] > 0x7e || s[i] == '#')
			return false;
	return len > 0;
}

static size_t span(const uint8_t *s, size_t len, const char *also)
{
	size_t i = 0;
	while (i < len && (is_alnum(s[i]) || (s[i] && strchr(also, s[i]))))
		i++;
	return i;
}

/* RFC 3986 3.2 without user information, and without the comma, by which recipients join values. */
bool http1_is_authority(const uint8_t *s, size_t len)
{
	size_t at;
	if (len && s[0] == '[') {
		at = 1 + span(s + 1, len - 1, ":.%-_~");
		if (at == len || s[at++] != ']')
			return false;
	} else {
		at = span(s, len, "-._~%!$&'()*+;=");
	}
	if (at == len)
		return true;
	if (at == 0 || s[at++] != ':')
		return false;
	while (at < len && s[at] >= '0' && s[at] <= '9')
		at++;
	return at == len;
}

bool http1_text_is(const void *s, size_t len, const char *word)
{
	const char *bytes = s;
	if (len != strlen(word))
		return false;
	for (size_t i = 0; i < len; i++)
		if (ascii_lower(bytes[i]) != word[i])
			return false;
	return true;
}

/* After a method that everyone knows any target will do: CONNECT takes an authority. */
static bool is_known_method(const uint8_t *s, size_t len)
{
	static const char *const known[] = {
		"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (len == strlen(known[i]) && !memcmp(s, known[i], len))
			return true;
	return false;
}

enum http1_guess http1_looks_like(const void *bytes, size_t len)
{
	enum { METHOD_MAX = 20 };
	const uint8_t *s = bytes;
	size_t n = 0;
	while (n < len && ((s[n] >= 'A' && s[n] <= 'Z') || (n && (s[n] == '-' || s[n] == '_'))))
		n++;
	if (n > METHOD_MAX)
		return HTTP1_NO;
	if (n == len)
		return HTTP1_MAYBE;
	if (n == 0 || s[n] != ' ' || (n == 3 && !memcmp(s, "PRI", 3)))
		return HTTP1_NO;
	if (n + 1 == len)
		return HTTP1_MAYBE;
	uint8_t target = s[n + 1];
	if (is_known_method(s, n))
		return http1_is_target(&target, 1) ? HTTP1_YES : HTTP1_NO;
	return target == '/' || target == '*' ? HTTP1_YES : HTTP1_NO;
}

void http1_refusal(struct buf *out, unsigned status, const char *text)
{
	buf_fmt(out,
		"HTTP/1.1 %u %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: "
		"%zu\r\n"
		"connection: close\r\n\r\n%s\n",
		status, http1_reason(status), strlen(text) + 1, text);
}
