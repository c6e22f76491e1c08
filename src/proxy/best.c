#include "proxy/best.h"
#include <stdlib.h>
#include "base/mem.h"

#define CAP_FIRST 64u

static bool is_better(const struct ranked *a, const struct ranked *b)
{
	if (a->rank[0] != b->rank[0])
		return a->rank[0] > b->rank[0];
	if (a->rank[1] != b->rank[1])
		return a->rank[1] > b->rank[1];
	return a->id < b->id;
}

bool best_counts(struct best *b, const struct ranked *r)
{
	b->total++;
	return b->count < b->limit || (b->limit && is_better(r, b->rows[0]));
}

static void swap(struct best *b, uint32_t i, uint32_t j)
{
	struct ranked *r = b->rows[i];
	b->rows[i] = b->rows[j];
	b->rows[j] = r;
}

static void rise(struct best *b, uint32_t at)
{
	while (at > 0 && is_better(b->rows[(at - 1) / 2], b->rows[at])) {
		swap(b, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

static void sink(struct best *b)
{
	for (uint32_t at = 0;;) {
		uint32_t worst = at;
		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
			if (child < b->count && is_better(b->rows[worst], b->rows[child]))
				worst = child;
		}
		if (worst == at)
			return;
		swap(b, at, worst);
		at = worst;
	}
}

static bool has_room(struct best *b)
{
	if (b->count < b->cap)
		return true;
	uint32_t cap = b->cap ? b->cap * 2 : CAP_FIRST;
	struct ranked **rows = mem_realloc(b->rows, cap * sizeof(*rows));
	if (!rows)
		return false;
	b->rows = rows;
	b->cap = cap;
	return true;
}

void best_keep(struct best *b, struct ranked *row)
{
	if (row && b->count == b->limit) {
		mem_free(b->rows[0]);
		b->rows[0] = row;
		sink(b);
	} else if (row && has_room(b)) {
		b->rows[b->count++] = row;
		rise(b, b->count - 1);
	} else {
		mem_free(row);
		b->failed = true;
	}
}

void best_take(struct best *into, struct best *from)
{
	for (uint32_t i = 0; i < from->count; i++) {
		if (best_counts(into, from->rows[i]))
			best_keep(into, from->rows[i]);
		else
			mem_free(from->rows[i]);
	}
	into->total += from->total - from->count;
	into->failed |= from->failed;
	from->count = 0;
	best_fini(from);
}

static int by_rank(const void *a, const void *b)
{
	return is_better(*(struct ranked *const *)a, *(struct ranked *const *)b) ? -1 : 1;
}

void best_sort(struct best *b)
{
	if (b->count > 1)
		qsort(b->rows, b->count, sizeof(*b->rows), by_rank);
}

void best_fini(struct best *b)
{
	for (uint32_t i = 0; i < b->count; i++)
		mem_free(b->rows[i]);
	mem_free(b->rows);
	*b = (struct best){.limit = b->limit};
}
