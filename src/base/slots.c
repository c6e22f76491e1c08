#include "base/slots.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/assert.h"
#include "base/list.h"
#include "base/mem.h"

#define GRAIN   8u
#define CLASSES (SLOTS_MAX_BYTES / GRAIN + 1)
/* Few enough that a region comes free, many enough that mappings are few. */
#define REGION_BLOCKS 16u
#define REGION_BYTES  (REGION_BLOCKS * SLOTS_BLOCK_BYTES)
#define ALL_AWAY      ((1u << REGION_BLOCKS) - 1)

struct region {
	struct list node; /* in thread.regions while a block of it is `away` */
	uint8_t *base;
	uint32_t away; /* bit by block: has no memory now */
};

/* Lies at the beginning of its block, which is aligned to its size. */
struct block {
	struct list node; /* in thread.partial, or alone */
	struct block *next_spare;
	struct region *region;
	void *free;      /* objects that came back */
	uint32_t fresh;  /* from here on it was never used */
	uint32_t bytes;  /* of an object */
	uint32_t used;   /* objects out */
	uint32_t number; /* in its region */
};
#define FIRST_AT 64u
_Static_assert(sizeof(struct block) <= FIRST_AT, "objects begin behind the head");

static _Thread_local struct {
	struct list partial[CLASSES]; /* blocks with room, by size; next is NULL: not yet made */
	struct list regions;          /* with blocks that are away */
	struct block *spare;
	uint32_t spare_count;
	uint32_t spare_least; /* the fewest since slots_cool */
	uint32_t given_up;    /* came free by slots_give_up since slots_cool */
	uint32_t used_count;
} thread;

/* ---- blocks ---- */

static struct list *list_of(struct list *l)
{
	if (UNLIKELY(!l->next))
		list_init(l);
	return l;
}

static uint8_t *map_aligned(void)
{
	uint8_t *wide = mmap(NULL, 2 * REGION_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (wide == MAP_FAILED)
		return NULL;
	size_t before = -(uintptr_t)wide & (REGION_BYTES - 1);
	if (before)
		munmap(wide, before);
	munmap(wide + before + REGION_BYTES, REGION_BYTES - before);
	return wide + before;
}

static struct region *region_create(void)
{
	struct region *r = malloc(sizeof(*r)); /* not counted: it may outlive its objects */
	if (!r)
		return NULL;
	*r = (struct region){.base = map_aligned(), .away = ALL_AWAY};
	if (!r->base) {
		free(r);
		return NULL;
	}
	list_push_front(list_of(&thread.regions), &r->node);
	return r;
}

static struct block *block_from_system(void)
{
	struct list *regions = list_of(&thread.regions);
	struct region *r = list_empty(regions) ? region_create()
					       : CONTAINER_OF(regions->next, struct region, node);
	if (!r)
		return NULL;
	uint32_t number = (uint32_t)__builtin_ctz(r->away);
	struct block *b = (struct block *)(void *)(r->base + number * SLOTS_BLOCK_BYTES);
	r->away &= ~(1u << number);
	if (!r->away)
		list_remove(&r->node);
	b->region = r;
	b->number = number;
	return b;
}

static void block_to_system(struct block *b)
{
	struct region *r = b->region;
	uint32_t bit = 1u << b->number;
	if (!r->away)
		list_push_front(list_of(&thread.regions), &r->node);
	r->away |= bit;
	if (r->away == ALL_AWAY) {
		list_remove(&r->node);
		munmap(r->base, REGION_BYTES);
		free(r);
	} else {
		madvise(b, SLOTS_BLOCK_BYTES, MADV_DONTNEED); /* b->region is gone with it */
	}
}

static void give_back(uint32_t blocks)
{
	for (; blocks; blocks--) {
		struct block *b = thread.spare;
		thread.spare = b->next_spare;
		thread.spare_count--;
		block_to_system(b);
	}
	if (thread.spare_least > thread.spare_count)
		thread.spare_least = thread.spare_count;
}

static struct block *block_begin(uint32_t bytes)
{
	struct block *b = thread.spare;
	if (b) {
		thread.spare = b->next_spare;
		if (--thread.spare_count < thread.spare_least)
			thread.spare_least = thread.spare_count;
	} else {
		b = block_from_system();
		if (!b)
			return NULL;
	}
	b->free = NULL;
	b->fresh = FIRST_AT;
	b->bytes = bytes;
	b->used = 0;
	list_push_front(list_of(&thread.partial[bytes / GRAIN]), &b->node);
	thread.used_count++;
	return b;
}

static void block_end(struct block *b)
{
	list_remove(&b->node);
	b->next_spare = thread.spare;
	thread.spare = b;
	thread.spare_count++;
	thread.used_count--;
}

/* ---- objects ---- */

static bool has_room(const struct block *b)
{
	return b->free || b->fresh + b->bytes <= SLOTS_BLOCK_BYTES;
}

static void *take(uint32_t bytes)
{
	struct list *partial = list_of(&thread.partial[bytes / GRAIN]);
	struct block *b = list_empty(partial) ? block_begin(bytes)
					      : CONTAINER_OF(partial->next, struct block, node);
	if (!b)
		return NULL;
	void *p = b->free;
	if (p) {
		memcpy(&b->free, p, sizeof(void *));
	} else {
		p = (uint8_t *)b + b->fresh;
		b->fresh += bytes;
	}
	b->used++;
	if (!has_room(b))
		list_remove(&b->node);
	return p;
}

static void give(void *p)
{
	struct block *b = (struct block *)((uintptr_t)p & ~(uintptr_t)(SLOTS_BLOCK_BYTES - 1));
	ASSERT(b->used > 0);
	if (!has_room(b))
		list_push_front(&thread.partial[b->bytes / GRAIN], &b->node);
	memcpy(p, &b->free, sizeof(void *));
	b->free = p;
	if (--b->used == 0)
		block_end(b);
}

void *slots_take(size_t bytes)
{
	if (!SLOTS_IN_BLOCKS || bytes > SLOTS_MAX_BYTES)
		return mem_alloc(bytes);
	if (!mem_block_begins())
		return NULL;
	void *p = take(bytes ? (uint32_t)(bytes + GRAIN - 1) & ~(GRAIN - 1) : GRAIN);
	if (!p)
		mem_block_ends();
	return p;
}

void *slots_take_zeroed(size_t bytes)
{
	void *p = slots_take(bytes);
	if (p)
		memset(p, 0, bytes);
	return p;
}

void slots_give(void *p, size_t bytes)
{
	if (!SLOTS_IN_BLOCKS || bytes > SLOTS_MAX_BYTES || !p) {
		mem_free(p);
		return;
	}
	give(p);
	mem_block_ends();
}

void slots_give_up(void *p, size_t bytes)
{
	uint32_t before = thread.spare_count;
	slots_give(p, bytes);
	thread.given_up += thread.spare_count - before;
}

void slots_cool(void)
{
	uint32_t blocks = thread.spare_least + thread.given_up;
	give_back(blocks < thread.spare_count ? blocks : thread.spare_count);
	thread.given_up = 0;
	thread.spare_least = thread.spare_count;
}

void slots_purge(void)
{
	give_back(thread.spare_count);
}

size_t slots_used_bytes(void)
{
	return (size_t)thread.used_count * SLOTS_BLOCK_BYTES;
}

size_t slots_spare_bytes(void)
{
	return (size_t)thread.spare_count * SLOTS_BLOCK_BYTES;
}
