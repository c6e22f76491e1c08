/* publish.h - a worker's plain counters (h2_books and the like) into its metrics slab, as
 * differences since the last time. Runs when a page asks, not on the data path. */
#ifndef WEIR_PROXY_PUBLISH_H
#define WEIR_PROXY_PUBLISH_H
#include "proxy/worker.h"

void publish_books(struct worker *w);
#endif
