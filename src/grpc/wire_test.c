#include "grpc/frame.h"
#include "tap.h"

static struct fields *head_of(const char *const *pairs)
{
	struct fields *f = fields_create();
	for (; f && pairs[0]; pairs += 2)
		if (fields_add(f, pairs[0], strlen(pairs[0]), pairs[1], strlen(pairs[1])) < 0)
			abort();
	return f;
}

struct row {
	const char *head[9];
	enum grpc_wire want;
};

static const struct row requests[] = {
	{{"content-type", "application/grpc"}, GRPC_WIRE_GRPC},
	{{"content-type", "application/grpc+proto"}, GRPC_WIRE_GRPC},
	{{"content-type", "application/grpc;charset=utf-8"}, GRPC_WIRE_GRPC},
	{{"content-type", "application/grpc ; a=b"}, GRPC_WIRE_GRPC},
	{{"content-type", "Application/GRPC+JSON"}, GRPC_WIRE_GRPC},
	{{"content-type", "application/grpc-web"}, GRPC_WIRE_WEB},
	{{"content-type", "application/grpc-web+proto"}, GRPC_WIRE_WEB},
	{{"content-type", "application/grpc-web+proto; x=y"}, GRPC_WIRE_WEB},
	{{"content-type", "application/grpc-web-text"}, GRPC_WIRE_WEB_TEXT},
	{{"content-type", "application/grpc-web-text+proto"}, GRPC_WIRE_WEB_TEXT},
	{{"content-type", "application/connect+proto"}, GRPC_WIRE_CONNECT_STREAM},
	{{"content-type", "application/connect+json"}, GRPC_WIRE_CONNECT_STREAM},
	{{"content-type", "application/grpcx"}, GRPC_WIRE_NONE},
	{{"content-type", "application/grpc-websocket"}, GRPC_WIRE_NONE},
	{{"content-type", "application/grp"}, GRPC_WIRE_NONE},
	{{"content-type", "application/json"}, GRPC_WIRE_NONE},
	{{"content-type", ""}, GRPC_WIRE_NONE},
	{{NULL}, GRPC_WIRE_NONE},
	{{"content-type", "application/json", "connect-protocol-version", "1"},
		GRPC_WIRE_CONNECT_UNARY},
	{{"content-type", "application/proto", "connect-protocol-version", "1"},
		GRPC_WIRE_CONNECT_UNARY},
	{{"content-type", "application/connect+proto", "connect-protocol-version", "1"},
		GRPC_WIRE_CONNECT_STREAM},
	{{"content-type", "application/json", "connect-protocol-version", "2"}, GRPC_WIRE_NONE},
	{{":method", "GET", ":path", "/a.B/C?connect=v1&message=x"}, GRPC_WIRE_CONNECT_UNARY},
	{{":method", "GET", ":path", "/a.B/C?message=x&connect=v1"}, GRPC_WIRE_CONNECT_UNARY},
	{{":method", "GET", ":path", "/a.B/C?connect=v12"}, GRPC_WIRE_NONE},
	{{":method", "GET", ":path", "/a.B/C?xconnect=v1"}, GRPC_WIRE_NONE},
	{{":method", "GET", ":path", "/a.B/C?"}, GRPC_WIRE_NONE},
	{{":method", "GET", ":path", "/a.B/C?a&b&"}, GRPC_WIRE_NONE},
	{{":method", "GET", ":path", "/connect=v1"}, GRPC_WIRE_NONE},
	{{":method", "POST", ":path", "/a.B/C?connect=v1"}, GRPC_WIRE_NONE},
};

TEST(a_request_tells_its_wire_by_its_content_type_in_any_case_and_with_parameters)
{
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		struct fields *head = head_of(requests[i].head);
		REQUIRE(head);
		enum grpc_wire got = grpc_wire_of_request(head);
		if (got != requests[i].want)
			printf("# row %zu: %s\n", i,
				requests[i].head[0] ? requests[i].head[1] : "");
		CHECK_EQ(got, requests[i].want);
		fields_destroy(head);
	}
}

static const struct {
	enum grpc_wire request;
	struct row row;
} responses[] = {
	{GRPC_WIRE_GRPC, {{":status", "200", "content-type", "application/grpc"}, GRPC_WIRE_GRPC}},
	{GRPC_WIRE_GRPC, {{":status", "200"}, GRPC_WIRE_GRPC}},
	{GRPC_WIRE_GRPC, {{":status", "503"}, GRPC_WIRE_NONE}},
	{GRPC_WIRE_GRPC, {{":status", "200", "content-type", "text/html"}, GRPC_WIRE_NONE}},
	{GRPC_WIRE_WEB,
		{{":status", "200", "content-type", "application/grpc-web+proto"}, GRPC_WIRE_WEB}},
	{GRPC_WIRE_WEB, {{":status", "200", "content-type", "application/grpc-web-text"},
				GRPC_WIRE_WEB_TEXT}},
	{GRPC_WIRE_CONNECT_STREAM, {{":status", "200", "content-type", "application/connect+proto"},
					   GRPC_WIRE_CONNECT_STREAM}},
	{GRPC_WIRE_CONNECT_UNARY,
		{{":status", "200", "content-type", "application/proto"}, GRPC_WIRE_CONNECT_UNARY}},
	{GRPC_WIRE_CONNECT_UNARY,
		{{":status", "404", "content-type", "application/json"}, GRPC_WIRE_NONE}},
	{GRPC_WIRE_NONE, {{":status", "200", "content-type", "application/grpc"}, GRPC_WIRE_NONE}},
};

TEST(a_response_tells_its_own_wire_and_errors_of_plain_HTTP_have_none)
{
	for (size_t i = 0; i < sizeof responses / sizeof responses[0]; i++) {
		struct fields *head = head_of(responses[i].row.head);
		REQUIRE(head);
		enum grpc_wire got = grpc_wire_of_response(responses[i].request, head);
		if (got != responses[i].row.want)
			printf("# row %zu\n", i);
		CHECK_EQ(got, responses[i].row.want);
		fields_destroy(head);
	}
	fields_cache_purge();
}

TAP_MAIN()
