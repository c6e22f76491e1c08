/* best.h - the best `limit` of very many rows, kept while they pass by.
 *
 * A heap with the worst on top: a row that is no better than it costs one comparison and is never
 * made. Rows begin with a struct ranked and are mem_alloc'ed in one piece; the larger rank is the
 * better one, then the smaller id. best_take gives them over to a struct best of another thread.
 *
 * Owner: the caller's; zeroed with a limit is ready. Threads: one at a time. Errors: out of memory
 * sets `failed`, and rows are missing. */
#ifndef WEIR_PROXY_BEST_H
#define WEIR_PROXY_BEST_H
#include <stdbool.h>
#include <stdint.h>

struct ranked {
	uint64_t rank[2]; /* the second where the first is equal */
	uint64_t id;      /* unlike all others */
};

struct best {
	struct ranked **rows;
	uint32_t count, cap, limit;
	uint64_t total; /* that best_counts saw: the rows that were not kept among them */
	bool failed;
};

/* Counts a row that passes by; true when it would be kept: then make it, and best_keep. */
bool best_counts(struct best *b, const struct ranked *r);
void best_keep(struct best *b, struct ranked *row);   /* takes it; NULL: there was no memory */
void best_take(struct best *into, struct best *from); /* leaves `from` empty */
void best_sort(struct best *b);                       /* best first; nothing is kept afterwards */
void best_fini(struct best *b);
#endif
