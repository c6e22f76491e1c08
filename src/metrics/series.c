/* series.c - label sets become rows once and for all, and cells of values in each thread's slab. */
#include <string.h>
#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/utf8.h"
#include "metrics/table.h"

enum {
	CHUNK_BYTES = 32768,
	CACHE_FIRST = 64,
	BUCKETS_MIN = 4096,
	BUCKETS_MAX = 1 << 18,
	CLOSED_GROUP_SETS = 1000, /* groups without open labels have room for this many at least */
	GROUP_SETS_MAX = 1000000,
	KEY_BYTES = 1 + METRIC_LABELS_MAX * (METRIC_LABEL_BYTES + 1),
};

/* A look-up in progress. */
struct key {
	uint64_t hash;
	uint32_t len;
	bool clipped; /* a value was too long and became _OTHER */
	char bytes[KEY_BYTES];
};

struct chunk {
	struct chunk *next;
	uint32_t cap;
	_Alignas(16) uint8_t bytes[];
};

/* Monitoring systems refuse a whole page for one label that is not UTF-8. */
static void make_utf8(char *value, size_t len)
{
	uint8_t *s = (uint8_t *)value;
	for (size_t i = 0; i < len;) {
		unsigned n = utf8_char_bytes(s + i, len - i);
		if (!n)
			s[i] = '?';
		i += n ? n : 1;
	}
}

static void key_add(struct key *k, const char *value)
{
	char *at = k->bytes + k->len;
	size_t len = strnlen(value, METRIC_LABEL_BYTES + 1);
	if (len > METRIC_LABEL_BYTES) {
		k->clipped = true;
		value = METRICS_OTHER;
		len = sizeof METRICS_OTHER - 1;
	}
	uint8_t any = 0;
	for (size_t i = 0; i < len; i++)
		any |= (uint8_t)(at[i] = value[i]);
	at[len] = 0;
	if (any & 0x80)
		make_utf8(at, len);
	k->len += (uint32_t)len + 1;
}

enum key_shape { KEY_AS_GIVEN, KEY_OPEN_OTHER, KEY_ALL_OTHER };

static void key_make(const struct metrics *m, struct key *k, enum metric_group g,
	const char *const *values, enum key_shape shape)
{
	const struct group_info *info = &m->groups[g];
	k->bytes[0] = (char)g;
	k->len = 1;
	k->clipped = false;
	for (unsigned i = 0; i < info->labels; i++) {
		bool other = shape == KEY_ALL_OTHER || (shape == KEY_OPEN_OTHER && info->open[i]);
		const char *value = other ? METRICS_OTHER : values[i];
		key_add(k, value ? value : "");
	}
	k->hash = siphash13(m->hash_key, k->bytes, k->len);
}

static bool row_is(const struct row *r, const struct key *k)
{
	return r->hash == k->hash && r->key_len == k->len && !memcmp(r->key, k->bytes, k->len);
}

const char *row_value(const struct row *r, unsigned label)
{
	const char *at = r->key + 1;
	while (label--)
		at += strlen(at) + 1;
	return at;
}

/* Any thread, no lock: rows never change once they are linked. */
static const struct row *row_find(const struct metrics *m, const struct key *k)
{
	const struct row *_Atomic *bucket = &m->buckets[k->hash & m->bucket_mask];
	const struct row *r = atomic_load_explicit(bucket, memory_order_acquire);
	while (r && !row_is(r, k))
		r = r->next_in_bucket;
	return r;
}

static bool group_is_full(const struct metrics *m, enum metric_group g, uint32_t want)
{
	uint32_t n = atomic_load_explicit(&m->row_count[g], memory_order_relaxed);
	return n + want > m->limit[g];
}

/* With the lock held. NULL: out of memory. */
static const struct row *row_add(struct metrics *m, enum metric_group g, const struct key *k)
{
	struct row *r = mem_alloc(sizeof *r + k->len);
	if (!r)
		return NULL;
	const struct row *_Atomic *bucket = &m->buckets[k->hash & m->bucket_mask];
	r->hash = k->hash;
	r->key_len = k->len;
	memcpy(r->key, k->bytes, k->len);
	r->index = atomic_load_explicit(&m->row_count[g], memory_order_relaxed);
	r->next_in_bucket = atomic_load_explicit(bucket, memory_order_relaxed);
	r->next_in_group = atomic_load_explicit(&m->rows[g], memory_order_relaxed);
	atomic_store_explicit(bucket, r, memory_order_release);
	atomic_store_explicit(&m->rows[g], r, memory_order_release);
	atomic_store_explicit(&m->row_count[g], r->index + 1, memory_order_release);
	return r;
}

/* Makes the row of a new set, and before it the one that the set would fall back to: what overflows
 * later must find its place taken already. NULL: no room or no memory. */
