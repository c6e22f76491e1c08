/* times.h - where a METRIC_HISTOGRAM_TIMES keeps an observation: one array of cells that is exact
 * both as a native histogram (schema 3: eight buckets an octave, bounds 2^(i/8) s, so a quantile is
 * off by 9 % at most) and as a classic one (TIMES_BOUNDS).
 *
 *   cell 0                 0 to 2^-20 s (953 ns): the zero bucket, with that threshold
 *   cell 1 ... 256         native bucket i = cell - 160: above 2^((i-1)/8) s, up to 2^(i/8) s
 *   cell 257               all above 2^12 s (4096 s, 68 minutes), shown in the bucket up to 4467 s
 *   TIMES_ABOVE + k        what is above classic bound k, but in the native bucket that has it
 *                          inside; that bucket's cell has only what is not above
 *   TIMES_SUM              the sum of all, in nanoseconds: the bits of a double, since the gaps of
 *                          100,000 streams overflow 64 bits within days
 *
 * That is 2.2 KiB for each label set and thread: for groups whose labels come from the
 * configuration. Each observation is in one cell, so what a reader adds up agrees with itself. A
 * part of metrics.h, which includes it; rooms include that. */
#ifndef WEIR_METRICS_TIMES_H
#define WEIR_METRICS_TIMES_H
#include <stdint.h>

enum {
	METRICS_TIMES_BOUNDS = 17,
	TIMES_OVER = 257,
	TIMES_CELLS = TIMES_OVER + 1,
	TIMES_ABOVE = TIMES_CELLS,
	TIMES_SUM = TIMES_ABOVE + METRICS_TIMES_BOUNDS,
	TIMES_INDEX_0 = 160, /* the cell of native bucket 0 */
	TIMES_SCHEMA = 3,
};
#define TIMES_ZERO_SECONDS 0x1p-20
#define TIMES_ZERO_NS      953u
#define TIMES_MOST_NS      4096000000000u

/* The classic bounds in nanoseconds, inclusive. */
#define TIMES_BOUNDS                                                                               \
	500000, 1000000, 2500000, 5000000, 10000000, 25000000, 50000000, 100000000, 250000000,     \
		500000000, 1000000000, 2500000000, 5000000000, 10000000000, 30000000000,           \
		60000000000, 300000000000

extern const struct times_tables {
	uint64_t bounds[METRICS_TIMES_BOUNDS];
	uint64_t upto[TIMES_OVER]; /* the longest time of a cell, native bounds rounded down */
	uint8_t below[16];         /* how many bounds of an octave are below this sixteenth of it */
	uint8_t split[TIMES_CELLS]; /* 1 + the classic bound inside the cell; 0: none */
} times_tables;

/* An octave of nanoseconds, from a power of two to the next, has eight native bounds, at the same
 * places in each. A sixteenth of it holds one of them at most, so one comparison behind a look-up
 * finds the bucket. */
static inline unsigned times_cell(uint64_t ns)
{
	const struct times_tables *t = &times_tables;
	if (__builtin_expect(ns - TIMES_ZERO_NS - 1 >= TIMES_MOST_NS - TIMES_ZERO_NS, 0))
		return ns > TIMES_ZERO_NS ? TIMES_OVER : 0;
	unsigned exponent = 63 ^ (unsigned)__builtin_clzll(ns); /* 9 at least */
	/* Cell 1 ends at the first bound of the octave from 2^10 ns on. */
	unsigned cell = exponent * 8 + t->below[(ns >> (exponent - 4)) - 16] - 79;
	cell += ns > t->upto[cell];
	unsigned bound = t->split[cell];
	if (__builtin_expect(bound, 0) && ns > t->bounds[bound - 1])
		return TIMES_ABOVE + bound - 1;
	return cell;
}
#endif
