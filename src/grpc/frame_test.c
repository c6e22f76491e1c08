#include "grpc/frame.h"
#include "base/buf.h"
#include "base/rand.h"
#include "grpc/frame_naive.h"
#include "tap.h"

static const enum grpc_wire all_wires[] = {GRPC_WIRE_NONE, GRPC_WIRE_GRPC, GRPC_WIRE_WEB,
	GRPC_WIRE_WEB_TEXT, GRPC_WIRE_CONNECT_STREAM, GRPC_WIRE_CONNECT_UNARY};
#define WIRES (sizeof all_wires / sizeof all_wires[0])

/* What a walker saw, to be compared with the naive judge. */
struct seen {
	struct grpc_walker w;
	uint32_t sizes[4096];
	size_t count;
	bool alike; /* by grpc_walk_alike too */
};

static void saw(struct seen *s, uint32_t size)
{
	if (s->count < 4096)
		s->sizes[s->count] = size;
	s->count++;
}

static void feed(struct seen *s, const uint8_t *bytes, size_t len)
{
	/* An exact copy on the heap, so that a sanitizer sees a read beyond the piece. */
	uint8_t *piece = malloc(len ? len : 1);
	if (len)
		memcpy(piece, bytes, len);
	const uint8_t *at = piece;
	uint32_t size;
	while (grpc_walk(&s->w, &at, piece + len, &size)) {
		uint32_t more = s->alike ? grpc_walk_alike(&s->w, &at, piece + len, size) : 0;
		for (saw(s, size); more; more--)
			saw(s, size);
	}
	CHECK(at == piece + len);
	free(piece);
}

static bool agrees(struct seen *s, enum grpc_wire wire, const uint8_t *bytes, size_t len)
{
	struct naive want;
	naive_walk(wire, bytes, len, &want);
	uint32_t size = 0;
	struct grpc_walker w = s->w; /* finish may be asked of a copy: the stream goes on */
	bool same = s->count == want.count && s->count <= 4096 &&
		    !memcmp(s->sizes, want.sizes, want.count * sizeof want.sizes[0]) &&
		    grpc_walker_pending(&w) == want.pending &&
		    grpc_walker_finish(&w, &size) == want.end &&
		    (want.end != GRPC_WALK_COMPLETE || size == want.end_size);
	naive_fini(&want);
	return same;
}

static void add_envelope(struct buf *b, uint8_t flag, uint32_t size, struct rand *r)
{
	uint8_t prefix[5] = {flag, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
		(uint8_t)(size >> 8), (uint8_t)size};
	buf_add(b, prefix, 5);
	for (uint32_t i = 0; i < size; i++)
		buf_char(b, (char)rand_u64(r));
}

/* Base64 in chunks of random lengths, each padded for itself. */
static void to_text(struct buf *b, struct rand *r)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct buf text;
	buf_init(&text);
	buf_str(&text, "");
	for (size_t at = 0, chunk_end = 0; at < b->len; at += 3) {
		if (at >= chunk_end)
			chunk_end = at = chunk_end, chunk_end += 1 + rand_below(r, 24);
		if (chunk_end > b->len)
			chunk_end = b->len;
		size_t n = chunk_end - at < 3 ? chunk_end - at : 3;
		uint32_t v = 0;
		for (size_t i = 0; i < 3; i++)
			v = v << 8 | (i < n ? (uint8_t)b->bytes[at + i] : 0);
		for (size_t i = 0; i < 4; i++)
			buf_char(&text, i <= n ? alphabet[v >> (18 - 6 * i) & 63] : '=');
	}
	buf_fini(b);
	*b = text;
}

