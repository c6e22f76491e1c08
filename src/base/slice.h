/* slice.h - received bytes, shared without copying.
 *
 * A slab is a large refcounted buffer from a per-worker LIFO pool; a slice is an immutable view of
 * some of its bytes that holds one reference. Passing a slice by value to a function named take_*,
 * *_push or *_feed gives the reference away.
 *
 *   slab  [ bytes ........................................ ]   refs = 3 (its reader + 2 slices)
 *               ^at,len          ^at,len
 *
 * A slice without a slab (slab == NULL) is a borrowed view of static bytes, or empty.
 * Threads: worker-local; refcounts are plain. Across threads only `struct blob` travels.
 * Errors: slab_get returns NULL when out of memory. */
#ifndef WEIR_BASE_SLICE_H
#define WEIR_BASE_SLICE_H
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "base/assert.h"
#include "base/err.h"

/* One slab of a pool: holds the largest frame (16 KiB + 9) many times over. */
#define SLAB_BYTES 262144u

struct slab_pool;

/* A small one, for some messages of one stream: 8 KiB with its head. */
#define SLAB_SMALL_BYTES (8192u - (uint32_t)sizeof(struct slab))

struct slab {
	struct slab_pool *pool; /* NULL: an exact-size slab that goes back to the heap */
	struct slab *next;      /* in the pool's free list */
	uint32_t refs;
	uint32_t bytes_cap;
	uint8_t bytes[];
};

struct slice {
	struct slab *slab;
	uint8_t *at;
	uint32_t len; /* bytes */
};

/* A pool keeps at most `keep` free slabs, and as many bytes in small ones, and as much again that
 * lies still; more goes back to the heap. */
struct slab_pool *slab_pool_create(uint32_t keep) MUST_USE;
void slab_pool_destroy(struct slab_pool *pool); /* asserts that no slab is out */
/* Gives slabs back to the heap that were free since the last time. */
void slab_pool_cool(struct slab_pool *pool);
uint64_t slab_pool_out(const struct slab_pool *pool);   /* slabs handed out and not yet back */
struct slab *slab_get(struct slab_pool *pool) MUST_USE; /* SLAB_BYTES, refs = 1 */
/* Room for `bytes` that nobody else gets, in a slab that others have room in too; one reference.
 * For what is small and gone soon: the slab comes back when the last piece does. */
struct slab *slab_piece(struct slab_pool *pool, uint32_t bytes, uint8_t **at) MUST_USE;
struct slab *slab_get_small(struct slab_pool *pool) MUST_USE; /* SLAB_SMALL_BYTES, refs = 1 */
struct slab *slab_exact(uint32_t bytes) MUST_USE;             /* heap slab of this size, refs = 1 */
void slab_free(struct slab *slab);                            /* refs reached 0: use slab_unref */

static inline void slab_ref(struct slab *slab)
{
	slab->refs++;
}

static inline void slab_unref(struct slab *slab)
{
	ASSERT(slab->refs > 0);
	if (--slab->refs == 0)
		slab_free(slab);
}

/* A view of bytes of `slab`; takes a new reference. */
static inline struct slice slice_of(struct slab *slab, uint8_t *at, uint32_t len)
{
	slab_ref(slab);
	return (struct slice){slab, at, len};
}

static inline struct slice slice_static(const void *at, uint32_t len)
{
	return (struct slice){NULL, (uint8_t *)(uintptr_t)at, len};
}

static inline struct slice slice_dup(struct slice s)
{
	if (s.slab)
		slab_ref(s.slab);
	return s;
}

static inline void slice_drop(struct slice *s)
{
	if (s->slab)
		slab_unref(s->slab);
	*s = (struct slice){NULL, NULL, 0};
}

/* Cuts the first `len` bytes off `s` and returns them as a slice of their own. */
static inline struct slice slice_cut(struct slice *s, uint32_t len)
{
	ASSERT(len <= s->len);
	struct slice head = {s->slab, s->at, len};
	if (s->slab)
		slab_ref(s->slab);
	if (len) /* an empty slice may be at NULL */
		s->at += len;
	s->len -= len;
	return head;
}

/* A copy in an exact-size slab; .slab is NULL and .len 0 when out of memory (or when len is 0). */
struct slice slice_copy(const void *bytes, uint32_t len) MUST_USE;
#endif
