/* decode_match.c - routes: what they match and where they lead. */
#include "config/read.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"

static bool alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool all_of(const char *text, size_t len, const char *besides)
{
	size_t i = 0;
	while (i < len && (alnum(text[i]) || strchr(besides, text[i])))
		i++;
	return i == len;
}

static const char WITHOUT_PORT[] = "without a port";

/* A host name that stands in a configuration: labels, or an IPv6 literal in brackets. */
static const char *host_fault(const char *host, size_t len)
{
	enum { HOST_MAX = 253 };
	if (len == 0)
		return "empty";
	if (len > HOST_MAX)
		return "too long";
	if (host[0] == '[') {
		char ip[INET6_ADDRSTRLEN];
		struct in6_addr out;
		const char *close = memchr(host, ']', len);
		if (close && close + 1 != host + len && close[1] == ':')
			return WITHOUT_PORT;
		if (!close || close + 1 != host + len || len - 2 >= sizeof(ip))
			return "not an IPv6 address in brackets";
		memcpy(ip, host + 1, len - 2);
		ip[len - 2] = '\0';
		return inet_pton(AF_INET6, ip, &out) == 1 ? NULL
							  : "not an IPv6 address in brackets";
	}
	if (memchr(host, '/', len))
		return "neither a scheme nor a path belongs to it";
	if (memchr(host, ':', len))
		return WITHOUT_PORT;
	if (!strcmp(host, "*"))
		return "any host is meant when hosts is left out";
	if (host[0] == '*' && host[1] == '.' && len > 2) {
		host += 2;
		len -= 2;
	}
	if (memchr(host, '*', len))
		return "* stands only at the front, as in *.example.org";
	if (!all_of(host, len, "-_."))
		return "letters, digits, - _ and . only";
	if (host[0] == '.' || host[len - 1] == '.' || strstr(host, ".."))
		return "an empty label";
	return NULL;
}

static void item_host(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	static const struct value_type type = {"host name",
		"a host name such as chat.example.com or *.example.org", RANGE_NONE, NULL};
	const struct key one = {.name = k->name, .type = &type};
	char **host = into, guess[96] = "";

	const char *why = n->kind == NODE_SCALAR ? host_fault(n->text, n->len) : "";
	if (why) {
		size_t len = strcspn(n->text, ":");
		if (why == WITHOUT_PORT && len < sizeof(guess)) {
			memcpy(guess, n->text, len);
			guess[len] = '\0';
			if (host_fault(guess, len))
				guess[0] = '\0';
		}
		read_unexpected(r, w, n, &one, why, guess);
		return;
	}
	*host = read_string(r, n->text, n->len);
	for (char *c = *host; c && *c; c++)
		*c = ascii_lower(*c);
}

void decode_hosts(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_match *m = into;
	m->hosts = read_list(r, w, n, k, item_host, sizeof(*m->hosts), &m->host_count);

	uint32_t i = 0;
	for (const struct node *v = n->first; i < m->host_count; v = v->next, i++) {
		uint32_t j = 0;
		while (j < i && !(m->hosts[i] && m->hosts[j] && !strcmp(m->hosts[i], m->hosts[j])))
			j++;
		if (j == i)
			continue;
		char path[WHERE_TEXT_MAX];
		where_text(w, path);
		report_add(&r->report, v->line, v->column,
			"%s[%u]: expected each host once, got %s again", path, i,
			clip(v->text, v->len).text);
	}
}

/* Service, method and path share the shape: a scalar that must pass a test. */
static char *checked(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, bool ok, const char *why, const char *suggestion)
{
	if (!ok || n->kind != NODE_SCALAR) {
		read_unexpected(r, w, n, k, why, suggestion);
		return NULL;
	}
	return read_string(r, n->text, n->len);
}

void decode_service(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_match *m = into;
	char guess[96] = "";
	const char *slash = n->kind == NODE_SCALAR ? strchr(n->text, '/') : NULL;
	bool ok = n->len > 0 && all_of(n->text, n->len, "_.-");
	if (slash) {
		const char *from = slash == n->text ? slash + 1 : n->text;
		size_t len = strcspn(from, "/");
		if (len && all_of(from, len, "_.-"))
			snprintf(guess, sizeof(guess), "%.*s", (int)len, from);
	}
	m->service = checked(r, w, n, k, ok, slash ? "without slashes and method" : NULL, guess);
}

void decode_method(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_match *m = into;
	char guess[96] = "";
	const char *slash = n->kind == NODE_SCALAR ? strrchr(n->text, '/') : NULL;
	bool ok = n->len > 0 && all_of(n->text, n->len, "_.-");
	if (slash && slash[1] && all_of(slash + 1, strlen(slash + 1), "_.-"))
		snprintf(guess, sizeof(guess), "%s", slash + 1);
	m->method = checked(r, w, n, k, ok, slash ? "without slashes and service" : NULL, guess);
}

