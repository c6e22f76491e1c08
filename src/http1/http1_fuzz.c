/* http1_fuzz.c - whatever the pieces, the same events; each request is answered and each END told
 * once. Input: role and answers, seed of the cuts, bytes. */
#include "base/assert.h"
#include "http1/transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void run(struct transcript *t, uint8_t how, const uint8_t *data, size_t len, uint32_t most,
	uint64_t seed)
{
	struct http1_options o = http1_options_default();
	if (how & 4) { /* so small that inputs reach the limits */
		o.line_bytes = 64;
		o.header_bytes = 400;
		o.header_count = 8;
	}
	struct http1_conn *c = http1_conn_create(how & 1 ? HTTP1_CLIENT : HTTP1_SERVER, &o);
	transcript_init(t);
	t->answer = !(how & 1);
	t->eof = how & 2;
	if (how & 1) {
		struct event ev = {.kind = EVENT_HEAD, .end = true, .fields = fields_create()};
		ASSERT(!fields_add_str(ev.fields, TOKEN_METHOD, how & 8 ? "HEAD" : "GET") &&
			!fields_add_str(ev.fields, TOKEN_PATH, "/") &&
			!fields_add_str(ev.fields, TOKEN_AUTHORITY, "h"));
		http1_conn_push(c, &ev);
	}
	transcript_run(t, c, data, len, most, seed);
	ASSERT(!http1_conn_wants_write(c));
	ASSERT(t->ends <= t->heads && t->heads <= t->ends + 1);
	ASSERT(!t->eof || http1_conn_wants_close(c));
	http1_conn_destroy(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct transcript whole, cut;
	if (len < 2)
		return 0;
	http1_looks_like(data + 2, len - 2);
	run(&whole, data[0], data + 2, len - 2, 0, 0);
	run(&cut, data[0], data + 2, len - 2, 1 + data[1] % 16, data[1]);
	ASSERT(whole.events.len == cut.events.len &&
		(!whole.events.len ||
			!memcmp(whole.events.bytes, cut.events.bytes, whole.events.len)));
	transcript_fini(&whole);
	transcript_fini(&cut);
	return 0;
}
