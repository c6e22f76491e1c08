#include "admin/events.h"
#include <stdio.h>
#include <string.h>
#include "admin/pieces.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "http/code.h"
#include "http/query.h"

#define TICK_NS (EVENTS_TICK_MS * NS_PER_MS)

/* What every client gets, and then the streams that it asked for. */
static const char *const common[] = {"routes", "/routes", "connections", "/connections", "clusters",
	"/clusters", "stalled", "/streams?sort=stalled&limit=20"};
#define COMMON (sizeof common / sizeof *common / 2)

struct client {
	struct call *call;
	struct list node;
	struct pieces content;        /* the event on its way */
	uint64_t moved_ns, pushed_ns; /* bytes left; an event was pushed */
	uint64_t interval_ns, due_ns;
	uint64_t number; /* of its last event */
	bool in_round;
	char streams[QUERY_BYTES_MAX + 64]; /* path of its streams */
};

/* A question of the round under way. */
struct part {
	char path[QUERY_BYTES_MAX + 64];
	struct buf json; /* empty: not answered */
};

static const struct admin_hooks *hooks;
static struct list clients;
static uint32_t client_count;
static struct timer timer;
static struct {
	uint32_t missing; /* answers; 0 = no round */
	uint32_t count;
	struct part parts[COMMON + EVENTS_CLIENTS_MAX];
} round_now;

static struct series *counters(const struct client *cl)
{
	return metrics_plain(cl->call->env->metrics, GROUP_PROCESS);
}

/* ---- one client ---- */

static void forget(struct client *cl)
{
	struct call *c = cl->call;
	list_remove(&cl->node);
	series_set(counters(cl), M_EVENT_STREAMS, --client_count);
	if (client_count == 0)
		wheel_cancel(hooks->wheel, &timer);
	slice_drop(&cl->content.rest);
	c->terminus_state = NULL;
	mem_free(cl);
	call_terminus_done(c);
}

/* Only when nothing is on its way. False: no memory; when true, the client may be gone. */
static bool push_text(struct client *cl, const struct buf *text)
{
	ASSERT(!cl->content.rest.len);
	if (text->failed || text->len > UINT32_MAX)
		return false;
	cl->content.rest = slice_copy(text->bytes, (uint32_t)text->len);
	if (!cl->content.rest.slab)
		return false;
	if (!cl->content.uncredited)
		cl->moved_ns = cl->call->env->now_ns;
	cl->pushed_ns = cl->call->env->now_ns;
	(void)!pieces_push(&cl->content, cl->call, false);
	return true;
}

static bool is_busy(const struct client *cl)
{
	return cl->content.rest.len || cl->content.uncredited;
}

/* ---- a snapshot ---- */

static void write_health(struct buf *out, const struct call *c)
{
	struct jsonw j;
	const char *why = NULL, *why_dead = NULL;
	bool ready = hooks->ready(hooks->arg, &why);
	bool live = hooks->live(hooks->arg, &why_dead);
	struct config *config = hooks->config(hooks->arg);
	jsonw_begin(&j, out);
	jsonw_object(&j, NULL);
	jsonw_str(&j, "version", WEIR_VERSION);
	jsonw_bool(&j, "ready", ready);
	jsonw_bool(&j, "live", live);
	jsonw_bool(&j, "draining", !ready && why && !strcmp(why, "draining"));
	jsonw_str(&j, "why", !live ? why_dead : !ready ? why : NULL);
	jsonw_u64(&j, "uptime_ms", (c->env->now_ns - hooks->started_ns) / NS_PER_MS);
	jsonw_u64(&j, "generation", config->generation);
	jsonw_end(&j);
	config_unref(config);
}

static const struct part *find_part(const char *path)
{
	for (uint32_t i = 0; i < round_now.count; i++)
		if (!strcmp(round_now.parts[i].path, path))
			return &round_now.parts[i];
	return NULL;
}

/* JSON may have line ends between its tokens, an event's data may not. */
static void write_part(struct buf *out, const char *name, const char *path)
{
	const struct part *p = find_part(path);
	buf_fmt(out, ",\"%s\":", name);
	if (!p || !p->json.len || p->json.failed) {
		buf_str(out, "null"); /* it did not come */
		return;
	}
	for (size_t at = 0; at < p->json.len;) {
		size_t n = strcspn(p->json.bytes + at, "\r\n");
		buf_add(out, p->json.bytes + at, n);
		at += n + 1;
	}
}

