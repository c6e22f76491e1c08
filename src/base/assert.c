#include "base/assert.h"
#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_failed(const char *what, const char *file, int line)
{
	/* stderr is unbuffered; no memory is needed and nothing of ours is trusted any more. */
	fprintf(stderr, "weir: %s:%d: broken invariant: %s\n", file, line, what);
	abort();
}
