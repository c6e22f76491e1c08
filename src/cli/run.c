/* run - the proxy itself; main does it. */
#include "cli/verb.h"

enum { CONFIG, LOG_LEVEL };

static int run(const struct verb *v, const struct verb_args *args)
{
	struct run_options options = {.config_file = args->value[CONFIG]};
	if (!log_level_parse(args->value[LOG_LEVEL], &options.log_level))
		return verb_usage_error(v,
			"--log-level: expected one of debug, info, warn, error, got \"%s\"",
			args->value[LOG_LEVEL]);
	return args->run(&options);
}

const struct verb verb_run = {
	.name = "run",
	.summary = "run the proxy",
	.text = "Runs until SIGTERM or SIGINT: then it drains, for drain.grace at most, and exits "
		"with 0.\n"
		"SIGHUP reads the configuration again; one with errors is refused and the old one "
		"stays.\n",
	.options = {{"config", "FILE", NULL, "the configuration"},
		{"log-level", "LEVEL", "info", "debug, info, warn or error"}},
	.main = run,
};
