/* sample_record.h - a sampled message, or the end of a sampled call: as a value, as bytes in the
 * ring and in files, as JSON.
 *
 *   file, ring:  [ length, 4 bytes, big-endian ][ weir.Sample, docs/sample.proto ] [ length ] ...
 *
 * What it does: writes and reads these bytes, and one JSON object from a value. What it does not:
 * decide what is sampled, or put it anywhere. docs/sample-format.md is the document.
 *
 * Owner: values only; what sample_decode fills in points into its input. Threads: any.
 * Errors: ERR_INVALID for bytes that are no record, ERR_LIMIT for a length above
 * SAMPLE_RECORD_BYTES_MAX; writing: those of the buffer. */
#ifndef WEIR_FILTER_SAMPLE_RECORD_H
#define WEIR_FILTER_SAMPLE_RECORD_H
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/jsonw.h"

#define SAMPLE_LENGTH_BYTES     4u
#define SAMPLE_RECORD_BYTES_MAX (1u << 20) /* without the length */

struct sample_text {
	const char *at;
	size_t len;
};

enum sample_direction {
	SAMPLE_DIRECTION_UNKNOWN,
	SAMPLE_DIRECTION_SENT,
	SAMPLE_DIRECTION_RECEIVED
};

/* A message; or that its call is over, after all messages of it that were sampled. */
enum sample_event { SAMPLE_EVENT_MESSAGE, SAMPLE_EVENT_END };

/* What stands around messages, as far as it had come: a record has a list of fields of each. */
enum sample_list {
	SAMPLE_LIST_REQUEST,
	SAMPLE_LIST_RESPONSE,
	SAMPLE_LIST_TRAILERS, /* of the response */
	SAMPLE_LISTS
};
struct sample_fields {
	struct sample_text fields; /* as sample_field_encode wrote them */
	bool cut;                  /* there were more */
};

struct sample {
	enum sample_event event;
	uint64_t time_ns; /* since 1970: when the message, or the call, ended */
	uint32_t worker;
	uint64_t stream; /* its call's id in that worker */
	struct sample_text listener, route, cluster, service, method;
	enum sample_direction direction;
	uint64_t message; /* its number in its direction of the stream, from 1 */
	uint64_t size;    /* of the message, without envelope; announced, where it was cut */
	bool compressed;
	bool cut; /* the stream ended in the middle of it */
	struct sample_text payload;
	struct sample_fields lists[SAMPLE_LISTS];
	/* Of the end of a call. */
	uint16_t http_status; /* 0: none */
	int16_t grpc_status;  /* -1: none */
	struct sample_text ended_by, reason;
};

/* One header or trailer. `value.at` is NULL: it was redacted. */
struct sample_field {
	struct sample_text name, value;
};

static inline struct sample_text sample_text(const char *text)
{
	return (struct sample_text){text, strlen(text)};
}

/* Appends a record with its length; `s->lists` are taken as they are. */
void sample_encode(struct buf *out, const struct sample *s);
void sample_field_encode(struct buf *out, enum sample_list list, const struct sample_field *f);

/* The record that begins at `bytes`: its size with the length. 0: more bytes are needed. ERR_LIMIT.
 */
int64_t sample_record_bytes(const void *bytes, size_t len) MUST_USE;
/* A record without its length. Unknown fields are passed over. */
int sample_decode(const void *bytes, size_t len, struct sample *out) MUST_USE;
/* Takes the next field off `fields`, which sample_decode has checked. False: none is left. */
bool sample_field_next(struct sample_text *fields, struct sample_field *out);
/* An object; `key` as in jsonw.h. A stream's id is "WORKER-N", as on /streams. */
void sample_json(struct jsonw *j, const char *key, const struct sample *s);
/* Takes whole records with their lengths and appends a line of JSON for each. *used is where the
 * first stands that is not whole, or (ERR_INVALID, ERR_LIMIT) not a record. */
int sample_lines(const void *bytes, size_t len, struct buf *out, size_t *used) MUST_USE;
#endif
