/* wire_want.c - expectations: what came out of the engine since the mark, NULL or a sentence. */
#include <stdarg.h>
#include "wire_own.h"

static char message[600];

static const char *say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static const char *say(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	return message;
}

/* What happened since the mark, in short, for failure messages. */
static const char *summary(struct wire *w)
{
	static char s[360];
	static const char *const type[] = {"DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS",
		"PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION"};
	size_t n = 0;
	s[0] = 0;
	for (size_t i = w->frame_mark; i < w->frame_count && n < sizeof(s) - 60; i++) {
		const struct wire_frame *f = &w->frames[i];
		n += (size_t)snprintf(
			s + n, sizeof(s) - n, " %s/%u", f->type < 10 ? type[f->type] : "?", f->id);
		if (f->type == RST_STREAM)
			n += (size_t)snprintf(
				s + n, sizeof(s) - n, "(%s)", h2_code_name(wire_u32(w, f, 0)));
		if (f->type == GOAWAY_F)
			n += (size_t)snprintf(
				s + n, sizeof(s) - n, "(%s)", h2_code_name(wire_u32(w, f, 4)));
	}
	for (size_t i = w->event_mark; i < w->event_count; i++)
		if (w->events[i].e.kind == H2_EV_DEAD)
			n += (size_t)snprintf(s + n, sizeof(s) - n, " dead(%s)",
				w->events[i].e.fault < H2_FAULT_COUNT
					? h2_fault_text(w->events[i].e.fault)
					: "");
	return s;
}

