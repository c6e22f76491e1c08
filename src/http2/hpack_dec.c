/* hpack_dec.c - the decoder (RFC 7541 3, 6).
 *
 * What a field points to: names of known tokens and the static table are constants; everything else
 * is copied into the section's arena, so nothing dangles when an entry is evicted. */
#include "base/mem.h"
#include "http2/hpack_memo.h"
#include "http2/hpack_priv.h"

struct hpack_decoder {
	struct hpack_table table;
	uint32_t limit;      /* what a size update may ask for */
	uint32_t must_reach; /* the next block must begin with an update to at most this */
	bool update_due;
	struct hpack_memos memos; /* how blocks began before */
};

/* One block on its way: where its bytes are and where its fields go. */
struct block {
	const uint8_t *at, *end;
	struct fields *out;
	uint32_t max_list_bytes; /* 0: fields go nowhere, only the table matters */
	bool overflow;
	/* what is learnt from it: */
	const uint8_t *begin; /* its indexes; NULL: nothing */
	struct hpack_memo *memo;
	uint32_t next_seq;
};

struct hpack_decoder *hpack_decoder_create(uint32_t table_bytes)
{
	struct hpack_decoder *d = mem_zalloc(sizeof(*d));
	if (!d)
		return NULL;
	/* A peer that has not seen our settings uses 4096, and a higher limit raises nothing by
	 * itself: the peer has to say so (4.2). */
	hpack_table_init(&d->table,
		table_bytes < HPACK_DEFAULT_TABLE_BYTES ? table_bytes : HPACK_DEFAULT_TABLE_BYTES);
	d->limit = table_bytes;
	return d;
}

void hpack_decoder_destroy(struct hpack_decoder *d)
{
	if (!d)
		return;
	hpack_memos_fini(&d->memos);
	hpack_table_fini(&d->table);
	mem_free(d);
}

void hpack_decoder_set_limit(struct hpack_decoder *d, uint32_t table_bytes)
{
	d->limit = table_bytes;
	/* 4.2: after several changes the smallest must be signalled first. */
	if (table_bytes < (d->update_due ? d->must_reach : d->table.max_bytes)) {
		d->update_due = true;
		d->must_reach = table_bytes;
	}
}

uint32_t hpack_decoder_table_bytes(const struct hpack_decoder *d)
{
	return d->table.used_bytes;
}

const struct hpack_table *hpack_decoder_table(const struct hpack_decoder *d)
{
	return &d->table;
}

/* What the list counts with this field, or 0: it goes nowhere. The first that does not fit closes
 * the list. */
static inline uint64_t admit(struct block *b, const struct field *f)
{
	uint64_t sum = (uint64_t)b->out->list_bytes + f->name_len + f->value_len + FIELD_BYTES;
	if (LIKELY(sum <= b->max_list_bytes))
		return sum;
	b->overflow |= b->max_list_bytes != 0;
	b->max_list_bytes = 0;
	return 0;
}

/* Copies an entry's bytes for `to`, which is a copy of the entry's field. */
static inline int copy_entry(const struct hpack_table *t, const struct hpack_entry *e,
	struct fields *out, struct field *to)
{
	size_t len = e->f.value_len;
	if (UNLIKELY(e->f.token == TOKEN_OTHER))
		len += e->f.name_len;
	char *copy = arena_alloc(&out->arena, len);
	if (UNLIKELY(!copy))
		return ERR_NOMEM;
	memcpy(copy, hpack_table_bytes(t, e), len);
	to->value = copy;
	if (UNLIKELY(e->f.token == TOKEN_OTHER)) {
		to->name = copy;
		to->value += e->f.name_len;
	}
	return 0;
}

/* 6.1: fields that are wholly in the tables, as many as follow each other. Nothing enters the table
 * meanwhile, so what is read of it, and where the block is, stays in registers. */
