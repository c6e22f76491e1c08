/* wire_own.h - what the kit's own files share; cases include wire.h only. */
#ifndef WEIR_TESTS_H2_WIRE_OWN_H
#define WEIR_TESTS_H2_WIRE_OWN_H
#pragma GCC diagnostic ignored "-Wunused-variable" /* tap.h's list head, unused in the kit */
#pragma GCC diagnostic ignored "-Wunused-function"
#include "wire.h"

typedef void wire_field_fn(void *arg, const char *name, size_t nl, const char *value, size_t vl);

void bytes_add(struct bytes *b, const void *from, size_t len);
/* Room for one element more; capacities double. */
void *wire_grow(void *array, size_t count, size_t size);
void wire_put32(uint8_t *p, uint32_t v);
void wire_each_field(const char *text, wire_field_fn *each, void *arg);
void wire_pump(struct wire *w);      /* events and output until there is neither */
void wire_parse_out(struct wire *w); /* frames of w->out, judged */
void wire_inflate_end(struct wire *w);
#endif
