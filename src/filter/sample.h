/* sample.h - the filter that takes samples of messages, and what each worker keeps for it.
 *
 *   calls of a route with `sample` -> parts of messages (sample_cut) -> at most B bytes of a chosen
 *   message, copied as they pass -> one record (sample_record) -> ring, log, file
 *   ... and when such a call is over: one record with its status, head and trailers
 *
 * What it does: chooses one message of each N of a route (direction and worker), at a random place
 * among them, so that nothing periodic hides; or all messages of calls with a header; copies their
 * beginnings, and the metadata of both heads and the trailers with secrets left out. What it does
 * not: hold, delay or change anything that passes; see calls of other routes, and calls that are
 * not RPC, at all.
 *
 * The filter stands behind count, so requests above limits.message_bytes do not reach it.
 *
 * Owner: the worker, by call_env.sampler. Threads: its own; configurations give it its outputs.
 * Errors: a sample that cannot be kept is dropped and counted (weir_samples_dropped_total), the
 * call goes on. Limits: sampling.ring bytes of records, as much again of beginnings under way;
 * SAMPLE_METADATA_BYTES, SAMPLE_NAME_BYTES. */
#ifndef WEIR_FILTER_SAMPLE_H
#define WEIR_FILTER_SAMPLE_H
#include "call/call.h"

#define SAMPLE_METADATA_BYTES 4096u /* of a head or trailers; what is more is left out */
#define SAMPLE_NAME_BYTES     255u  /* of a service or method */

struct sampler;

extern const struct call_filter filter_sample;

/* With each configuration of a worker. Makes the sampler when a route is sampled; ERR_NOMEM. */
int sampler_install(struct call_env *env, const struct config *config) MUST_USE;
/* After the last call. */
void sampler_destroy(struct call_env *env);
/* GROUP_WORKER's metrics about it. */
void sampler_publish(const struct call_env *env, struct series *worker);
/* A walk over the ring for the latest records of `route` (NULL: of any) and `stream` (0: of any;
 * its call's id), SAMPLE_SEARCH_BYTES at a time. Zeroed but for these is ready. */
#define SAMPLE_SEARCH_BYTES (1u << 20)
struct sample_search {
	const char *route;
	uint64_t stream;
	uint32_t limit;
	uint64_t at, matched; /* where it is; how many there were */
	struct buf found;     /* with lengths, oldest first; the first `gone` bytes do not count */
	size_t gone;
	uint32_t count; /* in `found`, at most `limit` */
};
/* True: it is over. NULL sampler: nothing is there. */
bool sampler_search(const struct sampler *s, struct sample_search *search);
#endif
