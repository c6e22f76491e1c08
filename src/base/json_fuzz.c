/* Any bytes, as buf_json_cut escapes them, are a string that a JSON parser takes, no longer than
 * asked for, without control characters, and a beginning of what buf_json makes of them. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_parses(const struct buf *b)
{
	json_t *s = json_loadb(b->bytes, b->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	check(json_is_string(s));
	json_decref(s);
	for (size_t i = 0; i < b->len; i++) {
		unsigned char c = (unsigned char)b->bytes[i];
		check(c >= 0x20 && c != 0x7f);
		check(c != 0xc2 || (unsigned char)b->bytes[i + 1] >= 0xa0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	size_t most = 3 + data[0];
	const char *text = (const char *)data + 1;
	struct buf whole, cut;
	buf_init(&whole);
	buf_init(&cut);
	buf_json(&whole, text, size - 1);
	buf_json_cut(&cut, text, size - 1, most);
	check_parses(&whole);
	check_parses(&cut);
	check(cut.len <= most + 2);
	if (whole.len <= most + 2)
		check(cut.len == whole.len && !memcmp(cut.bytes, whole.bytes, cut.len));
	else
		check(cut.len >= 5 && !memcmp(cut.bytes, whole.bytes, cut.len - 4));
	buf_fini(&whole);
	buf_fini(&cut);
	return 0;
}
