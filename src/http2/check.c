#include "http2/check.h"
#include <string.h>
#include <strings.h>
#include "base/assert.h"
#include "http/run.h"

/* What may stand in a field name: RFC 9110 token characters, without upper case (RFC 9113 8.2.1).
 */
static const uint8_t name_char[256] = {
	['!'] = 1,
	['#'] = 1,
	['$'] = 1,
	['%'] = 1,
	['&'] = 1,
	['\''] = 1,
	['*'] = 1,
	['+'] = 1,
	['-'] = 1,
	['.'] = 1,
	['^'] = 1,
	['_'] = 1,
	['`'] = 1,
	['|'] = 1,
	['~'] = 1,
	['0'] = 1,
	['1'] = 1,
	['2'] = 1,
	['3'] = 1,
	['4'] = 1,
	['5'] = 1,
	['6'] = 1,
	['7'] = 1,
	['8'] = 1,
	['9'] = 1,
	['a'] = 1,
	['b'] = 1,
	['c'] = 1,
	['d'] = 1,
	['e'] = 1,
	['f'] = 1,
	['g'] = 1,
	['h'] = 1,
	['i'] = 1,
	['j'] = 1,
	['k'] = 1,
	['l'] = 1,
	['m'] = 1,
	['n'] = 1,
	['o'] = 1,
	['p'] = 1,
	['q'] = 1,
	['r'] = 1,
	['s'] = 1,
	['t'] = 1,
	['u'] = 1,
	['v'] = 1,
	['w'] = 1,
	['x'] = 1,
	['y'] = 1,
	['z'] = 1,
};

static bool name_ok(const char *name, uint32_t len)
{
	if (len == 0)
		return false;
	for (uint32_t i = 0; i < len; i++)
		if (!name_char[(uint8_t)name[i]])
			return false;
	return true;
}

static const uint8_t not_in_authority[256] = {['@'] = 1, ['/'] = 1, ['?'] = 1, ['#'] = 1};

/* Tokens that need more than a look at their value. */
#define SPECIAL(t, flags)                                                                          \
	((((flags)&TF_HOP) != 0) | ((t) == TOKEN_TE) | ((t) == TOKEN_CONTENT_LENGTH) |             \
		((t) == TOKEN_HOST))
static const uint8_t special[TOKEN_COUNT] = {
#define TOKEN(id, name, flags) [TOKEN_##id] = SPECIAL(TOKEN_##id, flags),
#include "http/token.def"
#undef TOKEN
};

static inline bool word_below(uint64_t v, uint8_t limit)
{
	return (v - limit * 0x0101010101010101u) & ~v & 0x8080808080808080u;
}

/* Is any byte below `limit` (at most 0x80)? Eight at a time; the last eight may overlap. */
static inline bool any_below(const char *p, uint32_t len, uint8_t limit)
{
	uint64_t v = 0;
	uint32_t lo = 0, hi = 0;
	if (len >= 8) {
		const char *last = p + len - 8;
		for (; p < last; p += 8) {
			memcpy(&v, p, 8);
			if (word_below(v, limit))
				return true;
		}
		memcpy(&v, last, 8);
		return word_below(v, limit);
	}
	if (len >= 4) {
		memcpy(&lo, p, 4);
		memcpy(&hi, p + len - 4, 4);
		return word_below((uint64_t)hi << 32 | lo, limit);
	}
	for (uint32_t i = 0; i < len; i++)
		if ((uint8_t)p[i] < limit)
			return true;
	return false;
}

/* 8.2.1: no NUL, CR, LF, and no white space at the ends. Most values have neither spaces nor
 * controls, so one question comes first. */
static inline bool value_ok(const char *value, uint32_t len)
{
	if (LIKELY(!any_below(value, len, ' ' + 1)))
		return true;
	char first = value[0], last = value[len - 1];
	if (first == ' ' || first == '\t' || last == ' ' || last == '\t')
		return false;
	for (uint32_t i = 0; i < len; i++)
		if (value[i] == '\0' || value[i] == '\n' || value[i] == '\r')
			return false;
	return true;
}

struct walk {
	uint32_t seen; /* pseudo-headers, a bit each */
	const struct field *pseudo[8], *host, *length;
	bool regular; /* a regular field came */
};
_Static_assert(TOKEN_PROTOCOL < 8, "pseudo-headers are the first tokens");

static enum h2_fault see_pseudo(struct walk *w, const struct field *f, uint32_t allowed)
{
	if (f->token > TOKEN_PROTOCOL || !(allowed & 1u << f->token))
		return H2_FAULT_PSEUDO_UNKNOWN;
	if (w->regular)
		return H2_FAULT_PSEUDO_ORDER;
	if (w->pseudo[f->token])
		return H2_FAULT_PSEUDO_TWICE;
	w->seen |= 1u << f->token;
	w->pseudo[f->token] = f;
	return H2_FAULT_COUNT;
}

