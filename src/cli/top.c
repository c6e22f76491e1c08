/* top - a live table of routes, methods and rates, from the admin address's metrics page. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/top_page.h"
#include "cli/top_view.h"
#include "cli/verb.h"
#include "client/http_get.h"
#include "config/value.h"

enum { ADMIN, INTERVAL, ONCE, JSON };
#define PAGE_MAX_BYTES   (64u << 20)
#define GET_TIMEOUT_NS   (2 * NS_PER_SEC)
#define INTERVAL_MIN_NS  (100 * NS_PER_MS)
#define INTERVAL_MAX_NS  (3600 * NS_PER_SEC)
#define NOTICE_MAX_BYTES 256

struct top {
	const char *admin;
	struct sockaddr_storage sa;
	socklen_t sa_len;
	uint64_t interval_ns;
	bool once, json;
	bool screen; /* stdout is a terminal and we draw on it */
	bool keys;   /* stdin is a terminal: 'q' is a key */
	struct termios saved;
	struct top_page pages[2]; /* the last good one and the one before */
	unsigned current;
	uint64_t taken_ns; /* when the current one was taken; 0: none yet */
	struct buf body, out;
	char notice[NOTICE_MAX_BYTES]; /* why there is no newer page; "" */
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static bool usable(struct top *t, const struct verb *v, const struct verb_args *args)
{
	struct value_fault fault;
	t->admin = args->value[ADMIN];
	t->once = args->value[ONCE];
	t->json = args->value[JSON];
	if (!value_address(t->admin, strlen(t->admin), &t->sa, &t->sa_len, &fault)) {
		verb_usage_error(v,
			"--admin: expected an address IP:PORT such as 127.0.0.1:9901, got "
			"\"%s\"%s%s%s%s%s%s",
			t->admin, *fault.why ? " (" : "", fault.why, *fault.why ? ")" : "",
			*fault.suggestion ? "; did you mean \"" : "", fault.suggestion,
			*fault.suggestion ? "\"?" : "");
		return false;
	}
	const char *interval = args->value[INTERVAL];
	if (!value_duration(interval, strlen(interval), &t->interval_ns, &fault) ||
		t->interval_ns < INTERVAL_MIN_NS || t->interval_ns > INTERVAL_MAX_NS) {
		verb_usage_error(v,
			"--interval: expected a duration such as 1s, from 100ms to 1h, got \"%s\"",
			interval);
		return false;
	}
	return true;
}

/* Gets a page and makes it the current one; false: `notice` says why there is none. */
static bool sample(struct top *t)
{
	const struct http_get get = {.sa = &t->sa,
		.sa_len = t->sa_len,
		.authority = t->admin,
		.path = "/metrics",
		.accept = "text/plain",
		.timeout_ns = GET_TIMEOUT_NS,
		.body_max_bytes = PAGE_MAX_BYTES};
	char why[HTTP_GET_WHY_MAX];
	unsigned status, next = !t->current;
	int err = http_get(&get, &status, &t->body, why);
	uint64_t now_ns = clock_mono_ns();

	if (!err && status != 200)
		snprintf(why, sizeof(why), "HTTP status %u for /metrics", status);
	if (err || status != 200) {
		snprintf(t->notice, sizeof(t->notice), "%s: %s", t->admin, why);
		return false;
	}
	top_page_fini(&t->pages[next]);
	top_page_init(&t->pages[next]);
	err = top_page_parse(&t->pages[next], t->body.bytes, t->body.len);
	if (err) {
		snprintf(t->notice, sizeof(t->notice), "%s: line %u of /metrics: %s", t->admin,
			t->pages[next].line,
			err == ERR_NOMEM ? "out of memory" : "not in the Prometheus text format");
		return false;
	}
	if (t->taken_ns)
		top_page_rates(&t->pages[next], &t->pages[t->current],
			(double)(now_ns - t->taken_ns) / (double)NS_PER_SEC);
	t->current = next;
	t->taken_ns = now_ns;
	t->notice[0] = '\0';
	return true;
}

/* The table on the screen: each line is followed by "erase to its end", the last by "erase below".
 */
static void draw(const struct buf *table)
{
	fputs("\033[H", stdout);
	for (size_t i = 0; i < table->len; i++) {
		if (table->bytes[i] != '\n')
			putchar(table->bytes[i]);
		else
			fputs(i + 1 < table->len ? "\033[K\r\n" : "\033[K", stdout);
	}
	fputs("\033[J", stdout);
}

