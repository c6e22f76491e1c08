/* out_test.c - the queue of framed bytes, and partial writes at any byte. */
#include "http2/out.h"
#include "base/mem.h"
#include "tap.h"

static struct slab_pool *pool;
static struct h2_out out;

static void start(void)
{
	pool = slab_pool_create(2);
	h2_out_init(&out, pool);
}

static void stop(void)
{
	h2_out_fini(&out);
	CHECK_EQ(slab_pool_out(pool), 0);
	slab_pool_destroy(pool);
	CHECK_EQ(mem_live_blocks(), 0);
}

static uint8_t next_byte;

static void copy(size_t len)
{
	uint8_t *p = h2_out_reserve(&out, len, 0);
	REQUIRE(p != NULL);
	for (size_t i = 0; i < len; i++)
		p[i] = next_byte++;
	h2_out_commit(&out, len);
}

static void reference(uint32_t len)
{
	struct slab *slab = slab_exact(len);
	for (uint32_t i = 0; i < len; i++)
		slab->bytes[i] = next_byte++;
	REQUIRE(h2_out_reserve(&out, 0, 1) != NULL || out.at == NULL);
	h2_out_take(&out, (struct slice){slab, slab->bytes, len});
}

/* Writes `step` bytes at a time and checks that they come in order. */
static void write_out(size_t step, int iovs)
{
	uint8_t want = 0;
	while (out.unwritten) {
		struct iovec iov[8];
		size_t left = step, sum = 0;
		int n = h2_out_iov(&out, iov, iovs);
		REQUIRE(n > 0);
		for (int i = 0; i < n && left; i++) {
			size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;
			for (size_t b = 0; b < part; b++)
				if (((uint8_t *)iov[i].iov_base)[b] != want++)
					REQUIRE(!"order");
			left -= part;
			sum += part;
		}
		h2_out_written(&out, sum);
	}
	CHECK_EQ(want, next_byte);
}

TEST(bytes_leave_in_order_for_every_size_of_write)
{
	for (size_t step = 1; step < 40; step++) {
		for (int iovs = 1; iovs < 4; iovs++) {
			start();
			next_byte = 0;
			for (int i = 0; i < 12; i++) {
				copy(9);
				reference(100);
				copy((size_t)i);
			}
			write_out(step, iovs);
			CHECK_EQ(slab_pool_out(pool), 0);
			CHECK(out.segs == out.inline_segs && !out.slab);
			stop();
		}
	}
}

TEST(copies_behind_each_other_are_one_segment)
{
	start();
	copy(9);
	copy(100);
	copy(13);
	struct iovec iov[4];
	CHECK_EQ(h2_out_iov(&out, iov, 4), 1);
	CHECK_EQ(iov[0].iov_len, 122);
	h2_out_written(&out, 50); /* partly written, and still growing */
	copy(8);
	CHECK_EQ(h2_out_iov(&out, iov, 4), 1);
	CHECK_EQ(iov[0].iov_len, 80);
	stop();
}

/* The pieces of one output of so many frames. */
static int pieces(unsigned frames)
{
	struct iovec iov[8];
	next_byte = 0;
	for (unsigned i = 0; i < frames; i++)
		copy(100);
	int n = h2_out_iov(&out, iov, 8);
	write_out(SIZE_MAX, 8);
	CHECK_EQ(slab_pool_out(pool), 0);
	return n;
}

TEST(an_output_as_large_as_usual_is_one_piece)
{
	start();
	CHECK_EQ(pieces(50), 2); /* nobody knew */
	CHECK_EQ(pieces(50), 1);
	CHECK_EQ(pieces(2), 1);
	CHECK_EQ(pieces(60), 1); /* remembered for some time */
	CHECK_EQ(pieces(500), 2);
	CHECK_EQ(pieces(500), 1); /* in a slab of its own */
	for (int i = 0; i < 40; i++)
		CHECK_EQ(pieces(1), 1);
	CHECK_EQ(pieces(50), 2);
	stop();
}

TEST(connections_with_small_outputs_share_a_slab)
{
	struct h2_out other;
	start();
	CHECK_EQ(pieces(50), 2);
	h2_out_init(&other, pool);
	copy(100);
	uint8_t *p = h2_out_reserve(&other, 100, 0);
	CHECK(p && other.slab == out.slab && p >= out.end);
	CHECK_EQ(slab_pool_out(pool), 1);
	h2_out_fini(&other);
	reference(100000); /* what is not copied takes no room */
	h2_out_written(&out, 100100);
	copy(100);
	CHECK(out.end - out.at < 16384);
	stop();
}

TEST(a_block_larger_than_a_slab_gets_its_own)
{
	start();
	uint8_t *p = h2_out_reserve(&out, SLAB_BYTES + 1, 0);
	REQUIRE(p != NULL);
	memset(p, 7, SLAB_BYTES + 1);
	h2_out_commit(&out, SLAB_BYTES + 1);
	CHECK_EQ(out.unwritten, SLAB_BYTES + 1);
	stop();
}

TEST(a_small_rest_is_compacted_and_a_large_one_is_not)
{
	start();
	next_byte = 0;
	copy(1000);
	reference(200);
	h2_out_compact(&out);
	CHECK_EQ(slab_pool_out(pool), 0);
	copy(10);
	write_out(7, 8);
	copy(200000);
	h2_out_compact(&out);
	CHECK_EQ(slab_pool_out(pool), 1);
	stop();
}

TEST(a_failed_reservation_changes_nothing_and_the_last_words_still_fit)
{
	start();
	next_byte = 0;
	copy(5);
	reference(6);
	for (long nth = 1;; nth++) { /* until the heap has been asked everything */
		mem_fail_after(nth);
		uint8_t *p = h2_out_reserve(&out, SLAB_BYTES, 40);
		mem_fail_after(0);
		CHECK_EQ(out.unwritten, 11);
		if (p)
			break;
	}
	uint8_t words[17];
	for (size_t i = 0; i < sizeof(words); i++)
		words[i] = next_byte++;
	h2_out_last_words(&out, words, sizeof(words));
	write_out(3, 8);
	stop();
}

TAP_MAIN()
