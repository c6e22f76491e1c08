/* help - what the verbs are, and what one of them takes. */
#include <stdio.h>

#include "cli/verb.h"

void verb_print_all(void)
{
	puts("weir - a data plane for long-lived streams\n\nUsage: weir COMMAND [OPTIONS]\n");
	for (const struct verb *const *v = verbs; *v; v++)
		printf("  %-9s %s\n", (*v)->name, (*v)->summary);
	puts("\nweir help COMMAND tells more. Exit status: 0, 1 when it failed, 2 when the command "
	     "line was\n"
	     "wrong.");
}

void verb_print_one(const struct verb *v)
{
	printf("weir %s - %s\n\nUsage: weir %s", v->name, v->summary, v->name);
	for (const struct verb_option *o = v->options; o < v->options + VERB_OPTIONS_MAX && o->name;
		o++) {
		bool required = o->argument && !o->dflt;
		printf(" %s--%s%s%s%s", required ? "" : "[", o->name, o->argument ? " " : "",
			o->argument ? o->argument : "", required ? "" : "]");
	}
	if (v->word)
		printf(" [%s]", v->word);
	printf("\n%s%s", *v->text ? "\n" : "", v->text);
	for (const struct verb_option *o = v->options; o < v->options + VERB_OPTIONS_MAX && o->name;
		o++) {
		char left[40];
		snprintf(left, sizeof(left), "--%s %s", o->name, o->argument ? o->argument : "");
		bool dflt = o->argument && o->dflt && *o->dflt;
		printf("%s  %-20s %s%s%s%s\n", o == v->options ? "\n" : "", left, o->help,
			dflt ? " (default " : "", dflt ? o->dflt : "", dflt ? ")" : "");
	}
}

static int help(const struct verb *v, const struct verb_args *args)
{
	(void)v;
	if (!args->word) {
		verb_print_all();
		return CLI_OK;
	}
	const struct verb *about = verb_find(args->word);
	if (about)
		verb_print_one(about);
	return about ? CLI_OK : CLI_USAGE;
}

const struct verb verb_help = {
	.name = "help",
	.summary = "tell what a command does",
	.text = "",
	.word = "COMMAND",
	.main = help,
};