static int decode_indexed(struct hpack_decoder *d, struct block *b)
{
	struct fields *out = b->out;
	const struct hpack_entry *entries = d->table.entries;
	const uint32_t count = hpack_table_count(&d->table), mask = d->table.cap - 1;
	const uint32_t newest = d->table.next_seq - 1;
	const uint8_t *at = b->at, *const end = b->end;
	do {
		const struct hpack_entry *e = NULL;
		const struct field *f;
		uint32_t index;
		if (UNLIKELY(hpack_int_decode(&at, end, 7, &index)))
			return ERR_PROTOCOL;
		if (index > HPACK_STATIC_COUNT) {
			index -= HPACK_STATIC_COUNT + 1;
			if (UNLIKELY(index >= count)) /* 2.3.3 */
				return ERR_PROTOCOL;
			e = &entries[(newest - index) & mask];
			f = &e->f;
		} else {
			if (UNLIKELY(index == 0))
				return ERR_PROTOCOL;
			f = &hpack_static[index];
		}
		uint64_t sum = admit(b, f);
		if (UNLIKELY(!sum))
			continue;
		if (UNLIKELY(out->count == out->cap) && fields_grow(out))
			return ERR_NOMEM;
		struct field *to = &out->own[out->count];
		*to = *f;
		if (e && copy_entry(&d->table, e, out, to))
			return ERR_NOMEM;
		out->count++;
		out->list_bytes = (uint32_t)sum;
	} while (at < end && *at & 0x80);
	b->at = at;
	return 0;
}

/* A string literal (5.2), decoded into the section's arena. */
struct string {
	char *bytes;
	uint32_t len;
	size_t alloc_bytes;
};

static int decode_string(struct block *b, struct string *s)
{
	if (b->at == b->end)
		return ERR_PROTOCOL;
	bool huffman = *b->at & 0x80;
	uint32_t len;
	if (hpack_int_decode(&b->at, b->end, 7, &len) || len > (size_t)(b->end - b->at))
		return ERR_PROTOCOL;
	s->alloc_bytes = huffman ? (size_t)len * 8 / 5 + 1 : len ? len : 1;
	s->bytes = arena_alloc(&b->out->arena, s->alloc_bytes);
	if (!s->bytes)
		return ERR_NOMEM;
	if (huffman) {
		long n = hpack_huff_decode(b->at, len, s->bytes);
		if (n < 0)
			return ERR_PROTOCOL;
		s->len = (uint32_t)n;
		s->alloc_bytes = fields_trim(b->out, s->bytes, s->alloc_bytes, s->len);
	} else {
		if (len)
			memcpy(s->bytes, b->at, len);
		s->len = len;
	}
	b->at += len;
	return 0;
}

/* The name of a literal: by index, or spelt out. One that is spelt out and known needs no bytes. */
static int decode_name(struct hpack_decoder *d, struct block *b, uint32_t index, struct field *f,
	struct string *spelt)
{
	if (index == 0) {
		int err = decode_string(b, spelt);
		if (err)
			return err;
		f->token = (uint16_t)token_find(spelt->bytes, spelt->len);
		f->name = spelt->bytes;
		f->name_len = spelt->len;
		if (f->token != TOKEN_OTHER) {
			f->name = hpack_names[f->token].name;
			spelt->alloc_bytes =
				fields_trim(b->out, spelt->bytes, spelt->alloc_bytes, 0);
		}
		return 0;
	}
	if (index <= HPACK_STATIC_COUNT) {
		*f = hpack_static[index];
		return 0;
	}
	index -= HPACK_STATIC_COUNT + 1;
	if (index >= hpack_table_count(&d->table))
		return ERR_PROTOCOL;
	*f = hpack_table_field(
		&d->table, hpack_table_entry(&d->table, d->table.next_seq - 1 - index));
	return 0;
}

