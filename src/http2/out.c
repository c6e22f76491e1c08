#include "http2/out.h"
#include "base/mem.h"

/* A connection's first room in a turn is what it usually writes, so that it goes out in one piece,
 * and very many connections do not touch a slab each. Above PIECE_MAX_BYTES it takes a slab. */
#define PIECE_BYTES     1024u
#define PIECE_MAX_BYTES 16384u

void h2_out_init(struct h2_out *o, struct slab_pool *pool)
{
	memset(o, 0, sizeof(*o));
	o->pool = pool;
	o->segs = o->inline_segs;
	o->cap = H2_OUT_INLINE_SEGS;
}

static void drop_slab(struct h2_out *o)
{
	if (o->slab)
		slab_unref(o->slab);
	o->slab = NULL;
	o->at = o->end = NULL;
	o->open = NULL;
}

/* Nothing is left to write: back to the idle form. */
static void go_idle(struct h2_out *o)
{
	drop_slab(o);
	if (o->segs != o->inline_segs) {
		mem_free(o->segs);
		o->segs = o->inline_segs;
		o->cap = H2_OUT_INLINE_SEGS;
	}
	o->first = o->count = 0;
	o->unwritten = 0;
	uint64_t copied = o->queued_total - o->not_copied_total;
	o->not_copied_total = o->queued_total;
	o->usual_bytes -= o->usual_bytes / 8;
	if (copied > o->usual_bytes)
		o->usual_bytes = copied < SLAB_BYTES ? (uint32_t)copied : SLAB_BYTES;
}

void h2_out_fini(struct h2_out *o)
{
	for (uint32_t i = 0; i < o->count; i++)
		slice_drop(&o->segs[o->first + i]);
	go_idle(o);
}

/* Room for `more` segments and the spare one. */
static int grow_segs(struct h2_out *o, uint32_t more)
{
	o->open = NULL;                           /* it may move */
	if (o->first && o->first >= o->cap / 2) { /* the written half makes room */
		memmove(o->segs, o->segs + o->first, sizeof(*o->segs) * o->count);
		o->first = 0;
	}
	uint32_t need = o->first + o->count + more + 1, cap = o->cap;
	if (need <= cap)
		return 0;
	while (cap < need)
		cap *= 4;
	struct slice *segs = mem_alloc(sizeof(*segs) * (size_t)cap);
	if (!segs)
		return ERR_NOMEM;
	memcpy(segs, o->segs + o->first, sizeof(*segs) * o->count);
	if (o->segs != o->inline_segs)
		mem_free(o->segs);
	o->segs = segs;
	o->first = 0;
	o->cap = cap;
	return 0;
}

/* The size of a first piece for `bytes` and what usually follows; 0: a slab of its own. */
static uint32_t piece_for(const struct h2_out *o, size_t bytes)
{
	uint32_t usual =
		(o->usual_bytes + o->usual_bytes / 4) / PIECE_BYTES * PIECE_BYTES + PIECE_BYTES;
	return !o->slab && bytes <= usual && usual <= PIECE_MAX_BYTES ? usual : 0;
}

uint8_t *h2_out_reserve_slow(struct h2_out *o, size_t bytes, uint32_t segs)
{
	if (bytes > UINT32_MAX / 2 || grow_segs(o, segs + 1))
		return NULL;
	if ((size_t)(o->end - o->at) >= bytes)
		return o->at;
	uint8_t *at = NULL;
	uint32_t piece = piece_for(o, bytes);
	struct slab *slab = piece                 ? slab_piece(o->pool, piece, &at)
			    : bytes <= SLAB_BYTES ? slab_get(o->pool)
						  : slab_exact((uint32_t)bytes);
	if (!slab)
		return NULL;
	drop_slab(o);
	o->slab = slab;
	o->at = piece ? at : slab->bytes;
	o->end = o->at + (piece ? piece : slab->bytes_cap);
	return o->at;
}

void h2_out_open(struct h2_out *o)
{
	struct slice *next = &o->segs[o->first + o->count];
	if (o->count && next[-1].slab == o->slab && next[-1].at + next[-1].len == o->at) {
		o->open = next - 1;
		return;
	}
	slab_ref(o->slab);
	*next = (struct slice){o->slab, o->at, 0};
	o->count++;
	o->open = next;
}

void h2_out_take(struct h2_out *o, struct slice payload)
{
	o->open = NULL;
	ASSERT(o->first + o->count < o->cap);
	o->segs[o->first + o->count++] = payload;
	o->unwritten += payload.len;
	o->queued_total += payload.len;
	o->not_copied_total += payload.len;
}

void h2_out_last_words(struct h2_out *o, const uint8_t *bytes, size_t len)
{
	ASSERT(len <= sizeof(o->last_words));
	o->open = NULL;
	if (o->first + o->count == o->cap) { /* only when the array is full of written ones */
		memmove(o->segs, o->segs + o->first, sizeof(*o->segs) * o->count);
		o->first = 0;
	}
	ASSERT(o->count < o->cap);
	memcpy(o->last_words, bytes, len);
	h2_out_take(o, slice_static(o->last_words, (uint32_t)len));
}

int h2_out_iov(const struct h2_out *o, struct iovec *iov, int max)
{
	int n = 0;
	for (; n < max && (uint32_t)n < o->count; n++) {
		const struct slice *s = &o->segs[o->first + (uint32_t)n];
		iov[n] = (struct iovec){s->at, s->len};
	}
	return n;
}

void h2_out_written(struct h2_out *o, size_t bytes)
{
	ASSERT(bytes <= o->unwritten);
	o->unwritten -= bytes;
	while (bytes) {
		struct slice *s = &o->segs[o->first];
		if (bytes < s->len) {
			s->at += bytes;
			s->len -= (uint32_t)bytes;
			return;
		}
		bytes -= s->len;
		if (s == o->open)
			o->open = NULL;
		slice_drop(s);
		o->first++;
		o->count--;
	}
	if (o->count == 0)
		go_idle(o);
}

/* Bytes of pool memory that the queue keeps from others; neighbours often share a slab. */
static size_t pinned_bytes(const struct h2_out *o)
{
	size_t sum = 0;
	const struct slab *last = NULL;
	for (uint32_t i = 0; i < o->count; i++) {
		const struct slab *slab = o->segs[o->first + i].slab;
		if (slab && slab != last)
			sum += slab->bytes_cap;
		last = slab;
	}
	return sum;
}

void h2_out_compact(struct h2_out *o)
{
	if (o->count == 0 || pinned_bytes(o) / 4 < o->unwritten)
		return;
	struct slab *slab = slab_exact((uint32_t)o->unwritten);
	if (!slab)
		return; /* it was worth a try */
	uint8_t *at = slab->bytes;
	for (uint32_t i = 0; i < o->count; i++) {
		struct slice *s = &o->segs[o->first + i];
		memcpy(at, s->at, s->len);
		at += s->len;
		slice_drop(s);
	}
	size_t unwritten = o->unwritten;
	go_idle(o);
	o->segs[0] = (struct slice){slab, slab->bytes, (uint32_t)unwritten};
	o->count = 1;
	o->unwritten = unwritten;
}
