/* last_naive.h - the judge of grpc_last in its test and its fuzz target: whole buffers, and jansson
 * for JSON. */
#ifndef WEIR_GRPC_LAST_NAIVE_H
#define WEIR_GRPC_LAST_NAIVE_H
#include <jansson.h>
#include <zlib.h>
#include <strings.h>
#include "grpc/frame_naive.h"
#include "grpc/last.h"
#include "grpc/status.h"

#define NAIVE_NO_OPINION 100 /* what is not JSON may be taken for anything but a crash */

static inline int naive_code(const json_t *object)
{
	const char *code = json_string_value(json_object_get(object, "code"));
	if (code && !strcmp(code, "canceled"))
		return GRPC_CANCELLED;
	for (int i = GRPC_UNKNOWN; code && i < GRPC_STATUS_COUNT; i++)
		if (!strcasecmp(code, grpc_status_name((unsigned)i)))
			return i;
	return -1;
}

static inline int naive_json(const uint8_t *at, size_t len, bool unary)
{
	/* Escapes are not undone, and more than so many brackets are not counted. */
	size_t brackets = 0;
	for (size_t i = 0; i < len; i++) {
		brackets += at[i] == '{' || at[i] == '[';
		if (at[i] == '\\')
			return NAIVE_NO_OPINION;
	}
	if (brackets > 250 || len > GRPC_LAST_BYTES)
		return NAIVE_NO_OPINION;
	json_t *o = json_loadb((const char *)at, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return NAIVE_NO_OPINION;
	}
	json_t *error = unary ? o : json_object_get(o, "error");
	int status = unary ? GRPC_LAST_UNREAD : GRPC_OK;
	if (json_is_object(error)) {
		int code = naive_code(error);
		status = code >= 0 ? code : unary ? GRPC_LAST_UNREAD : GRPC_UNKNOWN;
	}
	json_decref(o);
	return status;
}

static inline int naive_fields(const uint8_t *at, size_t len)
{
	static const char name[] = "grpc-status:";
	char value[4];
	size_t n = 0;
	if (len > GRPC_LAST_BYTES)
		len = GRPC_LAST_BYTES;
	for (size_t i = 0, eol; i < len; i = eol + 1) {
		for (eol = i; eol < len && at[eol] != '\n'; eol++)
			;
		if (eol - i < strlen(name) || strncasecmp((const char *)at + i, name, strlen(name)))
			continue;
		for (i += strlen(name); i < eol; i++)
			if (at[i] != ' ' && at[i] != '\t' && at[i] != '\r' && n < 3)
				value[n++] = (char)at[i];
		break;
	}
	int status = grpc_status_parse(value, n);
	return status < 0 ? GRPC_LAST_UNREAD : status;
}

/* Byte by byte; false: it is none, or not whole. */
static inline bool naive_unpack(const uint8_t *at, size_t len, uint8_t *out, size_t *out_len)
{
	z_stream z = {.next_out = out, .avail_out = GRPC_LAST_BYTES};
	int end = inflateInit2(&z, MAX_WBITS + 32);
	for (size_t i = 0; i < len && end == Z_OK && z.avail_out; i++) {
		uint8_t byte = at[i];
		z.next_in = &byte;
		z.avail_in = 1;
		end = inflate(&z, Z_NO_FLUSH);
		end = end == Z_BUF_ERROR ? Z_OK : end;
	}
	*out_len = GRPC_LAST_BYTES - z.avail_out;
	bool ok = end == Z_STREAM_END || z.avail_out == 0;
	inflateEnd(&z);
	return ok;
}

static inline int naive_packed(bool json, const uint8_t *at, size_t len)
{
	uint8_t out[GRPC_LAST_BYTES];
	size_t n;
	if (len > GRPC_LAST_BYTES || !naive_unpack(at, len, out, &n))
		return GRPC_LAST_UNREAD;
	return json ? naive_json(out, n, false) : naive_fields(out, n);
}

static inline int naive_last(enum grpc_wire wire, const uint8_t *in, size_t len)
{
	bool json = wire == GRPC_WIRE_CONNECT_STREAM;
	int status = GRPC_LAST_ABSENT;
	unsigned packed = 0;
	if (wire == GRPC_WIRE_CONNECT_UNARY)
		return naive_json(in, len, true);
	uint8_t *bytes = malloc(len + 1);
	if (wire == GRPC_WIRE_WEB_TEXT)
		len = naive_base64(in, len, bytes);
	else
		memcpy(bytes, in, len);
	for (size_t at = 0; len - at >= 5;) {
		uint64_t size = ((uint64_t)bytes[at + 1] << 24) + (bytes[at + 2] << 16) +
				(bytes[at + 3] << 8) + bytes[at + 4];
		uint8_t flag = bytes[at];
		at += 5;
		if (len - at < size)
			break;
		if (flag & (json ? 2 : 0x80))
			status = flag & 1 && (size > GRPC_LAST_BYTES || packed == 4)
					 ? GRPC_LAST_UNREAD
				 : flag & 1 ? (packed += size > 0,
						      naive_packed(json, bytes + at, size))
				 : json     ? naive_json(bytes + at, size, false)
					    : naive_fields(bytes + at, size);
		at += size;
	}
	free(bytes);
	return status;
}
#endif
