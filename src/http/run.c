#include "http/run.h"
#include <string.h>
#include "base/mem.h"

/* By hash; a newcomer takes the place of another. */
static _Thread_local struct fields_run *table[RUNS_MAX];

static uint32_t bytes_of(const struct field *f)
{
	return f->value_len + 1 + (f->token == TOKEN_OTHER ? f->name_len : 0);
}

static uint32_t mix(uint32_t h, const char *bytes, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)bytes[i]) * 16777619u;
	return h;
}

/* Not seeded: a collision costs its peers a run. */
static uint32_t hash_of(const struct field *list, uint32_t count)
{
	uint32_t h = 2166136261u;
	for (uint32_t i = 0; i < count; i++) {
		h = mix(h ^ list[i].token, list[i].value, list[i].value_len);
		if (list[i].token == TOKEN_OTHER)
			h = mix(h, list[i].name, list[i].name_len);
	}
	return h ^ h >> 16;
}

static bool same_field(const struct field *a, const struct field *b)
{
	return a->token == b->token && a->flags == b->flags && a->hash == b->hash &&
	       a->name_len == b->name_len && a->value_len == b->value_len &&
	       (a->token != TOKEN_OTHER || !memcmp(a->name, b->name, a->name_len)) &&
	       (a->value_len == 0 || !memcmp(a->value, b->value, a->value_len));
}

static bool is_run(const struct fields_run *run, const struct field *list, uint32_t count)
{
	if (run->count != count)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!same_field(&run->list[i], &list[i]))
			return false;
	return true;
}

/* Copies what the field points to, unless a table has it for ever. */
static char *copy_bytes(struct field *f, char *at)
{
	if (f->token == TOKEN_OTHER) {
		memcpy(at, f->name, f->name_len);
		f->name = at;
		at += f->name_len;
	} else {
		f->name = token_name((enum token)f->token);
	}
	if (f->value_len)
		memcpy(at, f->value, f->value_len);
	at[f->value_len] = '\0';
	f->value = at;
	return at + f->value_len + 1;
}

static struct fields_run *create(const struct field *list, uint32_t count)
{
	uint32_t bytes = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (list[i].name_len > RUN_BYTES || list[i].value_len > RUN_BYTES)
			return NULL;
		bytes += bytes_of(&list[i]);
	}
	if (bytes > RUN_BYTES + RUN_FIELDS)
		return NULL;
	struct fields_run *run = mem_alloc(sizeof(*run) + count * sizeof(*list) + bytes);
	if (!run)
		return NULL;
	*run = (struct fields_run){.refs = 1, .count = (uint16_t)count};
	memcpy(run->list, list, count * sizeof(*list));
	char *at = (char *)(run->list + count);
	for (uint32_t i = 0; i < count; i++) {
		at = copy_bytes(&run->list[i], at);
		run->list_bytes += list[i].name_len + list[i].value_len + FIELD_BYTES;
	}
	return run;
}

struct fields_run *run_intern(const struct field *list, uint32_t count)
{
	if (count == 0 || count > RUN_FIELDS)
		return NULL;
	uint32_t hash = hash_of(list, count);
	struct fields_run **home = &table[hash % RUNS_MAX];
	if (*home && (*home)->hash == hash && is_run(*home, list, count))
		return run_ref(*home);
	struct fields_run *run = create(list, count);
	if (!run)
		return NULL;
	run->hash = hash;
	if (*home)
		run_unref(*home);
	*home = run_ref(run);
	return run;
}

void run_free(struct fields_run *run)
{
	mem_free(run);
}

void run_purge(void)
{
	for (uint32_t i = 0; i < RUNS_MAX; i++) {
		if (table[i])
			run_unref(table[i]);
		table[i] = NULL;
	}
}
