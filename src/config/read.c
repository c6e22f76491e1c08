#include "config/read.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "config/suggest.h"
#include "config/value.h"

void *read_alloc(struct reader *r, size_t bytes)
{
	void *p = arena_alloc(r->arena, bytes);
	if (p)
		memset(p, 0, bytes);
	else
		r->no_memory = true;
	return p;
}

char *read_string(struct reader *r, const char *text, size_t len)
{
	char *p = arena_dup(r->arena, text, len);
	if (!p)
		r->no_memory = true;
	return p;
}

static size_t where_put(const struct where *w, char *out, size_t cap)
{
	size_t at = w->up ? where_put(w->up, out, cap) : 0;
	int n = w->key ? snprintf(out + at, cap - at, "%s%s", at ? "." : "", w->key)
		       : snprintf(out + at, cap - at, "[%u]", w->index);
	ASSERT(n > 0 && (size_t)n < cap - at); /* keys come from config.def, so paths are short */
	return at + (size_t)n;
}

void where_text(const struct where *w, char out[WHERE_TEXT_MAX])
{
	if (w)
		where_put(w, out, WHERE_TEXT_MAX);
	else
		snprintf(out, WHERE_TEXT_MAX, "the top level");
}

static void limit_text(const struct key *k, uint64_t v, char out[VALUE_TEXT_MAX])
{
	switch (k->type->range) {
	case RANGE_SIZE:
		value_size_text(v, out);
		return;
	case RANGE_DURATION:
		value_duration_text(v, out);
		return;
	case RANGE_NONE:
	case RANGE_NUMBER:
	case RANGE_ITEMS:
		snprintf(out, VALUE_TEXT_MAX, "%" PRIu64, v);
		return;
	}
}

void key_range(const struct key *k, char out[KEY_RANGE_MAX])
{
	char low[VALUE_TEXT_MAX], high[VALUE_TEXT_MAX];
	limit_text(k, k->min, low);
	limit_text(k, k->max, high);
	if (k->type->range == RANGE_NONE)
		out[0] = '\0';
	else
		snprintf(out, KEY_RANGE_MAX, "%s to %s%s", low, high,
			k->type->range == RANGE_ITEMS ? " items" : "");
}

void key_expects(const struct key *k, char out[KEY_EXPECTS_MAX])
{
	char range[KEY_RANGE_MAX];
	key_range(k, range);
	if (k->type->range == RANGE_NONE)
		snprintf(out, KEY_EXPECTS_MAX, "%s", k->type->expects);
	else
		snprintf(out, KEY_EXPECTS_MAX, "%s%s%s", k->type->expects,
			k->type->range == RANGE_NUMBER  ? " from "
			: k->type->range == RANGE_ITEMS ? ", "
							: ", from ",
			range);
}

static struct clip got(const struct node *n)
{
	if (n->kind == NODE_SCALAR && (n->quoted || n->len))
		return clip(n->text, n->len);
	struct clip c;
	snprintf(c.text, sizeof(c.text), "%s",
		n->kind == NODE_SCALAR ? "nothing"
		: n->kind == NODE_MAP  ? "a mapping"
		: n->count             ? "a list"
				       : "an empty list");
	return c;
}

void read_unexpected(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, const char *why, const char *suggestion)
{
	char path[WHERE_TEXT_MAX], expects[KEY_EXPECTS_MAX];
	where_text(w, path);
	key_expects(k, expects);
	bool reason = why && *why, meant = suggestion && *suggestion;
	report_add(&r->report, n->line, n->column, "%s: expected %s, got %s%s%s%s%s%s%s", path,
		expects, got(n).text, reason ? " (" : "", reason ? why : "", reason ? ")" : "",
		meant ? "; did you mean \"" : "", meant ? suggestion : "", meant ? "\"?" : "");
}

/* "hosts, method, path, headers" */
static void key_names(enum section_id id, struct buf *out)
{
	uint32_t count;
	const struct key *keys = section_keys(id, &count);
	for (uint32_t i = 0; i < count; i++)
		buf_fmt(out, "%s%s", i ? ", " : "", keys[i].name);
}

/* The index of the key that was probably meant; the number of keys when there is no guess. */
static uint32_t unknown_key(
	struct reader *r, const struct where *w, const struct node *key, enum section_id id)
{
	char path[WHERE_TEXT_MAX];
	struct suggestion s;
	struct buf names;
	uint32_t count, meant = 0;
	const struct key *keys = section_keys(id, &count);

