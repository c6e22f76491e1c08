/* decode.c - the types that are not about matching: numbers, names, addresses, sockets, and the
 * mappings that hold them. Match types are in decode_match.c. */
#include "config/read.h"

#include <netinet/in.h>
#include <string.h>

#include "base/assert.h"
#include "config/suggest.h"
#include "config/value.h"

static void put(const struct key *k, void *into, uint64_t v)
{
	char *at = (char *)into + k->offset;
	uint32_t v32 = (uint32_t)v;
	if (k->bytes == sizeof(v)) {
		memcpy(at, &v, sizeof(v));
		return;
	}
	ASSERT(k->bytes == sizeof(v32) && v32 == v);
	memcpy(at, &v32, sizeof(v32));
}

typedef bool number_fn(const char *text, size_t len, uint64_t *out, struct value_fault *fault);

static void number(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into, number_fn *parse)
{
	uint64_t v;
	struct value_fault fault = {.why = ""};
	if (n->kind != NODE_SCALAR || !parse(n->text, n->len, &v, &fault))
		read_unexpected(r, w, n, k, fault.why, fault.suggestion);
	else if (v < k->min || v > k->max)
		read_unexpected(r, w, n, k, v < k->min ? "too small" : "too large", NULL);
	else
		put(k, into, v);
}

void decode_whole(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	number(r, w, n, k, into, value_whole);
}

void decode_size(struct reader *r, const struct where *w, const struct node *n, const struct key *k,
	void *into)
{
	number(r, w, n, k, into, value_size);
}

void decode_duration(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	number(r, w, n, k, into, value_duration);
}

static bool alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void decode_name(struct reader *r, const struct where *w, const struct node *n, const struct key *k,
	void *into)
{
	enum { NAME_MAX_BYTES = 128 };
	bool ok = n->kind == NODE_SCALAR && n->len > 0 && n->len <= NAME_MAX_BYTES &&
		  alnum(n->text[0]);
	for (uint32_t i = 0; ok && i < n->len; i++)
		ok = alnum(n->text[i]) || strchr("-_./:", n->text[i]);
	if (!ok) {
		read_unexpected(r, w, n, k,
			n->kind == NODE_SCALAR && n->len > NAME_MAX_BYTES ? "too long" : NULL,
			NULL);
		return;
	}
	char *name = read_string(r, n->text, n->len);
	memcpy((char *)into + k->offset, &name, sizeof(name));
}

static bool address(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, struct config_address *a)
{
	struct value_fault fault = {.why = ""};
	if (n->kind != NODE_SCALAR || !value_address(n->text, n->len, &a->sa, &a->sa_len, &fault)) {
		read_unexpected(r, w, n, k, fault.why, fault.suggestion);
		a->sa_len = 0;
		return false;
	}
	a->text = read_string(r, n->text, n->len);
	return true;
}

void decode_address(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_listener *l = into;
	(void)address(r, w, n, k, &l->address);
}

void decode_admin(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config *c = into;
	if (n->kind == NODE_SCALAR && (!strcmp(n->text, "off") || !strcmp(n->text, "false")))
		return;
	c->has_admin = address(r, w, n, k, &c->admin);
}

/* The port, 0 for an address that could not be read. */
static uint16_t port_of(const struct config_address *a)
{
	if (a->sa_len == sizeof(struct sockaddr_in6))
		return ntohs(((const struct sockaddr_in6 *)&a->sa)->sin6_port);
	return a->sa_len ? ntohs(((const struct sockaddr_in *)&a->sa)->sin_port) : 0;
}

