#include "filter/sample_metadata.h"
#include <string.h>
#include "filter/sample.h"

static bool is_named(const struct field *f, const char *name, size_t len)
{
	return f->name_len == len && !memcmp(f->name, name, len);
}

/* Fields that came as never to be indexed are secrets (RFC 7541 section 7.1.3). */
static bool is_secret(const struct config_sampling *config, const struct field *f)
{
#define IS(name) is_named(f, name, sizeof(name) - 1)
	if (f->flags & FIELD_NEVER_INDEX || IS("authorization") || IS("proxy-authorization") ||
		IS("cookie") || IS("set-cookie") || IS("x-api-key"))
		return true;
#undef IS
	for (uint32_t i = 0; i < config->redact_count; i++)
		if (is_named(f, config->redact[i], strlen(config->redact[i])))
			return true;
	return false;
}

/* How metadata wait for a message to be chosen: this, name, value, one field behind the other. */
struct kept {
	uint16_t name_len, value_len;
};
#define REDACTED UINT16_MAX

static size_t kept_bytes(struct kept k)
{
	return sizeof(k) + k.name_len + (k.value_len == REDACTED ? 0 : k.value_len);
}

/* False: it does not fit. */
static bool keep_field(char *to, size_t *len, const struct field *f, bool secret)
{
	if (f->name_len > SAMPLE_METADATA_BYTES || f->value_len > SAMPLE_METADATA_BYTES)
		return false;
	struct kept k = {(uint16_t)f->name_len, secret ? REDACTED : (uint16_t)f->value_len};
	size_t value_len = secret ? 0 : f->value_len;
	if (kept_bytes(k) > SAMPLE_METADATA_BYTES - *len)
		return false;
	to += *len;
	memcpy(to, &k, sizeof(k));
	memcpy(to + sizeof(k), f->name, f->name_len);
	if (value_len)
		memcpy(to + sizeof(k) + f->name_len, f->value, value_len);
	*len += kept_bytes(k);
	return true;
}

/* Pseudo-headers are left out: a path may hold secrets, and service and method stand elsewhere. */
void sample_metadata_keep(struct sample_metadata *m, struct call *c, const struct fields *fields)
{
	char kept[SAMPLE_METADATA_BYTES];
	size_t len = 0;
	for (uint32_t i = 0; i < fields->count; i++) {
		const struct field *f = &fields_list(fields)[i];
		if (f->name_len == 0 || f->name[0] == ':')
			continue;
		if (!keep_field(kept, &len, f, is_secret(&c->generation->config->sampling, f)))
			m->cut = true;
	}
	m->kept = arena_dup(&c->arena, kept, len);
	m->bytes = m->kept ? (uint32_t)len : 0;
	m->cut |= !m->kept; /* no memory */
}

bool sample_metadata_encode(const struct sample_metadata *m, enum sample_list list, struct buf *out)
{
	struct kept k;
	size_t begun = out->len;
	for (size_t i = 0; i < m->bytes; i += kept_bytes(k)) {
		const char *at = m->kept + i;
		memcpy(&k, at, sizeof(k));
		const char *name = at + sizeof(k), *value = name + k.name_len;
		struct sample_field f = {{name, k.name_len}, {value, k.value_len}};
		if (k.value_len == REDACTED)
			f.value = (struct sample_text){NULL, 0};
		sample_field_encode(out, list, &f);
	}
	if (out->failed)
		out->len = begun; /* no half of a field */
	return !out->failed;
}
