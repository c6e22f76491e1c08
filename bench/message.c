#include "message.h"
#include <string.h>

/* The filler of a message is this text from an offset that its number chooses: checking it is one
 * memcmp. 251 is prime, so that no power of two shifts it onto itself. */
#define OFFSETS 251u
static uint8_t filler[MESSAGE_MAX + OFFSETS];

void message_init(void)
{
	for (uint32_t i = 0; i < sizeof(filler); i++)
		filler[i] = (uint8_t)((i % OFFSETS) * 7 + i / OFFSETS);
}

static const uint8_t *filler_of(uint64_t number)
{
	return filler + (number ^ number >> 32) % OFFSETS;
}

static void write_head(uint64_t number, uint32_t size, uint8_t out[MESSAGE_HEAD])
{
	out[0] = 0;
	for (unsigned i = 0; i < 4; i++)
		out[1 + i] = (uint8_t)(size >> (24 - 8 * i));
	for (unsigned i = 0; i < 8; i++)
		out[MESSAGE_PREFIX + i] = (uint8_t)(number >> 8 * i);
}

void message_write(uint64_t number, uint32_t size, uint32_t at, uint32_t len, uint8_t *out)
{
	if (at < MESSAGE_HEAD) {
		uint8_t head[MESSAGE_HEAD];
		uint32_t n = MESSAGE_HEAD - at < len ? MESSAGE_HEAD - at : len;
		write_head(number, size, head);
		memcpy(out, head + at, n);
		out += n;
		at += n;
		len -= n;
	}
	memcpy(out, filler_of(number) + (at - MESSAGE_HEAD), len);
}

/* The head is complete: is it what it should be? */
static bool check_head(struct message_reader *r)
{
	uint8_t want[MESSAGE_HEAD];
	uint32_t size = 0;
	uint64_t number = 0;
	for (unsigned i = 0; i < 4; i++)
		size = size << 8 | r->head[1 + i];
	for (unsigned i = 8; i-- > 0;)
		number = number << 8 | r->head[MESSAGE_PREFIX + i];
	if (r->size == 0)
		r->size = size;
	if (r->size < MESSAGE_MIN || r->size > MESSAGE_MAX)
		return false;
	if (r->learn_base)
		r->base = number;
	r->learn_base = false;
	write_head(r->base + r->heard, r->size, want);
	return !memcmp(want, r->head, MESSAGE_HEAD);
}

bool message_check(struct message_reader *r, const uint8_t *bytes, uint32_t len)
{
	while (len) {
		if (r->at < MESSAGE_HEAD) {
			uint32_t n = MESSAGE_HEAD - r->at < len ? MESSAGE_HEAD - r->at : len;
			memcpy(r->head + r->at, bytes, n);
			r->at += n;
			bytes += n;
			len -= n;
			if (r->at < MESSAGE_HEAD)
				return true;
			if (!check_head(r))
				return false;
		}
		uint32_t left = MESSAGE_PREFIX + r->size - r->at, n = left < len ? left : len;
		if (memcmp(bytes, filler_of(r->base + r->heard) + (r->at - MESSAGE_HEAD), n))
			return false;
		r->at += n;
		bytes += n;
		len -= n;
		if (n == left) {
			r->heard++;
			r->at = 0;
		}
	}
	return true;
}
