#include "cli/top_look.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/top_routes.h"

void top_look_init(struct top_look *l)
{
	*l = (struct top_look){0};
	buf_init(&l->path);
	table_init(&l->table, NULL, 0);
	top_page_init(&l->page);
}

void top_look_fini(struct top_look *l)
{
	table_fini(&l->table);
	top_page_fini(&l->page);
	json_decref(l->doc);
	buf_fini(&l->path);
}

/* ---- a JSON page as a table ---- */

/* A row's name; its place, where it has none. */
static void put_key(struct buf *key, const json_t *object, const char *path, size_t place)
{
	const json_t *name = top_at(object, path);
	if (json_is_string(name) && json_string_length(name))
		buf_str(key, json_string_value(name));
	else
		buf_fmt(key, "#%zu", place);
}

static void fill_cell(struct table_cell *cell, const struct table_column *column, const json_t *row)
{
	if (column->fill) {
		column->fill(cell, row);
		return;
	}
	const json_t *at = top_at(row, column->path);
	double number = json_is_number(at) ? json_number_value(at) : NAN;
	if (json_is_string(at))
		cell->text = json_string_value(at);
	else if (json_is_boolean(at))
		cell->text = json_is_true(at) ? "yes" : "no";
	else if (column->kind == TABLE_RATE)
		cell->count = number;
	else
		cell->number = number;
}

static struct table_row *add_row(
	struct top_look *l, const json_t *object, const char *key, const struct table_row *parent)
{
	const struct top_view *view = l->view;
	struct table_row *row = table_add(&l->table, key, parent);
	if (!row)
		return NULL;
	row->source = object;
	row->tone = view->tone ? view->tone(object) : TABLE_CALM;
	for (unsigned c = 0; c < view->column_count; c++)
		fill_cell(&row->cells[c], &view->columns[c], object);
	return row;
}

/* A row has the sums of those below it, where it has no number of its own. */
static void add_up(
	const struct top_view *view, struct table_row *row, const struct table_row *below)
{
	for (unsigned c = 0; c < view->column_count; c++) {
		enum table_kind kind = view->columns[c].kind;
		const char *path = view->columns[c].path;
		if (!path || top_at(row->source, path))
			continue;
		if (kind == TABLE_NUMBER && !isnan(below->cells[c].number))
			row->cells[c].number =
				below->cells[c].number +
				(isnan(row->cells[c].number) ? 0 : row->cells[c].number);
		if (kind == TABLE_RATE && !isnan(below->cells[c].count))
			row->cells[c].count =
				below->cells[c].count +
				(isnan(row->cells[c].count) ? 0 : row->cells[c].count);
	}
}

static bool add_below(struct top_look *l, struct table_row *row)
{
	const json_t *list = l->view->below ? top_at(row->source, l->view->below) : NULL;
	struct buf key;
	bool done = true;
	buf_init(&key);
	for (size_t i = 0; done && i < json_array_size(list); i++) {
		const json_t *object = json_array_get(list, i);
		buf_clear(&key);
		buf_fmt(&key, "%s ", row->key);
		put_key(&key, object, l->view->below_key, i);
		struct table_row *below = key.failed ? NULL : add_row(l, object, key.bytes, row);
		if (below)
			add_up(l->view, row, below);
		done = below || l->table.left_out > 0;
	}
	buf_fini(&key);
	return done;
}

static bool fill_table(struct top_look *l, const json_t *rows)
{
	struct buf key;
	bool done = true;
	buf_init(&key);
	for (size_t i = 0; done && i < json_array_size(rows); i++) {
		const json_t *object = json_array_get(rows, i);
		buf_clear(&key);
		put_key(&key, object, l->view->key, i);
		struct table_row *row = key.failed ? NULL : add_row(l, object, key.bytes, NULL);
		done = row ? add_below(l, row) : l->table.left_out > 0;
	}
	buf_fini(&key);
	return done;
}

static bool read_json(struct top_look *l, const char *body, size_t len, char why[TOP_WHY_MAX])
{
	json_error_t error;
	/* A text may have a NUL in it: it ends there, and the page is still one. */
	l->doc = json_loadb(body, len, JSON_ALLOW_NUL, &error);
	if (!l->doc) {
		bool memory = json_error_code(&error) == json_error_out_of_memory;
		snprintf(why, TOP_WHY_MAX, "%s, line %d: %s", l->view->path, error.line,
			memory ? "out of memory" : "not JSON");
		return false;
	}
	const json_t *rows = top_at(l->doc, l->view->name);
	if (!json_is_array(rows)) {
		snprintf(why, TOP_WHY_MAX,
			"%s has no list \"%s\": is it another program, or "
			"another version of Weir?",
			l->view->path, l->view->name);
		return false;
	}
	if (!fill_table(l, rows)) {
		snprintf(why, TOP_WHY_MAX, "out of memory");
		return false;
	}
	return true;
}

