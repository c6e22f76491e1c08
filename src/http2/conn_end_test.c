/* conn_end_test.c - how streams and connections end, seen from both ends of one wire. */
#include "engine_kit.h"

/* Our half of a call is still open, the client's request has ended. */
static struct h2_stream *request_ended(struct kit *k, struct h2_stream **client_side)
{
	struct h2_stream *t;
	*client_side = kit_open_call(k, &t);
	kit_push_data(*client_side, "hello", 5, true);
	kit_run(k);
	return t;
}

TEST(an_end_that_the_owner_sees_at_once_is_no_event)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *s, *t = request_ended(k, &s);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, false);
	CHECK(!h2_stream_is_over(t));
	kit_push_fields(t, EVENT_TRAILERS, KIT_TRAILERS, true);
	CHECK(h2_stream_is_over(t)); /* a push closed it */
	CHECK(!h2_stream_is_over(s));
	h2_stream_release(t);
	kit_run(k);
	CHECK_EQ(kit_count(&k->b, H2_EV_CLOSED), 0);
	CHECK_EQ(kit_count(&k->a, H2_EV_CLOSED), 1); /* nobody asked */
	CHECK(!h2_stream_is_over(s));                /* and it was told */
	h2_stream_release(s);
	kit_forget(&k->a);
	kit_forget(&k->b);

	t = request_ended(k, &s);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, true);
	size_t len;
	uint8_t *bytes = kit_drain(&k->b, &len);
	h2_conn_feed(k->a.conn, slice_copy(bytes, (uint32_t)len), k->now_ns);
	struct h2_event ev;
	bool over = false;
	while (!over && h2_conn_poll(k->a.conn, &ev)) {
		CHECK(ev.kind == H2_EV_MESSAGE || ev.kind == H2_EV_ADMITTED);
		if (ev.kind == H2_EV_MESSAGE) {
			CHECK(ev.ev.end);
			event_drop(&ev.ev);
			over = h2_stream_is_over(s); /* a message closed it */
		}
	}
	CHECK(over);
	h2_stream_release(s);
	CHECK(!h2_conn_poll(k->a.conn, &ev));
	free(bytes);
	kit_destroy(k);
}

TEST(what_left_the_queue_is_told_before_a_streams_end)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *s, *t = request_ended(k, &s);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, false);
	kit_push_data(t, "world", 5, true);
	CHECK(!h2_stream_is_over(t)); /* it waits for the end of the turn */
	struct iovec iov[4];
	CHECK(h2_conn_output(k->b.conn, iov, 4) > 0);
	CHECK(!h2_stream_is_over(t)); /* closed, but there is more to tell */
	struct h2_event ev;
	REQUIRE(h2_conn_poll(k->b.conn, &ev));
	CHECK(ev.kind == H2_EV_ADMITTED && ev.stream == t && ev.bytes == 5);
	CHECK(h2_stream_is_over(t));
	REQUIRE(h2_conn_poll(k->b.conn, &ev));
	CHECK(ev.kind == H2_EV_CLOSED && ev.stream == t);
	CHECK(!h2_conn_poll(k->b.conn, &ev));
	kit_destroy(k);
}

TEST(a_closed_stream_that_its_owner_resets_is_not_over_any_more)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *s, *t = request_ended(k, &s);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, true);
	CHECK(h2_stream_is_over(t));
	h2_stream_reset(t, H2_CANCEL);
	CHECK(!h2_stream_is_over(t));
	kit_run(k);
	CHECK_EQ(kit_count(&k->b, H2_EV_CLOSED), 0);
	CHECK_EQ(k->books.resets_out[H2_CANCEL], 0);
	kit_destroy(k);
}

TEST(streams_that_are_over_are_forgotten_with_their_connection)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *s, *t = request_ended(k, &s);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, true);
	CHECK(h2_stream_is_over(t));
	h2_conn_kill(k->b.conn, H2_INTERNAL_ERROR, NULL);
	CHECK(!h2_stream_is_over(t));
	kit_poll(&k->b);
	CHECK_EQ(kit_count(&k->b, H2_EV_CLOSED), 0);
	CHECK_EQ(kit_count(&k->b, H2_EV_DEAD), 1);
	kit_destroy(k);
}

