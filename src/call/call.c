#include "call/call.h"
#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "base/mem.h"
#include "call/known.h"
#include "call/labels.h"
#include "call/stall.h"
#include "call/timing.h"
#include "grpc/status.h"
#include "http/code.h"
#include "http/run.h"

/* A call and the arena for its strings and filter states are one block. */
#define CALL_BLOCK_BYTES (sizeof(struct call) + CALL_FIRST_BYTES)
#define CALL_FIRST_BYTES 168u /* a known head, the count filter and an attempt need no more */
#define CALL_ARENA_CHUNK 512u
#define CALL_CACHE_MAX   256u

struct reason_row {
	const char *label;
	enum grpc_status grpc;
	unsigned http;
};

static const struct reason_row reasons[REASON_COUNT] = {
#define REASON(id, label, grpc, http) {label, (enum grpc_status)grpc, http},
#include "call/reason.def"
#undef REASON
};

const char *call_reason_label(enum call_reason_id id)
{
	ASSERT(id < REASON_COUNT);
	return reasons[id].label;
}

void call_env_init(struct call_env *env)
{
	memset(env, 0, sizeof(*env));
	list_init(&env->reap);
	list_init(&env->withheld);
	buf_init(&env->line);
}

void call_env_fini(struct call_env *env)
{
	ASSERT(env->calls == 0);
	free_list_purge(&env->blocks);
	buf_fini(&env->line);
}

void call_env_cool(struct call_env *env)
{
	free_list_cool(&env->blocks);
}

static struct call *block_take(struct call_env *env)
{
	return free_list_take(&env->blocks, CALL_BLOCK_BYTES);
}

static void block_give(struct call_env *env, struct call *c)
{
	free_list_give(&env->blocks, c, CALL_CACHE_MAX);
}

/* A NUL-terminated copy of a field's value; "" when absent; NULL when out of memory. */
static const char *keep_value(struct call *c, const struct field *f)
{
	if (!f)
		return "";
	return arena_dup(&c->arena, f->value, f->value_len);
}

static int keep_method(struct call *c, struct call_said *said, const struct field *path)
{
	const char *service, *method;
	size_t service_len, method_len;
	said->grpc_service = said->grpc_method = "";
	if (!path || grpc_path_split(path->value, path->value_len, &service, &service_len, &method,
			     &method_len) != 0)
		return 0;
	said->grpc_service = arena_dup(&c->arena, service, service_len);
	said->grpc_method = arena_dup(&c->arena, method, method_len);
	return said->grpc_service && said->grpc_method ? 0 : ERR_NOMEM;
}

static int keep_request(struct call *c, const struct fields *head)
{
	c->known = known_find(c->generation, head);
	if (c->known) {
		c->said = &c->known->said;
		c->is_head = c->known->is_head;
		c->is_connect = c->known->is_connect;
		c->is_grpc = c->known->is_grpc;
		return 0;
	}
	const struct field *path = fields_get(head, TOKEN_PATH);
	struct call_said *said = arena_alloc(&c->arena, sizeof(*said));
	if (!said)
		return ERR_NOMEM;
	c->said = said;
	said->method = keep_value(c, fields_get(head, TOKEN_METHOD));
	said->path = keep_value(c, path);
	said->authority = keep_value(c, fields_get(head, TOKEN_AUTHORITY));
	if (!said->method || !said->path || !said->authority)
		return ERR_NOMEM;
	c->is_head = !strcmp(said->method, "HEAD");
	c->is_connect = !strcmp(said->method, "CONNECT");
	c->is_grpc = known_is_grpc(fields_get(head, TOKEN_CONTENT_TYPE));
	return keep_method(c, said, path);
}

struct call *call_create(struct call_env *env, struct call_generation *generation,
	const struct config_listener *listener, const struct call_front *front, void *front_state,
	const struct fields *head)
{
	struct call *c = block_take(env);
	if (!c)
		return NULL;
	memset(c, 0, CALL_BLOCK_BYTES); /* what call_zalloc gives, too */
	uint8_t *rest = (uint8_t *)(c + 1);
	arena_init(&c->arena, rest, CALL_BLOCK_BYTES - sizeof(*c), CALL_ARENA_CHUNK);
	c->env = env;
	c->generation = generation;
	c->listener = listener;
	c->front = front;
	c->front_state = front_state;
	c->grpc_status = -1;
	c->peer = c->endpoint = "";
	c->begun_ns = env->now_ns;
	list_init(&c->node);
	list_init(&c->withheld);
	if (keep_request(c, head) != 0) {
		arena_fini(&c->arena);
		block_give(env, c);
		return NULL;
	}
	env->head = head;
	c->id = ++env->started;
	env->calls++;
	generation->calls++;
	if (generation->gauge)
		series_add(generation->gauge, M_GENERATION_STREAMS, 1);
	return c;
}

