#include "filter/trace_id.h"
#include "base/mem.h"
#include "tap.h"

#define ID     "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00-" ID "-00f067aa0ba902b7-01"

static void check(const char *name, const char *value, const char *want)
{
	char got[TRACE_ID_BYTES];
	struct fields *f = fields_create();
	if (fields_add(f, name, strlen(name), value, strlen(value)) != 0)
		abort();
	trace_id_of(f, got);
	if (strcmp(got, want))
		printf("# %s: %s\n", name, value);
	CHECK_STR(got, want);
	fields_destroy(f);
}

TEST(a_traceparent_says_which_trace_to_the_letter_or_not_at_all)
{
	check("traceparent", PARENT, ID);
	check("traceparent", "cc-" ID "-00f067aa0ba902b7-01", ID);
	check("traceparent", "cc-" ID "-00f067aa0ba902b7-01-what-comes-later", ID);
	check("traceparent", PARENT "-more", "");
	check("traceparent", "cc-" ID "-00f067aa0ba902b7-01.", "");
	check("traceparent", "ff-" ID "-00f067aa0ba902b7-01", "");
	check("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "");
	check("traceparent", "00-" ID "-0000000000000000-01", "");
	check("traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "");
	check("traceparent", "", "");
	char cut[] = PARENT;
	for (size_t n = strlen(PARENT); n-- > 0;) {
		cut[n] = '\0';
		check("traceparent", cut, "");
	}
}

TEST(no_byte_of_a_traceparent_may_be_another_kind_of_byte)
{
	for (size_t i = 0; i < strlen(PARENT); i++) {
		for (int c = 1; c < 256; c++) {
			char text[] = PARENT;
			bool dash = text[i] == '-', hex = strchr("0123456789abcdef", c);
			if (i == 0 && c == 'f')
				continue; /* version f0 is good */
			text[i] = (char)c;
			char want[TRACE_ID_BYTES] = "";
			if (dash ? c == '-' : hex)
				memcpy(want, text + 3, 32);
			check("traceparent", text, want);
		}
	}
}

TEST(b3_in_one_header_or_several_says_it_too)
{
	check("b3", ID "-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90", ID);
	check("b3", "a3ce929d0e0e4736-e457b5a2e4d86bd1", "a3ce929d0e0e4736");
	check("b3", "0", "");
	check("b3", ID, "");
	check("b3", "-" ID, "");
	check("b3", "0000000000000000-e457b5a2e4d86bd1", "");
	check("x-b3-traceid", ID, ID);
	check("x-b3-traceid", "a3ce929d0e0e4736", "a3ce929d0e0e4736");
	check("x-b3-traceid", "a3ce929d0e0e473", "");
	check("x-b3-traceid", ID "0", "");
	check("x-request-id", ID, "");
}

TEST(traceparent_is_asked_first)
{
	char got[TRACE_ID_BYTES];
	struct fields *f = fields_create();
	CHECK_EQ(fields_add(f, "b3", 2, "a3ce929d0e0e4736-e457b5a2e4d86bd1", 33), 0);
	CHECK_EQ(fields_add(f, "traceparent", 11, PARENT, strlen(PARENT)), 0);
	trace_id_of(f, got);
	CHECK_STR(got, ID);
	fields_destroy(f);
	fields_cache_purge();
	CHECK_EQ(mem_live_blocks(), 0);
}

TAP_MAIN()
