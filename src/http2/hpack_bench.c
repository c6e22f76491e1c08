/* hpack_bench.c - what relaying a gRPC request head costs, for callgrind:
 *
 *   valgrind --tool=callgrind --toggle-collect=hpack_decode hpack_bench ROUNDS CLIENT RELAY
 *
 * prints the instructions of all rounds; divide. Likewise hpack_encode; nghttp2_hd_inflate_hd2 and
 * nghttp2_hd_deflate_hd for comparison. CLIENT (whose blocks are relayed) and RELAY are own or
 * nghttp2. The grpc-timeout differs in each round, as in life. Our encoder has everything else in
 * its table after the second round; libnghttp2's sends :path and the timeout as Huffman literals.
 */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "http2/hpack.h"

#define NV(n, v, f)                                                                                \
	{                                                                                          \
		(uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), sizeof(n) - 1, strlen(v), f  \
	}
#define BLOCK_BYTES 1024u

struct client {
	struct hpack_encoder *own; /* or, when NULL: */
	nghttp2_hd_deflater *nghttp2;
};

static size_t client_block(struct client *client, unsigned round, uint8_t *block)
{
	char timeout[16];
	snprintf(timeout, sizeof(timeout), "%uu", 29999000 + round % 1000);
	nghttp2_nv nv[] = {
		NV(":method", "POST", 0),
		NV(":scheme", "http", 0),
		NV(":path", "/chat.Chat/Subscribe", 0),
		NV(":authority", "chat.example.com:8080", 0),
		NV("te", "trailers", 0),
		NV("content-type", "application/grpc", 0),
		NV("user-agent", "grpc-c++/1.51.1 grpc-c/29.0.0 (linux; chttp2)", 0),
		NV("grpc-accept-encoding", "identity, deflate, gzip", 0),
		NV("grpc-timeout", timeout, NGHTTP2_NV_FLAG_NO_INDEX),
	};
	size_t n = sizeof(nv) / sizeof(*nv);
	if (client->own) {
		struct fields *f = fields_create();
		for (size_t i = 0; f && i < n; i++)
			if (fields_add(f, nv[i].name, nv[i].namelen, nv[i].value, nv[i].valuelen))
				abort();
		if (!f || hpack_encode_bound(f) > BLOCK_BYTES)
			abort();
		size_t len = hpack_encode(client->own, f, block);
		fields_destroy(f);
		return len;
	}
	ssize_t len = nghttp2_hd_deflate_hd(client->nghttp2, block, BLOCK_BYTES, nv, n);
	if (len < 0)
		abort();
	return (size_t)len;
}

/* Decodes and encodes again as a relay does, with our codec; bytes out. */
static size_t relay(
	struct hpack_decoder *d, struct hpack_encoder *e, const uint8_t *block, size_t len)
{
	uint8_t out[BLOCK_BYTES];
	struct fields *f = fields_create();
	bool overflow;
	if (!f || hpack_decode(d, block, len, 65536, f, &overflow) || overflow ||
		hpack_encode_bound(f) > sizeof(out))
		abort();
	size_t n = hpack_encode(e, f, out);
	fields_destroy(f);
	return n;
}

static size_t relay_nghttp2(
	nghttp2_hd_inflater *d, nghttp2_hd_deflater *e, const uint8_t *block, size_t len)
{
	uint8_t out[BLOCK_BYTES];
	char names[16][64], values[16][128];
	nghttp2_nv list[16];
	size_t n = 0;
	for (int flags = 0;;) {
		nghttp2_nv nv;
		ssize_t used = nghttp2_hd_inflate_hd2(d, &nv, &flags, block, len, 1);
		if (used < 0 || nv.namelen > 64 || nv.valuelen > 128)
			abort();
		block += used;
		len -= (size_t)used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			memcpy(names[n], nv.name, nv.namelen);
			memcpy(values[n], nv.value, nv.valuelen);
			list[n] = (nghttp2_nv){(uint8_t *)names[n], (uint8_t *)values[n],
				nv.namelen, nv.valuelen, nv.flags};
			n++;
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
	}
	nghttp2_hd_inflate_end_headers(d);
	ssize_t bytes = nghttp2_hd_deflate_hd(e, out, sizeof(out), list, n);
	if (bytes < 0)
		abort();
	return (size_t)bytes;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 10000;
	bool own_client = argc < 3 || !strcmp(argv[2], "own");
	bool own_relay = argc < 4 || !strcmp(argv[3], "own");
	struct client client = {
		own_client ? hpack_encoder_create(HPACK_DEFAULT_TABLE_BYTES) : NULL, NULL};
	nghttp2_hd_deflater *their_encoder;
	nghttp2_hd_inflater *their_decoder;
	struct hpack_decoder *decoder = hpack_decoder_create(HPACK_DEFAULT_TABLE_BYTES);
	struct hpack_encoder *encoder = hpack_encoder_create(HPACK_DEFAULT_TABLE_BYTES);
	uint8_t block[BLOCK_BYTES];
	size_t bytes = 0, bytes_in = 0;
	if (!decoder || !encoder || nghttp2_hd_deflate_new(&client.nghttp2, 4096) ||
		nghttp2_hd_deflate_new(&their_encoder, 4096) ||
		nghttp2_hd_inflate_new(&their_decoder))
		return 1;
	for (unsigned round = 0; round < rounds; round++) {
		size_t len = client_block(&client, round, block);
		bytes_in += len;
		bytes += own_relay ? relay(decoder, encoder, block, len)
				   : relay_nghttp2(their_decoder, their_encoder, block, len);
	}
	printf("%u rounds, %zu bytes in, %zu bytes out a round\n", rounds,
		bytes_in / (rounds ? rounds : 1), bytes / (rounds ? rounds : 1));
	nghttp2_hd_deflate_del(client.nghttp2);
	hpack_encoder_destroy(client.own);
	nghttp2_hd_deflate_del(their_encoder);
	nghttp2_hd_inflate_del(their_decoder);
	hpack_decoder_destroy(decoder);
	hpack_encoder_destroy(encoder);
	fields_cache_purge();
	return 0;
}
