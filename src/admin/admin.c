#include "admin/admin.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "admin/accept.h"
#include "admin/dashboard.h"
#include "admin/events.h"
#include "admin/pieces.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/query.h"

#define TEXT "text/plain; charset=utf-8"

static const struct admin_hooks *hooks;
static uint64_t held_bytes; /* of all answers: limits.admin_bytes */

/* A page on its way. */
struct answer {
	struct call *call; /* NULL: it ended while others were at work for it */
	enum metrics_format format;
	bool waiting;  /* for them */
	bool has_page; /* the client has the dashboard as it is */
	struct pieces content;
	uint32_t held; /* its bytes in held_bytes */
};

struct page {
	const char *path;
	const char *methods; /* value of Allow */
	void (*answer)(struct answer *a);
	const char *title; /* on the index page; NULL: left out */
	bool any_host;     /* also for host names that a stranger may have made up */
};

/* A header besides those that every answer has; NULL ends a list. */
struct header {
	const char *name, *value;
};
static const struct header later[] = {{"retry-after", "5"}, {NULL, NULL}};

/* ---- answers ---- */

static void drop(struct answer *a)
{
	held_bytes -= a->held;
	slice_drop(&a->content.rest);
	mem_free(a);
}

static void finish(struct answer *a)
{
	struct call *c = a->call;
	c->terminus_state = NULL;
	drop(a);
	call_terminus_done(c);
}

static void push_more(struct answer *a)
{
	if (pieces_push(&a->content, a->call, true) && !a->content.rest.len)
		finish(a);
}

/* RFC 9110 5.6.7; names by hand, whatever the locale. */
static void http_date(uint64_t wall_ns, char out[40])
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)(wall_ns / NS_PER_SEC);
	struct tm t;
	gmtime_r(&seconds, &t);
	snprintf(out, 40, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[t.tm_wday % 7],
		(unsigned)t.tm_mday % 100, months[t.tm_mon % 12],
		(unsigned)(t.tm_year + 1900) % 10000, (unsigned)t.tm_hour % 100,
		(unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100);
}

/* `len` SIZE_MAX: not known. NULL: out of memory. */
static struct fields *make_head(const struct call *c, const char *status, const char *type,
	const struct header *more, size_t len)
{
	char length[24], date[40];
	struct fields *f = fields_create();
	snprintf(length, sizeof length, "%zu", len);
	http_date(c->env->wall_ns, date);
	bool failed = !f || fields_add_str(f, TOKEN_STATUS, status) ||
		      fields_add_str(f, TOKEN_CONTENT_TYPE, type) ||
		      (len != SIZE_MAX && fields_add_str(f, TOKEN_CONTENT_LENGTH, length)) ||
		      fields_add_str(f, TOKEN_DATE, date) ||
		      fields_add_str(f, TOKEN_X_CONTENT_TYPE_OPTIONS, "nosniff");
	for (; !failed && more && more->name; more++)
		failed = fields_add(
			f, more->name, strlen(more->name), more->value, strlen(more->value));
	if (!failed && !fields_get(f, TOKEN_CACHE_CONTROL))
		failed = fields_add_str(f, TOKEN_CACHE_CONTROL, "no-store");
	if (!failed)
		return f;
	fields_destroy(f);
	return NULL;
}

static void hold(struct answer *a, const void *bytes, uint32_t len)
{
	a->content.rest = slice_copy(bytes, len);
	if (!a->content.rest.slab)
		return;
	a->held = len;
	held_bytes += len;
}

/* The whole answer; `a` is gone or on its way afterwards. */
static void answer_with(struct answer *a, const char *status, const char *type,
	const struct header *more, const void *bytes, size_t len)
{
	struct call *c = a->call;
	struct event head = {.kind = EVENT_HEAD, .end = c->is_head || !len};
	/* RFC 9110 8.6: a 304 has no length but that of the page. */
	head.fields = make_head(c, status, type, more, strcmp(status, "304") ? len : SIZE_MAX);
	if (!head.end)
		hold(a, bytes, (uint32_t)len);
	if (!head.fields || (!head.end && !a->content.rest.slab)) {
		fields_destroy(head.fields);
		call_fail(c, REASON_NO_MEMORY, "no memory for this page");
		return;
	}
	call_push_response(c, &head);
	if (c->terminus_state == a)
		push_more(a);
}

