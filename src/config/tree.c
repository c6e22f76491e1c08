/* tree.c - libyaml's events into nodes. */
#include "config/node.h"

#include <string.h>
#include <yaml.h>

struct tree {
	yaml_parser_t yaml;
	struct arena *arena;
	struct report *report;
	bool no_memory;
	uint32_t nodes;
	struct node *root;
	struct node *stack[CONFIG_DEPTH_MAX];
	uint32_t depth;
	struct node *key; /* in a map: read, and its value not yet */
};

static void fault(struct tree *t, const yaml_mark_t *at, const char *what)
{
	report_add(t->report, (uint32_t)at->line + 1, (uint32_t)at->column + 1, "%s", what);
}

/* What to do about the messages of libyaml that say too little to most people. */
static const char *hint(const char *problem, const char *context)
{
	if (!strcmp(problem, "mapping values are not allowed in this context"))
		return " (is a space missing behind a ':', or are quotes around a value?)";
	if (context && (!strcmp(context, "while scanning an alias") ||
			       !strcmp(context, "while scanning an anchor")))
		return " (a value that begins with * or & stands in quotes)";
	if (!strcmp(problem, "found character that cannot start any token"))
		return " (a value that begins with @, ` or % stands in quotes)";
	if (!strcmp(problem, "did not find expected node content"))
		return " (an address that begins with [ stands in quotes)";
	if (context && !strncmp(context, "while parsing a block", 21))
		return " (do the lines of a list or mapping begin in the same column?)";
	return "";
}

/* What libyaml says, as one line. */
static void fault_syntax(struct tree *t)
{
	const yaml_parser_t *y = &t->yaml;
	if (y->error == YAML_MEMORY_ERROR) {
		t->no_memory = true;
		return;
	}
	const char *problem = y->problem ? y->problem : "cannot be parsed";
	uint32_t line = (uint32_t)y->problem_mark.line + 1;
	uint32_t column = (uint32_t)y->problem_mark.column + 1;
	const char *help = hint(problem, y->context);
	if (y->context && y->context_mark.line + 1 != line)
		report_add(t->report, line, column, "not YAML: %s, %s that began in line %zu%s",
			problem, y->context, y->context_mark.line + 1, help);
	else if (y->context)
		report_add(
			t->report, line, column, "not YAML: %s, %s%s", problem, y->context, help);
	else
		report_add(t->report, line, column, "not YAML: %s%s", problem, help);
}

static struct node *node_create(struct tree *t, enum node_kind kind, const yaml_mark_t *at)
{
	if (t->nodes == CONFIG_NODES_MAX) {
		report_add(t->report, (uint32_t)at->line + 1, (uint32_t)at->column + 1,
			"too large, expected at most %d keys, values and list items",
			CONFIG_NODES_MAX);
		return NULL;
	}
	struct node *n = arena_alloc(t->arena, sizeof(*n));
	if (!n) {
		t->no_memory = true;
		return NULL;
	}
	t->nodes++;
	*n = (struct node){.kind = kind,
		.line = (uint32_t)at->line + 1,
		.column = (uint32_t)at->column + 1,
		.text = ""};
	return n;
}

/* Puts a finished scalar, or a collection that opens, into its parent. */
static bool place(struct tree *t, struct node *n)
{
	struct node *in = t->depth ? t->stack[t->depth - 1] : NULL;
	if (!in) {
		t->root = n;
		return true;
	}
	if (in->kind == NODE_MAP && !t->key) {
		if (n->kind != NODE_SCALAR) {
			report_add(t->report, n->line, n->column,
				"a list or mapping as a key, expected a word in front of the ':' "
				"(an "
				"address that begins with [ stands in quotes)");
			return false;
		}
		t->key = n;
		return true;
	}
	n->key = t->key;
	t->key = NULL;
	if (in->last)
		in->last->next = n;
	else
		in->first = n;
	in->last = n;
	in->count++;
	return true;
}

