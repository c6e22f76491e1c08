/* gather.h - one question to every worker, answered by letter, until a deadline.
 *
 *   home --letter--> worker: collect(owner, question, part), a bounded share a turn (the letter
 *   home <--letter-- worker                 comes again in the next one until the part is whole)
 *
 *   merge(question, part) for each part that comes in time; done(question, g) once: when all have
 *   come, or at the deadline. Parts that come later are dropped, and counted.
 *
 * What it does not: know what is asked. Workers read of `question` only what merge and done leave
 * alone; it lives until drop_question, after the last letter.
 *
 * Owner: itself: it ends when all letters are back, however late. Threads: collect the worker's,
 * all else home's. Errors: ERR_NOMEM; ERR_LIMIT with GATHERS_MAX not back yet, so that a worker
 * that is stuck costs a bounded amount. */
#ifndef WEIR_PROXY_GATHER_H
#define WEIR_PROXY_GATHER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/mailbox.h"
#include "base/wheel.h"

#define GATHERS_MAX 32

struct gather;

struct gather_ops {
	size_t part_bytes; /* of zeroed memory for each worker */
	/* `owner`: of the worker's mailbox. True when the part is whole. */
	bool (*collect)(void *owner, const void *question, void *part);
	void (*stop)(void *part);                  /* instead: nobody waits any more; may be NULL */
	void (*merge)(void *question, void *part); /* may be NULL */
	void (*done)(void *question, const struct gather *g);
	void (*drop_part)(void *part);         /* what it holds, not itself; may be NULL */
	void (*drop_question)(void *question); /* may be NULL */
};

/* Where questions come from. */
struct gather_home {
	struct mailbox *box;
	struct wheel *wheel;
	uint32_t pending;               /* gathers that are not back */
	uint64_t late, missed, refused; /* answers after their deadline; answers that were not there
					   at it; gathers over GATHERS_MAX */
};

/* A worker that is NULL has nothing to say, and is not missing. On success the question belongs to
 * the gather; done may be called before this returns (no workers). */
int gather_begin(struct gather_home *home, const struct gather_ops *ops, void *question,
	struct mailbox *const *workers, uint32_t count, uint64_t deadline_ns) MUST_USE;
uint32_t gather_workers(const struct gather *g);
bool gather_misses(const struct gather *g, uint32_t worker); /* it has not answered */
#endif
