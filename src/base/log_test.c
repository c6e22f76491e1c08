#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "tap.h"

static char last[8192];
static int lines;

static void sink(const char *line)
{
	snprintf(last, sizeof(last), "%s", line);
	lines++;
}

/* What follows the time. */
static const char *rest(void)
{
	return strlen(last) > 25 ? last + 25 : "";
}

static void start(void)
{
	log_set_sink(sink);
	log_set_level(LOG_INFO);
	last[0] = '\0';
	lines = 0;
}

TEST(a_line_is_time_level_sentence_and_pairs)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
	start();
	log_line(LOG_WARN, "upstream connect refused", "cluster", "chat", "endpoint",
		"127.0.0.1:9000", NULL);
	REQUIRE(strlen(last) > sizeof(shape));
	for (size_t i = 0; shape[i]; i++)
		CHECK(shape[i] == 'd' ? last[i] >= '0' && last[i] <= '9' : last[i] == shape[i]);
	CHECK_STR(rest(), "warn upstream connect refused cluster=chat endpoint=127.0.0.1:9000");
	CHECK(!memcmp(last, "20", 2));
}

TEST(values_are_quoted_when_they_could_be_misread)
{
	start();
	log_line(LOG_INFO, "x", "a", "two words", "b", "", "c", "k=v", "d", "say \"hi\"", "e",
		"a\\b", "f", NULL, "g", "-", "h", "plain/path:1", NULL);
	CHECK_STR(rest(), "info x a=\"two words\" b=\"\" c=\"k=v\" d=\"say \\\"hi\\\"\" "
			  "e=\"a\\\\b\" f=- g=\"-\" h=plain/path:1");
}

TEST(a_peer_cannot_forge_a_line_nor_drive_the_terminal)
{
	start();
	log_line(LOG_ERROR, "bad\nmessage", "v", "a\nb\r\t\x1b[31m\x7f", "c1", "\xc2\x9b", "raw",
		"\x9b\xff", "utf8", "\xc3\xa4\xe2\x82\xac", NULL);
	CHECK_STR(rest(), "error bad\\nmessage v=\"a\\nb\\r\\t\\x1b[31m\\x7f\" c1=\"\\xc2\\x9b\" "
			  "raw=\"\\x9b\\xff\" utf8=\"\xc3\xa4\xe2\x82\xac\"");
}

TEST(lines_below_the_level_are_dropped)
{
	start();
	log_line(LOG_DEBUG, "no", NULL);
	CHECK_EQ(lines, 0);
	log_set_level(LOG_DEBUG);
	log_line(LOG_DEBUG, "yes", NULL);
	CHECK_STR(rest(), "debug yes");
	log_set_level(LOG_ERROR);
	log_line(LOG_WARN, "no", NULL);
	log_line(LOG_ERROR, "yes", NULL);
	CHECK_EQ(lines, 2);
}

TEST(level_names_are_exact)
{
	enum log_level level = LOG_ERROR;
	CHECK(log_level_parse("debug", &level) && level == LOG_DEBUG);
	CHECK(log_level_parse("info", &level) && level == LOG_INFO);
	CHECK(log_level_parse("warn", &level) && level == LOG_WARN);
	CHECK(log_level_parse("error", &level) && level == LOG_ERROR);
	CHECK(!log_level_parse("WARN", &level) && !log_level_parse("", &level) &&
		!log_level_parse("warning", &level));
	CHECK_EQ(level, LOG_ERROR);
}

TEST(a_line_too_long_is_cut_between_characters_and_says_so)
{
	static char huge[9000];
	start();
	for (size_t i = 0; i < sizeof(huge) - 2; i += 2)
		memcpy(huge + i, "\xc3\xa4", 2);
	log_line(LOG_INFO, "big", "v", huge, "after", "x", NULL);
	size_t len = strlen(last);
	CHECK(len > 4000 && len < 4096);
	CHECK_STR(last + len - 3, "...");
	CHECK(!memcmp(last + len - 5, "\xc3\xa4", 2));
	CHECK(strstr(last, "after") == NULL);
}

TEST(a_line_goes_to_stderr_in_one_write_and_errno_survives)
{
	int fds[2], saved = dup(STDERR_FILENO);
	char got[256];
	start();
	REQUIRE(saved >= 0 && pipe2(fds, O_CLOEXEC) == 0);
	dup2(fds[1], STDERR_FILENO);
	errno = EBADF;
	log_line(LOG_INFO, "hello", "k", "v", NULL);
	int after = errno;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	CHECK_EQ(after, EBADF);
	ssize_t n = read(fds[0], got, sizeof(got) - 1);
	REQUIRE(n > 0);
	got[n] = '\0';
	close(fds[0]);
	CHECK_EQ(n, strlen(last) + 1);
	CHECK(!strncmp(got, last, strlen(last)) && got[n - 1] == '\n');
	log_set_sink(NULL);
}

TEST(a_full_pipe_loses_the_line_and_nobody_waits)
{
	int fds[2], saved = dup(STDERR_FILENO);
	static char much[1 << 20];
	start();
	REQUIRE(saved >= 0 && pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
	ssize_t held = write(fds[1], much, sizeof(much));
	CHECK_EQ(fcntl(fds[1], F_SETFL, 0), 0); /* as a shell leaves it: writes wait */
	dup2(fds[1], STDERR_FILENO);
	unsigned long long before = log_lost();
	log_line(LOG_INFO, "lost", NULL);
	unsigned long long after = log_lost();
	CHECK_EQ(read(fds[0], much, sizeof(much)), held);
	log_line(LOG_INFO, "kept", NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	CHECK_EQ(after, before + 1);
	CHECK_EQ(log_lost(), after);
	CHECK_EQ(read(fds[0], much, sizeof(much)), strlen(last) + 1);
	CHECK_EQ(lines, 2);
	close(fds[0]);
	log_set_sink(NULL);
}

TAP_MAIN()
