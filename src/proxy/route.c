#include "proxy/route.h"
#include <string.h>
#include <strings.h>
#include "base/assert.h"
#include "call/known.h"
#include "call/match.h"

/* "example.com:8080" -> length of "example.com"; "[::1]:80" -> of "[::1]". */
static size_t host_len(const char *authority)
{
	const char *bracket = authority[0] == '[' ? strchr(authority, ']') : NULL;
	const char *colon = strchr(bracket ? bracket : authority, ':');
	return colon ? (size_t)(colon - authority) : strlen(authority);
}

static bool host_matches(const char *pattern, const char *host, size_t len)
{
	size_t pattern_len = strlen(pattern);
	if (pattern[0] == '*' && pattern[1] == '.') {
		/* At least one character stands for the star. */
		size_t suffix = pattern_len - 1;
		return len > suffix && !strncasecmp(host + len - suffix, pattern + 1, suffix);
	}
	return len == pattern_len && !strncasecmp(host, pattern, len);
}

static bool any_host_matches(
	const struct config_match *m, const struct call *c, const struct fields *head)
{
	const char *host = c->said->authority;
	size_t len = host_len(host);
	const struct field *f = len ? NULL : fields_get(head, TOKEN_HOST);
	char copy[256];
	if (f && f->value_len < sizeof(copy)) {
		memcpy(copy, f->value, f->value_len);
		copy[f->value_len] = '\0';
		host = copy;
		len = host_len(copy);
	}
	for (uint32_t i = 0; i < m->host_count; i++) {
		if (host_matches(m->hosts[i], host, len))
			return true;
	}
	return false;
}

static bool path_matches(const struct config_match *m, const char *path)
{
	size_t len = strlen(m->path);
	if (m->path_kind == MATCH_PREFIX)
		return !strncmp(path, m->path, len);
	/* An exact path is compared without the query. */
	return !strncmp(path, m->path, len) && (path[len] == '\0' || path[len] == '?');
}

bool route_matches(const struct config_match *m, const struct call *c, const struct fields *head)
{
	if (m->host_count && !any_host_matches(m, c, head))
		return false;
	if (m->service && strcmp(m->service, c->said->grpc_service) != 0)
		return false;
	if (m->method && strcmp(m->method, c->said->grpc_method) != 0)
		return false;
	if (m->path && !path_matches(m, c->said->path))
		return false;
	for (uint32_t i = 0; i < m->header_count; i++) {
		if (!match_header(&m->headers[i], head))
			return false;
	}
	return true;
}

const struct config_backend *route_backend(const struct config_route *r, uint64_t draw)
{
	for (uint32_t i = 0; i < r->backend_count; i++) {
		if (draw < r->backends[i].weight)
			return &r->backends[i];
		draw -= r->backends[i].weight;
	}
	UNREACHABLE();
}

/* A match that no field outside a known head had a part in: hosts are asked of :authority, if there
 * is one. */
static bool settled_by_known(const struct call *c, const struct config_match *m)
{
	return m->header_count == 0 && (m->host_count == 0 || host_len(c->said->authority));
}

void route_call(struct call *c, const struct fields *head)
{
	const struct config *config = c->generation->config;
	struct call_known *k = c->known;
	bool settled = k != NULL;
	if (k && k->routed) {
		c->route = k->route;
		c->cluster = k->cluster;
		return;
	}
	for (uint32_t i = 0; i < config->route_count; i++) {
		const struct config_route *r = &config->routes[i];
		settled = settled && settled_by_known(c, &r->match);
		if (!route_matches(&r->match, c, head))
			continue;
		uint64_t draw = r->backend_count > 1 ? rand_below(c->env->rand, r->weight_sum) : 0;
		c->route = r;
		c->cluster = &config->clusters[route_backend(r, draw)->cluster];
		if (settled && r->backend_count == 1) {
			k->routed = true;
			k->route = c->route;
			k->cluster = c->cluster;
		}
		return;
	}
}
