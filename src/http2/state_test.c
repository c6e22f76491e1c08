#include "http2/state.h"
#include <string.h>
#include "http2/error.h"
#include "tap.h"

TEST(only_the_moves_of_rfc_9113_5_1_are_allowed)
{
	static const char *const allowed[] = {"idle>open", "idle>closed",
		"open>half-closed (local)", "open>half-closed (remote)", "open>closed",
		"half-closed (local)>closed", "half-closed (remote)>closed"};
	unsigned moves = 0;
	for (int from = 0; from < H2_STATE_COUNT; from++) {
		for (int to = 0; to < H2_STATE_COUNT; to++) {
			char name[64];
			bool want = false;
			snprintf(name, sizeof(name), "%s>%s", h2_state_name((enum h2_state)from),
				h2_state_name((enum h2_state)to));
			for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
				want |= !strcmp(name, allowed[i]);
			CHECK_EQ(h2_state_may((enum h2_state)from, (enum h2_state)to), want);
			moves += want;
		}
	}
	CHECK_EQ(moves, 7);
}

TEST(a_stream_closes_when_both_sides_have_ended)
{
	CHECK_EQ(h2_state_after_end(H2_STATE_OPEN, true), H2_STATE_HALF_REMOTE);
	CHECK_EQ(h2_state_after_end(H2_STATE_OPEN, false), H2_STATE_HALF_LOCAL);
	CHECK_EQ(h2_state_after_end(H2_STATE_HALF_REMOTE, false), H2_STATE_CLOSED);
	CHECK_EQ(h2_state_after_end(H2_STATE_HALF_LOCAL, true), H2_STATE_CLOSED);
	CHECK_EQ(h2_state_after_end(H2_STATE_HALF_LOCAL, false), H2_STATE_HALF_LOCAL);
	CHECK_EQ(h2_state_after_end(H2_STATE_CLOSED, true), H2_STATE_CLOSED);
	CHECK(h2_state_remote_ended(H2_STATE_HALF_REMOTE) &&
		h2_state_remote_ended(H2_STATE_CLOSED));
	CHECK(h2_state_local_ended(H2_STATE_HALF_LOCAL) &&
		!h2_state_local_ended(H2_STATE_HALF_REMOTE));
}

TEST(every_fault_has_a_code_a_text_and_a_label)
{
	for (int f = 0; f < H2_FAULT_COUNT; f++) {
		const char *name = h2_fault_name((enum h2_fault)f);
		CHECK(strlen(h2_fault_text((enum h2_fault)f)) > 4);
		CHECK(strlen(name) > 1 &&
			strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
		CHECK(h2_fault_code((enum h2_fault)f) != H2_NO_ERROR);
		for (int g = 0; g < f; g++)
			CHECK(strcmp(name, h2_fault_name((enum h2_fault)g)) != 0);
	}
	CHECK_STR(h2_code_name(H2_ENHANCE_YOUR_CALM), "ENHANCE_YOUR_CALM");
	CHECK_STR(h2_code_name(99), "UNKNOWN");
}

TAP_MAIN()
