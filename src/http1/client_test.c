/* client_test.c - responses, each whole and cut at every byte. */
#include "http1/transcript.h"
#include "tap.h"

static struct event request(const char *method, bool end)
{
	struct event ev = {.kind = EVENT_HEAD, .end = end, .fields = fields_create()};
	CHECK(!fields_add_str(ev.fields, TOKEN_METHOD, method));
	CHECK(!fields_add_str(ev.fields, TOKEN_SCHEME, "http"));
	CHECK(!fields_add_str(ev.fields, TOKEN_AUTHORITY, "h:1"));
	CHECK(!fields_add_str(ev.fields, TOKEN_PATH, "/x"));
	return ev;
}

static void run(const char *method, const char *input, bool eof, const char *want)
{
	struct http1_options options = http1_options_default();
	for (uint64_t seed = 0; seed < 6; seed++) {
		struct transcript t;
		transcript_init(&t);
		t.answer = false;
		t.eof = eof;
		struct http1_conn *c = http1_conn_create(HTTP1_CLIENT, &options);
		struct event ev = request(method, true);
		http1_conn_push(c, &ev);
		transcript_run(&t, c, input, strlen(input),
			seed == 0   ? 0
			: seed == 1 ? 1
				    : 5,
			seed);
		buf_str(&t.events, "");
		CHECK_STR(t.events.bytes, want);
		http1_conn_destroy(c);
		transcript_fini(&t);
	}
}

TEST(a_response_with_a_length_ends_with_its_last_byte_and_the_connection_stays)
{
	run("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok", false,
		"HEAD :status=200 content-length=2 x=y\nDATA ok\nEND\nCLOSED\n");
	run("GET", "HTTP/1.1 204\r\n\r\n", false, "HEAD :status=204\nEND\nCLOSED\n");
	run("GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", false,
		"HEAD :status=200 content-length=0\nEND\nCLOSED\n");
}

TEST(a_chunked_response_and_one_until_the_close_are_read)
{
	run("GET",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nT: 1\r\n\r\n",
		false, "HEAD :status=200\nDATA ok\nTRAILERS t=1\nEND\nCLOSED\n");
	run("GET", "HTTP/1.1 200 OK\r\n\r\nall of it", true,
		"HEAD :status=200\nDATA all of it\nEND\nCLOSED\n");
	run("GET", "HTTP/1.0 404 Not Found\r\n\r\n", true, "HEAD :status=404\nEND\nCLOSED\n");
	run("GET", "HTTP/1.1 200 OK\r\n\r\nnot yet all", false,
		"HEAD :status=200\nDATA not yet all\n");
}

TEST(a_response_to_head_and_304_have_no_content_whatever_their_length)
{
	run("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", false,
		"HEAD :status=200 content-length=99\nEND\nCLOSED\n");
	run("HEAD", "HTTP/1.1 200 OK\r\n\r\n", false, "HEAD :status=200\nEND\nCLOSED\n");
	run("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", false,
		"HEAD :status=304 content-length=99\nEND\nCLOSED\n");
}

TEST(interim_responses_come_before_the_final_one)
{
	run("GET",
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100\r\n\r\nHTTP/1.1 200 "
		"OK\r\nContent-Length: 1\r\n\r\n1",
		false,
		"INFO :status=103 link=x\nINFO :status=100\nHEAD :status=200 "
		"content-length=1\nDATA 1\nEND\nCLOSED\n");
}

