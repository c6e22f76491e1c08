/* page.h - a group's sums, as gathered for one page, and who writes them in which format. Private
 * to the metrics room. */
#ifndef WEIR_METRICS_PAGE_H
#define WEIR_METRICS_PAGE_H
#include "base/buf.h"
#include "metrics/table.h"

struct page_row {
	const struct row *row;
	uint64_t *values; /* group_slots() of them; NULL = no slab uses the row */
};
struct page_group {
	const struct group_info *info;
	struct page_row *rows; /* sorted by their label values */
	uint32_t count;
	uint64_t *values;
};

void text_family(struct buf *out, const struct page_group *page, enum metric metric,
	enum metrics_format format);
/* A delimited io.prometheus.client.MetricFamily. */
void protobuf_family(struct buf *out, const struct page_group *page, enum metric metric);
#endif
