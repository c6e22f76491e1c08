#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/verb.h"
#include "config/suggest.h"

const struct verb *const verbs[] = {
	&verb_run, &verb_check, &verb_top, &verb_samples, &verb_version, &verb_help, NULL};

int verb_usage_error(const struct verb *v, const char *fmt, ...)
{
	va_list ap;
	fprintf(stderr, "weir %s: ", v->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_USAGE;
}

const struct verb *verb_find(const char *name)
{
	struct suggestion s;
	suggestion_init(&s, name, strlen(name));
	for (const struct verb *const *v = verbs; *v; v++) {
		if (!strcmp((*v)->name, name))
			return *v;
		suggestion_offer(&s, (*v)->name);
	}
	fprintf(stderr, "weir: unknown command \"%s\", expected one of", name);
	for (const struct verb *const *v = verbs; *v; v++)
		fprintf(stderr, "%s %s", v == verbs ? "" : ",", (*v)->name);
	if (s.best)
		fprintf(stderr, "; did you mean \"%s\"?", s.best);
	fputc('\n', stderr);
	return NULL;
}

static bool is_help(const char *arg)
{
	return !strcmp(arg, "--help") || !strcmp(arg, "-h");
}

/* The index of the option in `arg`, and the value behind its '='; -1 after a line on stderr. */
static int option_find(const struct verb *v, const char *arg, const char **value)
{
	size_t len = strcspn(arg + 2, "=");
	struct suggestion s;
	suggestion_init(&s, arg + 2, len);
	*value = arg[2 + len] ? arg + 2 + len + 1 : NULL;
	int count = 0;
	for (; count < VERB_OPTIONS_MAX && v->options[count].name; count++) {
		const char *name = v->options[count].name;
		if (strlen(name) == len && !strncmp(name, arg + 2, len))
			return count;
		suggestion_offer(&s, name);
	}
	if (s.best)
		verb_usage_error(v, "unknown option \"%.*s\"; did you mean \"--%s\"?", (int)len + 2,
			arg, s.best);
	else
		verb_usage_error(
			v, "unknown option \"%.*s\"; see weir help %s", (int)len + 2, arg, v->name);
	return -1;
}

/* Takes the option at argv[*at], and its value when that is the next one. */
static bool take_option(
	const struct verb *v, int argc, char **argv, int *at, struct verb_args *args)
{
	const char *value;
	int i = option_find(v, argv[*at], &value);
	if (i < 0)
		return false;
	const struct verb_option *o = &v->options[i];
	if (args->value[i])
		return verb_usage_error(v, "--%s twice", o->name), false;
	if (!o->argument) {
		if (value)
			return verb_usage_error(v, "--%s takes no value", o->name), false;
		args->value[i] = "";
		return true;
	}
	if (!value && *at + 1 < argc)
		value = argv[++*at];
	if (!value || !*value)
		return verb_usage_error(
			       v, "--%s needs a value: --%s %s", o->name, o->name, o->argument),
		       false;
	args->value[i] = value;
	return true;
}

bool verb_parse(const struct verb *v, int argc, char **argv, struct verb_args *args)
{
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "--", 2) && argv[i][2]) {
			if (!take_option(v, argc, argv, &i, args))
				return false;
		} else if (v->word && !args->word && argv[i][0] != '-') {
			args->word = argv[i];
		} else {
			verb_usage_error(v, "unexpected argument \"%s\"%s%s%s", argv[i],
				v->options[0].argument ? "; did you mean --" : "",
				v->options[0].argument ? v->options[0].name : "",
				v->options[0].argument ? "?" : "");
			return false;
		}
	}
	for (int i = 0; i < VERB_OPTIONS_MAX && v->options[i].name; i++) {
		const struct verb_option *o = &v->options[i];
		if (args->value[i] || !o->argument)
			continue;
		if (!o->dflt) {
			verb_usage_error(v, "--%s %s is missing", o->name, o->argument);
			return false;
		}
		args->value[i] = *o->dflt ? o->dflt : NULL;
	}
	return true;
}

int cli_main(int argc, char **argv, int (*run)(const struct run_options *options))
{
	struct verb_args args = {.run = run};
	if (argc < 2) {
		fputs("weir: a command is missing, expected one of run, check, top, samples, "
		      "version, "
		      "help\n",
			stderr);
		return CLI_USAGE;
	}
	if (is_help(argv[1])) {
		verb_print_all();
		return CLI_OK;
	}
	const struct verb *v = !strcmp(argv[1], "--version") ? &verb_version : verb_find(argv[1]);
	if (!v)
		return CLI_USAGE;
	for (int i = 2; i < argc; i++)
		if (is_help(argv[i])) {
			verb_print_one(v);
			return CLI_OK;
		}
	if (!verb_parse(v, argc - 2, argv + 2, &args))
		return CLI_USAGE;
	int status = v->main(v, &args);
	/* A full disk or a closed pipe behind stdout is a failure too. */
	if (fflush(stdout) != 0 && status == CLI_OK)
		status = CLI_FAILED;
	return status;
}
