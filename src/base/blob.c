#include "base/blob.h"
#include <string.h>
#include "base/assert.h"
#include "base/mem.h"

struct blob *blob_create(const void *bytes, size_t len)
{
	if (len >= SIZE_MAX - sizeof(struct blob))
		return NULL;
	struct blob *b = mem_alloc(sizeof(*b) + len + 1);
	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	b->len = len;
	if (len)
		memcpy(b->bytes, bytes, len);
	b->bytes[len] = '\0';
	return b;
}

struct blob *blob_ref(struct blob *b)
{
	/* relaxed: who has a reference to copy already sees the bytes */
	uint32_t before = atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	ASSERT(before > 0 && before < UINT32_MAX);
	return b;
}

void blob_unref(struct blob *b)
{
	if (!b)
		return;
	/* release: our reads happen before the free; acquire: the last one sees everybody's */
	uint32_t before = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
	ASSERT(before > 0);
	if (before == 1)
		mem_free(b);
}
