/* hpack_nghttp2_test.c - our HPACK against libnghttp2's, randomised. To replay: the test prints the
 * seed that failed; HPACK_SEED=n in the environment runs that one alone. */
#include "base/rand.h"
#include "http2/hpack_diff.h"
#include "tap.h"

static bool run_seed(uint64_t seed, unsigned raw_percent)
{
	static uint8_t script[4096];
	struct rand r;
	rand_seed(&r, seed);
	size_t len = rand_below(&r, sizeof(script) + 1);
	for (size_t i = 0; i < len; i++)
		script[i] = (uint8_t)rand_u64(&r);
	/* the commands' places are unknown, so make the whole script lean to one kind */
	for (size_t i = 0; i < len; i++)
		if (rand_below(&r, 100) >= raw_percent && script[i] % 8 > 5)
			script[i] &= 0xfb;
	const char *what = hpack_diff_run(script, len);
	if (what)
		printf("# HPACK_SEED=%llu: %s\n", (unsigned long long)seed, what);
	return !what;
}

static void run_many(uint64_t first, unsigned count, unsigned raw_percent)
{
	const char *only = getenv("HPACK_SEED");
	if (only) {
		CHECK(run_seed(strtoull(only, NULL, 10), raw_percent));
		return;
	}
	for (unsigned i = 0; i < count; i++)
		CHECK(run_seed(first + i, raw_percent));
}

TEST(libnghttp2_and_we_decode_each_others_blocks_under_table_size_changes)
{
	run_many(1, 1500, 0);
}

TEST(libnghttp2_and_we_agree_on_random_bytes)
{
	run_many(100000, 1500, 100);
}

TAP_MAIN()
