#include "call/match.h"
#include <string.h>
#include "base/assert.h"

static bool value_matches(const struct config_header_match *h, const struct field *f)
{
	const char *want = h->value ? h->value : "";
	size_t len = strlen(want);
	switch (h->kind) {
	case MATCH_PRESENT:
		return true;
	case MATCH_EXACT:
		return f->value_len == len && !memcmp(f->value, want, len);
	case MATCH_PREFIX:
		return f->value_len >= len && !memcmp(f->value, want, len);
	}
	UNREACHABLE();
}

bool match_header(const struct config_header_match *h, const struct fields *head)
{
	size_t name_len = strlen(h->name);
	for (uint32_t i = 0; i < head->count; i++) {
		const struct field *f = &fields_list(head)[i];
		if (f->name_len == name_len && !memcmp(f->name, h->name, name_len) &&
			value_matches(h, f))
			return true;
	}
	return false;
}
