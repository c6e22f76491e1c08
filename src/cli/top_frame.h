/* top_frame.h - what stands on the screen of weir top: a look at the admin address, as the person
 * has chosen to see it.
 *
 *   two lines of the look        weir 0.1.0 at ...
 *   views, interval, order       1 routes  2 streams ...
 *   what is wrong, or a filter
 *   titles and rows; or one stream; or help
 *   keys
 *
 * Lines end in '\n' and have styles (text.h). Errors: `failed` of the buf. Limits: windows below
 * TOP_COLUMNS_MIN x TOP_LINES_MIN are told that they are too small. */
#ifndef WEIR_CLI_TOP_FRAME_H
#define WEIR_CLI_TOP_FRAME_H
#include "cli/top_ui.h"

#define TOP_COLUMNS_MIN      40
#define TOP_LINES_MIN        8
#define TOP_FRAME_HEAD_LINES 5 /* titles are the last of them */
#define TOP_FRAME_FOOT_LINES 1

/* Arranges the look's table and puts the selection where its row is. `notice`: what is wrong; "":
 * nothing is. */
void top_frame(struct buf *out, struct top_ui *ui, struct top_look *l, const char *notice,
	unsigned columns, unsigned lines, double now_s);
#endif
