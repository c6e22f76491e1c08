#include "filter/sample_ring.h"
#include "base/assert.h"
#include "base/mem.h"

void sample_ring_init(struct sample_ring *r, size_t cap)
{
	*r = (struct sample_ring){.cap = cap};
}

void sample_ring_fini(struct sample_ring *r)
{
	mem_free(r->bytes);
	sample_ring_init(r, r->cap);
}

/* How much of `len` bytes from place `at` on lies in front of the end of the memory. */
static size_t before_end(const struct sample_ring *r, uint64_t at, size_t len)
{
	size_t room = r->cap - (size_t)(at % r->cap);
	return len < room ? len : room;
}

static void copy_out(const struct sample_ring *r, uint64_t at, void *to, size_t len)
{
	size_t first = before_end(r, at, len);
	memcpy(to, r->bytes + at % r->cap, first);
	memcpy((uint8_t *)to + first, r->bytes, len - first);
}

static void copy_in(struct sample_ring *r, uint64_t at, const void *from, size_t len)
{
	size_t first = before_end(r, at, len);
	memcpy(r->bytes + at % r->cap, from, first);
	memcpy(r->bytes, (const uint8_t *)from + first, len - first);
}

static size_t record_bytes(const struct sample_ring *r, uint64_t at)
{
	uint8_t b[SAMPLE_LENGTH_BYTES];
	copy_out(r, at, b, sizeof b);
	return SAMPLE_LENGTH_BYTES +
	       ((size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3]);
}

int sample_ring_put(struct sample_ring *r, const void *record, size_t len)
{
	ASSERT(len >= SAMPLE_LENGTH_BYTES);
	if (len > r->cap)
		return ERR_LIMIT;
	if (!r->bytes && !(r->bytes = mem_alloc(r->cap)))
		return ERR_NOMEM;
	while (r->cap - (r->end - r->begin) < len) {
		r->begin += record_bytes(r, r->begin);
		r->records--;
		r->overwritten++;
	}
	copy_in(r, r->end, record, len);
	r->end += len;
	r->records++;
	return 0;
}

int sample_ring_resize(struct sample_ring *r, size_t cap)
{
	struct sample_ring made = {.cap = cap, .overwritten = r->overwritten};
	uint64_t from = r->begin;
	if (cap == r->cap || !r->bytes) {
		r->cap = cap;
		return 0;
	}
	made.bytes = mem_alloc(cap);
	if (!made.bytes)
		return ERR_NOMEM;
	for (made.records = r->records; r->end - from > cap; made.records--, made.overwritten++)
		from += record_bytes(r, from);
	made.end = r->end - from;
	copy_out(r, from, made.bytes, (size_t)made.end);
	mem_free(r->bytes);
	*r = made;
	return 0;
}

bool sample_ring_next(const struct sample_ring *r, uint64_t *at, struct buf *out)
{
	if (*at >= r->end)
		return false;
	size_t len = record_bytes(r, *at), first = before_end(r, *at, len);
	buf_add(out, r->bytes + *at % r->cap, first);
	buf_add(out, r->bytes, len - first);
	*at += len;
	return true;
}
