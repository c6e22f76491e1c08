/* fields.c - header sections: one heap block holds the section, its first fields and its first
 * bytes, and is reused through a thread-local list. */
#include <string.h>
#include "base/assert.h"
#include "base/freelist.h"
#include "base/mem.h"
#include "http/fields.h"
#include "http/run.h"

/* What a gRPC request or response head needs fits without a second allocation. */
#define FIRST_FIELDS 20u
#define FIRST_BYTES  512u
#define CHUNK_BYTES  1024u
#define CACHE_MAX    256u
_Static_assert(RUN_FIELDS <= FIRST_FIELDS, "a section has room for its run");
#define LENGTH_MAX (1u << 30) /* name or value; far above any configured limit */

/* Whole cache lines, and what a head with a run has of its own in few of them. */
struct fields_block {
	struct fields f; /* first: a section's address is its block's */
	_Alignas(8) uint8_t bytes[FIRST_BYTES];
	struct field list[FIRST_FIELDS];
};
_Static_assert(sizeof(struct fields_block) % 64 == 0 && sizeof(struct fields) == 64, "lines");

static _Thread_local struct free_list cache;

static struct fields_block *block_of(struct fields *f)
{
	return (struct fields_block *)(void *)f;
}

struct fields *fields_create(void)
{
	struct fields *f = free_list_take(&cache, sizeof(struct fields_block));
	if (!f)
		return NULL;
	f->own = block_of(f)->list;
	f->run = NULL;
	f->count = 0;
	f->cap = FIRST_FIELDS;
	f->list_bytes = 0;
	f->lent = 0;
	f->run_changed = false;
	arena_init(&f->arena, block_of(f)->bytes, FIRST_BYTES, CHUNK_BYTES);
	return f;
}

void fields_destroy(struct fields *f)
{
	if (!f)
		return;
	if (f->run)
		run_unref(f->run);
	arena_fini(&f->arena);
	free_list_give(&cache, f, CACHE_MAX);
}

void fields_cache_purge(void)
{
	free_list_purge(&cache);
	run_purge();
}

void fields_cache_cool(void)
{
	free_list_cool(&cache);
}

void fields_begin(struct fields *f, struct fields_run *run)
{
	ASSERT(f->count == 0 && !f->run);
	f->run = run;
	f->count = f->lent = run->count;
	f->list_bytes = run->list_bytes;
}

void fields_fetch(struct fields *f)
{
	if (f->lent)
		memcpy(f->own, f->run->list, f->lent * sizeof(*f->own));
	f->lent = 0;
}

int fields_grow(struct fields *f)
{
	if (f->cap >= LENGTH_MAX / sizeof(struct field))
		return ERR_NOMEM;
	struct field *list = arena_alloc(&f->arena, 2 * (size_t)f->cap * sizeof(*list));
	if (!list)
		return ERR_NOMEM;
	memcpy(list + f->lent, f->own + f->lent, (f->count - f->lent) * sizeof(*list));
	f->own = list; /* the old one stays in the arena: a section grows rarely, and by doubling */
	f->cap *= 2;
	return 0;
}

void *fields_alloc(struct fields *f, size_t bytes)
{
	return arena_alloc(&f->arena, bytes);
}

size_t fields_trim(struct fields *f, void *last, size_t bytes, size_t used)
{
	ASSERT(used <= bytes);
	if (!last || (uint8_t *)last + ((bytes + 7) & ~(size_t)7) != f->arena.at)
		return bytes;
	f->arena.at = (uint8_t *)last + ((used + 7) & ~(size_t)7);
	return used;
}

int fields_add_token(struct fields *f, enum token t, const void *value, size_t value_len)
{
	ASSERT(t != TOKEN_OTHER);
	if (value_len > LENGTH_MAX)
		return ERR_NOMEM;
	const char *copy = "";
	if (value_len && !(copy = arena_dup(&f->arena, value, value_len)))
		return ERR_NOMEM;
	return fields_add_raw(f, (struct field){
					 .name = token_name(t),
					 .name_len = (uint32_t)token_name_len(t),
					 .value = copy,
					 .value_len = (uint32_t)value_len,
					 .token = (uint16_t)t,
				 });
}

int fields_add_str(struct fields *f, enum token t, const char *value)
{
	return fields_add_token(f, t, value, strlen(value));
}

