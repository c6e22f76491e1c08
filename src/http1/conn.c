/* conn.c - reading: lines and content out of arbitrary pieces, and the life of an exchange. */
#include <string.h>
#include "base/mem.h"
#include "http1/conn_priv.h"

enum {
	BLANK_LINES_MAX = 2,    /* before a request line (RFC 9112 2.2 wants one forgiven) */
	INFOS_MAX = 16,         /* interim responses to one request */
	CHUNK_LINE_BYTES = 256, /* size and extensions */
	CHUNK_DIGITS = 15,
};

struct http1_options http1_options_default(void)
{
	return (struct http1_options){
		.line_bytes = 8192,
		.header_bytes = 65536,
		.header_count = 128,
		.window_bytes = 262144,
		.scheme = "http",
	};
}

struct http1_conn *http1_conn_create(enum http1_role role, const struct http1_options *o)
{
	struct http1_conn *c = mem_zalloc(sizeof *c);
	if (!c)
		return NULL;
	c->role = role;
	c->o = *o;
	c->fault = HTTP1_NO_FAULT;
	buf_init(&c->line);
	return c;
}

void http1_conn_destroy(struct http1_conn *c)
{
	if (!c)
		return;
	slice_drop(&c->input);
	buf_fini(&c->line);
	fields_destroy(c->fields);
	http1_queue_clear(c);
	mem_free(c->pieces);
	mem_free(c);
}

/* The one place where `in` changes. */
static void move(struct http1_conn *c, enum http1_in to)
{
	static const uint8_t moves[HTTP1_IN_COUNT][HTTP1_IN_COUNT] = {
#define HTTP1_MOVE(from, to) [HTTP1_IN_##from][HTTP1_IN_##to] = 1,
#include "http1/state.def"
#undef HTTP1_MOVE
	};
	DEBUG_ASSERT(to == HTTP1_IN_CLOSED || moves[c->in][to]);
	(void)moves;
	c->in = to;
}

static void stop_reading(struct http1_conn *c)
{
	move(c, HTTP1_IN_CLOSED);
	slice_drop(&c->input);
	buf_fini(&c->line);
	fields_destroy(c->fields);
	c->fields = NULL;
}

void http1_conn_fail(struct http1_conn *c, enum http1_fault fault)
{
	if (c->fault != HTTP1_NO_FAULT)
		return;
	c->fault = fault;
	c->close_after = true;
	stop_reading(c);
	bool unanswered = c->out == HTTP1_OUT_HEAD || c->out == HTTP1_OUT_IDLE;
	if (c->role == HTTP1_SERVER && unanswered) {
		struct buf out;
		buf_init(&out);
		http1_refusal(&out, http1_fault_status(fault), http1_fault_text(fault));
		if (c->head_request && !out.failed)
			out.len -= strlen(http1_fault_text(fault)) + 1;
		if (!out.failed) /* without memory the close is the answer */
			http1_queue_copy(c, out.bytes, out.len);
		buf_fini(&out);
	}
	c->out = HTTP1_OUT_DONE;
}

/* ---- lines ---- */

enum line { LINE_NONE, LINE_READY, LINE_FAULT };

/* The next line, without its CRLF; good until the next call. `too_long` is the fault of one with
 * more than `max` bytes. Whatever the pieces, the verdict is that on the whole line. */
static enum line take_line(struct http1_conn *c, uint32_t max, enum http1_fault too_long,
	const uint8_t **line, uint32_t *len)
{
	if (c->line_given)
		buf_clear(&c->line);
	c->line_given = false;
	if (!c->input.len) {
		slice_drop(&c->input);
		return LINE_NONE;
	}
	const uint8_t *bytes = c->input.at, *lf = memchr(bytes, '\n', c->input.len);
	size_t n = lf ? (size_t)(lf - bytes) + 1 : c->input.len, total = c->line.len + n;
	enum http1_fault fault = HTTP1_NO_FAULT;
	if (total - (lf ? 1 : 0) > (size_t)max + 1) {
		http1_conn_fail(c, too_long);
		return LINE_FAULT;
	}
	c->input.at += n;
	c->input.len -= (uint32_t)n;
	if (!lf || c->line.len) {
		buf_add(&c->line, bytes, n);
		if (c->line.failed)
			fault = HTTP1_FAULT_NO_MEMORY;
		else if (!lf)
			return LINE_NONE;
		bytes = (const uint8_t *)c->line.bytes;
		c->line_given = true;
	}
	if (fault == HTTP1_NO_FAULT && (total < 2 || bytes[total - 2] != '\r'))
		fault = total - 1 > max ? too_long : HTTP1_FAULT_BARE_LF;
	if (fault != HTTP1_NO_FAULT) {
		http1_conn_fail(c, fault);
		return LINE_FAULT;
	}
	*line = bytes;
	*len = (uint32_t)total - 2;
	return LINE_READY;
}

