/* query.h - the query of a request's path, parsed strictly against a table of the keys that a page
 * knows.
 *
 * What it does: key=value pairs between '&', percent-decoded, '+' is a space; every key at most
 * once; numbers in decimal and in their range, choices by name. Whatever else there is (unknown key
 * or value, missing '=', an empty pair, broken %, %00, too long) is refused with a text that names
 * it and lists what is allowed. What it does not: guess.
 *
 * Owner: the caller's; plain data, copied freely, also to other threads. Errors: ERR_INVALID with
 * the text. Limits: QUERY_KEYS_MAX keys a table, QUERY_BYTES_MAX bytes of query. */
#ifndef WEIR_HTTP_QUERY_H
#define WEIR_HTTP_QUERY_H
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

#define QUERY_KEYS_MAX  16
#define QUERY_BYTES_MAX 1024

enum query_kind { QUERY_TEXT, QUERY_NUMBER, QUERY_CHOICE, QUERY_ID /* W-N */ };

struct query_key {
	const char *name; /* NULL ends a table */
	enum query_kind kind;
	const char *const *choices;      /* QUERY_CHOICE: ends with NULL */
	uint32_t least, most, otherwise; /* a number's range; the value where none is given (a
					    choice's: its index) */
};

/* By index of the key in its table. */
struct query {
	bool given[QUERY_KEYS_MAX];
	uint64_t number[QUERY_KEYS_MAX]; /* or index of the choice, or the id */
	uint16_t at[QUERY_KEYS_MAX];     /* of the decoded value in `text` */
	char text[QUERY_BYTES_MAX + 1];
};

/* `path` is a whole path; its query begins behind the first '?'. `keys` NULL: no query is allowed.
 * `why` gets a line of text in case of ERR_INVALID. */
int query_parse(
	struct query *q, const struct query_key *keys, const char *path, struct buf *why) MUST_USE;

static inline uint32_t query_number(const struct query *q, unsigned key)
{
	return (uint32_t)q->number[key];
}
/* NULL: not given. */
static inline const char *query_text(const struct query *q, unsigned key)
{
	return q->given[key] ? q->text + q->at[key] : NULL;
}
/* W-N: the text of an id, wherever one is shown. */
#define QUERY_ID_BYTES 32 /* with a NUL */
void query_id_text(uint32_t first, uint64_t second, char out[QUERY_ID_BYTES]);
/* W-N, as one number. */
#define QUERY_ID_FIRST_MAX  0xffffull
#define QUERY_ID_SECOND_MAX 0xffffffffffffull
static inline uint64_t query_id(uint32_t first, uint64_t second)
{
	return (uint64_t)first << 48 | second;
}
static inline uint32_t query_id_first(uint64_t id)
{
	return (uint32_t)(id >> 48);
}
static inline uint64_t query_id_second(uint64_t id)
{
	return id & QUERY_ID_SECOND_MAX;
}
#endif
