/* map.h - two hash tables: by 32-bit id, and by bytes that a peer may choose.
 *
 * idmap: open addressing, for stream ids (which a peer can choose only in order): multiplicative
 *   hash, no allocation until the first insert, shrinks to none when empty. One that is filled and
 *   emptied again and again begins as large as it was, up to IDMAP_FIRST_MAX slots.
 * strmap: keys are byte strings, copied in, hashed with SipHash-1-3 (siphash.c) under a per-process
 *   random seed, so that a peer can't make collisions.
 * Owner: embedded, x_init and x_fini. One thread. Errors: ERR_NOMEM, the table stays as
 * it was; ERR_INVALID for id 0. */
#ifndef WEIR_BASE_MAP_H
#define WEIR_BASE_MAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/assert.h"
#include "base/err.h"

struct idmap_slot {
	uint32_t key; /* 0 = empty: id 0 can't be stored */
	void *value;
};
#define IDMAP_FIRST_MAX 64u
struct idmap {
	struct idmap_slot *slots;
	uint32_t cap;       /* 0 or a power of two */
	uint32_t first : 7; /* what cap begins with; 0: it was never more than the least */
	uint32_t len : 25;
};
void idmap_init(struct idmap *m);
void idmap_fini(struct idmap *m);
static inline void *idmap_get(const struct idmap *m, uint32_t key); /* NULL when absent */
MUST_USE static inline int idmap_put(struct idmap *m, uint32_t key, void *value); /* replaces */
/* What was there, or NULL. */
static inline void *idmap_remove(struct idmap *m, uint32_t key);
/* *it starts at 0; false at the end. Don't change the map in between. */
bool idmap_next(const struct idmap *m, uint32_t *it, uint32_t *key, void **value);

/* Fibonacci hashing: ids in order land evenly spread. */
static inline uint32_t idmap_home(uint32_t key, uint32_t cap)
{
	return (uint32_t)(((uint64_t)(key * 0x9e3779b1u) * cap) >> 32);
}
void *idmap_get_beyond(const struct idmap *m, uint32_t key); /* not at home: look further */
static inline void *idmap_get(const struct idmap *m, uint32_t key)
{
	if (m->cap == 0)
		return NULL;
	const struct idmap_slot *slot = &m->slots[idmap_home(key, m->cap)];
	return LIKELY(slot->key == key) ? slot->value : idmap_get_beyond(m, key);
}

/* Home is taken, or there is no room. */
int idmap_put_beyond(struct idmap *m, uint32_t key, void *value) MUST_USE;
MUST_USE static inline int idmap_put(struct idmap *m, uint32_t key, void *value)
{
	if (LIKELY(m->cap && key)) {
		struct idmap_slot *slot = &m->slots[idmap_home(key, m->cap)];
		if (LIKELY(slot->key == 0) && LIKELY(m->len < m->cap - m->cap / 4)) {
			*slot = (struct idmap_slot){key, value};
			m->len++;
			return 0;
		}
	}
	return idmap_put_beyond(m, key, value);
}

/* Not at home, with others behind it, or the last. */
void *idmap_remove_beyond(struct idmap *m, uint32_t key);
static inline void *idmap_remove(struct idmap *m, uint32_t key)
{
	if (LIKELY(m->len > 1)) {
		uint32_t home = idmap_home(key, m->cap);
		struct idmap_slot *slot = &m->slots[home];
		if (LIKELY(slot->key == key && key) &&
			LIKELY(m->slots[(home + 1) & (m->cap - 1)].key == 0)) {
			void *value = slot->value;
			*slot = (struct idmap_slot){0, NULL};
			m->len--;
			return value;
		}
	}
	return idmap_remove_beyond(m, key);
}

struct strmap_entry; /* opaque */
struct strmap {
	struct strmap_entry **slots;
	uint32_t cap, len;
};
void strmap_init(struct strmap *m);
void strmap_fini(struct strmap *m); /* frees keys, not values */
void *strmap_get(const struct strmap *m, const void *key, size_t len);
int strmap_put(struct strmap *m, const void *key, size_t len, void *value) MUST_USE; /* replaces */
void *strmap_remove(struct strmap *m, const void *key, size_t len);
bool strmap_next(const struct strmap *m, uint32_t *it, const char **key, size_t *len, void **value);

uint64_t siphash13(const uint8_t key[16], const void *bytes, size_t len);
#endif
