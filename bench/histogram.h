/* histogram.h - latencies: 64 steps for each power of two, so that a percentile is off by at most
 * 1.6 %. From 1 ns to about 9 minutes; what is longer counts as that. */
#ifndef WEIR_BENCH_HISTOGRAM_H
#define WEIR_BENCH_HISTOGRAM_H
#include <stdint.h>

#define HISTOGRAM_STEPS 64u
#define HISTOGRAM_BITS  39u

struct histogram {
	uint64_t count, max_ns;
	uint64_t at[(HISTOGRAM_BITS - 5) * HISTOGRAM_STEPS];
};
void histogram_add(struct histogram *h, uint64_t ns);
/* The smallest latency that `percent` of all do not exceed, rounded up to its step; 0 when empty.
 */
uint64_t histogram_ns(const struct histogram *h, double percent);
#endif
