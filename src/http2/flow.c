#include "http2/flow.h"
#include "base/assert.h"

bool h2_window_add(int32_t *window, int64_t by)
{
	int64_t sum = *window + by;
	if (sum > H2_WINDOW_MAX_BYTES || sum < INT32_MIN)
		return false;
	*window = (int32_t)sum;
	return true;
}

void h2_inflow_init(struct h2_inflow *f, uint32_t target_bytes)
{
	if (target_bytes > H2_WINDOW_MAX_BYTES)
		target_bytes = H2_WINDOW_MAX_BYTES;
	*f = (struct h2_inflow){(int32_t)target_bytes, 0, target_bytes, 0};
}

bool h2_inflow_give(struct h2_inflow *f, uint32_t bytes)
{
	if (bytes > h2_inflow_held(f))
		return false;
	f->owed_bytes += bytes;
	return true;
}

void h2_inflow_told(struct h2_inflow *f)
{
	uint32_t told = f->owed_bytes > f->reserve_bytes ? f->owed_bytes - f->reserve_bytes : 0;
	int64_t avail = (int64_t)f->avail_bytes + told;
	ASSERT(avail <= H2_WINDOW_MAX_BYTES);
	f->avail_bytes = (int32_t)avail;
	f->owed_bytes -= told;
}

bool h2_inflow_shrink(struct h2_inflow *f, uint32_t least)
{
	uint32_t window = f->target_bytes - f->reserve_bytes;
	if (window <= least)
		return false;
	uint32_t by = window / 2 < window - least ? window / 2 : window - least;
	f->reserve_bytes += by;
	return true;
}

void h2_inflow_grow(struct h2_inflow *f)
{
	uint32_t by = (f->target_bytes - f->reserve_bytes) / 8 + 1;
	f->reserve_bytes = by < f->reserve_bytes ? f->reserve_bytes - by : 0;
}
