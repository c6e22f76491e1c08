/* rand.h - xoshiro256**: for jitter, balancing and tests. Not for secrets.
 * A given seed always yields the same sequence, so that randomised tests can be replayed. */
#ifndef WEIR_BASE_RAND_H
#define WEIR_BASE_RAND_H
#include <stdint.h>
#include <stddef.h>

struct rand {
	uint64_t s[4];
};
void rand_seed(struct rand *r, uint64_t seed);
void rand_seed_os(struct rand *r); /* from getrandom(2) */
uint64_t rand_u64(struct rand *r);
uint64_t rand_below(struct rand *r, uint64_t n); /* 0 .. n-1; n > 0 */
/* v scaled by a uniform factor in [1 - percent/100, 1 + percent/100] */
uint64_t rand_jitter(struct rand *r, uint64_t v, unsigned percent);
void rand_os_bytes(void *out, size_t len); /* getrandom(2); aborts when the kernel can't */
#endif
