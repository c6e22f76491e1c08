#include "base/mem.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"

static _Thread_local long fail_in; /* 0 = off, 1 = the next allocation fails */
static _Thread_local long live;

static bool must_fail(void)
{
	return UNLIKELY(fail_in > 0) && --fail_in == 0;
}

static void *counted(void *block)
{
	live += block != NULL;
	return block;
}

void *mem_alloc(size_t bytes)
{
	return must_fail() ? NULL : counted(malloc(bytes ? bytes : 1));
}

void *mem_zalloc(size_t bytes)
{
	return must_fail() ? NULL : counted(calloc(1, bytes ? bytes : 1));
}

void *mem_realloc(void *block, size_t bytes)
{
	if (!block)
		return mem_alloc(bytes);
	/* realloc(block, 0) may free: never asked for, so that the old block always stays on NULL
	 */
	return must_fail() ? NULL : realloc(block, bytes ? bytes : 1);
}

void *mem_dup(const void *from, size_t bytes)
{
	if (bytes == SIZE_MAX)
		return NULL;
	char *copy = mem_alloc(bytes + 1);
	if (!copy)
		return NULL;
	if (bytes)
		memcpy(copy, from, bytes);
	copy[bytes] = '\0';
	return copy;
}

void mem_free(void *block)
{
	live -= block != NULL;
	free(block);
}

bool mem_block_begins(void)
{
	if (must_fail())
		return false;
	live++;
	return true;
}

void mem_block_ends(void)
{
	live--;
}

void mem_fail_after(long nth)
{
	fail_in = nth;
}

long mem_live_blocks(void)
{
	return live;
}
