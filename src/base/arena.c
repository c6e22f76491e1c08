#include "base/arena.h"
#include <string.h>
#include "base/mem.h"

#define ALIGN ARENA_ALIGN
#define CHUNK_BYTES_MAX                                                                            \
	65536u /* chunks double up to this, so that a big section costs few mallocs */

struct arena_chunk {
	struct arena_chunk *next;
	uint8_t bytes[] __attribute__((aligned(ALIGN)));
};

void arena_init(struct arena *a, void *first, size_t first_bytes, size_t chunk_bytes)
{
	a->chunks = NULL;
	a->at = first;
	a->end = first ? a->at + first_bytes : NULL;
	a->chunk_bytes = chunk_bytes;
	size_t skip = -(uintptr_t)first & (ALIGN - 1);
	if (skip)
		a->at = skip < first_bytes ? a->at + skip : a->end;
}

/* `bytes` is a multiple of ALIGN. */
static void *chunk_add(struct arena *a, size_t bytes)
{
	size_t room = bytes > a->chunk_bytes ? bytes : a->chunk_bytes;
	if (room > SIZE_MAX - sizeof(struct arena_chunk))
		return NULL;
	struct arena_chunk *c = mem_alloc(sizeof(*c) + room);
	if (!c)
		return NULL;
	c->next = a->chunks;
	a->chunks = c;
	/* The rest of an oversized chunk is nothing: what is left of the current one is worth more.
	 */
	if (room - bytes >= (size_t)(a->end - a->at)) {
		a->at = c->bytes + bytes;
		a->end = c->bytes + room;
	}
	if (a->chunk_bytes < CHUNK_BYTES_MAX)
		a->chunk_bytes *= 2;
	return c->bytes;
}

void *arena_alloc_slow(struct arena *a, size_t bytes)
{
	if (bytes > SIZE_MAX - ALIGN)
		return NULL;
	/* No bytes are a block of their own, too, and for that one there may be room. */
	size_t aligned = bytes ? (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
	if (aligned > (size_t)(a->end - a->at))
		return chunk_add(a, aligned);
	void *block = a->at;
	a->at += aligned;
	return block;
}

void *arena_dup(struct arena *a, const void *bytes, size_t len)
{
	char *copy = len < SIZE_MAX ? arena_alloc(a, len + 1) : NULL;
	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

void arena_free_chunks(struct arena *a)
{
	struct arena_chunk *c = a->chunks;
	while (c) {
		struct arena_chunk *next = c->next;
		mem_free(c);
		c = next;
	}
	a->chunks = NULL;
}