static enum h2_fault see_known(struct walk *w, const struct field *f)
{
	if (token_flags(f->token) & TF_HOP)
		return H2_FAULT_CONNECTION_FIELD;
	if (f->token == TOKEN_TE && !(f->value_len == 8 && !strncasecmp(f->value, "trailers", 8)))
		return H2_FAULT_TE;
	if (f->token == TOKEN_CONTENT_LENGTH) {
		if (w->length)
			return H2_FAULT_CONTENT_LENGTH;
		w->length = f;
	}
	if (f->token == TOKEN_HOST) {
		if (w->host)
			return H2_FAULT_HOST;
		w->host = f;
	}
	return H2_FAULT_COUNT;
}

/* What holds for every section; `allowed` has a bit for each pseudo-header it may have. */
static enum h2_fault walk_fields(const struct fields *f, uint32_t allowed, struct walk *w)
{
	const struct field *list = fields_list(f);
	memset(w, 0, sizeof(*w));
	for (uint32_t i = 0; i < f->count; i++) {
		const struct field *field = &list[i];
		enum h2_fault fault = H2_FAULT_COUNT;
		if (field->name_len && field->name[0] == ':') {
			fault = see_pseudo(w, field, allowed);
		} else {
			w->regular = true;
			if (field->token == TOKEN_OTHER)
				fault = name_ok(field->name, field->name_len) ? H2_FAULT_COUNT
									      : H2_FAULT_FIELD_NAME;
			else if (special[field->token])
				fault = see_known(w, field);
		}
		if (fault != H2_FAULT_COUNT)
			return fault;
		if (!value_ok(field->value, field->value_len))
			return H2_FAULT_FIELD_VALUE;
	}
	return H2_FAULT_COUNT;
}

/* One decimal number, nothing else: lists and repetitions are how messages get smuggled. */
static enum h2_fault read_length(const struct walk *w, int64_t *out)
{
	*out = -1;
	if (!w->length)
		return H2_FAULT_COUNT;
	const struct field *f = w->length;
	if (f->value_len == 0 || f->value_len > 18)
		return H2_FAULT_CONTENT_LENGTH;
	int64_t n = 0;
	for (uint32_t i = 0; i < f->value_len; i++) {
		if (f->value[i] < '0' || f->value[i] > '9')
			return H2_FAULT_CONTENT_LENGTH;
		n = n * 10 + (f->value[i] - '0');
	}
	*out = n;
	return H2_FAULT_COUNT;
}

static bool scheme_ok(const struct field *f)
{
	if (f->value_len == 0)
		return false;
	for (uint32_t i = 0; i < f->value_len; i++) {
		char ch = (char)(f->value[i] | 0x20);
		bool alpha = ch >= 'a' && ch <= 'z';
		bool more = (f->value[i] >= '0' && f->value[i] <= '9') || f->value[i] == '+' ||
			    f->value[i] == '-' || f->value[i] == '.';
		if (!alpha && !(i > 0 && more))
			return false;
	}
	return true;
}

static bool method_ok(const struct field *f)
{
	for (uint32_t i = 0; i < f->value_len; i++) {
		char ch = f->value[i];
		if (!name_char[(uint8_t)ch] && !(ch >= 'A' && ch <= 'Z'))
			return false;
	}
	return f->value_len > 0;
}

/* No userinfo (8.3.1), nothing that ends an authority (RFC 3986 3.2), no controls. */
static bool authority_ok(const struct field *f)
{
	for (uint32_t i = 0; i < f->value_len; i++)
		if (not_in_authority[(uint8_t)f->value[i]] || (uint8_t)f->value[i] >= 0x7f)
			return false;
	return !any_below(f->value, f->value_len, ' ' + 1);
}

static bool path_ok(const struct field *path, const struct field *method)
{
	if (path->value_len == 0)
		return false;
	if (any_below(path->value, path->value_len, ' ' + 1) ||
		memchr(path->value, 0x7f, path->value_len))
		return false;
	return path->value[0] == '/' || (field_is(path, "*") && field_is(method, "OPTIONS"));
}

static bool is_http(const struct field *scheme)
{
	return (scheme->value_len == 4 ||
		       (scheme->value_len == 5 && (scheme->value[4] | 0x20) == 's')) &&
	       !strncasecmp(scheme->value, "http", 4);
}

static bool same_host(const struct field *a, const struct field *b)
{
	return a->value_len == b->value_len && !strncasecmp(a->value, b->value, a->value_len);
}

