/* table.h - rows of text and numbers as lines of a screen: which columns fit, sorted, filtered,
 * with rates between two looks.
 *
 *   fill: table_add + cells   ->   table_rates(now, before)   ->   table_arrange   -> table_title,
 *                                                                                      table_line
 *
 * What it does: knows columns, not what they mean. A row may stand below another (a method below
 * its route): it stays there however the table is sorted, and is shown when its parent matches the
 * filter. What it does not: fetch, or write to a terminal.
 *
 * Columns of rank 0 are always shown; of the others as many as there is room for, rank by rank;
 * what room is left goes to those that grow, as far as they have something to show in it.
 *
 * Owner: whoever fills it; init/fini. Texts of cells live as long as the table (table_keep) or its
 * source. One thread. Errors: NULL or false when out of memory. Limits: TABLE_ROWS_MAX; rows beyond
 * are counted in `left_out`. */
#ifndef WEIR_CLI_TABLE_H
#define WEIR_CLI_TABLE_H
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "cli/text.h"

enum table_kind {
	TABLE_TEXT, /* cut at its end */
	TABLE_PATH, /* cut at its beginning: a method's end says more */
	TABLE_TREE, /* a text; as a path in rows that stand below another */
	TABLE_NUMBER,
	TABLE_RATE, /* a count's difference to that of the earlier look, a second */
	TABLE_AGE,  /* milliseconds */
};
struct table_cell {
	const char *text; /* NULL: the number */
	double number;    /* NAN: none */
	double count;     /* of a rate: what it is the rate of */
};
struct table_column {
	const char *title;
	enum table_kind kind;
	unsigned char width, rank, grow; /* grow: its share of the room that is left */
	const char *path;                /* for those who fill: where the value is */
	void (*fill)(struct table_cell *cell, const void *source);
};

enum table_tone { TABLE_CALM, TABLE_WARN, TABLE_BAD };
struct table_row {
	const char *key;                /* names it from look to look */
	const struct table_row *parent; /* NULL: it stands by itself */
	const void *source;             /* what it was filled from */
	enum table_tone tone;
	bool matches;
	uint32_t order; /* in which they were added */
	struct table_cell cells[];
};

#define TABLE_COLUMNS_MAX 24
#define TABLE_ROWS_MAX    20000
struct table {
	const struct table_column *columns;
	uint32_t column_count;
	struct table_row **rows;  /* in the order they came in */
	struct table_row **shown; /* as arranged */
	uint32_t count, cap, shown_count, left_out;
	struct arena arena;
	struct strmap by_key;
	bool has_rates;
};

struct table_sort {
	const char *name;  /* for people */
	const char *ask;   /* for a server that sorts; NULL: it does not */
	const char *title; /* the column; NULL: as the rows came in */
	bool up;           /* smallest first */
};

void table_init(struct table *t, const struct table_column *columns, uint32_t count);
void table_fini(struct table *t);
/* A row without values; NULL when there is no memory or no more room. */
struct table_row *table_add(struct table *t, const char *key, const struct table_row *parent);
const char *table_keep(struct table *t, const char *text); /* a copy; NULL: no memory */
/* A column's place by its title; -1: there is none. */
int table_column(const struct table *t, const char *title);
/* The rates of rows that are in both. A count that went back began anew. */
void table_rates(struct table *now, const struct table *before, double seconds);
/* What is shown, and in which order. Every word of `filter` must be in the row's texts; upper and
 * lower case are the same. */
void table_arrange(
	struct table *t, const struct table_sort *sort, bool reverse, const char *filter);
int table_find(const struct table *t, const char *key); /* its place among the shown; -1 */

struct table_layout {
	uint16_t width[TABLE_COLUMNS_MAX]; /* 0: not shown */
};
void table_layout(struct table_layout *l, const struct table *t, unsigned columns);
/* Without styles and without '\n'. */
void table_title(struct buf *out, const struct table *t, const struct table_layout *l);
void table_line(struct buf *out, const struct table *t, const struct table_layout *l,
	const struct table_row *row);
#endif
