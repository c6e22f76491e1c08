/* front1.h - a front whose client speaks HTTP/1: an admin listener serves it, others answer 505.
 * The part of struct front that is made only when it is needed. Owner: its front. */
#ifndef WEIR_PROXY_FRONT1_H
#define WEIR_PROXY_FRONT1_H
#include "proxy/front.h"

/* `bytes` came first; the rest follows by front1_feed. ERR_NOMEM. */
int front1_begin(struct front *f, const uint8_t *bytes, uint32_t len) MUST_USE;
void front1_feed(struct front *f, struct slice in); /* takes it */
bool front1_eof(struct front *f); /* the client's FIN: true when it still gets an answer */
bool front1_wants_read(const struct front *f);
int front1_output(struct front *f, struct iovec *iov, int max);
void front1_written(struct front *f, size_t bytes);
void front1_lost(struct front *f);
void front1_destroy(struct front *f);
#endif