static enum h2_fault check_request(
	const struct fields *f, bool extended_connect, struct h2_facts *out)
{
	const uint32_t base = 1u << TOKEN_METHOD | 1u << TOKEN_SCHEME | 1u << TOKEN_PATH;
	struct walk w;
	*out = (struct h2_facts){.content_length = -1};
	enum h2_fault fault = walk_fields(f,
		base | 1u << TOKEN_AUTHORITY | (extended_connect ? 1u << TOKEN_PROTOCOL : 0), &w);
	if (fault != H2_FAULT_COUNT)
		return fault;
	const struct field *method = w.pseudo[TOKEN_METHOD], *authority = w.pseudo[TOKEN_AUTHORITY];
	if (!method)
		return H2_FAULT_PSEUDO_MISSING;
	if (!method_ok(method) || (authority && !authority_ok(authority)))
		return H2_FAULT_PSEUDO_VALUE;
	out->connect = field_is(method, "CONNECT");
	out->head = field_is(method, "HEAD");
	bool extended = w.pseudo[TOKEN_PROTOCOL] != NULL;
	if (extended && !out->connect)
		return H2_FAULT_CONNECT_SHAPE;
	if (out->connect && (!authority || authority->value_len == 0))
		return H2_FAULT_CONNECT_SHAPE;
	if (out->connect && !extended) { /* 8.5: :method and :authority only */
		if (w.seen & (1u << TOKEN_SCHEME | 1u << TOKEN_PATH))
			return H2_FAULT_CONNECT_SHAPE;
	} else {
		if ((w.seen & base) != base)
			return H2_FAULT_PSEUDO_MISSING;
		const struct field *scheme = w.pseudo[TOKEN_SCHEME], *path = w.pseudo[TOKEN_PATH];
		if (is_http(scheme) ? !path_ok(path, method) : !scheme_ok(scheme))
			return H2_FAULT_PSEUDO_VALUE;
	}
	if (w.host && authority && !same_host(w.host, authority))
		return H2_FAULT_HOST;
	return read_length(&w, &out->content_length);
}

static unsigned status_value(const struct field *f)
{
	unsigned status = 0;
	if (!f || f->value_len != 3)
		return 0;
	for (unsigned i = 0; i < 3; i++) {
		if (f->value[i] < '0' || f->value[i] > '9')
			return 0;
		status = status * 10 + (unsigned)(f->value[i] - '0');
	}
	return status >= 100 ? status : 0;
}

unsigned h2_status_of(const struct fields *f)
{
	return status_value(fields_get(f, TOKEN_STATUS));
}

static enum h2_fault check_response(const struct fields *f, struct h2_facts *out)
{
	struct walk w;
	*out = (struct h2_facts){.content_length = -1};
	enum h2_fault fault = walk_fields(f, 1u << TOKEN_STATUS, &w);
	if (fault != H2_FAULT_COUNT)
		return fault;
	if (!w.pseudo[TOKEN_STATUS])
		return H2_FAULT_PSEUDO_MISSING;
	out->status = status_value(w.pseudo[TOKEN_STATUS]);
	if (out->status == 0)
		return H2_FAULT_PSEUDO_VALUE;
	if (out->status == 101) /* 8.6: no upgrades in HTTP/2 */
		return H2_FAULT_STATUS;
	return read_length(&w, &out->content_length);
}

static enum h2_fault check_trailers(const struct fields *f)
{
	struct walk w;
	enum h2_fault fault = walk_fields(f, 0, &w);
	return fault == H2_FAULT_PSEUDO_UNKNOWN ? H2_FAULT_PSEUDO_TRAILER : fault;
}

/* --- sections that begin with a run -------------------------------------------------------------
 *
 * A run is judged once for each kind of section, as if it were all of it. Where that went well, and
 * nothing in it or behind it has to do with anything else of the section, the judgement holds for
 * the section too; in every other case the section is walked from its beginning. */

enum {
	RUN_REQUEST_KNOWN = 1,
	RUN_REQUEST_GOOD = 2,
	RUN_REQUEST_HEAD = 4, /* the method is HEAD */
	RUN_RESPONSE_KNOWN = 8,
	RUN_RESPONSE_GOOD = 16,
	RUN_TRAILERS_KNOWN = 32,
	RUN_TRAILERS_GOOD = 64,
};

/* A regular field that can be judged by itself. */
static inline bool is_plain(const struct field *f)
{
	if (f->token == TOKEN_OTHER ? !name_ok(f->name, f->name_len)
				    : f->token <= TOKEN_PROTOCOL || special[f->token])
		return false;
	return f->token != TOKEN_COOKIE && value_ok(f->value, f->value_len);
}

static __attribute__((noinline)) bool all_are_plain(
	const struct fields *f, const struct fields_run *run)
{
	for (uint32_t i = run->count; i < f->count; i++)
		if (!is_plain(&f->own[i]))
			return false;
	return true;
}

static inline bool rest_is_plain(const struct fields *f, const struct fields_run *run)
{
	return f->count == run->count || all_are_plain(f, run);
}

