#include "http2/hpack_memo.h"
#include "base/mem.h"

#define FIRST_MEMOS 2u
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SHIFT_OF(i) (8 * (i)) /* where the byte of memory is in a word */
#else
#define SHIFT_OF(i) (56 - 8 * (i))
#endif

void hpack_memos_fini(struct hpack_memos *m)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (m->list[i].run)
			run_unref(m->list[i].run);
	mem_free(m->list);
	*m = (struct hpack_memos){0};
}

static bool grow(struct hpack_memos *m)
{
	uint8_t cap = m->cap ? (uint8_t)(m->cap * 2) : FIRST_MEMOS;
	if (m->cap == HPACK_MEMOS)
		return false;
	struct hpack_memo *list = mem_realloc(m->list, cap * sizeof(*list));
	if (!list)
		return false;
	m->list = list;
	m->cap = cap;
	return true;
}

/* One that stands for nothing any more, a new one, or the next in turn. */
static struct hpack_memo *place(struct hpack_memos *m, const struct hpack_table *t)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (!hpack_memo_now(&m->list[i], t))
			return &m->list[i];
	if (m->count < m->cap || grow(m)) {
		struct hpack_memo *memo = &m->list[m->count++];
		memo->run = NULL;
		return memo;
	}
	if (m->count == 0)
		return NULL;
	m->victim = (uint8_t)((m->victim + 1) % m->count);
	return &m->list[m->victim];
}

static void set_byte(struct hpack_words *words, uint32_t at, uint8_t byte)
{
	memcpy((uint8_t *)words + at, &byte, 1);
}

struct hpack_memo *hpack_memo_add(struct hpack_memos *m, const struct hpack_table *t,
	const uint8_t *bytes, uint32_t len, uint32_t next_seq)
{
	struct hpack_memo *memo = place(m, t);
	uint8_t highest = HPACK_STATIC_COUNT;
	if (!memo)
		return NULL;
	if (memo->run)
		run_unref(memo->run);
	*memo = (struct hpack_memo){.len = (uint8_t)len, .next_seq = next_seq};
	for (uint32_t i = 0; i < len; i++) {
		uint8_t index = bytes[i] & 0x7f;
		set_byte(&memo->bytes, i, bytes[i]);
		set_byte(&memo->mask, i, 0xff);
		if (index > HPACK_STATIC_COUNT)
			set_byte(&memo->dynamic, i, 1);
		if (index > highest)
			highest = index;
	}
	memo->fixed = highest == HPACK_STATIC_COUNT;
	memo->oldest_seq = next_seq - (highest - HPACK_STATIC_COUNT);
	memo->room = (uint8_t)(126 - highest);
	return memo;
}

/* Up to eight bytes as they lie in a word, zeros behind them. */
static inline uint64_t short_word(const uint8_t *bytes, size_t len)
{
	uint64_t w = 0;
	for (size_t i = 0; i < len; i++)
		w |= (uint64_t)bytes[i] << SHIFT_OF(i);
	return w;
}

/* The first 16 bytes, zeros behind the end. A copy of so many bytes, read again as words, would
 * wait for its own stores. */
static inline struct hpack_words words_of(const uint8_t *bytes, size_t len)
{
	struct hpack_words out = {{0}};
	if (len < 8) {
		out.w[0] = short_word(bytes, len);
		return out;
	}
	memcpy(&out.w[0], bytes, 8);
	if (LIKELY(len >= sizeof(out)))
		memcpy(&out.w[1], bytes + 8, 8);
	else
		out.w[1] = short_word(bytes + 8, len - 8);
	return out;
}

/* Is it the block's whole run, and not the beginning of a longer one? */
static inline bool begins(const struct hpack_memo *m, const struct hpack_words *words,
	const uint8_t *block, size_t len)
{
	if (((words->w[0] ^ m->bytes.w[0]) & m->mask.w[0]) |
		((words->w[1] ^ m->bytes.w[1]) & m->mask.w[1]))
		return false;
	return len == m->len || m->len == HPACK_MEMO_BYTES || !(block[m->len] & 0x80) ||
	       block[m->len] == 0xff;
}

struct hpack_memo *hpack_memo_of_block(
	struct hpack_memos *m, const struct hpack_table *t, const uint8_t *block, size_t len)
{
	if (m->count == 0)
		return NULL;
	struct hpack_words words = words_of(block, len);
	struct hpack_memo *hot = &m->list[m->hot];
	if (LIKELY(hpack_memo_now(hot, t)) && LIKELY(begins(hot, &words, block, len)))
		return hot;
	for (uint32_t i = 0, at = m->hot; i < m->count;
		i++, at = at + 1u < m->count ? at + 1u : 0) {
		struct hpack_memo *memo = &m->list[at];
		if (hpack_memo_now(memo, t) && begins(memo, &words, block, len)) {
			m->hot = (uint8_t)at;
			return memo;
		}
	}
	return NULL;
}
