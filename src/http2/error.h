/* error.h - HTTP/2 error codes (RFC 9113 section 7) and the table of what a misbehaving peer can
 * do.
 *
 * error.def has one row for each way to break the protocol: H2_FAULT(id, code, scope, "text"). The
 * text goes into GOAWAY debug data and the log; the id labels weir_http2_errors_total. */
#ifndef WEIR_HTTP2_ERROR_H
#define WEIR_HTTP2_ERROR_H
#include <stdint.h>

enum h2_code {
	H2_NO_ERROR = 0x0,
	H2_PROTOCOL_ERROR = 0x1,
	H2_INTERNAL_ERROR = 0x2,
	H2_FLOW_CONTROL_ERROR = 0x3,
	H2_SETTINGS_TIMEOUT = 0x4,
	H2_STREAM_CLOSED = 0x5,
	H2_FRAME_SIZE_ERROR = 0x6,
	H2_REFUSED_STREAM = 0x7,
	H2_CANCEL = 0x8,
	H2_COMPRESSION_ERROR = 0x9,
	H2_CONNECT_ERROR = 0xa,
	H2_ENHANCE_YOUR_CALM = 0xb,
	H2_INADEQUATE_SECURITY = 0xc,
	H2_HTTP_1_1_REQUIRED = 0xd,
	H2_CODE_COUNT = 0xe, /* codes from here on are counted as one */
};

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
