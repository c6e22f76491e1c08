/* address.c - IP:PORT. Names are refused: resolving one needs a resolver, and a snapshot has none.
 */
#include "config/value.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool is_ip(int family, const char *text, size_t len, void *out)
{
	char copy[INET6_ADDRSTRLEN];
	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return inet_pton(family, copy, out) == 1;
}

static bool port_parse(const char *text, size_t len, uint16_t *port, struct value_fault *fault)
{
	uint64_t v;
	if (len == 0)
		return value_fail(fault, "the port is missing");
	if (!value_whole(text, len, &v, fault) || v > 65535)
		return value_fail(fault, "a port is a number from 0 to 65535");
	*port = (uint16_t)v;
	return true;
}

/* Why the part in front of the port is not an address, and what may have been meant. */
static bool host_fault(const char *host, size_t len, const char *port, struct value_fault *fault)
{
	struct in6_addr any;
	char *out = fault->suggestion;
	size_t out_bytes = sizeof(fault->suggestion);
	if (len == 0) {
		snprintf(out, out_bytes, "0.0.0.0:%.8s", port);
		return value_fail(fault, "the IP address is missing");
	}
	if (len == 1 && *host == '*') {
		snprintf(out, out_bytes, "0.0.0.0:%.8s", port);
		return value_fail(fault, "all addresses are 0.0.0.0 or [::]");
	}
	if (is_ip(AF_INET6, host, len, &any)) {
		snprintf(out, out_bytes, "[%.*s]:%.8s", (int)len, host, port);
		return value_fail(fault, "an IPv6 address stands in brackets");
	}
	if (memchr(host, '%', len))
		return value_fail(fault, "zones are not supported");
	if (len == 9 && !strncmp(host, "localhost", 9))
		snprintf(out, out_bytes, "127.0.0.1:%.8s", port);
	if (strspn(host, "0123456789.") >= len)
		return value_fail(fault, "not an IPv4 address");
	return value_fail(fault, "names are not resolved");
}

bool value_address(const char *text, size_t len, struct sockaddr_storage *sa, socklen_t *sa_len,
	struct value_fault *fault)
{
	*fault = (struct value_fault){.why = ""};
	struct in6_addr any6;
	const char *colon = memrchr(text, ':', len);
	uint16_t port = 0;

	memset(sa, 0, sizeof(*sa));
	if (text[0] == '[') {
		const char *close = memchr(text, ']', len);
		if (!close)
			return value_fail(fault, "the ] is missing");
		if (close + 1 == text + len || close[1] != ':')
			return value_fail(fault, "the port is missing");
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;
		if (!is_ip(AF_INET6, text + 1, (size_t)(close - text) - 1, &in6->sin6_addr))
			return value_fail(fault, memchr(text, '%', len) ? "zones are not supported"
									: "not an IPv6 address");
		if (!port_parse(close + 2, (size_t)(text + len - close) - 2, &port, fault))
			return false;
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		*sa_len = sizeof(*in6);
		return true;
	}
	if (memchr(text, '/', len))
		return value_fail(fault, "neither URLs nor paths are addresses");
	if (!colon)
		return value_fail(fault, len ? "the port is missing" : "");
	if (!is_ip(AF_INET6, text, (size_t)(colon - text), &any6) &&
		is_ip(AF_INET6, text, len, &any6))
		return value_fail(
			fault, "an IPv6 address stands in brackets, with a port behind it");
	struct sockaddr_in *in = (struct sockaddr_in *)sa;
	if (!is_ip(AF_INET, text, (size_t)(colon - text), &in->sin_addr))
		return host_fault(text, (size_t)(colon - text), colon + 1, fault);
	if (!port_parse(colon + 1, (size_t)(text + len - colon) - 1, &port, fault))
		return false;
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	*sa_len = sizeof(*in);
	return true;
}