static void send_snapshot(struct client *cl)
{
	struct series *process = counters(cl);
	struct buf text;
	buf_init(&text);
	if (cl->number == 0)
		buf_fmt(&text, "retry: %u\n\n", EVENTS_RETRY_MS);
	buf_fmt(&text, "id: %llu\nevent: snapshot\ndata: {\"health\":",
		(unsigned long long)cl->number + 1);
	write_health(&text, cl->call);
	for (size_t i = 0; i < COMMON; i++)
		write_part(&text, common[2 * i], common[2 * i + 1]);
	write_part(&text, "streams", cl->streams);
	buf_str(&text, "}\n\n");
	cl->number++;
	if (push_text(cl, &text)) {
		series_add(process, M_EVENT_SNAPSHOTS, 1);
	} else {
		cl->number--;
		series_add(process, M_EVENT_SNAPSHOTS_SKIPPED, 1);
	}
	buf_fini(&text);
}

/* ---- a round of questions ---- */

static void end_round(void)
{
	LIST_FOR_EACH_SAFE (n, &clients) {
		struct client *cl = CONTAINER_OF(n, struct client, node);
		if (cl->in_round) {
			cl->in_round = false;
			send_snapshot(cl);
		}
	}
	for (uint32_t i = 0; i < round_now.count; i++)
		buf_fini(&round_now.parts[i].json);
	round_now.count = 0;
}

static void part_done(void *ctx, struct buf *json)
{
	struct part *p = ctx;
	if (json) {
		p->json = *json;
		buf_init(json);
	}
	if (--round_now.missing == 0)
		end_round();
}

static void ask(const char *path)
{
	if (find_part(path))
		return;
	ASSERT(round_now.count < COMMON + EVENTS_CLIENTS_MAX);
	struct part *p = &round_now.parts[round_now.count++];
	const struct introspect *i = introspect_find(hooks->views, path);
	struct query q;
	struct buf why;
	buf_init(&p->json);
	buf_init(&why);
	snprintf(p->path, sizeof p->path, "%s", path);
	if (i && query_parse(&q, i->page->keys, path, &why) == 0) {
		round_now.missing++;
		i->page->ask(i->arg, &q, part_done, p);
	}
	buf_fini(&why);
}

static void begin_round(void)
{
	round_now.missing = 1; /* this function's own share, until all is asked */
	for (size_t i = 0; i < COMMON; i++)
		ask(common[2 * i + 1]);
	LIST_FOR_EACH (n, &clients) {
		const struct client *cl = CONTAINER_OF(n, struct client, node);
		if (cl->in_round)
			ask(cl->streams);
	}
	if (--round_now.missing == 0)
		end_round();
}

/* ---- time ---- */

/* All clients of an interval are due together. */
static uint64_t next_multiple(uint64_t now_ns, uint64_t of_ns)
{
	return (now_ns / of_ns + 1) * of_ns;
}

/* True when it takes part in a round now. */
static bool is_its_turn(struct client *cl, uint64_t now_ns)
{
	if (now_ns < cl->due_ns || (round_now.missing && !is_busy(cl)))
		return false;
	cl->due_ns = next_multiple(now_ns, cl->interval_ns);
	if (!is_busy(cl))
		return true;
	series_add(counters(cl), M_EVENT_SNAPSHOTS_SKIPPED, 1);
	return false;
}

static void look_after(struct client *cl, uint64_t now_ns)
{
	static const char comment[] = ": nothing new\n\n";
	struct buf text;
	if (is_busy(cl) &&
		now_ns - cl->moved_ns > cl->call->generation->config->limits.admin_idle_ns) {
		call_reset(cl->call, CALL_BY_SELF, REASON_CLIENT_GONE, H2_CANCEL);
		return;
	}
	if (is_busy(cl) || now_ns - cl->pushed_ns < EVENTS_QUIET_NS)
		return;
	buf_init(&text);
	buf_add(&text, comment, sizeof comment - 1);
	push_text(cl, &text); /* or at the next tick */
	buf_fini(&text);
}

static void on_tick(struct timer *t, uint64_t now_ns)
{
	bool any = false;
	LIST_FOR_EACH_SAFE (n, &clients) {
		struct client *cl = CONTAINER_OF(n, struct client, node);
		if (is_its_turn(cl, now_ns))
			any = cl->in_round = true;
		else
			look_after(cl, now_ns);
	}
	if (any)
		begin_round();
	if (!list_empty(&clients))
		wheel_arm(hooks->wheel, t, next_multiple(now_ns, TICK_NS));
}

/* ---- the terminus ---- */

static int stream_open(struct call *c)
{
	return 0;
}

static void stream_push(struct call *c, struct event *ev)
{
	if (ev->kind == EVENT_DATA && ev->data.len)
		call_credit_request(c, ev->data.len);
	event_drop(ev);
}

static void stream_credit(struct call *c, uint32_t bytes)
{
	struct client *cl = c->terminus_state;
	if (!cl)
		return;
	cl->moved_ns = c->env->now_ns;
	pieces_credit(&cl->content, bytes);
	(void)!pieces_push(&cl->content, c, false);
}

static void stream_abort(struct call *c)
{
	if (c->terminus_state)
		forget(c->terminus_state);
	else
		call_terminus_done(c);
}

