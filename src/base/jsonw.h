/* jsonw.h - writes one JSON text into a buf: commas, brackets and quoting in the right places.
 *
 *   jsonw_begin(&j, &page);
 *   jsonw_object(&j, NULL);              {
 *   jsonw_u64(&j, "workers", 2);           "workers": 2,
 *   jsonw_array(&j, "streams");            "streams": [
 *   jsonw_end(&j); jsonw_end(&j);           ]}
 *
 * What it does not: parse, check that keys differ, or hold anything but the open brackets. `key` is
 * NULL in an array and for the whole. Strings are cut at nothing and become UTF-8 as buf_json says.
 * Owner: the caller's. Errors: buf.failed. Limits: JSONW_DEPTH_MAX brackets (ASSERT). */
#ifndef WEIR_BASE_JSONW_H
#define WEIR_BASE_JSONW_H
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

#define JSONW_DEPTH_MAX 32

struct jsonw {
	struct buf *out;
	uint32_t arrays; /* a bit for each open bracket: it is an array */
	uint8_t depth;
	bool first; /* nothing stands behind the last bracket yet */
};

void jsonw_begin(struct jsonw *j, struct buf *out);
void jsonw_object(struct jsonw *j, const char *key);
void jsonw_array(struct jsonw *j, const char *key);
void jsonw_end(struct jsonw *j);                                    /* of the innermost bracket */
void jsonw_str(struct jsonw *j, const char *key, const char *text); /* NULL: null */
void jsonw_text(struct jsonw *j, const char *key, const char *text, size_t len);
/* At most `most` bytes between the quotes: buf_json_cut. */
void jsonw_cut(struct jsonw *j, const char *key, const char *text, size_t most);
void jsonw_u64(struct jsonw *j, const char *key, uint64_t v);
void jsonw_i64(struct jsonw *j, const char *key, int64_t v);
void jsonw_milli(struct jsonw *j, const char *key, uint64_t thousandths); /* 1500: 1.5 */
void jsonw_bool(struct jsonw *j, const char *key, bool v);
void jsonw_null(struct jsonw *j, const char *key);
#endif
