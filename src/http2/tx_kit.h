/* tx_kit.h - for the tests of tx: a client whose output is looked at frame by frame. Tests only. */
#ifndef WEIR_HTTP2_TX_KIT_H
#define WEIR_HTTP2_TX_KIT_H
#include "engine_kit.h"

static uint8_t payload[300000];
static uint8_t *wire;
static size_t wire_len;

/* A client whose peer said SETTINGS (with `window`, if not 0) and nothing else. */
static inline struct kit *client(uint32_t window)
{
	static struct kit_bytes b;
	struct kit *k = kit_create(NULL, NULL);
	uint8_t setting[6] = {0, H2_SETTING_INITIAL_WINDOW_SIZE};
	b.len = 0;
	h2_put_u32(setting + 2, window);
	kit_frame(&b, H2_FRAME_SETTINGS, 0, 0, setting, window ? 6 : 0);
	kit_feed(k, &k->a, b.at, b.len);
	free(kit_drain(&k->a, &wire_len));
	kit_forget(&k->a);
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
	return k;
}

static inline void drain(struct kit *k)
{
	free(wire);
	wire = kit_drain(&k->a, &wire_len);
}

static inline void done(struct kit *k)
{
	free(wire);
	wire = NULL;
	kit_destroy(k);
}

static inline unsigned frames(uint8_t type)
{
	struct h2_frame f;
	const uint8_t *p;
	unsigned n = 0;
	while (kit_find(wire, wire_len, type, (int)n, &f, &p))
		n++;
	return n;
}

/* The content of every DATA frame of a stream, joined, against `want`. */
static inline void check_content(uint32_t id, const uint8_t *want, size_t len)
{
	struct h2_frame f;
	const uint8_t *p;
	size_t at = 0;
	for (int n = 0; kit_find(wire, wire_len, H2_FRAME_DATA, n, &f, &p); n++) {
		if (f.id != id)
			continue;
		REQUIRE(at + f.len <= len);
		CHECK(!memcmp(p, want + at, f.len));
		at += f.len;
	}
	CHECK_EQ(at, len);
}

static inline void credit(struct kit *k, uint32_t id, uint32_t by)
{
	uint8_t frame[13];
	kit_feed(k, &k->a, frame, h2_frame_put_window(frame, id, by));
}
#endif
