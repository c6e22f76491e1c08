/* token.c - names and flags from token.def, and the hash that finds a name's token. */
#include <string.h>
#include "base/assert.h"
#include "http/token.h"

struct token_info {
	const char *name;
	uint16_t len, flags;
};

static const struct token_info tokens[TOKEN_COUNT + 1] = {
#define TOKEN(id, name, flags) {name, sizeof(name) - 1, flags},
#include "http/token.def"
#undef TOKEN
	{"", 0, 0},
};

#define NAME_MAX_BYTES 32u /* no known name is longer: the filler below insists */
#define SLOTS_BITS     10
#define SLOTS          (1u << SLOTS_BITS)

/* Open addressing with linear probing, at most a quarter full; a slot holds token + 1, 0 = empty.
 * Written once before main and read-only from then on, so any thread may look things up. */
static uint8_t slots[SLOTS];
_Static_assert(TOKEN_COUNT < 255, "a slot is one byte");
_Static_assert(TOKEN_COUNT * 4 <= SLOTS, "near misses should meet an empty slot at once");

static inline uint64_t load8(const char *at)
{
	uint64_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

static inline uint32_t load4(const char *at)
{
	uint32_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

/* Mixes the length with the first and the last eight bytes (overlapping when the name is short). An
 * attacker who finds collisions gains nothing: the table never grows and a probe is bounded by it.
 */
static inline uint32_t name_slot(const char *name, size_t len)
{
	uint64_t head, tail;
	if (len >= 8) {
		head = load8(name);
		tail = load8(name + len - 8);
	} else if (len >= 4) {
		head = load4(name);
		tail = load4(name + len - 4);
	} else {
		head = (uint8_t)name[0];
		tail = (uint64_t)(uint8_t)name[len / 2] << 8 | (uint8_t)name[len - 1];
	}
	uint64_t mixed = (head ^ (tail << 17 | tail >> 47) ^ len) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)((mixed ^ mixed >> 32) * 0x85ebca6bu) >> (32 - SLOTS_BITS);
}

__attribute__((constructor)) static void fill_slots(void)
{
	for (unsigned t = 0; t < TOKEN_COUNT; t++) {
		ASSERT(tokens[t].len > 0 && tokens[t].len <= NAME_MAX_BYTES);
		uint32_t at = name_slot(tokens[t].name, tokens[t].len);
		while (slots[at])
			at = (at + 1) & (SLOTS - 1);
		slots[at] = (uint8_t)(t + 1);
	}
}

enum token token_find(const void *name, size_t len)
{
	if (len == 0 || len > NAME_MAX_BYTES)
		return TOKEN_OTHER;
	for (uint32_t at = name_slot(name, len); slots[at]; at = (at + 1) & (SLOTS - 1)) {
		const struct token_info *info = &tokens[slots[at] - 1];
		if (info->len == len && !memcmp(info->name, name, len))
			return (enum token)(slots[at] - 1);
	}
	return TOKEN_OTHER;
}

const char *token_name(enum token t)
{
	ASSERT((unsigned)t <= TOKEN_COUNT);
	return tokens[t].name;
}

size_t token_name_len(enum token t)
{
	ASSERT((unsigned)t <= TOKEN_COUNT);
	return tokens[t].len;
}

unsigned token_flags(enum token t)
{
	ASSERT((unsigned)t <= TOKEN_COUNT);
	return tokens[t].flags;
}
