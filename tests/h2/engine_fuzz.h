/* engine_fuzz.h - what both engine fuzzers do with an input.
 *
 *   [ bytes from the peer ........... | decisions | how many decisions, one octet ]
 *
 * The bytes are fed in pieces; each decision octet settles the next question: how long is the
 * piece, how much of the output is written, what does the owner do with an event, which allocation
 * fails. Without decisions everything is fed at once, every stream is answered and credited in
 * full: a raw frame case of this folder with a zero behind it is a seed (WIRE_DUMP writes them).
 * Aborts when the books, the slabs or the heap do not return to where they began, or when a stream
 * has an event after its last one. */
#ifndef WEIR_TESTS_H2_ENGINE_FUZZ_H
#define WEIR_TESTS_H2_ENGINE_FUZZ_H
#include <stddef.h>
#include <stdint.h>
#include "http2/conn.h"

int engine_fuzz(enum h2_role role, const uint8_t *data, size_t len);
#endif
