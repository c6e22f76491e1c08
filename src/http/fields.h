/* fields.h - one header or trailer section in transit, the same for every protocol.
 *
 * What it is: an ordered list of name/value pairs. Pseudo-headers are fields too (":path"), in
 * front. Names are lower case. Bytes live in chunks of the section's own arena and never move,
 * names of known tokens point into the token table, so a field's pointers are good as long as the
 * section is. A section that begins with a run (run.h) borrows its fields until somebody wants all
 * of them in a row.
 * What it is not: validated; the engines validate what they decode.
 *
 * Owner: whoever holds the pointer; an event that carries fields gives them away.
 * Threads: one. fields_create takes from a small thread-local cache (no allocation in the steady
 * state); fields_cache_purge empties it.
 * Errors: fields_add answers ERR_NOMEM. Limits belong to the caller: `list_bytes` is what RFC 9113
 * 6.5.2 counts for MAX_HEADER_LIST_SIZE (name + value + 32 for each field). */
#ifndef WEIR_HTTP_FIELDS_H
#define WEIR_HTTP_FIELDS_H
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/arena.h"
#include "http/token.h"

enum {
	/* came as a never-indexed literal: must leave as one (RFC 7541 6.2.3) */
	FIELD_NEVER_INDEX = 1,
};

#define FIELD_BYTES 32u /* what RFC 9113 6.5.2 adds for each field */

struct field {
	const char *name;
	const char *value; /* bytes, not NUL-terminated, no CR LF NUL */
	uint32_t name_len, value_len;
	uint32_t hash;  /* of name and value, as HPACK computes it; 0 = not computed */
	uint16_t token; /* enum token */
	uint16_t flags; /* FIELD_* */
};

struct fields_run; /* run.h */
struct fields {
	struct field *own;      /* by place; those below `lent` are not here, but in the run */
	struct fields_run *run; /* has the first fields' bytes; NULL: none */
	uint32_t count, cap;    /* all fields, lent ones too */
	uint32_t list_bytes;    /* RFC 9113 6.5.2 size */
	uint16_t lent;          /* so many: 0 or all of the run's */
	bool run_changed;       /* the first fields are no longer the run's; none is lent */
	struct arena arena;
};

struct fields *fields_create(void) MUST_USE; /* NULL: out of memory */
void fields_destroy(struct fields *f);       /* NULL is fine */
void fields_cache_purge(void);
void fields_cache_cool(void); /* gives up what nobody needed since the last time */

/* Appends copies of both; finds the token. ERR_NOMEM. */
int fields_add(struct fields *f, const void *name, size_t name_len, const void *value,
	size_t value_len) MUST_USE;
/* Appends a field with a known name; copies the value only. */
int fields_add_token(struct fields *f, enum token t, const void *value, size_t value_len) MUST_USE;
int fields_add_str(struct fields *f, enum token t, const char *value) MUST_USE;
int fields_grow(struct fields *f) MUST_USE; /* for fields_add_raw: makes room for one more */
/* Appends `field` as it is: its bytes must outlive `f` (static memory, or f's own arena). */
MUST_USE static inline int fields_add_raw(struct fields *f, struct field field)
{
	if (f->count == f->cap && fields_grow(f))
		return ERR_NOMEM;
	f->own[f->count++] = field;
	uint64_t sum = (uint64_t)f->list_bytes + field.name_len + field.value_len + FIELD_BYTES;
	f->list_bytes = sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum; /* no sum looks small */
	return 0;
}
/* Memory in f's arena, for fields_add_raw. */
void *fields_alloc(struct fields *f, size_t bytes) MUST_USE;
/* Gives back what the latest fields_alloc(f, bytes), which answered `last`, does not need after
 * all; how many bytes it still holds (where it is not the latest any more: all). NULL is fine. */
size_t fields_trim(struct fields *f, void *last, size_t bytes, size_t used);
struct fields *fields_copy(const struct fields *f) MUST_USE;
/* What a section needs to be made again, in as little memory as that takes. NULL: out of memory. */
struct fields_packed;
struct fields_packed *fields_pack(const struct fields *f) MUST_USE;
struct fields *fields_unpack(const struct fields_packed *p) MUST_USE;
void fields_packed_destroy(struct fields_packed *p); /* NULL is fine */

/* Begins an empty section with a run's fields, which stay there; takes the reference. */
void fields_begin(struct fields *f, struct fields_run *run);
/* All fields in a row; those that a run lends are copied first. They may be changed in place, but
 * for a run's. Pointers to fields stay good; those to lent ones do not see the changes. */
void fields_fetch(struct fields *f);
static inline struct field *fields_own(struct fields *f)
{
	if (f->lent)
		fields_fetch(f);
	return f->own;
}
/* The same, to read. */
static inline const struct field *fields_list(const struct fields *f)
{
	return fields_own((struct fields *)(uintptr_t)f);
}
/* The run whose fields the section begins with; NULL: none, or they were changed. */
static inline struct fields_run *fields_run(const struct fields *f)
{
	return f->run_changed ? NULL : f->run;
}

/* The first field with this token (not TOKEN_OTHER), or NULL. */
const struct field *fields_get(const struct fields *f, enum token t);
const struct field *fields_find(const struct fields *f, const void *name, size_t name_len);
bool fields_has(const struct fields *f, enum token t);
/* Exact, case-sensitive; NULL field: false. */
bool field_is(const struct field *field, const char *value);
/* Replaces the value of the first field with this token, or appends it. ERR_NOMEM. */
int fields_set(struct fields *f, enum token t, const void *value, size_t value_len) MUST_USE;
/* Removes every field with this token (keeps the order); how many there were. */
unsigned fields_remove(struct fields *f, enum token t);
#endif
