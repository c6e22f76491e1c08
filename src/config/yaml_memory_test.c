/* libyaml takes its memory from malloc, not through base/mem: so this test stands in front of
 * malloc, and fails each call in turn. (Not under sanitizers, which stand there themselves.) */
#include "config/config.h"
#include "tap.h"

extern void *__libc_malloc(size_t bytes);
extern void *__libc_realloc(void *block, size_t bytes);
void *malloc(size_t bytes);
void *realloc(void *block, size_t bytes);

static long fail_after; /* the nth call from now fails; 0: none does */
static long calls;

static bool fails(void)
{
	calls++;
	return fail_after > 0 && --fail_after == 0;
}

void *malloc(size_t bytes)
{
	return fails() ? NULL : __libc_malloc(bytes);
}

void *realloc(void *block, size_t bytes)
{
	return fails() ? NULL : __libc_realloc(block, bytes);
}

static const char TEXT[] = "# a comment\n"
			   "listeners: [{name: in, address: \"127.0.0.1:8080\"}]\n"
			   "clusters:\n"
			   "  - name: \"chat\"\n"
			   "    endpoints: ['127.0.0.1:9000']\n"
			   "routes:\n"
			   "- {name: all, cluster: chat}\n";

TEST(each_failed_allocation_inside_libyaml_is_out_of_memory)
{
	long nth = 1;
	bool done = false;
	for (; nth < 10000 && !done; nth++) {
		char said[256] = "";
		struct buf errors;
		buf_init(&errors);
		calls = 0;
		fail_after = nth;
		struct config *c = config_parse("weir.yaml", TEXT, sizeof(TEXT) - 1, &errors);
		done = calls < nth;
		fail_after = 0;
		if (errors.len)
			snprintf(said, sizeof(said), "%s", errors.bytes);
		if (done)
			CHECK(c);
		else if (!c && !errors.failed)
			CHECK_STR(said, "weir.yaml: out of memory\n");
		config_unref(c);
		buf_fini(&errors);
	}
	CHECK(done);
	CHECK(nth > 50); /* libyaml allocates for each token */
}

TAP_MAIN()
