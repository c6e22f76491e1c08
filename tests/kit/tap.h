/* tap.h - the test kit for C: tests register themselves, results are TAP 13 on stdout.
 *
 *   #include "tap.h"
 *   TEST(map_finds_what_it_holds) { CHECK_EQ(map_len(&m), 3); }
 *   TAP_MAIN()
 *
 * A failed CHECK prints file:line and both values, marks the test as failed and goes on; REQUIRE
 * returns from the test. Names become rows of docs/verification.md: let them read as sentences.
 * `./x_test NAME` runs only the tests whose name contains NAME. One thread. */
#ifndef WEIR_KIT_TAP_H
#define WEIR_KIT_TAP_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct tap_test {
	const char *name;
	void (*run)(void);
	struct tap_test *next;
};

static struct tap_test *tap_first, **tap_tail = &tap_first;
static int tap_failures;

#define TEST(id)                                                                                   \
	static void test_##id(void);                                                               \
	static struct tap_test tap_##id = {#id, test_##id, NULL};                                  \
	__attribute__((constructor)) static void tap_register_##id(void)                           \
	{                                                                                          \
		*tap_tail = &tap_##id;                                                             \
		tap_tail = &tap_##id.next;                                                         \
	}                                                                                          \
	static void test_##id(void)

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			tap_failures++;                                                            \
			printf("# %s:%d: failed: %s\n", __FILE__, __LINE__, #cond);                \
		}                                                                                  \
	} while (0)

#define REQUIRE(cond)                                                                              \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			tap_failures++;                                                            \
			printf("# %s:%d: failed: %s\n", __FILE__, __LINE__, #cond);                \
			return;                                                                    \
		}                                                                                  \
	} while (0)

#define CHECK_EQ(got, want)                                                                        \
	do {                                                                                       \
		long long tap_g = (long long)(got), tap_w = (long long)(want);                     \
		if (tap_g != tap_w) {                                                              \
			tap_failures++;                                                            \
			printf("# %s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #got,   \
				tap_g, tap_w);                                                     \
		}                                                                                  \
	} while (0)

#define CHECK_STR(got, want)                                                                       \
	do {                                                                                       \
		const char *tap_g = (got), *tap_w = (want);                                        \
		if (!tap_g || strcmp(tap_g, tap_w)) {                                              \
			tap_failures++;                                                            \
			printf("# %s:%d: %s is \"%s\", expected \"%s\"\n", __FILE__, __LINE__,     \
				#got, tap_g ? tap_g : "(null)", tap_w);                            \
		}                                                                                  \
	} while (0)

#define CHECK_MEM(got, got_len, want, want_len)                                                    \
	CHECK((size_t)(got_len) == (size_t)(want_len) && !memcmp((got), (want), (size_t)(want_len)))

/* The seed of a randomised test, printed so that a failure can be replayed: WEIR_SEED=N ./x_test */
static inline uint64_t tap_seed(void)
{
	const char *given = getenv("WEIR_SEED");
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t seed = given ? strtoull(given, NULL, 0)
			      : (uint64_t)now.tv_nsec * 1000003u + (uint64_t)now.tv_sec;
	printf("# WEIR_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

static inline int tap_run(const char *only)
{
	int n = 0, bad = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("TAP version 13");
	for (struct tap_test *t = tap_first; t; t = t->next) {
		if (only && !strstr(t->name, only))
			continue;
		tap_failures = 0;
		t->run();
		printf("%s %d - %s\n", tap_failures ? "not ok" : "ok", ++n, t->name);
		bad += tap_failures > 0;
	}
	printf("1..%d\n", n);
	return bad > 0 || n == 0;
}

#define TAP_MAIN()                                                                                 \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return tap_run(argc > 1 ? argv[1] : NULL);                                         \
	}
#endif
