#include "base/map.h"
#include <pthread.h>
#include <string.h>
#include "base/assert.h"
#include "base/mem.h"
#include "base/rand.h"

/* Both tables: linear probing, at most 3/4 full, and removal that moves what follows back into the
 * hole, so that there are no tombstones and a search ends at the first empty slot. */
#define CAP_MIN    8u
#define CAP_MAX    (1u << 31)
#define ID_CAP_MAX (1u << 25)
_Static_assert(IDMAP_FIRST_MAX < 1u << 7, "idmap.first has room");

static bool must_grow(uint32_t len, uint32_t cap)
{
	return len >= cap - cap / 4; /* one more would be above 3/4; true for cap 0 */
}

/* Does the search from `home` to `at` pass `hole`? Then what is at `at` may move there. */
static bool passes(uint32_t home, uint32_t hole, uint32_t at, uint32_t mask)
{
	return ((at - home) & mask) >= ((at - hole) & mask);
}

/* --- by id ---------------------------------------------------------------------------------- */

void idmap_init(struct idmap *m)
{
	*m = (struct idmap){0};
}

void idmap_fini(struct idmap *m)
{
	mem_free(m->slots);
	idmap_init(m);
}

/* The slot with this key, or the empty one where it belongs. cap > 0. */
static struct idmap_slot *id_slot(const struct idmap *m, uint32_t key)
{
	uint32_t i = idmap_home(key, m->cap), mask = m->cap - 1;
	while (m->slots[i].key != key && m->slots[i].key != 0)
		i = (i + 1) & mask;
	return &m->slots[i];
}

void *idmap_get_beyond(const struct idmap *m, uint32_t key)
{
	/* an empty slot's value is NULL, so absent keys and key 0 need no question of their own */
	return id_slot(m, key)->value;
}

static int idmap_grow(struct idmap *m)
{
	if (m->cap == ID_CAP_MAX)
		return ERR_NOMEM;
	struct idmap grown = {.cap = m->cap     ? m->cap * 2
				     : m->first ? m->first
						: CAP_MIN,
		.len = m->len};
	grown.slots = mem_zalloc(sizeof(*grown.slots) * (size_t)grown.cap);
	if (!grown.slots)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < m->cap; i++)
		if (m->slots[i].key)
			*id_slot(&grown, m->slots[i].key) = m->slots[i];
	mem_free(m->slots);
	*m = grown;
	return 0;
}

int idmap_put_beyond(struct idmap *m, uint32_t key, void *value)
{
	if (key == 0)
		return ERR_INVALID;
	struct idmap_slot *slot = m->cap ? id_slot(m, key) : NULL;
	if (!slot || (slot->key == 0 && must_grow(m->len, m->cap))) {
		if (idmap_grow(m) < 0)
			return ERR_NOMEM;
		slot = id_slot(m, key);
	}
	m->len += slot->key == 0;
	slot->key = key;
	slot->value = value;
	return 0;
}

