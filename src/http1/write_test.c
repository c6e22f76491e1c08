/* write_test.c - what goes onto the wire, and when the connection may go on. */
#include "base/mem.h"
#include "http1/transcript.h"
#include "tap.h"

static struct transcript t;

static struct http1_conn *server(const char *request)
{
	struct http1_options options = http1_options_default();
	struct http1_conn *c = http1_conn_create(HTTP1_SERVER, &options);
	transcript_init(&t);
	t.answer = t.eof = false;
	transcript_run(&t, c, request, strlen(request), 0, 0);
	return c;
}

static void push_head(struct http1_conn *c, const char *status, const char *length, bool end)
{
	struct event ev = transcript_head(status, length, end);
	http1_conn_push(c, &ev);
}

static void push_data(struct http1_conn *c, const char *bytes, bool end)
{
	struct event ev = {
		.kind = EVENT_DATA, .end = end, .data = slice_copy(bytes, (uint32_t)strlen(bytes))};
	http1_conn_push(c, &ev);
}

/* Everything polled and written; then what was written, and whether the connection ends. */
static void finish(struct http1_conn *c, const char *output, bool closes)
{
	transcript_poll(&t, c);
	buf_str(&t.output, "");
	CHECK_STR(t.output.bytes, output);
	CHECK_EQ(http1_conn_wants_close(c), closes);
	http1_conn_destroy(c);
	transcript_fini(&t);
}

#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK  "HTTP/1.1 200 OK\r\n"

TEST(a_response_with_a_length_is_written_as_it_is)
{
	struct http1_conn *c = server(GET);
	push_head(c, "200", "5", false);
	push_data(c, "he", false);
	push_data(c, "llo", true);
	finish(c, OK "content-length: 5\r\n\r\nhello", false);
}

TEST(a_response_without_length_is_chunked)
{
	struct http1_conn *c = server(GET);
	push_head(c, "200", NULL, false);
	push_data(c, "hello", false);
	push_data(c, "", false);
	push_data(c, "0123456789abcdefg", true);
	finish(c,
		OK "transfer-encoding: "
		   "chunked\r\n\r\n5\r\nhello\r\n11\r\n0123456789abcdefg\r\n0\r\n\r\n",
		false);
}

TEST(trailers_follow_a_chunked_response_and_are_dropped_elsewhere)
{
	struct http1_conn *c = server(GET);
	push_head(c, "200", NULL, false);
	struct event ev = {.kind = EVENT_TRAILERS, .end = true, .fields = fields_create()};
	CHECK(!fields_add(ev.fields, "x-sum", 5, "7", 1));
	http1_conn_push(c, &ev);
	finish(c, OK "transfer-encoding: chunked\r\n\r\n0\r\nx-sum: 7\r\n\r\n", false);
	c = server(GET);
	push_head(c, "200", "1", false);
	push_data(c, "1", false);
	ev = (struct event){.kind = EVENT_TRAILERS, .end = true, .fields = fields_create()};
	CHECK(!fields_add(ev.fields, "x-sum", 5, "7", 1));
	http1_conn_push(c, &ev);
	finish(c, OK "content-length: 1\r\n\r\n1", false);
}

