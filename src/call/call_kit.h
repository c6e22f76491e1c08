/* call_kit.h - a call between a front and a terminus that write down what they are told, in a world
 * of one worker and one configuration: for the tests of this room. */
#ifndef WEIR_CALL_CALL_KIT_H
#define WEIR_CALL_CALL_KIT_H
#include "base/mem.h"
#include "call/call.h"
#include "call/labels.h"
#include "tap.h"

/* A front and a terminus that write down what they are told. */
struct record {
	char text[512];
	uint32_t credit;
	int aborts, drops;
};

static struct record front_log, terminus_log;
static bool terminus_lingers; /* call_terminus_done comes later */

static inline void note(struct record *r, const char *what)
{
	strncat(r->text, what, sizeof(r->text) - strlen(r->text) - 1);
}

static inline void note_event(struct record *r, const struct event *ev)
{
	static const char *const names[] = {"INFO", "HEAD", "DATA", "TRAILERS", "RESET"};
	note(r, names[ev->kind]);
	if (ev->kind == EVENT_DATA) {
		char data[64];
		snprintf(
			data, sizeof(data), "(%.*s)", (int)ev->data.len, (const char *)ev->data.at);
		note(r, data);
	}
	for (uint32_t i = 0; ev->fields && i < ev->fields->count; i++) {
		const struct field *f = &fields_list(ev->fields)[i];
		char pair[160];
		snprintf(pair, sizeof(pair), "[%.*s=%.*s]", (int)f->name_len, f->name,
			(int)f->value_len, f->value);
		note(r, pair);
	}
	note(r, ev->end ? ". " : " ");
}

static inline void front_push(struct call *c, struct event *ev)
{
	note_event(&front_log, ev);
	event_drop(ev);
}
static inline void front_credit(struct call *c, uint32_t bytes)
{
	front_log.credit += bytes;
}
static inline void front_drop(struct call *c)
{
	front_log.drops++;
}
static inline void front_abort(struct call *c)
{
	front_log.aborts++;
	call_front_done(c);
}
static const struct call_front front = {front_push, front_credit, front_drop, front_abort};

static inline int terminus_open(struct call *c)
{
	return 0;
}
static inline void terminus_push(struct call *c, struct event *ev)
{
	note_event(&terminus_log, ev);
	event_drop(ev);
}
static inline void terminus_credit(struct call *c, uint32_t bytes)
{
	terminus_log.credit += bytes;
}
static inline void terminus_abort(struct call *c)
{
	terminus_log.aborts++;
	if (!terminus_lingers)
		call_terminus_done(c);
}
static const struct call_terminus terminus = {
	"test", terminus_open, terminus_push, terminus_credit, terminus_abort};

/* A filter that marks what passes, and one that fails the call on DATA "bad". */
static inline bool mark_request(struct call *c, void *state, struct event *ev)
{
	note(&terminus_log, "1");
	return true;
}
static inline bool mark_response(struct call *c, void *state, struct event *ev)
{
	note(&front_log, "1");
	return true;
}
static int closes;
static inline void mark_close(struct call *c, void *state)
{
	closes++;
}
static inline bool judge_request(struct call *c, void *state, struct event *ev)
{
	note(&terminus_log, "2");
	if (ev->kind == EVENT_DATA && ev->data.len == 3 && !memcmp(ev->data.at, "bad", 3))
		call_fail(c, REASON_MESSAGE_BYTES,
			"100% too b\xc3\xa4"
			"d");
	return true;
}
static inline bool judge_response(struct call *c, void *state, struct event *ev)
{
	note(&front_log, "2");
	return true;
}
static const struct call_filter mark = {
	"mark", 8, NULL, NULL, mark_request, mark_response, mark_close};
static const struct call_filter judge = {
	"judge", 0, NULL, NULL, judge_request, judge_response, mark_close};
static const struct call_filter *const chain[] = {&mark, &judge, NULL};

static struct call_env env;
static struct call_generation generation;
static struct config config;
static struct config_listener listener = {.name = (char *)"in"};
static struct metrics *metrics;

static inline void begin(void)
{
	memset(&front_log, 0, sizeof(front_log));
	memset(&terminus_log, 0, sizeof(terminus_log));
	terminus_lingers = false;
	closes = 0;
	call_env_init(&env);
	metrics = metrics_create(100);
	env.metrics = metrics_slab_create(metrics);
	env.filters = chain;
	generation = (struct call_generation){.config = &config};
}

static inline void finish(void)
{
	call_reap(&env);
	CHECK_EQ(env.calls, 0);
	CHECK_EQ(env.started, env.completed);
	CHECK_EQ(generation.calls, 0);
	labels_fini(&generation);
	call_env_fini(&env);
	metrics_destroy(metrics);
	fields_cache_purge();
}

static inline struct fields *request(const char *method, const char *path, const char *type)
{
	struct fields *f = fields_create();
	CHECK(f && !fields_add_str(f, TOKEN_METHOD, method) &&
		!fields_add_str(f, TOKEN_PATH, path) &&
		!fields_add_str(f, TOKEN_AUTHORITY, "h:1") &&
		(!type || !fields_add_str(f, TOKEN_CONTENT_TYPE, type)));
	return f;
}

static inline struct call *open_call(const char *method, const char *path, const char *type)
{
	struct fields *head = request(method, path, type);
	struct call *c = call_create(&env, &generation, &listener, &front, NULL, head);
	CHECK(c && call_open(c, &terminus) == 0);
	CHECK(!c->env->head);
	fields_destroy(head);
	return c;
}

static inline struct call *grpc_call(void)
{
	return open_call("POST", "/a.B/C", "application/grpc+proto");
}

static inline void data(struct call *c, enum lane_id lane, const char *text, bool end)
{
	struct event ev = {
		.kind = EVENT_DATA, .end = end, .data = slice_static(text, (uint32_t)strlen(text))};
	(lane == LANE_REQUEST ? call_push_request : call_push_response)(c, &ev);
}

static inline void response_head(struct call *c, const char *status, bool end)
{
	struct event ev = {.kind = EVENT_HEAD, .end = end, .fields = fields_create()};
	CHECK(!fields_add_str(ev.fields, TOKEN_STATUS, status));
	call_push_response(c, &ev);
}
#endif
