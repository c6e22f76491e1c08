/* hpack_memo.h - a run of fields (http/run.h) as a peer's indexes say it, or ours: RFC 7541 6.1.
 *
 * A memo knows up to 16 fields that are one index byte each, and the number of the table's next
 * entry at that time. An entry that was added since moves each dynamic index by one:
 *
 *   then  [ 83 86 c4 c3 c2 ]  next_seq 9      now, next_seq 11:  [ 83 86 c6 c5 c4 ]
 *
 * So the same fields are recognised, or written, by comparing or copying two words, until an entry
 * is evicted or an index outgrows its byte; then the memo stands for nothing.
 *
 * What it does: remembers one run. What it does not: decide what is worth it (hpack_dec.c,
 * hpack_enc.c). Owner: a decoder or encoder; a memo has a reference to its run. Memory: a set grows
 * from none to HPACK_MEMOS, as different runs come. Private to HPACK. */
#ifndef WEIR_HTTP2_HPACK_MEMO_H
#define WEIR_HTTP2_HPACK_MEMO_H
#include "http/run.h"
#include "http2/hpack_priv.h"

#define HPACK_MEMO_BYTES 16u
#define HPACK_MEMOS      16u
_Static_assert(HPACK_MEMO_BYTES <= RUN_FIELDS, "a memo's fields are a run");

/* Index bytes in the order of the wire; zero where there are none (no index byte is zero). */
struct hpack_words {
	uint64_t w[HPACK_MEMO_BYTES / 8];
};

struct hpack_memo {
	struct hpack_words bytes;   /* when the table's next entry was `next_seq` */
	struct hpack_words dynamic; /* 1 in the bytes of dynamic indexes */
	struct hpack_words mask;    /* all ones in the bytes that there are */
	struct fields_run *run;     /* NULL: seen once, or barred */
	uint32_t next_seq, oldest_seq;
	uint8_t room; /* so much higher may the largest dynamic index get */
	uint8_t len;
	bool fixed;  /* no dynamic index: good for ever */
	bool barred; /* its values are not to be kept */
};

struct hpack_memos {
	struct hpack_memo *list;
	uint8_t count, cap;
	uint8_t hot;    /* found last */
	uint8_t victim; /* goes next */
};

void hpack_memos_fini(struct hpack_memos *m);
/* Remembers `len` index bytes, as the table was when its next entry was `next_seq`; in a full set
 * in place of another. NULL: out of memory. */
struct hpack_memo *hpack_memo_add(struct hpack_memos *m, const struct hpack_table *t,
	const uint8_t *bytes, uint32_t len, uint32_t next_seq);
/* The memo that is the beginning of the block; NULL: none. */
struct hpack_memo *hpack_memo_of_block(
	struct hpack_memos *m, const struct hpack_table *t, const uint8_t *block, size_t len);

/* How many of the first bytes are indexes of one byte each. */
static inline uint32_t hpack_memo_len(const uint8_t *bytes, size_t len)
{
	uint32_t n = 0;
	while (n < HPACK_MEMO_BYTES && n < len && bytes[n] & 0x80 && bytes[n] != 0xff)
		n++;
	return n;
}

/* Makes the memo's bytes those for the table as it is; false: it stands for nothing any more. */
static inline bool hpack_memo_now(struct hpack_memo *m, const struct hpack_table *t)
{
	uint32_t moved = t->next_seq - m->next_seq;
	if (m->fixed)
		return true;
	if (UNLIKELY(moved > m->room) || UNLIKELY(!hpack_table_alive(t, m->oldest_seq)))
		return false;
	if (LIKELY(moved == 0))
		return true;
	m->bytes.w[0] += moved * m->dynamic.w[0];
	m->bytes.w[1] += moved * m->dynamic.w[1];
	m->room = (uint8_t)(m->room - moved);
	m->next_seq = t->next_seq;
	return true;
}

/* The memo of this run; NULL: none that is good now. */
static inline struct hpack_memo *hpack_memo_of_run(
	struct hpack_memos *m, const struct hpack_table *t, const struct fields_run *run)
{
	if (LIKELY(m->count)) {
		struct hpack_memo *hot = &m->list[m->hot];
		if (LIKELY(hot->run == run) && LIKELY(hpack_memo_now(hot, t)))
			return hot;
	}
	for (uint32_t i = 0, at = m->hot; i < m->count;
		i++, at = at + 1u < m->count ? at + 1u : 0) {
		struct hpack_memo *memo = &m->list[at];
		if (memo->run == run && hpack_memo_now(memo, t)) {
			m->hot = (uint8_t)at;
			return memo;
		}
	}
	return NULL;
}
#endif