static bool is_any(const struct config_address *a)
{
	if (a->sa.ss_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
	return ((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr == 0;
}

static bool same(const struct config_address *a, const struct config_address *b)
{
	/* Unused bytes of sa are zero. */
	return a->sa_len && a->sa_len == b->sa_len && !memcmp(&a->sa, &b->sa, a->sa_len);
}

/* Whether the kernel would refuse to listen on both. */
static bool collide(const struct config_address *a, const struct config_address *b)
{
	if (port_of(a) == 0 || port_of(a) != port_of(b))
		return false;
	return same(a, b) || (a->sa.ss_family == b->sa.ss_family && (is_any(a) || is_any(b)));
}

static void item_listener(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	(void)k;
	(void)read_section(r, w, n, SECTION_LISTENER, into);
}

void decode_listeners(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config *c = into;
	const struct config_listener *l = c->listeners =
		read_list(r, w, n, k, item_listener, sizeof(*c->listeners), &c->listener_count);

	read_unique_names(r, w, n, "listener", l, c->listener_count, sizeof(*l));
	uint32_t i = 0;
	for (const struct node *v = n->first; i < c->listener_count; v = v->next, i++) {
		uint32_t j = 0;
		while (j < i && !collide(&l[i].address, &l[j].address))
			j++;
		bool admin = j == i && c->has_admin && collide(&l[i].address, &c->admin);
		if (j == i && !admin)
			continue;
		const struct node *at = node_get(v, "address");
		report_add(&r->report, at->line, at->column,
			"%s[%u].address: expected an address of its own, got \"%s\", where %s%s "
			"listens",
			w->key, i, l[i].address.text ? l[i].address.text : "",
			admin       ? "admin"
			: l[j].name ? "listener "
				    : "another listener",
			admin || !l[j].name ? "" : l[j].name);
	}
}

static bool is_loopback(const struct config_address *a)
{
	if (a->sa.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
	return ntohl(((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr) >> 24 == 127;
}

/* Whether what is sent to `endpoint` arrives at a listener of this file, as far as addresses tell.
 * No route asks for a listener, so such a call would take the same way again, until streams or
 * descriptors have run out. */
static bool comes_back(const struct config_address *listener, const struct config_address *endpoint)
{
	if (port_of(endpoint) == 0 || port_of(listener) != port_of(endpoint))
		return false;
	return same(listener, endpoint) ||
	       (listener->sa.ss_family == endpoint->sa.ss_family && is_any(listener) &&
		       (is_loopback(endpoint) || is_any(endpoint)));
}

static void check_loop(struct reader *r, const struct where *w, const struct node *v, uint32_t i,
	const struct config_address *endpoint)
{
	const struct config *config = r->config;
	for (uint32_t j = 0; j < config->listener_count; j++) {
		const struct config_listener *l = &config->listeners[j];
		if (!l->name || !comes_back(&l->address, endpoint))
			continue;
		char path[WHERE_TEXT_MAX];
		where_text(w, path);
		report_add(&r->report, v->line, v->column,
			"%s[%u]: expected the address of another program, got %s, where listener "
			"%s listens: its calls would come back without end",
			path, i, clip(v->text, v->len).text, l->name);
		return;
	}
}

static void item_endpoint(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	static const struct value_type type = {
		"address", "an address IP:PORT such as 127.0.0.1:9000", RANGE_NONE, NULL};
	const struct key one = {.name = k->name, .type = &type};
	struct config_address *a = into;
	if (address(r, w, n, &one, a) && port_of(a) == 0)
		read_unexpected(
			r, w, n, &one, "an endpoint's port is a number from 1 to 65535", NULL);
}

void decode_endpoints(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_cluster *c = into;
	const struct config_address *e = c->endpoints =
		read_list(r, w, n, k, item_endpoint, sizeof(*c->endpoints), &c->endpoint_count);

	uint32_t i = 0;
	for (const struct node *v = n->first; i < c->endpoint_count; v = v->next, i++) {
		uint32_t j = 0;
		check_loop(r, w, v, i, &e[i]);
		while (j < i && !same(&e[i], &e[j]))
			j++;
		if (j == i)
			continue;
		char path[WHERE_TEXT_MAX];
		where_text(w, path);
		report_add(&r->report, v->line, v->column,
			"%s[%u]: expected each endpoint once, got %s again", path, i,
			clip(v->text, v->len).text);
	}
}

void decode_balance(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_cluster *c = into;
	bool scalar = n->kind == NODE_SCALAR;
	if (scalar && !strcmp(n->text, "round_robin")) {
		c->balance = BALANCE_ROUND_ROBIN;
	} else if (scalar && !strcmp(n->text, "least_streams")) {
		c->balance = BALANCE_LEAST_STREAMS;
	} else {
		struct suggestion s;
		suggestion_init(&s, n->text, n->len);
		suggestion_offer(&s, "round_robin");
		suggestion_offer(&s, "least_streams");
		read_unexpected(r, w, n, k, NULL, s.best);
	}
}

void decode_congestion_control(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct value_fault fault = {.why = ""};
	if (n->kind != NODE_SCALAR || !value_congestion_control(n->text, n->len, &fault)) {
		read_unexpected(r, w, n, k, fault.why, NULL);
		return;
	}
	char *name = read_string(r, n->text, n->len);
	memcpy((char *)into + k->offset, &name, sizeof(name));
}

static void item_cluster(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	(void)k;
	(void)read_section(r, w, n, SECTION_CLUSTER, into);
}

void decode_clusters(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config *c = into;
	c->clusters = read_list(r, w, n, k, item_cluster, sizeof(*c->clusters), &c->cluster_count);
	r->clusters_known = c->cluster_count > 0;
	for (uint32_t i = 0; i < c->cluster_count; i++)
		r->clusters_known &= c->clusters[i].name != NULL;
	read_unique_names(r, w, n, "cluster", c->clusters, c->cluster_count, sizeof(*c->clusters));
}

void decode_limits(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config *c = into;
	(void)k;
	(void)read_section(r, w, n, SECTION_LIMITS, &c->limits);
}

void decode_drain(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	(void)k;
	(void)read_section(r, w, n, SECTION_DRAIN, into);
}
