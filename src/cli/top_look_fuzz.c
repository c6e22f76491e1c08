/* An admin address that lies: any bytes as a JSON page, read, shown, opened and printed, or
 * refused. The first byte chooses view and window, the rest is two pages. No frame has a byte that
 * could move a terminal. */
#include "base/assert.h"
#include "cli/screen.h"
#include "cli/top_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frame(struct top_ui *ui, struct top_look *l, unsigned columns, unsigned lines)
{
	struct buf frame;
	unsigned count = 0;
	buf_init(&frame);
	top_frame(&frame, ui, l, "", columns, lines, 1);
	ASSERT(!frame.failed);
	for (size_t i = 0; i < frame.len; i++) {
		char c = frame.bytes[i];
		ASSERT(c == '\n' || text_is_style(c) || (c >= ' ' && c <= '~'));
		count += c == '\n';
	}
	ASSERT(count == lines || columns < TOP_COLUMNS_MIN || lines < TOP_LINES_MIN);
	buf_fini(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct top_look before, now;
	struct top_ui ui;
	struct buf out;
	char why[TOP_WHY_MAX] = "";
	if (size < 1)
		return 0;
	unsigned view = TOP_STREAMS + data[0] % (TOP_VIEWS - TOP_STREAMS);
	unsigned columns = 30 + data[0], lines = 4 + data[0] % 50;
	size_t half = (size - 1) / 2;
	const char *text = (const char *)data + 1;

	top_look_init(&before);
	top_look_init(&now);
	top_ui_init(&ui, "a:1", view, 1000000000);
	(void)top_look_read(&before, &top_views[view], "/", text, half, 1, why);
	if (!top_look_read(&now, &top_views[view], "/", text + half, size - 1 - half, 2, why) &&
		!top_look_read(&now, &top_views[view], "/", text, size - 1, 3, why)) {
		ASSERT(*why && !now.view);
	} else {
		top_look_rates(&now, &before);
		static const int keys[] = {'j', 's', 'r', KEY_ENTER, KEY_END, KEY_ESC, KEY_END};
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			check_frame(&ui, &now, columns, lines);
			top_ui_key(&ui, &now, keys[i], lines);
		}
		buf_init(&out);
		top_look_json(&out, &now, "a:1", 1);
		ASSERT(!out.failed);
		json_t *again = json_loadb(out.bytes, out.len, JSON_ALLOW_NUL, NULL);
		ASSERT(again);
		json_decref(again);
		buf_fini(&out);
	}
	top_look_fini(&before);
	top_look_fini(&now);
	return 0;
}