/* ---- one step: at most one event ---- */

enum step { STEP_NONE, STEP_AGAIN, STEP_EVENT };

static enum step fault(struct http1_conn *c, enum http1_fault f)
{
	http1_conn_fail(c, f);
	return STEP_NONE;
}

/* No line yet. */
static enum step starved(struct http1_conn *c, enum line line)
{
	return line == LINE_NONE && c->eof && !c->input.len ? fault(c, HTTP1_FAULT_TRUNCATED)
							    : STEP_NONE;
}

static enum step give_fields(
	struct http1_conn *c, enum event_kind kind, bool end, struct http1_event *out)
{
	*out = (struct http1_event){
		.kind = HTTP1_EV_MESSAGE, .ev = {.kind = kind, .end = end, .fields = c->fields}};
	c->fields = NULL;
	return STEP_EVENT;
}

static enum step step_start(struct http1_conn *c)
{
	const uint8_t *line;
	uint32_t len;
	bool client = c->role == HTTP1_CLIENT, untouched = !c->input.len && !c->line.len;
	if (client && c->out == HTTP1_OUT_IDLE && c->input.len)
		return fault(c, HTTP1_FAULT_UNASKED);
	if (untouched && c->out == HTTP1_OUT_IDLE && (c->eof || c->close_after)) {
		stop_reading(c);
		return STEP_NONE;
	}
	enum http1_fault too_long =
		client ? HTTP1_FAULT_LINE_TOO_LONG : HTTP1_FAULT_TARGET_TOO_LONG;
	enum line got = take_line(c, c->o.line_bytes, too_long, &line, &len);
	if (got != LINE_READY)
		return starved(c, got);
	if (!len && !client)
		return ++c->blank_lines > BLANK_LINES_MAX ? fault(c, HTTP1_FAULT_REQUEST_LINE)
							  : STEP_AGAIN;
	c->fields = fields_create();
	if (!c->fields)
		return fault(c, HTTP1_FAULT_NO_MEMORY);
	enum http1_fault f = client ? http1_parse_status_line(c, line, len)
				    : http1_parse_request_line(c, line, len);
	if (f != HTTP1_NO_FAULT)
		return fault(c, f);
	move(c, HTTP1_IN_FIELDS);
	return STEP_AGAIN;
}

static enum step end_of_head(struct http1_conn *c, struct http1_event *out)
{
	struct http1_framing framing;
	enum http1_fault f = http1_finish_head(c, &framing);
	if (f != HTTP1_NO_FAULT)
		return fault(c, f);
	if (c->role == HTTP1_CLIENT && c->status < 200) {
		if (++c->infos > INFOS_MAX)
			return fault(c, HTTP1_FAULT_TOO_MANY_INFO);
		move(c, HTTP1_IN_START);
		return give_fields(c, EVENT_INFO, false, out);
	}
	if (c->role == HTTP1_SERVER)
		c->out = HTTP1_OUT_HEAD;
	c->in_left = framing.length;
	switch (framing.kind) {
	case HTTP1_NO_CONTENT:
		move(c, HTTP1_IN_DONE);
		break;
	case HTTP1_WITH_LENGTH:
		move(c, HTTP1_IN_LENGTH);
		break;
	case HTTP1_IN_CHUNKS:
		move(c, HTTP1_IN_CHUNK_SIZE);
		break;
	case HTTP1_TO_THE_END:
		move(c, HTTP1_IN_UNTIL_CLOSE);
		break;
	}
	return give_fields(c, EVENT_HEAD, framing.kind == HTTP1_NO_CONTENT, out);
}

static enum step step_fields(struct http1_conn *c, struct http1_event *out)
{
	const uint8_t *line;
	uint32_t len;
	enum line got = take_line(c, c->o.line_bytes, HTTP1_FAULT_LINE_TOO_LONG, &line, &len);
	if (got != LINE_READY)
		return starved(c, got);
	if (!len)
		return end_of_head(c, out);
	enum http1_fault f = http1_parse_field(c, line, len);
	return f == HTTP1_NO_FAULT ? STEP_AGAIN : fault(c, f);
}

/* RFC 9110 10.1.1: said when the content is really waited for, and not after the response. */
static void maybe_continue(struct http1_conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	if (!c->expects_continue)
		return;
	c->expects_continue = false;
	if (!c->input.len && !c->line.len && c->out == HTTP1_OUT_HEAD)
		http1_queue(c, slice_static(go_on, sizeof go_on - 1), false);
}

