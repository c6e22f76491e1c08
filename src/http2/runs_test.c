/* runs_test.c - small DATA frames of one stream in one feed are one event, and nothing else
 * changes. */
#include "engine_kit.h"

static struct kit_bytes talk;

/* A server with `streams` open requests; the events so far are forgotten. */
static struct kit *with_streams(unsigned streams)
{
	struct kit *k = kit_create(NULL, NULL);
	kit_preface(&talk);
	for (unsigned i = 0; i < streams; i++)
		kit_headers(&talk, 1 + 2 * i, 0);
	kit_feed(k, &k->b, talk.at, talk.len);
	CHECK_EQ(kit_count(&k->b, H2_EV_MESSAGE), streams);
	return k;
}

static void say_data(uint32_t id, const char *text, uint8_t flags)
{
	kit_frame(&talk, H2_FRAME_DATA, flags, id, text, strlen(text));
}

/* The events of one kind behind the first `from`, as "id:bytes " in order. */
static void told(struct kit_side *side, int from, char *out, size_t cap)
{
	size_t len = 0;
	out[0] = 0;
	for (int i = from; i < side->count; i++) {
		struct h2_event *ev = &side->events[i];
		if (ev->kind == H2_EV_MESSAGE)
			len += (size_t)snprintf(out + len, cap - len, "%u:%s%u%s ",
				h2_stream_id(ev->stream), ev->ev.kind == EVENT_DATA ? "" : "head",
				ev->ev.data.len, ev->ev.end ? "!" : "");
		else
			len += (size_t)snprintf(out + len, cap - len, "kind%d ", (int)ev->kind);
	}
}

static void check_told(struct kit_side *side, int from, const char *want)
{
	char got[512];
	told(side, from, got, sizeof(got));
	CHECK_STR(got, want);
}

TEST(frames_of_streams_in_turn_come_as_one_event_a_stream)
{
	struct kit *k = with_streams(3);
	int from = k->b.count;
	uint64_t frames = k->books.frames_in;
	talk.len = 0;
	say_data(1, "a1", 0);
	say_data(3, "b1", 0);
	say_data(1, "a22", 0);
	say_data(5, "c1", 0);
	say_data(3, "b22", 0);
	say_data(1, "a333", 0);
	kit_feed(k, &k->b, talk.at, talk.len);
	check_told(&k->b, from, "1:9 3:5 5:2 ");
	CHECK_MEM(k->b.data, k->b.data_len, "a1a22a333b1b22c1", 16);
	CHECK_EQ(k->books.frames_in - frames, 6);
	kit_destroy(k);
}

/* Frames of the streams in `ids`, of as many bytes as there were frames before; the events. */
static void feed_in_turn(struct kit *k, const char *ids, const char *want)
{
	int from = k->b.count;
	talk.len = 0;
	for (uint32_t i = 0; ids[i]; i++)
		kit_frame(&talk, H2_FRAME_DATA, 0, (uint32_t)(ids[i] - '0'), "0123456789abcdef",
			i + 1);
	kit_feed(k, &k->b, talk.at, talk.len);
	check_told(&k->b, from, want);
	CHECK(k->b.conn->runs == NULL);
}

TEST(streams_that_come_once_a_feed_are_told_frame_by_frame_until_one_comes_twice)
{
	struct kit *k = with_streams(4);
	feed_in_turn(k, "135", "1:1 3:2 5:3 ");
	CHECK(k->b.conn->singly); /* nothing was joined */
	feed_in_turn(k, "531", "5:1 3:2 1:3 ");
	feed_in_turn(k, "7", "7:1 ");
	CHECK(k->b.conn->singly);
	feed_in_turn(k, "1351357", "1:1 3:2 5:3 1:4 3:5 5:6 7:7 ");
	CHECK(!k->b.conn->singly);
	feed_in_turn(k, "1351357", "1:5 3:7 5:9 7:7 ");
	CHECK(!k->b.conn->singly);
	feed_in_turn(k, "7531", "7:1 5:2 3:3 1:4 ");
	CHECK(k->b.conn->singly);
	feed_in_turn(k, "13331", "1:1 3:2 3:7 1:5 ");
	CHECK(!k->b.conn->singly);
	kit_destroy(k);
}

