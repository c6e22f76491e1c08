/* arena.h - bump allocation for things that die together.
 * The first chunk may be the owner's own memory. Blocks are 8-byte aligned and stay in place until
 * arena_fini. One thread. NULL when out of memory. */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct arena_chunk;
struct arena {
	struct arena_chunk *chunks; /* on the heap, newest first */
	uint8_t *at, *end;
	size_t chunk_bytes; /* size of the next heap chunk */
};
void arena_init(struct arena *a, void *first, size_t first_bytes, size_t chunk_bytes);
void *arena_alloc(struct arena *a, size_t bytes) MUST_USE;
void *arena_dup(struct arena *a, const void *bytes, size_t len) MUST_USE; /* a NUL behind it */
void arena_fini(struct arena *a);
#endif
