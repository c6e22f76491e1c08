#include "http2/frame.h"

const char h2_preface[25] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

size_t h2_frame_put_rst(uint8_t *p, uint32_t id, uint32_t code)
{
	h2_frame_put(p, 4, H2_FRAME_RST_STREAM, 0, id);
	h2_put_u32(p + H2_HEADER_BYTES, code);
	return H2_HEADER_BYTES + 4;
}

size_t h2_frame_put_window(uint8_t *p, uint32_t id, uint32_t bytes)
{
	h2_frame_put(p, 4, H2_FRAME_WINDOW_UPDATE, 0, id);
	h2_put_u32(p + H2_HEADER_BYTES, bytes);
	return H2_HEADER_BYTES + 4;
}

size_t h2_frame_put_ping(uint8_t *p, uint8_t flags, uint64_t opaque)
{
	h2_frame_put(p, 8, H2_FRAME_PING, flags, 0);
	h2_put_u64(p + H2_HEADER_BYTES, opaque);
	return H2_HEADER_BYTES + 8;
}

size_t h2_frame_put_settings_ack(uint8_t *p)
{
	h2_frame_put(p, 0, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0);
	return H2_HEADER_BYTES;
}

size_t h2_frame_put_goaway(
	uint8_t *p, uint32_t last_id, uint32_t code, const char *debug, size_t debug_len)
{
	h2_frame_put(p, (uint32_t)(8 + debug_len), H2_FRAME_GOAWAY, 0, 0);
	h2_put_u32(p + H2_HEADER_BYTES, last_id);
	h2_put_u32(p + H2_HEADER_BYTES + 4, code);
	if (debug_len)
		memcpy(p + H2_HEADER_BYTES + 8, debug, debug_len);
	return H2_HEADER_BYTES + 8 + debug_len;
}
