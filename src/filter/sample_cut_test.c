#include "filter/sample_cut.h"
#include "base/rand.h"
#include "grpc/frame_naive.h"
#include "tap.h"

/* What came out of a cut stream: each message's payload behind its flag and size, the same for
 * every way to cut. */
struct heard {
	uint8_t bytes[1 << 16];
	size_t len;
	unsigned begun, ended;
	uint64_t payload; /* of the message under way */
	bool inside, wrong;
};

static void hear(struct heard *h, const struct sample_part *p)
{
	if (p->begins) {
		h->wrong |= h->inside;
		h->inside = true;
		h->payload = 0;
		h->begun++;
		h->bytes[h->len++] = p->compressed ? 'C' : 'P';
	}
	h->wrong |= !h->inside || h->len + p->len > sizeof h->bytes - 8;
	if (h->wrong)
		return;
	if (p->len)
		memcpy(h->bytes + h->len, p->at, p->len);
	h->len += p->len;
	h->payload += p->len;
	if (!p->ends)
		return;
	h->inside = false;
	h->ended++;
	h->wrong |= h->payload != p->size;
	memcpy(h->bytes + h->len, &p->size, sizeof p->size);
	h->len += sizeof p->size;
}

static void feed(struct sample_cut *cut, const uint8_t *at, size_t len, struct heard *h)
{
	struct sample_part part;
	const uint8_t *end = at + len;
	while (sample_cut_next(cut, &at, end, &part))
		hear(h, &part);
	h->wrong |= at != end;
}

/* `every`: the length of the pieces; 0: random ones. */
static void hear_all(enum grpc_wire wire, const uint8_t *bytes, size_t len, size_t every,
	struct rand *r, struct heard *h)
{
	struct sample_cut cut;
	struct sample_part part;
	memset(h, 0, sizeof *h);
	sample_cut_init(&cut, wire, false);
	for (size_t at = 0, n; at < len; at += n) {
		n = every ? every : 1 + rand_below(r, 40);
		n = n < len - at ? n : len - at;
		feed(&cut, bytes + at, n, h);
	}
	if (sample_cut_finish(&cut, &part))
		hear(h, &part);
}

static bool same(const struct heard *a, const struct heard *b)
{
	return !a->wrong && !b->wrong && a->len == b->len && a->begun == b->begun &&
	       a->ended == b->ended && !memcmp(a->bytes, b->bytes, a->len);
}

static size_t put(uint8_t *to, uint8_t flag, const void *payload, uint32_t size, uint32_t len)
{
	const uint8_t prefix[] = {flag, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
		(uint8_t)(size >> 8), (uint8_t)size};
	memcpy(to, prefix, sizeof prefix);
	memcpy(to + sizeof prefix, payload, len);
	return sizeof prefix + len;
}

static size_t base64(const uint8_t *in, size_t len, uint8_t *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;
	for (size_t i = 0; i < len; i += 3) {
		uint32_t b = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) |
			     (i + 2 < len ? in[i + 2] : 0u);
		out[n++] = (uint8_t)digits[b >> 18];
		out[n++] = (uint8_t)digits[b >> 12 & 63];
		out[n++] = i + 1 < len ? (uint8_t)digits[b >> 6 & 63] : '=';
		out[n++] = i + 2 < len ? (uint8_t)digits[b & 63] : '=';
	}
	return n;
}

/* "abc", nothing, a compressed "z", 300 bytes, an envelope that is no message for some wires
 * (`odd`), and half of a message of 9 bytes. */
static size_t stream(uint8_t *to, uint8_t odd)
{
	uint8_t many[300];
	size_t n = put(to, 0, "abc", 3, 3);
	for (unsigned i = 0; i < sizeof many; i++)
		many[i] = (uint8_t)(i * 7);
	n += put(to + n, 0, "", 0, 0);
	n += put(to + n, 1, "z", 1, 1);
	n += put(to + n, 0, many, sizeof many, sizeof many);
	if (odd) {
		n += put(to + n, odd, "trailer", 7, 7);
		n += put(to + n, odd, "", 0, 0);
	}
	return n + put(to + n, 0, "half", 9, 4);
}

