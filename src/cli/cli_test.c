/* Each verb through cli_main, in a process of its own with its output caught. */
#include "cli/cli.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "filter/sample_record.h"
#include "http/fields.h"
#include "tap.h"

struct result {
	int status;
	char out[65536], err[65536];
};

/* A listening socket of this process: a child that kept it would keep it open. */
static int close_in_child = -1;

/* What main would be told to run, as text. */
static int run_says_what_it_got(const struct run_options *o)
{
	printf("run %s at level %d\n", o->config_file, (int)o->log_level);
	return 7;
}

static void slurp(int fd, char *out, size_t cap)
{
	ssize_t n = pread(fd, out, cap - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	close(fd);
}

/* The verb, in a child: its end too. A leak is a status of its own. */
static _Noreturn void call(const char *const *words)
{
	char *argv[16] = {(char *)(uintptr_t) "weir"};
	int argc = 1;
	long before = mem_live_blocks();
	if (close_in_child >= 0)
		close(close_in_child);
	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	int status = cli_main(argc, argv, run_says_what_it_got);
	fflush(stdout);
	fields_cache_purge();
	_exit(mem_live_blocks() == before ? status : 98);
}

static struct result weir(const char *const *words)
{
	static struct result r;
	int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC), status;
	r = (struct result){.status = -1};
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		call(words);
	}
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		r.status = WEXITSTATUS(status);
	slurp(out, r.out, sizeof(r.out));
	slurp(err, r.err, sizeof(r.err));
	return r;
}
#define WEIR(...) weir((const char *const[]){__VA_ARGS__, NULL})

