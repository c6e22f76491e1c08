/* query_fuzz.c - libFuzzer: a path with a query. What is read lies within its bounds; what is
 * refused has a text. */
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "http/query.h"

static const char *const choices[] = {"oldest", "busiest", "stalled", "silent", NULL};
static const struct query_key keys[] = {
	{"sort", QUERY_CHOICE, choices, 0, 0, 1},
	{"limit", QUERY_NUMBER, NULL, 1, 10000, 100},
	{"route", QUERY_TEXT, NULL, 0, 0, 0},
	{"id", QUERY_ID, NULL, 0, 0, 0},
	{NULL, QUERY_TEXT, NULL, 0, 0, 0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct query q;
	struct buf why;
	char *path = malloc(size + 1);
	if (!path)
		return 0;
	memcpy(path, data, size);
	path[size] = '\0';
	buf_init(&why);
	if (query_parse(&q, keys, path, &why) == 0) {
		ASSERT(why.len == 0);
		ASSERT(query_number(&q, 0) < 4);
		ASSERT(query_number(&q, 1) >= 1 && query_number(&q, 1) <= 10000);
		for (unsigned i = 2; i < 4; i++) {
			const char *text = query_text(&q, i);
			ASSERT(!text || text + strlen(text) < q.text + sizeof q.text);
		}
	} else {
		ASSERT(why.len > 0);
	}
	buf_fini(&why);
	free(path);
	return 0;
}
