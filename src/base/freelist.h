/* freelist.h - blocks of one size that are used again: a bounded list of free ones.
 *
 * A free block begins with the link to the next. Nothing is zeroed. Further blocks come from
 * slots.h and go back there. What a list has is halved in two: the blocks that came or went of
 * late, and those that lay still since the last free_list_cool, which gives them up at the next
 * one. Owner: whoever embeds it. Threads: one. Errors: NULL when out of memory. */
#ifndef WEIR_BASE_FREELIST_H
#define WEIR_BASE_FREELIST_H
#include <stdint.h>
#include <string.h>
#include "base/assert.h"
#include "base/err.h"

struct free_list {
	void *first;
	void *still; /* were not taken since the last free_list_cool */
	uint32_t count, still_count;
	uint32_t bytes; /* of a block */
};

void *free_list_refill(struct free_list *l, size_t bytes) MUST_USE; /* `first` is empty */
void free_list_spill(struct free_list *l, void *p);                 /* it is full */

/* `bytes`: the same at every call for this list, and at least a pointer's. */
MUST_USE static inline void *free_list_take(struct free_list *l, size_t bytes)
{
	void *p = l->first;
	if (UNLIKELY(!p))
		return free_list_refill(l, bytes);
	memcpy(&l->first, p, sizeof(void *));
	l->count--;
	return p;
}

/* At most `keep` blocks stay here, and as many that lie still. */
static inline void free_list_give(struct free_list *l, void *p, uint32_t keep)
{
	if (UNLIKELY(l->count >= keep)) {
		free_list_spill(l, p);
		return;
	}
	memcpy(p, &l->first, sizeof(void *));
	l->first = p;
	l->count++;
}

/* Now and then: gives up what nobody needed since the last time. */
void free_list_cool(struct free_list *l);
void free_list_purge(struct free_list *l);
#endif
