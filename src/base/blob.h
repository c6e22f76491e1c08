/* blob.h - immutable bytes with an atomic refcount: the only bytes that cross threads. */
#ifndef WEIR_BASE_BLOB_H
#define WEIR_BASE_BLOB_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct blob {
	_Atomic uint32_t refs;
	size_t len;
	char bytes[]; /* a NUL follows the last */
};
struct blob *blob_create(const void *bytes, size_t len) MUST_USE; /* refs = 1; NULL = no memory */
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b); /* NULL is fine */
#endif
