#include "filter/sample_cut.h"

#define COMPRESSED 0x01 /* in the first byte of an envelope, on every wire */

void sample_cut_init(struct sample_cut *s, enum grpc_wire wire, bool unary_is_compressed)
{
	*s = (struct sample_cut){
		.text = wire == GRPC_WIRE_WEB_TEXT, .compressed = unary_is_compressed};
	grpc_walker_init(&s->walk, s->text ? GRPC_WIRE_WEB : wire);
}

/* At most the rest of a prefix. True when a message begins behind it. */
static bool take_prefix(
	struct grpc_walker *w, const uint8_t **at, const uint8_t *end, struct sample_part *out)
{
	size_t want = GRPC_PREFIX_BYTES - w->have;
	size_t n = (size_t)(end - *at) < want ? (size_t)(end - *at) : want;
	out->at = NULL;
	out->len = 0;
	out->ends = grpc_walk_slowly(w, at, *at + n, &out->size); /* an empty one */
	out->begins = out->ends || grpc_walker_pending(w) > 0;
	out->compressed = w->flag & COMPRESSED;
	return out->begins;
}

/* At most the rest of a payload. True when it is a message's. */
static bool take_payload(
	struct grpc_walker *w, const uint8_t **at, const uint8_t *end, struct sample_part *out)
{
	size_t n = (size_t)(end - *at) < w->left ? (size_t)(end - *at) : (size_t)w->left;
	const uint8_t *from = *at;
	uint32_t size = grpc_walker_pending(w);
	bool is_message = size > 0;
	out->compressed = w->flag & COMPRESSED;
	out->ends = grpc_walk_slowly(w, at, from + n, &out->size);
	out->size = size;
	out->at = from;
	out->len = (uint32_t)n;
	return is_message;
}

/* A whole message, which the walker need not see. */
static inline bool take_whole(const struct grpc_walker *w, const uint8_t **at, const uint8_t *end,
	struct sample_part *out)
{
	size_t len = (size_t)(end - *at);
	uint32_t size;
	if (!grpc_walk_prefix(w, *at, len, &size) || size > len - GRPC_PREFIX_BYTES)
		return false;
	out->begins = out->ends = true;
	out->compressed = **at & COMPRESSED;
	out->at = *at + GRPC_PREFIX_BYTES;
	out->size = out->len = size;
	*at = out->at + size;
	return true;
}

static bool next_binary(
	struct grpc_walker *w, const uint8_t **at, const uint8_t *end, struct sample_part *out)
{
	while (*at < end) {
		bool begins = false;
		if (take_whole(w, at, end, out))
			return true;
		if (w->have < GRPC_PREFIX_BYTES) {
			begins = take_prefix(w, at, end, out);
			if (begins && (out->ends || *at == end)) {
				out->size = out->ends ? 0 : grpc_walker_pending(w);
				return true;
			}
			if (!begins)
				continue;
		}
		if (take_payload(w, at, end, out)) {
			out->begins = begins;
			return true;
		}
	}
	return false;
}

/* Decodes a little, and never beyond what is under way: decoded bytes can't be given back. */
static bool next_text(
	struct sample_cut *s, const uint8_t **at, const uint8_t *end, struct sample_part *out)
{
	struct grpc_walker *w = &s->walk;
	while (*at < end) {
		uint32_t n = 0;
		size_t want = w->have < GRPC_PREFIX_BYTES ? 1 : (size_t)w->left;
		if (want > sizeof out->text)
			want = sizeof out->text;
		while (n < want && *at < end)
			n += grpc_text_byte(w, *(*at)++, &out->text[n]);
		const uint8_t *bytes = out->text;
		if (n && next_binary(w, &bytes, bytes + n, out))
			return true;
	}
	return false;
}

static bool next_unary(
	struct sample_cut *s, const uint8_t **at, const uint8_t *end, struct sample_part *out)
{
	uint32_t size;
	if (*at == end)
		return false;
	out->begins = !s->begun;
	out->compressed = s->compressed;
	out->at = *at;
	out->len = (uint32_t)(end - *at);
	s->begun = true;
	(void)grpc_walk_slowly(&s->walk, at, end, &size);
	return true;
}

static void part_init(struct sample_part *out)
{
	out->begins = out->ends = out->compressed = false;
	out->size = out->len = 0;
	out->at = NULL;
}

bool sample_cut_next(
	struct sample_cut *s, const uint8_t **at, const uint8_t *end, struct sample_part *out)
{
	part_init(out);
	if (s->text)
		return next_text(s, at, end, out);
	if (s->walk.wire == GRPC_WIRE_CONNECT_UNARY)
		return next_unary(s, at, end, out);
	if (s->walk.wire == GRPC_WIRE_NONE) {
		*at = end;
		return false;
	}
	return next_binary(&s->walk, at, end, out);
}

bool sample_cut_finish(struct sample_cut *s, struct sample_part *out)
{
	part_init(out);
	if (s->walk.wire != GRPC_WIRE_CONNECT_UNARY)
		return false;
	out->begins = !s->begun;
	out->compressed = s->compressed;
	out->ends = grpc_walker_finish(&s->walk, &out->size) == GRPC_WALK_COMPLETE;
	return out->ends;
}
