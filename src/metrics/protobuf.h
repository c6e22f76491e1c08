/* protobuf.h - writes the wire format of Protocol Buffers: varints, doubles, strings, and messages
 * inside messages, whose length is filled in when they end.
 *
 *	size_t m = pb_begin(out, 4);
 *	pb_string(out, 1, "name", 4);
 *	pb_end(out, m);
 *
 * It writes what it is told, zeros too, and knows no schema. Errors: those of the buffer, checked
 *by whoever reads it. One thread. */
#ifndef WEIR_METRICS_PROTOBUF_H
#define WEIR_METRICS_PROTOBUF_H
#include <stdint.h>
#include "base/buf.h"

void pb_varint(struct buf *out, uint64_t v);
void pb_zigzag(struct buf *out, int64_t v); /* sint32, sint64 */

/* With the tag of `field`. */
void pb_uint(struct buf *out, unsigned field, uint64_t v);
void pb_sint(struct buf *out, unsigned field, int64_t v);
void pb_double(struct buf *out, unsigned field, double v);
void pb_string(struct buf *out, unsigned field, const char *s, size_t len);

/* A message or packed numbers; field 0: the length alone, as in a stream of delimited messages. */
size_t pb_begin(struct buf *out, unsigned field);
void pb_end(struct buf *out, size_t begun);
#endif
