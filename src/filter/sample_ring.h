/* sample_ring.h - the latest records of a worker, as bytes: what is new overwrites what is oldest.
 *
 *   [ ..new ][ oldest, length and all ][ ... ][ new..      records may go around the end
 *
 * What it does: keeps as many whole records (sample_record.h, with their lengths) as fit. What it
 * does not: allocate before the first one comes.
 * Owner: embedded. Threads: one. Errors: ERR_NOMEM, ERR_LIMIT. Limits: its size in bytes. */
#ifndef WEIR_FILTER_SAMPLE_RING_H
#define WEIR_FILTER_SAMPLE_RING_H
#include "filter/sample_record.h"

struct sample_ring {
	uint8_t *bytes; /* NULL until the first record */
	size_t cap;
	uint64_t begin, end; /* running; modulo cap they are places */
	uint64_t records, overwritten;
};

void sample_ring_init(struct sample_ring *r, size_t cap);
void sample_ring_fini(struct sample_ring *r);
/* One record as sample_encode wrote it. ERR_LIMIT: it alone is larger than the ring. */
int sample_ring_put(struct sample_ring *r, const void *record, size_t len) MUST_USE;
/* Changes the size and keeps what fits of the latest. ERR_NOMEM: it stays as it is. */
int sample_ring_resize(struct sample_ring *r, size_t cap) MUST_USE;
/* Appends the record at *at, which begins as r->begin, with its length, to `out`, and moves *at
 * on. False: there is none. */
bool sample_ring_next(const struct sample_ring *r, uint64_t *at, struct buf *out);
#endif
