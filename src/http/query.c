#include "http/query.h"
#include <stdio.h>
#include <string.h>
#include "base/assert.h"

/* ---- what is allowed, in words ---- */

static void list_choices(struct buf *why, const struct query_key *key)
{
	for (unsigned i = 0; key->choices[i]; i++)
		buf_fmt(why, "%s%s", i ? "|" : "", key->choices[i]);
}

static void list_value(struct buf *why, const struct query_key *key)
{
	switch (key->kind) {
	case QUERY_TEXT:
		buf_str(why, "TEXT");
		break;
	case QUERY_NUMBER:
		buf_fmt(why, "%u..%u", key->least, key->most);
		break;
	case QUERY_CHOICE:
		list_choices(why, key);
		break;
	case QUERY_ID:
		buf_str(why, "W-N");
		break;
	}
}

static int refuse(struct buf *why, const struct query_key *keys, const char *what, const char *at)
{
	buf_str(why, what);
	if (at) {
		size_t len = strcspn(at, "&");
		buf_char(why, ' ');
		buf_json(why, at, len < 64 ? len : 64);
	}
	buf_str(why, keys ? "; allowed: " : "; this page takes no query");
	for (unsigned i = 0; keys && keys[i].name; i++) {
		buf_fmt(why, "%s%s=", i ? ", " : "", keys[i].name);
		list_value(why, &keys[i]);
	}
	return ERR_INVALID;
}

/* ---- parsing ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* One byte of `at`, decoded; what it took. 0: broken. */
static unsigned decode(const char *at, char *out)
{
	*out = *at == '+' ? ' ' : *at;
	if (*at != '%')
		return 1;
	int high = hex(at[1]), low = high < 0 ? -1 : hex(at[2]);
	if (low < 0)
		return 0;
	*out = (char)(high << 4 | low);
	return *out ? 3 : 0;
}

/* Decodes up to `stop` or '&' into `out`; where it stopped, NULL: broken. */
static const char *decode_until(const char *at, char stop, char *out)
{
	while (*at && *at != '&' && *at != stop) {
		unsigned took = decode(at, out++);
		if (!took)
			return NULL;
		at += took;
	}
	*out = '\0';
	return at;
}

/* At most `most`, up to `stop`; behind it, NULL: no such number. */
static const char *parse_digits(const char *text, char stop, uint64_t most, uint64_t *out)
{
	uint64_t n = 0;
	if (*text == stop)
		return NULL;
	for (; *text != stop; text++) {
		if (*text < '0' || *text > '9')
			return NULL;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > most)
			return NULL;
	}
	*out = n;
	return text + 1;
}

static bool parse_number(const struct query_key *key, const char *text, uint64_t *out)
{
	return parse_digits(text, '\0', key->most, out) && *out >= key->least;
}

static bool parse_id(const char *text, uint64_t *out)
{
	uint64_t first, second;
	text = parse_digits(text, '-', QUERY_ID_FIRST_MAX, &first);
	if (!text || !parse_digits(text, '\0', QUERY_ID_SECOND_MAX, &second))
		return false;
	*out = query_id((uint32_t)first, second);
	return true;
}

static bool parse_choice(const struct query_key *key, const char *text, uint64_t *out)
{
	for (unsigned i = 0; key->choices[i]; i++) {
		if (strcmp(key->choices[i], text) != 0)
			continue;
		*out = i;
		return true;
	}
	return false;
}

static bool parse_value(const struct query_key *key, const char *text, uint64_t *out)
{
	switch (key->kind) {
	case QUERY_TEXT:
		return true;
	case QUERY_NUMBER:
		return parse_number(key, text, out);
	case QUERY_CHOICE:
		return parse_choice(key, text, out);
	case QUERY_ID:
		return parse_id(text, out);
	}
	UNREACHABLE();
}

static int find_key(const struct query_key *keys, const char *name)
{
	for (int i = 0; keys && keys[i].name; i++) {
		if (!strcmp(keys[i].name, name))
			return i;
	}
	return -1;
}

/* One pair from `at`, decoded to q->text + *used: where it ended; NULL: refused. */
static const char *parse_pair(struct query *q, const struct query_key *keys, const char *at,
	uint32_t *used, struct buf *why)
{
	char *out = q->text + *used;
	const char *end = decode_until(at, '=', out);
	int key = end ? find_key(keys, out) : -1;
	if (key < 0 || *end != '=') {
		refuse(why, keys,
			key < 0 && end ? "unknown key"
			: end          ? "no value in"
				       : "broken % in",
			at);
		return NULL;
	}
	if (q->given[key]) {
		refuse(why, keys, "twice the same key:", at);
		return NULL;
	}
	end = decode_until(end + 1, '&', out);
	if (!end || !parse_value(&keys[key], out, &q->number[key])) {
		refuse(why, keys, end ? "no such value:" : "broken % in", at);
		return NULL;
	}
	q->given[key] = true;
	q->at[key] = (uint16_t)*used;
	*used += (uint32_t)strlen(out) + 1;
	return end;
}

int query_parse(struct query *q, const struct query_key *keys, const char *path, struct buf *why)
{
	memset(q, 0, sizeof(*q));
	for (unsigned i = 0; keys && keys[i].name; i++) {
		ASSERT(i < QUERY_KEYS_MAX);
		q->number[i] = keys[i].otherwise;
	}
	const char *at = strchr(path, '?');
	if (!at || !*++at)
		return 0;
	if (strlen(at) > QUERY_BYTES_MAX)
		return refuse(why, keys, "a query longer than 1024 bytes", NULL);
	for (uint32_t used = 0;; at++) {
		at = parse_pair(q, keys, at, &used, why);
		if (!at)
			return ERR_INVALID;
		if (!*at)
			return 0;
	}
}

void query_id_text(uint32_t first, uint64_t second, char out[QUERY_ID_BYTES])
{
	snprintf(out, QUERY_ID_BYTES, "%u-%llu", first, (unsigned long long)second);
}
