/* admin_kit.h - a world in which the pages are asked for, over a front that writes down what it is
 * told. */
#ifndef WEIR_ADMIN_ADMIN_KIT_H
#define WEIR_ADMIN_ADMIN_KIT_H
#include "admin/admin.h"
#include "admin/admin_env.h"

static struct call *call;

static struct {
	struct buf head, body;
	bool ended, hold; /* hold: credit only when the test gives it */
	uint32_t owed, credited;
	unsigned pieces, aborts;
} got;

static struct {
	bool ready, live, defer, drained;
	unsigned refreshes;
	void (*done)(void *ctx);
	void *ctx;
} world;

static inline void refresh(void *arg, void (*done)(void *ctx), void *ctx)
{
	world.refreshes++;
	world.done = done;
	world.ctx = ctx;
	if (!world.defer)
		done(ctx);
}
static inline struct config *current(void *arg)
{
	return config_ref(config);
}
static inline bool ready(void *arg, const char **why)
{
	*why = "draining";
	return world.ready;
}
static inline bool live(void *arg, const char **why)
{
	*why = "worker 1 is stuck";
	return world.live;
}
static inline void drain(void *arg)
{
	world.drained = true;
}
static struct admin_hooks hooks = {NULL, refresh, NULL, current, ready, live, drain};

static inline void front_push(struct call *c, struct event *ev)
{
	const struct field *list = ev->fields ? fields_list(ev->fields) : NULL;
	for (uint32_t i = 0; list && i < ev->fields->count; i++)
		buf_fmt(&got.head, "%.*s: %.*s\n", (int)list[i].name_len, list[i].name,
			(int)list[i].value_len, list[i].value);
	buf_add(&got.body, ev->data.at, ev->data.len);
	got.pieces += ev->kind == EVENT_DATA;
	got.owed += ev->data.len;
	CHECK(!got.ended);
	got.ended = ev->end;
	event_drop(ev);
}
static inline void front_credit(struct call *c, uint32_t bytes)
{
	got.credited += bytes;
}
static inline void front_abort(struct call *c)
{
	got.aborts++;
	call_front_done(c);
}
static const struct call_front front = {front_push, front_credit, front_drops_nothing, front_abort};

static inline void begin(void)
{
	memset(&got, 0, sizeof got);
	memset(&world, 0, sizeof world);
	buf_init(&got.head);
	buf_init(&got.body);
	world.ready = world.live = true;
	env_begin("{}");
	env.wall_ns = 784111777000000000u; /* the date of RFC 9110's examples */
	hooks.metrics = metrics;
	config->generation = 7;
	admin_init(&hooks);
}

static inline void end(void)
{
	CHECK_EQ(call_reap(&env), call ? 1 : 0);
	call = NULL;
	env_end();
	buf_fini(&got.head);
	buf_fini(&got.body);
}

static inline void ask(const char *method, const char *path, const char *name, const char *value)
{
	struct event ev = {.kind = EVENT_HEAD, .end = true, .fields = fields_create()};
	CHECK(!fields_add_str(ev.fields, TOKEN_METHOD, method));
	CHECK(!fields_add_str(ev.fields, TOKEN_AUTHORITY, "127.0.0.1:9901"));
	CHECK(!fields_add_str(ev.fields, TOKEN_PATH, path));
	if (name)
		CHECK(!fields_add(ev.fields, name, strlen(name), value, strlen(value)));
	call = call_create(&env, &generation, &listener, &front, NULL, ev.fields);
	call->unfiltered = true;
	CHECK_EQ(call_open(call, &admin_terminus), 0);
	call_push_request(call, &ev);
}

/* What a front does when both ends of the stream are through. */
static inline void settle(void)
{
	while (got.owed && !got.hold) {
		uint32_t n = got.owed;
		got.owed = 0;
		call_credit_response(call, n);
	}
	if (!call->front_done)
		call_front_done(call);
}

static inline bool has(const struct buf *b, const char *text)
{
	bool found = b->len && strstr(b->bytes, text);
	if (!found)
		printf("# \"%s\" is not in:\n# %s\n", text, b->len ? b->bytes : "");
	return found;
}

static inline void check_page(const char *method, const char *path, const char *status,
	const char *type, const char *body)
{
	char line[128];
	begin();
	ask(method, path, NULL, NULL);
	settle();
	snprintf(line, sizeof line, ":status: %s\n", status);
	CHECK(has(&got.head, line));
	snprintf(line, sizeof line, "\ncontent-type: %s\n", type);
	CHECK(has(&got.head, line));
	if (strcmp(method, "HEAD")) {
		CHECK(has(&got.body, body));
		snprintf(line, sizeof line, "\ncontent-length: %zu\n", got.body.len);
		CHECK(has(&got.head, line));
	} else {
		CHECK_EQ(got.body.len, 0);
		CHECK(!strstr(got.head.bytes, "content-length: 0\n"));
	}
	CHECK(got.ended);
	end();
}

#define PLAIN "text/plain; charset=utf-8"
#endif
