/* hpack_testing.h - what the HPACK tests share: blocks in hex, lists as text. */
#ifndef WEIR_HTTP2_HPACK_TESTING_H
#define WEIR_HTTP2_HPACK_TESTING_H
#include <stdarg.h>
#include "base/mem.h"
#include "base/rand.h"
#include "http2/hpack_priv.h"
#include "tap.h"

#define TEST_LIST_BYTES 65536u

/* Spaces may separate groups; the number of bytes. */
__attribute__((unused)) static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;
	while (*hex) {
		unsigned byte;
		if (*hex == ' ') {
			hex++;
			continue;
		}
		if (sscanf(hex, "%2x", &byte) != 1)
			abort();
		out[n++] = (uint8_t)byte;
		hex += 2;
	}
	return n;
}

/* "name: value\\n" for each field; ! behind the value of a never-indexed one. */
__attribute__((unused)) static void list_text(const struct fields *f, char *out)
{
	*out = '\0';
	for (uint32_t i = 0; i < f->count; i++) {
		const struct field *x = &fields_list(f)[i];
		out += sprintf(out, "%.*s: %.*s%s\n", (int)x->name_len, x->name, (int)x->value_len,
			x->value, x->flags & FIELD_NEVER_INDEX ? "!" : "");
	}
}

__attribute__((unused)) static int decode_bytes(
	struct hpack_decoder *d, const uint8_t *block, size_t len, char *list)
{
	/* a block of its own on the heap, so that a sanitizer sees a read behind it */
	uint8_t *copy = malloc(len ? len : 1);
	struct fields *f = fields_create();
	bool overflow = true;
	if (!f || !copy)
		abort();
	if (len)
		memcpy(copy, block, len);
	int err = hpack_decode(d, copy, len, TEST_LIST_BYTES, f, &overflow);
	CHECK(!overflow);
	if (list)
		list_text(f, list);
	fields_destroy(f);
	free(copy);
	return err;
}

/* As rx does it: by the short way where the block's beginning is known. */
__attribute__((unused)) static int decode_in_steps(struct hpack_decoder *d, const uint8_t *block,
	size_t len, uint32_t max_list_bytes, struct fields *f, bool *overflow)
{
	*overflow = false;
	uint32_t known = hpack_decode_known(d, block, len, max_list_bytes, f);
	if (known == 0)
		return hpack_decode(d, block, len, max_list_bytes, f, overflow);
	return hpack_decode_behind(d, block + known, len - known, max_list_bytes, f, overflow);
}

/* `list` may be NULL. */
__attribute__((unused)) static int decode_hex(struct hpack_decoder *d, const char *hex, char *list)
{
	uint8_t block[4096];
	return decode_bytes(d, block, unhex(hex, block), list);
}
#endif