static unsigned lines(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

TEST(check_says_what_a_good_file_has)
{
	struct result r = WEIR("check", "--config", EXAMPLES "/gateway.yaml");
	CHECK_EQ(r.status, 0);
	CHECK_STR(r.out, EXAMPLES "/gateway.yaml: ok (2 listeners, 5 routes, 4 clusters)\n");
	CHECK_STR(r.err, "");
	r = WEIR("check", "--config=" EXAMPLES "/sidecar.yaml");
	CHECK_EQ(r.status, 0);
	CHECK_STR(r.out, EXAMPLES "/sidecar.yaml: ok (1 listener, 1 route, 1 cluster)\n");
}

TEST(check_prints_every_error_of_a_bad_file)
{
	struct result r = WEIR("check", "--config", CONFIG_BAD_DIR "/many-errors-in-one-run.yaml");
	CHECK_EQ(r.status, 1);
	CHECK_STR(r.out, "");
	CHECK_EQ(lines(r.err), 17);
	CHECK(!strncmp(r.err, CONFIG_BAD_DIR "/many-errors-in-one-run.yaml:1:10: workers: ",
		strlen(CONFIG_BAD_DIR) + 44));
	r = WEIR("check", "--config", "/nonexistent.yaml");
	CHECK_EQ(r.status, 1);
	CHECK_STR(r.err, "/nonexistent.yaml: cannot be read: No such file or directory\n");
}

TEST(run_is_given_its_options)
{
	struct result r = WEIR("run", "--config", "a.yaml");
	CHECK_EQ(r.status, 7);
	CHECK_STR(r.out, "run a.yaml at level 1\n");
	r = WEIR("run", "--log-level=debug", "--config=b.yaml");
	CHECK_EQ(r.status, 7);
	CHECK_STR(r.out, "run b.yaml at level 0\n");
}

TEST(version_is_one_line)
{
	struct result r = WEIR("version");
	CHECK_EQ(r.status, 0);
	CHECK_EQ(lines(r.out), 1);
	CHECK(!strncmp(r.out, "weir " WEIR_VERSION " (", sizeof("weir " WEIR_VERSION " (") - 1));
	CHECK_STR(WEIR("--version").out, r.out);
}

TEST(help_tells_of_every_verb_and_option)
{
	struct result r = WEIR("--help");
	CHECK_EQ(r.status, 0);
	CHECK(strstr(r.out, "\n  run ") && strstr(r.out, "\n  check ") &&
		strstr(r.out, "\n  top ") && strstr(r.out, "\n  version ") &&
		strstr(r.out, "\n  help "));
	CHECK_STR(WEIR("help").out, r.out);
	r = WEIR("help", "top");
	CHECK_EQ(r.status, 0);
	CHECK(strstr(r.out,
		"Usage: weir top [--admin ADDR] [--interval TIME] [--once] [--json] [VIEW]\n"));
	CHECK(strstr(r.out, "(default 127.0.0.1:9901)"));
	CHECK_STR(WEIR("top", "--help").out, r.out);
	CHECK(strstr(WEIR("run", "-h").out, "Usage: weir run --config FILE [--log-level LEVEL]\n"));
}

/* One line on stderr, nothing on stdout, exit status 2. */
static void check_usage(struct result r, const char *want)
{
	CHECK_EQ(r.status, 2);
	CHECK_STR(r.out, "");
	CHECK_STR(r.err, want);
}

static void write_file(const char *path, const char *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");
	CHECK(f && fwrite(bytes, 1, len, f) == len);
	if (f)
		fclose(f);
}

TEST(samples_prints_the_records_of_a_file_up_to_where_it_is_damaged)
{
	char path[] = "/tmp/weir-cli-samples-XXXXXX", want[512];
	static const char line[] = "\"direction\":\"sent\",\"message\":1,\"size\":2,";
	struct sample s = {
		.direction = SAMPLE_DIRECTION_SENT, .message = 1, .size = 2, .payload = {"ab", 2}};
	struct buf file;
	buf_init(&file);
	close(mkstemp(path));
	sample_encode(&file, &s);
	size_t one = file.len;
	sample_encode(&file, &s);
	write_file(path, file.bytes, file.len);
	struct result r = WEIR("samples", path);
	CHECK_EQ(r.status, 0);
	CHECK_STR(r.err, "");
	char *second = strchr(r.out, '\n');
	REQUIRE(second && strstr(r.out, line) && strstr(second, line));
	CHECK(strstr(r.out, "\"payload\":\"YWI=\"") && r.out[strlen(r.out) - 1] == '\n');
	char *third = strchr(second + 1, '\n');
	REQUIRE(third && !third[1]);

	write_file(path, file.bytes, file.len - 1);
	r = WEIR("samples", path);
	CHECK_EQ(r.status, 1);
	CHECK_EQ(strlen(r.out), (size_t)(second - r.out) + 1);
	snprintf(want, sizeof want, "weir samples: %s: byte %zu: the file ends inside a record\n",
		path, one);
	CHECK_STR(r.err, want);

	memset(file.bytes + one, 0xff, 4);
	write_file(path, file.bytes, file.len);
	r = WEIR("samples", path);
	CHECK_EQ(r.status, 1);
	snprintf(want, sizeof want, "weir samples: %s: byte %zu: this is no record of a sample\n",
		path, one);
	CHECK_STR(r.err, want);

	write_file(path, "", 0);
	r = WEIR("samples", path);
	CHECK(r.status == 0 && !*r.out && !*r.err);
	unlink(path);
	r = WEIR("samples", path);
	snprintf(want, sizeof want, "weir samples: %s: No such file or directory\n", path);
	CHECK_EQ(r.status, 1);
	CHECK_STR(r.err, want);
	check_usage(WEIR("samples"), "weir samples: FILE is missing\n");
	buf_fini(&file);
}

TEST(a_wrong_command_line_gets_one_line)
{
	check_usage(weir((const char *const[]){NULL}),
		"weir: a command is missing, expected one of "
		"run, check, top, samples, version, help\n");
	check_usage(WEIR("chekc"),
		"weir: unknown command \"chekc\", expected one of run, check, top, "
		"samples, version, help; did you mean \"check\"?\n");
	check_usage(WEIR("frobnicate"), "weir: unknown command \"frobnicate\", expected one of "
					"run, check, top, samples, version, help\n");
	check_usage(WEIR("help", "tpo"),
		"weir: unknown command \"tpo\", expected one of run, check, "
		"top, samples, version, help; did you mean \"top\"?\n");
	check_usage(WEIR("check"), "weir check: --config FILE is missing\n");
	check_usage(
		WEIR("check", "--config"), "weir check: --config needs a value: --config FILE\n");
	check_usage(
		WEIR("check", "--config="), "weir check: --config needs a value: --config FILE\n");
	check_usage(WEIR("check", "--confg", "a"),
		"weir check: unknown option \"--confg\"; did you mean \"--config\"?\n");
	check_usage(WEIR("check", "--verbose"),
		"weir check: unknown option \"--verbose\"; see weir help check\n");
	check_usage(WEIR("check", "a.yaml"),
		"weir check: unexpected argument \"a.yaml\"; did you mean --config?\n");
	check_usage(
		WEIR("check", "--config", "a", "--config", "b"), "weir check: --config twice\n");
	check_usage(WEIR("version", "x"), "weir version: unexpected argument \"x\"\n");
	check_usage(WEIR("top", "--once=1"), "weir top: --once takes no value\n");
	check_usage(WEIR("top", "stream"),
		"weir top: expected one of routes, streams, connections, clusters, got "
		"\"stream\"; did you mean \"streams\"?\n");
	check_usage(WEIR("run", "--config", "a", "--log-level", "loud"),
		"weir run: --log-level: expected one of debug, info, warn, error, got \"loud\"\n");
	check_usage(WEIR("top", "--admin", "localhost:9901"),
		"weir top: --admin: expected an address IP:PORT such as 127.0.0.1:9901, got "
		"\"localhost:9901\" (names are not resolved); did you mean "
		"\"127.0.0.1:9901\"?\n");
	check_usage(WEIR("top", "--interval", "0"), "weir top: --interval: expected a duration "
						    "such as 1s, from 100ms to 1h, got \"0\"\n");
}

TEST(a_full_disk_behind_stdout_is_a_failure)
{
	int status;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (!freopen("/dev/full", "w", stdout))
			_exit(9);
		call((const char *const[]){"version", NULL});
	}
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

/* An admin address that answers /metrics with these pages, one a connection; then it is gone. */
struct admin {
	int fd;
	char address[32];
	const char *const *pages; /* NULL ends them */
	const char *head;
	pthread_t thread;
};
static const char OK[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ";

static void *admin_serve(void *arg)
{
	struct admin *a = arg;
	for (const char *const *page = a->pages; *page; page++) {
		char request[2048] = "", head[256];
		size_t len = 0;
		int fd = accept(a->fd, NULL, NULL);
		while (!strstr(request, "\r\n\r\n")) {
			ssize_t n = read(fd, request + len, sizeof(request) - 1 - len);
			if (n <= 0)
				break;
			len += (size_t)n;
		}
		int n = snprintf(head, sizeof(head), "%s%zu\r\n\r\n", a->head, strlen(*page));
		/* Who has read enough may go. */
		if (send(fd, head, (size_t)n, MSG_NOSIGNAL) != n ||
			send(fd, *page, strlen(*page), MSG_NOSIGNAL) < 0)
			printf("# short write\n");
		close(fd);
	}
	close(a->fd);
	return NULL;
}

static bool admin_start(struct admin *a, const char *const *pages)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	a->pages = pages;
	if (!a->head)
		a->head = OK;
	a->fd = close_in_child = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (uint16_t port = 21200; port < 21300; port++) {
		in.sin_port = htons(port);
		snprintf(a->address, sizeof(a->address), "127.0.0.1:%u", port);
		if (bind(a->fd, (struct sockaddr *)&in, sizeof(in)) == 0)
			return listen(a->fd, 8) == 0 &&
			       pthread_create(&a->thread, NULL, admin_serve, a) == 0;
	}
	return false;
}

static void admin_stop(struct admin *a)
{
	pthread_join(a->thread, NULL);
	close_in_child = -1;
}

static const char *const TWO_PAGES[] = {"grpc_stream_sent_messages_total{rt_route=\"chat\",grpc_"
					"service=\"s\",grpc_method=\"m\"} 5\n",
	"grpc_stream_sent_messages_total{rt_route=\"chat\",grpc_service=\"s\",grpc_method=\"m\"} "
	"50000\n",
	NULL};

TEST(top_once_prints_one_table_with_rates)
{
	struct admin a = {0};
	REQUIRE(admin_start(&a, TWO_PAGES));
	struct result r = WEIR("top", "--once", "--interval", "100ms", "--admin", a.address);
	admin_stop(&a);
	CHECK_EQ(r.status, 0);
	CHECK_STR(r.err, "");
	CHECK_EQ(lines(r.out), 6);
	CHECK(strstr(r.out, "\nROUTE, METHOD "));
	CHECK(strstr(r.out, "\nchat "));
	CHECK(strstr(r.out, "\n  s/m "));
	CHECK(!strstr(r.out, "\033"));
	CHECK(!strstr(r.out, " - ")); /* rates are numbers */
}

TEST(top_json_prints_one_object)
{
	struct admin a = {0};
	REQUIRE(admin_start(&a, TWO_PAGES));
	struct result r = WEIR("top", "--once", "--json", "--interval=100ms", "--admin", a.address);
	admin_stop(&a);
	CHECK_EQ(r.status, 0);
	CHECK_EQ(lines(r.out), 1);
	CHECK(strstr(r.out, "\"route\":\"chat\""));
	CHECK(strstr(r.out, "\"sent_messages\":50000,"));
	CHECK(!strstr(r.out, "null"));
}

TEST(top_json_without_an_interval_is_one_look)
{
	static const char *const page[] = {"grpc_streams_active{rt_route=\"chat\"} 1\n", NULL};
	struct admin a = {0};
	REQUIRE(admin_start(&a, page));
	struct result r = WEIR("top", "routes", "--json", "--admin", a.address);
	admin_stop(&a);
	CHECK_EQ(r.status, 0);
	CHECK_EQ(lines(r.out), 1);
	CHECK(strstr(r.out, "\"view\":\"routes\""));
	CHECK(strstr(r.out, "\"sent_messages_per_second\":null"));
}

TEST(top_says_why_there_is_no_page)
{
	static const char *const html[] = {"<html>\n", NULL};
	struct result r = WEIR("top", "--once", "--admin", "127.0.0.1:1");
	CHECK_EQ(r.status, 1);
	CHECK_STR(r.out, "");
	CHECK_STR(r.err, "weir top: 127.0.0.1:1: Connection refused\n");

	struct admin a = {0};
	char want[256];
	REQUIRE(admin_start(&a, html));
	r = WEIR("top", "--once", "--admin", a.address);
	admin_stop(&a);
	snprintf(want, sizeof(want),
		"weir top: %s: line 1 of /metrics: not in the Prometheus text format\n", a.address);
	CHECK_EQ(r.status, 1);
	CHECK_STR(r.err, want);

	a = (struct admin){.head = "HTTP/1.1 404 Not Found\r\nContent-Length: "};
	REQUIRE(admin_start(&a, html));
	r = WEIR("top", "--once", "--admin", a.address);
	admin_stop(&a);
	snprintf(want, sizeof(want), "weir top: %s: HTTP status 404 for /metrics\n", a.address);
	CHECK_STR(r.err, want);
}

TEST(top_says_that_a_weir_is_too_old_for_a_view)
{
	static const char *const html[] = {"<html>\n", NULL};
	struct admin a = {.head = "HTTP/1.1 404 Not Found\r\nContent-Length: "};
	char want[256];
	REQUIRE(admin_start(&a, html));
	struct result r = WEIR("top", "streams", "--json", "--admin", a.address);
	admin_stop(&a);
	snprintf(want, sizeof(want),
		"weir top: %s has no /streams: that Weir is older than this weir top; the view "
		"\"routes\" works with it\n",
		a.address);
	CHECK_EQ(r.status, 1);
	CHECK_STR(r.err, want);
}

TEST(top_takes_no_more_than_its_limit_of_an_answer)
{
	size_t len = (8u << 20) + 1;
	char *large = malloc(len + 1), want[256];
	REQUIRE(large);
	memset(large, ' ', len);
	large[len] = '\0';
	const char *const page[] = {large, NULL};
	struct admin a = {0};
	REQUIRE(admin_start(&a, page));
	struct result r = WEIR("top", "streams", "--json", "--admin", a.address);
	admin_stop(&a);
	snprintf(want, sizeof(want), "weir top: %s: more than 8388608 bytes\n", a.address);
	CHECK_EQ(r.status, 1);
	CHECK_STR(r.err, want);
	free(large);
}

TEST(top_needs_a_terminal_unless_it_prints)
{
	struct result r = WEIR("top");
	CHECK_EQ(r.status, 1);
	CHECK_STR(r.out, "");
	CHECK_STR(r.err, "weir top: needs a terminal: --once prints a table, --json a document\n");
}

/* Reads from the terminal into `out` until `until` appears in it. */
static bool expect(int tty, char *out, size_t cap, const char *until)
{
	size_t len = strlen(out);
	while (!strstr(out, until) && len < cap - 1) {
		ssize_t n = read(tty, out + len, cap - 1 - len);
		if (n <= 0)
			return false;
		len += (size_t)n;
		out[len] = '\0';
	}
	return strstr(out, until) != NULL;
}

/* `weir top` on a terminal of its own, of 80x24. */
static pid_t top_on_terminal(int *tty, const char *term, const char *interval, const char *admin)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	fflush(stdout);
	pid_t pid = forkpty(tty, NULL, NULL, &size);
	if (pid == 0) {
		setenv("TERM", term, 1);
		call((const char *const[]){"top", "--interval", interval, "--admin", admin, NULL});
	}
	return pid;
}

