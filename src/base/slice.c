#include "base/slice.h"
#include "base/mem.h"

/* LIFO: the newest is the one still in the cache. */
struct slab_list {
	struct slab *first;
	struct slab *still; /* free since the last slab_pool_cool */
	uint32_t count, keep;
};
struct slab_pool {
	struct slab_list large, small;
	uint64_t out;
	struct slab *pieces; /* in use, cut up as far as `cut`; NULL: none. No reference */
	uint32_t cut;
};

struct slab_pool *slab_pool_create(uint32_t keep)
{
	struct slab_pool *pool = mem_zalloc(sizeof(*pool));
	if (pool) {
		pool->large.keep = keep;
		pool->small.keep = keep * (SLAB_BYTES / SLAB_SMALL_BYTES);
	}
	return pool;
}

static void purge(struct slab **list)
{
	while (*list) {
		struct slab *slab = *list;
		*list = slab->next;
		mem_free(slab);
	}
}

static void cool(struct slab_list *l)
{
	purge(&l->still);
	l->still = l->first;
	l->first = NULL;
	l->count = 0;
}

void slab_pool_cool(struct slab_pool *pool)
{
	cool(&pool->large);
	cool(&pool->small);
}

void slab_pool_destroy(struct slab_pool *pool)
{
	if (!pool)
		return;
	ASSERT(pool->out == 0);
	slab_pool_cool(pool);
	slab_pool_cool(pool);
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

static struct slab *from_still(struct slab_list *l)
{
	struct slab *slab = l->still;
	l->still = slab->next;
	slab->next = NULL;
	slab->refs = 1;
	return slab;
}

static inline struct slab *take(struct slab_pool *pool, struct slab_list *l, uint32_t bytes)
{
	struct slab *slab = l->first;
	if (LIKELY(slab)) {
		l->first = slab->next;
		l->count--;
		__builtin_prefetch(l->first); /* the next to be taken has been long away */
		slab->next = NULL;
		slab->refs = 1;
	} else {
		slab = l->still ? from_still(l) : slab_new(pool, bytes);
		if (!slab)
			return NULL;
	}
	pool->out++;
	return slab;
}

struct slab *slab_get(struct slab_pool *pool)
{
	return take(pool, &pool->large, SLAB_BYTES);
}

struct slab *slab_get_small(struct slab_pool *pool)
{
	return take(pool, &pool->small, SLAB_SMALL_BYTES);
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
		struct slab_list *l =
			slab->bytes_cap == SLAB_SMALL_BYTES ? &pool->small : &pool->large;
		if (LIKELY(l->count < l->keep)) {
			slab->next = l->first;
			l->first = slab;
			l->count++;
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
