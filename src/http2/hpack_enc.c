/* hpack_enc.c - the encoder (RFC 7541 6, 7.1) and its policy.
 *
 * What becomes of a field, first rule first:
 *   secrets (TF_SECRET, short cookies, FIELD_NEVER_INDEX)    never-indexed literal
 *   in the static table with its value                       index
 *   TF_NO_INDEX with a value, or the value is long           literal
 *   in the dynamic table with its value                      index
 *   its name has no index, or may be worth one (see below)   literal that is added to the table
 *   else                                                     literal
 * The first field of a name without an index is added whatever its value, so that later ones need
 * not spell the name. Values of unknown names, :path and cookie are added when they come for the
 * second time: what differs in every call (ids in a path, somebody's own request id) would flush
 * the table else.
 *
 * Huffman coding is used where it is shorter, but not for short values that stay out of the table:
 * they come with every call, and both sides would pay some twenty instructions for each byte saved.
 *
 * Look-ups go by hash into buckets that hold the number of their newest entry; entries of a bucket
 * are chained newest to oldest, so a number that is no longer alive ends the chain and eviction
 * need not unlink anything. A look-up gives up after HPACK_PROBES entries. */
#include "base/mem.h"
#include "http2/hpack_memo.h"
#include "http2/hpack_priv.h"

#define HPACK_PROBES       8u
#define SEEN_SLOTS         64u
#define SHORT_COOKIE_BYTES 20u /* guessable by trying (RFC 7541 7.1.3) */
#define HUFFMAN_MIN_BYTES  64u
#define BUCKETS_MIN        16u
#define BUCKETS_MAX        1024u
#define BUCKET_BYTES       128u /* of table for each bucket: about two entries */

struct hpack_encoder {
	struct hpack_table table;
	uint32_t max_table_bytes;
	uint32_t limit;    /* what the next block's last size update says */
	uint32_t smallest; /* the smallest limit since the last block */
	bool update_due;   /* there was a new limit since the last block */
	uint32_t bucket_mask;
	struct hpack_memos memos;  /* runs, as they are written */
	uint16_t seen[SEEN_SLOTS]; /* tags of hashes that came once */
	uint32_t *by_name;         /* bucket -> newest seq; the second half of by_hash's memory */
	uint32_t by_hash[];
};

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

struct hpack_encoder *hpack_encoder_create(uint32_t max_table_bytes)
{
	uint32_t buckets = BUCKETS_MIN;
	while (buckets < BUCKETS_MAX && buckets < max_table_bytes / BUCKET_BYTES)
		buckets *= 2;
	struct hpack_encoder *e = mem_zalloc(sizeof(*e) + 2 * buckets * sizeof(uint32_t));
	if (!e)
		return NULL;
	hpack_table_init(&e->table, HPACK_DEFAULT_TABLE_BYTES);
	/* An empty bucket holds 0, so no entry has that number (when numbers wrap, one does: a
	 * look-up compares what it finds, so all that happens is a probe in vain). */
	e->table.first_seq = e->table.next_seq = 1;
	e->max_table_bytes = max_table_bytes;
	e->bucket_mask = buckets - 1;
	e->by_name = e->by_hash + buckets;
	e->limit = e->smallest = HPACK_DEFAULT_TABLE_BYTES;
	hpack_encoder_set_limit(e, HPACK_DEFAULT_TABLE_BYTES);
	return e;
}

void hpack_encoder_destroy(struct hpack_encoder *e)
{
	if (!e)
		return;
	hpack_memos_fini(&e->memos);
	hpack_table_fini(&e->table);
	mem_free(e);
}

void hpack_encoder_set_limit(struct hpack_encoder *e, uint32_t table_bytes)
{
	e->limit = min_u32(table_bytes, e->max_table_bytes);
	e->smallest = min_u32(e->smallest, e->limit);
	e->update_due = true;
}

_Static_assert(3 * HPACK_INT_MAX_BYTES <= FIELD_BYTES &&
		       2 * HPACK_INT_MAX_BYTES + HPACK_MEMO_BYTES <= HPACK_ENCODE_MORE_BYTES,
	"hpack_encode_bound");

/* 4.2: the smallest limit since the last block, then the one that holds. */
static COLD uint8_t *write_size_updates(struct hpack_encoder *e, uint8_t *out)
{
	e->update_due = false;
	if (e->smallest < e->table.max_bytes && e->smallest < e->limit) {
		hpack_table_resize(&e->table, e->smallest);
		out = hpack_int_write(out, 0x20, 5, e->smallest);
	}
	if (e->limit != e->table.max_bytes) {
		hpack_table_resize(&e->table, e->limit);
		out = hpack_int_write(out, 0x20, 5, e->limit);
	}
	e->smallest = e->limit;
	return out;
}

