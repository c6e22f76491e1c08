/* wire_out.c - frames that the engine sent: parsed, decoded by libnghttp2, and judged by the rules
 * that hold for every endpoint in every case. */
#include <nghttp2/nghttp2.h>
#include "wire_own.h"

static void broken(struct wire *w, const char *what)
{
	if (!w->broken)
		w->broken = what;
}

void wire_inflate_end(struct wire *w)
{
	if (w->inflater)
		nghttp2_hd_inflate_del(w->inflater);
	w->inflater = NULL;
}

void wire_table_setting(struct wire *w, uint32_t bytes)
{
	nghttp2_hd_inflater *inf = w->inflater;
	if (!inf)
		ASSERT(nghttp2_hd_inflate_new(&inf) == 0);
	w->inflater = inf;
	wire_sync(w);
	ASSERT(nghttp2_hd_inflate_change_table_size(inf, bytes) == 0);
	wire_setting(w, S_TABLE, bytes);
}

/* The block's fields as text; NULL when it does not decode. */
static char *inflate(struct wire *w, const uint8_t *block, size_t len)
{
	struct bytes text = {0};
	nghttp2_hd_inflater *inf = w->inflater;
	if (!inf && nghttp2_hd_inflate_new(&inf))
		return NULL;
	w->inflater = inf;
	bytes_add(&text, "", 0);
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(inf, &nv, &flags, block, len, 1);
		if (n < 0) {
			free(text.p);
			return NULL;
		}
		block += n;
		len -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			bytes_add(&text, "|", text.len > 0);
			bytes_add(&text, nv.name, nv.namelen);
			bytes_add(&text, " ", 1);
			bytes_add(&text, nv.value, nv.valuelen);
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && !len)
			break;
	}
	nghttp2_hd_inflate_end_headers(inf);
	return (char *)text.p;
}

/* Gathers the block that begins with frame `first` and ends with the newest. */
static void decode_block(struct wire *w, size_t first)
{
	struct bytes b = {0};
	for (size_t i = first; i < w->frame_count; i++)
		bytes_add(&b, w->out.p + w->frames[i].at, w->frames[i].len);
	w->frames[first].fields = inflate(w, b.p ? b.p : (const uint8_t *)"", b.len);
	if (!w->frames[first].fields)
		broken(w, "we sent a header block that libnghttp2 can't decode");
	free(b.p);
}

static bool ended_by_us(struct wire *w, uint32_t id)
{
	for (size_t i = 0; i + 1 < w->frame_count; i++) {
		struct wire_frame *f = &w->frames[i];
		if (f->id == id &&
			(f->type == RST_STREAM ||
				((f->type == DATA || f->type == HEADERS) && f->flags & ES)))
			return true;
	}
	return false;
}

static void judge_settings(struct wire *w, const struct wire_frame *f)
{
	if (f->id || f->len % 6 || (f->flags & ACK && f->len))
		broken(w, "we sent a malformed SETTINGS");
	for (size_t at = 0; at + 6 <= f->len; at += 6) {
		const uint8_t *p = w->out.p + f->at + at;
		uint32_t value =
			(uint32_t)p[2] << 24 | (uint32_t)p[3] << 16 | (uint32_t)p[4] << 8 | p[5];
		if ((p[0] << 8 | p[1]) == S_PUSH && value)
			broken(w, "we offered server push");
		if ((p[0] << 8 | p[1]) == S_WINDOW && value > H2_MAX_STREAM_ID)
			broken(w, "we sent an INITIAL_WINDOW_SIZE above 2^31-1");
	}
}

/* The newest frame: what is wrong in any situation (RFC 9113 sections 4.1, 4.2, 5.1, 6.x). */
static void judge_frame(struct wire *w)
{
	const struct wire_frame *f = &w->frames[w->frame_count - 1];
	const struct wire_frame *before = w->frame_count > 1 ? f - 1 : NULL;
	bool in_block = before && (before->type == HEADERS || before->type == CONTINUATION) &&
			!(before->flags & EH);
	if (!before && f->type != SETTINGS)
		broken(w, "our first frame is not SETTINGS (RFC 9113 3.4)");
	if (before && before->type == GOAWAY_F && wire_u32(w, before, 4) != H2_NO_ERROR)
		broken(w, "we sent a frame after the GOAWAY that ended the connection");
	if (f->id & 0x80000000u)
		broken(w, "we set the reserved bit (RFC 9113 4.1)");
	if (f->len > w->peer_max_frame)
		broken(w, "we sent a frame above the peer's MAX_FRAME_SIZE (RFC 9113 4.2)");
	if (in_block != (f->type == CONTINUATION) || (in_block && before->id != f->id))
		broken(w, "our header block is interrupted, or a CONTINUATION comes alone (RFC "
			  "9113 6.10)");
	switch (f->type) {
	case DATA:
	case HEADERS:
		if (!f->id || f->id % 2 == 0)
			broken(w, "we sent DATA or HEADERS on a stream that can't be");
		if (ended_by_us(w, f->id))
			broken(w, "we sent DATA or HEADERS on a stream that we had closed (RFC "
				  "9113 5.1)");
		break;
	case RST_STREAM:
		if (!f->id || f->len != 4)
			broken(w, "we sent a malformed RST_STREAM");
		break;
	case SETTINGS:
		judge_settings(w, f);
		break;
	case PING:
		if (f->id || f->len != 8)
			broken(w, "we sent a malformed PING");
		break;
	case GOAWAY_F:
		if (f->id || f->len < 8)
			broken(w, "we sent a malformed GOAWAY");
		break;
	case WINDOW_UPDATE:
		if (f->len != 4 || !wire_u32(w, f, 0))
			broken(w, "we sent a malformed WINDOW_UPDATE");
		break;
	case CONTINUATION:
		break;
	default:
		broken(w, "we sent a frame type that we never send");
	}
}

void wire_parse_out(struct wire *w)
{
	if (w->role == H2_CLIENT && w->out_parsed == 0 && w->out.len >= 24) {
		if (memcmp(w->out.p, PREFACE, 24))
			broken(w, "our preface is wrong (RFC 9113 3.4)");
		w->out_parsed = 24;
	}
	if (w->role == H2_CLIENT && w->out_parsed < 24)
		return;
	while (w->out.len - w->out_parsed >= 9) {
		const uint8_t *p = w->out.p + w->out_parsed;
		struct wire_frame f = {.len = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2],
			.type = p[3],
			.flags = p[4],
			.id = (uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 |
			      p[8],
			.at = w->out_parsed + 9};
		if (w->out.len - w->out_parsed - 9 < f.len)
			return;
		w->out_parsed += 9 + f.len;
		w->frames = wire_grow(w->frames, w->frame_count, sizeof(*w->frames));
		w->frames[w->frame_count++] = f;
		judge_frame(w);
		if ((f.type == HEADERS || f.type == CONTINUATION) && f.flags & EH) {
			size_t first = w->frame_count - 1;
			while (first && w->frames[first].type == CONTINUATION)
				first--;
			if (w->frames[first].flags & (PAD | PRIO))
				broken(w, "we padded or prioritised HEADERS: the kit can't read "
					  "that");
			decode_block(w, first);
		}
	}
}
