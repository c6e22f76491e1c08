#include "base/slice.h"
#include "base/mem.h"

struct slab_pool {
	struct slab *free; /* LIFO: the newest is the one still in the cache */
	uint32_t free_count, keep;
	uint64_t out;
	struct slab *pieces; /* in use, cut up as far as `cut`; NULL: none. No reference */
	uint32_t cut;
};

struct slab_pool *slab_pool_create(uint32_t keep)
{
	struct slab_pool *pool = mem_zalloc(sizeof(*pool));
	if (pool)
		pool->keep = keep;
	return pool;
}

void slab_pool_destroy(struct slab_pool *pool)
{
	if (!pool)
		return;
	ASSERT(pool->out == 0);
	while (pool->free) {
		struct slab *slab = pool->free;
		pool->free = slab->next;
		mem_free(slab);
	}
	mem_free(pool);
}

uint64_t slab_pool_out(const struct slab_pool *pool)
{
	return pool->out;
}

static struct slab *slab_new(struct slab_pool *pool, uint32_t bytes)
{
	struct slab *slab = mem_alloc(sizeof(*slab) + (size_t)bytes);
	if (!slab)
		return NULL;
	slab->pool = pool;
	slab->next = NULL;
	slab->refs = 1;
	slab->bytes_cap = bytes;
	return slab;
}

struct slab *slab_get(struct slab_pool *pool)
{
	struct slab *slab = pool->free;
	if (LIKELY(slab)) {
		pool->free = slab->next;
		pool->free_count--;
		slab->next = NULL;
		slab->refs = 1;
	} else {
		slab = slab_new(pool, SLAB_BYTES);
		if (!slab)
			return NULL;
	}
	pool->out++;
	return slab;
}

struct slab *slab_piece(struct slab_pool *pool, uint32_t bytes, uint8_t **at)
{
	ASSERT(bytes <= SLAB_BYTES);
	if (pool->pieces && pool->pieces->bytes_cap - pool->cut >= bytes) {
		slab_ref(pool->pieces);
	} else {
		struct slab *slab = slab_get(pool);
		if (!slab)
			return NULL;
		pool->pieces = slab;
		pool->cut = 0;
	}
	*at = pool->pieces->bytes + pool->cut;
	pool->cut += bytes;
	return pool->pieces;
}

struct slab *slab_exact(uint32_t bytes)
{
	return slab_new(NULL, bytes);
}

void slab_free(struct slab *slab)
{
	struct slab_pool *pool = slab->pool;
	ASSERT(slab->refs == 0);
	if (pool) {
		ASSERT(pool->out > 0);
		pool->out--;
		if (pool->pieces == slab)
			pool->pieces = NULL;
		if (LIKELY(pool->free_count < pool->keep)) {
			slab->next = pool->free;
			pool->free = slab;
			pool->free_count++;
			return;
		}
	}
	mem_free(slab);
}

struct slice slice_copy(const void *bytes, uint32_t len)
{
	struct slab *slab = len ? slab_exact(len) : NULL;
	if (!slab)
		return (struct slice){NULL, NULL, 0};
	memcpy(slab->bytes, bytes, len);
	return (struct slice){slab, slab->bytes, len};
}
