/* freelist.h - blocks of one size that are used again: a bounded list of free ones.
 *
 * A free block begins with the link to the next. Nothing is zeroed. Owner: whoever embeds it.
 * Threads: one. Errors: NULL when out of memory. */
#ifndef WEIR_BASE_FREELIST_H
#define WEIR_BASE_FREELIST_H
#include <stdint.h>
#include <string.h>
#include "base/err.h"
#include "base/mem.h"

struct free_list {
	void *first;
	uint32_t count;
};

/* `bytes`: the same at every call for this list, and at least a pointer's. */
MUST_USE static inline void *free_list_take(struct free_list *l, size_t bytes)
{
	void *p = l->first;
	if (!p)
		return mem_alloc(bytes);
	memcpy(&l->first, p, sizeof(void *));
	l->count--;
	return p;
}

/* At most `keep` blocks stay here. */
static inline void free_list_give(struct free_list *l, void *p, uint32_t keep)
{
	if (l->count >= keep) {
		mem_free(p);
		return;
	}
	memcpy(p, &l->first, sizeof(void *));
	l->first = p;
	l->count++;
}

static inline void free_list_purge(struct free_list *l)
{
	while (l->first) {
		void *p = l->first;
		memcpy(&l->first, p, sizeof(void *));
		mem_free(p);
	}
	l->count = 0;
}
#endif
