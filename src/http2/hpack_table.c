/* hpack_table.c - the dynamic table (RFC 7541 2.3.2, 4). */
#include "base/mem.h"
#include "http2/hpack_priv.h"

#define FIRST_ENTRIES 8u
#define FIRST_BYTES   256u

void hpack_table_init(struct hpack_table *t, uint32_t max_bytes)
{
	*t = (struct hpack_table){.max_bytes = max_bytes};
}

void hpack_table_fini(struct hpack_table *t)
{
	mem_free(t->entries);
	mem_free(t->bytes);
	*t = (struct hpack_table){0};
}

static uint64_t own_bytes(const struct field *f) /* what the window holds of it */
{
	return (uint64_t)f->value_len + (f->token == TOKEN_OTHER ? f->name_len : 0);
}

static uint64_t entry_bytes(const struct field *f) /* what RFC 7541 4.1 counts */
{
	return (uint64_t)f->name_len + f->value_len + HPACK_ENTRY_OVERHEAD;
}

static void evict_above(struct hpack_table *t, uint64_t bytes)
{
	while (t->used_bytes > bytes) {
		DEBUG_ASSERT(hpack_table_count(t) > 0);
		const struct hpack_entry *e = hpack_table_entry(t, t->first_seq);
		t->head_pos += own_bytes(&e->f);
		t->used_bytes -= (uint32_t)entry_bytes(&e->f);
		t->first_seq++;
	}
}

void hpack_table_resize(struct hpack_table *t, uint32_t max_bytes)
{
	t->max_bytes = max_bytes;
	evict_above(t, max_bytes);
}

static int reserve_entry(struct hpack_table *t)
{
	if (hpack_table_count(t) < t->cap)
		return 0;
	uint32_t cap = t->cap ? t->cap * 2 : FIRST_ENTRIES;
	if (cap > UINT32_MAX / 2 / sizeof(struct hpack_entry))
		return ERR_NOMEM;
	struct hpack_entry *entries = mem_alloc(cap * sizeof(*entries));
	if (!entries)
		return ERR_NOMEM;
	for (uint32_t seq = t->first_seq; seq != t->next_seq; seq++)
		entries[seq & (cap - 1)] = *hpack_table_entry(t, seq);
	mem_free(t->entries);
	t->entries = entries;
	t->cap = cap;
	return 0;
}

/* Makes `need` bytes free behind the window: moves it to the front when at least half of the buffer
 * is free then (so that a byte is moved once for each byte that comes in), else grows, to at most
 * twice the table: more than the window and any entry that is let in. */
static int reserve_bytes(struct hpack_table *t, size_t need)
{
	if (t->bytes && t->tail_pos - t->base_pos + need <= t->bytes_cap)
		return 0;
	size_t alive = (size_t)(t->tail_pos - t->head_pos), cap_max = 2 * (size_t)t->max_bytes;
	const uint8_t *from = t->bytes ? t->bytes + (t->head_pos - t->base_pos) : NULL;
	if (t->bytes && ((alive + need) * 2 <= t->bytes_cap || t->bytes_cap >= cap_max)) {
		memmove(t->bytes, from, alive);
	} else {
		size_t cap = (alive + need) * 2;
		cap = cap < FIRST_BYTES ? FIRST_BYTES : cap;
		cap = cap > cap_max ? cap_max : cap;
		uint8_t *bytes = mem_alloc(cap);
		if (!bytes)
			return ERR_NOMEM;
		if (alive && from)
			memcpy(bytes, from, alive);
		mem_free(t->bytes);
		t->bytes = bytes;
		t->bytes_cap = cap;
	}
	t->base_pos = t->head_pos;
	return 0;
}

static void append(struct hpack_table *t, const void *bytes, uint32_t len)
{
	if (len)
		memcpy(t->bytes + (t->tail_pos - t->base_pos), bytes, len);
	t->tail_pos += len;
}

int hpack_table_insert(struct hpack_table *t, const struct field *f, uint32_t *seq)
{
	if (entry_bytes(f) > t->max_bytes) {
		evict_above(t, 0);
		return 0;
	}
	/* Room first, while what has to go is still there: a failure changes nothing, and a name
	 * that lies in the window stays readable until it is copied (4.4). */
	const char *name = f->name;
	uintptr_t name_at = (uintptr_t)name - (uintptr_t)t->bytes;
	bool inside = t->bytes && name_at < t->bytes_cap;
	uint64_t name_pos = t->base_pos + name_at;
	if (reserve_entry(t) || reserve_bytes(t, (size_t)own_bytes(f)))
		return ERR_NOMEM;
	if (inside)
		name = (const char *)t->bytes + (name_pos - t->base_pos);
	evict_above(t, t->max_bytes - entry_bytes(f));

	struct hpack_entry *e = hpack_table_entry(t, t->next_seq);
	*e = (struct hpack_entry){.f = *f, .pos = t->tail_pos};
	e->f.flags = 0;
	e->f.value = NULL;
	e->f.name = hpack_names[f->token].name;
	if (f->token == TOKEN_OTHER)
		append(t, name, f->name_len);
	append(t, f->value, f->value_len);
	t->used_bytes += (uint32_t)entry_bytes(f);
	*seq = t->next_seq++;
	return 0;
}
