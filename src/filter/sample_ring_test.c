#include "filter/sample_ring.h"
#include "base/mem.h"
#include "base/rand.h"
#include "tap.h"

/* A record of `len` bytes without its length, all of them `fill`. */
static int put(struct sample_ring *r, uint8_t fill, uint32_t len)
{
	uint8_t bytes[512];
	memset(bytes, fill, sizeof bytes);
	bytes[0] = bytes[1] = 0;
	bytes[2] = (uint8_t)(len >> 8);
	bytes[3] = (uint8_t)len;
	return sample_ring_put(r, bytes, SAMPLE_LENGTH_BYTES + len);
}

/* The fills in order, as text; "?" for a record that is not of one fill. */
static const char *all(const struct sample_ring *r)
{
	static char text[512];
	struct buf record;
	size_t n = 0;
	buf_init(&record);
	for (uint64_t at = r->begin; sample_ring_next(r, &at, &record); buf_clear(&record)) {
		char fill = record.len > 4 ? record.bytes[4] : '-';
		for (size_t i = 4; i < record.len; i++)
			fill = record.bytes[i] == fill ? fill : '?';
		text[n++] = fill;
	}
	text[n] = '\0';
	buf_fini(&record);
	return text;
}

TEST(a_ring_keeps_what_is_latest_and_counts_what_it_overwrote)
{
	struct sample_ring r;
	sample_ring_init(&r, 64);
	CHECK_STR(all(&r), "");
	CHECK_EQ(put(&r, 'a', 10), 0);
	CHECK_EQ(put(&r, 'b', 20), 0);
	CHECK_EQ(put(&r, 'c', 0), 0);
	CHECK_STR(all(&r), "ab-");
	CHECK_EQ(put(&r, 'd', 18), 0); /* exactly full */
	CHECK_STR(all(&r), "ab-d");
	CHECK_EQ(r.overwritten, 0);
	CHECK_EQ(put(&r, 'e', 11), 0);
	CHECK_STR(all(&r), "-de");
	CHECK_EQ(r.overwritten, 2);
	CHECK_EQ(put(&r, 'f', 60), 0); /* all of it */
	CHECK_STR(all(&r), "f");
	CHECK_EQ(put(&r, 'g', 61), ERR_LIMIT);
	CHECK_STR(all(&r), "f");
	CHECK_EQ(r.records, 1);
	sample_ring_fini(&r);
	CHECK_EQ(mem_live_blocks(), 0);
}

/* Against a list of what was put: whatever the sizes, the ring has its longest end that fits. */
TEST(a_ring_that_wraps_at_any_byte_has_the_latest_records_that_fit)
{
	struct rand rand;
	struct sample_ring r;
	enum { PUTS = 3000, CAP = 257 };
	static uint32_t lens[PUTS];
	rand_seed(&rand, tap_seed());
	sample_ring_init(&r, CAP);
	for (unsigned i = 0; i < PUTS; i++) {
		lens[i] = (uint32_t)rand_below(&rand, 90);
		CHECK_EQ(put(&r, (uint8_t)('A' + i % 26), lens[i]), 0);
		uint32_t used = 0;
		unsigned first = i + 1;
		while (first > 0 && used + lens[first - 1] + SAMPLE_LENGTH_BYTES <= CAP)
			used += lens[--first] + SAMPLE_LENGTH_BYTES;
		CHECK_EQ(r.records, i + 1 - first);
		CHECK_EQ(r.overwritten, first);
		const char *text = all(&r);
		CHECK_EQ(strlen(text), i + 1 - first);
		for (unsigned j = first; j <= i; j++)
			CHECK_EQ(text[j - first], lens[j] ? 'A' + j % 26 : '-');
	}
	sample_ring_fini(&r);
}

TEST(a_ring_that_changes_its_size_keeps_the_latest)
{
	struct sample_ring r;
	sample_ring_init(&r, 64);
	CHECK_EQ(sample_ring_resize(&r, 48), 0); /* nothing is there */
	CHECK_EQ(put(&r, 'a', 20), 0);
	CHECK_EQ(put(&r, 'b', 20), 0);
	CHECK_EQ(put(&r, 'c', 10), 0); /* around the end */
	CHECK_STR(all(&r), "bc");
	mem_fail_after(1);
	CHECK_EQ(sample_ring_resize(&r, 100), ERR_NOMEM);
	CHECK_STR(all(&r), "bc");
	CHECK_EQ(sample_ring_resize(&r, 100), 0);
	CHECK_STR(all(&r), "bc");
	CHECK_EQ(put(&r, 'd', 50), 0);
	CHECK_STR(all(&r), "bcd");
	CHECK_EQ(sample_ring_resize(&r, 70), 0);
	CHECK_STR(all(&r), "cd");
	CHECK_EQ(r.overwritten, 2);
	CHECK_EQ(put(&r, 'e', 2), 0);
	CHECK_STR(all(&r), "de");
	sample_ring_fini(&r);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(without_memory_a_ring_takes_nothing_and_stays_good)
{
	struct sample_ring r;
	sample_ring_init(&r, 64);
	mem_fail_after(1);
	CHECK_EQ(put(&r, 'a', 3), ERR_NOMEM);
	CHECK_EQ(put(&r, 'a', 3), 0);
	CHECK_STR(all(&r), "a");
	sample_ring_fini(&r);
}

TAP_MAIN()
