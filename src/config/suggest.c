#include "config/suggest.h"

#include <string.h>

#include "base/ascii.h"

enum { WORD_MAX = 63, DISTANCE_MAX = 3 };

static unsigned min2(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned edit_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned most)
{
	size_t apart = a_len > b_len ? a_len - b_len : b_len - a_len;
	if (a_len > WORD_MAX || b_len > WORD_MAX || apart > most)
		return most + 1;

	/* Three rows of the table: the one above the row above is needed for swaps. */
	unsigned rows[3][WORD_MAX + 1];
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3],
			 *above2 = rows[(i + 1) % 3];
		unsigned least = row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			char x = ascii_lower(a[i - 1]), y = ascii_lower(b[j - 1]);
			unsigned d = min2(above[j], row[j - 1]) + 1;
			d = min2(d, above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == ascii_lower(b[j - 2]) &&
				ascii_lower(a[i - 2]) == y)
				d = min2(d, above2[j - 2] + 1);
			row[j] = d;
			least = min2(least, d);
		}
		if (least > most)
			return most + 1;
	}
	return rows[a_len % 3][b_len];
}

void suggestion_init(struct suggestion *s, const char *word, size_t len)
{
	*s = (struct suggestion){.word = word, .len = len};
	unsigned third = (unsigned)(len / 3);
	s->distance = min2(third ? third : 1, DISTANCE_MAX) + 1;
}

void suggestion_offer(struct suggestion *s, const char *name)
{
	unsigned d = edit_distance(s->word, s->len, name, strlen(name), s->distance - 1);
	if (d < s->distance) {
		s->best = name;
		s->distance = d;
	}
}
