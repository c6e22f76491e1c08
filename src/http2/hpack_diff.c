/* hpack_diff.c */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include "http2/hpack_diff.h"
#include "http2/hpack_priv.h"

#define FIELDS_MAX 64u
#define BLOCK_MAX  65536u
#define LIST_MAX   (1u << 20)

struct script {
	const uint8_t *at, *end;
};

/* One direction each, and a pair of decoders for raw bytes. */
struct judges {
	struct hpack_encoder *our_encoder;
	nghttp2_hd_inflater *their_decoder;
	nghttp2_hd_deflater *their_encoder;
	struct hpack_decoder *our_decoder;
	struct hpack_decoder
		*our_blind; /* the same blocks, for nobody or with a small list limit */
	struct hpack_decoder *our_raw;
	nghttp2_hd_inflater *their_raw;
};

static uint8_t next(struct script *s)
{
	return s->at < s->end ? *s->at++ : 0;
}

static bool raw_create(struct judges *j)
{
	j->our_raw = hpack_decoder_create(4096);
	return j->our_raw && !nghttp2_hd_inflate_new(&j->their_raw);
}

static void raw_destroy(struct judges *j)
{
	hpack_decoder_destroy(j->our_raw);
	if (j->their_raw)
		nghttp2_hd_inflate_del(j->their_raw);
	j->our_raw = NULL;
	j->their_raw = NULL;
}

static bool judges_create(struct judges *j)
{
	j->our_encoder = hpack_encoder_create(65536);
	j->our_decoder = hpack_decoder_create(4096);
	j->our_blind = hpack_decoder_create(4096);
	return j->our_encoder && j->our_decoder && j->our_blind &&
	       !nghttp2_hd_inflate_new(&j->their_decoder) &&
	       !nghttp2_hd_deflate_new(&j->their_encoder, 65536) && raw_create(j);
}

static void judges_destroy(struct judges *j)
{
	hpack_encoder_destroy(j->our_encoder);
	hpack_decoder_destroy(j->our_decoder);
	hpack_decoder_destroy(j->our_blind);
	if (j->their_decoder)
		nghttp2_hd_inflate_del(j->their_decoder);
	if (j->their_encoder)
		nghttp2_hd_deflate_del(j->their_encoder);
	raw_destroy(j);
}

/* Decodes with libnghttp2; false when it refuses. */
static bool their_decode(
	nghttp2_hd_inflater *d, const uint8_t *block, size_t len, struct fields *out)
{
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t used = nghttp2_hd_inflate_hd2(d, &nv, &flags, block, len, 1);
		if (used < 0)
			return false;
		block += used;
		len -= (size_t)used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			if (fields_add(out, nv.name, nv.namelen, nv.value, nv.valuelen))
				abort();
			if (nv.flags & NGHTTP2_NV_FLAG_NO_INDEX)
				fields_own(out)[out->count - 1].flags = FIELD_NEVER_INDEX;
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && len == 0)
			break;
	}
	nghttp2_hd_inflate_end_headers(d);
	return true;
}

/* Flags of `a` must be on `b`: an encoder may make more of them, never fewer. */
static bool same(const struct fields *a, const struct fields *b, bool same_flags)
{
	if (a->count != b->count || a->list_bytes != b->list_bytes)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		const struct field *x = &fields_list(a)[i], *y = &fields_list(b)[i];
		if (x->name_len != y->name_len || x->value_len != y->value_len ||
			x->token != y->token || memcmp(x->name, y->name, x->name_len) ||
			memcmp(x->value, y->value, x->value_len))
			return false;
		if (same_flags ? x->flags != y->flags : (x->flags & ~y->flags) != 0)
			return false;
	}
	return true;
}

static const char *const some_values[] = {"", "1", "trailers", "application/grpc",
	"/chat.Chat/Subscribe", "gzip", "identity, deflate, gzip", "GET", "POST", "200", "http",
	"grpc-c++/1.51.1", "100m", "Bearer 0123456789abcdef", "session=0123456789abcdef0123456789",
	"/search?q=x"};

/* A section from the script: known and unknown names, values from a few, short or long. */
static void make_section(struct script *s, struct fields *out)
{
	uint8_t bytes[512];
	unsigned n = next(s) % 12;
	for (unsigned i = 0; i < n; i++) {
		uint8_t how = next(s), which = next(s);
		const char *name = token_name((enum token)(which % TOKEN_COUNT));
		const void *value = some_values[next(s) % 16];
		size_t name_len = strlen(name), value_len = strlen(value);
		char other[16];
		if (how & 1) {
			name_len = which % sizeof(other);
			memset(other, 'a' + which % 3, sizeof(other));
			name = other;
		}
		if (how & 2) {
			value_len = how & 4 ? next(s) * 2u : next(s) % 16u;
			for (size_t v = 0; v < value_len; v++)
				bytes[v] = how & 8 ? next(s) : (uint8_t)('0' + (which + v) % 75);
			value = bytes;
		}
		if (fields_add(out, name, name_len, value, value_len))
			abort();
		if ((how & 0x70) == 0x70)
			fields_own(out)[out->count - 1].flags = FIELD_NEVER_INDEX;
	}
}

static const char *send_ours(struct judges *j, const struct fields *sent)
{
	static uint8_t block[BLOCK_MAX];
	const char *what = NULL;
	struct fields *got = fields_create();
	size_t bound = hpack_encode_bound(sent);
	if (!got || bound > sizeof(block))
		abort();
	size_t len = hpack_encode(j->our_encoder, sent, block);
	if (len > bound)
		what = "our block is longer than its bound";
	else if (!their_decode(j->their_decoder, block, len, got))
		what = "they refuse our block";
	else if (!same(sent, got, false))
		what = "they decode something else from our block";
	fields_destroy(got);
	return what;
}

