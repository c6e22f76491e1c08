#include "base/jsonw.h"
#include <string.h>
#include "base/assert.h"

void jsonw_begin(struct jsonw *j, struct buf *out)
{
	*j = (struct jsonw){.out = out, .first = true};
}

static void member(struct jsonw *j, const char *key)
{
	if (!j->first)
		buf_char(j->out, ',');
	j->first = false;
	if (!key)
		return;
	buf_json(j->out, key, strlen(key));
	buf_char(j->out, ':');
}

static void open_bracket(struct jsonw *j, const char *key, bool array)
{
	ASSERT(j->depth < JSONW_DEPTH_MAX);
	member(j, key);
	j->arrays = j->arrays << 1 | array;
	j->depth++;
	j->first = true;
	buf_char(j->out, array ? '[' : '{');
}

void jsonw_object(struct jsonw *j, const char *key)
{
	open_bracket(j, key, false);
}

void jsonw_array(struct jsonw *j, const char *key)
{
	open_bracket(j, key, true);
}

void jsonw_end(struct jsonw *j)
{
	ASSERT(j->depth > 0);
	buf_char(j->out, j->arrays & 1 ? ']' : '}');
	j->arrays >>= 1;
	j->depth--;
	j->first = false;
}

void jsonw_str(struct jsonw *j, const char *key, const char *text)
{
	if (!text) {
		jsonw_null(j, key);
		return;
	}
	jsonw_text(j, key, text, strlen(text));
}

void jsonw_text(struct jsonw *j, const char *key, const char *text, size_t len)
{
	member(j, key);
	buf_json(j->out, text, len);
}

void jsonw_cut(struct jsonw *j, const char *key, const char *text, size_t most)
{
	member(j, key);
	buf_json_cut(j->out, text, strlen(text), most);
}

void jsonw_u64(struct jsonw *j, const char *key, uint64_t v)
{
	member(j, key);
	buf_u64(j->out, v);
}

void jsonw_i64(struct jsonw *j, const char *key, int64_t v)
{
	member(j, key);
	if (v < 0)
		buf_char(j->out, '-');
	buf_u64(j->out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void jsonw_milli(struct jsonw *j, const char *key, uint64_t thousandths)
{
	member(j, key);
	buf_u64(j->out, thousandths / 1000);
	unsigned rest = (unsigned)(thousandths % 1000);
	if (rest == 0)
		return;
	char digits[4] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
		(char)('0' + rest % 10)};
	unsigned len = rest % 10 ? 4 : rest % 100 ? 3 : 2;
	buf_add(j->out, digits, len);
}

void jsonw_bool(struct jsonw *j, const char *key, bool v)
{
	member(j, key);
	buf_str(j->out, v ? "true" : "false");
}

void jsonw_null(struct jsonw *j, const char *key)
{
	member(j, key);
	buf_str(j->out, "null");
}