TEST(a_stream_that_is_given_up_between_single_frames_is_not_heard_of_again)
{
	struct kit *k = with_streams(3);
	struct h2_event ev;
	struct h2_stream *s = k->b.events[2].stream;
	CHECK_EQ(h2_stream_id(s), 3);
	feed_in_turn(k, "135", "1:1 3:2 5:3 ");
	talk.len = 0;
	say_data(1, "one", 0);
	say_data(3, "two", 0);
	say_data(5, "three", 0);
	h2_conn_feed(k->b.conn, kit_slice(talk.at, talk.len), k->now_ns);
	REQUIRE(h2_conn_poll(k->b.conn, &ev));
	CHECK(!k->b.conn->runs && h2_stream_id(ev.stream) == 1);
	kit_take(&k->b, &ev);
	h2_stream_reset(s, H2_CANCEL);
	h2_stream_release(s);
	int from = k->b.count;
	kit_poll(&k->b);
	check_told(&k->b, from, "5:5 ");
	kit_destroy(k);
}

TEST(a_run_comes_before_whatever_follows_it)
{
	struct kit *k = with_streams(2);
	int from = k->b.count;
	talk.len = 0;
	say_data(1, "one", 0);
	say_data(3, "two", 0);
	say_data(1, "three", 0);
	say_data(1, "end", H2_FLAG_END_STREAM);
	say_data(3, "four", 0);
	kit_headers(&talk, 5, 0);
	say_data(3, "five", 0);
	kit_frame(&talk, H2_FRAME_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
	kit_feed(k, &k->b, talk.at, talk.len);
	char want[64];
	snprintf(want, sizeof(want), "1:8 3:3 1:3! 3:4 5:head0 3:4 kind%d ", (int)H2_EV_GOAWAY);
	check_told(&k->b, from, want);
	kit_destroy(k);
}

TEST(content_with_the_end_is_an_event_of_its_own_and_ends_its_stream)
{
	struct kit *k = with_streams(3);
	int from = k->b.count;
	talk.len = 0;
	say_data(1, "first", H2_FLAG_END_STREAM);
	say_data(3, "second", H2_FLAG_END_STREAM);
	kit_headers(&talk, 7, 0);
	say_data(5, "alone", 0);
	kit_headers(&talk, 9, 0);
	kit_feed(k, &k->b, talk.at, talk.len);
	check_told(&k->b, from, "1:5! 3:6! 7:head0 5:5 9:head0 ");
	CHECK_MEM(k->b.data, k->b.data_len, "firstsecondalone", 16);
	CHECK(k->b.conn->runs == NULL);
	from = k->b.count;
	talk.len = 0;
	say_data(1, "late", 0); /* RFC 9113 5.1: half-closed (remote) */
	kit_feed(k, &k->b, talk.at, talk.len);
	CHECK_EQ(k->b.count - from, 1);
	CHECK_EQ(k->b.events[from].kind, H2_EV_RESET);
	CHECK_EQ(k->b.events[from].fault, H2_FAULT_HALF_CLOSED);
	kit_destroy(k);
}

TEST(a_run_that_is_full_and_a_table_that_is_full_lose_nothing)
{
	enum { STREAMS = H2_RUNS + 20, ROUNDS = 5 };
	static char text[400];
	struct kit *k = with_streams(STREAMS);
	memset(text, 'x', sizeof(text) - 1);
	for (int size = 3; size < 400; size += 132) {
		int from = k->b.count;
		size_t sum = 0;
		text[size] = 0;
		talk.len = 0;
		for (int round = 0; round < ROUNDS; round++)
			for (uint32_t i = 0; i < STREAMS && talk.len < sizeof(talk.at) - 1000;
				i++) {
				say_data(1 + 2 * i, text, 0);
				sum += (size_t)size;
			}
		text[size] = 'x';
		size_t before = k->b.data_len;
		kit_feed(k, &k->b, talk.at, talk.len);
		CHECK_EQ(k->b.data_len - before, sum);
		for (int i = from; i < k->b.count; i++)
			CHECK(k->b.events[i].ev.data.len % (uint32_t)size == 0);
		kit_forget(&k->b);
	}
	kit_destroy(k);
}

/* Polls one event and leaves the rest of the runs pending. */
static struct h2_stream *poll_one(struct kit *k)
{
	struct h2_event ev;
	h2_conn_feed(k->b.conn, kit_slice(talk.at, talk.len), k->now_ns);
	CHECK(h2_conn_poll(k->b.conn, &ev));
	kit_take(&k->b, &ev);
	return ev.stream;
}

static void say_two_rounds(void)
{
	talk.len = 0;
	for (int round = 0; round < 2; round++)
		for (uint32_t id = 1; id <= 5; id += 2)
			say_data(id, "text", 0);
}

static void reset_it(struct kit *k, struct h2_stream *s)
{
	h2_stream_reset(s, H2_CANCEL);
}
static void release_it(struct kit *k, struct h2_stream *s)
{
	h2_stream_release(s);
}
/* With NO_ERROR a reset waits for what is queued; nothing more is wanted all the same. */
static void reset_behind_an_answer(struct kit *k, struct h2_stream *s)
{
	kit_push_fields(s, EVENT_HEAD, KIT_RESPONSE, false);
	kit_push_data(s, "answer", 6, true);
	h2_stream_reset(s, H2_NO_ERROR);
}

TEST(a_stream_that_is_given_up_while_its_run_waits_is_not_heard_of_again)
{
	void (*const ways[])(struct kit *, struct h2_stream *) = {
		reset_it, release_it, reset_behind_an_answer};
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		struct kit *k = with_streams(3);
		struct h2_stream *second = k->b.events[2].stream;
		int from = k->b.count;
		CHECK_EQ(h2_stream_id(second), 3);
		say_two_rounds();
		CHECK_EQ(h2_stream_id(poll_one(k)), 1);
		ways[i](k, second);
		kit_poll(&k->b);
		check_told(&k->b, from, "1:8 5:8 ");
		kit_destroy(k);
	}
}

