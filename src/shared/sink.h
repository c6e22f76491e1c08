/* sink.h - outputs of records (log lines, samples) that never block who writes.
 *
 *   worker: sink_put, sink_put ... -> its batch --sink_flush, once a turn--> mailbox
 *                                                                              |
 *   one writer thread for all sinks:   poll, writev  <- queue of each sink <---'
 *
 * What it does: takes whole records from any thread, writes them in order (of each producer) to
 * standard error or to a file, follows a renamed file on request, counts all. What it does not:
 * know what a record is; add line ends or lengths.
 *
 * Bounded: at most sinks_set_limit bytes wait for one sink (SINK_OVERHEAD_BYTES more for each
 * record); what comes above that, or is longer than SINK_RECORD_BYTES_MAX, is dropped whole and
 * counted. A pipe that nobody reads and a disk that is full are tried again when they may have room
 * (SINK_RETRY_MS): nothing is lost before the bound is reached. Records of up to 4096 bytes
 * (PIPE_BUF) get into a pipe in one piece, also among other writers. A sink lives until
 * sinks_destroy, as streams of older configurations may still write to it.
 *
 * Owner: control. Threads: sinks_* and sink_open by the owner only; sink_put and sink_flush by
 * whoever has the producer; sink_stats by any.
 * Errors: ERR_SYS with errno; a write error is counted, logged at its first, and tried again. */
#ifndef WEIR_SHARED_SINK_H
#define WEIR_SHARED_SINK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

#define SINKS_MAX             16u /* different outputs, in the life of a process */
#define SINK_RECORD_BYTES_MAX (1u << 20)
#define SINK_OVERHEAD_BYTES   4u           /* a record costs its bytes and these */
#define SINK_LIMIT_DEFAULT    (4ull << 20) /* limits.output_bytes */
#define SINK_RETRY_MS         1000
#define SINK_STOP_MS          1000 /* what is not written by then, is lost */

struct sinks;
struct sink;
struct sink_batch;

/* A thread's unfinished batches; zeroed is ready. */
struct sink_producer {
	struct sink_batch *pending[SINKS_MAX];
	uint32_t waiting; /* bit by sink: it has one */
};

struct sink_stats {
	uint64_t records, bytes; /* written */
	uint64_t dropped;        /* records */
	uint64_t errors;         /* writes and reopenings that failed */
	uint64_t waiting_bytes;  /* put and not yet written, overhead included */
};

struct sinks *sinks_create(void) MUST_USE; /* NULL: out of memory or descriptors */
/* Writes what waits, for SINK_STOP_MS at most, and ends the thread. Answers how many records were
 * lost. Producers have been flushed and put nothing more. NULL is fine. */
uint64_t sinks_destroy(struct sinks *all);
void sinks_set_limit(struct sinks *all, uint64_t bytes); /* of each sink */
/* The same object for the same path; NULL path: standard error. A file is created with mode 0640
 * and appended to. The thread starts with the first. NULL: errno says why (ENOSPC: SINKS_MAX). */
struct sink *sink_open(struct sinks *all, const char *path) MUST_USE;
/* Opens each file anew by its path. One that cannot be opened keeps the old file; said in the log.
 */
void sinks_reopen(struct sinks *all);
/* Calls `see` for each sink; `path` is "stderr" for standard error. */
void sinks_each(struct sinks *all,
	void (*see)(void *ctx, const char *path, const struct sink_stats *stats), void *ctx);
void sink_stats(const struct sink *s, struct sink_stats *out);

/* One record, copied. False: dropped and counted. */
bool sink_put(struct sink *s, struct sink_producer *p, const void *record, size_t len);
/* Counts one as dropped that could not even be made. */
void sink_drop(struct sink *s);
void sink_hand_over(struct sink_producer *p);
/* At the end of a turn, and before the producer goes. */
static inline void sink_flush(struct sink_producer *p)
{
	if (p->waiting)
		sink_hand_over(p);
}
#endif
