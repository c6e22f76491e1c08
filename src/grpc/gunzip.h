/* gunzip.h - a small piece of gzip or zlib (RFC 1952, RFC 1950), unpacked at once.
 *
 * What it does: unpacks as much as there is room for; nothing that a peer writes makes it take more
 * time or memory than `cap` bytes of output do, and as many bytes of input as there are. What it
 * does not: streams; other codings.
 *
 * Owner: none. Threads: any. Memory: some 7 KiB while it runs, or 40 if there is more than `cap`.
 * Errors: ERR_INVALID (not such a piece, or it breaks off), ERR_NOMEM. */
#ifndef WEIR_GRPC_GUNZIP_H
#define WEIR_GRPC_GUNZIP_H
#include <stddef.h>
#include "base/err.h"

/* Whatever follows behind the end is not looked at. */
int grpc_gunzip(const void *in, size_t len, void *out, size_t cap, size_t *out_len) MUST_USE;
#endif
