#include "config/value.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static const uint64_t BAD = UINT64_MAX;

static uint64_t size_of(const char *text)
{
	struct value_fault f;
	uint64_t v = 0;
	return value_size(text, strlen(text), &v, &f) ? v : BAD;
}

static uint64_t duration_of(const char *text)
{
	struct value_fault f;
	uint64_t v = 0;
	return value_duration(text, strlen(text), &v, &f) ? v : BAD;
}

static uint64_t whole_of(const char *text)
{
	struct value_fault f;
	uint64_t v = 0;
	return value_whole(text, strlen(text), &v, &f) ? v : BAD;
}

TEST(whole_numbers_are_digits_alone)
{
	CHECK_EQ(whole_of("0"), 0);
	CHECK_EQ(whole_of("007"), 7);
	CHECK(whole_of("18446744073709551614") == UINT64_MAX - 1);
	static const char *const bad[] = {"", "-1", "+1", "1 ", " 1", "1.0", "0x10", "1_000", "1e3",
		"18446744073709551616", "99999999999999999999999999"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(whole_of(bad[i]) == BAD);
}

TEST(sizes_have_binary_and_decimal_units)
{
	CHECK_EQ(size_of("0"), 0);
	CHECK_EQ(size_of("17"), 17);
	CHECK_EQ(size_of("17B"), 17);
	CHECK_EQ(size_of("64KiB"), 65536);
	CHECK_EQ(size_of("512MiB"), 512ll << 20);
	CHECK_EQ(size_of("3GiB"), 3ll << 30);
	CHECK_EQ(size_of("2TiB"), 2ll << 40);
	CHECK_EQ(size_of("64KB"), 64000);
	CHECK_EQ(size_of("5MB"), 5000000);
	CHECK_EQ(size_of("5GB"), 5000000000ll);
	CHECK_EQ(size_of("1TB"), 1000000000000ll);
	static const char *const bad[] = {"", "KiB", "1K", "1kib", "1 KiB", "1.5KiB", "-1KiB",
		"1KiBx", "1KiB1", "16777216TiB", "18446744073709551616", "18446744073709551615KiB"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(size_of(bad[i]) == BAD);
}

TEST(durations_go_from_large_units_to_small_ones)
{
	CHECK_EQ(duration_of("0"), 0);
	CHECK_EQ(duration_of("0s"), 0);
	CHECK_EQ(duration_of("100ms"), 100000000);
	CHECK_EQ(duration_of("30s"), 30000000000ll);
	CHECK_EQ(duration_of("1m30s"), 90000000000ll);
	CHECK_EQ(duration_of("2h"), 7200000000000ll);
	CHECK_EQ(duration_of("1h1m1s1ms"), 3661001000000ll);
	static const char *const bad[] = {"", "5", "s", "30S", "1s1m", "1s1s", "1.5s", "-1s", "1s ",
		"1 s", "1m30", "1us", "5124096h", "99999999999999999999s"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(duration_of(bad[i]) == BAD);
}

static void check_size_guess(const char *text, const char *guess)
{
	struct value_fault f;
	uint64_t v;
	CHECK(!value_size(text, strlen(text), &v, &f));
	CHECK_STR(f.suggestion, guess);
}

static void check_duration_guess(const char *text, const char *guess)
{
	struct value_fault f;
	uint64_t v;
	CHECK(!value_duration(text, strlen(text), &v, &f));
	CHECK_STR(f.suggestion, guess);
}

TEST(habits_of_other_programs_are_guessed)
{
	check_size_guess("512Mi", "512MiB");
	check_size_guess("512m", "512MiB");
	check_size_guess("512 mb", "512MB");
	check_size_guess("1kib", "1KiB");
	check_size_guess("1parsec", "");
	check_duration_guess("30", "30s");
	check_duration_guess("30sec", "30s");
	check_duration_guess("5 minutes", "5m");
	check_duration_guess("100MS", "100ms");
	check_duration_guess("1fortnight", "");
}

TEST(limits_read_as_people_write_them)
{
	char t[VALUE_TEXT_MAX];
	static const struct {
		uint64_t v;
		const char *size, *duration;
	} rows[] = {
		{0, "0B", "0s"},
		{1000, "1000B", "0s"},
		{1024, "1KiB", "0s"},
		{512ull << 20, "512MiB", "536ms"},
		{90000000000ull, "87890625KiB", "1m30s"},
		{7200000000000ull, "7031250000KiB", "2h"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		value_size_text(rows[i].v, t);
		CHECK_STR(t, rows[i].size);
		value_duration_text(rows[i].v, t);
		CHECK_STR(t, rows[i].duration);
	}
}

TEST(addresses_are_literal)
{
	static const char *const good[] = {"127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535",
		"[::]:0", "[::1]:9000", "[2001:db8::1]:443", "[::ffff:127.0.0.1]:80"};
	static const char *const bad[] = {"", ":", "80", ":80", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:1x", "127.1:80",
		"127.0.0.01:80", "[]:80", "[", "]", "[::1", "[::1]", "[::1]80", "[::1]:", "[::1]:x",
		"::1:80", "[127.0.0.1]:80", "localhost:80", "a:80", "[fe80::1%1]:80", "1.2.3.4:5:6",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80"};
	struct sockaddr_storage sa;
	socklen_t len;
	struct value_fault f;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK(value_address(good[i], strlen(good[i]), &sa, &len, &f));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (value_address(bad[i], strlen(bad[i]), &sa, &len, &f)) {
			tap_failures++;
			printf("# accepted %s\n", bad[i]);
		}
}

static bool congestion(const char *text, struct value_fault *f)
{
	return value_congestion_control(text, strlen(text), f);
}

TEST(a_congestion_control_is_one_that_the_kernel_has)
{
	struct value_fault f;
	CHECK(congestion("reno", &f)); /* every kernel's */
	CHECK(!congestion("no-such-control", &f));
	CHECK(strstr(f.why, "tcp_available_congestion_control"));
	/* The kernel would look at the first 15 bytes alone. */
	static const char *const bad[] = {"", "reno ", "re no", "../reno", "reno0123456789ab",
		"no-such-control-of-that-length"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!congestion(bad[i], &f) && !*f.why);
}

/* The first word of `all` that is not in `some`; false: there is none. */
static bool word_of_none(char *all, const char *some, char out[16])
{
	char padded[512];
	snprintf(padded, sizeof(padded), " %s ", some);
	for (char *w = strtok(all, " \n"); w; w = strtok(NULL, " \n")) {
		char word[24];
		snprintf(word, sizeof(word), " %.15s ", w);
		snprintf(out, 16, "%.15s", w);
		if (!strstr(padded, word))
			return true;
	}
	return false;
}

static void sysctl_line(const char *name, char out[256])
{
	char path[128];
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	FILE *f = fopen(path, "r");
	if (!f || !fgets(out, 256, f))
		*out = '\0';
	out[strcspn(out, "\n")] = '\0';
	if (f)
		fclose(f);
}

/* In a child without the rights of root. */
static int asks_as_nobody(const char *name)
{
	struct value_fault f;
	if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
		return 2;
	return !congestion(name, &f) && strstr(f.why, "tcp_allowed_congestion_control") ? 0 : 1;
}

TEST(a_congestion_control_that_is_not_allowed_is_refused_as_such)
{
	char all[256], allowed[256], name[16];
	sysctl_line("tcp_available_congestion_control", all);
	sysctl_line("tcp_allowed_congestion_control", allowed);
	if (!word_of_none(all, allowed, name)) {
		printf("# this kernel allows all that it has\n");
		return;
	}
	int status = -1;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0)
		_exit(asks_as_nobody(name));
	REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}

TAP_MAIN()