static const struct {
	enum grpc_wire wire;
	uint8_t odd;
} wires[] = {
	{GRPC_WIRE_GRPC, 0},
	{GRPC_WIRE_WEB, 0x80},
	{GRPC_WIRE_WEB_TEXT, 0x80},
	{GRPC_WIRE_CONNECT_STREAM, 0x02},
};

static struct heard whole, cut_up;

static size_t bytes_of(unsigned i, uint8_t *to)
{
	uint8_t plain[1024];
	size_t n = stream(plain, wires[i].odd);
	if (wires[i].wire == GRPC_WIRE_WEB_TEXT)
		return base64(plain, n, to);
	memcpy(to, plain, n);
	return n;
}

TEST(messages_are_the_same_for_every_way_to_cut_them)
{
	struct rand r;
	uint8_t bytes[2048];
	rand_seed(&r, tap_seed());
	for (unsigned i = 0; i < 4; i++) {
		size_t n = bytes_of(i, bytes);
		hear_all(wires[i].wire, bytes, n, n, &r, &whole);
		CHECK_EQ(whole.begun, 5);
		CHECK_EQ(whole.ended, 4);
		CHECK(whole.inside && whole.payload == 4);
		CHECK(!memcmp(whole.bytes, "Pabc\3\0\0\0P\0\0\0\0Cz\1\0\0\0P", 20));
		for (size_t every = 1; every < n; every++) {
			hear_all(wires[i].wire, bytes, n, every, &r, &cut_up);
			CHECK(same(&whole, &cut_up));
		}
		for (unsigned round = 0; round < 300; round++) {
			hear_all(wires[i].wire, bytes, n, 0, &r, &cut_up);
			CHECK(same(&whole, &cut_up));
		}
	}
}

/* The naive walker of grpc/frame says how many messages there are. */
TEST(random_bytes_have_as_many_messages_as_the_walker_counts)
{
	struct rand r;
	uint8_t bytes[600];
	rand_seed(&r, tap_seed());
	for (unsigned round = 0; round < 4000; round++) {
		enum grpc_wire wire = (enum grpc_wire)rand_below(&r, GRPC_WIRE_CONNECT_UNARY + 1);
		size_t n = rand_below(&r, sizeof bytes);
		for (size_t i = 0; i < n; i++)
			bytes[i] = rand_below(&r, 3) ? (uint8_t)rand_below(&r, 4)
						     : (uint8_t)rand_u64(&r);
		struct naive naive;
		naive_walk(wire, bytes, n, &naive);
		hear_all(wire, bytes, n, 0, &r, &cut_up);
		CHECK(!cut_up.wrong);
		size_t want = naive.count + (naive.end == GRPC_WALK_COMPLETE);
		CHECK_EQ(cut_up.ended, want);
		CHECK_EQ(cut_up.inside, naive.pending > 0 && naive.end != GRPC_WALK_COMPLETE);
		naive_fini(&naive);
	}
}

TEST(a_connect_unary_body_is_one_message_and_its_head_says_whether_it_is_compressed)
{
	struct sample_cut cut;
	struct sample_part part;
	memset(&whole, 0, sizeof whole);
	sample_cut_init(&cut, GRPC_WIRE_CONNECT_UNARY, true);
	feed(&cut, (const uint8_t *)"he", 2, &whole);
	feed(&cut, (const uint8_t *)"llo", 3, &whole);
	CHECK(whole.inside);
	REQUIRE(sample_cut_finish(&cut, &part));
	hear(&whole, &part);
	CHECK(!whole.wrong && whole.ended == 1);
	CHECK_MEM(whole.bytes, whole.len, "Chello\5\0\0\0", 10);

	sample_cut_init(&cut, GRPC_WIRE_CONNECT_UNARY, false);
	REQUIRE(sample_cut_finish(&cut, &part));
	CHECK(part.begins && part.ends && part.size == 0 && part.len == 0 && !part.compressed);
}

TEST(what_is_no_rpc_has_no_messages)
{
	struct sample_cut cut;
	struct sample_part part;
	const uint8_t bytes[] = {0, 0, 0, 0, 1, 'x'}, *at = bytes;
	sample_cut_init(&cut, GRPC_WIRE_NONE, false);
	CHECK(!sample_cut_next(&cut, &at, bytes + sizeof bytes, &part));
	CHECK(!sample_cut_finish(&cut, &part));
}

TAP_MAIN()