static const struct row *row_intern(
	struct metrics *m, enum metric_group g, const struct key *k, const struct key *open_other)
{
	if (group_is_full(m, g, 1))
		return NULL;
	pthread_mutex_lock(&m->lock);
	const struct row *r = row_find(m, k);
	if (!r && open_other && !row_find(m, open_other) && !group_is_full(m, g, 1))
		(void)!row_add(m, g, open_other);
	if (!r && !group_is_full(m, g, 1))
		r = row_add(m, g, k);
	pthread_mutex_unlock(&m->lock);
	return r;
}

static void *slab_alloc(struct metrics_slab *s, uint32_t bytes)
{
	bytes = (bytes + 15) & ~15u;
	if (!s->chunks || s->chunks->cap - s->chunk_used < bytes) {
		uint32_t cap = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
		struct chunk *c = mem_zalloc(sizeof *c + cap);
		if (!c)
			return NULL;
		c->cap = cap;
		c->next = s->chunks;
		s->chunks = c;
		s->chunk_used = 0;
	}
	void *at = s->chunks->bytes + s->chunk_used;
	s->chunk_used += bytes;
	return at;
}

static struct cell *cell_create(struct metrics_slab *s, enum metric_group g, const struct row *row)
{
	uint32_t series_bytes =
		(uint32_t)(sizeof(struct series) + group_slots(g) * sizeof(uint64_t));
	struct cell *c = slab_alloc(s, (uint32_t)sizeof *c + series_bytes);
	if (!c)
		return NULL;
	c->row = row;
	c->series = (struct series *)(void *)(c + 1);
	c->series->group = g;
	return c;
}

static void cell_link(struct metrics_slab *s, struct cell *c)
{
	struct cell *_Atomic *head = &s->cells[c->series->group];
	c->next = atomic_load_explicit(head, memory_order_relaxed);
	atomic_store_explicit(head, c, memory_order_release);
}

static struct cell *cache_find(const struct metrics_slab *s, const struct key *k)
{
	if (!s->cache_cap)
		return NULL;
	uint32_t mask = s->cache_cap - 1;
	for (uint32_t i = (uint32_t)(k->hash >> 32) & mask;; i = (i + 1) & mask) {
		const struct cache_slot *slot = &s->cache[i];
		if (!slot->cell || (slot->hash == k->hash && row_is(slot->cell->row, k)))
			return slot->cell;
	}
}

static void cache_place(struct cache_slot *slots, uint32_t cap, struct cache_slot what)
{
	uint32_t i = (uint32_t)(what.hash >> 32) & (cap - 1);
	while (slots[i].cell)
		i = (i + 1) & (cap - 1);
	slots[i] = what;
}

/* Room for one more; false when out of memory. */
static bool cache_reserve(struct metrics_slab *s)
{
	if ((s->cache_len + 1) * 2 <= s->cache_cap)
		return true;
	uint32_t cap = s->cache_cap ? s->cache_cap * 2 : CACHE_FIRST;
	struct cache_slot *slots = mem_zalloc(cap * sizeof *slots);
	if (!slots)
		return false;
	for (uint32_t i = 0; i < s->cache_cap; i++)
		if (s->cache[i].cell)
			cache_place(slots, cap, s->cache[i]);
	mem_free(s->cache);
	s->cache = slots;
	s->cache_cap = cap;
	return true;
}

/* The series of a row that this slab has not used yet. NULL: out of memory. */
static struct series *slab_adopt(struct metrics_slab *s, enum metric_group g, const struct row *row)
{
	if (!cache_reserve(s))
		return NULL;
	struct cell *c = cell_create(s, g, row);
	if (!c)
		return NULL;
	cell_link(s, c);
	cache_place(s->cache, s->cache_cap, (struct cache_slot){row->hash, c});
	s->cache_len++;
	return c->series;
}

struct series *metrics_plain(struct metrics_slab *s, enum metric_group g)
{
	if (!s->fallback_linked[g]) {
		s->fallback_linked[g] = true;
		cell_link(s, s->fallback[g]);
	}
	return s->fallback[g]->series;
}

static struct series *find_or_adopt(
	struct metrics_slab *s, enum metric_group g, const struct key *k)
{
	struct cell *c = cache_find(s, k);
	if (c)
		return c->series;
	const struct row *row = row_find(s->metrics, k);
	if (row == s->metrics->fallback[g])
		return metrics_plain(s, g);
	return row ? slab_adopt(s, g, row) : NULL;
}

/* A set that no slab of this thread has: its own row, or the first fallback that there is. */
static struct series *first_sight(
	struct metrics_slab *s, enum metric_group g, const char *const *values, const struct key *k)
{
	struct metrics *m = s->metrics;
	struct key other;
	const struct key *open_other = NULL;
	if (m->groups[g].any_open) {
		key_make(m, &other, g, values, KEY_OPEN_OTHER);
		open_other = &other;
	}
	struct series *found = NULL;
	if (row_intern(m, g, k, open_other))
		found = find_or_adopt(s, g, k);
	if (found)
		return found;
	series_add(metrics_plain(s, GROUP_PROCESS), M_METRICS_OVERFLOW, 1);
	if (open_other)
		found = find_or_adopt(s, g, open_other);
	return found ? found : metrics_plain(s, g);
}

