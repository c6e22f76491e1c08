#include "config/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Large to small: formatting takes the first that divides. */
static const struct unit binary_units[] = {{"TiB", 1ull << 40}, {"GiB", 1ull << 30},
	{"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1}};
static const struct unit decimal_units[] = {
	{"TB", 1000000000000ull}, {"GB", 1000000000ull}, {"MB", 1000000ull}, {"KB", 1000ull}};
static const struct unit time_units[] = {
	{"h", 3600000000000ull}, {"m", 60000000000ull}, {"s", 1000000000ull}, {"ms", 1000000ull}};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* How people write units that are not ours. */
static const struct unit time_habits[] = {{"sec", 2}, {"secs", 2}, {"second", 2}, {"seconds", 2},
	{"min", 1}, {"mins", 1}, {"minute", 1}, {"minutes", 1}, {"hour", 0}, {"hours", 0},
	{"hr", 0}, {"msec", 3}, {"millis", 3}};
static const struct unit size_habits[] = {
	{"t", 0}, {"g", 1}, {"m", 2}, {"k", 3}, {"ti", 0}, {"gi", 1}, {"mi", 2}, {"ki", 3}};

static void suggest(struct value_fault *fault, size_t digits, const char *text, const char *unit)
{
	snprintf(fault->suggestion, sizeof(fault->suggestion), "%.*s%s",
		(int)(digits > 20 ? 20 : digits), text, unit);
}

/* Leading digits: how many; 0 also when there is an overflow (`fault` says it). */
static size_t digits(const char *text, size_t len, uint64_t *out, struct value_fault *fault)
{
	uint64_t v = 0;
	size_t i = 0;
	for (; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
		if (__builtin_mul_overflow(v, 10u, &v) ||
			__builtin_add_overflow(v, (uint64_t)(text[i] - '0'), &v)) {
			fault->why = "too large";
			return 0;
		}
	}
	*out = v;
	return i;
}

bool value_whole(const char *text, size_t len, uint64_t *out, struct value_fault *fault)
{
	*fault = (struct value_fault){.why = ""};
	size_t n = digits(text, len, out, fault);
	return n > 0 && n == len;
}

static const struct unit *unit_find(
	const struct unit *units, size_t count, const char *name, size_t len, bool any_case)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(units[i].name) == len &&
			!(any_case ? strncasecmp : strncmp)(units[i].name, name, len))
			return &units[i];
	return NULL;
}

bool value_size(const char *text, size_t len, uint64_t *bytes, struct value_fault *fault)
{
	*fault = (struct value_fault){.why = ""};
	uint64_t v;
	size_t n = digits(text, len, &v, fault);
	if (n == 0)
		return false;
	if (text[n] == '.')
		return value_fail(fault, "no fractions: take the next smaller unit");

	const char *name = text + n;
	size_t name_len = len - n;
	const struct unit *u = name_len ? NULL : &binary_units[4];
	if (!u)
		u = unit_find(binary_units, COUNT(binary_units), name, name_len, false);
	if (!u)
		u = unit_find(decimal_units, COUNT(decimal_units), name, name_len, false);
	if (u) {
		if (__builtin_mul_overflow(v, u->factor, bytes))
			return value_fail(fault, "too large");
		return true;
	}

	while (name_len && *name == ' ') {
		name++;
		name_len--;
	}
	u = unit_find(size_habits, COUNT(size_habits), name, name_len, true);
	if (u)
		u = &binary_units[u->factor];
	if (!u)
		u = unit_find(binary_units, COUNT(binary_units), name, name_len, true);
	if (!u)
		u = unit_find(decimal_units, COUNT(decimal_units), name, name_len, true);
	if (u)
		suggest(fault, n, text, u->name);
	return value_fail(fault, "units are B, KiB, MiB, GiB, TiB, KB, MB, GB, TB");
}

static bool duration_unit_unknown(const char *text, size_t at, size_t n, const char *name,
	size_t name_len, struct value_fault *fault)
{
	const struct unit *u = unit_find(time_habits, COUNT(time_habits), name, name_len, true);
	if (u)
		u = &time_units[u->factor];
	if (!u)
		u = unit_find(time_units, COUNT(time_units), name, name_len, true);
	if (!u && name_len == 0)
		u = &time_units[2];
	if (u && at == 0)
		suggest(fault, n, text, u->name);
	return value_fail(fault, "units are h, m, s, ms");
}

bool value_duration(const char *text, size_t len, uint64_t *ns, struct value_fault *fault)
{
	*fault = (struct value_fault){.why = ""};
	uint64_t sum = 0, above = UINT64_MAX;
	if (len == 1 && text[0] == '0') {
		*ns = 0;
		return true;
	}
	for (size_t at = 0; at < len;) {
		uint64_t v;
		size_t n = digits(text + at, len - at, &v, fault);
		if (n == 0)
			return false;
		if (text[at + n] == '.')
			return value_fail(fault, "no fractions: take the next smaller unit");
		const char *name = text + at + n;
		while (*name == ' ')
			name++;
		size_t name_len = 0;
		while (name[name_len] && !(name[name_len] >= '0' && name[name_len] <= '9'))
			name_len++;
		const struct unit *u =
			unit_find(time_units, COUNT(time_units), name, name_len, false);
		if (!u || name != text + at + n)
			return duration_unit_unknown(text, at, n, name, name_len, fault);
		if (u->factor >= above)
			return value_fail(fault, "each unit once, from large to small");
		above = u->factor;
		if (__builtin_mul_overflow(v, u->factor, &v) ||
			__builtin_add_overflow(sum, v, &sum))
			return value_fail(fault, "too large");
		at += n + name_len;
	}
	*ns = sum;
	return len > 0;
}

void value_size_text(uint64_t bytes, char out[VALUE_TEXT_MAX])
{
	const struct unit *u = binary_units;
	while (u->factor > 1 && (bytes == 0 || bytes % u->factor))
		u++;
	snprintf(out, VALUE_TEXT_MAX, "%" PRIu64 "%s", bytes / u->factor, u->name);
}

void value_duration_text(uint64_t ns, char out[VALUE_TEXT_MAX])
{
	size_t at = 0;
	if (ns < time_units[3].factor) {
		snprintf(out, VALUE_TEXT_MAX, "0s");
		return;
	}
	for (size_t i = 0; i < COUNT(time_units) && at < VALUE_TEXT_MAX; i++) {
		uint64_t v = ns / time_units[i].factor;
		ns %= time_units[i].factor;
		if (v)
			at += (size_t)snprintf(out + at, VALUE_TEXT_MAX - at, "%" PRIu64 "%s", v,
				time_units[i].name);
	}
}
