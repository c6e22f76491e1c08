#include "histogram.h"
#include <string.h>
#include "tap.h"

static struct histogram h;

TEST(every_value_is_off_by_at_most_a_sixtyfourth)
{
	for (uint64_t v = 1; v < (uint64_t)1 << 38; v += v / 7 + 1) {
		memset(&h, 0, sizeof(h));
		histogram_add(&h, v);
		histogram_add(&h, (uint64_t)1 << 38); /* so that the largest does not cap it */
		uint64_t got = histogram_ns(&h, 50);
		CHECK(got >= v && got <= v + v / 64);
	}
}

TEST(percentiles_are_ranks)
{
	memset(&h, 0, sizeof(h));
	for (uint64_t v = 1; v <= 50; v++)
		histogram_add(&h, v);
	CHECK_EQ(histogram_ns(&h, 50), 25);
	CHECK_EQ(histogram_ns(&h, 98), 49);
	CHECK_EQ(histogram_ns(&h, 100), 50);
	CHECK_EQ(h.max_ns, 50);
}

TEST(nothing_and_too_much_are_no_trouble)
{
	memset(&h, 0, sizeof(h));
	CHECK_EQ(histogram_ns(&h, 99), 0);
	histogram_add(&h, UINT64_MAX);
	CHECK_EQ(h.count, 1);
	CHECK(histogram_ns(&h, 50) >= ((uint64_t)1 << 39) - 1);
}

TAP_MAIN()
