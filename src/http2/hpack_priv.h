/* hpack_priv.h - what the files of HPACK share; nobody else includes it.
 *
 *   hpack_int.c     integers (RFC 7541 5.1)
 *   hpack_huff.c    Huffman (5.2, appendix B: hpack_huff.def)
 *   hpack_static.c  the static table (appendix A: hpack_static.def) and what we know of each token
 *   hpack_table.c   the dynamic table (2.3.2, 4), the same for both ways
 *   hpack_dec.c, hpack_enc.c */
#ifndef WEIR_HTTP2_HPACK_PRIV_H
#define WEIR_HTTP2_HPACK_PRIV_H
#include <string.h>
#include "base/assert.h"
#include "http2/hpack.h"

#define HPACK_STATIC_COUNT   61u
#define HPACK_ENTRY_OVERHEAD 32u /* RFC 7541 4.1 */

/* --- integers ------------------------------------------------------------------------------------
 */

#define HPACK_INT_MAX_BYTES 6u /* one for the prefix and five for 32 bits */

/* The slow half of hpack_int_decode: `value` is the full prefix, *at the first continuation byte.
 */
int hpack_int_continue(
	const uint8_t **at, const uint8_t *end, uint32_t value, uint32_t *out) MUST_USE;
uint8_t *hpack_int_write_long(uint8_t *out, uint32_t rest);

/* Reads an integer whose prefix is the low `bits` bits of **at (there is at least that byte).
 * ERR_PROTOCOL: the block ends in it, more than five continuation bytes, or above 32 bits. */
static inline int hpack_int_decode(
	const uint8_t **at, const uint8_t *end, unsigned bits, uint32_t *out)
{
	const uint8_t *p = *at;
	uint32_t mask = (1u << bits) - 1, value = *p++ & mask;
	if (value == mask) {
		if (UNLIKELY(p == end || *p & 0x80)) {
			*at = p;
			return hpack_int_continue(at, end, value, out);
		}
		value += *p++;
	}
	*at = p;
	*out = value;
	return 0;
}

/* Writes `value` behind the bits of `first` that are above the prefix; where the next byte goes. */
static inline uint8_t *hpack_int_write(uint8_t *out, uint8_t first, unsigned bits, uint32_t value)
{
	uint32_t mask = (1u << bits) - 1;
	if (LIKELY(value < mask)) {
		*out = (uint8_t)(first | value);
		return out + 1;
	}
	*out = (uint8_t)(first | mask);
	if (LIKELY(value - mask < 0x80)) {
		out[1] = (uint8_t)(value - mask);
		return out + 2;
	}
	return hpack_int_write_long(out + 1, value - mask);
}

/* --- static knowledge ----------------------------------------------------------------------------
 */

struct hpack_name {
	const char *name;
	uint8_t len;
	uint8_t flags; /* TF_* */
};
extern const struct hpack_name hpack_names[TOKEN_COUNT + 1];    /* by token; TOKEN_OTHER: empty */
extern const struct field hpack_static[HPACK_STATIC_COUNT + 2]; /* by index; 0 and 62 are empty */
/* By token: the index of the first static entry with this name (the others follow); 0 = none. */
extern const uint8_t hpack_first_static[TOKEN_COUNT + 1];

/* A name whose values differ in every call stays out of the tables with them; no value is one that
 * does not differ ("grpc-message" of a call that went well). */
static inline bool hpack_varies(const struct field *f)
{
	return (hpack_names[f->token].flags & TF_NO_INDEX) && f->value_len;
}

/* --- hashes --------------------------------------------------------------------------------------
 */

/* Not seeded: what a peer gains by collisions is bounded, since every look-up gives up after
 * HPACK_PROBES entries and a field that is not found merely costs more bytes on the wire. */
static inline uint64_t hpack_mix(uint64_t a, uint64_t b)
{
	uint64_t m = (a ^ b) * 0x9e3779b97f4a7c15ull;
	return m ^ m >> 29;
}

static inline uint64_t hpack_hash_bytes(uint64_t h, const char *bytes, uint32_t len)
{
	uint64_t v = 0;
	h ^= (uint64_t)len << 56;
	if (len >= 8) {
		for (uint32_t at = 0; at + 8 < len; at += 8) {
			memcpy(&v, bytes + at, 8);
			h = hpack_mix(h, v);
		}
		memcpy(&v, bytes + len - 8, 8); /* the last eight, some of them again */
	} else {
		for (uint32_t i = 0; i < len; i++)
			v = v << 8 | (uint8_t)bytes[i];
	}
	return hpack_mix(h, v);
}

