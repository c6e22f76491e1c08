/* top - live tables of routes, streams, connections and clusters, from the admin address. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/screen.h"
#include "cli/top_look.h"
#include "cli/top_frame.h"
#include "cli/verb.h"
#include "client/http_get.h"
#include "config/suggest.h"
#include "config/value.h"

enum { ADMIN, INTERVAL, ONCE, JSON };
#define GET_TIMEOUT_NS      (2 * NS_PER_SEC)
#define INTERVAL_DEFAULT_NS NS_PER_SEC
#define NOTICE_MAX_BYTES    256
#define COLUMNS_MAX         1000

struct top {
	const char *admin;
	struct sockaddr_storage sa;
	socklen_t sa_len;
	uint64_t interval_ns;
	bool once, json, has_interval;
	struct top_ui ui;
	struct screen screen;
	struct top_look looks[2]; /* the last good one, and a place for the next */
	unsigned current;
	uint64_t tried_ns; /* when a page was last asked for */
	bool tried;
	struct buf body, out;
	char notice[NOTICE_MAX_BYTES]; /* why there is no newer page; "" */
};

/* ---- the command line ---- */

static int view_of(const struct verb *v, const char *word)
{
	struct suggestion s;
	if (!word)
		return TOP_ROUTES;
	suggestion_init(&s, word, strlen(word));
	for (unsigned i = 0; i < TOP_VIEWS; i++) {
		if (!strcmp(word, top_views[i].name))
			return (int)i;
		suggestion_offer(&s, top_views[i].name);
	}
	verb_usage_error(v,
		"expected one of routes, streams, connections, clusters, got \"%s\"%s%s%s", word,
		s.best ? "; did you mean \"" : "", s.best ? s.best : "", s.best ? "\"?" : "");
	return -1;
}

static bool usable(struct top *t, const struct verb *v, const struct verb_args *args)
{
	struct value_fault fault;
	int view = view_of(v, args->word);
	t->admin = args->value[ADMIN];
	t->once = args->value[ONCE];
	t->json = args->value[JSON];
	if (view < 0)
		return false;
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
	t->interval_ns = INTERVAL_DEFAULT_NS;
	t->has_interval = interval != NULL;
	if (interval && (!value_duration(interval, strlen(interval), &t->interval_ns, &fault) ||
				t->interval_ns < TOP_INTERVAL_MIN_NS ||
				t->interval_ns > TOP_INTERVAL_MAX_NS)) {
		verb_usage_error(v,
			"--interval: expected a duration such as 1s, from 100ms to 1h, got \"%s\"",
			interval);
		return false;
	}
	top_ui_init(&t->ui, t->admin, (unsigned)view, t->interval_ns);
	return true;
}

/* ---- a look ---- */

enum sampled { SAMPLED, NO_PAGE, INTERRUPTED };

static void say_status(struct top *t, const struct top_view *view, unsigned status)
{
	const char *text = status == 400 && t->body.len ? t->body.bytes : "";
	if (status == 404 && view->json)
		snprintf(t->notice, sizeof(t->notice),
			"%s has no %s: that Weir is older than this weir top; the view \"routes\" "
			"works with it",
			t->admin, view->path);
	else
		snprintf(t->notice, sizeof(t->notice), "%s: HTTP status %u for %s%s%.*s", t->admin,
			status, view->path, *text ? ": " : "", (int)strcspn(text, "\r\n"), text);
}

/* Gets the page and makes it the current look. */
static enum sampled sample_path(struct top *t, const char *path)
{
	const struct top_view *view = &top_views[t->ui.view];
	struct top_look *next = &t->looks[!t->current];
	const struct http_get get = {.sa = &t->sa,
		.sa_len = t->sa_len,
		.authority = t->admin,
		.path = path,
		.accept = view->json ? "application/json" : "text/plain",
		.timeout_ns = GET_TIMEOUT_NS,
		.body_max_bytes = view->json ? TOP_JSON_MAX_BYTES : TOP_METRICS_MAX_BYTES,
		.wake_fd = t->screen.open ? t->screen.wait : 0};
	char why[HTTP_GET_WHY_MAX], what[TOP_WHY_MAX];
	unsigned status;
	int err = http_get(&get, &status, &t->body, why);

