#include "http2/settings.h"
#include "http2/flow.h"
#include "http2/frame.h"
#include "http2/hpack.h"

struct h2_settings h2_settings_assumed(void)
{
	return (struct h2_settings){
		.header_table_bytes = HPACK_DEFAULT_TABLE_BYTES,
		.max_concurrent_streams = 100,
		.initial_window_bytes = H2_WINDOW_DEFAULT,
		.max_frame_bytes = H2_FRAME_MIN_BYTES,
		.max_header_list_bytes = UINT32_MAX,
	};
}

enum h2_fault h2_settings_apply(struct h2_settings *s, enum h2_role peer, const uint8_t *p)
{
	unsigned id = (unsigned)(p[0] << 8 | p[1]);
	uint32_t value = h2_get_u32(p + 2);
	switch (id) {
	case H2_SETTING_HEADER_TABLE_SIZE:
		s->header_table_bytes = value;
		break;
	case H2_SETTING_ENABLE_PUSH:
		/* A server must not send 1 (6.5.2). */
		if (value > (peer == H2_SERVER ? 0u : 1u))
			return H2_FAULT_SETTINGS_PUSH;
		break;
	case H2_SETTING_MAX_CONCURRENT_STREAMS:
		s->max_concurrent_streams = value;
		break;
	case H2_SETTING_INITIAL_WINDOW_SIZE:
		if (value > H2_WINDOW_MAX_BYTES)
			return H2_FAULT_SETTINGS_WINDOW;
		s->initial_window_bytes = (int32_t)value;
		break;
	case H2_SETTING_MAX_FRAME_SIZE:
		if (value < H2_FRAME_MIN_BYTES || value > H2_FRAME_MAX_BYTES)
			return H2_FAULT_SETTINGS_FRAME;
		s->max_frame_bytes = value;
		break;
	case H2_SETTING_MAX_HEADER_LIST_SIZE:
		s->max_header_list_bytes = value;
		break;
	case H2_SETTING_ENABLE_CONNECT_PROTOCOL:
		/* RFC 8441 3: 0 or 1, and never back to 0. */
		if (value > 1 || (value == 0 && s->enable_connect))
			return H2_FAULT_SETTINGS_CONNECT;
		s->enable_connect = value == 1;
		break;
	default:
		break;
	}
	return H2_FAULT_COUNT;
}

static uint8_t *put_one(uint8_t *p, enum h2_setting id, uint32_t value)
{
	h2_put_u16(p, (uint16_t)id);
	h2_put_u32(p + 2, value);
	return p + H2_SETTING_BYTES;
}

size_t h2_settings_put(uint8_t *p, enum h2_role role, const struct h2_options *o)
{
	uint8_t *at = p + H2_HEADER_BYTES;
	if (o->decoder_table_bytes != HPACK_DEFAULT_TABLE_BYTES)
		at = put_one(at, H2_SETTING_HEADER_TABLE_SIZE, o->decoder_table_bytes);
	if (role == H2_CLIENT)
		at = put_one(at, H2_SETTING_ENABLE_PUSH, 0);
	else
		at = put_one(at, H2_SETTING_MAX_CONCURRENT_STREAMS, o->max_concurrent_streams);
	at = put_one(at, H2_SETTING_INITIAL_WINDOW_SIZE, o->stream_window_bytes);
	if (o->max_frame_bytes != H2_FRAME_MIN_BYTES)
		at = put_one(at, H2_SETTING_MAX_FRAME_SIZE, o->max_frame_bytes);
	at = put_one(at, H2_SETTING_MAX_HEADER_LIST_SIZE, o->header_list_bytes);
	if (role == H2_SERVER && o->extended_connect)
		at = put_one(at, H2_SETTING_ENABLE_CONNECT_PROTOCOL, 1);
	h2_frame_put(p, (uint32_t)(at - p) - H2_HEADER_BYTES, H2_FRAME_SETTINGS, 0, 0);
	return (size_t)(at - p);
}
