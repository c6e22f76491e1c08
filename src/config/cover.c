/* cover.c - does one match take every call that another one takes? It may say no where the answer
 * is yes (a method is not compared with a path), never the other way round. */
#include <string.h>

#include "config/read.h"

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static bool host_covers(const char *earlier, const char *later)
{
	if (earlier[0] != '*')
		return !strcmp(earlier, later);
	/* "*.example.org" covers all that ends in ".example.org" and is longer. */
	size_t end = strlen(earlier) - 1, len = strlen(later);
	return len > end && !strcmp(later + len - end, earlier + 1);
}

static bool hosts_cover(const struct config_match *earlier, const struct config_match *later)
{
	if (!earlier->host_count)
		return true;
	for (uint32_t i = 0; i < later->host_count; i++) {
		uint32_t j = 0;
		while (j < earlier->host_count && !host_covers(earlier->hosts[j], later->hosts[i]))
			j++;
		if (j == earlier->host_count)
			return false;
	}
	return later->host_count > 0;
}

static bool text_covers(const char *earlier, const char *later)
{
	return !earlier || (later && !strcmp(earlier, later));
}

static bool path_covers(const struct config_match *earlier, const struct config_match *later)
{
	if (!earlier->path)
		return true;
	if (!later->path)
		return false;
	if (earlier->path_kind == MATCH_PREFIX)
		return begins(later->path, earlier->path);
	return later->path_kind == MATCH_EXACT && !strcmp(earlier->path, later->path);
}

static bool value_covers(
	const struct config_header_match *earlier, const struct config_header_match *later)
{
	switch (earlier->kind) {
	case MATCH_PRESENT:
		return true;
	case MATCH_PREFIX:
		return later->kind != MATCH_PRESENT && begins(later->value, earlier->value);
	case MATCH_EXACT:
		return later->kind == MATCH_EXACT && !strcmp(earlier->value, later->value);
	}
	return false;
}

static bool headers_cover(const struct config_match *earlier, const struct config_match *later)
{
	for (uint32_t i = 0; i < earlier->header_count; i++) {
		const struct config_header_match *e = &earlier->headers[i];
		uint32_t j = 0;
		while (j < later->header_count && strcmp(e->name, later->headers[j].name))
			j++;
		if (j == later->header_count || !value_covers(e, &later->headers[j]))
			return false;
	}
	return true;
}

bool match_covers(const struct config_match *earlier, const struct config_match *later)
{
	return text_covers(earlier->service, later->service) &&
	       text_covers(earlier->method, later->method) && path_covers(earlier, later) &&
	       headers_cover(earlier, later) && hosts_cover(earlier, later);
}
