/* trace_id.h - which trace a request belongs to, as its headers say: W3C traceparent, else B3.
 *
 * What it does: checks what a client sent to the letter, so that a log has trace ids or nothing.
 * What it does not: make or change trace ids. Owner: none. Threads: any. Errors: "" */
#ifndef WEIR_FILTER_TRACE_ID_H
#define WEIR_FILTER_TRACE_ID_H
#include "http/fields.h"

#define TRACE_ID_BYTES 33 /* 32 hexadecimal digits, or 16 (B3), and a NUL */

/* "" when there is none, or none that is well-formed. */
void trace_id_of(const struct fields *head, char out[TRACE_ID_BYTES]);
#endif
