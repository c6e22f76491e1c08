#include "filter/body_status.h"
#include <strings.h>
#include "call/known.h"
#include "grpc/last.h"
#include "grpc/status.h"

struct body_status {
	uint8_t wire; /* enum grpc_wire of the request */
	bool looks;   /* `last` is at work */
	struct grpc_last last;
};

static bool wants(const struct call *c)
{
	enum grpc_wire wire = known_wire(c, c->env->head);
	return wire != GRPC_WIRE_GRPC && wire != GRPC_WIRE_NONE;
}

static int on_open(struct call *c, void *state)
{
	struct body_status *s = state;
	s->wire = (uint8_t)known_wire(c, c->env->head);
	return 0;
}

/* Errors of unary Connect calls are texts of JSON under another status than 200. */
static bool has_error_text(const struct body_status *s, const struct fields *head)
{
	static const char json[] = "application/json";
	const struct field *type = fields_get(head, TOKEN_CONTENT_TYPE);
	return s->wire == GRPC_WIRE_CONNECT_UNARY &&
	       !field_is(fields_get(head, TOKEN_STATUS), "200") && type &&
	       type->value_len >= sizeof(json) - 1 &&
	       !strncasecmp(type->value, json, sizeof(json) - 1);
}

static void on_head(struct call *c, struct body_status *s, const struct fields *head)
{
	enum grpc_wire wire = grpc_wire_of_response((enum grpc_wire)s->wire, head);
	const struct field *status = fields_get(head, TOKEN_GRPC_STATUS);
	if (has_error_text(s, head))
		wire = GRPC_WIRE_CONNECT_UNARY;
	else if (wire == GRPC_WIRE_CONNECT_UNARY)
		wire = GRPC_WIRE_NONE; /* the answer itself */
	s->looks = wire != GRPC_WIRE_NONE && wire != GRPC_WIRE_GRPC;
	if (s->looks)
		grpc_last_init(&s->last, wire, grpc_body_is_compressed(head));
	/* gRPC-Web without a message may say it in the head, and end with an empty DATA. */
	if (s->looks && status && c->grpc_status < 0)
		c->grpc_status = (int16_t)grpc_status_parse(status->value, status->value_len);
}

/* As Connect's clients do it where there is no code. */
static enum grpc_status of_http(unsigned http)
{
	return http >= 200 && http < 400 ? GRPC_OK : grpc_status_of_http(http);
}

static void adopt_status(struct call *c, const struct body_status *s)
{
	int status = grpc_last_status(&s->last);
	if (status >= 0)
		c->grpc_status = (int16_t)status;
}

static void on_end(struct call *c, struct body_status *s)
{
	if (s->looks) {
		grpc_last_finish(&s->last);
		adopt_status(c, s);
	}
	if (c->grpc_status >= 0 || c->abort.who == CALL_BY_SELF)
		return;
	if (s->wire == GRPC_WIRE_CONNECT_UNARY)
		c->grpc_status = (int16_t)of_http(c->http_status);
	else if (s->looks && c->http_status == 200)
		c->status_missing = grpc_last_status(&s->last) == GRPC_LAST_ABSENT;
}

static bool on_response(struct call *c, void *state, struct event *ev)
{
	struct body_status *s = state;
	if (ev->kind == EVENT_HEAD)
		on_head(c, s, ev->fields);
	if (ev->kind == EVENT_DATA && s->looks && ev->data.len) {
		grpc_last_take(&s->last, ev->data.at, ev->data.len);
		adopt_status(c, s);
	}
	if (ev->end)
		on_end(c, s);
	return true;
}

static void on_close(struct call *c, void *state)
{
	struct body_status *s = state;
	if (s->looks)
		grpc_last_fini(&s->last);
}

const struct call_filter filter_body_status = {
	.name = "body_status",
	.state_bytes = sizeof(struct body_status),
	.wants = wants,
	.open = on_open,
	.response = on_response,
	.close = on_close,
};
