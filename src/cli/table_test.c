#include "cli/table.h"

#include <math.h>

#include "base/mem.h"
#include "tap.h"

static const struct table_column columns[] = {
	{"NAME", TABLE_TREE, 8, 0, 1},
	{"COUNT", TABLE_NUMBER, 5, 0, 0},
	{"RATE", TABLE_RATE, 5, 1, 0},
	{"AGE", TABLE_AGE, 5, 2, 0},
	{"PATH", TABLE_PATH, 6, 3, 2},
};
enum { NAME, NUMBER, RATE, AGE, PATH, COLUMNS };
static const struct table_sort by_count = {"count", NULL, "COUNT", false};
static const struct table_sort by_name = {"name", NULL, "NAME", true};
static const struct table_sort as_given = {"given", NULL, NULL, false};

static struct table_row *add(
	struct table *t, const char *name, const struct table_row *parent, double number)
{
	struct table_row *row = table_add(t, name, parent);
	if (row) {
		row->cells[NAME].text = row->key;
		row->cells[NUMBER].number = row->cells[RATE].count = number;
	}
	return row;
}

static const char *shown(const struct table *t)
{
	static char text[256];
	text[0] = '\0';
	for (uint32_t i = 0; i < t->shown_count; i++) {
		strcat(text, i ? " " : "");
		strcat(text, t->shown[i]->key);
	}
	return text;
}

static void fill(struct table *t)
{
	table_init(t, columns, COLUMNS);
	const struct table_row *b = add(t, "b", NULL, 5), *a;
	add(t, "b1", b, 1);
	add(t, "b2", b, 4);
	a = add(t, "a", NULL, 7);
	add(t, "a1", a, 7);
	add(t, "c", NULL, NAN);
}

TEST(rows_are_sorted_with_those_below_them)
{
	struct table t;
	fill(&t);
	table_arrange(&t, &by_count, false, "");
	CHECK_STR(shown(&t), "a a1 b b2 b1 c");
	table_arrange(&t, &by_count, true, "");
	CHECK_STR(shown(&t), "b b1 b2 a a1 c"); /* what has no number stays behind */
	table_arrange(&t, &by_name, false, "");
	CHECK_STR(shown(&t), "a a1 b b1 b2 c");
	table_arrange(&t, &by_name, true, "");
	CHECK_STR(shown(&t), "c b b2 b1 a a1");
	table_arrange(&t, &as_given, false, "");
	CHECK_STR(shown(&t), "b b1 b2 a a1 c");
	CHECK_EQ(table_find(&t, "a"), 3);
	CHECK_EQ(table_find(&t, "x"), -1);
	table_fini(&t);
}

TEST(a_filter_keeps_rows_with_all_its_words_and_their_parents)
{
	struct table t;
	fill(&t);
	table_arrange(&t, &as_given, false, "B2");
	CHECK_STR(shown(&t), "b b2");
	table_arrange(&t, &as_given, false, "a");
	CHECK_STR(shown(&t), "a a1"); /* the parent's text is the row's too */
	table_arrange(&t, &as_given, false, "  b  1 ");
	CHECK_STR(shown(&t), "b b1");
	table_arrange(&t, &as_given, false, "nowhere");
	CHECK_STR(shown(&t), "");
	table_fini(&t);
}

TEST(rates_are_differences_over_time_of_rows_in_both)
{
	struct table before, now;
	table_init(&before, columns, COLUMNS);
	table_init(&now, columns, COLUMNS);
	add(&before, "same", NULL, 100);
	add(&before, "again", NULL, 100);
	add(&before, "gone", NULL, 100);
	add(&now, "same", NULL, 300);
	add(&now, "again", NULL, 40); /* counts from 0: it began anew */
	add(&now, "new", NULL, 50);
	table_rates(&now, &before, 2);
	CHECK(now.has_rates);
	CHECK_EQ(now.rows[0]->cells[RATE].number, 100);
	CHECK_EQ(now.rows[1]->cells[RATE].number, 20);
	CHECK(isnan(now.rows[2]->cells[RATE].number));
	table_rates(&before, &now, 0);
	CHECK(!before.has_rates);
	table_fini(&before);
	table_fini(&now);
}

static const char *line_of(struct table *t, unsigned width, uint32_t row)
{
	static char text[512];
	struct table_layout l;
	struct buf out;
	buf_init(&out);
	table_layout(&l, t, width);
	if (row == UINT32_MAX)
		table_title(&out, t, &l);
	else
		table_line(&out, t, &l, t->shown[row]);
	buf_str(&out, "");
	snprintf(text, sizeof(text), "%s", out.bytes);
	buf_fini(&out);
	return text;
}

TEST(columns_come_by_their_rank_and_grow_with_what_they_have)
{
	struct table t;
	table_init(&t, columns, COLUMNS);
	struct table_row *row = add(&t, "a-long-name", NULL, 1234);
	row->cells[RATE].number = 2.5;
	row->cells[AGE].number = 61000;
	row->cells[PATH].text = "/service/Method";
	table_arrange(&t, &as_given, false, "");
	CHECK_STR(line_of(&t, 14, UINT32_MAX), "NAME     COUNT");
	CHECK_STR(line_of(&t, 14, 0), "a-long..  1.2k");
	CHECK_STR(line_of(&t, 19, 0), "a-long-name  1.2k");
	CHECK_STR(line_of(&t, 20, UINT32_MAX), "NAME     COUNT  RATE");
	/* what it has is shown in full before more comes */
	CHECK_STR(line_of(&t, 26, 0), "a-long-name  1.2k   2.5");
	CHECK_STR(line_of(&t, 29, 0), "a-long-name  1.2k   2.5  1m01");
	CHECK_STR(line_of(&t, 36, 0), "a-long-name  1.2k   2.5  1m01 ..thod");
	CHECK_STR(line_of(&t, 200, 0), "a-long-name  1.2k   2.5  1m01 /service/Method");
	/* too narrow for all that must be there: the one that grows gives */
	CHECK_STR(line_of(&t, 12, 0), "a-lo..  1.2k");
	table_fini(&t);
}

TEST(each_failed_allocation_leaves_rows_out_and_leaks_nothing)
{
	long before = mem_live_blocks();
	for (long nth = 1; nth < 100; nth++) {
		struct table t;
		mem_fail_after(nth);
		fill(&t);
		bool whole = t.count == 6;
		mem_fail_after(0);
		table_arrange(&t, &by_count, false, "");
		CHECK(t.shown_count <= t.count);
		table_fini(&t);
		CHECK_EQ(mem_live_blocks(), before);
		if (whole) {
			CHECK(nth > 3);
			return;
		}
	}
	CHECK(!"still allocating");
}

TEST(rows_beyond_the_limit_are_counted)
{
	struct table t;
	table_init(&t, columns, COLUMNS);
	for (unsigned i = 0; i < TABLE_ROWS_MAX + 3; i++) {
		char key[16];
		snprintf(key, sizeof(key), "%u", i);
		add(&t, key, NULL, i);
	}
	CHECK_EQ(t.count, TABLE_ROWS_MAX);
	CHECK_EQ(t.left_out, 3);
	table_fini(&t);
}

TAP_MAIN()