	if (report_full(&r->report)) {
		report_add(&r->report, 0, 0, " "); /* counted only */
		return count;
	}
	where_text(w, path);
	buf_init(&names);
	key_names(id, &names);
	buf_str(&names, "");
	suggestion_init(&s, key->text, key->len);
	for (uint32_t i = 0; i < count; i++)
		suggestion_offer(&s, keys[i].name);
	report_add(&r->report, key->line, key->column, "unknown key %s %s %s, expected %s%s%s%s%s",
		clip(key->text, key->len).text, w ? "in" : "at", path, count > 1 ? "one of " : "",
		names.failed ? "" : names.bytes, s.best ? "; did you mean \"" : "",
		s.best ? s.best : "", s.best ? "\"?" : "");
	r->no_memory |= names.failed;
	buf_fini(&names);
	while (meant < count && keys[meant].name != s.best)
		meant++;
	return meant;
}

static void not_a_mapping(
	struct reader *r, const struct where *w, const struct node *n, enum section_id id)
{
	char path[WHERE_TEXT_MAX];
	struct buf names;
	where_text(w, path);
	buf_init(&names);
	key_names(id, &names);
	report_add(&r->report, n->line, n->column, "%s: expected a mapping with %s, got %s", path,
		names.failed ? "" : names.bytes, got(n).text);
	r->no_memory |= names.failed;
	buf_fini(&names);
}

static void default_value(struct reader *r, const struct where *w, const struct node *section,
	const struct key *k, void *into)
{
	bool map = !strcmp(k->dflt, "{}");
	struct node n = {.kind = map ? NODE_MAP : NODE_SCALAR,
		.line = section->line,
		.column = section->column,
		.text = k->dflt,
		.len = (uint32_t)strlen(k->dflt)};
	k->type->decode(r, w, &n, k, into);
}

/* Sorts the values of a mapping into `found`; true when all its keys are known. `misspelt` gets
 * true for keys that an unknown one probably meant. */
static bool find_keys(struct reader *r, const struct where *w, const struct node *n,
	enum section_id id, const struct node **found, bool *misspelt)
{
	uint32_t count;
	const struct key *keys = section_keys(id, &count);
	bool all_known = true;
	char path[WHERE_TEXT_MAX];

	where_text(w, path);
	for (const struct node *v = n->first; v; v = v->next) {
		uint32_t i = 0;
		while (i < count && strcmp(keys[i].name, v->key->text))
			i++;
		if (i == count) {
			i = unknown_key(r, w, v->key, id);
			if (i < count)
				misspelt[i] = true;
			all_known = false;
		} else if (found[i]) {
			report_add(&r->report, v->key->line, v->key->column,
				"key \"%s\" twice %s %s, expected once; the first is in line %u",
				keys[i].name, w ? "in" : "at", path, found[i]->key->line);
		} else {
			found[i] = v;
		}
	}
	return all_known;
}

static void missing_key(
	struct reader *r, const struct where *w, const struct node *n, const struct key *k)
{
	char path[WHERE_TEXT_MAX], expects[KEY_EXPECTS_MAX];
	where_text(w, path);
	key_expects(k, expects);
	report_add(&r->report, n->line, n->column, "missing key \"%s\" %s %s, expected %s", k->name,
		w ? "in" : "at", path, expects);
}

bool read_section(struct reader *r, const struct where *w, const struct node *n, enum section_id id,
	void *into)
{
	uint32_t count;
	const struct key *keys = section_keys(id, &count);
	const struct node *found[SECTION_KEYS_MAX] = {0};
	bool misspelt[SECTION_KEYS_MAX] = {false};

	if (n->kind != NODE_MAP) {
		not_a_mapping(r, w, n, id);
		return false;
	}
	bool all_known = find_keys(r, w, n, id, found, misspelt);
	for (uint32_t i = 0; i < count; i++) {
		const struct key *k = &keys[i];
		struct where at = {w, k->name, 0};
		if (found[i])
			k->type->decode(r, &at, found[i], k, into);
		else if (k->need == NEED_DEFAULT)
			default_value(r, &at, n, k, into);
		else if (k->need == NEED_REQUIRED && !misspelt[i])
			missing_key(r, w, n, k);
	}
	return all_known;
}

