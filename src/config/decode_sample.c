/* decode_sample.c - which messages are sampled, and where samples go. */
#include "config/read.h"

#include <string.h>

static const struct choice directions = {"sent or received", {"sent", "received", NULL}};
static const struct choice outputs = {"ring, log or file", {"ring", "log", "file", NULL}};

static void item_direction(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	read_choice(r, w, n, k, &directions, into);
}

static void item_output(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	read_choice(r, w, n, k, &outputs, into);
}

void decode_directions(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_sample *s = into;
	s->lanes = read_choices(r, w, n, k, item_direction);
}

void decode_sample_outputs(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_sample *s = into;
	s->outputs = read_choices(r, w, n, k, item_output);
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
