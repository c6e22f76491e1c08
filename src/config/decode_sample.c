/* decode_sample.c - which messages are sampled, and where samples go. */
#include "config/read.h"

#include <string.h>

#include "config/suggest.h"

/* Bit i of a set stands for names[i]. */
struct choice {
	const char *expects;
	const char *names[4]; /* ended by NULL */
};
static const struct choice directions = {"sent or received", {"sent", "received", NULL}};
static const struct choice outputs = {"ring, log or file", {"ring", "log", "file", NULL}};

static void item_choice(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, const struct choice *choice, uint8_t *bit)
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

static void item_direction(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	item_choice(r, w, n, k, &directions, into);
}

static void item_output(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	item_choice(r, w, n, k, &outputs, into);
}

static uint8_t choices(struct reader *r, const struct where *w, const struct node *n,
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

void decode_directions(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_sample *s = into;
	s->lanes = choices(r, w, n, k, item_direction);
}

void decode_sample_outputs(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_sample *s = into;
	s->outputs = choices(r, w, n, k, item_output);
	if (!(s->outputs & SAMPLE_TO_FILE) || r->config->sampling.file)
		return;
	char path[WHERE_TEXT_MAX];
	where_text(w, path);
	report_add(&r->report, n->line, n->column,
		"%s: expected sampling.file to be given where samples go to a file", path);
}

void decode_sample(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_route *route = into;
	struct config_sample *s = &route->sample;
	(void)k;
	s->lanes = SAMPLE_SENT | SAMPLE_RECEIVED;
	s->outputs = SAMPLE_TO_RING;
	if (!read_section(r, w, n, SECTION_SAMPLE, s))
		return;
	if (node_get(n, "every") || node_get(n, "header"))
		return;
	char path[WHERE_TEXT_MAX];
	where_text(w, path);
	report_add(&r->report, n->line, n->column,
		"%s: expected every, header or both, got neither", path);
}

void decode_file(struct reader *r, const struct where *w, const struct node *n, const struct key *k,
	void *into)
{
	enum { FILE_PATH_MAX = 1024 };
	bool ok = n->kind == NODE_SCALAR && n->text[0] == '/' && n->text[n->len - 1] != '/';
	if (!ok || n->len > FILE_PATH_MAX) {
		read_unexpected(r, w, n, k, ok ? "too long" : NULL, NULL);
		return;
	}
	char *path = read_string(r, n->text, n->len);
	memcpy((char *)into + k->offset, &path, sizeof(path));
}

void decode_sampling(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config *c = into;
	(void)k;
	(void)read_section(r, w, n, SECTION_SAMPLING, &c->sampling);
}
