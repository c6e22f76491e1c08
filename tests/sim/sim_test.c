/* sim_test.c - every scenario with every injection at every event, and with every allocation
 * failing. The rows of docs/verification.md are the tests' names. */
#include "sim.h"
#include "tap.h"

static const struct scenario direct[] = {
	{.name = "unary", .streams = 4, .up_bytes = 100, .down_bytes = 200, .trailers = true},
	{.name = "empty", .streams = 3},
	{.name = "bodies", .streams = 3, .up_bytes = 9000, .down_bytes = 7000},
	{.name = "bodies and trailers",
		.streams = 2,
		.up_bytes = 5000,
		.down_bytes = 12000,
		.trailers = true},
	{.name = "early answers",
		.streams = 3,
		.up_bytes = 20000,
		.down_bytes = 5000,
		.trailers = true,
		.early = true},
	{.name = "few at once", .streams = 7, .up_bytes = 2500, .down_bytes = 10, .max_streams = 2},
};
static const struct scenario relayed[] = {
	{.name = "relayed unary",
		.relay = true,
		.streams = 4,
		.up_bytes = 100,
		.down_bytes = 200,
		.trailers = true},
	{.name = "relayed bodies",
		.relay = true,
		.streams = 2,
		.up_bytes = 9000,
		.down_bytes = 7000,
		.trailers = true},
	{.name = "relayed early answers",
		.relay = true,
		.streams = 2,
		.up_bytes = 12000,
		.down_bytes = 5000,
		.trailers = true,
		.early = true},
};
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static struct sim sim;

/* One run; prints what went wrong. */
static bool good(const struct scenario *sc, enum injection inject, long at)
{
	sim_run(&sim, sc, inject, at);
	if (sim.wrong[0])
		printf("# %s, %s at %ld: %s\n", sc->name, sim_injection_name(inject), at,
			sim.wrong);
	return !sim.wrong[0];
}

static void inject_everywhere(
	const struct scenario *list, size_t count, enum injection first, enum injection last)
{
	for (size_t i = 0; i < count; i++) {
		unsigned bad = 0;
		long events = sim_run(&sim, &list[i], INJECT_NOTHING, 0);
		CHECK(events > 5);
		for (enum injection inject = first; inject <= last; inject++)
			for (long at = 1; at <= events && bad < 3; at++)
				bad += !good(&list[i], inject, at);
		CHECK_EQ(bad, 0);
	}
}

static void undisturbed(const struct scenario *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		CHECK(good(&list[i], INJECT_NOTHING, 0));
}

static void fail_everywhere(const struct scenario *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned bad = 0;
		long nth = 1;
		do
			bad += !good(&list[i], INJECT_NO_MEMORY, nth++);
		while (!sim.failure_left && bad < 3);
		CHECK_EQ(bad, 0);
		CHECK(nth > 20);
	}
}

TEST(two_engines_finish_every_scenario)
{
	undisturbed(direct, COUNT(direct));
}

TEST(a_relay_of_two_engines_finishes_every_scenario)
{
	undisturbed(relayed, COUNT(relayed));
}

TEST(a_cut_connection_at_every_event_leaves_nothing_behind)
{
	inject_everywhere(direct, COUNT(direct), INJECT_CUT_NEAR, INJECT_CUT_FAR);
}

TEST(a_reset_by_either_side_at_every_event_leaves_nothing_behind)
{
	inject_everywhere(direct, COUNT(direct), INJECT_RESET_ALICE, INJECT_RELEASE_BOB);
}

TEST(goaway_at_every_event_leaves_nothing_behind)
{
	inject_everywhere(direct, COUNT(direct), INJECT_DRAIN_ALICE, INJECT_KILL_BOB);
}

TEST(queued_data_dropped_at_every_event_leaves_nothing_behind)
{
	inject_everywhere(direct, COUNT(direct), INJECT_DROP_BOB, INJECT_DROP_BOB);
}

TEST(a_window_change_at_every_event_leaves_nothing_behind)
{
	inject_everywhere(direct, COUNT(direct), INJECT_WINDOW_0, INJECT_WINDOW_HUGE);
}

TEST(a_garbled_octet_at_every_event_leaves_nothing_behind)
{
	inject_everywhere(direct, COUNT(direct), INJECT_GARBAGE, INJECT_GARBAGE);
}

TEST(every_injection_at_every_event_of_a_relay_leaves_nothing_behind)
{
	inject_everywhere(relayed, COUNT(relayed), INJECT_CUT_NEAR, INJECT_GARBAGE);
}

TEST(every_failed_allocation_leaves_nothing_behind)
{
	fail_everywhere(direct, COUNT(direct));
}

TEST(every_failed_allocation_of_a_relay_leaves_nothing_behind)
{
	fail_everywhere(relayed, COUNT(relayed));
}

TAP_MAIN()
