#include "cli/screen.h"

#include "tap.h"

static int next(struct keys *k, const char *typed, bool all)
{
	size_t len = strlen(typed);
	memcpy(k->bytes + k->len, typed, len);
	k->len += len;
	return keys_next(k, all);
}

TEST(keys_of_every_terminal_are_known)
{
	static const struct {
		const char *typed;
		int key;
	} rows[] = {{"q", 'q'}, {"\t", KEY_TAB}, {"\r", KEY_ENTER}, {"\n", KEY_ENTER},
		{"\x7f", KEY_BACKSPACE}, {"\b", KEY_BACKSPACE}, {"\xc3", 0xc3}, {"\x1b[A", KEY_UP},
		{"\x1bOB", KEY_DOWN}, {"\x1b[5~", KEY_PAGE_UP}, {"\x1b[6~", KEY_PAGE_DOWN},
		{"\x1b[H", KEY_HOME}, {"\x1b[4~", KEY_END}, {"\x1b[Z", KEY_BACKTAB},
		{"\x1b[1;5C", KEY_OTHER}, {"\x1b[200~", KEY_OTHER}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct keys k = {0};
		CHECK_EQ(next(&k, rows[i].typed, false), rows[i].key);
		CHECK_EQ(k.len, 0);
	}
}

TEST(a_sequence_may_come_in_pieces_and_a_lone_esc_is_a_key)
{
	struct keys k = {0};
	CHECK_EQ(next(&k, "\x1b", false), KEY_NONE);
	CHECK_EQ(next(&k, "[", false), KEY_NONE);
	CHECK_EQ(next(&k, "5", false), KEY_NONE);
	CHECK_EQ(next(&k, "~j", false), KEY_PAGE_UP);
	CHECK_EQ(keys_next(&k, false), 'j');
	CHECK_EQ(next(&k, "\x1b", false), KEY_NONE);
	CHECK_EQ(keys_next(&k, true), KEY_ESC);
	CHECK_EQ(keys_next(&k, true), KEY_NONE);
	CHECK_EQ(next(&k, "\x1bq", false), KEY_ESC); /* two keys */
	CHECK_EQ(keys_next(&k, false), 'q');
	CHECK_EQ(next(&k, "\x1b[", true), KEY_OTHER);
	CHECK_EQ(k.len, 0);
}

TEST(any_bytes_are_keys_and_come_to_an_end)
{
	for (unsigned a = 1; a < 256; a++)
		for (unsigned b = 1; b < 256; b++) {
			struct keys k = {.bytes = {0x1b, (char)a, (char)b, '[', 0x1b}, .len = 5};
			int n = 0;
			while (keys_next(&k, true) && n < 6)
				n++;
			CHECK(k.len == 0 && n < 6);
		}
	struct keys full = {.len = KEYS_MAX_BYTES};
	memset(full.bytes, ';', sizeof(full.bytes));
	memcpy(full.bytes, "\x1b[", 2);
	CHECK_EQ(keys_next(&full, false), KEY_OTHER);
	CHECK_EQ(full.len, 0);
}

TAP_MAIN()
