/* hpack.h - header compression (RFC 7541), both ways.
 *
 * What it does: decodes a whole header block (the engine gathers CONTINUATION first) into `struct
 * fields`, and encodes `struct fields` into a block. Knows tokens: a field decoded from the static
 * table or from a dynamic entry carries its token and hash without a look-up.
 * What it does not: judge fields (rx does), keep time, allocate per field in the steady state.
 *
 * Encoder's policy (in full: hpack_enc.c): static matches; dynamic table for names and values of
 * low cardinality; tokens with TF_NO_INDEX and a value (after the first, which is added for its
 * name) and long values (over a quarter of the table) as literals without indexing; TF_SECRET,
 * short cookies and FIELD_NEVER_INDEX as never-indexed literals; Huffman where it is shorter, but
 * not for values under 64 bytes that stay out of the table.
 *
 * Owner: one of each for a connection. One thread.
 * Errors: ERR_PROTOCOL (a COMPRESSION_ERROR for the connection), ERR_NOMEM (ends the connection:
 * the tables are out of step). */
#ifndef WEIR_HTTP2_HPACK_H
#define WEIR_HTTP2_HPACK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "http/fields.h"

#define HPACK_DEFAULT_TABLE_BYTES 4096u

struct hpack_decoder;
struct hpack_encoder;

/* `table_bytes`: the limit in force. Until the peer acknowledges our SETTINGS that is
 * HPACK_DEFAULT_TABLE_BYTES; what we advertise comes by hpack_decoder_set_limit. */
struct hpack_decoder *hpack_decoder_create(uint32_t table_bytes) MUST_USE;
void hpack_decoder_destroy(struct hpack_decoder *d);
/* Our own setting changed and the peer acknowledged it: when it shrank below what the peer uses,
 * the next block must begin with a size update (RFC 7541 4.2), else ERR_PROTOCOL. */
void hpack_decoder_set_limit(struct hpack_decoder *d, uint32_t table_bytes);
/* Decodes one complete block, appending to `out`. When the list grows beyond `max_list_bytes`,
 * decoding goes on (to keep the table in step) but nothing more is stored and *overflow is set.
 * `out` may be NULL: only the table is kept in step (blocks of reset or refused streams). */
int hpack_decode(struct hpack_decoder *d, const uint8_t *block, size_t len, uint32_t max_list_bytes,
	struct fields *out, bool *overflow) MUST_USE;
/* The same in two steps, for blocks that begin as others did. How many of the block's bytes are
 * fields that are known to come together: `out`, which was empty, has them; 0: hpack_decode it. */
uint32_t hpack_decode_known(struct hpack_decoder *d, const uint8_t *block, size_t len,
	uint32_t max_list_bytes, struct fields *out) MUST_USE;
/* What is behind those bytes; *overflow as above. */
int hpack_decode_behind(struct hpack_decoder *d, const uint8_t *rest, size_t len,
	uint32_t max_list_bytes, struct fields *out, bool *overflow) MUST_USE;
uint32_t hpack_decoder_table_bytes(const struct hpack_decoder *d); /* bytes in use, RFC 7541 4.1 */

/* `max_table_bytes`: what we are willing to use, whatever the peer allows. */
struct hpack_encoder *hpack_encoder_create(uint32_t max_table_bytes) MUST_USE;
void hpack_encoder_destroy(struct hpack_encoder *e);
/* The peer's SETTINGS_HEADER_TABLE_SIZE; the next block begins with the size update(s) this needs.
 */
void hpack_encoder_set_limit(struct hpack_encoder *e, uint32_t table_bytes);
/* An upper bound of what hpack_encode may write for `f`: its list counts 32 bytes a field, and
 * takes at most a first byte with an index, and two lengths (18); a run is copied in whole words;
 * there may be two size updates. */
#define HPACK_ENCODE_MORE_BYTES 32u
static inline size_t hpack_encode_bound(const struct fields *f)
{
	return (size_t)f->list_bytes + HPACK_ENCODE_MORE_BYTES;
}
/* Writes the block to `out` (at least the bound); its length. Can't fail: when a table entry can't
 * be allocated the field goes out as a literal without indexing. */
size_t hpack_encode(struct hpack_encoder *e, const struct fields *f, uint8_t *out);

/* Huffman (RFC 7541 5.2, appendix B). */
size_t hpack_huff_len(const void *bytes, size_t len); /* encoded length, bytes */
size_t hpack_huff_encode(const void *bytes, size_t len, uint8_t *out);
/* Decodes into out (room for len * 8 / 5 + 1 bytes); ERR_PROTOCOL on EOS, padding over 7 bits or
 * padding that is not the most significant bits of EOS; else the length. */
long hpack_huff_decode(const uint8_t *in, size_t len, char *out) MUST_USE;
#endif
