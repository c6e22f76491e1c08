/* settings.h - SETTINGS (RFC 9113 6.5, RFC 8441 3): what a peer said, and what we say.
 *
 * Reading applies one parameter at a time: the caller takes each new value in turn, since
 * INITIAL_WINDOW_SIZE and HEADER_TABLE_SIZE may come several times in one frame and each must take
 * effect. */
#ifndef WEIR_HTTP2_SETTINGS_H
#define WEIR_HTTP2_SETTINGS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "http2/conn.h"

enum h2_setting {
	H2_SETTING_HEADER_TABLE_SIZE = 0x1,
	H2_SETTING_ENABLE_PUSH = 0x2,
	H2_SETTING_MAX_CONCURRENT_STREAMS = 0x3,
	H2_SETTING_INITIAL_WINDOW_SIZE = 0x4,
	H2_SETTING_MAX_FRAME_SIZE = 0x5,
	H2_SETTING_MAX_HEADER_LIST_SIZE = 0x6,
	H2_SETTING_ENABLE_CONNECT_PROTOCOL = 0x8,
};
#define H2_SETTING_BYTES 6u

struct h2_settings {
	uint32_t header_table_bytes;
	uint32_t max_concurrent_streams;
	int32_t initial_window_bytes;
	uint32_t max_frame_bytes;
	uint32_t max_header_list_bytes; /* advisory; UINT32_MAX = none */
	bool enable_connect;
};

/* A header block that is no longer is one frame, and not more than the peer takes. */
static inline uint32_t h2_settings_plain_block_bytes(const struct h2_settings *s)
{
	return s->max_frame_bytes < s->max_header_list_bytes ? s->max_frame_bytes
							     : s->max_header_list_bytes;
}

/* A peer's values before its first SETTINGS; 100 streams are assumed until it names a number. */
struct h2_settings h2_settings_assumed(void);
/* Applies the six bytes at `p`; a fault, or H2_FAULT_COUNT when all is well. `peer` is the sender's
 * role. Unknown parameters are ignored. */
enum h2_fault h2_settings_apply(
	struct h2_settings *s, enum h2_role peer, const uint8_t *p) MUST_USE;

#define H2_SETTINGS_FRAME_MAX_BYTES (9u + 8u * H2_SETTING_BYTES)
/* Our own SETTINGS frame; bytes written, at most H2_SETTINGS_FRAME_MAX_BYTES. */
size_t h2_settings_put(uint8_t *p, enum h2_role role, const struct h2_options *o);
#endif