/* Content: as much as there is, as belongs to it and as the window admits. */
static enum step step_content(struct http1_conn *c, struct http1_event *out)
{
	maybe_continue(c);
	uint64_t window = c->o.window_bytes > c->uncredited ? c->o.window_bytes - c->uncredited : 0;
	uint64_t n = c->input.len;
	bool bounded = c->in != HTTP1_IN_UNTIL_CLOSE;
	if (!n && c->eof && bounded)
		return fault(c, HTTP1_FAULT_TRUNCATED);
	if (bounded && n > c->in_left)
		n = c->in_left;
	n = n > window ? window : n;
	if (!n && !(c->eof && !c->input.len))
		return STEP_NONE;
	struct slice data = slice_cut(&c->input, (uint32_t)n);
	c->uncredited += n;
	c->in_left -= bounded ? n : 0;
	bool end = bounded ? c->in == HTTP1_IN_LENGTH && !c->in_left : !n;
	*out = (struct http1_event){
		.kind = HTTP1_EV_MESSAGE, .ev = {.kind = EVENT_DATA, .end = end, .data = data}};
	if (end)
		move(c, HTTP1_IN_DONE);
	else if (bounded && !c->in_left)
		move(c, HTTP1_IN_CHUNK_END);
	return STEP_EVENT;
}

/* The value of a hexadecimal digit; 16: it is none. */
static unsigned hex_digit(uint8_t b)
{
	if (b >= '0' && b <= '9')
		return b - (unsigned)'0';
	b |= 0x20;
	return b >= 'a' && b <= 'f' ? b - (unsigned)'a' + 10 : 16;
}

/* 1*HEXDIG [ BWS ";" extensions ], which are checked and ignored (RFC 9112 7.1). */
static bool parse_chunk_size(const uint8_t *line, uint32_t len, uint64_t *out)
{
	uint32_t i = 0;
	uint64_t n = 0;
	for (; i < len && i <= CHUNK_DIGITS && hex_digit(line[i]) < 16; i++)
		n = n << 4 | hex_digit(line[i]);
	*out = n;
	if (i == 0 || i > CHUNK_DIGITS)
		return false;
	if (i == len)
		return true;
	while (i < len && (line[i] == ' ' || line[i] == '\t'))
		i++;
	return i < len && line[i] == ';' && http1_is_field_value(line + i, len - i);
}

static enum step step_chunk_size(struct http1_conn *c)
{
	const uint8_t *line;
	uint32_t len;
	maybe_continue(c);
	enum line got = take_line(c, CHUNK_LINE_BYTES, HTTP1_FAULT_CHUNK_SIZE, &line, &len);
	if (got != LINE_READY)
		return starved(c, got);
	if (!parse_chunk_size(line, len, &c->in_left))
		return fault(c, HTTP1_FAULT_CHUNK_SIZE);
	if (c->in_left) {
		move(c, HTTP1_IN_CHUNK_DATA);
		return STEP_AGAIN;
	}
	c->fields = fields_create();
	if (!c->fields)
		return fault(c, HTTP1_FAULT_NO_MEMORY);
	move(c, HTTP1_IN_TRAILERS);
	return STEP_AGAIN;
}

static enum step step_chunk_end(struct http1_conn *c)
{
	const uint8_t *line;
	uint32_t len;
	enum line got = take_line(c, 0, HTTP1_FAULT_CHUNK_END, &line, &len);
	if (got != LINE_READY)
		return starved(c, got);
	move(c, HTTP1_IN_CHUNK_SIZE);
	return STEP_AGAIN;
}

static enum step step_trailers(struct http1_conn *c, struct http1_event *out)
{
	const uint8_t *line;
	uint32_t len;
	enum line got = take_line(c, c->o.line_bytes, HTTP1_FAULT_LINE_TOO_LONG, &line, &len);
	if (got != LINE_READY)
		return starved(c, got);
	if (len) {
		enum http1_fault f = http1_parse_field(c, line, len);
		return f == HTTP1_NO_FAULT ? STEP_AGAIN : fault(c, f);
	}
	move(c, HTTP1_IN_DONE);
	http1_finish_trailers(c->fields);
	if (c->fields->count)
		return give_fields(c, EVENT_TRAILERS, true, out);
	fields_destroy(c->fields);
	c->fields = NULL;
	*out = (struct http1_event){
		.kind = HTTP1_EV_MESSAGE, .ev = {.kind = EVENT_DATA, .end = true}};
	return STEP_EVENT;
}