uint32_t wire_u32(const struct wire *w, const struct wire_frame *f, size_t at)
{
	if (at + 4 > f->len)
		return UINT32_MAX;
	const uint8_t *p = w->out.p + f->at + at;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

const struct wire_frame *wire_sent(struct wire *w, int type, uint32_t id, size_t nth)
{
	wire_sync(w);
	for (size_t i = w->frame_mark; i < w->frame_count; i++)
		if (w->frames[i].type == type && w->frames[i].id == id && !nth--)
			return &w->frames[i];
	return NULL;
}

const struct wire_event *wire_got(struct wire *w, enum h2_event_kind kind, uint32_t id, size_t nth)
{
	wire_sync(w);
	for (size_t i = w->event_mark; i < w->event_count; i++)
		if (w->events[i].e.kind == kind && w->events[i].id == id && !nth--)
			return &w->events[i];
	return NULL;
}

const struct wire_event *wire_got_message(
	struct wire *w, enum event_kind kind, uint32_t id, size_t nth)
{
	wire_sync(w);
	for (size_t i = w->event_mark; i < w->event_count; i++)
		if (w->events[i].e.kind == H2_EV_MESSAGE && w->events[i].e.ev.kind == kind &&
			w->events[i].id == id && !nth--)
			return &w->events[i];
	return NULL;
}

static size_t count_frames(struct wire *w, int type, uint32_t id)
{
	size_t n = 0;
	wire_sync(w);
	for (size_t i = w->frame_mark; i < w->frame_count; i++)
		n += w->frames[i].type == type && w->frames[i].id == id;
	return n;
}

static size_t count_events(struct wire *w, enum h2_event_kind kind, uint32_t id)
{
	size_t n = 0;
	wire_sync(w);
	for (size_t i = w->event_mark; i < w->event_count; i++)
		n += w->events[i].e.kind == kind && w->events[i].id == id;
	return n;
}

const char *wire_want_goaway(struct wire *w, uint32_t code)
{
	wire_sync(w);
	size_t n = count_frames(w, GOAWAY_F, 0);
	const struct wire_event *dead = wire_got(w, H2_EV_DEAD, 0, 0);
	const struct wire_frame *f = n ? wire_sent(w, GOAWAY_F, 0, n - 1) : NULL;
	if (!f || wire_u32(w, f, 4) != code)
		return say("expected GOAWAY(%s), got:%s", h2_code_name(code), summary(w));
	uint32_t last = wire_u32(w, f, 0), low = w->role == H2_SERVER ? w->surfaced : 0;
	uint32_t high = w->role == H2_SERVER ? w->headers_in : 0;
	if (!w->out_of_order && (last < low || last > high))
		return say("GOAWAY's last id is %u, expected %u..%u", last, low, high);
	if (!dead || !h2_conn_is_dead(w->c))
		return say("GOAWAY(%s) without H2_EV_DEAD", h2_code_name(code));
	if (dead->e.code != code)
		return say("H2_EV_DEAD has code %s", h2_code_name(dead->e.code));
	if (f != &w->frames[w->frame_count - 1])
		return say("GOAWAY is not the last frame:%s", summary(w));
	return NULL;
}

const char *wire_want_reset(struct wire *w, uint32_t id, uint32_t code)
{
	wire_sync(w);
	const struct wire_frame *f = wire_sent(w, RST_STREAM, id, 0);
	if (!f || wire_u32(w, f, 0) != code)
		return say(
			"expected RST_STREAM/%u(%s), got:%s", id, h2_code_name(code), summary(w));
	if (count_frames(w, RST_STREAM, id) != 1)
		return say("more than one RST_STREAM for stream %u", id);
	const struct wire_event *e = wire_got(w, H2_EV_RESET, id, 0);
	if (e && !e->e.by_peer && e->e.code != code)
		return say("H2_EV_RESET of stream %u has code %u", id, e->e.code);
	return wire_want_alive(w);
}

const char *wire_want_fault(struct wire *w, uint32_t id, uint32_t code)
{
	wire_sync(w);
	return wire_sent(w, GOAWAY_F, 0, 0) ? wire_want_goaway(w, code)
					    : wire_want_reset(w, id, code);
}

static const char *alive_server(struct wire *w)
{
	uint32_t id = w->next_id;
	w->next_id += 2;
	wire_headers(w, id, ES, GET_REQ "|x-alive 1");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	if (!e || !e->e.ev.end || !wire_has_field(e->text, "x-alive 1"))
		return say("a further request (%u) did not come through; got:%s", id, summary(w));
	app_head(w, id, OK_RESP "|x-alive 1", true);
	const struct wire_frame *f = wire_sent(w, HEADERS, id, 0);
	if (!f || !(f->flags & ES) || !wire_has_field(f->fields, "x-alive 1"))
		return say("the answer to a further request did not come out; got:%s", summary(w));
	if (!w->release_early && count_events(w, H2_EV_CLOSED, id) != 1)
		return say("a further stream did not close");
	return NULL;
}

static const char *alive_client(struct wire *w)
{
	uint32_t id = app_open(w, GET_REQ "|x-alive 1", true);
	if (!id)
		return say("no further stream could be opened");
	const struct wire_frame *f = wire_sent(w, HEADERS, id, 0);
	if (!f || !(f->flags & ES) || !wire_has_field(f->fields, "x-alive 1"))
		return say("a further request did not come out; got:%s", summary(w));
	wire_headers(w, id, ES, OK_RESP "|x-alive 1");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	if (!e || !e->e.ev.end || !wire_has_field(e->text, "x-alive 1"))
		return say(
			"the answer to a further request did not come through; got:%s", summary(w));
	return NULL;
}

const char *wire_want_alive(struct wire *w)
{
	wire_sync(w);
	if (h2_conn_is_dead(w->c) || w->dead)
		return say("the connection died:%s", summary(w));
	uint64_t opaque = 0xa11e000000000000u + ++w->pings;
	wire_ping(w, 0, opaque);
	wire_sync(w);
	for (size_t i = 0;; i++) {
		const struct wire_frame *f = wire_sent(w, PING, 0, i);
		if (!f)
			return say("no answer to PING:%s", summary(w));
		if (f->flags & ACK && wire_u32(w, f, 0) == (uint32_t)(opaque >> 32) &&
			wire_u32(w, f, 4) == (uint32_t)opaque)
			break;
	}
	return w->role == H2_SERVER ? alive_server(w) : alive_client(w);
}

const char *wire_want_ignored(struct wire *w, uint32_t id)
{
	wire_sync(w);
	if (wire_sent(w, RST_STREAM, id, 0) || wire_sent(w, GOAWAY_F, 0, 0))
		return say("expected no answer, got:%s", summary(w));
	return wire_want_alive(w);
}

const char *wire_want_frames(struct wire *w, int type, uint32_t id, size_t count)
{
	size_t n = count_frames(w, type, id);
	return n == count ? NULL
			  : say("%zu frames of type %d on stream %u, expected %zu; got:%s", n, type,
				    id, count, summary(w));
}

const char *wire_want_events(struct wire *w, enum h2_event_kind kind, uint32_t id, size_t count)
{
	size_t n = count_events(w, kind, id);
	return n == count ? NULL
			  : say("%zu events of kind %d for stream %u, expected %zu; got:%s", n,
				    (int)kind, id, count, summary(w));
}

const char *wire_want_message(
	struct wire *w, uint32_t id, enum event_kind kind, const char *text, bool end)
{
	const struct wire_event *e = wire_got_message(w, kind, id, 0);
	if (!e)
		return say("no event of kind %d for stream %u; got:%s", (int)kind, id, summary(w));
	if (strcmp(e->text, text))
		return say("stream %u got \"%.200s\", expected \"%.200s\"", id, e->text, text);
	if (e->e.ev.end != end)
		return say("stream %u: end is %d", id, e->e.ev.end);
	return NULL;
}

uint64_t wire_sent_data(struct wire *w, uint32_t id)
{
	uint64_t n = 0;
	wire_sync(w);
	for (size_t i = w->frame_mark; i < w->frame_count; i++)
		if (w->frames[i].type == DATA && w->frames[i].id == id)
			n += w->frames[i].len;
	return n;
}

uint64_t wire_got_data(struct wire *w, uint32_t id)
{
	uint64_t n = 0;
	wire_sync(w);
	for (size_t i = w->event_mark; i < w->event_count; i++)
		if (w->events[i].id == id)
			n += w->events[i].len;
	return n;
}

uint64_t wire_sent_window(struct wire *w, uint32_t id)
{
	uint64_t n = 0;
	const struct wire_frame *f;
	for (size_t i = 0; (f = wire_sent(w, WINDOW_UPDATE, id, i)); i++)
		n += wire_u32(w, f, 0);
	return n;
}

bool wire_sent_pattern(struct wire *w, uint32_t id)
{
	size_t n = 0;
	const struct wire_frame *f;
	for (size_t i = 0; (f = wire_sent(w, DATA, id, i)); i++)
		for (size_t k = 0; k < f->len; k++, n++)
			if (w->out.p[f->at + k] != (uint8_t)(n % 251))
				return false;
	return true;
}

bool wire_sent_end(struct wire *w, uint32_t id)
{
	wire_sync(w);
	for (size_t i = w->frame_mark; i < w->frame_count; i++) {
		const struct wire_frame *f = &w->frames[i];
		if (f->id == id && (f->type == DATA || f->type == HEADERS) && f->flags & ES)
			return true;
	}
	return false;
}

bool wire_has_field(const char *fields, const char *field)
{
	size_t len = strlen(field);
	for (const char *p = fields; p && (p = strstr(p, field)); p++)
		if ((p == fields || p[-1] == '|') && (p[len] == 0 || p[len] == '|'))
			return true;
	return false;
}