static const char *send_theirs(
	struct judges *j, const struct fields *sent, uint8_t list_limit, struct fields *got)
{
	static uint8_t block[BLOCK_MAX];
	const char *what = NULL;
	nghttp2_nv nv[FIELDS_MAX];
	for (uint32_t i = 0; i < sent->count; i++) {
		const struct field *f = &fields_list(sent)[i];
		nv[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)f->name, (uint8_t *)(uintptr_t)f->value,
			f->name_len, f->value_len,
			f->flags & FIELD_NEVER_INDEX ? NGHTTP2_NV_FLAG_NO_INDEX
						     : NGHTTP2_NV_FLAG_NONE};
	}
	ssize_t len =
		nghttp2_hd_deflate_hd(j->their_encoder, block, sizeof(block), nv, sent->count);
	struct fields *cut = list_limit & 1 ? fields_create() : NULL;
	bool overflow;
	if (len < 0)
		abort();
	if (hpack_decode(j->our_decoder, block, (size_t)len, LIST_MAX, got, &overflow) || overflow)
		what = "we refuse their block";
	else if (!same(sent, got, false))
		what = "we decode something else from their block";
	else if (hpack_decode(j->our_blind, block, (size_t)len, list_limit * 2u, cut, &overflow))
		what = "we refuse their block when nobody wants it";
	else if (cut && overflow != (sent->list_bytes > list_limit * 2u))
		what = "the list's limit is not where it should be";
	else if (cut && cut->list_bytes > list_limit * 2u)
		what = "the list is above its limit";
	else if (hpack_decoder_table_bytes(j->our_decoder) !=
		 hpack_decoder_table_bytes(j->our_blind))
		what = "our decoders differ when nobody wants the fields";
	else if (hpack_decoder_table_bytes(j->our_decoder) !=
		 nghttp2_hd_deflate_get_dynamic_table_size(j->their_encoder))
		what = "our decoder's table is not as large as their encoder's";
	fields_destroy(cut);
	return what;
}

/* The section goes out by our encoder as it is, or as a relay does it: what our decoder made of
 * their block, with the hashes of its table. */
static const char *send_section(struct judges *j, struct script *s)
{
	uint8_t how = next(s);
	struct fields *sent = fields_create(), *got = fields_create();
	if (!sent || !got)
		abort();
	make_section(s, sent);
	const char *what = send_theirs(j, sent, how, got);
	if (!what)
		what = send_ours(j, how & 2 ? got : sent);
	fields_destroy(sent);
	fields_destroy(got);
	return what;
}

static void change_limits(struct judges *j, struct script *s)
{
	static const uint32_t limits[] = {0, 1, 33, 64, 100, 200, 400, 1000, 4095, 4096, 4097, 8192,
		16384, 30000, 65535, 65536};
	uint32_t limit = limits[next(s) % 16];
	hpack_encoder_set_limit(j->our_encoder, limit);
	if (nghttp2_hd_inflate_change_table_size(j->their_decoder, limit) ||
		nghttp2_hd_deflate_change_table_size(j->their_encoder, limit))
		abort();
	hpack_decoder_set_limit(j->our_decoder, limit);
	hpack_decoder_set_limit(j->our_blind, limit);
}

/* Whatever bytes: both take them, with the same fields, or both refuse. */
static const char *feed_raw(struct judges *j, struct script *s)
{
	size_t len = next(s);
	if (len > (size_t)(s->end - s->at))
		len = (size_t)(s->end - s->at);
	struct fields *ours = fields_create(), *theirs = fields_create();
	const char *what = NULL;
	if (!ours || !theirs)
		abort();
	int err = hpack_decode(j->our_raw, s->at, len, LIST_MAX, ours, NULL);
	bool taken = their_decode(j->their_raw, s->at, len, theirs);
	s->at += len;
	if (err == ERR_NOMEM)
		abort();
	if (taken && err)
		what = "they take raw bytes that we refuse";
	else if (!taken && !err)
		what = "we take raw bytes that they refuse";
	else if (taken && !same(ours, theirs, true))
		what = "raw bytes decode differently";
	else if (taken && hpack_decoder_table_bytes(j->our_raw) !=
				  nghttp2_hd_inflate_get_dynamic_table_size(j->their_raw))
		what = "raw bytes leave tables of different size";
	if (!taken) { /* dead: begin again */
		raw_destroy(j);
		if (!raw_create(j))
			abort();
	}
	fields_destroy(ours);
	fields_destroy(theirs);
	return what;
}

static void change_raw_limit(struct judges *j, struct script *s)
{
	static const uint32_t limits[] = {0, 64, 100, 4096, 4096, 4096, 8192, 65536};
	uint32_t limit = limits[next(s) % 8];
	hpack_decoder_set_limit(j->our_raw, limit);
	if (nghttp2_hd_inflate_change_table_size(j->their_raw, limit))
		abort();
}

const char *hpack_diff_run(const uint8_t *script, size_t len)
{
	struct script s = {script, len ? script + len : script};
	struct judges j = {0};
	const char *what = NULL;
	if (!judges_create(&j))
		abort();
	while (!what && s.at < s.end) {
		uint8_t command = next(&s) % 8;
		if (command < 4)
			what = send_section(&j, &s);
		else if (command == 4)
			change_limits(&j, &s);
		else if (command == 5)
			change_raw_limit(&j, &s);
		else
			what = feed_raw(&j, &s);
	}
	judges_destroy(&j);
	return what;
}
