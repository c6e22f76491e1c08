#include "shared/shared.h"
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "base/mem.h"

struct shared *shared_create(uint32_t threads)
{
	ASSERT(threads > 0 && threads <= SHARED_THREADS_MAX);
	/* mem_alloc does not align to a cache line pair. */
	struct shared *s = aligned_alloc(_Alignof(struct shared), sizeof(*s));
	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->threads = threads;
	pthread_mutex_init(&s->lock, NULL);
	strmap_init(&s->endpoints);
	return s;
}

void shared_destroy(struct shared *s)
{
	ASSERT(s->endpoints.len == 0);
	strmap_fini(&s->endpoints);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

uint64_t shared_connections(const struct shared *s)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < s->threads; i++)
		sum += atomic_load_explicit(&s->cells[i].connections, memory_order_relaxed);
	return sum;
}

uint64_t shared_held_bytes(const struct shared *s)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < s->threads; i++)
		sum += atomic_load_explicit(&s->cells[i].held_bytes, memory_order_relaxed);
	return sum;
}

static struct endpoint *endpoint_create(const char *key, uint32_t key_len)
{
	struct endpoint *e = mem_zalloc(sizeof(*e));
	if (!e)
		return NULL;
	e->key = mem_dup(key, key_len);
	if (!e->key) {
		mem_free(e);
		return NULL;
	}
	e->key_len = key_len;
	return e;
}

static void endpoint_destroy(struct endpoint *e)
{
	mem_free(e->key);
	mem_free(e);
}

struct endpoint *shared_endpoint(struct shared *s, const char *cluster, const char *address)
{
	size_t cluster_len = strlen(cluster), address_len = strlen(address);
	uint32_t key_len = (uint32_t)(cluster_len + 1 + address_len);
	char *key = mem_alloc(key_len);
	if (!key)
		return NULL;
	memcpy(key, cluster, cluster_len + 1);
	memcpy(key + cluster_len + 1, address, address_len);
	pthread_mutex_lock(&s->lock);
	struct endpoint *e = strmap_get(&s->endpoints, key, key_len);
	if (!e) {
		e = endpoint_create(key, key_len);
		if (e && strmap_put(&s->endpoints, key, key_len, e) != 0) {
			endpoint_destroy(e);
			e = NULL;
		}
	}
	if (e)
		atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&s->lock);
	mem_free(key);
	return e;
}

void shared_endpoint_unref(struct shared *s, struct endpoint *e)
{
	pthread_mutex_lock(&s->lock);
	/* Under the lock, so that shared_endpoint can't find one that is about to go. */
	if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1) {
		void *was = strmap_remove(&s->endpoints, e->key, e->key_len);
		ASSERT(was == e);
		endpoint_destroy(e);
	}
	pthread_mutex_unlock(&s->lock);
}