static bool scalar(struct tree *t, const yaml_event_t *ev)
{
	const char *text = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;
	for (size_t i = 0; i < len; i++) {
		uint8_t b = (uint8_t)text[i];
		if (b < 0x20 || b == 0x7f) {
			fault(t, &ev->start_mark,
				b == '\n' ? "a value of several lines, expected one line"
					  : "a control character in a value, expected printable "
					    "text");
			return false;
		}
	}
	struct node *n = node_create(t, NODE_SCALAR, &ev->start_mark);
	if (!n)
		return false;
	n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	n->text = arena_dup(t->arena, text, len);
	n->len = (uint32_t)len;
	if (!n->text) {
		t->no_memory = true;
		return false;
	}
	/* libyaml places nothing at the token behind it: say where its key is. */
	if (!len && !n->quoted && (t->key || !t->depth)) {
		n->line = t->key ? t->key->line : 1;
		n->column = t->key ? t->key->column : 1;
	}
	return place(t, n);
}

static bool open_collection(struct tree *t, const yaml_event_t *ev, enum node_kind kind)
{
	struct node *n = node_create(t, kind, &ev->start_mark);
	if (!n || !place(t, n))
		return false;
	if (t->depth == CONFIG_DEPTH_MAX) {
		report_add(t->report, n->line, n->column,
			"nested too deeply, expected at most %d levels", CONFIG_DEPTH_MAX);
		return false;
	}
	t->stack[t->depth++] = n;
	return true;
}

/* A tag or anchor in front of a node; libyaml gives them with the node. */
static bool plain_node(
	struct tree *t, const yaml_event_t *ev, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		fault(t, &ev->start_mark,
			"anchors are not supported, expected the value written out");
	else if (tag)
		fault(t, &ev->start_mark, "tags are not supported, expected a value without one");
	return !anchor && !tag;
}

/* One event; false ends the parse. */
static bool take_event(struct tree *t, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (!t->root)
			return true;
		fault(t, &ev->start_mark, "a second document, expected one a file");
		return false;
	case YAML_ALIAS_EVENT:
		fault(t, &ev->start_mark,
			"aliases are not supported, expected the value written out");
		return false;
	case YAML_SCALAR_EVENT:
		return plain_node(t, ev, ev->data.scalar.anchor, ev->data.scalar.tag) &&
		       scalar(t, ev);
	case YAML_SEQUENCE_START_EVENT:
		return plain_node(t, ev, ev->data.sequence_start.anchor,
			       ev->data.sequence_start.tag) &&
		       open_collection(t, ev, NODE_LIST);
	case YAML_MAPPING_START_EVENT:
		return plain_node(
			       t, ev, ev->data.mapping_start.anchor, ev->data.mapping_start.tag) &&
		       open_collection(t, ev, NODE_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		t->depth--;
		return true;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_STREAM_END_EVENT:
		return true;
	}
	return false;
}

struct node *tree_parse(
	const char *text, size_t len, struct arena *arena, struct report *report, bool *no_memory)
{
	struct tree t = {.arena = arena, .report = report};
	bool going = true, ok = false;

	if (len > CONFIG_TEXT_MAX) {
		report_add(report, 1, 1, "too long, expected at most %u bytes", CONFIG_TEXT_MAX);
		return NULL;
	}
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		text += 3; /* a byte order mark, which some editors write */
		len -= 3;
	}
	if (!text_check(text, len, report))
		return NULL;
	if (!yaml_parser_initialize(&t.yaml)) {
		*no_memory = true;
		return NULL;
	}
	yaml_parser_set_encoding(&t.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&t.yaml, (const unsigned char *)text, len);
	while (going) {
		yaml_event_t ev;
		if (!yaml_parser_parse(&t.yaml, &ev)) {
			fault_syntax(&t);
			break;
		}
		going = take_event(&t, &ev);
		if (ev.type == YAML_STREAM_END_EVENT) {
			ok = true;
			going = false;
		}
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&t.yaml);
	*no_memory = t.no_memory;
	return ok ? t.root : NULL;
}

const struct node *node_get(const struct node *map, const char *key)
{
	if (map->kind != NODE_MAP)
		return NULL;
	for (const struct node *n = map->first; n; n = n->next)
		if (!strcmp(n->key->text, key))
			return n;
	return NULL;
}
