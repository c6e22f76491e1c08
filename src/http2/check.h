/* check.h - is a decoded header section a well-formed message (RFC 9113 8.1-8.5, RFC 8441 4)?
 *
 * What it does: judges names, values, pseudo-headers, connection-specific fields, content-length
 * and host, and reports what rx must know of the message. Changes nothing. What it does not: judge
 * anything but form (whether a method or path exists is the route's business). Answers: a fault of
 * scope STREAM (malformed), or H2_FAULT_COUNT when the section is well-formed. */
#ifndef WEIR_HTTP2_CHECK_H
#define WEIR_HTTP2_CHECK_H
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "http/fields.h"
#include "http2/error.h"

struct h2_facts {
	int64_t content_length; /* -1: none */
	unsigned status;        /* responses: 100-999 */
	bool head;              /* requests: the method is HEAD */
	bool connect;           /* requests: the method is CONNECT, extended or not */
	bool no_cookie;         /* requests: known to have none */
};

enum h2_fault h2_check_request(
	const struct fields *f, bool extended_connect, struct h2_facts *out) MUST_USE;
enum h2_fault h2_check_response(const struct fields *f, struct h2_facts *out) MUST_USE;
/* What matters of a request's method to whoever reads its response. */
struct h2_method {
	bool head, connect;
};
struct h2_method h2_method_of(const struct fields *f);
enum h2_fault h2_check_trailers(const struct fields *f) MUST_USE;
/* The status of a response section, 0 when there is none or it is not a number. */
unsigned h2_status_of(const struct fields *f);
/* Joins cookie crumbs with "; " (8.2.3). ERR_NOMEM. */
int h2_join_cookies(struct fields *f) MUST_USE;
#endif