/* A stream of random envelopes, sometimes cut off. */
static void random_stream(struct buf *b, enum grpc_wire wire, struct rand *r)
{
	static const uint8_t flags[] = {0, 0, 0, 1, 1, 2, 3, 0x80, 0x81, 0xff};
	buf_init(b);
	buf_str(b, ""); /* an empty stream lies somewhere too */
	unsigned n = (unsigned)rand_below(r, 8);
	for (unsigned i = 0; i < n; i++) {
		uint32_t size =
			(uint32_t)(rand_below(r, 3) ? rand_below(r, 12) : rand_below(r, 300));
		add_envelope(b, flags[rand_below(r, sizeof flags)], size, r);
	}
	if (b->len && rand_below(r, 3) == 0)
		b->len = rand_below(r, b->len);
	if (wire == GRPC_WIRE_WEB_TEXT)
		to_text(b, r);
}

TEST(walker_agrees_with_a_naive_reference_after_every_single_byte)
{
	struct rand r;
	rand_seed(&r, 1);
	for (unsigned round = 0; round < 60; round++) {
		enum grpc_wire wire = all_wires[round % WIRES];
		struct buf b;
		random_stream(&b, wire, &r);
		struct seen s = {.count = 0};
		grpc_walker_init(&s.w, wire);
		for (size_t i = 0; i < b.len; i++) {
			feed(&s, (uint8_t *)b.bytes + i, 1);
			REQUIRE(agrees(&s, wire, (uint8_t *)b.bytes, i + 1));
		}
		buf_fini(&b);
	}
}

TEST(walker_counts_the_same_for_every_split_in_two)
{
	struct rand r;
	rand_seed(&r, 2);
	for (unsigned round = 0; round < 60; round++) {
		enum grpc_wire wire = all_wires[round % WIRES];
		struct buf b;
		random_stream(&b, wire, &r);
		const uint8_t *bytes = (uint8_t *)b.bytes;
		for (size_t cut = 0; cut <= b.len; cut++) {
			struct seen s = {.count = 0};
			grpc_walker_init(&s.w, wire);
			feed(&s, bytes, cut);
			REQUIRE(agrees(&s, wire, bytes, cut));
			feed(&s, bytes + cut, b.len - cut);
			REQUIRE(agrees(&s, wire, bytes, b.len));
		}
		buf_fini(&b);
	}
}

TEST(walker_counts_the_same_for_random_pieces_of_random_streams)
{
	struct rand r;
	rand_seed(&r, 3);
	for (unsigned round = 0; round < 5000; round++) {
		enum grpc_wire wire = all_wires[round % WIRES];
		struct buf b;
		random_stream(&b, wire, &r);
		struct seen s = {.count = 0};
		grpc_walker_init(&s.w, wire);
		for (size_t at = 0, n; at < b.len; at += n) {
			n = 1 + rand_below(&r, rand_below(&r, 4) ? 9 : 400);
			if (n > b.len - at)
				n = b.len - at;
			feed(&s, (uint8_t *)b.bytes + at, n);
		}
		REQUIRE(agrees(&s, wire, (uint8_t *)b.bytes, b.len));
		buf_fini(&b);
	}
}

TEST(walker_counts_the_same_for_garbage)
{
	struct rand r;
	rand_seed(&r, 4);
	for (unsigned round = 0; round < 3000; round++) {
		enum grpc_wire wire = all_wires[round % WIRES];
		uint8_t bytes[200];
		size_t len = rand_below(&r, sizeof bytes);
		for (size_t i = 0; i < len; i++)
			/* Small numbers make prefixes of small messages, and '=' is in reach. */
			bytes[i] = (uint8_t)(rand_below(&r, 2) ? rand_below(&r, 4)
							       : rand_below(&r, 256));
		struct seen s = {.count = 0};
		grpc_walker_init(&s.w, wire);
		size_t cut = len ? rand_below(&r, len) : 0;
		feed(&s, bytes, cut);
		feed(&s, bytes + cut, len - cut);
		REQUIRE(agrees(&s, wire, bytes, len));
	}
}

