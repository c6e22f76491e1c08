/* sample_metadata.h - a request's headers, kept without their secrets until a message is sampled.
 *
 * What it does: copies names and values into the call's arena while the head is there; values of
 * authorization, cookies and keys, of sampling.redact and of fields that came as never to be
 * indexed are not even copied. What it does not: keep pseudo-headers (a path may hold secrets).
 *
 * Owner: the call. Threads: its worker's. Errors: what does not fit (SAMPLE_METADATA_BYTES) or
 * finds no memory is left out, and `cut` says so. */
#ifndef WEIR_FILTER_SAMPLE_METADATA_H
#define WEIR_FILTER_SAMPLE_METADATA_H
#include "call/call.h"

struct sample_metadata {
	const char *kept; /* not yet as records have it: most calls have no sample */
	uint32_t bytes;
	bool cut;
};
void sample_metadata_keep(
	struct sample_metadata *m, struct call *c); /* while c->env->head is there */
/* As sample.metadata has it, in place of what `out` had. */
void sample_metadata_encode(const struct sample_metadata *m, struct buf *out);
#endif
