/* hpack_diff.h - our HPACK against libnghttp2's, driven by bytes: the same for the randomised test
 * and for the fuzzer.
 *
 * The script is a list of commands: send a header section (encoded by each, decoded by the other),
 * change the table limits of a direction, feed raw bytes to both decoders. NULL when everything
 * agreed to the end of the script, else what did not. */
#ifndef WEIR_HTTP2_HPACK_DIFF_H
#define WEIR_HTTP2_HPACK_DIFF_H
#include <stddef.h>
#include <stdint.h>

const char *hpack_diff_run(const uint8_t *script, size_t len);
#endif