static enum step step(struct http1_conn *c, struct http1_event *out)
{
	switch (c->in) {
	case HTTP1_IN_START:
		return step_start(c);
	case HTTP1_IN_FIELDS:
		return step_fields(c, out);
	case HTTP1_IN_LENGTH:
	case HTTP1_IN_CHUNK_DATA:
	case HTTP1_IN_UNTIL_CLOSE:
		return step_content(c, out);
	case HTTP1_IN_CHUNK_SIZE:
		return step_chunk_size(c);
	case HTTP1_IN_CHUNK_END:
		return step_chunk_end(c);
	case HTTP1_IN_TRAILERS:
		return step_trailers(c, out);
	case HTTP1_IN_DONE:
	case HTTP1_IN_CLOSED:
		return STEP_NONE;
	}
	UNREACHABLE();
}

/* ---- exchanges ---- */

static bool exchange_is_over(const struct http1_conn *c)
{
	bool written = c->out == HTTP1_OUT_DONE && !c->unwritten;
	if (c->role == HTTP1_SERVER)
		return written &&
		       (c->in == HTTP1_IN_DONE || (c->close_after && c->in != HTTP1_IN_CLOSED));
	/* A response that is complete before our request is makes the rest of it pointless. */
	return c->in == HTTP1_IN_DONE && (written || c->out != HTTP1_OUT_DONE);
}

static void end_exchange(struct http1_conn *c)
{
	c->close_after |= c->in != HTTP1_IN_DONE || c->out != HTTP1_OUT_DONE;
	c->out = HTTP1_OUT_IDLE;
	c->head_request = c->connect_request = c->expects_continue = false;
	c->blank_lines = c->infos = 0;
	c->uncredited = 0;
	buf_fini(&c->line);
	c->line_given = false;
	if (!c->close_after) {
		move(c, HTTP1_IN_START);
		return;
	}
	http1_queue_clear(c);
	stop_reading(c);
}

bool http1_conn_poll(struct http1_conn *c, struct http1_event *out)
{
	enum step did = STEP_AGAIN;
	if (c->admitted) {
		*out = (struct http1_event){.kind = HTTP1_EV_ADMITTED, .bytes = c->admitted};
		c->admitted = 0;
		return true;
	}
	while (did == STEP_AGAIN)
		did = step(c, out);
	if (did == STEP_EVENT)
		return true;
	if (c->fault != HTTP1_NO_FAULT) {
		*out = (struct http1_event){.kind = HTTP1_EV_DEAD, .fault = c->fault};
		bool news = !c->fault_told;
		c->fault_told = true;
		return news;
	}
	if (!exchange_is_over(c))
		return false;
	end_exchange(c);
	*out = (struct http1_event){.kind = HTTP1_EV_CLOSED};
	return true;
}

/* ---- in ---- */

bool http1_conn_wants_read(const struct http1_conn *c)
{
	return c->in != HTTP1_IN_CLOSED && !c->eof && !c->input.len &&
	       c->uncredited < c->o.window_bytes;
}

void http1_conn_feed(struct http1_conn *c, struct slice in)
{
	if (c->in == HTTP1_IN_CLOSED || !in.len) {
		slice_drop(&in);
		return;
	}
	if (!c->input.len) {
		slice_drop(&c->input);
		c->input = in;
		return;
	}
	struct slab *both = slab_exact(c->input.len + in.len);
	if (both) {
		memcpy(both->bytes, c->input.at, c->input.len);
		memcpy(both->bytes + c->input.len, in.at, in.len);
		uint32_t len = c->input.len + in.len;
		slice_drop(&c->input);
		c->input = (struct slice){both, both->bytes, len};
	} else {
		http1_conn_fail(c, HTTP1_FAULT_NO_MEMORY);
	}
	slice_drop(&in);
}

void http1_conn_eof(struct http1_conn *c)
{
	c->eof = true;
}

void http1_conn_settle(struct http1_conn *c)
{
	if (!c->input.len) {
		slice_drop(&c->input);
	} else if (c->input.slab && c->input.slab->pool) {
		struct slice copy = slice_copy(c->input.at, c->input.len);
		if (!copy.slab)
			return; /* it stays where it is */
		slice_drop(&c->input);
		c->input = copy;
	}
}

void http1_conn_credit(struct http1_conn *c, uint32_t bytes)
{
	c->uncredited -= bytes < c->uncredited ? bytes : c->uncredited;
}

bool http1_conn_is_idle(const struct http1_conn *c)
{
	return c->in == HTTP1_IN_START && c->out == HTTP1_OUT_IDLE && !c->close_after && !c->eof &&
	       !c->input.len && !c->line.len && !c->unwritten;
}

bool http1_conn_wants_close(const struct http1_conn *c)
{
	return c->in == HTTP1_IN_CLOSED && !c->unwritten;
}

void http1_conn_drain(struct http1_conn *c)
{
	if (http1_conn_is_idle(c))
		stop_reading(c);
	c->close_after = true;
}
