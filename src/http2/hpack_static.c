/* hpack_static.c - the static table as ready-made fields, and the names of tokens as HPACK wants
 * them. */
#include "http2/hpack_priv.h"

#define TOKEN(id, name, flags) static const char name_##id[] = name;
#include "http/token.def"
#undef TOKEN

const struct hpack_name hpack_names[TOKEN_COUNT + 1] = {
#define TOKEN(id, name, flags) {name_##id, sizeof(name_##id) - 1, flags},
#include "http/token.def"
#undef TOKEN
	{"", 0, 0},
};

const struct field hpack_static[HPACK_STATIC_COUNT + 2] = {
#define STATIC_FIRST(index, id, text)                                                              \
	[index] = {.name = name_##id,                                                              \
		.name_len = sizeof(name_##id) - 1,                                                 \
		.value = text,                                                                     \
		.value_len = sizeof(text) - 1,                                                     \
		.hash = index,                                                                     \
		.token = TOKEN_##id},
#define STATIC_MORE STATIC_FIRST
#include "http2/hpack_static.def"
#undef STATIC_FIRST
#undef STATIC_MORE
	[0] = {.name = "", .value = "", .token = TOKEN_OTHER},
	[HPACK_STATIC_COUNT + 1] = {.name = "", .value = "", .token = TOKEN_OTHER},
};

const uint8_t hpack_first_static[TOKEN_COUNT + 1] = {
#define STATIC_FIRST(index, id, text) [TOKEN_##id] = index,
#define STATIC_MORE(index, id, text)
#include "http2/hpack_static.def"
#undef STATIC_FIRST
#undef STATIC_MORE
};