	if (err == ERR_AGAIN && !*why)
		return INTERRUPTED;
	t->tried_ns = clock_mono_ns();
	t->tried = true;
	if (err) {
		snprintf(t->notice, sizeof(t->notice), "%s: %s", t->admin, why);
		return NO_PAGE;
	}
	if (status != 200) {
		say_status(t, view, status);
		return NO_PAGE;
	}
	if (!top_look_read(next, view, path, t->body.bytes, t->body.len, t->tried_ns, what)) {
		snprintf(t->notice, sizeof(t->notice), "%s: %s", t->admin, what);
		return NO_PAGE;
	}
	top_look_rates(next, &t->looks[t->current]);
	t->current = !t->current;
	t->notice[0] = '\0';
	return SAMPLED;
}

static enum sampled sample(struct top *t)
{
	struct buf path, rest;
	enum sampled got = NO_PAGE;
	buf_init(&path);
	buf_init(&rest);
	top_ui_query(&t->ui, &path, &rest);
	if (path.failed || rest.failed)
		snprintf(t->notice, sizeof(t->notice), "out of memory");
	else
		got = sample_path(t, path.bytes);
	buf_fini(&path);
	buf_fini(&rest);
	if (got != INTERRUPTED)
		t->ui.fetch = false;
	return got;
}

static double now_s(void)
{
	return (double)clock_wall_ns() / (double)NS_PER_SEC;
}

/* ---- once, as text or JSON ---- */

/* The window's; COLUMNS where there is none. */
static unsigned print_columns(void)
{
	const char *given = getenv("COLUMNS");
	unsigned columns, lines;
	unsigned long n = given ? strtoul(given, NULL, 10) : 0;
	screen_size(&columns, &lines);
	if (!isatty(STDOUT_FILENO) && n >= TOP_COLUMNS_MIN)
		columns = n > COLUMNS_MAX ? COLUMNS_MAX : (unsigned)n;
	return columns < TOP_COLUMNS_MIN ? TOP_COLUMNS_MIN : columns;
}

static void print_table(struct top *t)
{
	struct top_look *l = &t->looks[t->current];
	struct table_layout layout;
	unsigned columns = print_columns();
	struct buf text;
	buf_init(&text);
	top_look_head(&text, l, t->admin, now_s());
	buf_char(&text, '\n');
	table_arrange(&l->table, &l->view->sorts[0], false, "");
	table_layout(&layout, &l->table, columns);
	table_title(&text, &l->table, &layout);
	buf_char(&text, '\n');
	for (uint32_t i = 0; i < l->table.shown_count; i++) {
		table_line(&text, &l->table, &layout, l->table.shown[i]);
		buf_char(&text, '\n');
	}
	if (!l->table.shown_count)
		buf_str(&text, "nothing yet\n");
	for (size_t at = 0; at < text.len;) {
		const char *end = memchr(text.bytes + at, '\n', text.len - at);
		size_t len = end ? (size_t)(end - text.bytes) - at : text.len - at;
		text_line(&t->out, text.bytes + at, len, columns, TEXT_NO_STYLES);
		buf_char(&t->out, '\n');
		at += len + 1;
	}
	t->out.failed |= text.failed;
	buf_fini(&text);
}

/* Rates need two looks. */
static bool two_looks(struct top *t)
{
	if (sample(t) != SAMPLED)
		return false;
	if (t->json && !t->has_interval)
		return true;
	poll(NULL, 0, (int)(t->interval_ns / NS_PER_MS));
	return sample(t) == SAMPLED;
}