static const char *const ONE_PAGE[] = {"grpc_streams_active{rt_route=\"chat\"} 1\n", NULL};

TEST(top_draws_on_a_terminal_until_q_and_leaves_it_as_it_was)
{
	struct admin a = {0};
	char out[65536] = "";
	int tty, status;
	struct termios before, after;
	REQUIRE(admin_start(&a, ONE_PAGE));
	pid_t pid = top_on_terminal(&tty, "xterm", "1h", a.address);
	REQUIRE(pid > 0);
	CHECK(tcgetattr(tty, &before) == 0);
	CHECK(expect(tty, out, sizeof(out), "chat "));
	CHECK(strstr(out, "\033[?1049h"));
	CHECK(expect(tty, out, sizeof(out), "q quit"));
	CHECK_EQ(write(tty, "q", 1), 1);
	CHECK(expect(tty, out, sizeof(out), "\033[?1049l"));
	CHECK(strstr(out, "\033[?25h"));
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(tcgetattr(tty, &after) == 0);
	CHECK(after.c_lflag & ICANON && after.c_lflag & ECHO);
	admin_stop(&a);
	close(tty);
}

TEST(top_stays_when_the_process_it_watches_is_gone_and_says_so)
{
	struct admin a = {0};
	char out[65536] = "";
	int tty, status;
	REQUIRE(admin_start(&a, ONE_PAGE));
	pid_t pid = top_on_terminal(&tty, "xterm", "100ms", a.address);
	REQUIRE(pid > 0);
	CHECK(expect(tty, out, sizeof(out), "Connection refused"));
	memmove(out, strstr(out, "Connection refused") + 10, 100);
	out[100] = '\0';
	CHECK(expect(tty, out, sizeof(out), "chat ")); /* the last table is still there */
	CHECK_EQ(write(tty, "q", 1), 1);
	CHECK(expect(tty, out, sizeof(out), "\033[?1049l"));
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	admin_stop(&a);
	close(tty);
}