TEST(a_reset_travels_with_its_code_and_is_the_last_event)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *t, *s = kit_open_call(k, &t);
	kit_push_data(s, "dropped", 7, false);
	h2_stream_reset(s, H2_ENHANCE_YOUR_CALM);
	CHECK_EQ(k->books.held_bytes, 0);
	kit_run(k);
	struct h2_event *reset = kit_last(&k->b, H2_EV_RESET);
	REQUIRE(reset != NULL);
	CHECK(reset->stream == t && reset->by_peer && !reset->unprocessed);
	CHECK_EQ(reset->code, H2_ENHANCE_YOUR_CALM);
	CHECK_EQ(reset->fault, H2_FAULT_COUNT);
	CHECK_EQ(kit_count(&k->a, H2_EV_RESET) + kit_count(&k->a, H2_EV_CLOSED), 0);
	CHECK_EQ(kit_count(&k->b, H2_EV_CLOSED), 0);
	CHECK_EQ(h2_conn_open_streams(k->b.conn), 0);
	kit_push_data(t, "ignored", 7, true); /* calls on a closed stream do nothing */
	h2_stream_credit(t, 100);
	h2_stream_reset(t, H2_CANCEL);
	kit_run(k);
	CHECK_EQ(k->books.resets_out[H2_CANCEL], 0);
	kit_destroy(k);
}

TEST(a_released_handle_of_an_open_stream_is_a_cancel)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *t, *s = kit_open_call(k, &t);
	h2_stream_release(s);
	kit_run(k);
	struct h2_event *reset = kit_last(&k->b, H2_EV_RESET);
	REQUIRE(reset != NULL);
	CHECK_EQ(reset->code, H2_CANCEL);
	CHECK_EQ(k->books.streams, 1);
	kit_destroy(k);
}

TEST(refused_streams_are_told_as_unprocessed)
{
	struct h2_options o = h2_options_default(H2_SERVER);
	o.max_concurrent_streams = 1;
	struct kit *k = kit_create(NULL, &o);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false), *t = kit_open(k, KIT_REQUEST, false);
	CHECK(s && t); /* before the server's SETTINGS */
	kit_run(k);
	struct h2_event *reset = kit_last(&k->a, H2_EV_RESET);
	REQUIRE(reset != NULL);
	CHECK(reset->stream == t && reset->by_peer && reset->unprocessed);
	CHECK_EQ(reset->code, H2_REFUSED_STREAM);
	CHECK_EQ(h2_conn_open_slots(k->a.conn), 0);
	CHECK(kit_open(k, KIT_REQUEST, false) == NULL);
	CHECK(!h2_conn_is_dead(k->b.conn));
	kit_destroy(k);
}

/* The one REFUSED event at the server. */
static void check_refused(struct kit *k, enum h2_fault fault, enum h2_code code)
{
	struct h2_event *ev = kit_last(&k->b, H2_EV_REFUSED);
	CHECK_EQ(kit_count(&k->b, H2_EV_REFUSED), 1);
	REQUIRE(ev != NULL);
	CHECK(!ev->stream);
	CHECK_EQ(ev->fault, fault);
	CHECK_EQ(ev->code, code);
}

TEST(a_request_that_becomes_no_stream_is_told_to_the_server_with_why)
{
	struct h2_options o = h2_options_default(H2_SERVER);
	o.max_concurrent_streams = 1;
	struct kit *k = kit_create(NULL, &o);
	CHECK(kit_open(k, KIT_REQUEST, false) && kit_open(k, KIT_REQUEST, false));
	kit_run(k);
	check_refused(k, H2_FAULT_TOO_MANY_STREAMS, H2_REFUSED_STREAM);
	CHECK_EQ(kit_count(&k->b, H2_EV_MESSAGE), 1);
	kit_destroy(k);
	k = kit_create(NULL, NULL);
	CHECK(kit_open(k, KIT_FIELDS(":method", "POST"), false) != NULL);
	kit_run(k);
	check_refused(k, H2_FAULT_PSEUDO_MISSING, H2_PROTOCOL_ERROR);
	CHECK_EQ(kit_count(&k->b, H2_EV_MESSAGE), 0);
	kit_destroy(k);
}

