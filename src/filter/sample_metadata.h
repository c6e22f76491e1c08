/* sample_metadata.h - headers or trailers, kept without their secrets until a message is sampled.
 *
 * What it does: copies names and values into the call's arena while they are there; values of
 * authorization, cookies and keys, of sampling.redact and of fields that came as never to be
 * indexed are not even copied. What it does not: keep pseudo-headers (a path may hold secrets).
 *
 * Owner: the call. Threads: its worker's. Errors: what does not fit (SAMPLE_METADATA_BYTES) or
 * finds no memory is left out, and `cut` says so. */
#ifndef WEIR_FILTER_SAMPLE_METADATA_H
#define WEIR_FILTER_SAMPLE_METADATA_H
#include "call/call.h"
#include "filter/sample_record.h"

struct sample_metadata {
	const char *kept; /* not yet as records have it: most calls have no sample */
	uint32_t bytes;
	bool cut;
};
void sample_metadata_keep(struct sample_metadata *m, struct call *c, const struct fields *fields);
/* Appends all as a record has them, or nothing. False: out of memory. */
bool sample_metadata_encode(
	const struct sample_metadata *m, enum sample_list list, struct buf *out);
#endif
