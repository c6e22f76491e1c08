/* decode_log.c - the access log, and sets of words, of which it has one. */
#include "config/read.h"

#include <string.h>

#include "config/suggest.h"

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

static void item_event(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	static const struct choice events = {
		"open, update or close", {"open", "update", "close", NULL}};
	read_choice(r, w, n, k, &events, into);
}

void decode_log_events(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_access_log *log = into;
	log->events = read_choices(r, w, n, k, item_event);
}

void decode_output(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	if (n->kind != NODE_SCALAR || strcmp(n->text, "stderr") != 0) {
		decode_file(r, w, n, k, into);
		return;
	}
	char *path = read_string(r, n->text, n->len);
	memcpy((char *)into + k->offset, &path, sizeof(path));
}

void decode_access_log(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config *c = into;
	(void)k;
	c->access_log.events = LOG_OPEN | LOG_UPDATE | LOG_CLOSE;
	(void)read_section(r, w, n, SECTION_ACCESS_LOG, &c->access_log);
}

void decode_switch(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	bool scalar = n->kind == NODE_SCALAR;
	bool on = scalar && (!strcmp(n->text, "on") || !strcmp(n->text, "true"));
	if (!on && !(scalar && (!strcmp(n->text, "off") || !strcmp(n->text, "false"))))
		read_unexpected(r, w, n, k, NULL, NULL);
	memcpy((char *)into + k->offset, &on, sizeof(on));
}
