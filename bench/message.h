/* message.h - numbered gRPC messages: made on one end, checked on the other, to the last byte.
 *
 *   prefix (5) | number (8, little endian) | filler, which depends on the number
 *
 * What it does: writes any part of a message, and checks what arrives in parts of any size: numbers
 * without a gap, sizes as agreed, every byte of the filler. What it does not: know streams or
 * frames.
 *
 * A number is `base + k` for the k-th message of a stream; the base differs from stream to stream,
 * so that a message on the wrong stream is found too.
 * Owner: whoever embeds the reader. Limits: MESSAGE_MIN to MESSAGE_MAX bytes of payload. */
#ifndef WEIR_BENCH_MESSAGE_H
#define WEIR_BENCH_MESSAGE_H
#include <stdbool.h>
#include <stdint.h>

#define MESSAGE_PREFIX 5u
#define MESSAGE_HEAD   (MESSAGE_PREFIX + 8u)
#define MESSAGE_MIN    8u         /* payload, bytes */
#define MESSAGE_MAX    (4u << 20) /* payload, bytes */

struct message_reader {
	uint64_t base;   /* number of the first message */
	uint64_t heard;  /* complete messages */
	uint32_t at;     /* bytes of the current one that were heard, prefix included */
	uint32_t size;   /* payload bytes of each message; 0: the first message says it */
	bool learn_base; /* the first message says the base */
	uint8_t head[MESSAGE_HEAD];
};

/* Once, before the rest. */
void message_init(void);
/* Bytes `at` to `at + len` of message `number`, prefix included, with `size` bytes of payload. */
void message_write(uint64_t number, uint32_t size, uint32_t at, uint32_t len, uint8_t *out);
/* Checks the next `len` bytes; false when one of them is wrong. */
bool message_check(struct message_reader *r, const uint8_t *bytes, uint32_t len);
#endif
