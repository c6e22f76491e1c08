#include "filter/limit.h"
#include "filter/filter_kit.h"

TEST(a_message_announced_above_the_limit_ends_its_call_with_both_numbers)
{
	static const struct {
		const char *bytes;
		uint32_t len;
	} rows[] = {{"\0\0\0\3\xe9zzz", 8}, {"\0\xff\xff\xff\xff", 5}};
	static const char *const sizes[] = {"1001", "4294967295"};
	for (unsigned i = 0; i < 4; i++) {
		char want[128];
		const char *lane = i < 2 ? "request" : "response";
		snprintf(want, sizeof want,
			"a %s message of %s bytes is larger than limits.message_bytes (1000)", lane,
			sizes[i % 2]);
		world_init(100);
		struct call *c = grpc_call(&named, "/a.B/C");
		if (i < 2) {
			request(c, rows[i % 2].bytes, rows[i % 2].len, false);
		} else {
			response_head(c);
			response(c, rows[i % 2].bytes, rows[i % 2].len, false);
		}
		CHECK_STR(told.grpc_message, want);
		CHECK(told.ended && served.aborted && served.data_bytes + told.data_bytes == 0);
		finish(c);
		CHECK_EQ(completed("named", "a.B", "C", "RESOURCE_EXHAUSTED"), 1);
		CHECK_EQ(of("named", "a.B", "C", M_TRUNCATED_MESSAGES), 1);
		const char *labels[] = {"in", "message_bytes"};
		CHECK_EQ(metrics_read(metrics, M_LOCAL_REPLIES, labels), 1);
		world_fini();
	}
}

TEST(a_message_as_large_as_the_limit_passes_and_a_whole_one_above_it_does_not)
{
	world_init(100);
	char message[1010] = "\0\0\0\3\xe8"; /* 1000 */
	struct call *c = grpc_call(&named, "/a.B/C");
	request(c, message, 1005, false);
	CHECK_EQ(served.data_bytes, 1005);
	message[4] = (char)0xe9;
	request(c, message, 1006, false);
	CHECK_EQ(served.data_bytes, 1005);
	CHECK(served.aborted);
	finish(c);
	CHECK_EQ(of("named", "a.B", "C", M_SENT_MESSAGES), 2);
	CHECK_EQ(of("named", "a.B", "C", M_TRUNCATED_MESSAGES), 0);
	world_fini();
}

TEST(a_connect_unary_body_that_grows_above_the_limit_ends_its_call)
{
	world_init(100);
	char body[600] = "";
	struct call *c = call_with(
		&named, FIELDS(":path", "/a.B/C", "connect-protocol-version", "1"), false);
	request(c, body, 600, false);
	CHECK(!served.aborted);
	request(c, body, 600, false);
	CHECK(served.aborted);
	finish(c);
	world_fini();
}

TAP_MAIN()