void *call_zalloc(struct call *c, size_t bytes)
{
	void *p = arena_alloc(&c->arena, bytes);
	if (p && UNLIKELY(c->arena.chunks)) /* it may be of a later one than the call's own block */
		memset(p, 0, bytes);
	return p;
}

static void release(struct call *c)
{
	struct call_env *env = c->env;
	list_remove(&c->withheld);
	if (c->generation->gauge)
		series_sub(c->generation->gauge, M_GENERATION_STREAMS, 1);
	c->generation->calls--;
	env->calls--;
	env->completed++;
	known_unref(c->known);
	arena_fini(&c->arena);
	block_give(env, c);
}

void call_discard(struct call *c)
{
	c->env->head = NULL;
	list_remove(&c->node);
	release(c);
}

static void close_filters(struct call *c)
{
	while (c->stage_count > 0) {
		const struct call_stage *s = &c->stages[--c->stage_count];
		if (s->filter->close)
			s->filter->close(c, s->state);
	}
}

static int open_filter(struct call *c, const struct call_filter *f)
{
	void *state = NULL;
	if (f->state_bytes) {
		state = call_zalloc(c, f->state_bytes);
		if (!state)
			return ERR_NOMEM;
	}
	if (f->open && f->open(c, state) != 0)
		return ERR_NOMEM;
	c->stages[c->stage_count++] = (struct call_stage){f, state};
	return 0;
}

static int open_filters(struct call *c)
{
	const struct call_filter *const *f = c->env->filters;
	unsigned wanted = 0, n = 0; /* a bit for each */
	for (unsigned i = 0; f && f[i]; i++) {
		if (f[i]->wants && !f[i]->wants(c))
			continue;
		ASSERT(n < CALL_FILTERS_MAX && i < 32);
		wanted |= 1u << i;
		n++;
	}
	c->stages = arena_alloc(&c->arena, n * sizeof(*c->stages));
	if (!c->stages)
		return ERR_NOMEM;
	for (; wanted; wanted &= wanted - 1) {
		if (open_filter(c, f[__builtin_ctz(wanted)]) != 0)
			return ERR_NOMEM;
	}
	return 0;
}

static int open_stages(struct call *c)
{
	if (!c->unfiltered)
		c->labels = call_labels(c);
	int err = c->unfiltered ? 0 : open_filters(c);
	c->env->head = NULL;
	return err;
}

int call_open(struct call *c, const struct call_terminus *terminus)
{
	c->terminus = terminus;
	c->terminus_done = true; /* until it is open there is nothing that it must let go */
	if (open_stages(c) != 0) {
		close_filters(c);
		return ERR_NOMEM;
	}
	if (c->abort.who != CALL_BY_NOBODY)
		return 0; /* a filter has answered already */
	c->terminus_done = false;
	if (terminus->open(c) != 0) {
		c->terminus_done = true;
		close_filters(c);
		return ERR_NOMEM;
	}
	return 0;
}

/* On the way of each message, so it is inlined for index 0. */
static inline void run_request(struct call *c, unsigned index, struct event *ev)
{
	for (unsigned i = index, n = c->stage_count; i < n; i++) {
		const struct call_stage *s = &c->stages[i];
		if (s->filter->request && !s->filter->request(c, s->state, ev))
			return;
	}
	if (UNLIKELY(c->abort.who != CALL_BY_NOBODY))
		event_drop(ev);
	else
		c->terminus->push(c, ev);
}

void call_resume_request(struct call *c, unsigned index, struct event *ev)
{
	run_request(c, index, ev);
}

void call_push_request(struct call *c, struct event *ev)
{
	if (UNLIKELY(c->abort.who != CALL_BY_NOBODY || c->request_ended)) {
		event_drop(ev);
		return;
	}
	c->request_ended = ev->end;
	run_request(c, 0, ev);
}

static unsigned parse_status(const struct fields *f)
{
	const struct fields_run *run = fields_run(f);
	if (run && run->status)
		return run->status; /* its judge has read it */
	const struct field *status = fields_get(f, TOKEN_STATUS);
	unsigned v = 0;
	for (uint32_t i = 0; status && i < status->value_len && i < 3; i++)
		v = v * 10 + (unsigned)(status->value[i] - '0');
	return v;
}

