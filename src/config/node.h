/* node.h - configuration text as a tree with places: what YAML says, before anyone asks what it
 * means.
 *
 * What it does: checks that the text is UTF-8 without tabs in its indentation, and parses one YAML
 * document. What it does not: know keys. Anchors, aliases and tags are refused, so a small text
 * stays a small tree.
 *
 * Owner: nodes live in the caller's arena and point into nothing else. One thread.
 * Errors: into the report; NULL when there is no tree. Limits below. */
#ifndef WEIR_CONFIG_NODE_H
#define WEIR_CONFIG_NODE_H
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "config/report.h"

#define CONFIG_TEXT_MAX  (1u << 20) /* bytes */
#define CONFIG_DEPTH_MAX 16         /* collections inside one another; the schema needs 6 */
#define CONFIG_NODES_MAX 100000

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	uint32_t line, column; /* from 1, in characters */
	bool quoted;           /* a scalar in quotes, or a block scalar */
	const char *text;      /* of a scalar: NUL-terminated, no control characters */
	uint32_t len;
	uint32_t count;            /* of children */
	struct node *first, *last; /* children of a list or map */
	struct node *next;         /* sibling */
	const struct node *key;    /* in a map: the scalar in front of this value */
};

/* NULL: the report says why (or `no_memory` is set). */
struct node *tree_parse(const char *text, size_t len, struct arena *arena, struct report *report,
	bool *no_memory) MUST_USE;
/* The first value under this key, or NULL. */
const struct node *node_get(const struct node *map, const char *key);

/* text.c: false when the text is not fit for YAML (the report says why). */
bool text_check(const char *text, size_t len, struct report *report) MUST_USE;
#endif
