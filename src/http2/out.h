/* out.h - framed bytes on their way to the socket: a queue of segments, in wire order.
 *
 *   segs [ copied run | payload by reference | copied run ... ]   run -> slab [####......]
 *                                                                             ^at   ^end
 *
 * What it does: hands out contiguous room in the current slab (frame headers, control frames,
 * header blocks, small payloads), keeps references to large payloads, fills iovecs, forgets what
 * was written. When everything is written it owns no slab and no heap. Every change is reserve
 * first (may fail, changes nothing), then commit (can't fail), so that a frame is in the queue
 * whole or not at all. Owner: struct h2_conn. Errors: ERR_NOMEM. */
#ifndef WEIR_HTTP2_OUT_H
#define WEIR_HTTP2_OUT_H
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "base/slice.h"

#define H2_OUT_INLINE_SEGS   3u
#define H2_OUT_RESERVE_BYTES 48u

struct h2_out {
	struct slab_pool *pool;
	struct slab *slab; /* where copies go; NULL: none yet */
	uint8_t *at, *end; /* free room in it */
	struct slice *segs;
	struct slice *open;         /* the last one, when it ends at `at`; NULL: not known */
	uint32_t first, count, cap; /* segments from `first` on */
	size_t unwritten;           /* bytes */
	uint64_t queued_total;      /* bytes ever, for marks */
	uint64_t not_copied_total; /* of those, by reference, or before it was idle the last time */
	uint32_t usual_bytes;      /* copied from idle to idle: the most of late */
	struct slice inline_segs[H2_OUT_INLINE_SEGS];
	uint8_t last_words[H2_OUT_RESERVE_BYTES]; /* for a GOAWAY when there is no memory */
};

void h2_out_init(struct h2_out *o, struct slab_pool *pool);
void h2_out_fini(struct h2_out *o);
/* Room for `bytes` in one piece, and `segs` more segments besides. The place, or NULL. */
uint8_t *h2_out_reserve_slow(struct h2_out *o, size_t bytes, uint32_t segs) MUST_USE;
static inline uint8_t *h2_out_reserve(struct h2_out *o, size_t bytes, uint32_t segs)
{
	/* one spare segment always stays for the last words */
	if (LIKELY((size_t)(o->end - o->at) >= bytes &&
		    ((o->open && !segs) || o->first + o->count + segs + 2 <= o->cap)))
		return o->at;
	return h2_out_reserve_slow(o, bytes, segs);
}
/* The last segment, if it ends where copies go; else a new one that does. */
void h2_out_open(struct h2_out *o);
/* The first `bytes` of the reserved room are filled. */
static inline void h2_out_commit(struct h2_out *o, size_t bytes)
{
	if (UNLIKELY(!o->open))
		h2_out_open(o);
	o->open->len += (uint32_t)bytes;
	o->at += bytes;
	o->unwritten += bytes;
	o->queued_total += bytes;
}
/* Appends a payload by reference; its segment must have been reserved. Takes the slice. */
void h2_out_take(struct h2_out *o, struct slice payload);
/* Appends up to H2_OUT_RESERVE_BYTES without any memory. Once. */
void h2_out_last_words(struct h2_out *o, const uint8_t *bytes, size_t len);
int h2_out_iov(const struct h2_out *o, struct iovec *iov, int max);
void h2_out_written(struct h2_out *o, size_t bytes);
/* Copies what is left to exact size when it pins much more than it is. */
void h2_out_compact(struct h2_out *o);
#endif
