/* h2_client_fuzz.c - the client engine against arbitrary bytes and an owner that decides anything.
 */
#include "engine_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return engine_fuzz(H2_CLIENT, data, len);
}
