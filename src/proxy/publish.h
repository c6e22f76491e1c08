/* publish.h - a worker's plain counters (h2_books and the like) and the stalls of its calls into
 * its metrics slab, as differences since the last time. Runs when a page asks, not on the data
 * path; with very many calls, over several turns. */
#ifndef WEIR_PROXY_PUBLISH_H
#define WEIR_PROXY_PUBLISH_H
#include "proxy/walk.h"
#include "proxy/worker.h"

/* At most `most` calls, and then the rest; true when all is there. `k`: zeroed at first. */
bool publish_some(struct worker *w, struct walk *k, unsigned most);

/* For gathers that begin with it: parts of this size, collected and stopped by these. */
#define PUBLISH_PART_BYTES sizeof(struct walk)
bool publish_collect(void *worker, const void *question, void *part);
void publish_stop(void *part);
#endif
