#include "grpc/gunzip.h"
#include <limits.h>
#include <stdbool.h>
#include <zlib.h>
#include "base/assert.h"
#include "base/mem.h"

#define EITHER_HEADER 32 /* gzip's or zlib's: added to the window's bits */

static void *take(void *unused, unsigned count, unsigned size)
{
	return mem_alloc((size_t)count * size);
}

static void give(void *unused, void *p)
{
	mem_free(p);
}

int grpc_gunzip(const void *in, size_t len, void *out, size_t cap, size_t *out_len)
{
	ASSERT(len <= UINT_MAX && cap <= UINT_MAX);
	z_stream z = {.zalloc = take,
		.zfree = give,
		.next_in = (z_const Bytef *)in,
		.avail_in = (unsigned)len,
		.next_out = out,
		.avail_out = (unsigned)cap};
	*out_len = 0;
	if (inflateInit2(&z, MAX_WBITS + EITHER_HEADER) != Z_OK)
		return ERR_NOMEM;
	int end = inflate(&z, Z_FINISH);
	bool done = end == Z_STREAM_END || (end != Z_MEM_ERROR && z.avail_out == 0);
	(void)inflateEnd(&z);
	if (!done)
		return end == Z_MEM_ERROR ? ERR_NOMEM : ERR_INVALID;
	*out_len = cap - z.avail_out;
	return 0;
}
