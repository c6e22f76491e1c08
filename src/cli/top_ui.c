#include "cli/top_ui.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "cli/screen.h"
#include "cli/top_frame.h"
#include "cli/top_routes.h"

void top_ui_init(struct top_ui *ui, const char *admin, unsigned view, uint64_t interval_ns)
{
	*ui = (struct top_ui){.admin = admin, .view = view, .interval_ns = interval_ns};
}

struct top_ui_table *top_ui_table(struct top_ui *ui)
{
	return &ui->tables[ui->view];
}

/* ---- keys ---- */

static void go_to_view(struct top_ui *ui, unsigned view)
{
	ui->view = view;
	ui->opened = false;
	ui->fetch = true;
}

static void move(struct top_ui *ui, const struct top_look *l, long by)
{
	struct top_ui_table *t = top_ui_table(ui);
	long at = (long)t->at + by, last = (long)l->table.shown_count - 1;
	at = at > last ? last : at;
	t->at = at < 0 ? 0 : (unsigned)at;
	if (t->at < l->table.shown_count)
		snprintf(t->key, sizeof(t->key), "%s", l->table.shown[t->at]->key);
}

static void scroll(struct top_ui *ui, long by)
{
	long at = (long)ui->scroll + by;
	ui->scroll = at < 0 ? 0 : at > 1000 ? 1000 : (unsigned)at; /* the frame knows the end */
}

static bool move_key(struct top_ui *ui, const struct top_look *l, int key, unsigned lines)
{
	long page = lines > TOP_FRAME_HEAD_LINES + TOP_FRAME_FOOT_LINES + 1
			    ? (long)lines - TOP_FRAME_HEAD_LINES - TOP_FRAME_FOOT_LINES
			    : 1;
	long by;
	switch (key) {
	case KEY_UP:
	case 'k':
		by = -1;
		break;
	case KEY_DOWN:
	case 'j':
		by = 1;
		break;
	case KEY_PAGE_UP:
		by = -page;
		break;
	case KEY_PAGE_DOWN:
	case ' ':
		by = page;
		break;
	case KEY_HOME:
	case 'g':
		by = -TABLE_ROWS_MAX;
		break;
	case KEY_END:
	case 'G':
		by = TABLE_ROWS_MAX;
		break;
	default:
		return false;
	}
	if (ui->opened)
		scroll(ui, by);
	else
		move(ui, l, by);
	return true;
}

/* NAME=VALUE behind what is in the filter. A value of several words goes in as words. */
static void add_filter(char filter[TOP_FILTER_MAX], const char *name, const char *value)
{
	size_t len = strlen(filter);
	if (*value)
		snprintf(filter + len, TOP_FILTER_MAX - len, "%s%s%s%s", len ? " " : "",
			strchr(value, ' ') ? "" : name, strchr(value, ' ') ? "" : "=", value);
}

/* The streams of a route, a method, a cluster. */
static void open_streams(struct top_ui *ui, const struct table_row *row)
{
	char filter[TOP_FILTER_MAX] = "";
	if (ui->view == TOP_ROUTES) {
		const char *names[3];
		top_routes_names(row, names);
		add_filter(filter, "route", names[0]);
		add_filter(filter, "service", names[1]);
		add_filter(filter, "method", names[2]);
	} else {
		add_filter(filter, "cluster",
			top_text((row->parent ? row->parent : row)->source, "name"));
	}
	go_to_view(ui, TOP_STREAMS);
	struct top_ui_table *t = top_ui_table(ui);
	memcpy(t->filter, filter, sizeof(filter));
	t->key[0] = '\0';
	t->at = t->first = 0;
}

static void open_row(struct top_ui *ui, const struct top_look *l)
{
	struct top_ui_table *t = top_ui_table(ui);
	if (ui->opened || t->at >= l->table.shown_count || l->view != &top_views[ui->view])
		return;
	const struct table_row *row = l->table.shown[t->at];
	if (ui->view == TOP_ROUTES || ui->view == TOP_CLUSTERS) {
		open_streams(ui, row);
		return;
	}
	snprintf(t->key, sizeof(t->key), "%s", row->key);
	ui->opened = ui->fetch = true;
	ui->scroll = 0;
}

static void set_filter(struct top_ui *ui, const char *filter)
{
	struct top_ui_table *t = top_ui_table(ui);
	if (!strcmp(t->filter, filter))
		return;
	snprintf(t->filter, sizeof(t->filter), "%s", filter);
	ui->fetch = true; /* the server may filter by it */
}

