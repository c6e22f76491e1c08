/* times.c - the tables of times.h; times_test.c computes them anew. */
#include "metrics/times.h"

/* 10^9 * 2^34 * 2^((j - 7) / 8) for j = 0 ... 7, shifted to the octave whose first cell is 1 + 8k.
 */
#define OCTAVE(k)                                                                                  \
	0x81ffa7a9549ca6e3 >> (53 - (k)), 0x8dc3b8960164a7d9 >> (53 - (k)),                        \
		0x9a9867054d512391 >> (53 - (k)), 0xa8965f74bf065071 >> (53 - (k)),                \
		0xb7d88a12d0dd9ea0 >> (53 - (k)), 0xc87c3e7d03cdbec3 >> (53 - (k)),                \
		0xdaa17c2cd19555db >> (53 - (k)), 0xee6b280000000000 >> (53 - (k))
#define FOUR_OCTAVES(k) OCTAVE(k), OCTAVE((k) + 1), OCTAVE((k) + 2), OCTAVE((k) + 3)

const struct times_tables times_tables = {
	.bounds = {TIMES_BOUNDS},
	.upto = {TIMES_ZERO_NS, FOUR_OCTAVES(0), FOUR_OCTAVES(4), FOUR_OCTAVES(8), FOUR_OCTAVES(12),
		FOUR_OCTAVES(16), FOUR_OCTAVES(20), FOUR_OCTAVES(24), FOUR_OCTAVES(28)},
	.below = {0, 1, 2, 2, 3, 3, 4, 5, 5, 5, 6, 6, 7, 7, 8, 8},
	/* 0.25, 0.5 and 1 s are native bounds too, and split none. */
	/* clang-format off */
	.split = {
		[73] = 1, [81] = 2, [91] = 3, [99] = 4, [107] = 5, [118] = 6, [126] = 7, [134] = 8,
		[171] = 12, [179] = 13, [187] = 14, [200] = 15, [208] = 16, [226] = 17,
	},
	/* clang-format on */
};
