#include "cli/text.h"

#include <math.h>

#include "tap.h"

static struct buf out;

static const char *fit(const char *s, unsigned columns, enum text_cut cut, bool right)
{
	buf_fini(&out);
	buf_init(&out);
	text_put(&out, s, columns, cut, right);
	buf_str(&out, "");
	return out.bytes;
}

static const char *clean(const char *s, size_t len)
{
	buf_fini(&out);
	buf_init(&out);
	text_clean(&out, s, len);
	buf_str(&out, "");
	return out.bytes;
}

static const char *line(const char *s, unsigned columns, enum text_colours colours)
{
	buf_fini(&out);
	buf_init(&out);
	text_line(&out, s, strlen(s), columns, colours);
	buf_str(&out, "");
	return out.bytes;
}

TEST(text_is_padded_or_cut_to_exactly_its_columns)
{
	text_init("C.UTF-8");
	CHECK_STR(fit("abc", 5, TEXT_CUT_END, false), "abc  ");
	CHECK_STR(fit("abc", 5, TEXT_CUT_END, true), "  abc");
	CHECK_STR(fit("abcdef", 5, TEXT_CUT_END, false), "abc..");
	CHECK_STR(fit("abcdef", 5, TEXT_CUT_BEGIN, false), "..def");
	CHECK_STR(fit("abc", 1, TEXT_CUT_END, false), ".");
	CHECK_STR(fit("abc", 0, TEXT_CUT_END, false), "");
}

TEST(a_character_is_never_cut_in_two)
{
	text_init("C.UTF-8");
	/* one column and two bytes each; two columns and three bytes each */
	CHECK_STR(fit("größer", 6, TEXT_CUT_END, false), "größer");
	CHECK_STR(fit("größer", 5, TEXT_CUT_END, false), "grö..");
	CHECK_STR(fit("größer", 5, TEXT_CUT_BEGIN, false), "..ßer");
	CHECK_STR(fit("火火火", 5, TEXT_CUT_END, false), "火.. ");
	CHECK_STR(fit("火火火", 5, TEXT_CUT_BEGIN, false), "..火 ");
	CHECK_STR(fit("火火火", 6, TEXT_CUT_END, false), "火火火");
	CHECK_STR(line("火火火", 5, TEXT_NO_STYLES), "火火");
	CHECK_EQ(text_columns("a火ö", strlen("a火ö")), 4);
}

TEST(what_could_move_the_terminal_is_a_question_mark)
{
	static const char *const hostile[][2] = {
		{"\x1b[2J\x07\x08\r\n\t", "?[2J?????"}, {"\x7f", "?"},
		{"\xc2\x9b"
		 "2J",
			"?2J"}, /* CSI as one character of C1 */
		{"\xe2\x80\xae"
		 "abc",
			"?abc"},              /* right to left */
		{"e\xcc\x81", "e?"},          /* a mark on the letter before it */
		{"\xf3\xa0\x80\x81", "?"},    /* a tag that nobody sees */
		{"\xe2\x80\x8b", "?"},        /* no width */
		{"\xff\xfe\xc0\xaf", "????"}, /* no UTF-8 */
		{"\xed\xa0\x80", "???"},      /* half a surrogate pair */
		{"\xe2\x82", "??"},           /* cut short */
	};
	text_init("C.UTF-8");
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		CHECK_STR(clean(hostile[i][0], strlen(hostile[i][0])), hostile[i][1]);
		CHECK_STR(line(hostile[i][0], 0, TEXT_NO_STYLES), hostile[i][1]);
	}
	CHECK_STR(clean("a\0b", 3), "a?b");
	/* Styles are ours alone. */
	for (char c = TEXT_PLAIN; c < TEXT_STYLES; c++)
		CHECK_STR(clean(&c, 1), "?");
}

TEST(without_utf8_only_ascii_is_shown)
{
	text_init("C");
	CHECK_STR(clean("größer 火", strlen("größer 火")), "gr??er ?");
	CHECK_EQ(text_columns("火", 3), 1);
	text_init("C.UTF-8");
}

TEST(a_line_has_our_styles_as_sequences_or_not_at_all)
{
	static const char styled[] = {TEXT_STRONG, 'a', TEXT_PLAIN, ' ', TEXT_BAD, 'b', 'c', '\0'};
	CHECK_STR(line(styled, 0, TEXT_NO_STYLES), "a bc");
	CHECK_STR(line(styled, 0, TEXT_COLOURS), "\033[0;1ma\033[0m \033[0;31mbc\033[0m");
	/* NO_COLOR: no colours, but what is chosen is still to be seen */
	CHECK_STR(line(styled, 0, TEXT_MONOCHROME), "\033[0;1ma\033[0m bc\033[0m");
	CHECK_STR(line(styled, 3, TEXT_COLOURS), "\033[0;1ma\033[0m \033[0;31mb\033[0m");
	CHECK_EQ(text_line_columns(styled, strlen(styled)), 4);
}

TEST(numbers_take_five_columns_at_most)
{
	static const struct {
		double v;
		const char *text;
	} rows[] = {{0, "0"}, {0.5, "0.5"}, {9.94, "9.9"}, {9.96, "10"}, {12, "12"}, {999, "999"},
		{999.4, "999"}, {999.6, "1.0k"}, {1234, "1.2k"}, {123456, "123k"}, {2.5e6, "2.5M"},
		{1e9, "1.0G"}, {1e18, "1.0E"}, {-3, "0"}, {NAN, "-"}, {INFINITY, "9999E"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[TEXT_NUMBER_MAX];
		text_number(text, rows[i].v);
		CHECK_STR(text, rows[i].text);
		CHECK(strlen(text) <= 5);
	}
}

TEST(ages_take_five_columns_at_most)
{
	static const struct {
		double ms;
		const char *text;
	} rows[] = {{0, "0s"}, {999, "0s"}, {59e3, "59s"}, {200e3, "3m20"}, {3599e3, "59m59"},
		{7500e3, "2h05"}, {86399e3, "23h59"}, {86400e3 * 4 + 3600e3 * 7, "4d07"},
		{86400e3 * 120, "120d"}, {1e18, "9999d"}, {-5, "0s"}, {NAN, "-"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[TEXT_NUMBER_MAX];
		text_age(text, rows[i].ms);
		CHECK_STR(text, rows[i].text);
		CHECK(strlen(text) <= 5);
	}
}

TAP_MAIN()