static const struct call_terminus event_stream = {
	.name = "events",
	.open = stream_open,
	.push = stream_push,
	.credit = stream_credit,
	.abort = stream_abort,
};

/* ---- what a client asks for ---- */

enum { KEY_INTERVAL, KEY_LIMIT };
static const struct query_key own_keys[] = {
	{"interval", QUERY_NUMBER, NULL, EVENTS_TICK_MS, EVENTS_INTERVAL_MAX_MS, 1000},
	{"limit", QUERY_NUMBER, NULL, 1, EVENTS_ROWS_MAX, 100},
	{NULL, QUERY_TEXT, NULL, 0, 0, 0},
};

static bool is_own(const char *pair)
{
	return !strncmp(pair, "interval=", 9) || !strncmp(pair, "limit=", 6);
}

/* Pairs of the query that are ours, or those that are not, behind `start`. */
static void pick(struct buf *out, const char *start, const char *path, bool own)
{
	char between = strchr(start, '?') ? '&' : '?';
	const char *pair = strchr(path, '?');
	buf_str(out, start);
	while (pair) {
		pair++;
		size_t len = strcspn(pair, "&");
		if (is_own(pair) == own) {
			buf_char(out, between);
			buf_add(out, pair, len);
			between = '&';
		}
		pair = pair[len] ? pair + len : NULL;
	}
}

static int read_query(struct client *cl, const char *path, struct buf *why)
{
	struct query q;
	struct buf ours, theirs;
	const struct introspect *streams = introspect_find(hooks->views, "/streams");
	int err = ERR_INVALID;
	char start[32];
	buf_init(&ours);
	buf_init(&theirs);
	pick(&ours, "/events", path, true);
	if (ours.failed || query_parse(&q, own_keys, ours.bytes, why) != 0)
		goto out;
	cl->interval_ns = query_number(&q, KEY_INTERVAL) * NS_PER_MS;
	snprintf(start, sizeof start, "/streams?limit=%u", query_number(&q, KEY_LIMIT));
	pick(&theirs, start, path, false);
	if (theirs.failed || theirs.len >= sizeof cl->streams || !streams ||
		query_parse(&q, streams->page->keys, theirs.bytes, why) != 0)
		goto out;
	memcpy(cl->streams, theirs.bytes, theirs.len + 1);
	err = 0;
out:
	buf_fini(&ours);
	buf_fini(&theirs);
	return err;
}

static int refuse(struct client *cl, struct fields *head, int status)
{
	fields_destroy(head);
	mem_free(cl);
	return status;
}

int events_open(struct call *c, struct fields *head, struct buf *why)
{
	struct client *cl = mem_zalloc(sizeof *cl);
	struct event ev = {.kind = EVENT_HEAD, .end = c->is_head, .fields = head};
	struct series *process = metrics_plain(c->env->metrics, GROUP_PROCESS);
	if (!cl || !head) {
		buf_str(why, "no memory for an event stream");
		return refuse(cl, head, 503);
	}
	if (read_query(cl, c->said->path, why) != 0)
		return refuse(cl, head, 400);
	if (client_count >= c->generation->config->limits.admin_event_streams) {
		series_add(process, M_EVENT_STREAMS_REFUSED, 1);
		buf_str(why, "limits.admin_event_streams are open");
		return refuse(cl, head, 503);
	}
	cl->call = c;
	cl->due_ns = c->env->now_ns;
	list_init(&cl->node);
	list_push_back(&clients, &cl->node);
	series_set(process, M_EVENT_STREAMS, ++client_count);
	c->terminus = &event_stream;
	c->terminus_state = cl;
	call_push_response(c, &ev);
	if (c->terminus_state != cl)
		return 0;
	if (c->is_head) {
		forget(cl);
		return 0;
	}
	wheel_arm(hooks->wheel, &timer, c->env->now_ns);
	return 0;
}

void events_end(const char *reason)
{
	LIST_FOR_EACH_SAFE (n, &clients) {
		struct client *cl = CONTAINER_OF(n, struct client, node);
		struct call *c = cl->call;
		struct event last = {.kind = EVENT_DATA, .end = true};
		struct buf text;
		buf_init(&text);
		buf_fmt(&text, "id: %llu\nevent: end\ndata: {\"reason\":\"%s\"}\n\n",
			(unsigned long long)cl->number + 1, reason);
		/* Behind half an event it would be taken for a part of that. */
		if (!cl->content.rest.len && !text.failed)
			last.data = slice_copy(text.bytes, (uint32_t)text.len);
		buf_fini(&text);
		call_push_response(c, &last);
		if (c->terminus_state == cl)
			forget(cl);
	}
}

uint32_t events_clients(void)
{
	return client_count;
}

void events_init(const struct admin_hooks *h)
{
	hooks = h;
	list_init(&clients);
	client_count = 0;
	round_now.missing = 0;
	round_now.count = 0;
	timer_init(&timer, on_tick);
}
