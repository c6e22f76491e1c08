/* top_kit.h - pages for the tests of weir top: what an admin address answers. Tests only. */
#ifndef WEIR_CLI_TOP_KIT_H
#define WEIR_CLI_TOP_KIT_H
#include "cli/top_look.h"
#include "tap.h"

/* Three streams: one that moves, one whose client does not read, one that says nothing. */
#define KIT_LANE(messages, bytes, last, stalled)                                                   \
	"{\"messages\":" #messages ",\"bytes\":" #bytes ",\"last_message_ms\":" #last              \
	",\"queued_bytes\":0,\"stalled\":" stalled ",\"stalled_ms\":0,\"stalled_seconds\":{}}"
#define KIT_ENDS                                                                                   \
	"\"downstream\":{\"stream\":5,\"connection\":\"0-7\",\"send_window\":0,"                   \
	"\"receive_window\":65535,\"connection_send_window\":1048576},"                            \
	"\"upstream\":{\"stream\":9,\"connection\":\"0-8\",\"send_window\":4096,"                  \
	"\"receive_window\":65536,\"connection_send_window\":2048}"

static const char KIT_STREAMS[] =
	"{\"time\":1700000000.5,\"workers\":2,\"missing_workers\":[],\"total\":1200,\"shown\":3,"
	"\"streams\":["
	"{\"id\":\"0-1\",\"listener\":\"in\",\"route\":\"chat\",\"cluster\":\"a\","
	"\"protocol\":\"grpc\",\"service\":\"c.Chat\",\"method\":\"Talk\","
	"\"path\":\"/c.Chat/Talk\",\"authority\":\"chat.example\",\"client\":\"127.0.0.1:5000\","
	"\"endpoint\":\"127.0.0.1:9000\",\"age_ms\":61000,\"state\":\"open\","
	"\"sent\":" KIT_LANE(100, 2000, 1500, "null") ",\"received\":" KIT_LANE(300, 9000, 500,
		"null") "," KIT_ENDS "},"
			"{\"id\":\"1-2\",\"listener\":\"in\",\"route\":\"chat\",\"cluster\":\"a\","
			"\"protocol\":\"grpc\",\"service\":\"c.Chat\",\"method\":\"Sub\",\"path\":"
			"\"/c.Chat/Sub\","
			"\"authority\":\"chat.example\",\"client\":\"127.0.0.1:5001\","
			"\"endpoint\":\"127.0.0.1:9000\",\"age_ms\":7200000,\"state\":\"stalled\","
			"\"sent\":" KIT_LANE(1, 50, 7200000,
				"null") ",\"received\":"
					"{\"messages\":4000,\"bytes\":800000,\"last_message_ms\":"
					"42000,\"queued_bytes\":65536,"
					"\"stalled\":\"peer_stream_window\",\"stalled_ms\":42000,"
					"\"stalled_seconds\":{\"peer_stream_window\":42.5,"
					"\"socket\":1.25,\"rate_limit\":0}}," KIT_ENDS "},"
					"{\"id\":\"1-3\",\"listener\":\"in\",\"route\":\"feed\","
					"\"cluster\":\"b\","
					"\"protocol\":\"grpc\",\"path\":\"/f.Feed/"
					"Watch\",\"authority\":\"feed.example\","
					"\"client\":\"127.0.0.1:5002\",\"endpoint\":\"127.0.0.1:"
					"9001\",\"age_ms\":90000000,"
					"\"state\":\"silent\",\"sent\":" KIT_LANE(1, 10, 90000000,
						"null") ",\"received\":" KIT_LANE(0, 0, null,
						"null") "," KIT_ENDS "}]}";

static inline bool kit_read(
	struct top_look *l, enum top_view_id view, const char *path, const char *body, double s)
{
	char why[TOP_WHY_MAX] = "";
	bool good = top_look_read(
		l, &top_views[view], path, body, strlen(body), (uint64_t)(s * 1e9), why);
	if (!good)
		printf("# %s\n", why);
	return good;
}
#endif