static struct fields view_of(const struct fields_run *run)
{
	return (struct fields){.own = (struct field *)(uintptr_t)run->list, .count = run->count};
}

static __attribute__((noinline)) void judge_request(struct fields_run *run)
{
	struct fields view = view_of(run);
	struct h2_facts facts;
	run->judged |= RUN_REQUEST_KNOWN;
	if (check_request(&view, false, &facts) == H2_FAULT_COUNT && !facts.connect &&
		facts.content_length < 0 && !fields_has(&view, TOKEN_COOKIE))
		run->judged |= RUN_REQUEST_GOOD | (facts.head ? RUN_REQUEST_HEAD : 0);
}

static __attribute__((noinline)) void judge_response(struct fields_run *run)
{
	struct fields view = view_of(run);
	struct h2_facts facts;
	run->judged |= RUN_RESPONSE_KNOWN;
	if (check_response(&view, &facts) == H2_FAULT_COUNT && facts.content_length < 0) {
		run->judged |= RUN_RESPONSE_GOOD;
		run->status = (uint16_t)facts.status;
	}
}

static __attribute__((noinline)) void judge_trailers(struct fields_run *run)
{
	struct fields view = view_of(run);
	run->judged |= RUN_TRAILERS_KNOWN;
	if (check_trailers(&view) == H2_FAULT_COUNT)
		run->judged |= RUN_TRAILERS_GOOD;
}

enum h2_fault h2_check_request(const struct fields *f, bool extended_connect, struct h2_facts *out)
{
	struct fields_run *run = fields_run(f);
	if (run && !(run->judged & RUN_REQUEST_KNOWN))
		judge_request(run);
	if (!run || !(run->judged & RUN_REQUEST_GOOD) || !rest_is_plain(f, run))
		return check_request(f, extended_connect, out);
	*out = (struct h2_facts){
		.content_length = -1, .head = run->judged & RUN_REQUEST_HEAD, .no_cookie = true};
	return H2_FAULT_COUNT;
}

struct h2_method h2_method_of(const struct fields *f)
{
	const struct fields_run *run = fields_run(f);
	if (LIKELY(run && run->judged & RUN_REQUEST_GOOD)) /* no CONNECT */
		return (struct h2_method){.head = run->judged & RUN_REQUEST_HEAD};
	const struct field *method = fields_get(f, TOKEN_METHOD);
	return (struct h2_method){field_is(method, "HEAD"), field_is(method, "CONNECT")};
}

enum h2_fault h2_check_response(const struct fields *f, struct h2_facts *out)
{
	struct fields_run *run = fields_run(f);
	if (run && !(run->judged & RUN_RESPONSE_KNOWN))
		judge_response(run);
	if (!run || !(run->judged & RUN_RESPONSE_GOOD) || !rest_is_plain(f, run))
		return check_response(f, out);
	*out = (struct h2_facts){.content_length = -1, .status = run->status};
	return H2_FAULT_COUNT;
}

enum h2_fault h2_check_trailers(const struct fields *f)
{
	struct fields_run *run = fields_run(f);
	if (run && !(run->judged & RUN_TRAILERS_KNOWN))
		judge_trailers(run);
	if (!run || !(run->judged & RUN_TRAILERS_GOOD) || !rest_is_plain(f, run))
		return check_trailers(f);
	return H2_FAULT_COUNT;
}

int h2_join_cookies(struct fields *f)
{
	uint32_t crumbs = 0, bytes = 0, kept = 0, flags = 0;
	struct field *list = fields_own(f);
	for (uint32_t i = 0; i < f->count; i++) {
		if (list[i].token != TOKEN_COOKIE)
			continue;
		crumbs++;
		bytes += list[i].value_len + 2;
		flags |= list[i].flags;
	}
	if (crumbs < 2)
		return 0;
	char *joined = fields_alloc(f, bytes), *at = joined;
	if (!joined)
		return ERR_NOMEM;
	struct field *home = NULL; /* where the joined one ends up */
	for (uint32_t i = 0; i < f->count; i++) {
		struct field *field = &list[i];
		if (field->token != TOKEN_COOKIE) {
			list[kept++] = *field;
			continue;
		}
		if (home) {
			memcpy(at, "; ", 2);
			at += 2;
		} else {
			home = &list[kept];
			list[kept++] = *field;
		}
		memcpy(at, field->value, field->value_len);
		at += field->value_len;
	}
	ASSERT(home); /* the caller saw two crumbs */
	home->value = joined;
	home->value_len = (uint32_t)(at - joined);
	home->hash = 0;
	home->flags |= (uint16_t)flags;
	/* RFC 9113 6.5.2: each crumb but the first counted a name and 32 bytes; now "; " each
	 * instead */
	f->list_bytes -= (crumbs - 1) * (6 + 32 - 2);
	f->count = kept;
	f->run_changed = true;
	return 0;
}
