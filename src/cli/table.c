#include "cli/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/mem.h"

enum { ARENA_CHUNK_BYTES = 16384, NARROWEST = 6, INDENT = 2, FIRST_EXTRA_RANK = 2, READABLE = 40 };

void table_init(struct table *t, const struct table_column *columns, uint32_t count)
{
	ASSERT(count <= TABLE_COLUMNS_MAX);
	*t = (struct table){.columns = columns, .column_count = count};
	arena_init(&t->arena, NULL, 0, ARENA_CHUNK_BYTES);
	strmap_init(&t->by_key);
}

void table_fini(struct table *t)
{
	strmap_fini(&t->by_key);
	arena_fini(&t->arena);
	mem_free(t->rows);
	mem_free(t->shown);
	t->rows = t->shown = NULL;
	t->count = t->cap = t->shown_count = 0;
}

static bool make_room(struct table *t)
{
	uint32_t cap = t->cap ? t->cap * 2 : 64;
	struct table_row **rows = mem_realloc(t->rows, cap * sizeof(struct table_row *));
	if (rows)
		t->rows = rows;
	struct table_row **shown =
		rows ? mem_realloc(t->shown, cap * sizeof(struct table_row *)) : NULL;
	if (!shown)
		return false;
	t->shown = shown;
	t->cap = cap;
	return true;
}

struct table_row *table_add(struct table *t, const char *key, const struct table_row *parent)
{
	size_t bytes = sizeof(struct table_row) + t->column_count * sizeof(struct table_cell);
	if (t->count == TABLE_ROWS_MAX) {
		t->left_out++;
		return NULL;
	}
	if (t->count == t->cap && !make_room(t))
		return NULL;
	struct table_row *row = arena_alloc(&t->arena, bytes);
	const char *copy = table_keep(t, key);
	if (!row || !copy || strmap_put(&t->by_key, copy, strlen(copy), row))
		return NULL;
	*row = (struct table_row){.key = copy, .parent = parent, .order = t->count};
	for (uint32_t i = 0; i < t->column_count; i++)
		row->cells[i] = (struct table_cell){.number = NAN, .count = NAN};
	t->rows[t->count++] = row;
	return row;
}

const char *table_keep(struct table *t, const char *text)
{
	return arena_dup(&t->arena, text, strlen(text));
}

int table_column(const struct table *t, const char *title)
{
	for (uint32_t i = 0; i < t->column_count; i++)
		if (!strcmp(t->columns[i].title, title))
			return (int)i;
	return -1;
}

void table_rates(struct table *now, const struct table *before, double seconds)
{
	if (!(seconds > 0))
		return;
	now->has_rates = true;
	for (uint32_t r = 0; r < now->count; r++) {
		struct table_row *row = now->rows[r];
		const struct table_row *old =
			strmap_get(&before->by_key, row->key, strlen(row->key));
		for (uint32_t i = 0; old && i < now->column_count; i++) {
			double a = old->cells[i].count, b = row->cells[i].count;
			if (now->columns[i].kind == TABLE_RATE)
				row->cells[i].number = (b < a ? b : b - a) / seconds;
		}
	}
}

static bool is_text(enum table_kind kind)
{
	return kind == TABLE_TEXT || kind == TABLE_PATH || kind == TABLE_TREE;
}

/* ---- what is shown, and in which order ---- */

/* Is the word, `len` bytes, in the text? */
static bool has_word(const char *text, const char *word, size_t len)
{
	for (; *text; text++)
		if (!strncasecmp(text, word, len))
			return true;
	return false;
}

static bool row_has_word(
	const struct table *t, const struct table_row *row, const char *word, size_t len)
{
	for (uint32_t i = 0; i < t->column_count; i++)
		if (row->cells[i].text && has_word(row->cells[i].text, word, len))
			return true;
	return false;
}

/* Below a parent, the parent's texts are the row's too. */
static bool row_matches(const struct table *t, const struct table_row *row, const char *filter)
{
	for (;;) {
		filter += strspn(filter, " ");
		size_t len = strcspn(filter, " ");
		if (len == 0)
			return true;
		if (!row_has_word(t, row, filter, len) &&
			!(row->parent && row_has_word(t, row->parent, filter, len)))
			return false;
		filter += len;
	}
}

struct order {
	int column;
	bool up, reverse, text;
};

/* Numbers: the largest first, texts: the smallest; what has no number stands behind, always. */
static int compare_rows(
	const struct table_row *a, const struct table_row *b, const struct order *how)
{
	int order = 0;
	if (how->column >= 0) {
		const struct table_cell *x = &a->cells[how->column], *y = &b->cells[how->column];
		if (how->text)
			order = strcmp(x->text ? x->text : "", y->text ? y->text : "");
		else if (!isnan(x->number) != !isnan(y->number))
			return isnan(x->number) ? 1 : -1;
		else if (x->number != y->number && !isnan(x->number))
			order = (x->number < y->number) == how->up ? -1 : 1;
	}
	if (!order)
		order = a->order < b->order ? -1 : a->order > b->order;
	return how->reverse ? -order : order;
}

/* Rows with their parents, which stand before them. */
static int compare(const void *va, const void *vb, void *arg)
{
	const struct table_row *a = *(struct table_row *const *)va;
	const struct table_row *b = *(struct table_row *const *)vb;
	const struct table_row *pa = a->parent ? a->parent : a, *pb = b->parent ? b->parent : b;
	if (pa != pb)
		return compare_rows(pa, pb, arg);
	if (a == pa || b == pb)
		return (b == pb) - (a == pa);
	return compare_rows(a, b, arg);
}