TEST(a_response_without_content_says_so)
{
	struct http1_conn *c = server(GET);
	push_head(c, "404", NULL, true);
	finish(c, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", false);
	c = server(GET);
	push_head(c, "204", NULL, true);
	finish(c, "HTTP/1.1 204 No Content\r\n\r\n", false);
	c = server(GET);
	push_head(c, "204", "0", true);
	finish(c, "HTTP/1.1 204 No Content\r\n\r\n", false);
	c = server(GET);
	push_head(c, "304", "9", true);
	finish(c, "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", false);
}

TEST(the_answer_to_head_has_no_content_but_its_sender_gets_its_credit)
{
	struct http1_conn *c = server("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
	push_head(c, "200", "5", false);
	push_data(c, "hello", true);
	transcript_poll(&t, c);
	CHECK_EQ(t.admitted, 5);
	CHECK(http1_conn_is_idle(c));
	finish(c, OK "content-length: 5\r\n\r\n", false);
}

TEST(http_1_0_gets_plain_content_and_the_close)
{
	struct http1_conn *c = server("GET / HTTP/1.0\r\n\r\n");
	push_head(c, "103", NULL, false); /* not an INFO: a final head may not be 1xx */
	CHECK(http1_conn_wants_write(c));
	finish(c,
		"HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\n"
		"content-length: 15\r\nconnection: close\r\n\r\ninternal error\n",
		true);
	c = server("GET / HTTP/1.0\r\n\r\n");
	struct event ev = transcript_head("103", NULL, false);
	ev.kind = EVENT_INFO;
	http1_conn_push(c, &ev);
	push_head(c, "200", NULL, false);
	push_data(c, "hello", true);
	finish(c, OK "connection: close\r\n\r\nhello", true);
}

TEST(an_early_response_closes_after_it)
{
	struct http1_conn *c = server("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
	push_head(c, "413", NULL, true);
	transcript_poll(&t, c);
	CHECK(strstr(t.events.bytes, "CLOSED\n"));
	struct slice rest = slice_copy("llo", 3);
	http1_conn_feed(c, rest);
	finish(c,
		"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
		true);
}

TEST(a_drained_connection_serves_its_exchange_and_an_idle_one_closes)
{
	struct http1_conn *c = server(GET);
	http1_conn_drain(c);
	CHECK(!http1_conn_wants_close(c));
	push_head(c, "200", "0", true);
	finish(c, OK "content-length: 0\r\nconnection: close\r\n\r\n", true);
	c = server("");
	http1_conn_drain(c);
	CHECK(http1_conn_wants_close(c));
	http1_conn_destroy(c);
	transcript_fini(&t);
}

TEST(continue_is_said_once_when_content_is_waited_for)
{
#define EXPECT "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
	struct http1_conn *c = server(EXPECT);
	CHECK_STR(t.output.bytes, "HTTP/1.1 100 Continue\r\n\r\n");
	transcript_run(&t, c, "ab", 2, 1, 0);
	push_head(c, "200", "0", true);
	finish(c, "HTTP/1.1 100 Continue\r\n\r\n" OK "content-length: 0\r\n\r\n", false);
	c = server(EXPECT "ab"); /* the content is there */
	push_head(c, "200", "0", true);
	finish(c, OK "content-length: 0\r\n\r\n", false);
	c = server("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: "
		   "chunked\r\n\r\n");
	CHECK_STR(t.output.bytes, "HTTP/1.1 100 Continue\r\n\r\n");
	http1_conn_destroy(c);
	transcript_fini(&t);
}

TEST(interim_responses_are_written_before_the_final_one)
{
	struct http1_conn *c = server(GET);
	struct event ev = transcript_head("103", NULL, false);
	ev.kind = EVENT_INFO;
	CHECK(!fields_add(ev.fields, "link", 4, "x", 1));
	http1_conn_push(c, &ev);
	push_head(c, "200", "0", true);
	finish(c, "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" OK "content-length: 0\r\n\r\n",
		false);
}

TEST(a_fault_before_the_response_is_answered_with_its_status_and_text)
{
	struct http1_conn *c = server("GET / HTTP/1.1\r\n\r\n");
	finish(c,
		"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; "
		"charset=utf-8\r\ncontent-length: 42\r\n"
		"connection: close\r\n\r\nexactly one valid Host header is required\n",
		true);
	c = server("HEAD / HTTP/2.0\r\n\r\n");
	CHECK(strstr(t.output.bytes, "HTTP/1.1 505 HTTP Version Not Supported\r\n"));
	http1_conn_destroy(c);
	transcript_fini(&t);
}

TEST(a_fault_after_the_response_began_just_ends_the_connection)
{
	struct http1_conn *c =
		server("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	push_head(c, "200", NULL, false);
	transcript_run(&t, c, "zz\r\n", 4, 0, 0);
	CHECK(strstr(t.events.bytes, "DEAD chunk_size\n"));
	finish(c, OK "transfer-encoding: chunked\r\nconnection: close\r\n\r\n", true);
}

TEST(the_owner_can_end_it_with_a_fault_of_its_own)
{
	static const enum http1_fault own[] = {
		HTTP1_FAULT_TIMEOUT, HTTP1_FAULT_OVERLOAD, HTTP1_FAULT_INTERNAL};
	static const char *const answers[] = {"HTTP/1.1 408 ", "HTTP/1.1 503 ", "HTTP/1.1 500 "};
	for (unsigned i = 0; i < 3; i++) {
		struct http1_conn *c = server("GET / HT");
		http1_conn_fail(c, own[i]);
		transcript_poll(&t, c);
		CHECK(t.output.len && !strncmp(t.output.bytes, answers[i], strlen(answers[i])));
		CHECK(http1_conn_wants_close(c));
		http1_conn_destroy(c);
		transcript_fini(&t);
	}
}

static void check_broken(void (*push)(struct http1_conn *c), bool begun)
{
	struct http1_conn *c = server(GET);
	push(c);
	transcript_poll(&t, c);
	buf_str(&t.output, "");
	CHECK(strstr(t.events.bytes, "DEAD internal\n"));
	CHECK_EQ(!strncmp(t.output.bytes, "HTTP/1.1 500 ", 13), !begun);
	CHECK(!strstr(t.output.bytes, "evil"));
	CHECK(http1_conn_wants_close(c));
	http1_conn_destroy(c);
	transcript_fini(&t);
}

static void push_split(struct http1_conn *c)
{
	struct event ev = transcript_head("200", NULL, true);
	CHECK(!fields_add(ev.fields, "x", 1, "a\r\nevil: 1", 10));
	http1_conn_push(c, &ev);
}

static void push_bad_name(struct http1_conn *c)
{
	struct event ev = transcript_head("200", NULL, true);
	CHECK(!fields_add(ev.fields, "evil name", 9, "1", 1));
	http1_conn_push(c, &ev);
}

static void push_too_much(struct http1_conn *c)
{
	push_head(c, "200", "2", false);
	push_data(c, "evil", true);
}

static void push_too_little(struct http1_conn *c)
{
	push_head(c, "200", "9", false);
	push_data(c, "four", true);
}

static void push_none_of_five(struct http1_conn *c)
{
	push_head(c, "200", "5", true);
}

static void push_data_first(struct http1_conn *c)
{
	push_data(c, "evil", true);
}

static void push_two_heads(struct http1_conn *c)
{
	push_head(c, "200", "4", false);
	push_head(c, "200", "4", false);
}

static void push_reset(struct http1_conn *c)
{
	struct event ev = {.kind = EVENT_RESET, .code = 8};
	http1_conn_push(c, &ev);
}

static void push_bad_length(struct http1_conn *c)
{
	push_head(c, "200", "x", false);
}

TEST(a_response_that_would_not_be_read_as_it_is_meant_never_leaves)
{
	check_broken(push_split, false);
	check_broken(push_bad_name, false);
	check_broken(push_none_of_five, false);
	check_broken(push_data_first, false);
	check_broken(push_reset, false);
	check_broken(push_bad_length, false);
	check_broken(push_too_much, true);
	check_broken(push_too_little, true);
	check_broken(push_two_heads, true);
}

TEST(content_is_held_back_at_the_window_until_it_is_credited)
{
	struct http1_options options = http1_options_default();
	options.window_bytes = 10;
	struct http1_conn *c = http1_conn_create(HTTP1_SERVER, &options);
	const char *request =
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 25\r\n\r\n0123456789012345678901234";
	http1_conn_feed(c, slice_copy(request, (uint32_t)strlen(request)));
	struct http1_event ev;
	uint32_t got = 0;
	REQUIRE(http1_conn_poll(c, &ev) && ev.ev.kind == EVENT_HEAD);
	event_drop(&ev.ev);
	for (uint32_t want = 10; want <= 30; want += 10) {
		while (http1_conn_poll(c, &ev)) {
			got += ev.ev.data.len;
			event_drop(&ev.ev);
		}
		CHECK_EQ(got, want < 25 ? want : 25);
		CHECK_EQ(http1_conn_wants_read(c), got == 25);
		http1_conn_settle(c);
		http1_conn_credit(c, 10);
	}
	http1_conn_destroy(c);
}

TEST(admitted_content_is_told_as_it_is_written)
{
	struct http1_conn *c = server(GET);
	push_head(c, "200", NULL, false);
	push_data(c, "hello", false);
	struct iovec iov[8];
	struct http1_event ev;
	CHECK_EQ(http1_conn_output(c, iov, 8), 4);
	http1_conn_written(c, iov[0].iov_len + iov[1].iov_len + 2);
	REQUIRE(http1_conn_poll(c, &ev));
	CHECK(ev.kind == HTTP1_EV_ADMITTED && ev.bytes == 2);
	http1_conn_written(c, http1_conn_unwritten(c));
	REQUIRE(http1_conn_poll(c, &ev));
	CHECK(ev.kind == HTTP1_EV_ADMITTED && ev.bytes == 3);
	CHECK(!http1_conn_poll(c, &ev));
	http1_conn_destroy(c);
	transcript_fini(&t);
}

static struct event request(const char *method, const char *path, bool end)
{
	struct event ev = {.kind = EVENT_HEAD, .end = end, .fields = fields_create()};
	CHECK(!fields_add_str(ev.fields, TOKEN_METHOD, method));
	CHECK(!fields_add_str(ev.fields, TOKEN_AUTHORITY, "h"));
	CHECK(!fields_add_str(ev.fields, TOKEN_PATH, path));
	return ev;
}

static void check_request(struct event *ev, const char *data, const char *want)
{
	struct http1_options options = http1_options_default();
	struct http1_conn *c = http1_conn_create(HTTP1_CLIENT, &options);
	transcript_init(&t);
	http1_conn_push(c, ev);
	if (data)
		push_data(c, data, true);
	transcript_write(&t, c);
	buf_str(&t.output, "");
	CHECK_STR(t.output.bytes, want);
	http1_conn_destroy(c);
	transcript_fini(&t);
}

TEST(a_request_is_written_with_its_framing)
{
	struct event ev = request("GET", "/a?b", true);
	check_request(&ev, NULL, "GET /a?b HTTP/1.1\r\nhost: h\r\n\r\n");
	ev = request("POST", "/", true);
	check_request(&ev, NULL, "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n");
	ev = request("POST", "/", false);
	check_request(&ev, "abc",
		"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: "
		"chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
	ev = request("POST", "/", false);
	CHECK(!fields_add_str(ev.fields, TOKEN_CONTENT_LENGTH, "3"));
	check_request(&ev, "abc", "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc");
}

TEST(cookie_crumbs_become_one_field_and_connection_specific_fields_are_dropped)
{
	struct event ev = request("GET", "/", true);
	CHECK(!fields_add_str(ev.fields, TOKEN_COOKIE, "a=1"));
	CHECK(!fields_add_str(ev.fields, TOKEN_TE, "trailers"));
	CHECK(!fields_add_str(ev.fields, TOKEN_UPGRADE, "x"));
	CHECK(!fields_add_str(ev.fields, TOKEN_HOST, "other"));
	CHECK(!fields_add_str(ev.fields, TOKEN_COOKIE, "b=2"));
	check_request(&ev, NULL, "GET / HTTP/1.1\r\nhost: h\r\ncookie: a=1; b=2\r\n\r\n");
}

TEST(a_request_that_would_be_read_as_another_never_leaves)
{
	static const char *const paths[] = {"/ HTTP/1.1\r\nevil: 1", "/a b", "", "/\x80"};
	for (unsigned i = 0; i < 4; i++) {
		struct event ev = request("GET", paths[i], true);
		check_request(&ev, NULL, "");
	}
	struct event ev = request("G T", "/", true);
	check_request(&ev, NULL, "");
	ev = request("CONNECT", "/", true);
	check_request(&ev, NULL, "");
}

/* Whichever allocation fails: no crash, no leak, and an end. */
static bool exchange_without_memory(long nth)
{
	static const char input[] = "POST / HTTP/1.1\r\nHost: h\r\nX-Long: "
				    "0123456789\r\nTransfer-Encoding: chunked\r\n\r\n"
				    "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";
	struct http1_options options = http1_options_default();
	struct http1_event ev;
	bool complete = false;
	fields_cache_purge();
	mem_fail_after(nth);
	struct http1_conn *c = http1_conn_create(HTTP1_SERVER, &options);
	for (size_t i = 0; c && i < sizeof input - 1; i++) {
		http1_conn_feed(c, slice_static(input + i, 1));
		while (http1_conn_poll(c, &ev)) {
			bool end = ev.kind == HTTP1_EV_MESSAGE && ev.ev.end;
			if (ev.kind == HTTP1_EV_MESSAGE)
				event_drop(&ev.ev);
			complete |= ev.kind == HTTP1_EV_CLOSED;
			if (end) {
				struct event head = {.kind = EVENT_HEAD, .fields = fields_create()};
				if (head.fields && fields_add_str(head.fields, TOKEN_STATUS, "200"))
					fields_destroy(head.fields), head.fields = NULL;
				struct event data = {.kind = EVENT_DATA,
					.end = true,
					.data = slice_static("ok", 2)};
				http1_conn_push(c, &head);
				http1_conn_push(c, &data);
			}
			if (http1_conn_wants_write(c))
				http1_conn_written(c, http1_conn_unwritten(c));
		}
	}
	mem_fail_after(0);
	http1_conn_destroy(c);
	fields_cache_purge();
	return complete;
}

TEST(without_memory_an_exchange_ends_and_nothing_is_left)
{
	fields_cache_purge();
	long live = mem_live_blocks(), n = 1;
	while (n < 200 && !exchange_without_memory(n)) {
		CHECK_EQ(mem_live_blocks(), live);
		n++;
	}
	CHECK(n > 5 && n < 200);
	fields_cache_purge();
	CHECK_EQ(mem_live_blocks(), live);
}

TAP_MAIN()