static void answer_text(
	struct answer *a, const char *status, const struct header *more, const char *text)
{
	char line[256];
	int n = snprintf(line, sizeof line, "%s\n", text);
	size_t len = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
	answer_with(a, status, TEXT, more, line, len);
}

/* Others wait until their clients have read them, and with this one there would be too much. */
static bool is_too_much(const struct answer *a, size_t len)
{
	struct config *config = hooks->config(hooks->arg);
	bool too_much = held_bytes && held_bytes + len > config->limits.admin_bytes;
	config_unref(config);
	if (too_much)
		series_add(metrics_plain(a->call->env->metrics, GROUP_PROCESS), M_ADMIN_REFUSED, 1);
	return too_much;
}

static void answer_buf(struct answer *a, const char *type, struct buf *page)
{
	if (page->failed || page->len > UINT32_MAX)
		call_fail(a->call, REASON_NO_MEMORY, "no memory for this page");
	else if (is_too_much(a, page->len))
		answer_text(a, "503", later,
			"limits.admin_bytes of other pages have not been read yet; come again");
	else
		answer_with(a, "200", type, NULL, page->bytes, page->len);
	buf_fini(page);
}

/* ---- pages ---- */

static void refreshed(void *ctx)
{
	struct answer *a = ctx;
	struct buf page;
	if (!a->call) {
		mem_free(a);
		return;
	}
	a->waiting = false;
	buf_init(&page);
	metrics_render(hooks->metrics, a->format, &page);
	answer_buf(a, metrics_content_type(a->format), &page);
}

static void answer_metrics(struct answer *a)
{
	a->waiting = true;
	hooks->refresh(hooks->arg, refreshed, a);
}

static void answer_health(struct answer *a, bool ok, const char *good, const char *why)
{
	answer_text(a, ok ? "200" : "503", NULL, ok ? good : why ? why : "not ready");
}

static void answer_live(struct answer *a)
{
	const char *why = NULL;
	bool ok = hooks->live(hooks->arg, &why);
	answer_health(a, ok, "live", why);
}

static void answer_ready(struct answer *a)
{
	const char *why = NULL;
	bool ok = hooks->ready(hooks->arg, &why);
	answer_health(a, ok, "ready", why);
}

static void answer_config(struct answer *a)
{
	struct config *config = hooks->config(hooks->arg);
	struct buf page;
	buf_init(&page);
	buf_fmt(&page, "# generation %llu, loaded from ", (unsigned long long)config->generation);
	buf_json(&page, config->file, strlen(config->file));
	buf_char(&page, '\n');
	buf_str(&page, config->text);
	config_unref(config);
	answer_buf(a, "text/yaml; charset=utf-8", &page);
}

/* The answer first: drain may close what it travels on. */
static void answer_drain(struct answer *a)
{
	answer_text(a, "202", NULL, "draining");
	hooks->drain(hooks->arg);
}

/* ---- views: pages of other rooms ---- */

static void viewed(void *ctx, struct buf *json)
{
	struct answer *a = ctx;
	if (!a->call) {
		mem_free(a);
		return;
	}
	a->waiting = false;
	if (!json) {
		answer_text(a, "503", later, "too much is being asked at once; come again");
		return;
	}
	buf_char(json, '\n');
	answer_buf(a, "application/json", json);
}