/* Huffman where it is shorter, for strings of at least `huffman_min` bytes. */
static uint8_t *write_string(uint8_t *out, const char *bytes, uint32_t len, uint32_t huffman_min)
{
	if (len >= huffman_min) {
		size_t huffman = hpack_huff_len(bytes, len);
		if (huffman < len) {
			out = hpack_int_write(out, 0x80, 7, (uint32_t)huffman);
			return out + hpack_huff_encode(bytes, len, out);
		}
	}
	out = hpack_int_write(out, 0, 7, len);
	if (len)
		memcpy(out, bytes, len);
	return out + len;
}

/* 6.2: `first` is the kind of literal, `bits` of it the name's index (0: spell it). */
static uint8_t *write_literal(
	uint8_t *out, uint8_t first, unsigned bits, uint32_t name_index, const struct field *f)
{
	out = hpack_int_write(out, first, bits, name_index);
	if (!name_index)
		out = write_string(out, f->name, f->name_len, 0);
	return write_string(out, f->value, f->value_len, first == 0x40 ? 0 : HUFFMAN_MIN_BYTES);
}

static uint32_t index_of(const struct hpack_encoder *e, uint32_t seq)
{
	return HPACK_STATIC_COUNT + (e->table.next_seq - seq);
}

/* The index of the static entry with this name and value, or 0. */
static uint32_t find_static(const struct field *f)
{
	uint32_t i = hpack_first_static[f->token];
	if (!i)
		return 0;
	for (; hpack_static[i].token == f->token; i++)
		if (hpack_static[i].value_len == f->value_len &&
			!memcmp(hpack_static[i].value, f->value, f->value_len))
			return i;
	return 0;
}

static inline uint32_t hash_bucket(const struct hpack_encoder *e, uint32_t hash)
{
	return hash >> 8 & e->bucket_mask;
}

static inline uint32_t name_bucket(const struct hpack_encoder *e, const struct field *f)
{
	uint32_t hash = f->token;
	if (UNLIKELY(f->token == TOKEN_OTHER))
		hash = (uint32_t)(hpack_hash_name(TOKEN_OTHER, f->name, f->name_len) >> 40);
	return hash & e->bucket_mask;
}

/* The index of the dynamic entry with this name and value, or 0. */
static inline uint32_t find_entry(
	const struct hpack_encoder *e, const struct field *f, uint32_t hash)
{
	uint32_t seq = e->by_hash[hash_bucket(e, hash)];
	for (unsigned probe = 0; probe < HPACK_PROBES && hpack_table_alive(&e->table, seq);
		probe++) {
		const struct hpack_entry *at = hpack_table_entry(&e->table, seq);
		if (LIKELY(at->f.hash == hash && at->f.token == f->token &&
			    at->f.value_len == f->value_len)) {
			const char *bytes = hpack_table_bytes(&e->table, at);
			if (LIKELY(f->token != TOKEN_OTHER)) {
				if (LIKELY(!memcmp(bytes, f->value, f->value_len)))
					return index_of(e, seq);
			} else if (at->f.name_len == f->name_len &&
				   !memcmp(bytes, f->name, f->name_len) &&
				   !memcmp(bytes + f->name_len, f->value, f->value_len)) {
				return index_of(e, seq);
			}
		}
		seq = at->older_hash;
	}
	return 0;
}

/* The index of a name, static or dynamic, or 0. */
static uint32_t find_name(const struct hpack_encoder *e, const struct field *f)
{
	if (hpack_first_static[f->token])
		return hpack_first_static[f->token];
	uint32_t seq = e->by_name[name_bucket(e, f)];
	for (unsigned probe = 0; probe < HPACK_PROBES && hpack_table_alive(&e->table, seq);
		probe++) {
		const struct hpack_entry *at = hpack_table_entry(&e->table, seq);
		if (at->f.token == f->token &&
			(f->token != TOKEN_OTHER ||
				(at->f.name_len == f->name_len &&
					!memcmp(hpack_table_bytes(&e->table, at), f->name,
						f->name_len))))
			return index_of(e, seq);
		seq = at->older_name;
	}
	return 0;
}

