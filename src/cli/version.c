/* version - one line: the name, the version, the compiler. */
#include <stdio.h>

#include "cli/verb.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static int version(const struct verb *v, const struct verb_args *args)
{
	(void)v;
	(void)args;
	puts("weir " WEIR_VERSION " (" COMPILER ")");
	return CLI_OK;
}

const struct verb verb_version = {
	.name = "version",
	.summary = "print the version",
	.text = "",
	.main = version,
};
