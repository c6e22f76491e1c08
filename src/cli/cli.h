/* cli.h - the command line: a table of verbs, one file for each.
 *
 *   weir run --config FILE     weir check --config FILE     weir top     weir version     weir help
 *
 * What it does not: run the proxy; main passes that in, since cli stands below it.
 * Exit status: 0, 1 when the work failed, 2 when the command line was wrong (one line on stderr
 * says how). Threads: the main thread, before others exist. */
#ifndef WEIR_CLI_CLI_H
#define WEIR_CLI_CLI_H
#include "base/log.h"

struct run_options {
	const char *config_file; /* --config */
	enum log_level log_level;
};

/* argv as main has it. The strings of `run`'s options live as long as argv. */
int cli_main(int argc, char **argv, int (*run)(const struct run_options *options));
#endif
