#include "base/rand.h"
#include "tap.h"

TEST(the_generator_is_xoshiro256_starstar)
{
	/* The published sequence for the state 1, 2, 3, 4. */
	static const uint64_t want[] = {11520, 0, 1509978240, 1215971899390074240u,
		1216172134540287360u, 607988272756665600u, 16172922978634559625u,
		8476171486693032832u, 10595114339597558777u, 2904607092377533576u};
	struct rand r = {{1, 2, 3, 4}};
	for (int i = 0; i < 10; i++)
		CHECK(rand_u64(&r) == want[i]);
}

TEST(a_seed_is_spread_by_splitmix64)
{
	struct rand r;
	rand_seed(&r, 0);
	CHECK(r.s[0] == 0xe220a8397b1dcdafu);
	CHECK(r.s[1] == 0x6e789e6aa1b965f4u);
}

TEST(a_seed_replays_its_sequence_and_another_does_not)
{
	struct rand a, b, c;
	uint64_t seed = tap_seed();
	int same = 0;
	rand_seed(&a, seed);
	rand_seed(&b, seed);
	rand_seed(&c, seed + 1);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = rand_u64(&a);
		CHECK(v == rand_u64(&b));
		same += v == rand_u64(&c);
	}
	CHECK_EQ(same, 0);
}

TEST(below_stays_below_and_reaches_everything)
{
	struct rand r;
	rand_seed(&r, 1);
	for (uint64_t n = 1; n <= 20; n++) {
		unsigned hits[20] = {0};
		for (int i = 0; i < 4000; i++) {
			uint64_t v = rand_below(&r, n);
			REQUIRE(v < n);
			hits[v]++;
		}
		for (uint64_t i = 0; i < n; i++) /* a fixed seed: no luck involved */
			CHECK(hits[i] > 4000 / n * 6 / 10 && hits[i] < 4000 / n * 14 / 10 + 1);
	}
	bool top_half = false;
	for (int i = 0; i < 100; i++) {
		uint64_t v = rand_below(&r, UINT64_MAX);
		CHECK(v < UINT64_MAX);
		top_half |= v > UINT64_MAX / 2;
	}
	CHECK(top_half);
}

TEST(jitter_stays_within_its_percentage)
{
	struct rand r;
	bool under = false, over = false;
	rand_seed(&r, 2);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = rand_jitter(&r, 1000, 20);
		CHECK(v >= 800 && v <= 1200);
		under |= v < 850;
		over |= v > 1150;
	}
	CHECK(under && over);
	CHECK_EQ(rand_jitter(&r, 1000, 0), 1000);
	CHECK_EQ(rand_jitter(&r, 0, 50), 0);
	CHECK_EQ(rand_jitter(&r, 3, 10), 3);
}

TEST(jitter_does_not_overflow)
{
	struct rand r;
	rand_seed(&r, 3);
	for (int i = 0; i < 1000; i++) {
		CHECK(rand_jitter(&r, UINT64_MAX, 10) >= UINT64_MAX / 10 * 9 - 10);
		CHECK(rand_jitter(&r, UINT64_MAX / 2, 20) > UINT64_MAX / 4);
		CHECK(rand_jitter(&r, 1000, 500) <= 2000); /* more than 100 % is 100 % */
		(void)rand_jitter(&r, UINT64_MAX, 100);
	}
}

TEST(the_systems_bytes_differ_each_time)
{
	uint8_t a[300] = {0}, b[300] = {0};
	struct rand x, y;
	rand_os_bytes(a, sizeof(a));
	rand_os_bytes(b, sizeof(b));
	CHECK(memcmp(a, b, sizeof(a)) != 0);
	CHECK(memcmp(a + 284, b + 284, 16) != 0);
	rand_os_bytes(a, 0);
	rand_seed_os(&x);
	rand_seed_os(&y);
	CHECK(memcmp(&x, &y, sizeof(x)) != 0);
}

TAP_MAIN()
