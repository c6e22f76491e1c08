/* status.h - grpc-status codes, their names, their text on the wire (gRPC over HTTP/2
 * specification), and the mappings from HTTP status and HTTP/2 error codes that the specification
 * gives. */
#ifndef WEIR_GRPC_STATUS_H
#define WEIR_GRPC_STATUS_H
#include <stddef.h>
#include <stdint.h>

enum grpc_status {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
	GRPC_STATUS_COUNT = 17,
};

const char *grpc_status_name(unsigned status); /* "UNAVAILABLE"; out of range: "UNKNOWN" */
/* Decimal text of a grpc-status value: 0..16, else -1. */
int grpc_status_parse(const char *text, size_t len);
enum grpc_status grpc_status_of_http(unsigned http_status); /* http-grpc-status-mapping */
enum grpc_status grpc_status_of_h2_code(uint32_t code);     /* "Errors" section */
/* Percent-encodes a grpc-message (RFC 3986 2.1 as the gRPC spec says): 0x20-0x7e but '%' pass.
 * Writes at most out_cap bytes, whole escapes only; the length. */
size_t grpc_message_encode(const char *text, size_t len, char *out, size_t out_cap);
size_t grpc_message_decode(const char *text, size_t len, char *out, size_t out_cap);
/* A grpc-timeout value ("100m") in nanoseconds, saturated; -1 when malformed. */
int64_t grpc_timeout_parse(const char *text, size_t len);
/* The shortest exact-or-rounded-up value, NUL-terminated; its length (<= 9). */
size_t grpc_timeout_format(uint64_t ns, char out[16]);
/* Splits "/pkg.Service/Method"; 0, or ERR_INVALID when it has not exactly that shape. */
int grpc_path_split(const char *path, size_t len, const char **service, size_t *service_len,
	const char **method, size_t *method_len);
#endif