/* Whether the table took it: false when there is no memory. */
static bool insert(struct hpack_encoder *e, const struct field *f, uint32_t hash)
{
	struct field entry = *f;
	uint32_t seq;
	entry.hash = hash;
	if (hpack_table_insert(&e->table, &entry, &seq))
		return false;
	struct hpack_entry *at = hpack_table_entry(&e->table, seq);
	uint32_t *bucket;
	if (hash) { /* else it is there for its name only */
		bucket = &e->by_hash[hash_bucket(e, hash)];
		at->older_hash = *bucket;
		*bucket = seq;
	}
	bucket = &e->by_name[name_bucket(e, f)];
	at->older_name = *bucket;
	*bucket = seq;
	return true;
}

/* True from the second time on (or when another hash took the slot's tag: then later). */
static bool seen_before(struct hpack_encoder *e, uint32_t hash)
{
	uint16_t *slot = &e->seen[hash >> 2 & (SEEN_SLOTS - 1)];
	uint16_t tag = (uint16_t)(hash >> 16) | 1;
	bool seen = *slot == tag;
	*slot = tag;
	return seen;
}

static bool worth_an_entry(
	struct hpack_encoder *e, const struct field *f, uint32_t hash, uint32_t name_index)
{
	if (!name_index)
		return true;
	if (hpack_varies(f))
		return false;
	if (f->token == TOKEN_PATH && memchr(f->value, '?', f->value_len))
		return false;
	if (f->token == TOKEN_PATH || f->token == TOKEN_COOKIE || f->token == TOKEN_OTHER)
		return seen_before(e, hash);
	return true;
}

static inline bool is_secret(const struct field *f, unsigned flags)
{
	return (flags & TF_SECRET) || (f->flags & FIELD_NEVER_INDEX) ||
	       (f->token == TOKEN_COOKIE && f->value_len < SHORT_COOKIE_BYTES);
}

static inline bool fits_table(const struct hpack_encoder *e, const struct field *f)
{
	uint32_t max = e->table.max_bytes;
	return f->value_len <= max / 4 &&
	       (uint64_t)f->name_len + f->value_len + HPACK_ENTRY_OVERHEAD <= max;
}

/* A field that no table has with its value. */
static uint8_t *write_new(
	struct hpack_encoder *e, const struct field *f, uint32_t hash, uint8_t *out)
{
	uint32_t name_index = find_name(e, f);
	if (fits_table(e, f) && worth_an_entry(e, f, hash, name_index) && insert(e, f, hash))
		return write_literal(out, 0x40, 6, name_index, f);
	return write_literal(out, 0, 4, name_index, f);
}

/* Any field, by the rules above in their order. */
__attribute__((noinline)) static uint8_t *write_field(
	struct hpack_encoder *e, const struct field *f, uint8_t *out)
{
	unsigned flags = hpack_names[f->token].flags;
	if (is_secret(f, flags))
		return write_literal(out, 0x10, 4, find_name(e, f), f);
	uint32_t index = find_static(f), hash = 0;
	if (!index && !hpack_varies(f) && f->value_len <= e->table.max_bytes / 4) {
		hash = f->hash > HPACK_STATIC_COUNT ? f->hash : hpack_hash(f);
		index = find_entry(e, f, hash);
	}
	if (index)
		return hpack_int_write(out, 0x80, 7, index);
	return write_new(e, f, hash, out);
}

/* What the short way below reads of the encoder, kept in registers: the bytes that are written
 * might otherwise, for all the compiler knows, change any of it. */
struct view {
	const uint32_t *by_hash;
	const struct hpack_entry *entries;
	const uint8_t *bytes;
	uint64_t base_pos;
	uint32_t bucket_mask, mask, first_seq, count,
		first_index; /* the index of entry 0, as it were */
};

static struct view view_of(const struct hpack_encoder *e)
{
	const struct hpack_table *t = &e->table;
	return (struct view){
		.by_hash = e->by_hash,
		.entries = t->entries,
		.bytes = t->bytes,
		.base_pos = t->base_pos,
		.bucket_mask = e->bucket_mask,
		.mask = t->cap - 1,
		.first_seq = t->first_seq,
		.count = hpack_table_count(t),
		.first_index = index_of(e, 0),
	};
}

/* The short way, for a field whose hash says where it came from and that is the first of its
 * bucket; 0 where it does not apply. Secrets never enter the table, but some are secret only by
 * their flag. */