static bool read_metrics(struct top_look *l, const char *body, size_t len, char why[TOP_WHY_MAX])
{
	int err = top_page_parse(&l->page, body, len);
	if (err)
		snprintf(why, TOP_WHY_MAX, "line %u of %s: %s", l->page.line, l->view->path,
			err == ERR_NOMEM ? "out of memory" : "not in the Prometheus text format");
	return !err;
}

bool top_look_read(struct top_look *l, const struct top_view *view, const char *path,
	const char *body, size_t len, uint64_t taken_ns, char why[TOP_WHY_MAX])
{
	top_look_fini(l);
	top_look_init(l);
	l->view = view;
	l->taken_ns = taken_ns;
	buf_str(&l->path, path);
	table_init(&l->table, view->columns, view->column_count);
	bool good = view->json ? read_json(l, body, len, why) : read_metrics(l, body, len, why);
	if (good && (l->path.failed || (!view->json && !top_routes_fill(&l->table, &l->page)))) {
		snprintf(why, TOP_WHY_MAX, "out of memory");
		good = false;
	}
	if (!good) {
		top_look_fini(l);
		top_look_init(l);
	}
	return good;
}

void top_look_rates(struct top_look *now, const struct top_look *before)
{
	double seconds = (double)(now->taken_ns - before->taken_ns) / (double)NS_PER_SEC;
	if (!before->view || before->view != now->view || now->path.failed ||
		strcmp(now->path.bytes, before->path.bytes))
		return;
	if (now->view->json) {
		table_rates(&now->table, &before->table, seconds);
		return;
	}
	top_page_rates(&now->page, &before->page, seconds);
	table_fini(&now->table);
	table_init(&now->table, now->view->columns, now->view->column_count);
	if (!top_routes_fill(&now->table, &now->page))
		now->table.left_out++;
}

/* ---- what it says as a whole ---- */

static void put_missing(struct buf *out, const json_t *missing)
{
	size_t count = json_array_size(missing);
	if (count)
		buf_fmt(out, "; %zu worker%s did not answer", count, count == 1 ? "" : "s");
}

void top_look_head(struct buf *out, const struct top_look *l, const char *admin, double now_s)
{
	if (!l->view) {
		buf_fmt(out, "weir at %s\n\n", admin);
		return;
	}
	if (!l->view->json) {
		top_routes_head(out, &l->page, admin, now_s);
		return;
	}
	double total = top_number(l->doc, "total");
	buf_fmt(out, "weir at %s\n", admin);
	if (isnan(total))
		total = l->table.count;
	buf_fmt(out, "%.0f %.*s", total, (int)strlen(l->view->name) - (total == 1),
		l->view->name); /* names of views end in an s */
	if (total > l->table.count)
		buf_fmt(out, ", the first %u are here", (unsigned)l->table.count);
	put_missing(out, top_at(l->doc, "missing_workers"));
	buf_char(out, '\n');
}

/* "sent.messages": "sent_messages_per_second" in the object. */
static void json_rate(json_t *object, const struct table_column *column, double rate)
{
	char name[64];
	int n = snprintf(name, sizeof(name), "%s_per_second", column->path);
	for (char *dot = name; n > 0 && (dot = strchr(dot, '.'));)
		*dot = '_';
	json_object_set_new(object, name, isnan(rate) ? json_null() : json_real(rate));
}

static int json_to_buf(const char *bytes, size_t len, void *out)
{
	buf_add(out, bytes, len);
	return ((struct buf *)out)->failed ? -1 : 0;
}

void top_look_json(struct buf *out, struct top_look *l, const char *admin, double now_s)
{
	buf_str(out, "{\"admin\":");
	buf_json(out, admin, strlen(admin));
	buf_fmt(out, ",\"view\":\"%s\",", l->view->name);
	if (!l->view->json) {
		buf_fmt(out, "\"time\":%.3f,", now_s);
		top_routes_json(out, &l->page);
		buf_str(out, "}\n");
		return;
	}
	for (uint32_t r = 0; r < l->table.count; r++) {
		const struct table_row *row = l->table.rows[r];
		json_t *object = (json_t *)(uintptr_t)row->source; /* of our own document */
		for (unsigned c = 0; json_is_object(object) && c < l->view->column_count; c++)
			if (l->view->columns[c].kind == TABLE_RATE && l->view->columns[c].path)
				json_rate(object, &l->view->columns[c], row->cells[c].number);
	}
	if (json_dump_callback(l->doc, json_to_buf, out, JSON_COMPACT | JSON_EMBED))
		out->failed = true;
	buf_str(out, "}\n");
}