TEST(a_connection_that_dies_drops_the_runs_that_wait)
{
	struct kit *k = with_streams(3);
	say_two_rounds();
	CHECK_EQ(h2_stream_id(poll_one(k)), 1);
	int from = k->b.count;
	h2_conn_kill(k->b.conn, H2_INTERNAL_ERROR, "test");
	kit_poll(&k->b);
	char want[32];
	snprintf(want, sizeof(want), "kind%d ", (int)H2_EV_DEAD);
	check_told(&k->b, from, want);
	kit_destroy(k);
}

TEST(a_connection_may_be_destroyed_with_runs_that_wait)
{
	struct kit *k = with_streams(3);
	say_two_rounds();
	CHECK_EQ(h2_stream_id(poll_one(k)), 1);
	kit_destroy(k); /* checks that nothing is left */
}

TEST(a_frame_beyond_its_stream_window_ends_the_stream_behind_its_run)
{
	struct h2_options o = h2_options_default(H2_SERVER);
	o.stream_window_bytes = 65535;
	struct kit *k = kit_create(NULL, &o);
	static char big[16000];
	memset(big, 'x', sizeof(big) - 1);
	k->b.auto_credit = false;
	kit_preface(&talk);
	kit_headers(&talk, 1, 0);
	for (int i = 0; i < 5; i++)
		say_data(1, big, 0);
	kit_feed(k, &k->b, talk.at, talk.len);
	CHECK_EQ(k->b.data_len, 4 * (sizeof(big) - 1));
	CHECK_EQ(kit_last(&k->b, H2_EV_RESET)->code, H2_FLOW_CONTROL_ERROR);
	kit_destroy(k);
}

/* A server with stream windows of `window` bytes, one open request, and nobody who gives credit. */
static struct kit *with_window(uint32_t window)
{
	struct h2_options o = h2_options_default(H2_SERVER);
	o.stream_window_bytes = window;
	struct kit *k = kit_create(NULL, &o);
	k->b.auto_credit = false;
	kit_preface(&talk);
	kit_frame(&talk, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, "", 0);
	kit_headers(&talk, 1, 0);
	kit_feed(k, &k->b, talk.at, talk.len);
	return k;
}

TEST(each_frame_of_a_run_is_held_to_the_stream_window)
{
	for (uint32_t fit = 1; fit <= 6; fit++) {
		struct kit *k = with_window(4 * fit + 3);
		talk.len = 0;
		for (uint32_t i = 0; i < fit; i++)
			say_data(1, "text", 0);
		kit_feed(k, &k->b, talk.at, talk.len);
		CHECK_EQ(k->b.data_len, 4 * fit);
		CHECK_EQ(kit_count(&k->b, H2_EV_RESET), 0);
		kit_destroy(k);

		k = with_window(4 * fit + 3);
		talk.len = 0;
		for (uint32_t i = 0; i <= fit; i++)
			say_data(1, "text", 0);
		kit_feed(k, &k->b, talk.at, talk.len);
		CHECK_EQ(k->b.data_len, 4 * fit);
		CHECK_EQ(kit_last(&k->b, H2_EV_RESET)->code, H2_FLOW_CONTROL_ERROR);
		kit_destroy(k);
	}
}

