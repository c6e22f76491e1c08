#include "filter/body_status.h"
#include "call/ending.h"
#include "filter/filter_kit.h"

static const struct call_filter *const with_status[] = {&filter_count, &filter_body_status, NULL};

static void begin(void)
{
	world_init(100);
	env.filters = with_status;
}

static struct call *post(const char *type)
{
	return call_with(
		&named, FIELDS(":method", "POST", ":path", "/a.B/C", "content-type", type), true);
}

static void head(struct call *c, const char *status, const char *type)
{
	response_fields(c, EVENT_HEAD, FIELDS(":status", status, "content-type", type), false);
}

/* A message, then the last envelope. */
#define WEB_NOT_FOUND   "\0\0\0\0\1a\x80\0\0\0\xfgrpc-status:5\r\n"
#define WEB_TEXT_OK     "AAAAAAFhgAAAAA9ncnBjLXN0YXR1czowDQo="
#define CONNECT_ABORTED "\0\0\0\0\1a\2\0\0\0\x1c{\"error\":{\"code\":\"aborted\"}}"
#define CONNECT_OK      "\0\0\0\0\1a\2\0\0\0\2{}"
#define CONNECT_CUT     "\0\0\0\0\1a\3\0\0\0\2\x1f\x8b" /* no whole gzip */
/* The same as gzip. */
#define WEB_GZIP                                                                                   \
	"\0\0\0\0\1a"                                                                              \
	"\x81\0\0\0\x23"                                                                           \
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\x4b\x2f\x2a\x48\xd6\x2d"                         \
	"\x2e\x49\x2c\x29\x2d\xb6\x32\xe5\xe5\x02\x00\x85\x68\x5a\x14\x0f"                         \
	"\x00\x00\x00"
#define CONNECT_GZIP                                                                               \
	"\0\0\0\0\1a"                                                                              \
	"\x03\0\0\0\x30"                                                                           \
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xab\x56\x4a\x2d\x2a\xca"                         \
	"\x2f\x52\xb2\xaa\x56\x4a\xce\x4f\x49\x55\xb2\x52\x4a\x4c\xca\x2f"                         \
	"\x2a\x49\x4d\x51\xaa\xad\x05\x00\xba\xe8\x71\x15\x1c\x00\x00\x00"
/* {"code":"out_of_range"} */
#define ERROR_GZIP                                                                                 \
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xab\x56\x4a\xce\x4f\x49"                         \
	"\x55\xb2\x52\xca\x2f\x2d\x89\xcf\x4f\x8b\x2f\x4a\xcc\x4b\x4f\x55"                         \
	"\xaa\x05\x00\x03\x68\xdd\x7c\x17\x00\x00\x00"
#define BODY(text) text, sizeof(text) - 1

static const struct {
	const char *type, *body;
	uint32_t len;
	const char *status;
} streams[] = {
	{"application/grpc-web+proto", BODY(WEB_NOT_FOUND), "NOT_FOUND"},
	{"application/grpc-web-text", BODY(WEB_TEXT_OK), "OK"},
	{"application/connect+proto", BODY(CONNECT_ABORTED), "ABORTED"},
	{"application/connect+json", BODY(CONNECT_OK), "OK"},
	{"application/connect+json", BODY(CONNECT_CUT), "UNKNOWN"},
	{"application/grpc-web", BODY(WEB_GZIP), "NOT_FOUND"},
	{"application/connect+json", BODY(CONNECT_GZIP), "ABORTED"},
};

TEST(the_status_in_the_last_envelope_is_the_calls_however_the_body_is_cut)
{
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		for (uint32_t step = 1; step <= streams[i].len; step++) {
			begin();
			struct call *c = post(streams[i].type);
			head(c, "200", streams[i].type);
			for (uint32_t at = 0, n; at < streams[i].len; at += n) {
				n = step < streams[i].len - at ? step : streams[i].len - at;
				response(c, streams[i].body + at, n, at + n == streams[i].len);
			}
			CHECK_EQ(call_ending(c), ENDING_COMPLETE);
			CHECK_EQ(told.data_bytes, streams[i].len);
			CHECK(told.ended);
			finish(c);
			CHECK_EQ(of("named", "a.B", "C", M_RECEIVED_MESSAGES), 1);
			CHECK_EQ(completed("named", "a.B", "C", streams[i].status), 1);
			world_fini();
		}
	}
}

TEST(a_stream_that_ends_before_its_last_envelope_does_has_no_status)
{
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		begin();
		struct call *c = post(streams[i].type);
		head(c, "200", streams[i].type);
		response(c, streams[i].body, streams[i].len - 5, true);
		CHECK_EQ(c->grpc_status, -1);
		CHECK_EQ(call_ending(c), ENDING_NO_STATUS);
		finish(c);
		CHECK_EQ(completed("named", "a.B", "C", "UNKNOWN"), 1);
		world_fini();
	}
}

