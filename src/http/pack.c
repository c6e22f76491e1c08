/* pack.c - sections put away: a reference to the run they begin with, and the rest byte by byte.
 *
 *   [ run, count ][ token, flags, hash, lengths ][ name, unless the token says it ][ value ] ... */
#include <string.h>
#include "base/slots.h"
#include "http/run.h"

struct fields_packed {
	struct fields_run *run; /* NULL: none */
	uint32_t count;         /* of those behind it */
	size_t bytes_len;
	uint8_t bytes[];
};

struct packed_field {
	uint32_t hash, name_len, value_len;
	uint16_t token, flags;
};

static uint32_t own_name_bytes(const struct field *f)
{
	return f->token == TOKEN_OTHER ? f->name_len : 0;
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
	if (len)
		memcpy(at, bytes, len);
	return at + len;
}

struct fields_packed *fields_pack(const struct fields *f)
{
	struct fields_run *run = fields_run(f);
	uint32_t first = run ? run->count : 0;
	size_t bytes = 0;
	for (uint32_t i = first; i < f->count; i++)
		bytes += sizeof(struct packed_field) + own_name_bytes(&f->own[i]) +
			 (size_t)f->own[i].value_len;
	struct fields_packed *p = slots_take(sizeof(*p) + bytes);
	if (!p)
		return NULL;
	p->bytes_len = bytes;
	p->run = run ? run_ref(run) : NULL;
	p->count = f->count - first;
	uint8_t *at = p->bytes;
	for (uint32_t i = first; i < f->count; i++) {
		const struct field *x = &f->own[i];
		struct packed_field head = {x->hash, x->name_len, x->value_len, x->token, x->flags};
		at = put(at, &head, sizeof(head));
		at = put(at, x->name, own_name_bytes(x));
		at = put(at, x->value, x->value_len);
	}
	return p;
}

/* Adds the field at `at`; where the next one is, or NULL: out of memory. */
static const uint8_t *unpack(struct fields *f, const uint8_t *at)
{
	struct packed_field head;
	memcpy(&head, at, sizeof(head));
	at += sizeof(head);
	const uint8_t *value = at + (head.token == TOKEN_OTHER ? head.name_len : 0);
	int err = head.token == TOKEN_OTHER
			  ? fields_add(f, at, head.name_len, value, head.value_len)
			  : fields_add_token(f, (enum token)head.token, value, head.value_len);
	if (err)
		return NULL;
	struct field *last = &f->own[f->count - 1];
	last->hash = head.hash;
	last->flags = head.flags;
	return value + head.value_len;
}

struct fields *fields_unpack(const struct fields_packed *p)
{
	struct fields *f = fields_create();
	if (!f)
		return NULL;
	if (p->run)
		fields_begin(f, run_ref(p->run));
	const uint8_t *at = p->bytes;
	for (uint32_t i = 0; i < p->count; i++) {
		at = unpack(f, at);
		if (!at) {
			fields_destroy(f);
			return NULL;
		}
	}
	return f;
}

void fields_packed_destroy(struct fields_packed *p)
{
	if (!p)
		return;
	if (p->run)
		run_unref(p->run);
	slots_give(p, sizeof(*p) + p->bytes_len);
}
