#include "cli/top_frame.h"

#include <string.h>

#include "cli/top_detail.h"
#include "config/value.h"

static void put_style(struct buf *out, enum text_style style)
{
	buf_char(out, (char)style);
}

static void put_tabs(struct buf *out, const struct top_ui *ui)
{
	const struct top_ui_table *t = &ui->tables[ui->view];
	const struct top_view *v = &top_views[ui->view];
	char every[VALUE_TEXT_MAX];
	for (unsigned i = 0; i < TOP_VIEWS; i++) {
		put_style(out, i == ui->view ? TEXT_CHOSEN : TEXT_PLAIN);
		buf_fmt(out, " %u %s ", i + 1, top_views[i].name);
	}
	put_style(out, TEXT_PLAIN);
	value_duration_text(ui->interval_ns, every);
	if (ui->paused)
		buf_str(out, " paused");
	else
		buf_fmt(out, " every %s", every);
	if (!ui->opened)
		buf_fmt(out, ", %s%s", v->sorts[t->sort].name, t->reverse ? ", reversed" : "");
	buf_char(out, '\n');
}

static void put_notice(struct buf *out, const struct top_ui *ui, const char *notice)
{
	const struct top_ui_table *t = &ui->tables[ui->view];
	if (ui->editing) {
		buf_str(out, "filter: ");
		text_clean(out, ui->edit, strlen(ui->edit));
		put_style(out, TEXT_CHOSEN);
		buf_char(out, ' ');
		put_style(out, TEXT_FAINT);
		buf_str(out, "  Enter keeps it, Esc clears it");
	} else if (*notice) {
		put_style(out, TEXT_BAD);
		text_clean(out, notice, strlen(notice));
	} else if (*t->filter && !ui->opened) {
		buf_str(out, "filter: ");
		text_clean(out, t->filter, strlen(t->filter));
	}
	put_style(out, TEXT_PLAIN);
	buf_char(out, '\n');
}

static void put_foot(struct buf *out, const struct top_ui *ui)
{
	put_style(out, TEXT_FAINT);
	if (ui->opened)
		buf_str(out, "Esc back  j k scroll  p pause  +- interval  ? help  q back");
	else
		buf_str(out, "Tab view  s sort  r reverse  / filter  Enter open  p pause  ? help"
			     "  q quit");
	put_style(out, TEXT_PLAIN);
	buf_char(out, '\n');
}

/* The row that was selected is still it wherever it went; when it is gone, its place is. */
static void follow_selection(struct top_ui_table *t, const struct table *table, unsigned room)
{
	int found = *t->key ? table_find(table, t->key) : -1;
	if (found >= 0)
		t->at = (unsigned)found;
	if (t->at >= table->shown_count)
		t->at = table->shown_count ? table->shown_count - 1 : 0;
	if (t->at < t->first)
		t->first = t->at;
	if (room && t->at >= t->first + room)
		t->first = t->at - room + 1;
	if (t->first + room > table->shown_count)
		t->first = table->shown_count > room ? table->shown_count - room : 0;
}

static void put_row(struct buf *out, const struct table *t, const struct table_layout *l,
	const struct table_row *row, bool chosen)
{
	static const enum text_style tones[] = {
		[TABLE_CALM] = TEXT_PLAIN, [TABLE_WARN] = TEXT_WARN, [TABLE_BAD] = TEXT_BAD};
	put_style(out, chosen ? TEXT_CHOSEN : tones[row->tone]);
	table_line(out, t, l, row);
	put_style(out, TEXT_PLAIN);
	buf_char(out, '\n');
}

static void put_table(struct buf *out, struct top_ui *ui, struct top_look *l, const char *rest,
	unsigned columns, unsigned room)
{
	struct top_ui_table *t = top_ui_table(ui);
	struct table_layout layout;
	table_arrange(&l->table, &l->view->sorts[t->sort], t->reverse, rest);
	follow_selection(t, &l->table, room);
	table_layout(&layout, &l->table, columns);
	put_style(out, TEXT_STRONG);
	table_title(out, &l->table, &layout);
	put_style(out, TEXT_PLAIN);
	buf_char(out, '\n');
	for (unsigned i = 0; i < room; i++) {
		unsigned at = t->first + i;
		if (at < l->table.shown_count)
			put_row(out, &l->table, &layout, l->table.shown[at], at == t->at);
		else
			buf_str(out, i == 0 ? (*t->filter ? "nothing matches\n" : "nothing yet\n")
					    : "\n");
	}
}

/* `room` lines of a text, from the line that was scrolled to. */
static void put_scrolled(struct buf *out, struct top_ui *ui, const struct buf *text, unsigned room)
{
	unsigned count = 0, n = 0;
	for (size_t i = 0; i < text->len; i++)
		count += text->bytes[i] == '\n';
	if (ui->scroll + room > count)
		ui->scroll = count > room ? count - room : 0;
	for (size_t i = 0; i < text->len && n < ui->scroll + room; i++) {
		if (n >= ui->scroll)
			buf_char(out, text->bytes[i]);
		n += text->bytes[i] == '\n';
	}
	for (n = count - ui->scroll < room ? count - ui->scroll : room; n < room; n++)
		buf_char(out, '\n');
}

