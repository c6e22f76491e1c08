/* arena.h - bump allocation for things that die together.
 * The first chunk may be the owner's own memory. Blocks are 8-byte aligned and stay in place until
 * arena_fini. One thread. NULL when out of memory. */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H
#include <stddef.h>
#include <stdint.h>
#include "base/assert.h"
#include "base/err.h"

#define ARENA_ALIGN 8u

struct arena_chunk;
struct arena {
	struct arena_chunk *chunks; /* on the heap, newest first */
	uint8_t *at, *end;
	size_t chunk_bytes; /* size of the next heap chunk */
};
void arena_init(struct arena *a, void *first, size_t first_bytes, size_t chunk_bytes);
void *arena_alloc_slow(struct arena *a, size_t bytes) MUST_USE; /* none, or there is no room */
MUST_USE static inline void *arena_alloc(struct arena *a, size_t bytes)
{
	size_t aligned = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (UNLIKELY(aligned - 1 >= (size_t)(a->end - a->at))) /* also where it wraps */
		return arena_alloc_slow(a, bytes);
	void *block = a->at;
	a->at += aligned;
	return block;
}
void *arena_dup(struct arena *a, const void *bytes, size_t len) MUST_USE; /* a NUL behind it */
void arena_free_chunks(struct arena *a);
static inline void arena_fini(struct arena *a)
{
	if (UNLIKELY(a->chunks))
		arena_free_chunks(a);
	a->at = a->end = NULL;
}
#endif