TEST(a_complete_response_leaves_before_reset_no_error)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *t, *s = kit_open_call(k, &t);
	static uint8_t big[300000];
	k->a.auto_credit = false;
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, false);
	kit_push_data(t, big, sizeof(big), false);
	kit_push_fields(t, EVENT_TRAILERS, KIT_TRAILERS, true);
	h2_stream_reset(t, H2_NO_ERROR);
	h2_stream_release(t);
	kit_run(k);
	CHECK_EQ(k->a.data_len, 262144); /* the window: the rest waits, without a handle */
	kit_push_data(s, "late", 4, false);
	kit_run(k);
	h2_stream_credit(s, 262144);
	kit_run(k);
	CHECK_EQ(k->a.data_len, sizeof(big));
	struct h2_event *trailers = kit_last(&k->a, H2_EV_MESSAGE),
			*reset = kit_last(&k->a, H2_EV_RESET);
	CHECK(trailers->ev.kind == EVENT_TRAILERS && trailers->ev.end);
	REQUIRE(reset != NULL && reset > trailers);
	CHECK_EQ(reset->code, H2_NO_ERROR);
	CHECK_EQ(k->b.data_len, 0);
	CHECK_EQ(h2_conn_open_streams(k->b.conn), 0);
	kit_destroy(k);
}

TEST(a_malformed_request_costs_its_stream_only)
{
	struct kit *k = kit_create(NULL, NULL);
	CHECK(kit_open(k, KIT_FIELDS(":method", "GET", "connection", "close"), true) != NULL);
	kit_run(k);
	struct h2_event *reset = kit_last(&k->a, H2_EV_RESET);
	REQUIRE(reset != NULL);
	CHECK_EQ(reset->code, H2_PROTOCOL_ERROR);
	CHECK_EQ(kit_count(&k->b, H2_EV_MESSAGE), 0);
	kit_forget(&k->a);
	kit_forget(&k->b);
	kit_call(k);
	kit_destroy(k);
}

TEST(the_drain_of_a_server_has_two_phases)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *t, *s = kit_open_call(k, &t);
	h2_conn_drain(k->b.conn, "drain");
	h2_conn_drain(k->b.conn, "again");
	struct h2_stream *raced = kit_open(k, KIT_REQUEST, true); /* under way when GOAWAY was */
	CHECK(raced != NULL);
	kit_run(k);
	struct h2_event *drained = kit_last(&k->b, H2_EV_DRAINED);
	REQUIRE(drained != NULL);
	CHECK_EQ(drained->last_id, 3);
	CHECK_EQ(kit_count(&k->b, H2_EV_DRAINED), 1);
	CHECK_EQ(kit_count(&k->a, H2_EV_GOAWAY), 2);
	CHECK_EQ(kit_last(&k->a, H2_EV_GOAWAY)->last_id, 3);
	CHECK_EQ(kit_count(&k->a, H2_EV_RESET), 0);
	CHECK_EQ(h2_conn_open_slots(k->a.conn), 0);
	CHECK(kit_open(k, KIT_REQUEST, true) == NULL);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, true); /* what is open goes on */
	kit_push_data(s, "x", 1, true);
	kit_run(k);
	CHECK(kit_last(&k->a, H2_EV_CLOSED) != NULL);
	kit_destroy(k);
}

TEST(goaway_resets_what_it_does_not_cover)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false), *t = kit_open(k, KIT_REQUEST, false);
	uint8_t frame[32], settings[9];
	kit_push_data(t, "lost", 4, false);
	h2_frame_put(settings, 0, H2_FRAME_SETTINGS, 0, 0);
	kit_feed(k, &k->a, settings, 9);
	kit_feed(k, &k->a, frame, h2_frame_put_goaway(frame, 1, H2_NO_ERROR, "bye", 3));
	struct h2_event *reset = kit_last(&k->a, H2_EV_RESET),
			*goaway = kit_last(&k->a, H2_EV_GOAWAY);
	REQUIRE(reset && goaway);
	CHECK(reset->stream == t && reset->unprocessed && !reset->by_peer);
	CHECK_EQ(goaway->last_id, 1);
	CHECK_EQ(goaway->debug_len, 3);
	CHECK_EQ(kit_count(&k->a, H2_EV_RESET), 1);
	CHECK_EQ(k->books.held_bytes, 0);
	CHECK_EQ(h2_conn_open_streams(k->a.conn), 1);
	kit_feed(k, &k->a, frame, h2_frame_put_goaway(frame, 3, H2_NO_ERROR, NULL, 0));
	CHECK_EQ(kit_last(&k->a, H2_EV_DEAD)->fault, H2_FAULT_GOAWAY_INCREASED);
	CHECK_EQ(h2_stream_id(s), 1);
	kit_destroy(k);
}

