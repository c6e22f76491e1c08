#include "shared/shared.h"
#include "tap.h"

TEST(an_endpoint_is_one_object_for_each_cluster_and_address)
{
	struct shared *s = shared_create(3);
	struct endpoint *a = shared_endpoint(s, "chat", "127.0.0.1:1");
	struct endpoint *again = shared_endpoint(s, "chat", "127.0.0.1:1");
	struct endpoint *other = shared_endpoint(s, "chat", "127.0.0.1:2");
	struct endpoint *elsewhere = shared_endpoint(s, "chat2", "127.0.0.1:1");
	struct endpoint *joined = shared_endpoint(s, "chat127.0.0.1:1", "");
	REQUIRE(a && other && elsewhere && joined);
	CHECK(a == again);
	CHECK(a != other && a != elsewhere && a != joined);
	atomic_store(&a->streams, 7);
	shared_endpoint_unref(s, a);
	CHECK_EQ(atomic_load(&again->streams), 7); /* counts outlive whoever lets go */
	shared_endpoint_unref(s, again);
	CHECK_EQ(s->endpoints.len, 3);
	again = shared_endpoint(s, "chat", "127.0.0.1:1");
	CHECK_EQ(atomic_load(&again->streams), 0);
	shared_endpoint_unref(s, again);
	shared_endpoint_unref(s, other);
	shared_endpoint_unref(s, elsewhere);
	shared_endpoint_unref(s, joined);
	shared_destroy(s);
}

TEST(sums_walk_all_cells)
{
	struct shared *s = shared_create(3);
	for (uint32_t i = 0; i < 3; i++) {
		atomic_store(&s->cells[i].connections, i + 1);
		atomic_store(&s->cells[i].held_bytes, 100 * (i + 1));
	}
	CHECK_EQ(shared_connections(s), 6);
	CHECK_EQ(shared_held_bytes(s), 600);
	shared_destroy(s);
}

static void *take_and_give(void *arg)
{
	struct shared *s = arg;
	for (int i = 0; i < 2000; i++) {
		struct endpoint *e = shared_endpoint(s, "c", i % 2 ? "1" : "2");
		atomic_fetch_add_explicit(&e->streams, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&e->streams, 1, memory_order_relaxed);
		shared_endpoint_unref(s, e);
	}
	return NULL;
}

TEST(threads_may_find_and_let_go_of_endpoints_at_once)
{
	struct shared *s = shared_create(4);
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, take_and_give, s), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(s->endpoints.len, 0);
	shared_destroy(s);
}

TAP_MAIN()
