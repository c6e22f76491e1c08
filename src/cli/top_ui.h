/* top_ui.h - what the person at the screen of weir top has chosen, key by key. No terminal and no
 * clock in here: tests press keys and read frames (top_frame.h).
 *
 *   key -> top_ui_key -> what is wanted: a page, another frame, the end
 *
 * Modes: a table; one row of it (a stream, a connection), opened; help. In a table '/' edits the
 * filter. Each view keeps its own order, filter and selection.
 *
 * Owner: top. One thread. Limits: TOP_FILTER_MAX of a filter; the interval's. */
#ifndef WEIR_CLI_TOP_UI_H
#define WEIR_CLI_TOP_UI_H
#include "cli/top_look.h"

#define TOP_FILTER_MAX      128
#define TOP_INTERVAL_MIN_NS 100000000ull
#define TOP_INTERVAL_MAX_NS 3600000000000ull

struct top_ui_table {
	unsigned sort;
	bool reverse;
	char filter[TOP_FILTER_MAX];
	char key[TOP_KEY_MAX_BYTES]; /* of the selected row; "": the first */
	unsigned at, first;          /* its place, and that of the first line, among the shown */
};
struct top_ui {
	const char *admin;
	unsigned view; /* enum top_view_id */
	struct top_ui_table tables[TOP_VIEWS];
	bool opened; /* the selected row, alone */
	unsigned scroll;
	bool help, editing, paused;
	char edit[TOP_FILTER_MAX];
	uint64_t interval_ns;
	/* What a key asks for. */
	bool quit, fetch;
};

void top_ui_init(struct top_ui *ui, const char *admin, unsigned view, uint64_t interval_ns);
/* `l` is the look that the last frame showed. `lines` of the window: how far a page goes. */
void top_ui_key(struct top_ui *ui, struct top_look *l, int key, unsigned lines);
/* The page that is wanted now, and the words that are left for us to filter by. */
void top_ui_query(const struct top_ui *ui, struct buf *path, struct buf *rest);
struct top_ui_table *top_ui_table(struct top_ui *ui); /* of the view that is shown */
#endif
