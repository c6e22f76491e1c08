/* verb.h - what a verb is, and the options it takes: for the files of this room.
 *
 * Options are --name VALUE, --name=VALUE or --name alone; each at most once. A verb that names a
 * `word` takes one argument more. */
#ifndef WEIR_CLI_VERB_H
#define WEIR_CLI_VERB_H
#include <stdbool.h>
#include <stddef.h>
#include "cli/cli.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };
#define VERB_OPTIONS_MAX 6

struct verb_option {
	const char *name;     /* without the dashes */
	const char *argument; /* "FILE"; NULL: a flag */
	const char *dflt;     /* NULL: required, unless it is a flag; "": none */
	const char *help;
};

struct verb_args {
	/* In the order of the verb's options: the value, "" for a flag that is there, the default,
	 * or NULL. */
	const char *value[VERB_OPTIONS_MAX];
	const char *word; /* the argument that is no option; NULL: there is none */
	int (*run)(const struct run_options *options);
};

struct verb {
	const char *name;
	const char *summary;                          /* a line */
	const char *text;                             /* more, for `weir help VERB` */
	const char *word;                             /* "COMMAND": what it takes; NULL: nothing */
	struct verb_option options[VERB_OPTIONS_MAX]; /* ended by one without a name */
	int (*main)(const struct verb *v, const struct verb_args *args);
};

extern const struct verb verb_run, verb_check, verb_top, verb_samples, verb_version, verb_help;
extern const struct verb *const verbs[]; /* in the order of the help text; ended by NULL */

/* NULL when there is none of that name; then one line on stderr, with the nearest name. */
const struct verb *verb_find(const char *name);
/* Fills `args`; false after one line on stderr. */
bool verb_parse(const struct verb *v, int argc, char **argv, struct verb_args *args);
/* "weir VERB: ..." on stderr; CLI_USAGE. */
int verb_usage_error(const struct verb *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void verb_print_all(void);                 /* `weir help` */
void verb_print_one(const struct verb *v); /* `weir help VERB` */
#endif