static void answer_view(struct answer *a, const struct introspect *view)
{
	struct query query;
	struct buf why;
	buf_init(&why);
	if (query_parse(&query, view->page->keys, a->call->said->path, &why) == 0) {
		a->waiting = true;
		view->page->ask(view->arg, &query, viewed, a);
	} else if (!why.failed) {
		buf_char(&why, '\n');
		answer_with(a, "400", TEXT, NULL, why.bytes, why.len);
	} else {
		call_fail(a->call, REASON_NO_MEMORY, "no memory for this page");
	}
	buf_fini(&why);
}

/* ---- for browsers ---- */

static void answer_dashboard(struct answer *a)
{
	const struct header more[] = {{"etag", dashboard_etag}, {"cache-control", "no-cache"},
		{"content-security-policy", dashboard_policy}, {"referrer-policy", "no-referrer"},
		{NULL, NULL}};
	const char *type = "text/html; charset=utf-8";
	if (a->has_page)
		answer_with(a, "304", type, more, NULL, 0);
	else
		answer_with(a, "200", type, more, dashboard_page, dashboard_page_len);
}

static void answer_events(struct answer *a)
{
	struct call *c = a->call;
	struct fields *head = make_head(c, "200", "text/event-stream", NULL, SIZE_MAX);
	struct buf why;
	buf_init(&why);
	int status = events_open(c, head, &why);
	if (status == 0)
		mem_free(a); /* the call is another's */
	else
		answer_text(a, status == 400 ? "400" : "503", status == 400 ? NULL : later,
			why.failed || !why.len ? "no memory for an event stream" : why.bytes);
	buf_fini(&why);
}

static void answer_index(struct answer *a);

#define READ "GET, HEAD"
static const struct page pages[] = {
	{"/", READ, answer_index, NULL, false},
	{"/dashboard", READ, answer_dashboard, "routes, streams and connections, live", false},
	{"/metrics", READ, answer_metrics, "counters, in Prometheus text or OpenMetrics", true},
	{"/live", READ, answer_live, "is the process alive?", true},
	{"/ready", READ, answer_ready, "does it take new work?", true},
	{"/healthz/live", READ, answer_live, NULL, true},
	{"/healthz/ready", READ, answer_ready, NULL, true},
	{"/config", READ, answer_config, "the configuration in force", false},
	{"/events", READ, answer_events, "what the dashboard shows, as server-sent events", false},
	{"/drain", "POST", answer_drain, "POST: end in order", false},
};
#define PAGES (sizeof pages / sizeof *pages)

static void list_page(struct buf *page, const char *path, const char *title)
{
	buf_fmt(page, "<li><a href=\"%s\">%s</a> - %s</li>\n", path, path, title);
}

static void answer_index(struct answer *a)
{
	struct buf page;
	buf_init(&page);
	buf_str(&page, "<!doctype html>\n<html lang=\"en\"><head><meta "
		       "charset=\"utf-8\"><title>Weir</title></head>\n"
		       "<body><h1>Weir " WEIR_VERSION "</h1>\n<ul>\n");
	for (size_t i = 0; i < PAGES; i++)
		if (pages[i].title)
			list_page(&page, pages[i].path, pages[i].title);
	for (const struct introspect *v = hooks->views; v && v->page; v++)
		list_page(&page, v->page->path, v->page->title);
	buf_str(&page, "</ul></body></html>\n");
	answer_buf(a, "text/html; charset=utf-8", &page);
}

/* ---- the terminus ---- */

static const struct page *find_page(const char *path)
{
	for (size_t i = 0; i < PAGES; i++)
		if (introspect_is_path(path, pages[i].path))
			return &pages[i];
	return NULL;
}

static bool method_is_allowed(const struct call *c, const char *methods)
{
	if (methods[0] == 'P')
		return !strcmp(c->said->method, "POST");
	return !strcmp(c->said->method, "GET") || c->is_head;
}

/* A browser says where a POST comes from; a page elsewhere has no business here. */
static bool is_foreign(const struct call *c, const struct fields *head)
{
	const struct field *origin = fields_get(head, TOKEN_ORIGIN);
	size_t len = strlen(c->said->authority);
	if (!origin || strcmp(c->said->method, "POST"))
		return false;
	return origin->value_len != len + 7 || memcmp(origin->value, "http://", 7) ||
	       memcmp(origin->value + 7, c->said->authority, len);
}

