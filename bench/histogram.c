#include "histogram.h"

/* Below 64 each value has its own step; above, the six bits behind the leading one choose it. */
static unsigned step_of(uint64_t ns)
{
	if (ns < HISTOGRAM_STEPS)
		return (unsigned)ns;
	if (ns >> HISTOGRAM_BITS)
		ns = ((uint64_t)1 << HISTOGRAM_BITS) - 1;
	unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - 6;
	return (shift + 1) * HISTOGRAM_STEPS + (unsigned)(ns >> shift) % HISTOGRAM_STEPS;
}

static uint64_t end_of(unsigned step)
{
	unsigned shift = step / HISTOGRAM_STEPS;
	if (shift == 0)
		return step;
	return ((uint64_t)(HISTOGRAM_STEPS + step % HISTOGRAM_STEPS + 1) << (shift - 1)) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	h->count++;
	h->at[step_of(ns)]++;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

uint64_t histogram_ns(const struct histogram *h, double percent)
{
	double want = (double)h->count * percent / 100;
	uint64_t seen = 0;
	for (unsigned i = 0; i < sizeof(h->at) / sizeof(h->at[0]); i++) {
		seen += h->at[i];
		if (seen && (double)seen >= want) {
			uint64_t end = end_of(i);
			return end < h->max_ns ? end : h->max_ns;
		}
	}
	return 0;
}