/* What the client is told, for counting and logs. */
static void note_answer(struct call *c, const struct event *ev)
{
	if (ev->kind == EVENT_HEAD) {
		c->response_started = true;
		c->http_status = (uint16_t)parse_status(ev->fields);
	}
	if (ev->kind == EVENT_TRAILERS || (ev->kind == EVENT_HEAD && ev->end)) {
		const struct field *status = fields_get(ev->fields, TOKEN_GRPC_STATUS);
		if (status)
			c->grpc_status =
				(int16_t)grpc_status_parse(status->value, status->value_len);
	}
	if (ev->end)
		c->response_ended = true;
}

/* `answering`: Weir's own answer is on its way and passes although the call is aborted. */
static void run_response(struct call *c, struct event *ev, bool answering)
{
	if (ev->kind != EVENT_DATA || ev->end)
		note_answer(c, ev);
	for (unsigned i = c->stage_count; i-- > 0;) {
		const struct call_stage *s = &c->stages[i];
		if (s->filter->response && !s->filter->response(c, s->state, ev))
			return;
	}
	if (UNLIKELY(c->abort.who != CALL_BY_NOBODY && !answering))
		event_drop(ev);
	else
		c->front->push(c, ev);
}

void call_push_response(struct call *c, struct event *ev)
{
	if (UNLIKELY(c->abort.who != CALL_BY_NOBODY || c->response_ended || c->front_done)) {
		event_drop(ev);
		return;
	}
	run_response(c, ev, false);
}

static void withhold(struct call *c, enum lane_id lane, uint32_t *owed, uint32_t bytes)
{
	*owed += bytes;
	call_stall_budget(c, lane, true);
	if (list_empty(&c->withheld))
		list_push_back(&c->env->withheld, &c->withheld);
}

void call_credit_request(struct call *c, uint32_t bytes)
{
	if (c->abort.who != CALL_BY_NOBODY)
		return;
	timing_admitted(c, LANE_REQUEST, bytes); /* of what its writer left behind, too */
	if (c->front_done)
		return;
	if (UNLIKELY(c->env->credit_stopped))
		withhold(c, LANE_REQUEST, &c->owed_request, bytes);
	else
		c->front->credit(c, bytes);
}

void call_credit_response(struct call *c, uint32_t bytes)
{
	if (c->abort.who != CALL_BY_NOBODY)
		return;
	timing_admitted(c, LANE_RESPONSE, bytes);
	if (c->terminus_done)
		return;
	if (UNLIKELY(c->env->credit_stopped))
		withhold(c, LANE_RESPONSE, &c->owed_response, bytes);
	else
		c->terminus->credit(c, bytes);
}

void call_credit_stop(struct call_env *env)
{
	env->credit_stopped = true;
}

void call_credit_resume(struct call_env *env)
{
	env->credit_stopped = false;
	for (struct list *n; (n = list_pop_front(&env->withheld));) {
		struct call *c = CONTAINER_OF(n, struct call, withheld);
		uint32_t request = c->owed_request, response = c->owed_response;
		c->owed_request = c->owed_response = 0;
		call_stall_budget(c, LANE_REQUEST, false);
		call_stall_budget(c, LANE_RESPONSE, false);
		if (request)
			call_credit_request(c, request);
		if (response)
			call_credit_response(c, response);
	}
}

static bool latch(struct call *c, enum call_who who, enum call_reason_id reason, uint32_t code,
	const char *text)
{
	if (c->abort.who != CALL_BY_NOBODY)
		return false;
	c->abort = (struct call_abort){who, reason, code, text};
	return true;
}

static void abort_terminus(struct call *c)
{
	if (!c->terminus_done)
		c->terminus->abort(c);
}

/* grpc-status and a percent-encoded grpc-message. */
static int add_grpc_status(struct fields *f, const struct reason_row *row, const char *text)
{
	char number[12], message[512];
	int n = snprintf(number, sizeof(number), "%d", (int)row->grpc);
	size_t m = grpc_message_encode(text, strlen(text), message, sizeof(message));
	int err = fields_add_token(f, TOKEN_GRPC_STATUS, number, (size_t)n);
	return err ? err : fields_add_token(f, TOKEN_GRPC_MESSAGE, message, m);
}

static struct fields *grpc_answer_head(const struct reason_row *row, const char *text)
{
	struct fields *f = fields_create();
	if (f && (fields_add_str(f, TOKEN_STATUS, "200") ||
			 fields_add_str(f, TOKEN_CONTENT_TYPE, "application/grpc") ||
			 add_grpc_status(f, row, text))) {
		fields_destroy(f);
		return NULL;
	}
	return f;
}