static bool ends_in(const char *s, size_t len, const char *end)
{
	size_t n = strlen(end);
	return len >= n && !strncasecmp(s + len - n, end, n);
}

/* A page of evil.example can have that name resolve to our address: for the browser we are then its
 * own origin. So only names that nobody can register count: addresses, names without a dot, and
 * those below domains which public DNS does not have (RFC 6761, RFC 6762, ICANN's .internal, the
 * names that Kubernetes gives to services). */
static bool is_strangers_name(const char *authority)
{
	static const char *const ours[] = {".localhost", ".local", ".internal", ".svc"};
	size_t len = authority[0] == '[' ? 0 : strcspn(authority, ":");
	if (len > 0 && authority[len - 1] == '.')
		len--;
	if (!memchr(authority, '.', len) || strspn(authority, "0123456789.") >= len)
		return false;
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (ends_in(authority, len, ours[i]))
			return false;
	return true;
}

static bool has_etag(const struct fields *head)
{
	const struct field *f = fields_get(head, TOKEN_IF_NONE_MATCH);
	return f && memmem(f->value, f->value_len, dashboard_etag, strlen(dashboard_etag));
}

static void begin(struct call *c, const struct fields *head)
{
	const struct page *p = find_page(c->said->path);
	const struct introspect *view = p ? NULL : introspect_find(hooks->views, c->said->path);
	const char *methods = p ? p->methods : READ;
	struct answer *a = p || view ? mem_zalloc(sizeof *a) : NULL;
	if (!a) {
		if (p || view)
			call_fail(c, REASON_NO_MEMORY, "no memory for this page");
		else
			call_fail(c, REASON_ADMIN_NOT_FOUND,
				"no such page; / lists those that there are");
		return;
	}
	a->call = c;
	a->format = accept_metrics_format(head);
	a->has_page = has_etag(head);
	c->terminus_state = a;
	const struct header allow[] = {{"allow", methods}, {NULL, NULL}};
	if (!method_is_allowed(c, methods))
		answer_text(a, "405", allow, "this page does not know that method");
	else if (is_foreign(c, head))
		answer_text(a, "403", NULL, "refused to a web page of another origin");
	else if (!(p && p->any_host) && is_strangers_name(c->said->authority))
		answer_text(a, "421", NULL,
			"refused under this host name, which a stranger's web page could have made "
			"up: ask by IP address or localhost");
	else if (p)
		p->answer(a);
	else
		answer_view(a, view);
}

static int admin_open(struct call *c)
{
	c->terminus_state = NULL;
	return 0;
}

static void admin_push(struct call *c, struct event *ev)
{
	if (ev->kind == EVENT_HEAD)
		begin(c, ev->fields);
	else if (ev->kind == EVENT_DATA && ev->data.len)
		call_credit_request(c, ev->data.len);
	event_drop(ev);
}

static void admin_credit(struct call *c, uint32_t bytes)
{
	struct answer *a = c->terminus_state;
	if (!a)
		return;
	pieces_credit(&a->content, bytes);
	if (a->content.rest.len)
		push_more(a);
}

static void admin_abort(struct call *c)
{
	struct answer *a = c->terminus_state;
	c->terminus_state = NULL;
	if (a && a->waiting) {
		a->call = NULL; /* refreshed() or viewed() frees it */
	} else if (a) {
		drop(a);
	}
	call_terminus_done(c);
}

const struct call_terminus admin_terminus = {
	.name = "admin",
	.open = admin_open,
	.push = admin_push,
	.credit = admin_credit,
	.abort = admin_abort,
};

void admin_init(const struct admin_hooks *h)
{
	hooks = h;
	events_init(h);
}

void admin_last_words(void)
{
	events_end("shutdown");
}