/* Out of what is open: help, a row, a filter; then out of all. */
static void go_back(struct top_ui *ui, bool may_quit)
{
	if (ui->help) {
		ui->help = false;
	} else if (ui->opened) {
		ui->opened = false;
		ui->fetch = true;
	} else if (may_quit || !*top_ui_table(ui)->filter) {
		ui->quit = true;
	} else {
		set_filter(ui, "");
	}
}

static void edit_key(struct top_ui *ui, int key)
{
	size_t len = strlen(ui->edit);
	if (key == KEY_ENTER) {
		ui->editing = false;
		set_filter(ui, ui->edit);
	} else if (key == KEY_ESC) {
		ui->editing = false;
		set_filter(ui, "");
	} else if (key == KEY_BACKSPACE && len == 0) {
		ui->editing = false;
	} else if (key == KEY_BACKSPACE) {
		/* The bytes behind the first of a character go with it. */
		while (len > 1 && ((unsigned char)ui->edit[len - 1] & 0xc0) == 0x80)
			len--;
		ui->edit[len - 1] = '\0';
	} else if (key == 'U' - '@') { /* Ctrl-U */
		ui->edit[0] = '\0';
	} else if (key >= ' ' && key <= 0xff && len + 1 < sizeof(ui->edit)) {
		ui->edit[len] = (char)key;
		ui->edit[len + 1] = '\0';
	}
}

static void change_interval(struct top_ui *ui, bool longer)
{
	static const unsigned steps_ms[] = {
		100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000, 300000, 3600000};
	size_t count = sizeof(steps_ms) / sizeof(steps_ms[0]);
	for (size_t i = 0; i < count; i++) {
		uint64_t step = (uint64_t)steps_ms[longer ? i : count - 1 - i] * NS_PER_MS;
		if (longer ? step > ui->interval_ns : step < ui->interval_ns) {
			ui->interval_ns = step;
			return;
		}
	}
}

static unsigned sort_count(const struct top_view *v)
{
	unsigned n = 0;
	while (n < TOP_SORTS_MAX && v->sorts[n].name)
		n++;
	return n;
}

static void next_sort(struct top_ui *ui)
{
	struct top_ui_table *t = top_ui_table(ui);
	const struct top_view *v = &top_views[ui->view];
	t->sort = t->sort + 1 < sort_count(v) ? t->sort + 1 : 0;
	t->reverse = false;
	t->at = t->first = 0; /* whoever asks for the oldest wants to see it */
	t->key[0] = '\0';
	ui->fetch |= v->sorts[t->sort].ask != NULL;
}

/* Keys that mean the same in every mode but editing. */
static bool common_key(struct top_ui *ui, int key)
{
	if (key >= '1' && key < '1' + TOP_VIEWS)
		go_to_view(ui, (unsigned)(key - '1'));
	else if (key == KEY_TAB || key == KEY_BACKTAB)
		go_to_view(ui, (ui->view + (key == KEY_TAB ? 1 : TOP_VIEWS - 1)) % TOP_VIEWS);
	else if (key == 'p')
		ui->paused = !ui->paused;
	else if (key == '+' || key == '=' || key == '-')
		change_interval(ui, key != '-');
	else if (key == 'q' || key == 'Q' || key == KEY_ESC)
		go_back(ui, key != KEY_ESC);
	else
		return false;
	ui->fetch |= key == 'p' && !ui->paused;
	return true;
}

void top_ui_key(struct top_ui *ui, struct top_look *l, int key, unsigned lines)
{
	if (ui->editing) {
		edit_key(ui, key);
		return;
	}
	if (ui->help) { /* any key leaves it */
		ui->help = false;
		return;
	}
	if (common_key(ui, key) || move_key(ui, l, key, lines))
		return;
	struct top_ui_table *t = top_ui_table(ui);
	if (key == '?' || key == 'h') {
		ui->help = true;
	} else if (ui->opened) {
		return;
	} else if (key == 's') {
		next_sort(ui);
	} else if (key == 'r') {
		t->reverse = !t->reverse;
	} else if (key == '/') {
		ui->editing = true;
		memcpy(ui->edit, t->filter, sizeof(ui->edit));
	} else if (key == KEY_ENTER) {
		open_row(ui, l);
	}
}

void top_ui_query(const struct top_ui *ui, struct buf *path, struct buf *rest)
{
	const struct top_ui_table *t = &ui->tables[ui->view];
	top_query(path, rest, &top_views[ui->view], t->sort, ui->opened ? "" : t->filter,
		ui->opened ? t->key : NULL);
}
