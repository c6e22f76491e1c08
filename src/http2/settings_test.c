#include "http2/settings.h"
#include "http2/frame.h"
#include "tap.h"

static enum h2_fault apply(struct h2_settings *s, enum h2_role peer, unsigned id, uint32_t value)
{
	uint8_t p[H2_SETTING_BYTES];
	h2_put_u16(p, (uint16_t)id);
	h2_put_u32(p + 2, value);
	return h2_settings_apply(s, peer, p);
}

TEST(settings_take_effect_at_their_limits)
{
	struct h2_settings s = h2_settings_assumed();
	CHECK_EQ(apply(&s, H2_CLIENT, 1, UINT32_MAX), H2_FAULT_COUNT);
	CHECK_EQ(s.header_table_bytes, UINT32_MAX);
	CHECK_EQ(apply(&s, H2_CLIENT, 3, 0), H2_FAULT_COUNT);
	CHECK_EQ(s.max_concurrent_streams, 0);
	CHECK_EQ(apply(&s, H2_CLIENT, 4, 0x7fffffff), H2_FAULT_COUNT);
	CHECK_EQ(s.initial_window_bytes, 0x7fffffff);
	CHECK_EQ(apply(&s, H2_CLIENT, 5, 16384), H2_FAULT_COUNT);
	CHECK_EQ(apply(&s, H2_CLIENT, 5, 16777215), H2_FAULT_COUNT);
	CHECK_EQ(s.max_frame_bytes, 16777215);
	CHECK_EQ(apply(&s, H2_CLIENT, 6, 0), H2_FAULT_COUNT);
	CHECK_EQ(s.max_header_list_bytes, 0);
}

TEST(settings_beyond_their_limits_are_faults)
{
	struct h2_settings s = h2_settings_assumed();
	CHECK_EQ(apply(&s, H2_CLIENT, 2, 2), H2_FAULT_SETTINGS_PUSH);
	CHECK_EQ(apply(&s, H2_CLIENT, 4, 0x80000000), H2_FAULT_SETTINGS_WINDOW);
	CHECK_EQ(apply(&s, H2_CLIENT, 5, 16383), H2_FAULT_SETTINGS_FRAME);
	CHECK_EQ(apply(&s, H2_CLIENT, 5, 16777216), H2_FAULT_SETTINGS_FRAME);
	CHECK_EQ(apply(&s, H2_SERVER, 8, 2), H2_FAULT_SETTINGS_CONNECT);
	CHECK_EQ(h2_fault_code(H2_FAULT_SETTINGS_WINDOW), H2_FLOW_CONTROL_ERROR);
	CHECK_EQ(h2_fault_code(H2_FAULT_SETTINGS_FRAME), H2_PROTOCOL_ERROR);
}

TEST(a_server_may_not_enable_push_and_a_client_may)
{
	struct h2_settings s = h2_settings_assumed();
	CHECK_EQ(apply(&s, H2_CLIENT, 2, 1), H2_FAULT_COUNT);
	CHECK_EQ(apply(&s, H2_SERVER, 2, 0), H2_FAULT_COUNT);
	CHECK_EQ(apply(&s, H2_SERVER, 2, 1), H2_FAULT_SETTINGS_PUSH);
}

TEST(extended_connect_can_not_be_taken_back)
{
	struct h2_settings s = h2_settings_assumed();
	CHECK_EQ(apply(&s, H2_SERVER, 8, 0), H2_FAULT_COUNT);
	CHECK_EQ(apply(&s, H2_SERVER, 8, 1), H2_FAULT_COUNT);
	CHECK_EQ(apply(&s, H2_SERVER, 8, 0), H2_FAULT_SETTINGS_CONNECT);
}

TEST(unknown_settings_are_ignored)
{
	struct h2_settings s = h2_settings_assumed(), before = s;
	CHECK_EQ(apply(&s, H2_CLIENT, 0xffff, 7), H2_FAULT_COUNT);
	CHECK_EQ(apply(&s, H2_CLIENT, 0, 7), H2_FAULT_COUNT);
	CHECK_EQ(s.initial_window_bytes, before.initial_window_bytes);
	CHECK_EQ(s.max_frame_bytes, before.max_frame_bytes);
}

static bool has(const uint8_t *frame, size_t len, unsigned id, uint32_t value)
{
	for (size_t at = 9; at < len; at += 6)
		if ((unsigned)(frame[at] << 8 | frame[at + 1]) == id &&
			h2_get_u32(frame + at + 2) == value)
			return true;
	return false;
}

TEST(our_settings_say_what_the_options_say)
{
	struct h2_options o = h2_options_default(H2_SERVER);
	uint8_t p[H2_SETTINGS_FRAME_MAX_BYTES];
	o.extended_connect = true;
	o.max_frame_bytes = 20000;
	o.decoder_table_bytes = 0;
	size_t len = h2_settings_put(p, H2_SERVER, &o);
	CHECK_EQ(h2_frame_get(p).len + 9, len);
	CHECK(has(p, len, 1, 0));
	CHECK(has(p, len, 3, o.max_concurrent_streams));
	CHECK(has(p, len, 4, o.stream_window_bytes));
	CHECK(has(p, len, 5, 20000));
	CHECK(has(p, len, 6, o.header_list_bytes));
	CHECK(has(p, len, 8, 1));
	o = h2_options_default(H2_CLIENT);
	len = h2_settings_put(p, H2_CLIENT, &o);
	CHECK(has(p, len, 2, 0));
	CHECK(!has(p, len, 8, 1));
}

TAP_MAIN()
