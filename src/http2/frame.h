/* frame.h - the layout of frames (RFC 9113 4.1 and 6): constants, and bytes in network order. */
#ifndef WEIR_HTTP2_FRAME_H
#define WEIR_HTTP2_FRAME_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	H2_FRAME_DATA = 0x0,
	H2_FRAME_HEADERS = 0x1,
	H2_FRAME_PRIORITY = 0x2,
	H2_FRAME_RST_STREAM = 0x3,
	H2_FRAME_SETTINGS = 0x4,
	H2_FRAME_PUSH_PROMISE = 0x5,
	H2_FRAME_PING = 0x6,
	H2_FRAME_GOAWAY = 0x7,
	H2_FRAME_WINDOW_UPDATE = 0x8,
	H2_FRAME_CONTINUATION = 0x9,
};

enum {
	H2_FLAG_END_STREAM = 0x1,
	H2_FLAG_ACK = 0x1,
	H2_FLAG_END_HEADERS = 0x4,
	H2_FLAG_PADDED = 0x8,
	H2_FLAG_PRIORITY = 0x20,
};

#define H2_HEADER_BYTES    9u
#define H2_FRAME_MIN_BYTES 16384u    /* what every peer must accept */
#define H2_FRAME_MAX_BYTES 16777215u /* what a length can say */

extern const char h2_preface[25]; /* 24 bytes and a NUL */
#define H2_PREFACE_BYTES 24u

static inline uint32_t h2_get_u32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static inline uint64_t h2_get_u64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return __builtin_bswap64(v);
}

static inline void h2_put_u16(uint8_t *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, 2);
}

static inline void h2_put_u32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, 4);
}

static inline void h2_put_u64(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, 8);
}

struct h2_frame {
	uint32_t len; /* payload bytes */
	uint32_t id;  /* without the reserved bit */
	uint8_t type, flags;
};

static inline struct h2_frame h2_frame_get(const uint8_t *p)
{
	uint32_t head = h2_get_u32(p);
	return (struct h2_frame){.len = head >> 8,
		.type = (uint8_t)head,
		.flags = p[4],
		.id = h2_get_u32(p + 5) & 0x7fffffff};
}

static inline void h2_frame_put(uint8_t *p, uint32_t len, uint8_t type, uint8_t flags, uint32_t id)
{
	h2_put_u32(p, len << 8 | type);
	p[4] = flags;
	h2_put_u32(p + 5, id);
}

/* Whole control frames; each returns its length in bytes. */
size_t h2_frame_put_rst(uint8_t *p, uint32_t id, uint32_t code);      /* 13 */
size_t h2_frame_put_window(uint8_t *p, uint32_t id, uint32_t bytes);  /* 13 */
size_t h2_frame_put_ping(uint8_t *p, uint8_t flags, uint64_t opaque); /* 17 */
size_t h2_frame_put_settings_ack(uint8_t *p);                         /* 9 */
size_t h2_frame_put_goaway(uint8_t *p, uint32_t last_id, uint32_t code, const char *debug,
	size_t debug_len); /* 17 + debug_len */
#endif
