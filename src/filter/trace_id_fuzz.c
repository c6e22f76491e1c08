/* Any headers: a trace id is 32 or 16 lower-case hexadecimal digits out of them, not all 0, or
 * none. Input: lines "name: value". */
#include <stdlib.h>
#include <string.h>
#include "filter/trace_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void add_line(struct fields *f, const char *line, size_t len)
{
	const char *colon = len ? memchr(line, ':', len) : NULL;
	size_t name_len = colon ? (size_t)(colon - line) : 0;
	if (!name_len)
		return;
	const char *value = colon + 1;
	size_t value_len = len - name_len - 1;
	if (value_len && *value == ' ') {
		value++;
		value_len--;
	}
	if (fields_add(f, line, name_len, value, value_len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char id[TRACE_ID_BYTES];
	struct fields *f = fields_create();
	check(f != NULL);
	for (const uint8_t *at = data, *end = data + size; at < end;) {
		const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
		const uint8_t *stop = newline ? newline : end;
		add_line(f, (const char *)at, (size_t)(stop - at));
		at = newline ? newline + 1 : end;
	}
	trace_id_of(f, id);
	size_t n = strlen(id);
	check(n == 0 || n == 16 || n == 32);
	check(strspn(id, "0123456789abcdef") == n);
	check(n == 0 || strspn(id, "0") < n);
	bool found = n == 0;
	for (uint32_t i = 0; i < f->count && !found; i++)
		found = memmem(fields_list(f)[i].value, fields_list(f)[i].value_len, id, n) != NULL;
	check(found);
	fields_destroy(f);
	return 0;
}