TEST(messages_of_up_to_4_GiB_are_counted_at_their_last_byte)
{
	static uint8_t zeros[1 << 20];
	static const uint32_t sizes[] = {0, 1, 0xffff, 0x10000, 1u << 20, 16u << 20, 0x7fffffff,
		0x80000000, 0xfffffffe, 0xffffffff};
	static const enum grpc_wire wires[] = {
		GRPC_WIRE_GRPC, GRPC_WIRE_WEB, GRPC_WIRE_CONNECT_STREAM};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] * 3; i++) {
		uint32_t size = sizes[i / 3], got = 1;
		uint8_t prefix[5] = {1, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
			(uint8_t)(size >> 8), (uint8_t)size};
		struct grpc_walker w;
		grpc_walker_init(&w, wires[i % 3]);
		const uint8_t *at = prefix;
		bool done = grpc_walk(&w, &at, prefix + 5, &got);
		CHECK_EQ(done, size == 0);
		CHECK_EQ(grpc_walker_pending(&w), size);
		for (uint64_t left = size, n; left > 0; left -= n) {
			REQUIRE(!done);
			n = left < sizeof zeros ? left : sizeof zeros;
			at = zeros;
			done = grpc_walk(&w, &at, zeros + n, &got);
			REQUIRE(at == zeros + n);
		}
		CHECK(done);
		CHECK_EQ(got, size);
		CHECK_EQ(grpc_walker_finish(&w, &got), GRPC_WALK_CLEAN);
	}
}

TEST(a_connect_unary_body_is_one_message_however_large)
{
	static uint8_t zeros[1 << 20];
	struct grpc_walker w;
	uint32_t size = 1;
	grpc_walker_init(&w, GRPC_WIRE_CONNECT_UNARY);
	CHECK_EQ(grpc_walker_finish(&w, &size), GRPC_WALK_COMPLETE);
	CHECK_EQ(size, 0);
	for (unsigned i = 0; i < 4097; i++) {
		const uint8_t *at = zeros;
		CHECK(!grpc_walk(&w, &at, zeros + sizeof zeros, &size));
		CHECK_EQ(grpc_walker_pending(&w), i < 4095 ? (i + 1) << 20 : UINT32_MAX);
	}
	CHECK_EQ(grpc_walker_finish(&w, &size), GRPC_WALK_COMPLETE);
	CHECK_EQ(size, UINT32_MAX);
}

static void count_text(const char *text, size_t *messages, enum grpc_walk_end *end)
{
	struct seen s = {.count = 0};
	uint32_t size;
	grpc_walker_init(&s.w, GRPC_WIRE_WEB_TEXT);
	feed(&s, (const uint8_t *)text, strlen(text));
	*messages = s.count;
	*end = grpc_walker_finish(&s.w, &size);
}

TEST(padding_and_line_ends_may_stand_anywhere_in_gRPC_Web_text)
{
	static const struct {
		const char *text;
		size_t messages;
		enum grpc_walk_end end;
	} rows[] = {
		{"AAAAAAFh", 1, GRPC_WALK_CLEAN},         /* {0, 0,0,0,1, 'a'} */
		{"AAAAAAJhYg==", 1, GRPC_WALK_CLEAN},     /* two bytes, padded at the end */
		{"AAAAAAJhYg", 1, GRPC_WALK_CLEAN},       /* without its padding */
		{"AA==AAAAAAFh", 1, GRPC_WALK_TRUNCATED}, /* 0 | 0,0,0,0 and 1,'a' of the next */
		{"AA==AAAAAWE=", 1, GRPC_WALK_CLEAN},     /* 0 | 0,0,0,1,'a' */
		{"AA==AA==AA==AA==AQ==YQ==", 1, GRPC_WALK_CLEAN}, /* every byte for itself */
		{"AAAA\r\nAAFh\r\n", 1, GRPC_WALK_CLEAN},
		{"AAAAAAFhgAAAAAVncnBjOg==", 1, GRPC_WALK_CLEAN}, /* and a trailer envelope */
		{"gAAAAAVnc", 0, GRPC_WALK_CLEAN}, /* a trailer that is cut off is no message */
		{"AAAAAAAAAAAAAAAA", 2,
			GRPC_WALK_TRUNCATED}, /* 12 zeros: two empty ones and a bit */
		{"====", 0, GRPC_WALK_CLEAN},
		{"A", 0, GRPC_WALK_CLEAN},
		{"AA", 0, GRPC_WALK_TRUNCATED},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t messages;
		enum grpc_walk_end end;
		count_text(rows[i].text, &messages, &end);
		if (messages != rows[i].messages || end != rows[i].end)
			printf("# \"%s\"\n", rows[i].text);
		CHECK_EQ(messages, rows[i].messages);
		CHECK_EQ(end, rows[i].end);
	}
}

