/* pool_test.c - choosing an endpoint, and how many streams others see on it. */
#include "proxy/pool.h"
#include "tap.h"

/* Two workers that know the same endpoint. */
static struct worker workers[2];
static struct endpoint shared;
static struct pool pools[2];
static struct pool_endpoint ends[2];

static void begin(void)
{
	shared = (struct endpoint){.refs = 2};
	for (int i = 0; i < 2; i++) {
		pools[i] = (struct pool){.worker = &workers[i], .endpoint_count = 1};
		ends[i] = (struct pool_endpoint){.pool = &pools[i], .shared = &shared};
		list_init(&workers[i].untold);
		list_init(&pools[i].endpoints);
		list_init(&ends[i].links);
		list_init(&ends[i].untold);
		list_push_back(&pools[i].endpoints, &ends[i].node);
	}
}

TEST(a_worker_knows_its_own_streams_at_once_and_the_others_hear_of_them_at_the_turns_end)
{
	begin();
	for (int i = 0; i < 3; i++)
		pool_count_stream(&ends[0], true);
	CHECK_EQ(pool_streams(&ends[0]), 3);
	CHECK_EQ(pool_streams(&ends[1]), 0);
	pool_tell_streams(&workers[0]);
	CHECK_EQ(pool_streams(&ends[0]), 3);
	CHECK_EQ(pool_streams(&ends[1]), 3);
	CHECK(list_empty(&workers[0].untold));

	pool_count_stream(&ends[1], true);
	pool_count_stream(&ends[0], false);
	pool_count_stream(&ends[0], false);
	CHECK_EQ(pool_streams(&ends[0]), 1);
	CHECK_EQ(pool_streams(&ends[1]), 4);
	pool_tell_streams(&workers[0]);
	pool_tell_streams(&workers[1]);
	pool_tell_streams(&workers[1]); /* nothing is told twice */
	CHECK_EQ(pool_streams(&ends[0]), 2);
	CHECK_EQ(pool_streams(&ends[1]), 2);
	CHECK_EQ(atomic_load(&shared.streams), 2);
}

TEST(the_only_endpoint_is_taken_although_it_was_tried)
{
	const char *why = "not asked";
	begin();
	CHECK(pool_pick(&pools[0], 0, &why) == &ends[0]);
	CHECK(pool_pick(&pools[0], 1, &why) == &ends[0]);
	CHECK_STR(why, "not asked");
}

TEST(the_only_endpoint_is_left_alone_in_back_off_and_when_it_is_retired)
{
	const char *why = NULL;
	begin();
	ends[0].failures = 1;
	ends[0].retry_at_ns = 5;
	memcpy(ends[0].last_error, "refused", 8);
	CHECK(!pool_pick(&pools[0], 0, &why));
	CHECK_STR(why, "refused");
	workers[0].loop.now_ns = 5;
	CHECK(pool_pick(&pools[0], 0, &why) == &ends[0]);
	ends[0].retired = true;
	why = "unchanged?";
	CHECK(!pool_pick(&pools[0], 1, &why));
	CHECK(!why); /* it is not named any more */
	workers[0].loop.now_ns = 0;
}

TAP_MAIN()
