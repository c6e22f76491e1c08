/* server_test.c - requests, each whole and cut at every byte. */
#include "http1/transcript.h"
#include "tap.h"

static struct http1_options options;

static char *events_of(const char *input, size_t len, uint32_t most, uint64_t seed)
{
	struct transcript t;
	transcript_init(&t);
	struct http1_conn *c = http1_conn_create(HTTP1_SERVER, &options);
	transcript_run(&t, c, input, len, most, seed);
	CHECK(!t.events.failed && http1_conn_wants_close(c));
	http1_conn_destroy(c);
	buf_str(&t.events, "");
	char *events = strdup(t.events.len ? t.events.bytes : "");
	transcript_fini(&t);
	return events;
}

/* The same events for the whole, byte by byte, and in random pieces. */
static void check_bytes(const char *input, size_t len, const char *want)
{
	for (uint64_t seed = 0; seed < 6; seed++) {
		char *got = events_of(input, len, seed == 0 ? 0 : seed == 1 ? 1 : 7, seed);
		CHECK_STR(got, want);
		free(got);
	}
}

static void check(const char *input, const char *want)
{
	check_bytes(input, strlen(input), want);
}

#define GET_HEAD "HEAD :method=GET :scheme=http :authority=h :path=/"

TEST(a_request_has_the_shape_of_http2)
{
	options = http1_options_default();
	check("GET /a?b=c HTTP/1.1\r\nHost: Example.com:80\r\nX-Thing:  a b \t\r\nACCEPT: "
	      "x\r\n\r\n",
		"HEAD :method=GET :scheme=http :authority=Example.com:80 :path=/a?b=c x-thing=a b "
		"accept=x\n"
		"END\nCLOSED\n");
}

TEST(a_body_of_known_length_ends_with_its_last_byte)
{
	check("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
		"HEAD :method=POST :scheme=http :authority=h :path=/p content-length=5\nDATA "
		"hello\nEND\nCLOSED\n");
	check("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		"HEAD :method=POST :scheme=http :authority=h :path=/p "
		"content-length=0\nEND\nCLOSED\n");
}

TEST(a_chunked_body_is_put_together_and_its_trailers_follow)
{
	check("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
	      "5\r\nhello\r\n00A ;ext=\"v\"\r\n, you all!\r\n0\r\nX-Sum: 7\r\nContent-Length: "
	      "3\r\n\r\n",
		"HEAD :method=POST :scheme=http :authority=h :path=/\nDATA hello, you "
		"all!\nTRAILERS x-sum=7\nEND\n"
		"CLOSED\n");
	check("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HEAD :method=POST :scheme=http :authority=h :path=/\nEND\nCLOSED\n");
}

TEST(pipelined_requests_come_one_after_the_other)
{
	check("GET / HTTP/1.1\r\nHost: h\r\n\r\nPOST / HTTP/1.1\r\nHost: h\r\nContent-Length: "
	      "2\r\n\r\nab"
	      "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		GET_HEAD "\nEND\nCLOSED\nHEAD :method=POST :scheme=http :authority=h :path=/ "
			 "content-length=2\n"
			 "DATA ab\nEND\nCLOSED\n" GET_HEAD "\nEND\nCLOSED\n");
}

TEST(connection_close_and_http_1_0_end_the_connection_after_one_exchange)
{
	check("GET / HTTP/1.1\r\nHost: h\r\nConnection: Foo, CLOSE\r\n\r\nGET / HTTP/1.1\r\nHost: "
	      "h\r\n\r\n",
		GET_HEAD "\nEND\nCLOSED\n");
	check("GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
		GET_HEAD "\nEND\nCLOSED\n");
	check("GET / HTTP/1.0\r\n\r\n", "HEAD :method=GET :scheme=http :path=/\nEND\nCLOSED\n");
}

TEST(connection_specific_fields_and_what_connection_names_end_here)
{
	check("GET / HTTP/1.1\r\nHost: h\r\nConnection: x-hop , Upgrade,TE\r\nX-Hop: 1\r\nx-hop: "
	      "2\r\nUpgrade: h2c\r\n"
	      "HTTP2-Settings: AA\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\nX-Stay: "
	      "1\r\n\r\n",
		GET_HEAD " x-stay=1\nEND\nCLOSED\n");
	check("GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n\r\n",
		GET_HEAD " te=trailers\nEND\nCLOSED\n");
}

