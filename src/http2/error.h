/* error.h - the table of what a misbehaving peer can do, and the names of error codes.
 *
 * error.def has one row for each way to break the protocol: H2_FAULT(id, code, scope, "text"). The
 * text goes into GOAWAY debug data and the log; the id labels weir_http2_errors_total. */
#ifndef WEIR_HTTP2_ERROR_H
#define WEIR_HTTP2_ERROR_H
#include <stdint.h>
#include "http/code.h"

enum h2_scope { H2_SCOPE_STREAM, H2_SCOPE_CONN };

enum h2_fault {
#define H2_FAULT(id, code, scope, text) H2_FAULT_##id,
#include "http2/error.def"
#undef H2_FAULT
	H2_FAULT_COUNT,
};

enum h2_code h2_fault_code(enum h2_fault f);
enum h2_scope h2_fault_scope(enum h2_fault f);
const char *h2_fault_text(enum h2_fault f); /* "DATA on stream 0" ... */
const char *h2_fault_name(enum h2_fault f); /* lower-case id, a metric label */
const char *h2_code_name(uint32_t code);    /* "CANCEL"; unknown codes: "UNKNOWN" */
#endif