/* 6.2, all three kinds; `bits` of the first byte are the name's index. */
static int decode_literal(
	struct hpack_decoder *d, struct block *b, unsigned bits, bool insert, uint16_t flags)
{
	struct field f = {0};
	struct string name = {0}, value = {0};
	uint32_t index, seq;
	if (hpack_int_decode(&b->at, b->end, bits, &index))
		return ERR_PROTOCOL;
	int err = decode_name(d, b, index, &f, &name);
	if (!err)
		err = decode_string(b, &value);
	if (err)
		return err;
	f.value = value.bytes;
	f.value_len = value.len;
	f.hash = 0;
	f.flags = flags;
	bool store = admit(b, &f);
	if (store && index > HPACK_STATIC_COUNT && f.token == TOKEN_OTHER) {
		/* the name lies in an entry that may go */
		char *copy = fields_alloc(b->out, f.name_len);
		if (!copy)
			return ERR_NOMEM;
		memcpy(copy, f.name, f.name_len);
		f.name = copy;
	}
	if (insert) {
		if (!(hpack_names[f.token].flags & TF_SECRET) && !hpack_varies(&f))
			f.hash = hpack_hash(&f);
		err = hpack_table_insert(&d->table, &f, &seq);
		if (err)
			return err;
	}
	if (store)
		return fields_add_raw(b->out, f);
	fields_trim(b->out, value.bytes, value.alloc_bytes, 0);
	fields_trim(b->out, name.bytes, name.alloc_bytes, 0);
	return 0;
}

/* 6.2.2, with known names by index and less than 127 bytes as they are: what a deadline or request
 * id looks like. As many as follow each other; false: there was none, or it takes another way. */
static bool decode_short(struct hpack_decoder *d, struct block *b)
{
	struct fields *out = b->out;
	const struct hpack_entry *entries = d->table.entries;
	const uint32_t count = hpack_table_count(&d->table), mask = d->table.cap - 1;
	const uint32_t newest = d->table.next_seq - 1;
	const uint8_t *at = b->at, *const end = b->end;
	uint32_t n = out->count, index, len;
	while (at < end && *at < 0x10) {
		const struct field *name;
		if (hpack_int_decode(&at, end, 4, &index) || index == 0 || at == end)
			break;
		len = *at++;
		if (len >= 0x7f || len > (size_t)(end - at) || UNLIKELY(n == out->cap))
			break;
		if (index <= HPACK_STATIC_COUNT)
			name = &hpack_static[index];
		else if (LIKELY((index -= HPACK_STATIC_COUNT + 1) < count))
			name = &entries[(newest - index) & mask].f;
		else
			break;
		uint64_t sum = (uint64_t)out->list_bytes + name->name_len + len + FIELD_BYTES;
		if (UNLIKELY(name->token == TOKEN_OTHER) || UNLIKELY(sum > b->max_list_bytes))
			break;
		char *value = arena_alloc(&out->arena, len ? len : 1);
		if (UNLIKELY(!value))
			break;
		memcpy(value, at, len);
		out->own[n++] = (struct field){.name = name->name,
			.name_len = name->name_len,
			.value = value,
			.value_len = len,
			.token = name->token};
		out->list_bytes = (uint32_t)sum;
		at += len;
		b->at = at;
	}
	bool any = n > out->count;
	out->count = n;
	return any;
}

/* 6.3 */
static int decode_size_update(struct hpack_decoder *d, struct block *b)
{
	uint32_t bytes;
	if (hpack_int_decode(&b->at, b->end, 5, &bytes) || bytes > d->limit)
		return ERR_PROTOCOL;
	if (d->update_due && bytes > d->must_reach)
		return ERR_PROTOCOL;
	d->update_due = false;
	hpack_table_resize(&d->table, bytes);
	return 0;
}

/* --- what blocks begin with ---------------------------------------------------------------------
 */

/* Takes the block's first fields as a whole, if they are known: their bytes, or 0. *memo: what is
 * known of them; NULL: nothing. */
static inline uint32_t take_known(struct hpack_decoder *d, const uint8_t *at, size_t len,
	uint32_t max_list_bytes, struct fields *out, struct hpack_memo **memo)
{
	struct hpack_memo *m = *memo = hpack_memo_of_block(&d->memos, &d->table, at, len);
	if (UNLIKELY(!m || !m->run || m->run->list_bytes > max_list_bytes))
		return 0;
	fields_begin(out, run_ref(m->run));
	return m->len;
}