TEST(an_absolute_target_is_taken_apart_and_overrules_host)
{
	check("GET http://a.b:81/x HTTP/1.1\r\nHost: other\r\n\r\n",
		"HEAD :method=GET :scheme=http :authority=a.b:81 :path=/x\nEND\nCLOSED\n");
	check("GET HTTPS://a.b?q HTTP/1.1\r\nHost: a.b\r\n\r\n",
		"HEAD :method=GET :scheme=https :authority=a.b :path=/?q\nEND\nCLOSED\n");
	check("GET http://[::1]:9 HTTP/1.1\r\nHost: x\r\n\r\n",
		"HEAD :method=GET :scheme=http :authority=[::1]:9 :path=/\nEND\nCLOSED\n");
	check("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n",
		"HEAD :method=OPTIONS :scheme=http :authority=a :path=*\nEND\nCLOSED\n");
}

TEST(an_asterisk_is_for_options_and_an_authority_for_connect)
{
	check("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
		"HEAD :method=OPTIONS :scheme=http :authority=h :path=*\nEND\nCLOSED\n");
	check("GET * HTTP/1.1\r\nHost: h\r\n\r\n", "DEAD target\n");
	check("CONNECT a.b:443 HTTP/1.1\r\nHost: a.b\r\n\r\nrest",
		"HEAD :method=CONNECT :authority=a.b:443\nEND\nCLOSED\n");
	check("CONNECT a.b HTTP/1.1\r\nHost: a.b\r\n\r\n", "DEAD target\n");
	check("GET a.b:443 HTTP/1.1\r\nHost: a.b\r\n\r\n", "DEAD target\n");
}

