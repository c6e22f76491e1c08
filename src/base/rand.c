#include "base/rand.h"
#include <errno.h>
#include <sys/random.h>
#include "base/assert.h"

static uint64_t rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

void rand_seed(struct rand *r, uint64_t seed)
{
	/* splitmix64 spreads the seed, so that 0 and neighbours are as good as any */
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15u;
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		r->s[i] = z ^ (z >> 31);
	}
}

void rand_seed_os(struct rand *r)
{
	uint64_t seed;
	rand_os_bytes(&seed, sizeof(seed));
	rand_seed(r, seed);
}

uint64_t rand_u64(struct rand *r)
{
	uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

uint64_t rand_below(struct rand *r, uint64_t n)
{
	ASSERT(n > 0);
	/* the first 2^64 mod n draws would make small results likelier: draw again */
	uint64_t skip = -n % n, draw;
	do
		draw = rand_u64(r);
	while (draw < skip);
	return draw % n;
}

uint64_t rand_jitter(struct rand *r, uint64_t v, unsigned percent)
{
	if (percent > 100)
		percent = 100;
	uint64_t span = v / 100 * percent + v % 100 * percent / 100;
	if (span == 0)
		return v;
	uint64_t range = span > (UINT64_MAX - 1) / 2 ? UINT64_MAX : 2 * span + 1;
	uint64_t low = v - span, add = rand_below(r, range);
	return add > UINT64_MAX - low ? UINT64_MAX : low + add;
}

void rand_os_bytes(void *out, size_t len)
{
	char *at = out;
	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		ASSERT(n > 0);
		at += n;
		len -= (size_t)n;
	}
}