void table_arrange(struct table *t, const struct table_sort *sort, bool reverse, const char *filter)
{
	struct order how = {.column = sort->title ? table_column(t, sort->title) : -1,
		.up = sort->up,
		.reverse = reverse};
	if (how.column >= 0)
		how.text = is_text(t->columns[how.column].kind);
	t->shown_count = 0;
	for (uint32_t i = 0; i < t->count; i++) {
		struct table_row *row = t->rows[i];
		row->matches = row_matches(t, row, filter);
		if (row->matches && row->parent) /* it brings its parent along */
			t->rows[row->parent->order]->matches = true;
	}
	for (uint32_t i = 0; i < t->count; i++)
		if (t->rows[i]->matches)
			t->shown[t->shown_count++] = t->rows[i];
	if (t->shown_count)
		qsort_r(t->shown, t->shown_count, sizeof(struct table_row *), compare, &how);
}

int table_find(const struct table *t, const char *key)
{
	for (uint32_t i = 0; i < t->shown_count; i++)
		if (!strcmp(t->shown[i]->key, key))
			return (int)i;
	return -1;
}

/* ---- as lines ---- */

/* The columns that the widest of the shown texts wants. */
static unsigned wanted(const struct table *t, uint32_t column)
{
	unsigned most = 0;
	for (uint32_t i = 0; i < t->shown_count; i++) {
		const char *text = t->shown[i]->cells[column].text;
		unsigned want = text ? text_columns(text, strlen(text)) : 0;
		want += t->shown[i]->parent ? INDENT : 0;
		most = want > most ? want : most;
	}
	return most;
}

/* One more column for each that grows and wants, in proportion to its share, until none is left; up
 * to `most` columns each. What is left. */
static unsigned grow(struct table_layout *l, const struct table *t, unsigned room, unsigned most)
{
	unsigned want[TABLE_COLUMNS_MAX] = {0};
	bool grew = true;
	for (uint32_t i = 0; i < t->column_count; i++)
		if (l->width[i] && t->columns[i].grow)
			want[i] = wanted(t, i);
	while (grew && room > 0) {
		grew = false;
		for (uint32_t i = 0; i < t->column_count; i++)
			for (unsigned n = t->columns[i].grow;
				n > 0 && room > 0 && l->width[i] && l->width[i] < want[i] &&
				l->width[i] < most;
				n--) {
				l->width[i]++;
				room--;
				grew = true;
			}
	}
	return room;
}

/* Adds the columns of a rank that there is room for; what is left of it. Those of rank 0 are there
 * anyway: where there is no room for them, the ones that grow give. */
static unsigned add_rank(
	struct table_layout *l, const struct table *t, unsigned rank, unsigned room)
{
	unsigned lacking = 0;
	bool first = rank == 0;
	for (uint32_t i = 0; i < t->column_count; i++) {
		unsigned need = t->columns[i].width + !first;
		if (t->columns[i].rank != rank || (rank > 0 && need > room))
			continue;
		l->width[i] = t->columns[i].width;
		lacking += need > room ? need - room : 0;
		room -= need > room ? room : need;
		first = false;
	}
	for (uint32_t i = 0; i < t->column_count; i++)
		for (; lacking && t->columns[i].grow && l->width[i] > NARROWEST; lacking--)
			l->width[i]--;
	return room;
}

void table_layout(struct table_layout *l, const struct table *t, unsigned columns)
{
	unsigned last_rank = 0, room = columns;
	*l = (struct table_layout){{0}};
	for (uint32_t i = 0; i < t->column_count; i++)
		if (t->columns[i].rank > last_rank)
			last_rank = t->columns[i].rank;
	for (unsigned rank = 0; rank <= last_rank; rank++) {
		if (rank == FIRST_EXTRA_RANK)
			room = grow(l, t, room, READABLE);
		room = add_rank(l, t, rank, room);
	}
	(void)grow(l, t, room, UINT16_MAX);
}

void table_title(struct buf *out, const struct table *t, const struct table_layout *l)
{
	bool first = true;
	for (uint32_t i = 0; i < t->column_count; i++) {
		if (!l->width[i])
			continue;
		if (!first)
			buf_char(out, ' ');
		first = false;
		text_put(out, t->columns[i].title, l->width[i], TEXT_CUT_END,
			!is_text(t->columns[i].kind));
	}
}

static void put_cell(struct buf *out, const struct table_column *column,
	const struct table_cell *cell, unsigned width, bool below)
{
	char number[TEXT_NUMBER_MAX];
	bool text = is_text(column->kind);
	bool begin = column->kind == TABLE_PATH || (column->kind == TABLE_TREE && below);
	const char *shown = cell->text ? cell->text : "";
	if (!text && !cell->text) {
		if (column->kind == TABLE_AGE)
			text_age(number, cell->number);
		else
			text_number(number, cell->number);
		shown = number;
	}
	text_put(out, shown, width, begin ? TEXT_CUT_BEGIN : TEXT_CUT_END, !text);
}

void table_line(struct buf *out, const struct table *t, const struct table_layout *l,
	const struct table_row *row)
{
	bool first = true;
	for (uint32_t i = 0; i < t->column_count; i++) {
		unsigned width = l->width[i];
		if (!width)
			continue;
		if (!first)
			buf_char(out, ' ');
		else if (row->parent && width > INDENT) { /* it stands below another */
			buf_str(out, "  ");
			width -= INDENT;
		}
		first = false;
		put_cell(out, &t->columns[i], &row->cells[i], width, row->parent != NULL);
	}
}
