#include "message.h"
#include "tap.h"

#define SIZE  40u
#define WHOLE (MESSAGE_PREFIX + SIZE)
#define BASE  (7ull << 32)

static void put(uint8_t *out, uint64_t number)
{
	message_write(number, SIZE, 0, WHOLE, out);
}

static struct message_reader reader(void)
{
	return (struct message_reader){.base = BASE, .size = SIZE};
}

TEST(messages_are_heard_however_they_are_cut)
{
	uint8_t text[3 * WHOLE];
	for (unsigned k = 0; k < 3; k++)
		put(text + k * WHOLE, BASE + k);
	for (unsigned cut = 1; cut <= sizeof(text); cut++) {
		struct message_reader r = reader();
		for (unsigned at = 0; at < sizeof(text); at += cut)
			CHECK(message_check(&r, text + at,
				at + cut < sizeof(text) ? cut : (uint32_t)sizeof(text) - at));
		CHECK_EQ(r.heard, 3);
		CHECK_EQ(r.at, 0);
	}
}

TEST(a_message_written_in_parts_is_the_same)
{
	uint8_t whole[WHOLE], parts[WHOLE];
	put(whole, BASE + 5);
	for (uint32_t cut = 1; cut < WHOLE; cut++) {
		message_write(BASE + 5, SIZE, 0, cut, parts);
		message_write(BASE + 5, SIZE, cut, WHOLE - cut, parts + cut);
		CHECK_MEM(parts, WHOLE, whole, WHOLE);
	}
}

TEST(a_changed_bit_is_found_wherever_it_is)
{
	for (unsigned bit = 0; bit < 8 * WHOLE; bit++) {
		uint8_t text[WHOLE];
		struct message_reader r = reader();
		put(text, BASE);
		text[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK(!message_check(&r, text, WHOLE));
	}
}

TEST(a_lost_a_repeated_and_a_swapped_message_are_found)
{
	static const unsigned orders[][3] = {{0, 2, 3}, {0, 0, 1}, {1, 0, 2}};
	for (unsigned i = 0; i < 3; i++) {
		uint8_t text[3 * WHOLE];
		struct message_reader r = reader();
		for (unsigned k = 0; k < 3; k++)
			put(text + k * WHOLE, BASE + orders[i][k]);
		CHECK(!message_check(&r, text, sizeof(text)));
	}
}

TEST(a_message_of_another_stream_is_found)
{
	uint8_t text[WHOLE];
	struct message_reader r = reader();
	put(text, (8ull << 32));
	CHECK(!message_check(&r, text, WHOLE));
}

TEST(a_server_learns_base_and_size_from_the_first_message_only)
{
	uint8_t text[2 * WHOLE];
	struct message_reader r = {.learn_base = true};
	put(text, BASE + 3);
	put(text + WHOLE, BASE + 4);
	CHECK(message_check(&r, text, sizeof(text)));
	CHECK_EQ(r.base, BASE + 3);
	CHECK_EQ(r.size, SIZE);
	put(text, BASE + 6);
	CHECK(!message_check(&r, text, WHOLE));
}

TAP_MAIN()