TEST(responses_that_are_not_quite_right_are_faults)
{
	run("GET", "HTTP/1.1 2000 OK\r\n\r\n", false, "DEAD status_line\n");
	run("GET", "HTTP/1.1 20 OK\r\n\r\n", false, "DEAD status_line\n");
	run("GET", "HTTP/1.1 099 OK\r\n\r\n", false, "DEAD status_line\n");
	run("GET", "HTTP/1.1 600 OK\r\n\r\n", false, "DEAD status_line\n");
	run("GET", "HTTP/1.1  200 OK\r\n\r\n", false, "DEAD status_line\n");
	run("GET", "\r\nHTTP/1.1 200 OK\r\n\r\n", false, "DEAD status_line\n");
	run("GET", "ICY 200 OK\r\n\r\n", false, "DEAD status_line\n");
	run("GET", "HTTP/1.1 200 O\x01K\r\n\r\n", false, "DEAD status_line\n");
	run("GET", "HTTP/2.0 200 OK\r\n\r\n", false, "DEAD version\n");
	run("GET", "HTTP/1.1 101 Switching Protocols\r\n\r\n", false, "DEAD switched\n");
	run("GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		false, "DEAD length_and_chunked\n");
	run("GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", false,
		"DEAD content_length\n");
	run("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false,
		"DEAD transfer_encoding\n");
	run("GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false,
		"DEAD transfer_in_1_0\n");
	run("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", true,
		"HEAD :status=200 content-length=5\nDATA hel\nDEAD truncated\n");
	run("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", true,
		"HEAD :status=200\nDATA hello\nDEAD truncated\n");
	run("GET", "HTTP/1.1 200 OK\r\n", true, "DEAD truncated\n");
	run("GET", "", true, "DEAD truncated\n");
}

TEST(bytes_after_a_response_that_nobody_asked_for_are_a_fault)
{
	run("GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\n", false,
		"HEAD :status=200 content-length=1\nDATA 1\nEND\nCLOSED\nDEAD unasked\n");
}

TEST(sixteen_interim_responses_pass_and_a_seventeenth_is_a_fault)
{
	struct buf input, want;
	buf_init(&input);
	buf_init(&want);
	for (int i = 0; i < 17; i++) {
		buf_str(&input, "HTTP/1.1 100 Continue\r\n\r\n");
		buf_str(&want, i < 16 ? "INFO :status=100\n" : "DEAD too_many_info\n");
	}
	run("GET", input.bytes, false, want.bytes);
	buf_fini(&input);
	buf_fini(&want);
}

TEST(a_204_with_content_is_the_last_exchange_of_its_connection)
{
	run("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc", false,
		"HEAD :status=204 content-length=3\nEND\nCLOSED\n");
}

TEST(a_second_request_goes_over_the_same_connection)
{
	struct http1_options options = http1_options_default();
	struct http1_conn *c = http1_conn_create(HTTP1_CLIENT, &options);
	struct transcript t;
	transcript_init(&t);
	t.answer = t.eof = false;
	for (int i = 0; i < 3; i++) {
		struct event ev = request("GET", true);
		CHECK(http1_conn_is_idle(c));
		http1_conn_push(c, &ev);
		CHECK(!http1_conn_is_idle(c));
		const char *reply = i < 2 ? "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
					  : "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: "
					    "close\r\n\r\n1";
		transcript_run(&t, c, reply, strlen(reply), 3, (uint64_t)i);
	}
	CHECK_EQ(t.ends, 3);
	CHECK(!http1_conn_is_idle(c) && http1_conn_wants_close(c));
	CHECK_STR(t.output.bytes,
		"GET /x HTTP/1.1\r\nhost: h:1\r\n\r\nGET /x HTTP/1.1\r\nhost: h:1\r\n\r\n"
		"GET /x HTTP/1.1\r\nhost: h:1\r\n\r\n");
	transcript_fini(&t);
	http1_conn_destroy(c);
}

TEST(a_response_that_is_complete_before_its_request_ends_the_connection)
{
	struct http1_options options = http1_options_default();
	struct http1_conn *c = http1_conn_create(HTTP1_CLIENT, &options);
	struct transcript t;
	transcript_init(&t);
	t.answer = t.eof = false;
	struct event ev = request("POST", false);
	http1_conn_push(c, &ev);
	const char *reply = "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n";
	transcript_run(&t, c, reply, strlen(reply), 0, 0);
	CHECK_STR(t.events.bytes, "HEAD :status=413 content-length=0\nEND\nCLOSED\n");
	struct event late = {.kind = EVENT_DATA, .data = slice_static("x", 1)};
	http1_conn_push(c, &late);
	CHECK(http1_conn_wants_close(c) && !http1_conn_wants_write(c));
	transcript_fini(&t);
	http1_conn_destroy(c);
}

TAP_MAIN()
