/* encode.c - what an end says: see end.h. Every message has DATA frames of its own, as a client
 * library that writes messages one by one would send them. */
#include "end.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "socket.h"

#define FRAME_HEAD   9u
#define FRAME_MAX    16384u
#define PUMP_BYTES   32768u /* framed before a write: as much as gRPC-Go gathers by default */
#define HEADER_BYTES 1024u

enum { DATA = 0, HEADERS = 1, SETTINGS = 4, WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, END_HEADERS = 4 };

static const struct {
	const char *name, *value; /* value NULL: never the same */
	uint8_t static_index;     /* of the name; 0: none */
} names[NAME_COUNT] = {
	[NAME_PATH_ECHO] = {NULL, "/bench.Bench/Echo", 4},
	[NAME_PATH_FLOOD] = {NULL, "/bench.Bench/Flood", 4},
	[NAME_AUTHORITY] = {NULL, "bench.example.com", 1},
	[NAME_TE] = {"te", "trailers", 0},
	[NAME_CONTENT_TYPE] = {NULL, "application/grpc", 31},
	[NAME_USER_AGENT] = {NULL, "grpc-c/1.51 (linux; chttp2)", 58},
	[NAME_ACCEPT_ENCODING] = {"grpc-accept-encoding", "identity, deflate, gzip", 0},
	[NAME_TIMEOUT] = {"grpc-timeout", NULL, 0},
	[NAME_REQUEST_ID] = {"x-request-id", NULL, 0},
	[NAME_STATUS] = {"grpc-status", "0", 0},
	[NAME_MESSAGE] = {"grpc-message", "", 0},
	[NAME_SAID] = {"x-bench-said", NULL, 0},
	[NAME_HEARD] = {"x-bench-heard", NULL, 0},
};

uint8_t *bytes_room(struct bytes *b, uint32_t len)
{
	if (b->begin == b->end)
		b->begin = b->end = 0;
	if (b->at && b->end + len > b->cap && b->begin >= b->end - b->begin) {
		memcpy(b->at, b->at + b->begin, b->end - b->begin);
		b->end -= b->begin;
		b->begin = 0;
	}
	if (!b->at || b->end + len > b->cap) {
		b->cap = b->cap * 2 > b->end + len ? b->cap * 2 : b->end + len + 256;
		b->at = realloc(b->at, b->cap);
		if (!b->at)
			die("out of memory");
	}
	return b->at + b->end;
}

void conn_touch(struct conn *c)
{
	if (list_empty(&c->dirty) && !c->dead)
		list_push_back(&c->end->dirty, &c->dirty);
}

static void put_head(uint8_t *at, uint32_t len, uint8_t type, uint8_t flags, uint32_t id)
{
	const uint8_t head[FRAME_HEAD] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,
		type, flags, (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8),
		(uint8_t)id};
	memcpy(at, head, FRAME_HEAD);
}

void frame_put(struct conn *c, uint32_t len, uint8_t type, uint8_t flags, uint32_t id)
{
	put_head(bytes_room(&c->out, FRAME_HEAD + len), len, type, flags, id);
	c->out.end += FRAME_HEAD;
	conn_touch(c);
}

static void put_u32(struct conn *c, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		c->out.at[c->out.end++] = (uint8_t)(v >> (24 - 8 * i));
}

void frame_window(struct conn *c, uint32_t id, uint32_t bytes)
{
	frame_put(c, 4, WINDOW_UPDATE, 0, id);
	put_u32(c, bytes);
}

static void put_setting(struct conn *c, uint16_t id, uint32_t value)
{
	c->out.at[c->out.end++] = (uint8_t)(id >> 8);
	c->out.at[c->out.end++] = (uint8_t)id;
	put_u32(c, value);
}

void frame_hello(struct conn *c)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	if (c->end->role->client) {
		memcpy(bytes_room(&c->out, sizeof(preface) - 1), preface, sizeof(preface) - 1);
		c->out.end += sizeof(preface) - 1;
	}
	frame_put(c, 12, SETTINGS, 0, 0);
	put_setting(c, 4, END_STREAM_WINDOW);
	if (c->end->role->client)
		put_setting(c, 2, 0); /* ENABLE_PUSH */
	else
		put_setting(c, 3, 0x7fffffffu); /* MAX_CONCURRENT_STREAMS, as gRPC servers say */
	frame_window(c, 0, END_CONN_WINDOW - 65535);
}

/* ---- header blocks (RFC 7541), without Huffman ---- */

static uint8_t *put_int(uint8_t *at, uint8_t first, unsigned bits, uint32_t v)
{
	uint32_t most = (1u << bits) - 1;
	if (v < most) {
		*at++ = (uint8_t)(first | v);
		return at;
	}
	*at++ = (uint8_t)(first | most);
	for (v -= most; v >= 128; v >>= 7)
		*at++ = (uint8_t)(v | 128);
	*at++ = (uint8_t)v;
	return at;
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
	size_t len = strlen(text);
	at = put_int(at, 0, 7, (uint32_t)len);
	memcpy(at, text, len);
	return at + len;
}

/* The first of its name on a connection enters the dynamic table (which holds them all); then a
 * constant field is one index, and a changing one a literal with an indexed name. */