static inline uint64_t hpack_hash_name(enum token t, const char *name, uint32_t len)
{
	return t != TOKEN_OTHER ? hpack_mix(t + 1u, 0) : hpack_hash_bytes(0x77656972u, name, len);
}

/* memcmp for what mostly is equal and short: no call. */
static inline bool hpack_same_bytes(const void *a, const void *b, uint32_t len)
{
	const char *x = a, *y = b;
	uint64_t v, w;
	if (UNLIKELY(len < 8))
		return !memcmp(x, y, len);
	for (uint32_t at = 0; at + 8 < len; at += 8) {
		memcpy(&v, x + at, 8);
		memcpy(&w, y + at, 8);
		if (v != w)
			return false;
	}
	memcpy(&v, x + len - 8, 8); /* the last eight, some of them again */
	memcpy(&w, y + len - 8, 8);
	return v == w;
}

/* What `struct field` carries as its hash: of name and value, or, for a field that came from the
 * static table, its index there. */
static inline uint32_t hpack_hash(const struct field *f)
{
	uint64_t h = hpack_hash_name((enum token)f->token, f->name, f->name_len);
	return (uint32_t)(hpack_hash_bytes(h, f->value, f->value_len) >> 32) | 0x80000000u;
}

/* --- the dynamic table ---------------------------------------------------------------------------
 */

/* Entries are numbered as they are inserted: `seq`. Alive are first_seq .. next_seq - 1, and entry
 * seq sits in entries[seq & (cap - 1)]. Their bytes (name, unless the token says it, then value)
 * lie one behind the other, in the same order, in a window of `bytes` that slides up as entries
 * come and go and is moved back to the front when it reaches the end:
 *
 *   bytes  [ ...evicted... | oldest | ... | newest | free ]
 *            ^base_pos       ^head_pos              ^tail_pos
 *
 * Positions and numbers only grow (and wrap): moving the window changes base_pos alone. */
struct hpack_entry {
	struct field f; /* but for where its bytes are, which the window decides */
	uint64_t pos;
	uint32_t older_hash; /* encoder: the next older entry of the same bucket */
	uint32_t older_name;
};

struct hpack_table {
	struct hpack_entry *entries;
	uint8_t *bytes;
	uint64_t base_pos, head_pos, tail_pos;
	size_t bytes_cap;
	uint32_t cap; /* of entries: 0 or a power of two */
	uint32_t first_seq, next_seq;
	uint32_t used_bytes, max_bytes; /* RFC 7541 4.1, 4.2 */
};

void hpack_table_init(struct hpack_table *t, uint32_t max_bytes);
void hpack_table_fini(struct hpack_table *t);
/* Evicts what no longer fits (4.3). */
void hpack_table_resize(struct hpack_table *t, uint32_t max_bytes);
/* Evicts as 4.4 says and adds a copy of `f`, whose name may lie in this table, even in an entry
 * that has to go. Where `f` is larger than the table, that leaves it empty: *seq is then untouched.
 * ERR_NOMEM: nothing changed. */
int hpack_table_insert(struct hpack_table *t, const struct field *f, uint32_t *seq) MUST_USE;

static inline uint32_t hpack_table_count(const struct hpack_table *t)
{
	return t->next_seq - t->first_seq;
}

static inline bool hpack_table_alive(const struct hpack_table *t, uint32_t seq)
{
	return seq - t->first_seq < hpack_table_count(t);
}

static inline struct hpack_entry *hpack_table_entry(const struct hpack_table *t, uint32_t seq)
{
	return &t->entries[seq & (t->cap - 1)];
}

/* Its own bytes: the name, unless the token says it, then the value. */
static inline const char *hpack_table_bytes(
	const struct hpack_table *t, const struct hpack_entry *e)
{
	return (const char *)t->bytes + (e->pos - t->base_pos);
}

/* The entry as a field whose bytes lie in the table until the next insert or resize. */
static inline struct field hpack_table_field(
	const struct hpack_table *t, const struct hpack_entry *e)
{
	struct field f = e->f;
	f.value = hpack_table_bytes(t, e);
	if (UNLIKELY(f.token == TOKEN_OTHER)) {
		f.name = f.value;
		f.value += f.name_len;
	}
	return f;
}

/* For the fuzzer, which checks its invariants. */
const struct hpack_table *hpack_decoder_table(const struct hpack_decoder *d);
#endif
