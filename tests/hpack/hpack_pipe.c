/* hpack_pipe.c - our codec on stdin and stdout, for judges in other languages.
 *
 * Command: one byte, a length (4 bytes, big-endian), that many bytes. Answer: a length and bytes.
 *   E  list of fields     -> block               (one encoder)
 *   D  block              -> status, list        (one decoder; status 0 or 1 for an error)
 *   e  limit (4 bytes)    -> nothing             the peer's limit for the encoder
 *   d  limit (4 bytes)    -> nothing             our own limit, acknowledged, for the decoder
 *   t                     -> bytes in the decoder's table (4 bytes)
 * A list is fields one behind the other: flags (1 byte: 1 = never indexed), name length (4 bytes),
 * value length (4 bytes), name, value. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "http2/hpack.h"

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_u32(struct buf *b, uint32_t v)
{
	uint8_t bytes[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
	buf_add(b, bytes, 4);
}

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "hpack_pipe: %s\n", what);
	exit(2);
}

static struct fields *parse_list(const uint8_t *at, size_t len)
{
	struct fields *f = fields_create();
	need(f != NULL, "out of memory");
	while (len) {
		need(len >= 9, "a list ends in a field");
		uint32_t name_len = get_u32(at + 1), value_len = get_u32(at + 5);
		need((uint64_t)name_len + value_len <= len - 9, "a field is longer than its list");
		need(!fields_add(f, at + 9, name_len, at + 9 + name_len, value_len),
			"out of memory");
		fields_own(f)[f->count - 1].flags = at[0];
		at += 9 + name_len + value_len;
		len -= 9 + name_len + value_len;
	}
	return f;
}

static void encode(struct hpack_encoder *e, const uint8_t *at, size_t len, struct buf *answer)
{
	struct fields *f = parse_list(at, len);
	uint8_t *block = malloc(hpack_encode_bound(f));
	need(block != NULL, "out of memory");
	buf_add(answer, block, hpack_encode(e, f, block));
	free(block);
	fields_destroy(f);
}

static void decode(struct hpack_decoder *d, const uint8_t *at, size_t len, struct buf *answer)
{
	struct fields *f = fields_create();
	bool overflow;
	need(f != NULL, "out of memory");
	int err = hpack_decode(d, at, len, 1u << 24, f, &overflow);
	need(err != ERR_NOMEM && !overflow, "out of memory");
	buf_char(answer, err ? 1 : 0);
	for (uint32_t i = 0; !err && i < f->count; i++) {
		const struct field *x = &fields_list(f)[i];
		buf_char(answer, (char)x->flags);
		put_u32(answer, x->name_len);
		put_u32(answer, x->value_len);
		buf_add(answer, x->name, x->name_len);
		buf_add(answer, x->value, x->value_len);
	}
	fields_destroy(f);
}

static void run(struct hpack_encoder *e, struct hpack_decoder *d, int command, const uint8_t *at,
	size_t len, struct buf *answer)
{
	if (command == 'E')
		encode(e, at, len, answer);
	else if (command == 'D')
		decode(d, at, len, answer);
	else if (command == 'e' && len == 4)
		hpack_encoder_set_limit(e, get_u32(at));
	else if (command == 'd' && len == 4)
		hpack_decoder_set_limit(d, get_u32(at));
	else if (command == 't')
		put_u32(answer, hpack_decoder_table_bytes(d));
	else
		need(false, "no such command");
}

int main(void)
{
	struct hpack_encoder *e = hpack_encoder_create(65536);
	struct hpack_decoder *d = hpack_decoder_create(HPACK_DEFAULT_TABLE_BYTES);
	uint8_t head[5];
	need(e && d, "out of memory");
	while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
		size_t len = get_u32(head + 1);
		uint8_t *body = malloc(len + 1);
		need(body && fread(body, 1, len, stdin) == len, "a command ends early");
		struct buf answer, out;
		buf_init(&answer);
		buf_init(&out);
		run(e, d, head[0], body, len, &answer);
		put_u32(&out, (uint32_t)answer.len);
		buf_add(&out, answer.bytes ? answer.bytes : "", answer.len);
		need(!answer.failed && !out.failed, "out of memory");
		need(fwrite(out.bytes, 1, out.len, stdout) == out.len && !fflush(stdout),
			"no reader");
		buf_fini(&answer);
		buf_fini(&out);
		free(body);
	}
	hpack_encoder_destroy(e);
	hpack_decoder_destroy(d);
	fields_cache_purge();
	return 0;
}
