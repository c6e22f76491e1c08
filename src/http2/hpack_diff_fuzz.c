/* hpack_diff_fuzz.c - libFuzzer: our HPACK against libnghttp2's, see hpack_diff.h for the script.
 */
#include <stdio.h>
#include <stdlib.h>
#include "http2/hpack_diff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *what = hpack_diff_run(data, len);
	if (what) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
	return 0;
}