void read_exactly_one(struct reader *r, const struct where *w, const struct node *n,
	const char *const *names, const char *said)
{
	char path[WHERE_TEXT_MAX];
	const struct node *first = NULL, *second = NULL;
	for (const char *const *name = names; *name; name++) {
		const struct node *v = node_get(n, *name);
		if (v && first)
			second = v;
		else if (v)
			first = v;
	}
	if (first && !second)
		return;
	const struct node *at = second ? second->key : n;
	where_text(w, path);
	report_add(&r->report, at->line, at->column, "%s: expected exactly one of %s, got %s%s%s",
		path, said, first ? first->key->text : "none", second ? " and " : "",
		second ? second->key->text : "");
}

void *read_list(struct reader *r, const struct where *w, const struct node *n, const struct key *k,
	item_fn *item, size_t item_bytes, uint32_t *count)
{
	*count = 0;
	if (n->kind != NODE_LIST) {
		read_unexpected(
			r, w, n, k, n->kind == NODE_SCALAR && n->len ? "write [...]" : NULL, NULL);
		return NULL;
	}
	if (n->count < k->min || n->count > k->max) {
		char why[64];
		snprintf(why, sizeof(why), "%u items", n->count);
		read_unexpected(r, w, n, k, n->count ? why : NULL, NULL);
		return NULL;
	}
	if (n->count == 0)
		return NULL;
	uint8_t *items = read_alloc(r, n->count * item_bytes);
	if (!items)
		return NULL;
	uint32_t i = 0;
	for (const struct node *v = n->first; v; v = v->next, i++) {
		struct where at = {w, NULL, i};
		item(r, &at, v, k, items + i * item_bytes);
	}
	*count = n->count;
	return items;
}

void read_choice(struct reader *r, const struct where *w, const struct node *n, const struct key *k,
	const struct choice *choice, uint8_t *bit)
{
	const struct value_type type = {"", choice->expects, RANGE_NONE, NULL};
	const struct key one = {.name = k->name, .type = &type};
	struct suggestion s;
	suggestion_init(&s, n->kind == NODE_SCALAR ? n->text : "", n->len);
	for (unsigned i = 0; choice->names[i]; i++) {
		if (n->kind == NODE_SCALAR && !strcmp(n->text, choice->names[i]))
			*bit = (uint8_t)(1u << i);
		suggestion_offer(&s, choice->names[i]);
	}
	if (!*bit)
		read_unexpected(r, w, n, &one, NULL, n->kind == NODE_SCALAR ? s.best : NULL);
}

uint8_t read_choices(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, item_fn *item)
{
	uint32_t count;
	uint8_t all = 0;
	const uint8_t *bits = read_list(r, w, n, k, item, sizeof(*bits), &count);
	const struct node *v = n->first;
	for (uint32_t i = 0; i < count; i++, v = v->next) {
		char path[WHERE_TEXT_MAX];
		where_text(w, path);
		if (all & bits[i])
			report_add(&r->report, v->line, v->column,
				"%s[%u]: expected each once, got %s again", path, i,
				clip(v->text, v->len).text);
		all |= bits[i];
	}
	return all;
}

/* The first member of item i. */
static const char *name_of(const void *items, uint32_t i, size_t item_bytes)
{
	const char *name;
	memcpy(&name, (const char *)items + i * item_bytes, sizeof(name));
	return name;
}

void read_unique_names(struct reader *r, const struct where *w, const struct node *list,
	const char *what, const void *items, uint32_t count, size_t item_bytes)
{
	uint32_t i = 0;
	for (const struct node *v = list->first; i < count; v = v->next, i++) {
		const char *name = name_of(items, i, item_bytes);
		const struct node *u = list->first;
		for (uint32_t j = 0; name && j < i; j++, u = u->next) {
			const char *other = name_of(items, j, item_bytes);
			if (!other || strcmp(name, other))
				continue;
			const struct node *at = node_get(v, "name"), *first = node_get(u, "name");
			char path[WHERE_TEXT_MAX];
			where_text(w, path);
			report_add(&r->report, at->line, at->column,
				"%s[%u].name: expected a name of its own, got \"%s\", which is the "
				"%s in line %u",
				path, i, name, what, first->line);
			break;
		}
	}
}