TEST(a_run_is_paid_for_by_the_time_its_first_event_is_told)
{
	struct kit *k = with_streams(3);
	k->b.auto_credit = false;
	struct h2_stream_info before[3], after;
	for (int i = 0; i < 3; i++)
		h2_stream_inspect(k->b.events[1 + i].stream, &before[i]);
	uint64_t frames = k->books.frames_in, bytes = k->books.data_bytes_in;
	say_two_rounds();
	for (int i = 0; i < 2; i++)
		for (uint32_t id = 1; id <= 5; id += 2)
			say_data(id, "more", 0);
	poll_one(k);
	for (int i = 0; i < 3; i++) {
		h2_stream_inspect(k->b.events[1 + i].stream, &after);
		CHECK_EQ(before[i].receive_window_bytes - after.receive_window_bytes, 16);
	}
	CHECK_EQ(k->books.frames_in - frames, 12);
	CHECK_EQ(k->books.data_bytes_in - bytes, 48);
	kit_poll(&k->b);
	CHECK_EQ(k->b.data_len, 48);
	kit_destroy(k);
}

TEST(streams_whose_ids_end_alike_have_runs_of_their_own)
{
	struct kit *k = with_streams(260);
	int from = k->b.count;
	talk.len = 0;
	for (int i = 0; i < 4; i++) {
		say_data(1, "a", 0);
		say_data(257, "bb", 0);
		say_data(513, "ccc", 0);
		say_data(0x80000000u | 257, "R", 0); /* the reserved bit is ignored (4.1) */
	}
	kit_feed(k, &k->b, talk.at, talk.len);
	size_t bytes = k->b.data_len;
	CHECK_EQ(bytes, 4 * 7);
	int of[3] = {0};
	for (int i = from; i < k->b.count; i++) {
		uint32_t id = h2_stream_id(k->b.events[i].stream);
		CHECK(id == 1 || id == 257 || id == 513);
		of[id / 256] += (int)k->b.events[i].ev.data.len;
	}
	CHECK_EQ(of[0], 4);
	CHECK_EQ(of[1], 12);
	CHECK_EQ(of[2], 12);
	kit_destroy(k);
}

TEST(a_run_ends_where_the_connection_needs_a_window_update)
{
	struct h2_options o = h2_options_default(H2_SERVER);
	o.conn_window_bytes = 65535;
	struct kit *k = kit_create(NULL, &o);
	static char text[1001];
	memset(text, 'x', sizeof(text) - 1);
	kit_preface(&talk);
	kit_headers(&talk, 1, 0);
	kit_feed(k, &k->b, talk.at, talk.len);
	size_t sum = 0;
	for (int feed = 0; feed < 20; feed++) { /* more than the window in all */
		talk.len = 0;
		for (int i = 0; i < 7; i++, sum += 1000)
			say_data(1, text, 0);
		kit_feed(k, &k->b, talk.at, talk.len);
	}
	CHECK_EQ(k->b.data_len, sum);
	CHECK_EQ(kit_count(&k->b, H2_EV_DEAD), 0);
	kit_destroy(k);
}

TEST(without_memory_each_frame_is_an_event_of_its_own)
{
	for (long nth = 1; nth < 12; nth++) {
		struct kit *k = with_streams(3);
		size_t before = k->b.data_len;
		say_two_rounds();
		struct slice in = kit_slice(talk.at, talk.len);
		mem_fail_after(nth);
		h2_conn_feed(k->b.conn, in, k->now_ns);
		kit_poll(&k->b);
		mem_fail_after(0);
		CHECK_EQ(k->b.data_len - before, 6 * 4);
		CHECK_EQ(kit_count(&k->b, H2_EV_RESET), 0);
		kit_destroy(k);
	}
}

TEST(a_run_is_queued_without_another_copy)
{
	struct kit *k = kit_create(NULL, NULL);
	static char text[300];
	memset(text, 'x', sizeof(text) - 1);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	kit_run(k);
	struct h2_stream *t = k->b.events[k->b.count - 1].stream;
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, false);
	talk.len = 0;
	for (int i = 0; i < 20; i++)
		say_data(1, text, 0);
	struct h2_event ev;
	h2_conn_feed(k->b.conn, kit_slice(talk.at, talk.len), k->now_ns);
	CHECK(h2_conn_poll(k->b.conn, &ev));
	CHECK_EQ(ev.ev.data.len, 20 * (sizeof(text) - 1));
	const uint8_t *at = ev.ev.data.at;
	h2_stream_push(t, &ev.ev);
	struct iovec iov[8];
	int n = h2_conn_output(k->b.conn, iov, 8);
	CHECK(n > 0 && iov[n - 1].iov_base == at);
	CHECK_EQ(iov[n - 1].iov_len, 20 * (sizeof(text) - 1));
	kit_run(k);
	CHECK_EQ(k->a.data_len, 20 * (sizeof(text) - 1));
	CHECK(s != NULL);
	kit_destroy(k);
}

TAP_MAIN()
