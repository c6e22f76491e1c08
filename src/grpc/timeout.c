/* timeout.c - grpc-timeout: 1 to 8 digits and a unit (gRPC over HTTP/2, "Timeout"). */
#include <stdio.h>
#include "grpc/status.h"

#define DIGITS_MAX 8
#define VALUE_MAX  99999999ull

static const struct {
	char letter;
	uint64_t ns;
} units[] = {
	/* the longest first */
	{'H', 3600000000000ull},
	{'M', 60000000000ull},
	{'S', 1000000000ull},
	{'m', 1000000ull},
	{'u', 1000ull},
	{'n', 1ull},
};
#define UNITS (sizeof units / sizeof units[0])

int64_t grpc_timeout_parse(const char *text, size_t len)
{
	if (len < 2 || len > DIGITS_MAX + 1)
		return -1;
	uint64_t value = 0;
	for (size_t i = 0; i < len - 1; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	for (size_t u = 0; u < UNITS; u++) {
		if (units[u].letter != text[len - 1])
			continue;
		if (value > (uint64_t)INT64_MAX / units[u].ns)
			return INT64_MAX;
		return (int64_t)(value * units[u].ns);
	}
	return -1;
}

/* The finest unit in which `ns` has at most 8 digits. */
static size_t finest_unit(uint64_t ns)
{
	size_t u = UNITS - 1;
	while (u > 0 && ns > VALUE_MAX * units[u].ns)
		u--;
	return u;
}

size_t grpc_timeout_format(uint64_t ns, char out[16])
{
	if (ns > INT64_MAX) /* 292 years: what grpc_timeout_parse saturates at */
		ns = INT64_MAX;
	/* Rounded up where 8 digits don't hold it all: a deadline must never come early. */
	uint64_t step = units[finest_unit(ns)].ns;
	ns = (ns + step - 1) / step * step;
	/* The longest unit that divides it has the fewest digits. */
	size_t u = 0;
	while (ns % units[u].ns != 0)
		u++;
	if (ns == 0)
		u = UNITS - 1;
	return (size_t)snprintf(
		out, 16, "%llu%c", (unsigned long long)(ns / units[u].ns), units[u].letter);
}
