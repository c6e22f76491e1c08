#include "base/blob.h"
#include <pthread.h>
#include "base/mem.h"
#include "tap.h"

TEST(a_blob_is_a_copy_with_a_nul_behind_it)
{
	char text[] = "shared";
	struct blob *b = blob_create(text, 6);
	REQUIRE(b);
	text[0] = 'x';
	CHECK_EQ(b->len, 6);
	CHECK_STR(b->bytes, "shared");
	blob_unref(b);
	b = blob_create(NULL, 0);
	REQUIRE(b);
	CHECK_STR(b->bytes, "");
	blob_unref(b);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(the_last_holder_frees_a_blob)
{
	struct blob *b = blob_create("x", 1);
	REQUIRE(b);
	CHECK(blob_ref(b) == b);
	blob_unref(b);
	CHECK_EQ(mem_live_blocks(), 1);
	CHECK_STR(b->bytes, "x");
	blob_unref(b);
	blob_unref(NULL);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(out_of_memory_makes_no_blob)
{
	mem_fail_after(1);
	CHECK(blob_create("x", 1) == NULL);
	CHECK(blob_create("x", SIZE_MAX) == NULL);
	CHECK(blob_create("x", SIZE_MAX - sizeof(struct blob)) == NULL);
	CHECK_EQ(mem_live_blocks(), 0);
}

/* Each thread has a reference, makes and drops more, reads, and drops its own. */
static void *share(void *arg)
{
	struct blob *b = arg;
	size_t good = 0;
	for (int i = 0; i < 20000; i++) {
		struct blob *mine = blob_ref(b);
		good += !memcmp(mine->bytes, "everybody reads this", mine->len);
		blob_unref(mine);
	}
	blob_unref(b);
	return (void *)(uintptr_t)good;
}

TEST(threads_share_a_blob_and_the_last_frees_it)
{
	pthread_t threads[4];
	struct blob *b = blob_create("everybody reads this", 20);
	REQUIRE(b);
	for (int i = 0; i < 4; i++)
		REQUIRE(pthread_create(&threads[i], NULL, share, blob_ref(b)) == 0);
	blob_unref(b);
	for (int i = 0; i < 4; i++) {
		void *good;
		pthread_join(threads[i], &good);
		CHECK_EQ((uintptr_t)good, 20000);
	}
}

TAP_MAIN()
