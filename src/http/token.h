/* token.h - names that Weir knows, as small integers.
 *
 * token.def lists them once: TOKEN(id, "name", flags). Pseudo-headers come first, then the rest of
 * the HPACK static table and what gRPC, tracing and proxies use. token_find turns a name into its
 * token (TOKEN_OTHER when unknown) by a perfect or near-perfect hash over length and a few bytes.
 *
 * Flags say what every room would otherwise decide again:
 *   TF_PSEUDO     a pseudo-header
 *   TF_HOP        connection-specific: forbidden in HTTP/2 (RFC 9113 8.2.2), stripped from HTTP/1.1
 *   TF_NO_INDEX   values of high cardinality: not put into an HPACK table (request ids,
 *                 traceparent, grpc-timeout, content-length, date, :path of GET with a query is
 *                 decided by the encoder ...)
 *   TF_SECRET     never-indexed literal (RFC 7541 7.1.3) and redacted in every log: authorization,
 *                 set-cookie, proxy-authorization (of cookie, the encoder decides by length)
 *   TF_SINGLE     may appear at most once (pseudo-headers, content-length, content-type, te) */
#ifndef WEIR_HTTP_TOKEN_H
#define WEIR_HTTP_TOKEN_H
#include <stdint.h>
#include <stddef.h>

enum token {
#define TOKEN(id, name, flags) TOKEN_##id,
#include "http/token.def"
#undef TOKEN
	TOKEN_OTHER, /* a name that the table does not know */
};
#define TOKEN_COUNT TOKEN_OTHER

enum {
	TF_PSEUDO = 1,
	TF_HOP = 2,
	TF_NO_INDEX = 4,
	TF_SECRET = 8,
	TF_SINGLE = 16,
};

enum token token_find(const void *name, size_t len); /* lower-case names only */
const char *token_name(enum token t);                /* TOKEN_OTHER: "" */
size_t token_name_len(enum token t);
unsigned token_flags(enum token t); /* TOKEN_OTHER: 0 */
#endif
