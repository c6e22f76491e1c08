/* check - is this configuration acceptable? Every error on stderr, or one line on stdout. */
#include <stdio.h>

#include "cli/verb.h"
#include "config/config.h"

enum { CONFIG };

static void count(unsigned n, const char *what, const char *before)
{
	printf("%s%u %s%s", before, n, what, n == 1 ? "" : "s");
}

static int check(const struct verb *v, const struct verb_args *args)
{
	(void)v;
	const char *file = args->value[CONFIG];
	struct buf errors;
	buf_init(&errors);
	struct config *c = config_load(file, &errors);
	if (c) {
		printf("%s: ok (", file);
		count(c->listener_count, "listener", "");
		count(c->route_count, "route", ", ");
		count(c->cluster_count, "cluster", ", ");
		puts(")");
	} else if (errors.len) {
		fputs(errors.bytes, stderr);
	} else {
		fprintf(stderr, "%s: out of memory\n", file);
	}
	buf_fini(&errors);
	config_unref(c);
	return c ? CLI_OK : CLI_FAILED;
}

const struct verb verb_check = {
	.name = "check",
	.summary = "say what is wrong with a configuration",
	.text = "Exits with 0 and one line when the configuration is acceptable. Else prints every "
		"error,\n"
		"each as FILE:LINE:COLUMN: what is wrong, and what was expected; and exits with "
		"1.\n"
		"Opens no socket.\n",
	.options = {{"config", "FILE", NULL, "the configuration"}},
	.main = check,
};
