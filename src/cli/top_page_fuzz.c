/* Any bytes as a metrics page: read and shown in a window of a few columns, or refused. */
#include "base/assert.h"
#include "cli/top_routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show(struct buf *out, struct top_page *page, unsigned columns)
{
	static const struct table_sort by_name = {"name", NULL, "ROUTE, METHOD", true};
	struct table t;
	struct table_layout layout;
	table_init(&t, top_routes_columns, TOP_ROUTES_COLUMNS);
	ASSERT(top_routes_fill(&t, page));
	table_arrange(&t, &by_name, false, "a");
	table_arrange(&t, &by_name, true, "");
	table_layout(&layout, &t, columns);
	for (uint32_t i = 0; i < t.shown_count; i++)
		table_line(out, &t, &layout, t.shown[i]);
	for (size_t i = 0; i < out->len; i++)
		ASSERT(out->bytes[i] >= ' ' && out->bytes[i] <= '~');
	table_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct top_page before, now;
	struct buf out;
	size_t half = size / 2;

	buf_init(&out);
	top_page_init(&before);
	top_page_init(&now);
	int err = top_page_parse(&before, (const char *)data, half);
	ASSERT(err == ERR_NONE || err == ERR_INVALID);
	err = top_page_parse(&now, (const char *)data + half, size - half);
	ASSERT(err == ERR_NONE || err == ERR_INVALID);
	top_page_rates(&now, &before, 1);
	show(&out, &now, size % 200);
	top_routes_head(&out, &now, "a:1", 1);
	top_routes_json(&out, &now);
	ASSERT(!out.failed);
	top_page_fini(&before);
	top_page_fini(&now);
	buf_fini(&out);
	return 0;
}