TEST(top_ends_by_a_signal_and_leaves_the_terminal_as_it_was)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGABRT};
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		char out[65536] = "";
		int tty, status;
		struct termios after;
		pid_t pid = top_on_terminal(&tty, "xterm", "1h", "127.0.0.1:1");
		REQUIRE(pid > 0);
		CHECK(expect(tty, out, sizeof(out), "q quit"));
		CHECK(kill(pid, signals[i]) == 0);
		CHECK(expect(tty, out, sizeof(out), "\033[?1049l"));
		REQUIRE(waitpid(pid, &status, 0) == pid);
		if (signals[i] == SIGABRT)
			CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		else
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		CHECK(tcgetattr(tty, &after) == 0 && (after.c_lflag & ICANON));
		close(tty);
	}
}

TEST(top_refuses_a_dumb_terminal)
{
	char out[65536] = "";
	int tty, status;
	pid_t pid = top_on_terminal(&tty, "dumb", "1s", "127.0.0.1:1");
	REQUIRE(pid > 0);
	CHECK(expect(tty, out, sizeof(out),
		"this terminal cannot be drawn on (TERM): --once prints a table"));
	CHECK(!strstr(out, "\033"));
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 1);
	close(tty);
}

TEST(top_has_no_colours_when_no_color_asks_for_none)
{
	char out[65536] = "";
	int tty, status;
	setenv("NO_COLOR", "1", 1);
	pid_t pid = top_on_terminal(&tty, "xterm", "1h", "127.0.0.1:1");
	unsetenv("NO_COLOR");
	REQUIRE(pid > 0);
	CHECK(expect(tty, out, sizeof(out), "Connection refused"));
	CHECK(!strstr(out, "\033[0;31m"));
	CHECK_EQ(write(tty, "q", 1), 1);
	CHECK(expect(tty, out, sizeof(out), "\033[?1049l"));
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	close(tty);
}

TAP_MAIN()
