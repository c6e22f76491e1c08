/* Any bytes as a metrics page: read and shown in a window of a few columns, or refused. */
#include "base/assert.h"
#include "cli/top_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct top_page before, now;
	struct buf out;
	size_t half = size / 2;
	struct top_view view = {
		.admin = "a:1", .columns = size % 200, .lines = size % 60, .now_s = 1};

	buf_init(&out);
	top_page_init(&before);
	top_page_init(&now);
	int err = top_page_parse(&before, (const char *)data, half);
	ASSERT(err == ERR_NONE || err == ERR_INVALID);
	err = top_page_parse(&now, (const char *)data + half, size - half);
	ASSERT(err == ERR_NONE || err == ERR_INVALID);
	top_page_rates(&now, &before, 1);
	top_view_table(&out, &now, &view);
	top_view_json(&out, &now, &view);
	ASSERT(!out.failed);
	top_page_fini(&before);
	top_page_fini(&now);
	buf_fini(&out);
	return 0;
}
