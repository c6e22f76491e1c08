/* run.h - what many sections begin with: a run of fields that is stored, judged and encoded once.
 *
 * HPACK lets a peer say the constant part of its heads in a byte a field, call after call. A run is
 * that part as fields: immutable, counted, interned by the thread, so that equal fields are one
 * run, whichever connection they came from, and what somebody has found out about a run holds
 * wherever the pointer comes by again.
 *
 *   section   run -> [ fields ][ their bytes ]     own -> [ not filled in ][ further fields ]
 *
 * What it does: interns; a value ends in a NUL that does not count. What it does not: hold secrets
 * (RUN_BARS); the caller asks.
 * Owner: whoever has a reference; the table has one for each of its RUNS_MAX. Threads: one.
 * Errors: NULL when out of memory or too large (RUN_FIELDS, RUN_BYTES): then there is no run. */
#ifndef WEIR_HTTP_RUN_H
#define WEIR_HTTP_RUN_H
#include <stdbool.h>
#include <stdint.h>
#include "base/assert.h"
#include "base/err.h"
#include "http/fields.h"

#define RUN_FIELDS 16u
#define RUN_BYTES  1024u /* of values, and of names without a token */
#define RUNS_MAX   64u

struct fields_run {
	uint32_t refs;
	uint32_t hash;
	uint32_t list_bytes; /* RFC 9113 6.5.2 */
	uint16_t count;
	uint16_t status; /* judged as a response: its :status */
	uint8_t judged;  /* bits of http2/check.c */
	uint8_t wire;    /* filter/count.c: 1 + enum grpc_wire of what answers gRPC; 0: not known */
	struct field list[];
};

/* The run of these fields, with a reference for the caller. */
struct fields_run *run_intern(const struct field *list, uint32_t count) MUST_USE;
void run_free(struct fields_run *run); /* refs reached 0: use run_unref */
void run_purge(void);                  /* empties the table; fields_cache_purge does it */

static inline struct fields_run *run_ref(struct fields_run *run)
{
	run->refs++;
	return run;
}

static inline void run_unref(struct fields_run *run)
{
	ASSERT(run->refs > 0);
	if (--run->refs == 0)
		run_free(run);
}

/* Its first field with this token, or NULL. */
static inline const struct field *run_get(const struct fields_run *run, enum token t)
{
	for (uint32_t i = 0; i < run->count; i++)
		if (run->list[i].token == t)
			return &run->list[i];
	return NULL;
}

/* A token whose values must not outlive their connection. */
static inline bool run_bars(enum token t)
{
	return t == TOKEN_COOKIE || (token_flags(t) & TF_SECRET);
}
#endif
