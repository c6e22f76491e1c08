/* A stream of any bytes, whole and in pieces that the input chooses, has the same messages with the
 * same payloads. Input: wire, pieces' seed, stream. */
#include "base/assert.h"
#include "base/rand.h"
#include "filter/sample_cut.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
	uint64_t hash, begun, ended, payload;
	bool inside;
};

static void add(struct heard *h, uint64_t v)
{
	h->hash = (h->hash ^ v) * 0x9e3779b97f4a7c15u;
}

static void hear(struct heard *h, const struct sample_part *p)
{
	ASSERT(p->begins != h->inside);
	if (p->begins) {
		h->begun++;
		h->payload = 0;
		add(h, p->compressed);
	}
	h->inside = !p->ends;
	h->payload += p->len;
	for (uint32_t i = 0; i < p->len; i++)
		add(h, p->at[i]);
	if (!p->ends)
		return;
	h->ended++;
	ASSERT(h->payload == p->size);
	add(h, p->size);
}

static struct heard hear_all(enum grpc_wire wire, const uint8_t *data, size_t len, uint64_t seed)
{
	struct heard h = {0};
	struct sample_cut cut;
	struct sample_part part;
	struct rand r;
	rand_seed(&r, seed);
	sample_cut_init(&cut, wire, false);
	for (size_t from = 0, n; from < len; from += n) {
		n = seed ? 1 + rand_below(&r, 1 + (seed & 15)) : len;
		n = n < len - from ? n : len - from;
		const uint8_t *at = data + from;
		while (sample_cut_next(&cut, &at, data + from + n, &part))
			hear(&h, &part);
		ASSERT(at == data + from + n);
	}
	if (sample_cut_finish(&cut, &part))
		hear(&h, &part);
	return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	enum grpc_wire wire = data[0] % (GRPC_WIRE_CONNECT_UNARY + 1);
	struct heard whole = hear_all(wire, data + 2, size - 2, 0),
		     pieces = hear_all(wire, data + 2, size - 2, data[1] + 1u);
	ASSERT(whole.hash == pieces.hash && whole.begun == pieces.begun &&
		whole.ended == pieces.ended && whole.inside == pieces.inside &&
		whole.payload == pieces.payload);
	return 0;
}