struct series *metrics_series(
	struct metrics_slab *s, enum metric_group g, const char *const *values)
{
	if (!s->metrics->groups[g].labels)
		return metrics_plain(s, g);
	struct key k;
	key_make(s->metrics, &k, g, values, KEY_AS_GIVEN);
	if (UNLIKELY(k.clipped))
		series_add(metrics_plain(s, GROUP_PROCESS), M_METRICS_OVERFLOW, 1);
	struct series *found = find_or_adopt(s, g, &k);
	return LIKELY(found) ? found : first_sight(s, g, values, &k);
}

bool metrics_series_known(struct metrics_slab *s, enum metric_group g, const char *const *values)
{
	struct key k;
	key_make(s->metrics, &k, g, values, KEY_AS_GIVEN);
	return cache_find(s, &k) || row_find(s->metrics, &k);
}

uint64_t metrics_read(struct metrics *m, enum metric metric, const char *const *values)
{
	enum metric_group g = metric_infos[metric].group;
	struct key k;
	key_make(m, &k, g, values, KEY_AS_GIVEN);
	const struct row *row = row_find(m, &k);
	const struct histogram_info *h = histogram_of(metric_infos[metric].kind);
	unsigned slots = h ? h->slots - 1 : 1; /* without the sum */
	uint64_t sum = 0;
	struct metrics_slab *s = atomic_load_explicit(&m->slabs, memory_order_acquire);
	for (; row && s; s = s->next) {
		const struct cell *c = atomic_load_explicit(&s->cells[g], memory_order_acquire);
		while (c && c->row != row)
			c = c->next;
		for (unsigned i = 0; c && i < slots; i++)
			sum += atomic_load_explicit(
				&c->series->v[metric_slot[metric] + i], memory_order_relaxed);
	}
	return sum;
}

static void slab_destroy(struct metrics_slab *s)
{
	for (struct chunk *c = s->chunks, *next; c; c = next) {
		next = c->next;
		mem_free(c);
	}
	mem_free(s->cache);
	mem_free(s);
}

struct metrics_slab *metrics_slab_create(struct metrics *m)
{
	struct metrics_slab *s = mem_zalloc(sizeof *s);
	if (!s)
		return NULL;
	s->metrics = m;
	for (unsigned g = 0; g < GROUP_COUNT; g++) {
		s->fallback[g] = cell_create(s, g, m->fallback[g]);
		if (!s->fallback[g]) {
			slab_destroy(s);
			return NULL;
		}
		if (!m->groups[g].labels)
			metrics_plain(s, g); /* a page shows these from the start, as 0 */
	}
	pthread_mutex_lock(&m->lock);
	s->next = atomic_load_explicit(&m->slabs, memory_order_relaxed);
	atomic_store_explicit(&m->slabs, s, memory_order_release);
	pthread_mutex_unlock(&m->lock);
	return s;
}

static uint32_t group_limit(const struct group_info *info, uint32_t series_per_family)
{
	uint32_t n = series_per_family;
	if (!info->any_open && n < CLOSED_GROUP_SETS)
		n = CLOSED_GROUP_SETS;
	return n < 1 ? 1 : n > GROUP_SETS_MAX ? GROUP_SETS_MAX : n;
}

struct metrics *metrics_create(uint32_t series_per_family)
{
	struct metrics *m = mem_zalloc(sizeof *m);
	if (!m)
		return NULL;
	pthread_mutex_init(&m->lock, NULL);
	rand_os_bytes(m->hash_key, sizeof m->hash_key);
	uint32_t buckets = BUCKETS_MIN;
	while (buckets < BUCKETS_MAX && buckets / 4 < series_per_family)
		buckets *= 2;
	m->bucket_mask = buckets - 1;
	m->buckets = mem_zalloc(buckets * sizeof *m->buckets);
	bool ok = m->buckets;
	for (unsigned g = 0; ok && g < GROUP_COUNT; g++) {
		struct key k;
		group_describe(g, &m->groups[g]);
		m->limit[g] = group_limit(&m->groups[g], series_per_family);
		key_make(m, &k, g, NULL, KEY_ALL_OTHER);
		m->fallback[g] = row_add(m, g, &k);
		ok = m->fallback[g];
	}
	if (ok)
		return m;
	metrics_destroy(m);
	return NULL;
}

void metrics_destroy(struct metrics *m)
{
	if (!m)
		return;
	for (struct metrics_slab *s = atomic_load(&m->slabs), *next; s; s = next) {
		next = s->next;
		slab_destroy(s);
	}
	for (unsigned g = 0; g < GROUP_COUNT; g++) {
		for (const struct row *r = atomic_load(&m->rows[g]), *next; r; r = next) {
			next = r->next_in_group;
			mem_free((void *)(uintptr_t)r);
		}
	}
	mem_free(m->buckets);
	pthread_mutex_destroy(&m->lock);
	mem_free(m);
}