/* Each that closes is taken out of the table that is being walked. */
TEST(goaway_and_the_end_find_each_of_many_streams_once)
{
	enum { STREAMS = 700 };
	for (uint32_t cover = 0; cover <= STREAMS; cover += 175) {
		struct kit *k = kit_create(NULL, NULL);
		uint8_t frame[64];
		kit_run(k);
		struct h2_stream *first = kit_open(k, KIT_REQUEST, false);
		for (uint32_t i = 1; i < STREAMS; i++)
			REQUIRE(kit_open(k, KIT_REQUEST, false));
		h2_stream_reset(first, H2_CANCEL); /* its place outside the table is free again */
		REQUIRE(kit_open(k, KIT_REQUEST, false));
		kit_run(k);
		uint32_t last_id = cover ? 2 * cover + 1 : 0;
		kit_feed(
			k, &k->a, frame, h2_frame_put_goaway(frame, last_id, H2_NO_ERROR, NULL, 0));
		CHECK_EQ(kit_count(&k->a, H2_EV_RESET), STREAMS - cover);
		CHECK_EQ(h2_conn_open_streams(k->a.conn), cover);
		for (int i = 0; i < k->a.count; i++)
			if (k->a.events[i].kind == H2_EV_RESET)
				CHECK(h2_stream_id(k->a.events[i].stream) > last_id);
		h2_conn_kill(k->a.conn, H2_NO_ERROR, NULL);
		CHECK_EQ(h2_conn_open_streams(k->a.conn), 0);
		kit_destroy(k); /* finds and releases every handle */
	}
}

TEST(a_killed_connection_says_why_and_nothing_more)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *t, *s = kit_open_call(k, &t);
	kit_push_data(s, "gone", 4, false);
	h2_conn_kill(k->a.conn, H2_ENHANCE_YOUR_CALM, "enough");
	CHECK_EQ(k->books.held_bytes, 0);
	h2_stream_push(s, &(struct event){.kind = EVENT_DATA, .data = slice_copy("no", 2)});
	h2_conn_ping(k->a.conn, 1);
	h2_stream_reset(s, H2_CANCEL);
	kit_run(k);
	struct h2_event *dead = kit_last(&k->a, H2_EV_DEAD),
			*goaway = kit_last(&k->b, H2_EV_GOAWAY);
	REQUIRE(dead && goaway);
	CHECK_EQ(dead->code, H2_ENHANCE_YOUR_CALM);
	CHECK_MEM(goaway->debug, 0, "", 0);
	CHECK_EQ(goaway->debug_len, 6);
	CHECK_EQ(kit_last(&k->b, H2_EV_PING_ACK) == NULL, 1);
	CHECK_EQ(kit_count(&k->b, H2_EV_RESET), 0);
	struct event head = {.kind = EVENT_HEAD, .fields = KIT_REQUEST};
	struct h2_stream *none;
	CHECK_EQ(h2_conn_open(k->a.conn, &head, &none), ERR_CLOSED);
	kit_destroy(k);
}

TEST(settings_that_nobody_acknowledged_when_they_are_due_end_the_connection)
{
	for (int role = 0; role < 2; role++) {
		struct kit *k = kit_create(NULL, NULL);
		struct kit_side *side = role ? &k->a : &k->b, *peer = role ? &k->b : &k->a;
		kit_carry(k, peer, side); /* the peer's own SETTINGS acknowledge nothing */
		CHECK_EQ(kit_count(side, H2_EV_SETTINGS), 1);
		h2_conn_settings_due(side->conn);
		kit_poll(side);
		struct h2_event *dead = kit_last(side, H2_EV_DEAD);
		REQUIRE(dead);
		CHECK_EQ(dead->code, H2_SETTINGS_TIMEOUT);
		CHECK_EQ(dead->fault, H2_FAULT_SETTINGS_TIMEOUT);
		CHECK_EQ(k->books.faults[H2_FAULT_SETTINGS_TIMEOUT], 1);
		kit_carry(k, side, peer);
		CHECK_EQ(kit_last(peer, H2_EV_GOAWAY)->code, H2_SETTINGS_TIMEOUT);
		h2_conn_settings_due(side->conn); /* it is dead already */
		CHECK_EQ(k->books.faults[H2_FAULT_SETTINGS_TIMEOUT], 1);
		kit_destroy(k);
	}
}

TEST(settings_that_were_acknowledged_are_never_overdue)
{
	struct kit *k = kit_create(NULL, NULL);
	kit_run(k);
	h2_conn_settings_due(k->a.conn);
	h2_conn_settings_due(k->b.conn);
	CHECK(!h2_conn_is_dead(k->a.conn) && !h2_conn_is_dead(k->b.conn));
	kit_call(k);
	kit_destroy(k);
}

TAP_MAIN()
