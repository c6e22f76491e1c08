/* http_get.h - one GET of our own, over HTTP/1.1 on a connection of its own; blocking.
 *
 * What it does: connects, asks, collects the whole content. What it does not: redirects, TLS, names
 * (the address is literal), anything on a worker: it blocks up to its deadline.
 *
 * Threads: any that may block. Errors: negative enum err, and `why` in words: "connection refused",
 * "no answer in 5000 ms", "more than 1048576 bytes", ... An HTTP status that is not 200 is not an
 * error here. */
#ifndef WEIR_CLIENT_HTTP_GET_H
#define WEIR_CLIENT_HTTP_GET_H
#include <stdint.h>
#include <sys/socket.h>
#include "base/buf.h"
#include "base/err.h"

struct http_get {
	const struct sockaddr_storage *sa;
	socklen_t sa_len;
	const char *authority; /* for Host: "127.0.0.1:9901" */
	const char *path;      /* "/metrics" */
	const char *accept;    /* NULL: none is sent */
	uint64_t timeout_ns;   /* for all of it */
	size_t body_max_bytes;
	int wake_fd; /* 0: none. Input there ends the wait: ERR_AGAIN, and nothing in `why` */
};
#define HTTP_GET_WHY_MAX 128

/* `body` is initialised by the caller, and cleared here. */
int http_get(const struct http_get *g, unsigned *status, struct buf *body,
	char why[HTTP_GET_WHY_MAX]) MUST_USE;
#endif
