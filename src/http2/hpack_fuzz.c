/* hpack_fuzz.c - libFuzzer: arbitrary blocks, one after another, into one decoder.
 *
 * Input: commands of one byte. 0xff: the next byte chooses a new limit; else the byte is the length
 * of the block that follows. After each block: the table's invariants hold, a twin that decodes for
 * nobody agrees, so does one that takes known beginnings first, and what was decoded survives being
 * encoded and decoded again, flags included. */
#include <stdlib.h>
#include "http2/hpack_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct coders {
	struct hpack_decoder *d, *twin, *steps, *again;
	struct hpack_encoder *e;
};

static void check_table(const struct hpack_table *t)
{
	uint64_t used = 0, pos = t->head_pos;
	ASSERT(t->used_bytes <= t->max_bytes);
	ASSERT(hpack_table_count(t) <= t->cap);
	ASSERT(t->base_pos <= t->head_pos && t->head_pos <= t->tail_pos);
	ASSERT(t->tail_pos - t->base_pos <= t->bytes_cap);
	for (uint32_t seq = t->first_seq; seq != t->next_seq; seq++) {
		const struct hpack_entry *e = hpack_table_entry(t, seq);
		ASSERT(e->pos == pos && e->f.token <= TOKEN_OTHER);
		pos += e->f.value_len + (e->f.token == TOKEN_OTHER ? e->f.name_len : 0);
		used += (uint64_t)e->f.name_len + e->f.value_len + HPACK_ENTRY_OVERHEAD;
	}
	ASSERT(pos == t->tail_pos && used == t->used_bytes);
}

/* Reads every byte, so that a sanitizer sees what dangles. */
static void check_fields(const struct fields *f)
{
	uint64_t cost = 0;
	for (uint32_t i = 0; i < f->count; i++) {
		const struct field *x = &fields_list(f)[i];
		ASSERT(token_find(x->name, x->name_len) == x->token);
		ASSERT(hpack_hash(x) > HPACK_STATIC_COUNT);
		ASSERT(x->hash <= HPACK_STATIC_COUNT || x->hash == hpack_hash(x));
		cost += (uint64_t)x->name_len + x->value_len + FIELD_BYTES;
	}
	ASSERT(cost == f->list_bytes);
}

static void check_again(struct coders *c, const struct fields *f)
{
	size_t bound = hpack_encode_bound(f);
	uint8_t *block = malloc(bound);
	struct fields *got = fields_create();
	ASSERT(block && got);
	size_t n = hpack_encode(c->e, f, block);
	ASSERT(n <= bound);
	ASSERT(!hpack_decode(c->again, block, n, UINT32_MAX, got, NULL));
	ASSERT(got->count == f->count);
	for (uint32_t i = 0; i < f->count; i++) {
		const struct field *x = &fields_list(f)[i], *y = &fields_list(got)[i];
		ASSERT(x->name_len == y->name_len && !memcmp(x->name, y->name, x->name_len));
		ASSERT(x->value_len == y->value_len && !memcmp(x->value, y->value, x->value_len));
		ASSERT(x->token == y->token && !(x->flags & ~y->flags));
	}
	check_table(hpack_decoder_table(c->again));
	free(block);
	fields_destroy(got);
}

/* As rx does it. */
static int decode_in_steps(
	struct hpack_decoder *d, const uint8_t *block, size_t len, struct fields *f, bool *overflow)
{
	*overflow = false;
	uint32_t known = hpack_decode_known(d, block, len, 16384, f);
	if (known == 0)
		return hpack_decode(d, block, len, 16384, f, overflow);
	ASSERT(known <= len);
	return hpack_decode_behind(d, block + known, len - known, 16384, f, overflow);
}

/* False: the block was refused, which ends the connection. */
static bool run_block(struct coders *c, const uint8_t *at, size_t len)
{
	uint8_t *block = malloc(len ? len : 1); /* exact */
	struct fields *f = fields_create(), *g = fields_create();
	bool overflow, too;
	ASSERT(block && f && g);
	memcpy(block, at, len);
	int err = hpack_decode(c->d, block, len, 16384, f, &overflow);
	ASSERT(err == 0 || err == ERR_PROTOCOL);
	ASSERT(hpack_decode(c->twin, block, len, 16384, NULL, NULL) == err);
	ASSERT(decode_in_steps(c->steps, block, len, g, &too) == err);
	ASSERT(err || (too == overflow && g->count == f->count && g->list_bytes == f->list_bytes));
	check_fields(g);
	ASSERT(f->list_bytes <= 16384);
	check_table(hpack_decoder_table(c->d));
	check_table(hpack_decoder_table(c->twin));
	ASSERT(hpack_decoder_table_bytes(c->d) == hpack_decoder_table_bytes(c->twin));
	check_fields(f);
	check_again(c, f);
	fields_destroy(f);
	fields_destroy(g);
	free(block);
	return err == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint32_t limits[] = {4096, 0, 64, 100, 300, 2000, 4096, 65536};
	const uint8_t *at = data, *end = len ? data + len : data;
	struct coders c = {hpack_decoder_create(4096), hpack_decoder_create(4096),
		hpack_decoder_create(4096), hpack_decoder_create(4096), hpack_encoder_create(4096)};
	ASSERT(c.d && c.twin && c.steps && c.again && c.e);
	while (at < end) {
		size_t n = *at++;
		if (n == 0xff) {
			uint32_t limit = limits[at < end ? *at++ % 8 : 0];
			hpack_decoder_set_limit(c.d, limit);
			hpack_decoder_set_limit(c.twin, limit);
			hpack_decoder_set_limit(c.steps, limit);
			hpack_decoder_set_limit(c.again, limit);
			hpack_encoder_set_limit(c.e, limit);
			continue;
		}
		n = n > (size_t)(end - at) ? (size_t)(end - at) : n;
		if (!run_block(&c, at, n))
			break;
		at += n;
	}
	hpack_decoder_destroy(c.d);
	hpack_decoder_destroy(c.twin);
	hpack_decoder_destroy(c.steps);
	hpack_decoder_destroy(c.again);
	hpack_encoder_destroy(c.e);
	return 0;
}
