/* decode_log.c - the access log. */
#include "config/read.h"

#include <string.h>

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