static uint8_t *put_field(struct conn *c, uint8_t *at, enum name n, const char *value)
{
	const char *text = value ? value : names[n].value;
	ASSERT(text);
	if (c->no_table) {
		at = put_int(at, 0, 4, names[n].static_index);
		if (!names[n].static_index)
			at = put_text(at, names[n].name);
		return put_text(at, text);
	}
	if (c->inserted_at[n]) {
		uint32_t index = 62 + c->inserted - c->inserted_at[n];
		if (names[n].value)
			return put_int(at, 0x80, 7, index);
		return put_text(put_int(at, 0, 4, index), text);
	}
	c->inserted_at[n] = ++c->inserted;
	at = put_int(at, 0x40, 6, names[n].static_index);
	if (!names[n].static_index)
		at = put_text(at, names[n].name);
	return put_text(at, text);
}

/* A table that the peer made smaller than we used is first said to be so (RFC 7541 4.2): empty. */
static uint8_t *begin_block(struct conn *c, uint8_t *at)
{
	if (c->say_no_table)
		*at++ = 0x20;
	c->say_no_table = false;
	return at;
}

static void put_block(
	struct stream *s, uint8_t flags, const uint8_t *block, const uint8_t *block_end)
{
	uint32_t len = (uint32_t)(block_end - block);
	frame_put(s->conn, len, HEADERS, END_HEADERS | flags, s->id);
	memcpy(s->conn->out.at + s->conn->out.end, block, len);
	s->conn->out.end += len;
}

void head_request(struct stream *s, uint64_t number)
{
	struct conn *c = s->conn;
	uint8_t block[HEADER_BYTES], *at = begin_block(c, block);
	char text[40];
	*at++ = 0x83; /* :method POST */
	*at++ = 0x86; /* :scheme http */
	at = put_field(c, at, s->flood ? NAME_PATH_FLOOD : NAME_PATH_ECHO, NULL);
	at = put_field(c, at, NAME_AUTHORITY, NULL);
	at = put_field(c, at, NAME_TE, NULL);
	at = put_field(c, at, NAME_CONTENT_TYPE, NULL);
	at = put_field(c, at, NAME_USER_AGENT, NULL);
	at = put_field(c, at, NAME_ACCEPT_ENCODING, NULL);
	snprintf(text, sizeof(text), "%um", 3600000 - (unsigned)(number % 1000));
	at = put_field(c, at, NAME_TIMEOUT, text);
	snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, number * 0x9e3779b97f4a7c15u,
		number);
	at = put_field(c, at, NAME_REQUEST_ID, text);
	put_block(s, 0, block, at);
}

void head_response(struct stream *s)
{
	uint8_t block[HEADER_BYTES], *at = begin_block(s->conn, block);
	*at++ = 0x88; /* :status 200 */
	at = put_field(s->conn, at, NAME_CONTENT_TYPE, NULL);
	at = put_field(s->conn, at, NAME_ACCEPT_ENCODING, NULL);
	put_block(s, 0, block, at);
}

void head_trailers(struct stream *s, bool counts)
{
	uint8_t block[HEADER_BYTES], *at = begin_block(s->conn, block);
	char text[24];
	at = put_field(s->conn, at, NAME_STATUS, NULL);
	at = put_field(s->conn, at, NAME_MESSAGE, NULL);
	if (counts) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)s->said);
		at = put_field(s->conn, at, NAME_SAID, text);
		snprintf(text, sizeof(text), "%llu", (unsigned long long)s->in.heard);
		at = put_field(s->conn, at, NAME_HEARD, text);
	}
	s->ended = true;
	put_block(s, END_STREAM, block, at);
}

uint64_t field_number(const struct fields *f, const char *name)
{
	const struct field *field = fields_find(f, name, strlen(name));
	uint64_t n = 0;
	if (!field || field->value_len == 0)
		die("trailers without %s", name);
	for (uint32_t i = 0; i < field->value_len; i++)
		n = n * 10 + (uint64_t)(field->value[i] - '0');
	return n;
}

/* ---- messages ---- */

/* One DATA frame of the current message; false when no window is left for one byte. */
static bool pump_frame(struct stream *s)
{
	struct conn *c = s->conn;
	uint32_t whole = MESSAGE_PREFIX + s->size, len = whole - s->at;
	int64_t room = s->window < c->window ? s->window : c->window;
	if (len > FRAME_MAX)
		len = FRAME_MAX;
	if (len > room)
		len = room > 0 ? (uint32_t)room : 0;
	if (len == 0)
		return false;
	bool done = s->at + len == whole;
	bool end = done && s->last && s->said + 1 == s->owe && c->end->role->client;
	uint8_t *at = bytes_room(&c->out, FRAME_HEAD + len);
	put_head(at, len, DATA, end ? END_STREAM : 0, s->id);
	message_write(s->base + s->said, s->size, s->at, len, at + FRAME_HEAD);
	c->out.end += FRAME_HEAD + len;
	c->window -= len;
	s->window -= len;
	s->at = done ? 0 : s->at + len;
	s->said += done;
	s->ended |= end;
	return true;
}

/* Frames what is owed, a frame a stream in turn, as far as windows and the output's bound go. A
 * stream whose own window is used up leaves the list until it is credited. */
void pump(struct conn *c)
{
	while (!list_empty(&c->sending) && c->out.end - c->out.begin < PUMP_BYTES) {
		struct stream *s = CONTAINER_OF(c->sending.next, struct stream, sending);
		if (s->said < s->owe && !pump_frame(s)) {
			if (c->window <= 0)
				return;
			list_remove(&s->sending);
			continue;
		}
		list_remove(&s->sending);
		if (s->said < s->owe)
			list_push_back(&c->sending, &s->sending);
		else if (s->last)
			c->end->role->finish(s);
	}
}
