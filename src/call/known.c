#include "call/known.h"
#include <string.h>
#include <strings.h>
#include "base/assert.h"
#include "base/mem.h"
#include "grpc/status.h"
#include "http/run.h"

_Static_assert((KNOWN_MAX & (KNOWN_MAX - 1)) == 0, "a mask finds the place");

void known_unref(struct call_known *k)
{
	if (!k || --k->refs > 0)
		return;
	run_unref(k->run);
	mem_free(k);
}

void known_fini(struct call_generation *g)
{
	for (unsigned i = 0; i < KNOWN_MAX; i++) {
		known_unref(g->known[i]);
		g->known[i] = NULL;
	}
}

static char *put(char **at, const char *text, size_t len)
{
	char *to = *at;
	memcpy(to, text, len);
	to[len] = '\0';
	*at += len + 1;
	return to;
}

/* Everything that a call asks of its head is in the run: pseudo-headers come first, so that with a
 * regular field all are, and of content-types the first counts. */
static bool has_everything(const struct fields_run *run)
{
	return run_get(run, TOKEN_METHOD) && run_get(run, TOKEN_PATH) &&
	       run_get(run, TOKEN_CONTENT_TYPE);
}

static struct call_known *create(struct fields_run *run)
{
	const struct field *path = run_get(run, TOKEN_PATH),
			   *authority = run_get(run, TOKEN_AUTHORITY);
	const struct field *type = run_get(run, TOKEN_CONTENT_TYPE);
	const char *service = "", *method = "";
	size_t service_len = 0, method_len = 0;
	bool usable = has_everything(run);
	if (usable && grpc_path_split(path->value, path->value_len, &service, &service_len, &method,
			      &method_len) != 0)
		service_len = method_len = 0;
	struct call_known *k = mem_zalloc(sizeof(*k) + service_len + method_len + 2);
	if (!k)
		return NULL;
	k->run = run_ref(run);
	k->refs = 1;
	k->usable = usable;
	if (!usable)
		return k;
	char *at = k->texts;
	k->said.grpc_service = put(&at, service, service_len);
	k->said.grpc_method = put(&at, method, method_len);
	k->said.method = run_get(run, TOKEN_METHOD)->value;
	k->said.path = path->value;
	k->said.authority = authority ? authority->value : "";
	k->is_head = !strcmp(k->said.method, "HEAD");
	k->is_connect = !strcmp(k->said.method, "CONNECT");
	k->is_grpc = known_is_grpc(type);
	return k;
}

bool known_is_grpc(const struct field *type)
{
	return type && type->value_len >= 16 && !strncasecmp(type->value, "application/grpc", 16) &&
	       (type->value_len == 16 || type->value[16] == '+' || type->value[16] == ';');
}

/* Connect's unary requests say it outside of what a known head surely has. */
enum grpc_wire known_wire(const struct call *c, const struct fields *head)
{
	struct call_known *k = c->known;
	if (c->is_grpc)
		return GRPC_WIRE_GRPC;
	if (k && k->wire)
		return (enum grpc_wire)k->wire;
	enum grpc_wire wire = grpc_wire_of_request(head);
	if (k && wire != GRPC_WIRE_CONNECT_UNARY)
		k->wire = (uint8_t)wire;
	return wire;
}

struct call_known *known_find(struct call_generation *g, const struct fields *head)
{
	struct fields_run *run = fields_run(head);
	if (!run)
		return NULL;
	struct call_known **home = &g->known[run->hash & (KNOWN_MAX - 1)];
	if (UNLIKELY(!*home || (*home)->run != run)) {
		struct call_known *k = create(run);
		if (!k)
			return NULL;
		known_unref(*home);
		*home = k;
	}
	if (!(*home)->usable)
		return NULL;
	(*home)->refs++;
	return *home;
}