void *idmap_remove_beyond(struct idmap *m, uint32_t key)
{
	struct idmap_slot *slot = m->cap && key ? id_slot(m, key) : NULL;
	if (!slot || slot->key == 0)
		return NULL;
	void *value = slot->value;
	if (--m->len == 0) {
		uint32_t first = m->cap < IDMAP_FIRST_MAX ? m->cap : IDMAP_FIRST_MAX;
		idmap_fini(m);
		m->first = first & 0x7f;
		return value;
	}
	uint32_t mask = m->cap - 1, hole = (uint32_t)(slot - m->slots);
	for (uint32_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
		if (passes(idmap_home(m->slots[i].key, m->cap), hole, i, mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct idmap_slot){0, NULL};
	return value;
}

bool idmap_next(const struct idmap *m, uint32_t *it, uint32_t *key, void **value)
{
	for (uint32_t i = *it; i < m->cap; i++) {
		if (m->slots[i].key) {
			*key = m->slots[i].key;
			*value = m->slots[i].value;
			*it = i + 1;
			return true;
		}
	}
	*it = m->cap;
	return false;
}

/* --- by bytes ------------------------------------------------------------------------------- */

struct strmap_entry {
	uint64_t hash;
	void *value;
	size_t len;
	char key[]; /* a NUL behind it */
};

static uint8_t seed[16];
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void seed_fill(void)
{
	rand_os_bytes(seed, sizeof(seed));
}

void strmap_init(struct strmap *m)
{
	pthread_once(&seed_once, seed_fill);
	*m = (struct strmap){NULL, 0, 0};
}

void strmap_fini(struct strmap *m)
{
	for (uint32_t i = 0; i < m->cap; i++)
		mem_free(m->slots[i]);
	mem_free(m->slots);
	*m = (struct strmap){NULL, 0, 0};
}

/* The slot's index; the slot is NULL when the key is absent. cap > 0. */
static uint32_t str_slot(const struct strmap *m, uint64_t hash, const void *key, size_t len)
{
	uint32_t mask = m->cap - 1, i = (uint32_t)hash & mask;
	for (struct strmap_entry *e; (e = m->slots[i]); i = (i + 1) & mask)
		if (e->hash == hash && e->len == len && (len == 0 || !memcmp(e->key, key, len)))
			break;
	return i;
}

void *strmap_get(const struct strmap *m, const void *key, size_t len)
{
	if (m->len == 0)
		return NULL;
	struct strmap_entry *e = m->slots[str_slot(m, siphash13(seed, key, len), key, len)];
	return e ? e->value : NULL;
}

static int strmap_grow(struct strmap *m)
{
	if (m->cap == CAP_MAX)
		return ERR_NOMEM;
	struct strmap grown = {NULL, m->cap ? m->cap * 2 : CAP_MIN, m->len};
	grown.slots = mem_zalloc(sizeof(struct strmap_entry *) * (size_t)grown.cap);
	if (!grown.slots)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < m->cap; i++) {
		struct strmap_entry *e = m->slots[i];
		if (e)
			grown.slots[str_slot(&grown, e->hash, e->key, e->len)] = e;
	}
	mem_free(m->slots);
	*m = grown;
	return 0;
}

static struct strmap_entry *entry_create(uint64_t hash, const void *key, size_t len, void *value)
{
	if (len >= SIZE_MAX - sizeof(struct strmap_entry))
		return NULL;
	struct strmap_entry *e = mem_alloc(sizeof(*e) + len + 1);
	if (!e)
		return NULL;
	e->hash = hash;
	e->value = value;
	e->len = len;
	if (len)
		memcpy(e->key, key, len);
	e->key[len] = '\0';
	return e;
}

int strmap_put(struct strmap *m, const void *key, size_t len, void *value)
{
	uint64_t hash = siphash13(seed, key, len);
	struct strmap_entry *e = m->cap ? m->slots[str_slot(m, hash, key, len)] : NULL;
	if (e) {
		e->value = value;
		return 0;
	}
	e = entry_create(hash, key, len, value);
	if (!e)
		return ERR_NOMEM;
	if (must_grow(m->len, m->cap) && strmap_grow(m) < 0) {
		mem_free(e);
		return ERR_NOMEM;
	}
	m->slots[str_slot(m, hash, key, len)] = e;
	m->len++;
	return 0;
}

void *strmap_remove(struct strmap *m, const void *key, size_t len)
{
	if (m->len == 0)
		return NULL;
	uint32_t mask = m->cap - 1, hole = str_slot(m, siphash13(seed, key, len), key, len);
	struct strmap_entry *e = m->slots[hole];
	if (!e)
		return NULL;
	void *value = e->value;
	mem_free(e);
	m->len--;
	for (uint32_t i = (hole + 1) & mask; m->slots[i]; i = (i + 1) & mask) {
		if (passes((uint32_t)m->slots[i]->hash & mask, hole, i, mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = NULL;
	return value;
}

bool strmap_next(const struct strmap *m, uint32_t *it, const char **key, size_t *len, void **value)
{
	for (uint32_t i = *it; i < m->cap; i++) {
		const struct strmap_entry *e = m->slots[i];
		if (e) {
			*key = e->key;
			*len = e->len;
			*value = e->value;
			*it = i + 1;
			return true;
		}
	}
	*it = m->cap;
	return false;
}
