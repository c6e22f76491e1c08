/* event_test.c */
#include "base/mem.h"
#include "http/event.h"
#include "tap.h"

TEST(dropping_an_event_releases_its_fields_and_data)
{
	fields_cache_purge();
	long live = mem_live_blocks();
	struct event ev = {.kind = EVENT_DATA, .end = true};
	ev.fields = fields_create();
	ev.data = slice_copy("hello", 5);
	REQUIRE(ev.fields && ev.data.slab);
	event_drop(&ev);
	CHECK(!ev.fields);
	CHECK(!ev.data.slab);
	CHECK_EQ(ev.data.len, 0);
	fields_cache_purge();
	CHECK_EQ(mem_live_blocks(), live);
}

TEST(dropping_an_empty_event_is_fine_and_repeatable)
{
	struct event ev = {.kind = EVENT_RESET, .code = 8};
	event_drop(&ev);
	event_drop(&ev);
	CHECK(!ev.fields);
}

TAP_MAIN()