int fields_add(
	struct fields *f, const void *name, size_t name_len, const void *value, size_t value_len)
{
	enum token t = token_find(name, name_len);
	if (t != TOKEN_OTHER)
		return fields_add_token(f, t, value, value_len);
	if (name_len > LENGTH_MAX || value_len > LENGTH_MAX)
		return ERR_NOMEM;
	char *copy = arena_alloc(&f->arena, name_len + value_len + 1);
	if (!copy)
		return ERR_NOMEM;
	if (name_len)
		memcpy(copy, name, name_len);
	if (value_len)
		memcpy(copy + name_len, value, value_len);
	return fields_add_raw(f, (struct field){
					 .name = copy,
					 .name_len = (uint32_t)name_len,
					 .value = copy + name_len,
					 .value_len = (uint32_t)value_len,
					 .token = TOKEN_OTHER,
				 });
}

struct fields *fields_copy(const struct fields *f)
{
	struct fields *copy = fields_create();
	if (!copy)
		return NULL;
	if (fields_run(f))
		fields_begin(copy, run_ref(fields_run(f)));
	for (uint32_t i = copy->count; i < f->count; i++) {
		const struct field *from = &f->own[i];
		int err = from->token == TOKEN_OTHER
				  ? fields_add(copy, from->name, from->name_len, from->value,
					    from->value_len)
				  : fields_add_token(copy, (enum token)from->token, from->value,
					    from->value_len);
		if (err) {
			fields_destroy(copy);
			return NULL;
		}
		copy->own[i].hash = from->hash;
		copy->own[i].flags = from->flags;
	}
	return copy;
}

/* The field at this place, lent or not. */
static const struct field *at(const struct fields *f, uint32_t i)
{
	return i < f->lent ? &f->run->list[i] : &f->own[i];
}

/* Of the first field with this token; the count: there is none. */
static uint32_t place_of(const struct fields *f, enum token t)
{
	uint32_t i = 0;
	while (i < f->lent && f->run->list[i].token != t)
		i++;
	if (i == f->lent)
		while (i < f->count && f->own[i].token != t)
			i++;
	return i;
}

const struct field *fields_get(const struct fields *f, enum token t)
{
	uint32_t i = t == TOKEN_OTHER ? f->count : place_of(f, t);
	return i < f->count ? at(f, i) : NULL;
}

const struct field *fields_find(const struct fields *f, const void *name, size_t name_len)
{
	enum token t = token_find(name, name_len);
	if (t != TOKEN_OTHER)
		return fields_get(f, t);
	for (uint32_t i = 0; i < f->count; i++) {
		const struct field *field = at(f, i);
		if (field->token == TOKEN_OTHER && field->name_len == name_len &&
			!memcmp(field->name, name, name_len))
			return field;
	}
	return NULL;
}

bool fields_has(const struct fields *f, enum token t)
{
	return fields_get(f, t) != NULL;
}

bool field_is(const struct field *field, const char *value)
{
	return field && field->value_len == strlen(value) &&
	       !memcmp(field->value, value, field->value_len);
}

int fields_set(struct fields *f, enum token t, const void *value, size_t value_len)
{
	ASSERT(t != TOKEN_OTHER);
	uint32_t place = place_of(f, t);
	if (place == f->count)
		return fields_add_token(f, t, value, value_len);
	if (value_len > LENGTH_MAX)
		return ERR_NOMEM;
	const char *copy = "";
	if (value_len && !(copy = arena_dup(&f->arena, value, value_len)))
		return ERR_NOMEM;
	if (place < f->lent)
		fields_fetch(f);
	struct field *field = &f->own[place];
	uint64_t sum = (uint64_t)f->list_bytes - field->value_len + value_len;
	f->list_bytes = sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
	field->value = copy;
	field->value_len = (uint32_t)value_len;
	field->hash = 0;
	f->run_changed |= f->run && place < f->run->count;
	return 0;
}

unsigned fields_remove(struct fields *f, enum token t)
{
	uint32_t kept = 0;
	if (t == TOKEN_OTHER)
		return 0;
	struct field *list = fields_own(f);
	for (uint32_t i = 0; i < f->count; i++) {
		if (list[i].token == t)
			f->list_bytes -= list[i].name_len + list[i].value_len + FIELD_BYTES;
		else
			list[kept++] = list[i];
	}
	unsigned removed = f->count - kept;
	f->count = kept;
	f->run_changed |= removed != 0;
	return removed;
}