static inline uint32_t find_by_hash(const struct view *v, const struct field *f)
{
	uint32_t hash = f->hash;
	if (UNLIKELY(hash == 0 || f->flags & FIELD_NEVER_INDEX))
		return 0;
	if (hash <= HPACK_STATIC_COUNT) {
		const struct field *known = &hpack_static[hash];
		bool same =
			f->value_len == known->value_len && f->token == known->token &&
			(f->value == known->value || !memcmp(f->value, known->value, f->value_len));
		return same ? hash : 0;
	}
	uint32_t seq = v->by_hash[hash >> 8 & v->bucket_mask];
	for (unsigned probe = 0; probe < HPACK_PROBES && seq - v->first_seq < v->count; probe++) {
		const struct hpack_entry *at = &v->entries[seq & v->mask];
		if (LIKELY(at->f.hash == hash && at->f.token == f->token &&
			    at->f.value_len == f->value_len && f->token != TOKEN_OTHER &&
			    hpack_same_bytes(
				    v->bytes + (at->pos - v->base_pos), f->value, f->value_len)))
			return v->first_index - seq;
		seq = at->older_hash;
	}
	return 0;
}

/* What was written for the run was an index byte a field: so it will be next time. */
static void learn_run(
	struct hpack_encoder *e, struct fields_run *run, const uint8_t *bytes, size_t len)
{
	if (len != run->count || hpack_memo_len(bytes, len) != len)
		return;
	struct hpack_memo *memo =
		hpack_memo_add(&e->memos, &e->table, bytes, (uint32_t)len, e->table.next_seq);
	if (memo)
		memo->run = run_ref(run);
}

/* The literal of a name whose values differ in every call, as write_field would write it; NULL
 * where something more is to be thought of. */
static inline uint8_t *write_ever_new(
	const struct hpack_encoder *e, const struct field *f, uint8_t *at)
{
	uint32_t name = hpack_first_static[f->token];
	if ((hpack_names[f->token].flags & (TF_NO_INDEX | TF_SECRET)) != TF_NO_INDEX)
		return NULL;
	if ((f->flags & FIELD_NEVER_INDEX) || f->value_len - 1 >= HUFFMAN_MIN_BYTES - 1)
		return NULL; /* an empty value may be in the static table */
	if (!name) {
		uint32_t seq = e->by_name[f->token & e->bucket_mask];
		if (UNLIKELY(!hpack_table_alive(&e->table, seq)) ||
			UNLIKELY(hpack_table_entry(&e->table, seq)->f.token != f->token))
			return NULL;
		name = index_of(e, seq);
	}
	at = hpack_int_write(at, 0, 4, name);
	*at++ = (uint8_t)f->value_len;
	memcpy(at, f->value, f->value_len);
	return at + f->value_len;
}

static uint8_t *write_fields(
	struct hpack_encoder *e, const struct field *field, const struct field *end, uint8_t *at)
{
	uint8_t *next;
	while (field < end && !field->hash && (next = write_ever_new(e, field, at))) {
		at = next;
		field++;
	}
	if (LIKELY(field == end))
		return at;
	struct view v = view_of(e);
	for (; field < end; field++) {
		uint32_t index = find_by_hash(&v, field);
		if (LIKELY(index && index < 0x7f)) {
			*at++ = (uint8_t)(0x80 | index);
		} else if ((next = write_ever_new(e, field, at))) {
			at = next;
		} else {
			at = write_field(e, field, at);
			v = view_of(e);
		}
	}
	return at;
}

static uint8_t *write_run(struct hpack_encoder *e, struct fields_run *run, uint8_t *at)
{
	const struct hpack_memo *memo = hpack_memo_of_run(&e->memos, &e->table, run);
	if (LIKELY(memo)) {
		memcpy(at, &memo->bytes, HPACK_MEMO_BYTES); /* the bound has room for all */
		return at + memo->len;
	}
	uint32_t next_seq = e->table.next_seq;
	uint8_t *end = write_fields(e, run->list, run->list + run->count, at);
	if (e->table.next_seq == next_seq)
		learn_run(e, run, at, (size_t)(end - at));
	return end;
}

size_t hpack_encode(struct hpack_encoder *e, const struct fields *f, uint8_t *out)
{
	uint8_t *at = UNLIKELY(e->update_due) ? write_size_updates(e, out) : out;
	struct fields_run *run = fields_run(f);
	const struct field *rest = f->own, *end = f->own + f->count;
	if (run) {
		at = write_run(e, run, at);
		rest += run->count;
	}
	if (rest < end)
		at = write_fields(e, rest, end, at);
	return (size_t)(at - out);
}
