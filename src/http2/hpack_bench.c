/* hpack_bench.c - what a gRPC request head costs, for callgrind:
 *
 *   valgrind --tool=callgrind --toggle-collect=hpack_decode build/src/http2/hpack_bench 10000
 *
 * prints instructions for all rounds; divide. --toggle-collect=hpack_encode likewise. The
 * grpc-timeout of each round differs, as in life; everything else is in the tables after the second
 * round. */
#include <stdio.h>
#include <stdlib.h>
#include "http2/hpack.h"

static struct fields *request_head(unsigned round)
{
	struct fields *f = fields_create();
	char timeout[16];
	snprintf(timeout, sizeof(timeout), "%um", 900 + round % 100);
	if (!f || fields_add_str(f, TOKEN_METHOD, "POST") ||
		fields_add_str(f, TOKEN_SCHEME, "http") ||
		fields_add_str(f, TOKEN_PATH, "/chat.Chat/Subscribe") ||
		fields_add_str(f, TOKEN_AUTHORITY, "chat.example.com:8080") ||
		fields_add_str(f, TOKEN_TE, "trailers") ||
		fields_add_str(f, TOKEN_CONTENT_TYPE, "application/grpc") ||
		fields_add_str(
			f, TOKEN_USER_AGENT, "grpc-c++/1.51.1 grpc-c/29.0.0 (linux; chttp2)") ||
		fields_add_str(f, TOKEN_GRPC_ACCEPT_ENCODING, "identity, deflate, gzip") ||
		fields_add_str(f, TOKEN_GRPC_TIMEOUT, timeout))
		abort();
	return f;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 10000;
	/* client -> [block] -> decoder, encoder -> [relayed]: the middle is what a relay does */
	struct hpack_encoder *client = hpack_encoder_create(HPACK_DEFAULT_TABLE_BYTES);
	struct hpack_decoder *decoder = hpack_decoder_create(HPACK_DEFAULT_TABLE_BYTES);
	struct hpack_encoder *encoder = hpack_encoder_create(HPACK_DEFAULT_TABLE_BYTES);
	uint8_t block[1024], relayed[1024];
	size_t bytes = 0;
	if (!client || !decoder || !encoder)
		return 1;
	for (unsigned round = 0; round < rounds; round++) {
		struct fields *sent = request_head(round), *got = fields_create();
		bool overflow;
		size_t len = hpack_encode(client, sent, block);
		if (!got || hpack_decode(decoder, block, len, 65536, got, &overflow) || overflow)
			return 1;
		bytes += hpack_encode(encoder, got, relayed);
		fields_destroy(sent);
		fields_destroy(got);
	}
	printf("%u rounds, %zu bytes relayed a round\n", rounds, bytes / (rounds ? rounds : 1));
	hpack_encoder_destroy(client);
	hpack_decoder_destroy(decoder);
	hpack_encoder_destroy(encoder);
	fields_cache_purge();
	return 0;
}
