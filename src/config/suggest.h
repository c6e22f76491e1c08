/* suggest.h - "did you mean": the nearest of some names to a word, by edit distance.
 *
 * Distance counts insertions, deletions, replacements and swaps of neighbours as one each; letters
 * that differ in case only count as the same. A name is near when its distance is at most a third
 * of the word's length, rounded up, and at most 3. Words above 63 bytes get no suggestion. */
#ifndef WEIR_CONFIG_SUGGEST_H
#define WEIR_CONFIG_SUGGEST_H
#include <stddef.h>

struct suggestion {
	const char *word;
	size_t len;
	const char *best; /* NULL: none was near */
	unsigned distance;
};
void suggestion_init(struct suggestion *s, const char *word, size_t len);
/* `name` must live as long as `s`. The first of equally near ones stays. */
void suggestion_offer(struct suggestion *s, const char *name);
/* The distance, or anything above `most` when it is larger than that. */
unsigned edit_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned most);
#endif