static inline void begin_known(struct hpack_decoder *d, struct block *b)
{
	size_t left = (size_t)(b->end - b->at);
	if (UNLIKELY(b->max_list_bytes == 0 || b->out->count))
		return;
	uint32_t taken = take_known(d, b->at, left, b->max_list_bytes, b->out, &b->memo);
	b->at += taken;
	if (taken || (b->memo && b->memo->run))
		return;
	b->begin = b->at;
	b->next_seq = d->table.next_seq;
}

/* Their run, unless it has what must not outlive the connection. */
static struct fields_run *run_of(const struct fields *out, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		if (run_bars((enum token)out->own[i].token))
			return NULL;
	return run_intern(out->own, len);
}

/* The block was decoded, and nothing was left out. What comes for the second time is kept. */
static void learn(struct hpack_decoder *d, const struct block *b)
{
	if (!b->memo) {
		uint32_t len = hpack_memo_len(b->begin, (size_t)(b->end - b->begin));
		if (len > 1)
			(void)!hpack_memo_add(&d->memos, &d->table, b->begin, len, b->next_seq);
	} else if (!b->memo->barred) {
		b->memo->run = run_of(b->out, b->memo->len);
		b->memo->barred = !b->memo->run;
	}
}

/* What is left of a block. */
static inline int decode_rest(struct hpack_decoder *d, struct block *b)
{
	int err = 0;
	while (!err && b->at < b->end) {
		uint8_t first = *b->at;
		if (first & 0x80)
			err = decode_indexed(d, b);
		else if (first < 0x10 && LIKELY(decode_short(d, b)))
			continue;
		else if (first & 0x40)
			err = decode_literal(d, b, 6, true, 0);
		else if (first & 0x20)
			err = ERR_PROTOCOL;
		else
			err = decode_literal(d, b, 4, false, first & 0x10 ? FIELD_NEVER_INDEX : 0);
	}
	return err;
}

static __attribute__((noinline)) int decode_block(struct hpack_decoder *d, struct block *b)
{
	int err = 0;
	/* 4.2: size updates stand at the beginning of a block, and nowhere else. */
	while (!err && b->at < b->end && (*b->at & 0xe0) == 0x20)
		err = decode_size_update(d, b);
	if (!err && d->update_due)
		err = ERR_PROTOCOL;
	if (err)
		return err;
	begin_known(d, b);
	err = decode_rest(d, b);
	if (UNLIKELY(b->begin) && !err && !b->overflow)
		learn(d, b);
	return err;
}

uint32_t hpack_decode_known(struct hpack_decoder *d, const uint8_t *block, size_t len,
	uint32_t max_list_bytes, struct fields *out)
{
	struct hpack_memo *memo;
	if (UNLIKELY(d->update_due || len == 0 || !(*block & 0x80)))
		return 0;
	return take_known(d, block, len, max_list_bytes, out, &memo);
}

/* There is nothing to be learnt from it. */
__attribute__((noinline)) int hpack_decode_behind(struct hpack_decoder *d, const uint8_t *rest,
	size_t len, uint32_t max_list_bytes, struct fields *out, bool *overflow)
{
	struct block b = {
		.at = rest, .end = rest + len, .out = out, .max_list_bytes = max_list_bytes};
	int err = decode_rest(d, &b);
	*overflow = b.overflow;
	return err;
}

int hpack_decode(struct hpack_decoder *d, const uint8_t *block, size_t len, uint32_t max_list_bytes,
	struct fields *out, bool *overflow)
{
	struct block b = {
		.at = block,
		.end = len ? block + len : block,
		.out = out,
		.max_list_bytes = out ? max_list_bytes : 0,
	};
	if (!out)
		b.out = fields_create(); /* literals are decoded somewhere */
	if (!b.out)
		return ERR_NOMEM;
	int err = decode_block(d, &b);
	if (!out)
		fields_destroy(b.out);
	if (overflow)
		*overflow = b.overflow;
	return err;
}