/* How much of a line fits into the window, broken between words; what one long word has too much is
 * for the screen to cut. */
static size_t fitting(const char *line, size_t len, unsigned columns)
{
	size_t fits = 0;
	if (text_line_columns(line, len) <= columns)
		return len;
	for (size_t i = 0; i < len && text_line_columns(line, i) <= columns; i++)
		if (line[i] == ' ')
			fits = i;
	return fits ? fits : len;
}

/* Lines longer than the window go on in the next one, in their style. */
static void wrap(struct buf *out, const struct buf *text, unsigned columns)
{
	char style = TEXT_PLAIN;
	for (size_t at = 0; at < text->len;) {
		const char *line = text->bytes + at;
		const char *end = memchr(line, '\n', text->len - at);
		size_t cut = fitting(line, end ? (size_t)(end - line) : text->len - at, columns);
		if (style != TEXT_PLAIN)
			buf_char(out, style);
		buf_add(out, line, cut);
		buf_char(out, '\n');
		for (size_t i = 0; i < cut; i++)
			style = text_is_style(line[i]) ? line[i] : style;
		at += cut + 1;
	}
}

static void put_opened(struct buf *out, struct top_ui *ui, const struct top_look *l,
	unsigned columns, unsigned room)
{
	struct buf text, wrapped;
	const char *key = top_ui_table(ui)->key;
	const struct table_row *row = strmap_get(&l->table.by_key, key, strlen(key));
	buf_init(&text);
	buf_init(&wrapped);
	if (!row) {
		buf_fmt(&text, "%s ", ui->view == TOP_STREAMS ? "stream" : "connection");
		text_clean(&text, key, strlen(key));
		buf_str(&text, " is gone: it has ended. Esc goes back.\n");
	} else if (ui->view == TOP_STREAMS) {
		top_detail_stream(&text, l, row);
	} else {
		top_detail_fields(&text, row->source);
	}
	if (!text.failed)
		wrap(&wrapped, &text, columns);
	put_scrolled(out, ui, &wrapped, room);
	out->failed |= text.failed || wrapped.failed;
	buf_fini(&wrapped);
	buf_fini(&text);
}

static const char help[] = "Tab, 1 to 4      routes, streams, connections, clusters\n"
			   "s, r             another order; the other way round\n"
			   "/ words          only rows with all these words. NAME=VALUE is\n"
			   "                 asked of the server: route cluster listener\n"
			   "                 service method state (open, stalled, silent)\n"
			   "Esc              clears the filter; goes back\n"
			   "Up Down j k      select; PgUp PgDn g G go far\n"
			   "Enter            opens a stream or connection; on a route or\n"
			   "                 cluster, shows its streams\n"
			   "p                pauses; + and - change the interval\n"
			   "q                goes back, and at last quits\n"
			   "\n"
			   "SENT is from client to server, RECV from server to client.\n"
			   "WHY says which direction is blocked, and by what: the window of\n"
			   "the stream or of the connection, the socket, a rate limit, or\n"
			   "Weir's memory budget. Open a stream to read what that means.\n";

static void put_help(struct buf *out, struct top_ui *ui, unsigned room)
{
	struct buf text;
	unsigned scrolled = ui->scroll;
	buf_init(&text);
	buf_str(&text, help);
	put_scrolled(out, ui, &text, room);
	ui->scroll = scrolled;
	buf_fini(&text);
}

void top_frame(struct buf *out, struct top_ui *ui, struct top_look *l, const char *notice,
	unsigned columns, unsigned lines, double now_s)
{
	struct buf path, rest;
	unsigned room = lines - TOP_FRAME_HEAD_LINES - TOP_FRAME_FOOT_LINES;
	if (columns < TOP_COLUMNS_MIN || lines < TOP_LINES_MIN) {
		buf_fmt(out, "too small: %ux%u, needs %ux%u\n", columns, lines, TOP_COLUMNS_MIN,
			TOP_LINES_MIN);
		return;
	}
	buf_init(&path);
	buf_init(&rest);
	top_ui_query(ui, &path, &rest);
	/* Until the page of another view has come, the last one's says nothing. */
	bool fits = l->view == &top_views[ui->view];
	top_look_head(out, fits ? l : &(const struct top_look){0}, ui->admin, now_s);
	put_tabs(out, ui);
	put_notice(out, ui, notice);
	if (ui->help)
		put_help(out, ui, room + 1);
	else if (!fits)
		for (unsigned i = 0; i <= room; i++)
			buf_str(out, i ? "\n" : *notice ? "\n" : "waiting for an answer\n");
	else if (ui->opened)
		put_opened(out, ui, l, columns, room + 1);
	else
		put_table(out, ui, l, rest.failed ? "" : rest.bytes, columns, room);
	put_foot(out, ui);
	out->failed |= path.failed || rest.failed;
	buf_fini(&path);
	buf_fini(&rest);
}
