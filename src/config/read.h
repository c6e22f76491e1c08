/* read.h - the schema: which keys a mapping has, and how a tree becomes a struct under its
 * direction.
 *
 * config.def makes one `struct section` for each kind of mapping. read_section checks a mapping
 * against it (unknown, repeated and missing keys), then runs each key's decoder, which checks the
 * value and writes it into the struct. Decoders report and go on, so that one run finds every
 * error; where one failed, the member stays zero or NULL, and whoever looks at it later must bear
 * that.
 *
 * Owner: one parse; strings and arrays go to the snapshot's arena. One thread.
 * Errors: in `report`, or `no_memory`. Either means that there will be no snapshot. */
#ifndef WEIR_CONFIG_READ_H
#define WEIR_CONFIG_READ_H
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "config/config.h"
#include "config/node.h"
#include "config/report.h"

struct reader {
	struct report report;
	struct arena scratch; /* nodes: until the end of the parse */
	struct arena *arena;  /* the snapshot's */
	struct config *config;
	bool no_memory;
	bool clusters_known; /* false: there is no list of clusters, so names in routes are not
				judged */
};

/* Where in the text we are, for messages: routes[0].match.path. The root is NULL. */
struct where {
	const struct where *up;
	const char *key; /* NULL: an item of a list */
	uint32_t index;
};

enum section_id {
#define TYPE(id, name, expects, range)
#define SECTION(id, path, type) SECTION_##id,
#define KEY(section, name, type, member, need, dflt, min, max, help)
#include "config/config.def"
#undef TYPE
#undef SECTION
#undef KEY
	SECTION_COUNT,
};

enum range { RANGE_NONE, RANGE_NUMBER, RANGE_SIZE, RANGE_DURATION, RANGE_ITEMS };
enum need { NEED_REQUIRED, NEED_DEFAULT, NEED_OPTIONAL };

struct key;
/* `into` is the struct of the key's section. */
typedef void decode_fn(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into);

struct value_type {
	const char *name, *expects;
	enum range range;
	decode_fn *decode;
};
struct key {
	enum section_id section;
	const char *name, *dflt, *help;
	const struct value_type *type;
	enum need need;
	uint64_t min, max;
	uint32_t offset, bytes; /* of the member */
};
extern const struct key config_keys[]; /* in the order of config.def */
extern const uint32_t config_key_count;
extern const char *const section_paths[SECTION_COUNT]; /* in the reference: "routes[].match" */
#define SECTION_KEYS_MAX 16
const struct key *section_keys(enum section_id id, uint32_t *count); /* at most SECTION_KEYS_MAX */

/* True when `n` is a mapping and all its keys are known: then what is missing is really missing. */
bool read_section(struct reader *r, const struct where *w, const struct node *n, enum section_id id,
	void *into);

/* Reports when not exactly one of `names` (ended by NULL) is a key of `n`; `said` is how a message
 * lists them. */
void read_exactly_one(struct reader *r, const struct where *w, const struct node *n,
	const char *const *names, const char *said);

/* Reports "PATH: expected WHAT, got VALUE (why); did you mean ...?". why and suggestion may be NULL
 * or
 * "". */
void read_unexpected(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, const char *why, const char *suggestion);

/* A list of `item_bytes` each, zeroed, in the snapshot's arena; `item` decodes one into its place.
 * NULL with *count 0: empty, or reported. */
typedef void item_fn(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into);
void *read_list(struct reader *r, const struct where *w, const struct node *n, const struct key *k,
	item_fn *item, size_t item_bytes, uint32_t *count);

/* One of some words: bit i of a set stands for names[i]. */
struct choice {
	const char *expects;
	const char *names[4]; /* ended by NULL */
};
void read_choice(struct reader *r, const struct where *w, const struct node *n, const struct key *k,
	const struct choice *choice, uint8_t *bit);
/* A list of such words, each once, as a set; `item` calls read_choice. */
uint8_t read_choices(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, item_fn *item);

/* Reports items of a list of mappings that have the same name; `items` are structs whose first
 * member is `char *name`, NULL where it could not be read. */
void read_unique_names(struct reader *r, const struct where *w, const struct node *list,
	const char *what, const void *items, uint32_t count, size_t item_bytes);

char *read_string(
	struct reader *r, const char *text, size_t len); /* a copy in the arena; NULL: no_memory */
void *read_alloc(struct reader *r, size_t bytes);        /* zeroed; NULL: no_memory */

/* "routes[0].match"; "the top level" for the root. */
#define WHERE_TEXT_MAX 128
void where_text(const struct where *w, char out[WHERE_TEXT_MAX]);
/* "a size such as 64KiB or 512MiB, from 1KiB to 16MiB" */
#define KEY_EXPECTS_MAX 256
void key_expects(const struct key *k, char out[KEY_EXPECTS_MAX]);
/* "1KiB to 16MiB", "" without a range. */
#define KEY_RANGE_MAX 112
void key_range(const struct key *k, char out[KEY_RANGE_MAX]);

#define TYPE(id, name, expects, range) decode_fn decode_##id;
#define SECTION(id, path, type)
#define KEY(section, name, type, member, need, dflt, min, max, help)
#include "config/config.def"
#undef TYPE
#undef SECTION
#undef KEY

/* cover.c: true when every call that `later` matches is matched by `earlier` too. */
bool match_covers(const struct config_match *earlier, const struct config_match *later);
#endif
