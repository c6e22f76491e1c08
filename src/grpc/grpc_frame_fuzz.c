/* Split-invariance of the walker: the stream in one piece, in pieces that the input chooses, and
 * before the naive judge must give the same messages, and the same status in the last envelope.
 * Input: wire, piece length seed, stream. */
#include "base/assert.h"
#include "base/rand.h"
#include "grpc/frame.h"
#include "grpc/frame_naive.h"
#include "grpc/last_naive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct tally {
	uint64_t count, hash;
	uint32_t pending, end_size;
	enum grpc_walk_end end;
};

static void add(struct tally *t, uint32_t size)
{
	t->count++;
	t->hash = (t->hash ^ size) * 0x9e3779b97f4a7c15u;
}

/* Seed 0: all that is left. */
static size_t next_piece(struct rand *r, uint64_t seed, size_t left)
{
	size_t n = seed ? 1 + rand_below(r, 1 + (seed & 15)) : left;
	return n < left ? n : left;
}

static void walk(
	enum grpc_wire wire, const uint8_t *data, size_t len, uint64_t seed, struct tally *t)
{
	struct grpc_walker w;
	struct rand r;
	uint32_t size;
	*t = (struct tally){0};
	rand_seed(&r, seed);
	grpc_walker_init(&w, wire);
	for (size_t at = 0, n; at < len; at += n) {
		n = next_piece(&r, seed, len - at);
		const uint8_t *p = data + at;
		while (grpc_walk(&w, &p, data + at + n, &size)) {
			uint32_t more = seed ? 0 : grpc_walk_alike(&w, &p, data + at + n, size);
			for (add(t, size); more; more--)
				add(t, size);
		}
		ASSERT(p == data + at + n);
	}
	t->pending = grpc_walker_pending(&w);
	t->end = grpc_walker_finish(&w, &size);
	if (t->end == GRPC_WALK_COMPLETE)
		t->end_size = size;
}

static bool same(const struct tally *a, const struct tally *b)
{
	return a->count == b->count && a->hash == b->hash && a->pending == b->pending &&
	       a->end == b->end && a->end_size == b->end_size;
}

static int last_status(
	enum grpc_wire wire, bool packed, const uint8_t *data, size_t len, uint64_t seed)
{
	struct grpc_last l;
	struct rand r;
	rand_seed(&r, seed);
	grpc_last_init(&l, wire, packed);
	for (size_t at = 0, n; at < len; at += n) {
		n = next_piece(&r, seed, len - at);
		grpc_last_take(&l, data + at, n);
	}
	grpc_last_finish(&l);
	int status = grpc_last_status(&l);
	grpc_last_fini(&l);
	return status;
}

static void check_last(enum grpc_wire wire, const uint8_t *data, size_t len, uint64_t seed)
{
	int whole = last_status(wire, false, data, len, 0);
	ASSERT(last_status(wire, false, data, len, seed) == whole);
	if (wire == GRPC_WIRE_CONNECT_UNARY)
		ASSERT(last_status(wire, true, data, len, seed) ==
			last_status(wire, true, data, len, 0));
	int judge = naive_last(wire, data, len);
	ASSERT(judge == NAIVE_NO_OPINION || judge == whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 2)
		return 0;
	enum grpc_wire wire = data[0] % (GRPC_WIRE_CONNECT_UNARY + 1);
	uint64_t seed = data[1] + 1;
	data += 2;
	len -= 2;

	struct tally whole, split, judge = {0};
	walk(wire, data, len, 0, &whole);
	walk(wire, data, len, seed, &split);
	ASSERT(same(&whole, &split));

	struct naive n;
	naive_walk(wire, data, len, &n);
	for (size_t i = 0; i < n.count; i++)
		add(&judge, n.sizes[i]);
	judge.pending = n.pending;
	judge.end = n.end;
	judge.end_size = n.end_size;
	ASSERT(same(&whole, &judge));
	naive_fini(&n);
	if (wire != GRPC_WIRE_NONE && wire != GRPC_WIRE_GRPC)
		check_last(wire, data, len, seed);
	return 0;
}