TEST(trailer_and_end_of_stream_envelopes_are_not_messages)
{
	static const uint8_t stream[] = {0x80, 0, 0, 0, 1, 'x', 2, 0, 0, 0, 0, 3, 0, 0, 0, 1, 'y'};
	static const struct {
		enum grpc_wire wire;
		size_t messages;
	} rows[] = {{GRPC_WIRE_GRPC, 3}, {GRPC_WIRE_WEB, 2}, {GRPC_WIRE_CONNECT_STREAM, 1}};
	for (size_t i = 0; i < 3; i++) {
		struct seen s = {.count = 0};
		grpc_walker_init(&s.w, rows[i].wire);
		feed(&s, stream, sizeof stream);
		CHECK_EQ(s.count, rows[i].messages);
	}
}

TEST(messages_that_are_alike_are_counted_together_and_nothing_else_is)
{
	struct rand r;
	rand_seed(&r, 11);
	for (unsigned round = 0; round < 3000; round++) {
		enum grpc_wire wire = all_wires[round % WIRES];
		struct buf b;
		buf_init(&b);
		buf_str(&b, "");
		for (unsigned groups = 1 + (unsigned)rand_below(&r, 4); groups; groups--) {
			static const uint8_t flags[] = {0, 0, 0, 1, 2, 128};
			uint8_t flag = flags[rand_below(&r, sizeof flags)];
			uint32_t size = (uint32_t)rand_below(&r, 20);
			for (unsigned n = (unsigned)rand_below(&r, 12); n; n--)
				add_envelope(&b, flag, size, &r);
		}
		if (rand_below(&r, 2) && b.len)
			b.len -= rand_below(&r, b.len); /* cut in the middle of one */
		if (wire == GRPC_WIRE_WEB_TEXT)
			to_text(&b, &r);
		struct seen s = {.alike = true};
		grpc_walker_init(&s.w, wire);
		size_t most = rand_below(&r, 2) ? b.len : 60;
		for (size_t at = 0, n; at < b.len; at += n) {
			n = 1 + rand_below(&r, most);
			n = b.len - at < n ? b.len - at : n;
			feed(&s, (uint8_t *)b.bytes + at, n);
		}
		CHECK(agrees(&s, wire, (uint8_t *)b.bytes, b.len));
		buf_fini(&b);
	}
}

TEST(sixteen_megabytes_of_text_count_exactly)
{
	struct rand r;
	rand_seed(&r, 5);
	struct buf b;
	buf_init(&b);
	add_envelope(&b, 0, 12u << 20, &r);
	add_envelope(&b, 0, 7, &r);
	to_text(&b, &r);
	struct seen s = {.count = 0};
	grpc_walker_init(&s.w, GRPC_WIRE_WEB_TEXT);
	for (size_t at = 0, n; at < b.len; at += n) {
		n = b.len - at < 16384 ? b.len - at : 16384;
		feed(&s, (uint8_t *)b.bytes + at, n);
	}
	CHECK_EQ(s.count, 2);
	CHECK_EQ(s.sizes[0], 12u << 20);
	CHECK_EQ(s.sizes[1], 7);
	buf_fini(&b);
}

TAP_MAIN()
