#include "config/suggest.h"

#include "tap.h"

static unsigned distance(const char *a, const char *b)
{
	return edit_distance(a, strlen(a), b, strlen(b), 9);
}

static const char *nearest(const char *word)
{
	static const char *const names[] = {"listeners", "routes", "clusters", "limits", "drain"};
	struct suggestion s;
	suggestion_init(&s, word, strlen(word));
	for (size_t i = 0; i < 5; i++)
		suggestion_offer(&s, names[i]);
	return s.best ? s.best : "";
}

TEST(distance_counts_edits_and_swaps)
{
	CHECK_EQ(distance("", ""), 0);
	CHECK_EQ(distance("abc", "abc"), 0);
	CHECK_EQ(distance("abc", "ABC"), 0);
	CHECK_EQ(distance("abc", ""), 3);
	CHECK_EQ(distance("abc", "abxc"), 1);
	CHECK_EQ(distance("abc", "ac"), 1);
	CHECK_EQ(distance("abc", "axc"), 1);
	CHECK_EQ(distance("abc", "acb"), 1);
	CHECK_EQ(distance("abcd", "badc"), 2);
	CHECK_EQ(distance("kitten", "sitting"), 3);
}

TEST(distance_stops_above_what_is_asked_for)
{
	CHECK_EQ(edit_distance("abcdef", 6, "uvwxyz", 6, 2), 3);
	CHECK_EQ(edit_distance("a", 1, "abcdef", 6, 2), 3);
}

TEST(the_nearest_name_is_suggested)
{
	CHECK_STR(nearest("listner"), "listeners");
	CHECK_STR(nearest("ruotes"), "routes");
	CHECK_STR(nearest("CLUSTERS"), "clusters");
	CHECK_STR(nearest("limit"), "limits");
}

TEST(nothing_near_means_no_suggestion)
{
	CHECK_STR(nearest(""), "");
	CHECK_STR(nearest("x"), "");
	CHECK_STR(nearest("telemetry"), "");
	CHECK_STR(
		nearest("listenerslistenerslistenerslistenerslistenerslistenerslistenerslisteners"),
		"");
}

TAP_MAIN()