static bool show(struct top *t)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	if (t->screen &&
		(ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col))
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	struct top_view view = {.admin = t->admin,
		.notice = t->notice[0] ? t->notice : NULL,
		.columns = size.ws_col,
		.lines = t->screen ? size.ws_row : 0,
		.now_s = (double)clock_wall_ns() / (double)NS_PER_SEC,
		.keys = t->keys};
	buf_clear(&t->out);
	if (t->json)
		top_view_json(&t->out, &t->pages[t->current], &view);
	else
		top_view_table(&t->out, &t->pages[t->current], &view);
	if (t->out.failed)
		return false;
	if (t->screen)
		draw(&t->out);
	else
		fwrite(t->out.bytes, 1, t->out.len, stdout);
	if (!t->screen && !t->json && !t->once)
		putchar('\n');
	return fflush(stdout) == 0;
}

/* Waits for the next turn; false when the user wants to go. */
static bool wait_turn(struct top *t, uint64_t until_ns)
{
	for (;;) {
		uint64_t now = clock_mono_ns();
		if (stopped)
			return false;
		if (now >= until_ns)
			return true;
		struct pollfd p = {.fd = t->keys ? STDIN_FILENO : -1, .events = POLLIN};
		int n = poll(&p, 1, (int)((until_ns - now) / NS_PER_MS) + 1);
		char key;
		if (n <= 0 || !p.revents)
			continue;
		ssize_t got = read(STDIN_FILENO, &key, 1);
		if (got == 1 && (key == 'q' || key == 'Q'))
			return false;
		if (got == 0 || (got < 0 && errno != EINTR))
			t->keys = false; /* the terminal is gone: no more keys */
	}
}

static void terminal_open(struct top *t)
{
	struct sigaction act = {.sa_handler = on_signal};
	stopped = 0;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	t->screen = !t->json && !t->once && isatty(STDOUT_FILENO);
	t->keys = t->screen && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &t->saved) == 0;
	if (t->keys) {
		struct termios raw = t->saved;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		t->keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
	}
	if (t->screen)
		fputs("\033[?1049h\033[?25l", stdout); /* a screen of our own, without cursor */
}

static void terminal_close(struct top *t)
{
	if (t->screen) {
		fputs("\033[?25h\033[?1049l", stdout);
		fflush(stdout);
	}
	if (t->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &t->saved);
}

/* The rates of --once need two pages. */
static bool first_page(struct top *t)
{
	uint64_t next_ns = clock_mono_ns() + t->interval_ns;
	if (!sample(t))
		return false;
	return !t->once || (wait_turn(t, next_ns) && sample(t));
}

static int watch(struct top *t)
{
	uint64_t next_ns = clock_mono_ns();
	bool shown;
	do {
		shown = show(t);
		next_ns += t->interval_ns;
		if (!shown || t->once || !wait_turn(t, next_ns))
			break;
		/* On a screen the last page stays, with a line that says why there is no newer one.
		 */
		if (!sample(t) && !t->screen)
			return CLI_FAILED;
	} while (!stopped);
	return shown ? CLI_OK : CLI_FAILED;
}

static int top(const struct verb *v, const struct verb_args *args)
{
	struct top t = {0};
	int status = CLI_FAILED;
	if (!usable(&t, v, args))
		return CLI_USAGE;
	buf_init(&t.body);
	buf_init(&t.out);
	top_page_init(&t.pages[0]);
	top_page_init(&t.pages[1]);
	bool ready = first_page(&t);
	if (ready) {
		terminal_open(&t);
		status = watch(&t);
		terminal_close(&t);
	}
	if (status != CLI_OK && t.notice[0])
		fprintf(stderr, "weir top: %s\n", t.notice);
	top_page_fini(&t.pages[0]);
	top_page_fini(&t.pages[1]);
	buf_fini(&t.body);
	buf_fini(&t.out);
	return status;
}

const struct verb verb_top = {
	.name = "top",
	.summary = "watch routes, streams and message rates",
	.text = "Reads the metrics page of a running weir at each interval. SENT is from client to "
		"server.\n"
		"In a terminal it draws over the screen, and q quits; else it prints one table "
		"after the\n"
		"other. --json prints one object a line.\n",
	.options = {{"admin", "ADDR", "127.0.0.1:9901", "the admin address, IP:PORT"},
		{"interval", "TIME", "1s", "between two pages, 100ms to 1h"},
		{"once", NULL, NULL, "two pages, one table, and the end"},
		{"json", NULL, NULL, "for programs"}},
	.main = top,
};