TEST(two_blank_lines_before_a_request_are_forgiven_and_a_third_is_not)
{
	check("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", GET_HEAD "\nEND\nCLOSED\n");
	check("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "DEAD request_line\n");
}

TEST(an_empty_host_leaves_out_the_authority)
{
	check("GET / HTTP/1.1\r\nHost:\r\n\r\n",
		"HEAD :method=GET :scheme=http :path=/\nEND\nCLOSED\n");
}

static bool provoked[HTTP1_FAULT_COUNT];

/* `rest` is what comes after the request line "GET / HTTP/1.1". */
static void refuse(enum http1_fault f, const char *input)
{
	char want[64];
	snprintf(want, sizeof want, "DEAD %s\n", http1_fault_name(f));
	check(input, want);
	provoked[f] = true;
}

TEST(request_lines_that_are_not_quite_right_are_refused)
{
	options = http1_options_default();
#define REST " HTTP/1.1\r\nHost: h\r\n\r\n"
	refuse(HTTP1_FAULT_REQUEST_LINE, "GET /\r\n\r\n");
	refuse(HTTP1_FAULT_REQUEST_LINE, "GET\r\n\r\n");
	refuse(HTTP1_FAULT_REQUEST_LINE, "GET  /" REST);
	refuse(HTTP1_FAULT_REQUEST_LINE, "GET / " REST);
	refuse(HTTP1_FAULT_REQUEST_LINE, "GET / x" REST);
	refuse(HTTP1_FAULT_REQUEST_LINE, "GET\t/" REST);
	refuse(HTTP1_FAULT_REQUEST_LINE, "GET / http/1.1\r\nHost: h\r\n\r\n");
	refuse(HTTP1_FAULT_REQUEST_LINE, "GET / HTTP/1.1 \r\nHost: h\r\n\r\n");
	refuse(HTTP1_FAULT_REQUEST_LINE, "GET / HTTP/11\r\nHost: h\r\n\r\n");
	refuse(HTTP1_FAULT_VERSION, "GET / HTTP/2.0\r\nHost: h\r\n\r\n");
	refuse(HTTP1_FAULT_VERSION, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	refuse(HTTP1_FAULT_VERSION, "GET / HTTP/0.9\r\nHost: h\r\n\r\n");
	refuse(HTTP1_FAULT_METHOD, "G@T /" REST);
	refuse(HTTP1_FAULT_METHOD, " /" REST);
	refuse(HTTP1_FAULT_METHOD, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG /" REST);
	refuse(HTTP1_FAULT_TARGET, "GET x" REST);
	refuse(HTTP1_FAULT_TARGET, "GET /a#b" REST);
	refuse(HTTP1_FAULT_TARGET, "GET /\x80" REST);
	refuse(HTTP1_FAULT_TARGET, "GET /\x7f" REST);
	refuse(HTTP1_FAULT_TARGET, "GET http:///x" REST);
	refuse(HTTP1_FAULT_TARGET, "GET http://u@h/x" REST);
	refuse(HTTP1_FAULT_TARGET, "GET ftp://h/x" REST);
}

#define G "POST / HTTP/1.1\r\nHost: h\r\n"

TEST(header_lines_that_recipients_read_differently_are_refused)
{
	refuse(HTTP1_FAULT_BARE_LF, "GET / HTTP/1.1\nHost: h\r\n\r\n");
	refuse(HTTP1_FAULT_BARE_LF, G "a: b\n\r\n");
	refuse(HTTP1_FAULT_BARE_LF, G "a: b\r\n\n");
	refuse(HTTP1_FAULT_FIELD_LINE, G "nothing\r\n\r\n");
	refuse(HTTP1_FAULT_FIELD_NAME, G "Content-Length : 5\r\n\r\n");
	refuse(HTTP1_FAULT_FIELD_NAME, G "a b: c\r\n\r\n");
	refuse(HTTP1_FAULT_FIELD_NAME, G ": c\r\n\r\n");
	refuse(HTTP1_FAULT_FIELD_NAME, G ":path: /x\r\n\r\n");
	refuse(HTTP1_FAULT_FIELD_NAME, G "na\xc3\xafve: c\r\n\r\n");
	refuse(HTTP1_FAULT_FIELD_VALUE, G "a: b\rc: d\r\n\r\n");
	refuse(HTTP1_FAULT_FIELD_VALUE, G "a: b\x01\r\n\r\n");
	refuse(HTTP1_FAULT_FIELD_VALUE, G "a: b\x7f\r\n\r\n");
	refuse(HTTP1_FAULT_FIELD_FOLDED, G "a: b\r\n c\r\n\r\n");
	refuse(HTTP1_FAULT_FIELD_FOLDED, G "a: b\r\n\tc: d\r\n\r\n");
	check_bytes(G "a: b\0c\r\n\r\n", sizeof(G "a: b\0c\r\n\r\n") - 1, "DEAD field_value\n");
	check_bytes("GET /\0 HTTP/1.1\r\n", 17, "DEAD target\n");
}

TEST(a_request_without_exactly_one_valid_host_is_refused)
{
	refuse(HTTP1_FAULT_HOST, "GET / HTTP/1.1\r\n\r\n");
	refuse(HTTP1_FAULT_HOST, G "Host: h\r\n\r\n");
	refuse(HTTP1_FAULT_HOST, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n");
	refuse(HTTP1_FAULT_HOST, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
	refuse(HTTP1_FAULT_HOST, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n");
	refuse(HTTP1_FAULT_HOST, "GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n");
	refuse(HTTP1_FAULT_HOST, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n");
	refuse(HTTP1_FAULT_HOST, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n");
	refuse(HTTP1_FAULT_HOST, "GET / HTTP/1.0\r\nHost: a/b\r\n\r\n");
	refuse(HTTP1_FAULT_HOST, "GET http://h/ HTTP/1.1\r\n\r\n");
}

TEST(shapes_of_request_smuggling_are_refused)
{
#define CL "Content-Length: "
#define TE "Transfer-Encoding: "
	refuse(HTTP1_FAULT_LENGTH_AND_CHUNKED, G CL "5\r\n" TE "chunked\r\n\r\n0\r\n\r\n");
	refuse(HTTP1_FAULT_LENGTH_AND_CHUNKED, G TE "chunked\r\n" CL "5\r\n\r\n0\r\n\r\n");
	refuse(HTTP1_FAULT_CONTENT_LENGTH, G CL "5\r\n" CL "5\r\n\r\nhello");
	refuse(HTTP1_FAULT_CONTENT_LENGTH, G CL "5\r\n" CL "6\r\n\r\nhello");
	refuse(HTTP1_FAULT_CONTENT_LENGTH, G CL "5, 5\r\n\r\nhello");
	refuse(HTTP1_FAULT_CONTENT_LENGTH, G CL "+5\r\n\r\nhello");
	refuse(HTTP1_FAULT_CONTENT_LENGTH, G CL "-1\r\n\r\n");
	refuse(HTTP1_FAULT_CONTENT_LENGTH, G CL "0x5\r\n\r\nhello");
	refuse(HTTP1_FAULT_CONTENT_LENGTH, G CL "5 5\r\n\r\nhello");
	refuse(HTTP1_FAULT_CONTENT_LENGTH, G CL "\r\n\r\n");
	refuse(HTTP1_FAULT_CONTENT_LENGTH, G CL "1000000000000000000\r\n\r\n");
	refuse(HTTP1_FAULT_CONTENT_LENGTH, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n" CL "5\r\n\r\n");
	refuse(HTTP1_FAULT_TRANSFER_ENCODING, G TE "gzip\r\n\r\n");
	refuse(HTTP1_FAULT_TRANSFER_ENCODING, G TE "gzip, chunked\r\n\r\n");
	refuse(HTTP1_FAULT_TRANSFER_ENCODING, G TE "chunked, identity\r\n\r\n");
	refuse(HTTP1_FAULT_TRANSFER_ENCODING, G TE "xchunked\r\n\r\n");
	refuse(HTTP1_FAULT_TRANSFER_ENCODING, G TE "\"chunked\"\r\n\r\n");
	refuse(HTTP1_FAULT_TRANSFER_ENCODING, G TE "\r\n\r\n");
	refuse(HTTP1_FAULT_TRANSFER_ENCODING, G TE "chunked\r\n" TE "chunked\r\n\r\n");
	refuse(HTTP1_FAULT_TRANSFER_ENCODING, G TE "chunked\r\n" TE "identity\r\n\r\n");
	refuse(HTTP1_FAULT_TRANSFER_IN_1_0, "POST / HTTP/1.0\r\n" TE "chunked\r\n\r\n0\r\n\r\n");
	refuse(HTTP1_FAULT_FIELD_VALUE, G TE "\x0b"
					     "chunked\r\n\r\n");
	refuse(HTTP1_FAULT_CONNECTION,
		G "Connection: close, Content-Length\r\n" CL "5\r\n\r\nhello");
	refuse(HTTP1_FAULT_CONNECTION,
		G "Connection: transfer-encoding\r\n" TE "chunked\r\n\r\n0\r\n\r\n");
	refuse(HTTP1_FAULT_CONNECTION, G "Connection: host\r\n\r\n");
	refuse(HTTP1_FAULT_CONNECTION, G "Connection: a b\r\n\r\n");
	refuse(HTTP1_FAULT_CONNECTION, G "Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\r\n\r\n");
}

TEST(chunks_that_are_not_quite_right_end_the_connection)
{
	static const struct {
		enum http1_fault fault;
		const char *chunks, *data;
	} cases[] = {
		{HTTP1_FAULT_CHUNK_SIZE, "\r\n", ""},
		{HTTP1_FAULT_CHUNK_SIZE, "g\r\n", ""},
		{HTTP1_FAULT_CHUNK_SIZE, "-1\r\n", ""},
		{HTTP1_FAULT_CHUNK_SIZE, "0x1\r\na\r\n", ""},
		{HTTP1_FAULT_CHUNK_SIZE, " 1\r\na\r\n", ""},
		{HTTP1_FAULT_CHUNK_SIZE, "1 \r\na\r\n", ""},
		{HTTP1_FAULT_CHUNK_SIZE, "1;\x01\r\na\r\n", ""},
		{HTTP1_FAULT_CHUNK_SIZE, "1\r;\r\na\r\n", ""},
		{HTTP1_FAULT_CHUNK_SIZE, "1111111111111111\r\n", ""},
		{HTTP1_FAULT_BARE_LF, "1\na\r\n", ""},
		{HTTP1_FAULT_CHUNK_END, "1\r\nab\r\n", "DATA a\n"},
		{HTTP1_FAULT_BARE_LF, "1\r\na\n", "DATA a\n"},
		{HTTP1_FAULT_FIELD_FOLDED, "0\r\n a: b\r\n\r\n", ""},
		{HTTP1_FAULT_FIELD_NAME, "0\r\na : b\r\n\r\n", ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char input[256], want[256];
		snprintf(input, sizeof input, G TE "chunked\r\n\r\n%s", cases[i].chunks);
		snprintf(want, sizeof want,
			"HEAD :method=POST :scheme=http :authority=h :path=/\n%sDEAD %s\n",
			cases[i].data, http1_fault_name(cases[i].fault));
		check(input, want);
		provoked[cases[i].fault] = true;
	}
}

TEST(a_message_that_the_connection_cuts_off_is_a_fault_and_silence_before_one_is_not)
{
	refuse(HTTP1_FAULT_TRUNCATED, "GET / HT");
	refuse(HTTP1_FAULT_TRUNCATED, G "a: b\r\n");
	check("", "");
	check("\r\n", "");
	check(G CL "5\r\n\r\nhel", "HEAD :method=POST :scheme=http :authority=h :path=/ "
				   "content-length=5\nDATA hel\nDEAD truncated\n");
	check(G TE "chunked\r\n\r\n5\r\nhello\r\n", "HEAD :method=POST :scheme=http :authority=h "
						    ":path=/\nDATA hello\nDEAD truncated\n");
	check(G TE "chunked\r\n\r\n5\r\nhello\r\n0\r\na: b\r\n",
		"HEAD :method=POST :scheme=http :authority=h :path=/\nDATA hello\nDEAD "
		"truncated\n");
}

TEST(an_unknown_expectation_is_refused)
{
	refuse(HTTP1_FAULT_EXPECT, G "Expect: 200-maybe\r\n\r\n");
}

/* A request whose header list has exactly `list` bytes, or whose line has exactly `line`. */
TEST(a_request_line_at_its_limit_passes_and_a_longer_one_is_414)
{
	options.line_bytes = 30;
	check("GET /3456789012345678 HTTP/1.1\r\nHost: h\r\n\r\n",
		"HEAD :method=GET :scheme=http :authority=h "
		":path=/3456789012345678\nEND\nCLOSED\n");
	refuse(HTTP1_FAULT_TARGET_TOO_LONG, "GET /34567890123456789 HTTP/1.1\r\nHost: h\r\n\r\n");
	refuse(HTTP1_FAULT_TARGET_TOO_LONG, "GET /34567890123456789012345678901234567890");
	check("GET / HTTP/1.1\r\nHost: h\r\na: 456789012345678901234567890\r\n\r\n",
		GET_HEAD " a=456789012345678901234567890\nEND\nCLOSED\n");
	refuse(HTTP1_FAULT_LINE_TOO_LONG,
		"GET / HTTP/1.1\r\nHost: h\r\na: 4567890123456789012345678901\r\n\r\n");
	refuse(HTTP1_FAULT_LINE_TOO_LONG,
		"GET / HTTP/1.1\r\nHost: h\r\na: 45678901234567890123456789012345");
	options = http1_options_default();
}

TEST(header_bytes_at_their_limit_pass_and_one_more_is_431)
{
	/* RFC 9113 6.5.2: (7+3) + (7+4) + (10+0) + (5+1) + (4+1) + (1+1) + 6 * 32 */
	options.header_bytes = 10 + 11 + 10 + 6 + 5 + 2 + 6 * 32;
	check("GET / HTTP/1.1\r\nHost: h\r\na: b\r\n\r\n", GET_HEAD " a=b\nEND\nCLOSED\n");
	refuse(HTTP1_FAULT_FIELDS_TOO_LARGE, "GET / HTTP/1.1\r\nHost: h\r\na: bc\r\n\r\n");
	options = http1_options_default();
}

TEST(as_many_headers_as_allowed_pass_and_one_more_is_431)
{
	options.header_count = 6;
	check("GET / HTTP/1.1\r\nHost: h\r\na: b\r\n\r\n", GET_HEAD " a=b\nEND\nCLOSED\n");
	refuse(HTTP1_FAULT_FIELDS_TOO_MANY, "GET / HTTP/1.1\r\nHost: h\r\na: b\r\nc: d\r\n\r\n");
	check("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	      "chunked\r\n\r\n0\r\na:1\r\nb:1\r\nc:1\r\nd:1\r\ne:1\r\n"
	      "f:1\r\ng:1\r\n\r\n",
		"HEAD :method=POST :scheme=http :authority=h :path=/\nDEAD fields_too_many\n");
	options = http1_options_default();
}

TEST(names_and_chunk_extensions_have_limits_too)
{
	char input[800], name[260], want[400];
	memset(name, 'n', sizeof name);
	snprintf(input, sizeof input, "GET / HTTP/1.1\r\nHost: h\r\n%.256s: v\r\n\r\n", name);
	snprintf(want, sizeof want, GET_HEAD " %.256s=v\nEND\nCLOSED\n", name);
	check(input, want);
	snprintf(input, sizeof input, "GET / HTTP/1.1\r\nHost: h\r\n%.257s: v\r\n\r\n", name);
	refuse(HTTP1_FAULT_FIELD_NAME, input);
	const char *head = "HEAD :method=POST :scheme=http :authority=h :path=/\n";
	snprintf(input, sizeof input, G TE "chunked\r\n\r\n1;%.254s\r\na\r\n0\r\n\r\n", name);
	snprintf(want, sizeof want, "%sDATA a\nEND\nCLOSED\n", head);
	check(input, want);
	snprintf(input, sizeof input, G TE "chunked\r\n\r\n1;%.255s\r\na\r\n0\r\n\r\n", name);
	snprintf(want, sizeof want, "%sDEAD chunk_size\n", head);
	check(input, want);
}

TEST(every_fault_that_a_client_can_commit_was_provoked_above)
{
	for (unsigned f = 0; f < HTTP1_FAULT_COUNT; f++) {
		/* Servers' faults are in client_test.c, the owner's in write_test.c. */
		bool others = f == HTTP1_FAULT_STATUS_LINE || f == HTTP1_FAULT_SWITCHED ||
			      f == HTTP1_FAULT_UNASKED || f == HTTP1_FAULT_TOO_MANY_INFO ||
			      f >= HTTP1_FAULT_TIMEOUT;
		if (!others && !provoked[f])
			printf("# never: %s\n", http1_fault_name(f));
		CHECK(others || provoked[f]);
	}
}

TEST(first_bytes_are_told_apart_from_http2_and_from_noise)
{
	static const struct {
		const char *bytes;
		enum http1_guess guess;
	} cases[] = {
		{"", HTTP1_MAYBE},
		{"G", HTTP1_MAYBE},
		{"GET", HTTP1_MAYBE},
		{"GET ", HTTP1_MAYBE},
		{"GET /", HTTP1_YES},
		{"GET  /", HTTP1_NO},
		{"CONNECT a", HTTP1_YES},
		{"POST h", HTTP1_YES},
		{"M-SEARCH *", HTTP1_YES},
		{"PROPFIND /x", HTTP1_YES},
		{"PR", HTTP1_MAYBE},
		{"PRI", HTTP1_MAYBE},
		{"PRI ", HTTP1_NO},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP1_NO},
		{"PRIX /", HTTP1_YES},
		{"EHLO me", HTTP1_NO},
		{"SSH-2.0-x", HTTP1_NO},
		{"get /", HTTP1_NO},
		{"\x16\x03\x01", HTTP1_NO},
		{"\r\nGET /", HTTP1_NO},
		{" GET /", HTTP1_NO},
		{"AAAAAAAAAAAAAAAAAAAAA", HTTP1_NO},
		{"AAAAAAAAAAAAAAAAAAAA", HTTP1_MAYBE},
		{"AAAAAAAAAAAAAAAAAAAA /", HTTP1_YES},
		{"GET \x80", HTTP1_NO},
		{"{\"json\"}", HTTP1_NO},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum http1_guess got = http1_looks_like(cases[i].bytes, strlen(cases[i].bytes));
		if (got != cases[i].guess)
			printf("# for \"%s\"\n", cases[i].bytes);
		CHECK_EQ(got, cases[i].guess);
		/* What was decided stays so, and nothing is decided without need. */
		for (size_t n = 0; n < strlen(cases[i].bytes); n++) {
			enum http1_guess early = http1_looks_like(cases[i].bytes, n);
			CHECK(early == HTTP1_MAYBE || early == got);
		}
	}
	CHECK_EQ(http1_looks_like("GET\0/", 5), HTTP1_NO);
}

TAP_MAIN()
