/* value.h - what scalars mean: numbers, sizes, durations, addresses, names that the kernel knows;
 * and how a limit reads in a message.
 *
 * Sizes: digits and an optional unit, B KiB MiB GiB TiB (powers of 1024) or KB MB GB TB (powers of
 * 1000). Durations: digits and unit, one or more times, units from large to small: 1h30m, 1m30s,
 * 100ms; 0 alone needs no unit. Nothing is rounded, nothing overflows silently. Texts are
 * NUL-terminated at `len`. Errors: false, and `why`; `suggestion` is what was probably meant, ""
 * when there is no guess. */
#ifndef WEIR_CONFIG_VALUE_H
#define WEIR_CONFIG_VALUE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/err.h"

/* Why a value is not acceptable: said in brackets behind what was expected. Both may be "". */
struct value_fault {
	const char *why;
	char suggestion[96];
};
/* What a value that can't be used returns. */
static inline bool value_fail(struct value_fault *fault, const char *why)
{
	fault->why = why;
	return false;
}

bool value_whole(const char *text, size_t len, uint64_t *out, struct value_fault *fault) MUST_USE;
bool value_size(const char *text, size_t len, uint64_t *bytes, struct value_fault *fault) MUST_USE;
bool value_duration(const char *text, size_t len, uint64_t *ns, struct value_fault *fault) MUST_USE;
/* IP:PORT with a literal IPv4 address or an IPv6 one in brackets; port 0..65535. */
bool value_address(const char *text, size_t len, struct sockaddr_storage *sa, socklen_t *sa_len,
	struct value_fault *fault) MUST_USE;
/* A congestion control that this process may give to its sockets: one is asked. */
bool value_congestion_control(const char *text, size_t len, struct value_fault *fault) MUST_USE;

#define VALUE_TEXT_MAX 48
/* "512MiB", "1000B"; "1m30s", "100ms". */
void value_size_text(uint64_t bytes, char out[VALUE_TEXT_MAX]);
void value_duration_text(uint64_t ns, char out[VALUE_TEXT_MAX]);
#endif