TEST(an_answer_that_is_not_RPC_is_complete_and_has_the_status_of_HTTP)
{
	begin();
	struct call *c = post("application/grpc-web");
	head(c, "503", "text/html");
	response(c, "<html>", 6, true);
	CHECK_EQ(c->grpc_status, -1);
	CHECK_EQ(call_ending(c), ENDING_COMPLETE);
	finish(c);
	CHECK_EQ(completed("named", "a.B", "C", "UNAVAILABLE"), 1);
	world_fini();
}

TEST(gRPC_Web_without_a_message_has_its_status_in_the_head)
{
	for (int end = 0; end < 2; end++) {
		begin();
		struct call *c = post("application/grpc-web");
		response_fields(c, EVENT_HEAD,
			FIELDS(":status", "200", "content-type", "application/grpc-web",
				"grpc-status", "7"),
			end);
		if (!end)
			response(c, "", 0, true);
		CHECK_EQ(c->grpc_status, GRPC_PERMISSION_DENIED);
		CHECK_EQ(call_ending(c), ENDING_COMPLETE);
		finish(c);
		world_fini();
	}
}

TEST(a_unary_connect_call_has_the_code_of_its_error_or_the_status_of_HTTP)
{
	static const struct {
		const char *http, *type, *body;
		enum grpc_status status;
	} rows[] = {
		{"200", "application/json", "{\"code\":\"aborted\"}", GRPC_OK}, /* an answer */
		{"400", "application/json", "{\"code\":\"out_of_range\"}", GRPC_OUT_OF_RANGE},
		{"409", "application/json", "{\"message\":\"m\",\"code\":\"aborted\"}",
			GRPC_ABORTED},
		{"404", "application/json; charset=utf-8", "{}", GRPC_UNIMPLEMENTED},
		{"503", "text/html", "{\"code\":\"aborted\"}", GRPC_UNAVAILABLE},
		{"304", "application/proto", "", GRPC_OK},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		begin();
		struct call *c = call_with(&named,
			FIELDS(":method", "POST", ":path", "/a.B/C", "content-type",
				"application/json", "connect-protocol-version", "1"),
			true);
		head(c, rows[i].http, rows[i].type);
		for (const char *at = rows[i].body; *at; at++)
			response(c, at, 1, false);
		response(c, "", 0, true);
		CHECK_EQ(c->grpc_status, rows[i].status);
		CHECK_EQ(call_ending(c), ENDING_COMPLETE);
		finish(c);
		CHECK_EQ(completed("named", "a.B", "C", grpc_status_name(rows[i].status)), 1);
		world_fini();
	}
}

TEST(a_compressed_error_of_a_unary_connect_call_has_its_code_when_it_is_whole)
{
	static const char error[] = ERROR_GZIP;
	for (uint32_t cut = 0; cut < 2; cut++) {
		begin();
		struct call *c = call_with(&named,
			FIELDS(":method", "POST", ":path", "/a.B/C", "content-type",
				"application/json", "connect-protocol-version", "1"),
			true);
		response_fields(c, EVENT_HEAD,
			FIELDS(":status", "503", "content-type", "application/json",
				"content-encoding", "gzip"),
			false);
		for (uint32_t at = 0; at < sizeof(error) - 1 - cut; at++)
			response(c, error + at, 1, false);
		CHECK_EQ(c->grpc_status, -1);
		response_fields(c, EVENT_TRAILERS, FIELDS("x", "y"), true);
		CHECK_EQ(c->grpc_status, cut ? GRPC_UNAVAILABLE : GRPC_OUT_OF_RANGE);
		finish(c);
		world_fini();
	}
}

TEST(a_call_that_is_cut_off_inside_a_compressed_envelope_leaves_nothing_behind)
{
	begin();
	struct call *c = post("application/connect+json");
	head(c, "200", "application/connect+json");
	response(c, CONNECT_GZIP, sizeof(CONNECT_GZIP) - 9, false);
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_CANCEL);
	finish(c);
	world_fini(); /* counts the blocks */
}

TEST(an_answer_of_weirs_own_keeps_its_reason)
{
	begin();
	struct call *c = call_with(&named,
		FIELDS(":method", "POST", ":path", "/a.B/C", "content-type", "application/json",
			"connect-protocol-version", "1"),
		true);
	call_fail(c, REASON_MEMORY_BUDGET, "too much");
	CHECK_EQ(call_ending(c), ENDING_MEMORY_BUDGET);
	finish(c);
	CHECK_EQ(completed("named", "a.B", "C", "RESOURCE_EXHAUSTED"), 1);
	world_fini();
}

TEST(calls_of_gRPC_and_calls_that_are_no_RPC_do_not_have_this_stage)
{
	static const char *const types[] = {"application/grpc", "application/grpc+proto; a=b",
		"application/grpc ", "text/html"};
	begin();
	for (size_t i = 0; i < 4; i++) {
		struct call *c = post(types[i]);
		CHECK_EQ(c->stage_count, 1);
		call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_CANCEL);
		finish(c);
	}
	struct call *c = post("application/grpc-web");
	CHECK_EQ(c->stage_count, 2);
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_CANCEL);
	finish(c);
	world_fini();
}

TAP_MAIN()
