#include "http2/guard.h"
#include "base/clock.h"

void h2_bucket_init(struct h2_bucket *b, uint32_t per_s)
{
	if (per_s > UINT32_MAX / H2_GUARD_BURST_S / 2)
		per_s = UINT32_MAX / H2_GUARD_BURST_S / 2;
	*b = (struct h2_bucket){0, per_s * H2_GUARD_BURST_S, per_s};
}

static void bucket_refill(struct h2_bucket *b, uint64_t now_ns)
{
	if (now_ns <= b->at_ns)
		return;
	uint64_t elapsed = now_ns - b->at_ns;
	uint32_t burst = b->per_s * H2_GUARD_BURST_S;
	if (elapsed >= H2_GUARD_BURST_S * NS_PER_SEC) {
		b->tokens = burst;
		b->at_ns = now_ns;
		return;
	}
	uint64_t add = elapsed * b->per_s / NS_PER_SEC;
	if (add >= burst - b->tokens) {
		b->tokens = burst;
		b->at_ns = now_ns;
		return;
	}
	b->tokens += (uint32_t)add;
	b->at_ns += add * NS_PER_SEC / b->per_s; /* the fraction stays for the next time */
}

bool h2_bucket_take(struct h2_bucket *b, uint64_t now_ns, uint32_t earned)
{
	if (b->per_s == 0)
		return true;
	uint32_t burst = b->per_s * H2_GUARD_BURST_S;
	b->tokens = earned >= burst - b->tokens ? burst : b->tokens + earned;
	bucket_refill(b, now_ns);
	if (b->tokens == 0)
		return false;
	b->tokens--;
	return true;
}

void h2_guard_init(struct h2_guard *g, uint32_t control_per_s, uint32_t resets_per_s)
{
	h2_bucket_init(&g->control, control_per_s);
	h2_bucket_init(&g->resets, resets_per_s);
	g->earned = 0;
}

bool h2_guard_control(struct h2_guard *g, uint64_t now_ns)
{
	uint32_t earned = g->earned;
	g->earned = 0;
	return h2_bucket_take(&g->control, now_ns, earned);
}

bool h2_guard_reset(struct h2_guard *g, uint64_t now_ns)
{
	return h2_bucket_take(&g->resets, now_ns, 0);
}