static int print(struct top *t)
{
	if (!two_looks(t))
		return CLI_FAILED;
	if (t->json)
		top_look_json(&t->out, &t->looks[t->current], t->admin, now_s());
	else
		print_table(t);
	if (t->out.failed) {
		snprintf(t->notice, sizeof(t->notice), "out of memory");
		return CLI_FAILED;
	}
	return fwrite(t->out.bytes, 1, t->out.len, stdout) == t->out.len ? CLI_OK : CLI_FAILED;
}

/* ---- live ---- */

static bool draw(struct top *t)
{
	unsigned columns, lines;
	screen_size(&columns, &lines);
	buf_clear(&t->out);
	top_frame(&t->out, &t->ui, &t->looks[t->current], t->notice, columns, lines, now_s());
	if (t->out.failed || screen_draw(&t->screen, t->out.bytes, t->out.len)) {
		snprintf(t->notice, sizeof(t->notice), "the terminal cannot be drawn on");
		return false;
	}
	return true;
}

/* How long until the next page; -1: nobody wants one. */
static int until_next_ms(const struct top *t)
{
	uint64_t now = clock_mono_ns(), next = t->tried_ns + t->ui.interval_ns;
	if (t->ui.fetch || !t->tried)
		return 0;
	if (t->ui.paused)
		return -1;
	return now >= next ? 0 : (int)((next - now) / NS_PER_MS) + 1;
}

/* Keys first, then the frame that shows what they did, then a page: which a key interrupts. */
static int watch(struct top *t)
{
	char why[SCREEN_WHY_MAX];
	bool redraw = true, gone = false;
	if (screen_open(&t->screen, why)) {
		snprintf(t->notice, sizeof(t->notice), "%s", why);
		return CLI_FAILED;
	}
	while (!t->ui.quit && !gone) {
		unsigned columns, lines;
		int key = screen_key(&t->screen, redraw ? 0 : until_next_ms(t));
		if (key == KEY_STOP)
			break;
		screen_size(&columns, &lines);
		if (key != KEY_NONE && key != KEY_RESIZE)
			top_ui_key(&t->ui, &t->looks[t->current], key, lines);
		if (key != KEY_NONE) {
			redraw = true;
		} else if (redraw) {
			gone = !draw(t);
			redraw = false;
		} else if (until_next_ms(t) == 0) {
			redraw = sample(t) != INTERRUPTED;
		}
	}
	screen_close(&t->screen);
	return gone ? CLI_FAILED : CLI_OK;
}

static int top(const struct verb *v, const struct verb_args *args)
{
	struct top t = {0};
	if (!usable(&t, v, args))
		return CLI_USAGE;
	json_set_alloc_funcs(mem_alloc, mem_free);
	text_init("");
	buf_init(&t.body);
	buf_init(&t.out);
	top_look_init(&t.looks[0]);
	top_look_init(&t.looks[1]);
	int status = t.once || t.json ? print(&t) : watch(&t);
	if (status != CLI_OK && t.notice[0])
		fprintf(stderr, "weir top: %s\n", t.notice);
	top_look_fini(&t.looks[0]);
	top_look_fini(&t.looks[1]);
	buf_fini(&t.body);
	buf_fini(&t.out);
	return status;
}

const struct verb verb_top = {
	.name = "top",
	.summary = "watch routes, streams and message rates",
	.text = "Live tables of a running weir, from its admin address: routes (unless told "
		"otherwise),\n"
		"streams, connections, clusters. The last line of the screen has the keys, ? tells "
		"of\n"
		"all. SENT is from client to server. --once prints one table after two looks, "
		"--json\n"
		"one document: of one look, or of two that are --interval apart, with rates.\n",
	.word = "VIEW",
	.options = {{"admin", "ADDR", "127.0.0.1:9901", "the admin address, IP:PORT"},
		{"interval", "TIME", "", "between two looks, 100ms to 1h (default 1s)"},
		{"once", NULL, NULL, "one table, and the end"},
		{"json", NULL, NULL, "one document, and the end"}},
	.main = top,
};
