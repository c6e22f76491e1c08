#include "grpc/gunzip.h"
#include <zlib.h>
#include "base/mem.h"
#include "base/rand.h"
#include "tap.h"

enum { GZIP = MAX_WBITS + 16, ZLIB = MAX_WBITS };

static size_t pack(int format, uint8_t *to, size_t cap, const void *bytes, size_t len)
{
	z_stream z = {.next_in = (void *)bytes,
		.avail_in = (unsigned)len,
		.next_out = to,
		.avail_out = (unsigned)cap};
	CHECK_EQ(deflateInit2(&z, 6, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY), Z_OK);
	CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
	CHECK_EQ(deflateEnd(&z), Z_OK);
	return cap - z.avail_out;
}

static uint8_t in[1 << 17], packed[1 << 17], out[1 << 17];

static void fill(struct rand *r, size_t len)
{
	for (size_t i = 0; i < len; i++)
		in[i] = (uint8_t)rand_below(r, 9);
}

TEST(what_was_packed_comes_out_and_what_breaks_off_does_not)
{
	struct rand r;
	size_t len, n;
	rand_seed(&r, tap_seed());
	for (int round = 0; round < 200; round++) {
		size_t size = (size_t)rand_below(&r, 300);
		fill(&r, size);
		n = pack(round % 2 ? GZIP : ZLIB, packed, sizeof packed, in, size);
		CHECK_EQ(grpc_gunzip(packed, n, out, sizeof out, &len), 0);
		CHECK_MEM(out, len, in, size);
		packed[n] = 'x'; /* behind the end */
		CHECK_EQ(grpc_gunzip(packed, n + 1, out, sizeof out, &len), 0);
		for (size_t cut = 0; cut < n; cut++) {
			uint8_t *exact = malloc(cut + 1);
			memcpy(exact, packed, cut);
			CHECK_EQ(grpc_gunzip(exact, cut, out, sizeof out, &len), ERR_INVALID);
			CHECK_EQ(len, 0);
			free(exact);
		}
	}
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(no_more_comes_out_than_there_is_room_for)
{
	struct rand r;
	size_t len;
	rand_seed(&r, tap_seed());
	fill(&r, sizeof in / 2);
	size_t n = pack(GZIP, packed, sizeof packed, in, sizeof in / 2);
	static const size_t caps[] = {1, 2, 100, 16384, sizeof in / 2 - 1, sizeof in / 2};
	for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++) {
		uint8_t *exact = malloc(caps[i]);
		CHECK_EQ(grpc_gunzip(packed, n, exact, caps[i], &len), 0);
		CHECK_MEM(exact, len, in, caps[i]);
		free(exact);
	}
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(changed_bytes_lead_nowhere_else)
{
	struct rand r;
	size_t len;
	rand_seed(&r, tap_seed());
	fill(&r, 2000);
	size_t n = pack(GZIP, packed, sizeof packed, in, 2000);
	for (int round = 0; round < 5000; round++) {
		uint8_t *changed = malloc(n);
		memcpy(changed, packed, n);
		for (uint64_t k = 1 + rand_below(&r, 4); k; k--)
			changed[rand_below(&r, n)] = (uint8_t)rand_u64(&r);
		int err = grpc_gunzip(changed, n, out, 1000, &len);
		CHECK(err ? err == ERR_INVALID && len == 0 : len <= 1000);
		free(changed);
	}
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(each_allocation_may_fail)
{
	size_t len;
	size_t n = pack(GZIP, packed, sizeof packed, in, sizeof in);
	int err = ERR_NOMEM;
	for (long nth = 1; err == ERR_NOMEM; nth++) {
		REQUIRE(nth < 10);
		mem_fail_after(nth);
		err = grpc_gunzip(packed, n, out, 100, &len);
		mem_fail_after(0);
		CHECK_EQ(mem_live_blocks(), 0);
	}
	CHECK_EQ(err, 0);
}

TAP_MAIN()