void decode_path(struct reader *r, const struct where *w, const struct node *n, const struct key *k,
	void *into)
{
	struct config_match *m = into;
	char guess[96] = "";
	bool ok = n->len > 0 && n->text[0] == '/';
	const char *why = ok ? "printable ASCII without spaces, ? and #" : NULL;
	if (!ok && n->len && n->len < sizeof(guess) - 1 && alnum(n->text[0]))
		snprintf(guess, sizeof(guess), "/%s", n->text);
	for (uint32_t i = 0; ok && i < n->len; i++)
		ok = n->text[i] > ' ' && n->text[i] < 0x7f && n->text[i] != '?' &&
		     n->text[i] != '#';
	m->path = checked(r, w, n, k, ok, why, guess);
	m->path_kind = !strcmp(k->name, "prefix") ? MATCH_PREFIX : MATCH_EXACT;
}

void decode_match_method(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	char path[WHERE_TEXT_MAX];
	(void)k;
	if (!read_section(r, w, n, SECTION_METHOD, into) || n->count)
		return;
	where_text(w, path);
	report_add(&r->report, n->line, n->column,
		"%s: expected service, method or both, got an empty mapping", path);
}

void decode_match_path(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	static const char *const names[] = {"prefix", "exact", NULL};
	(void)k;
	if (read_section(r, w, n, SECTION_PATH, into))
		read_exactly_one(r, w, n, names, "prefix and exact");
}

/* A field name (RFC 9110 section 5.6.2) in lower case; NULL: reported. */
static char *field_name(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, const char *why)
{
	bool ok = n->len > 0 && all_of(n->text, n->len, "!#$%&'*+-.^_`|~");
	char *name = checked(r, w, n, k, ok && !why, why, NULL);
	for (char *c = name; c && *c; c++)
		*c = ascii_lower(*c);
	return name;
}

void decode_field_name(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_header_match *h = into;
	const char *why = NULL;
	if (n->kind == NODE_SCALAR && n->text[0] == ':')
		why = "pseudo-headers are matched by hosts, method and path";
	else if (n->kind == NODE_SCALAR && n->len == 4 && !strncasecmp(n->text, "host", 4))
		why = "the host is matched by hosts";
	h->name = field_name(r, w, n, k, why);
}

static void item_field_name(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	static const struct value_type type = {
		"header name", "a header name such as x-session-token", RANGE_NONE, NULL};
	const struct key one = {.name = k->name, .type = &type};
	char **name = into;
	*name = field_name(r, w, n, &one, NULL);
}

void decode_field_names(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_sampling *s = into;
	s->redact = read_list(r, w, n, k, item_field_name, sizeof(*s->redact), &s->redact_count);
}

void decode_field_value(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_header_match *h = into;
	bool prefix = !strcmp(k->name, "prefix");
	bool given = n->quoted || n->len > 0;
	bool blunt = n->len && (n->text[0] == ' ' || n->text[n->len - 1] == ' ');
	const char *why = prefix && given && !n->len
				  ? "every value begins with nothing: write present: true"
				  : NULL;
	h->kind = prefix ? MATCH_PREFIX : MATCH_EXACT;
	h->value = checked(r, w, n, k, given && !why && !blunt, why, NULL);
}

void decode_true(struct reader *r, const struct where *w, const struct node *n, const struct key *k,
	void *into)
{
	struct config_header_match *h = into;
	h->kind = MATCH_PRESENT;
	if (n->kind != NODE_SCALAR || strcmp(n->text, "true"))
		read_unexpected(r, w, n, k, NULL, NULL);
}

static void header_of(struct reader *r, const struct where *w, const struct node *n,
	enum section_id id, struct config_header_match *into)
{
	static const char *const names[] = {"exact", "prefix", "present", NULL};
	if (read_section(r, w, n, id, into))
		read_exactly_one(r, w, n, names, "exact, prefix and present");
}

static void item_header(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	(void)k;
	header_of(r, w, n, SECTION_HEADER, into);
}

void decode_sample_header(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_sample *s = into;
	(void)k;
	header_of(r, w, n, SECTION_SAMPLE_HEADER, &s->header);
}

void decode_header_list(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_match *m = into;
	m->headers = read_list(r, w, n, k, item_header, sizeof(*m->headers), &m->header_count);
	read_unique_names(r, w, n, "header", m->headers, m->header_count, sizeof(*m->headers));
}

void decode_match(struct reader *r, const struct where *w, const struct node *n,
	const struct key *k, void *into)
{
	struct config_route *route = into;
	(void)k;
	(void)read_section(r, w, n, SECTION_MATCH, &route->match);
}
