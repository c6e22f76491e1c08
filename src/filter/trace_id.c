#include "filter/trace_id.h"
#include <string.h>

#define TRACEPARENT_BYTES 55u /* 00-<32>-<16>-<2> */

/* `n` lower-case hexadecimal digits, not all of them 0 unless `zero`. */
static bool is_hex(const char *s, size_t n, bool zero)
{
	bool other = zero;
	for (size_t i = 0; i < n; i++) {
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
		other |= s[i] != '0';
	}
	return other;
}

/* Trace Context, 3.2: version "ff" is none; a version above 00 may have more behind the flags. */
static bool is_traceparent(const char *s, size_t len)
{
	if (len < TRACEPARENT_BYTES || !is_hex(s, 2, true) || !memcmp(s, "ff", 2))
		return false;
	if (len > TRACEPARENT_BYTES && (!memcmp(s, "00", 2) || s[TRACEPARENT_BYTES] != '-'))
		return false;
	return s[2] == '-' && is_hex(s + 3, 32, false) && s[35] == '-' &&
	       is_hex(s + 36, 16, false) && s[52] == '-' && is_hex(s + 53, 2, true);
}

static void keep(char out[TRACE_ID_BYTES], const char *id, size_t n)
{
	memcpy(out, id, n);
	out[n] = '\0';
}

/* The id that stands at the beginning of b3, before its first '-', or is X-B3-TraceId. */
static void keep_b3(char out[TRACE_ID_BYTES], const struct field *f, bool single)
{
	const char *dash = single ? memchr(f->value, '-', f->value_len) : NULL;
	size_t n = dash ? (size_t)(dash - f->value) : f->value_len;
	if ((n == 16 || n == 32) && (dash || !single) && is_hex(f->value, n, false))
		keep(out, f->value, n);
}

void trace_id_of(const struct fields *head, char out[TRACE_ID_BYTES])
{
	const struct field *f = fields_get(head, TOKEN_TRACEPARENT);
	out[0] = '\0';
	if (f && is_traceparent(f->value, f->value_len)) {
		keep(out, f->value + 3, 32);
		return;
	}
	if ((f = fields_get(head, TOKEN_B3)))
		keep_b3(out, f, true);
	if (!out[0] && (f = fields_get(head, TOKEN_X_B3_TRACEID)))
		keep_b3(out, f, false);
}