static struct fields *http_answer_head(const struct reason_row *row, size_t content_bytes)
{
	char status[12], length[24];
	snprintf(status, sizeof(status), "%u", row->http);
	snprintf(length, sizeof(length), "%zu", content_bytes);
	struct fields *f = fields_create();
	if (f && (fields_add_str(f, TOKEN_STATUS, status) ||
			 fields_add_str(f, TOKEN_CONTENT_TYPE, "text/plain; charset=utf-8") ||
			 fields_add_str(f, TOKEN_CONTENT_LENGTH, length))) {
		fields_destroy(f);
		return NULL;
	}
	return f;
}

/* A whole answer in place of the one that never came. False: out of memory. */
static bool answer_whole(struct call *c, const struct reason_row *row, const char *text)
{
	struct event head = {.kind = EVENT_HEAD, .end = true};
	if (c->is_grpc) {
		head.fields = grpc_answer_head(row, text);
		if (head.fields)
			run_response(c, &head, true);
		return head.fields || c->response_started;
	}
	size_t len = strlen(text);
	char *line = arena_alloc(&c->arena, len + 1);
	if (!line)
		return false;
	memcpy(line, text, len);
	line[len] = '\n';
	struct event body = {.kind = EVENT_DATA, .end = true};
	if (!c->is_head) {
		body.data = slice_copy(line, (uint32_t)len + 1);
		if (!body.data.slab)
			return false;
	}
	head.end = c->is_head;
	head.fields = http_answer_head(row, len + 1);
	if (!head.fields) {
		event_drop(&body);
		return false;
	}
	run_response(c, &head, true);
	if (!c->is_head)
		run_response(c, &body, true);
	return true;
}

/* Trailers behind what was already sent; queued DATA gives way. False: not possible. */
static bool answer_trailers(struct call *c, const struct reason_row *row, const char *text)
{
	if (!c->is_grpc || !c->front->drop_queued)
		return false;
	struct event ev = {.kind = EVENT_TRAILERS, .end = true, .fields = fields_create()};
	if (!ev.fields || add_grpc_status(ev.fields, row, text)) {
		fields_destroy(ev.fields);
		return false;
	}
	c->front->drop_queued(c);
	run_response(c, &ev, true);
	return true;
}

void call_fail(struct call *c, enum call_reason_id reason, const char *text)
{
	char *kept = arena_dup(&c->arena, text, strlen(text));
	if (!latch(c, CALL_BY_SELF, reason, H2_CANCEL, kept ? kept : call_reason_label(reason)))
		return;
	const char *labels[] = {c->listener ? c->listener->name : "", call_reason_label(reason)};
	series_add(metrics_series(c->env->metrics, GROUP_LOCAL_REPLY, labels), M_LOCAL_REPLIES, 1);
	abort_terminus(c);
	if (c->front_done)
		return;
	const struct reason_row *row = &reasons[reason];
	bool told = c->response_ended;
	if (!c->response_started)
		told = answer_whole(c, row, c->abort.text);
	else if (!c->response_ended)
		told = answer_trailers(c, row, c->abort.text);
	/* RFC 9113 8.1: after a complete answer NO_ERROR asks the client to stop sending. */
	c->abort.h2_code = told ? H2_NO_ERROR : H2_INTERNAL_ERROR;
	if ((!told || !c->request_ended) && !c->front_done)
		c->front->abort(c);
}

void call_reset(struct call *c, enum call_who who, enum call_reason_id reason, uint32_t h2_code)
{
	if (!latch(c, who, reason, h2_code, call_reason_label(reason)))
		return;
	abort_terminus(c);
	if (who != CALL_BY_CLIENT && !c->front_done)
		c->front->abort(c);
}

void call_unanswer(struct call *c, bool head)
{
	c->response_ended = false;
	c->grpc_status = -1;
	if (!head)
		return;
	c->response_started = false;
	c->http_status = 0;
}

static void maybe_reap(struct call *c)
{
	if (!c->front_done || !c->terminus_done)
		return;
	list_remove(&c->node);
	list_push_back(&c->env->reap, &c->node);
}

void call_front_done(struct call *c)
{
	ASSERT(!c->front_done);
	c->front_done = true;
	maybe_reap(c);
}

void call_terminus_done(struct call *c)
{
	ASSERT(!c->terminus_done);
	c->terminus_done = true;
	maybe_reap(c);
}

void call_tick(struct call *c)
{
	for (unsigned i = 0; i < c->stage_count; i++) {
		const struct call_stage *s = &c->stages[i];
		if (s->filter->tick)
			s->filter->tick(c, s->state);
	}
}

unsigned call_reap(struct call_env *env)
{
	unsigned n = 0;
	for (struct list *node; (node = list_pop_front(&env->reap)); n++) {
		struct call *c = CONTAINER_OF(node, struct call, node);
		close_filters(c);
		call_unwatch(c);
		release(c);
	}
	return n;
}
