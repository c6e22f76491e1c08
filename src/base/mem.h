/* mem.h - the one door to the heap, with failure injection.
 *
 * What it does: malloc and friends that can be told to fail, and that count live blocks, so that a
 * test can fail each allocation in turn and then assert that nothing leaked.
 * What it does not: abort. NULL means ERR_NOMEM to the caller.
 * Threads: the injection counter and the live count are thread-local. Blocks may be freed by
 * another thread; then the live counts of the two threads are off by one each and only their sum
 * means something. */
#ifndef WEIR_BASE_MEM_H
#define WEIR_BASE_MEM_H
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include "base/err.h"

void *mem_alloc(size_t bytes) MUST_USE;  /* uninitialised; NULL when out of memory */
void *mem_zalloc(size_t bytes) MUST_USE; /* zeroed */
/* As realloc: the old block stays on failure. */
void *mem_realloc(void *block, size_t bytes) MUST_USE;
void *mem_dup(const void *from, size_t bytes) MUST_USE; /* a copy, with one NUL behind it */
void mem_free(void *block);                             /* NULL is fine */

/* For allocators that stand on this one (slots.h): a block of theirs begins or ends. False: it must
 * fail. */
bool mem_block_begins(void) MUST_USE;
void mem_block_ends(void);

/* memcpy as a call. Where gcc knows a bound of n it copies by `rep movsq` instead, which begins so
 * slowly that it was a twentieth of a small message's time. */
static inline void mem_copy(void *to, const void *from, size_t n)
{
	__asm__("" : "+r"(n));
	memcpy(to, from, n);
}

/* Tests: the nth allocation from now on this thread (1 = the next) fails, once; 0 turns it off. */
void mem_fail_after(long nth);
/* Tests: blocks allocated minus blocks freed on this thread. */
long mem_live_blocks(void);
#endif
