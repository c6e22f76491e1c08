/* conn_test.c - two engines, one wire. */
#include "engine_kit.h"

static struct h2_stream *server_stream(struct kit *k)
{
	for (int i = k->b.count; i-- > 0;)
		if (k->b.events[i].kind == H2_EV_MESSAGE && k->b.events[i].ev.kind == EVENT_HEAD)
			return k->b.events[i].stream;
	return NULL;
}

static void one_call(struct kit *k)
{
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	REQUIRE(s != NULL);
	kit_push_data(s, "hello", 5, true);
	kit_run(k);
	struct h2_stream *t = server_stream(k);
	REQUIRE(t != NULL);
	CHECK_MEM(k->b.data, k->b.data_len, "hello", 5);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, false);
	kit_push_data(t, "world", 5, false);
	kit_push_fields(t, EVENT_TRAILERS, KIT_TRAILERS, true);
	kit_run(k);
	CHECK_MEM(k->a.data, k->a.data_len, "world", 5);
	CHECK(kit_last(&k->a, H2_EV_CLOSED) != NULL);
	CHECK(kit_last(&k->b, H2_EV_CLOSED) != NULL);
	CHECK(kit_last(&k->a, H2_EV_DEAD) == NULL);
	CHECK(kit_last(&k->b, H2_EV_DEAD) == NULL);
	struct h2_event *trailers = kit_last(&k->a, H2_EV_MESSAGE);
	CHECK_EQ(trailers->ev.kind, EVENT_TRAILERS);
	CHECK(trailers->ev.end);
	h2_stream_release(s);
	h2_stream_release(t);
	kit_forget(&k->a);
	kit_forget(&k->b);
}

TEST(two_engines_complete_a_call)
{
	struct kit *k = kit_create(NULL, NULL);
	one_call(k);
	one_call(k);
	kit_destroy(k);
}

TEST(two_engines_complete_a_call_for_every_size_of_read)
{
	for (size_t chop = 1; chop < 80; chop++) {
		struct kit *k = kit_create(NULL, NULL);
		k->chop = chop;
		one_call(k);
		kit_destroy(k);
	}
}

/* A call whose request is open at both ends; *server_side is its other half. */
static struct h2_stream *open_call(struct kit *k, struct h2_stream **server_side)
{
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	kit_run(k);
	*server_side = server_stream(k);
	return s;
}

/* Our half of a call is still open, the client's request has ended. */
static struct h2_stream *request_ended(struct kit *k, struct h2_stream **client_side)
{
	struct h2_stream *t;
	*client_side = open_call(k, &t);
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
	struct h2_stream *t, *s = open_call(k, &t);
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
	struct h2_stream *t, *s = open_call(k, &t);
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
	struct h2_stream *t, *s = open_call(k, &t);
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
	one_call(k);
	kit_destroy(k);
}

TEST(the_drain_of_a_server_has_two_phases)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *t, *s = open_call(k, &t);
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
	struct h2_stream *t, *s = open_call(k, &t);
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
	one_call(k);
	kit_destroy(k);
}

TEST(ids_run_out_in_order)
{
	struct kit *k = kit_create(NULL, NULL);
	k->a.conn->next_id = H2_MAX_STREAM_ID - 2;
	CHECK_EQ(h2_conn_ids_left(k->a.conn), 2);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, true);
	CHECK_EQ(h2_stream_id(s), H2_MAX_STREAM_ID - 2);
	s = kit_open(k, KIT_REQUEST, true);
	CHECK_EQ(h2_stream_id(s), H2_MAX_STREAM_ID);
	CHECK_EQ(h2_conn_ids_left(k->a.conn), 0);
	CHECK_EQ(h2_conn_open_slots(k->a.conn), 0);
	CHECK(kit_open(k, KIT_REQUEST, true) == NULL);
	kit_run(k);
	CHECK_EQ(kit_count(&k->b, H2_EV_MESSAGE), 2);
	CHECK(!h2_conn_is_dead(k->b.conn));
	kit_destroy(k);
}

TEST(pushes_out_of_order_are_dropped_and_counted)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *t, *s = open_call(k, &t);
	kit_push_data(t, "early", 5, false);
	kit_push_fields(t, EVENT_TRAILERS, KIT_TRAILERS, true);
	kit_push_fields(s, EVENT_HEAD, KIT_REQUEST, false);
	CHECK_EQ(k->books.bugs, 3);
	k->books.bugs = 0;
	kit_push_fields(t, EVENT_INFO, KIT_FIELDS(":status", "103"), false);
	kit_push_fields(t, EVENT_HEAD, KIT_RESPONSE, false);
	kit_push_fields(t, EVENT_INFO, KIT_FIELDS(":status", "103"), false);
	CHECK_EQ(k->books.bugs, 1);
	k->books.bugs = 0;
	kit_run(k);
	CHECK_EQ(kit_count(&k->a, H2_EV_MESSAGE), 2);
	CHECK(!h2_conn_is_dead(k->a.conn) && !h2_conn_is_dead(k->b.conn));
	kit_destroy(k);
}

static int64_t window_of(struct h2_stream *s)
{
	struct h2_stream_info info;
	h2_stream_inspect(s, &info);
	return info.receive_window_bytes;
}

/* Pushes what fits into the far side's window and takes it there, without credit; bytes. */
static uint32_t fill(struct kit *k, struct h2_stream *from, struct h2_stream *to)
{
	static uint8_t zeros[65536];
	uint32_t sum = 0;
	for (int64_t room; (room = window_of(to)) > 0; sum += (uint32_t)room) {
		room = room < (int64_t)sizeof(zeros) ? room : (int64_t)sizeof(zeros);
		kit_push_data(from, zeros, (size_t)room, false);
		kit_run(k);
	}
	return sum;
}

TEST(a_crowded_connections_streams_get_by_with_smaller_windows_and_move_on)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	k->b.auto_credit = false;
	kit_run(k);
	struct h2_stream *t = k->b.events[k->b.count - 1].stream;
	CHECK_EQ(window_of(t), 262144);
	CHECK_EQ(fill(k, s, t), 262144);
	h2_conn_set_crowded(k->b.conn, true);
	h2_stream_credit(t, 65536);
	CHECK_EQ(window_of(t), 0); /* of 131,072 three quarters are still held */
	CHECK_EQ(k->books.windows_shrunk, 1);
	h2_stream_credit(t, 262144 - 65536);
	CHECK_EQ(window_of(t), 65536); /* nothing is held: the smaller window, whole */
	kit_run(k);
	for (int i = 0; i < 10; i++) { /* however long it lasts, the stream goes on */
		uint32_t bytes = fill(k, s, t);
		CHECK(bytes >= 16384);
		h2_stream_credit(t, bytes);
		CHECK_EQ(window_of(t), 32768);
		kit_run(k);
	}
	CHECK_EQ(k->books.windows_shrunk, 3);
	h2_conn_set_crowded(k->b.conn, false);
	for (int i = 0; i < 40; i++) {
		uint32_t bytes = fill(k, s, t);
		h2_stream_credit(t, bytes);
		kit_run(k);
	}
	CHECK_EQ(window_of(t), 262144);
	CHECK_EQ(k->books.windows_shrunk, 3);
	kit_destroy(k);
}

TEST(credit_that_was_never_owed_ends_the_connection_as_a_bug)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *t;
	open_call(k, &t);
	h2_stream_credit(t, 1);
	kit_run(k);
	CHECK_EQ(k->books.bugs, 1);
	k->books.bugs = 0;
	CHECK_EQ(kit_last(&k->b, H2_EV_DEAD)->code, H2_INTERNAL_ERROR);
	kit_destroy(k);
}

TEST(an_idle_connection_is_small_and_owns_no_slab)
{
	struct kit *k = kit_create(NULL, NULL);
	for (int i = 0; i < 3; i++)
		one_call(k);
	h2_conn_settle(k->a.conn);
	h2_conn_settle(k->b.conn);
	CHECK_EQ(slab_pool_out(k->pool), 0);
	CHECK(k->a.conn->table.cap == 0 && k->a.conn->out.cap == H2_OUT_INLINE_SEGS);
	CHECK(sizeof(struct h2_conn) <= 1024);
	CHECK(sizeof(struct h2_stream) <= 200);
	kit_destroy(k);
}

TEST(many_streams_at_once_are_kept_apart)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *s[500];
	kit_run(k);
	for (uint32_t i = 0; i < 500; i++) {
		s[i] = kit_open(k, KIT_REQUEST, false);
		REQUIRE(s[i] != NULL);
		h2_stream_set_user(s[i], &s[i]);
	}
	kit_run(k);
	CHECK_EQ(h2_conn_open_streams(k->b.conn), 500);
	for (uint32_t i = 0; i < 500; i += 2)
		h2_stream_reset(s[i], H2_CANCEL);
	for (uint32_t i = 1; i < 500; i += 2)
		kit_push_data(s[i], &i, sizeof(i), true);
	kit_run(k);
	unsigned n = 0;
	for (int e = 0; e < k->b.count; e++) {
		struct h2_event *ev = &k->b.events[e];
		n += ev->kind == H2_EV_MESSAGE && ev->ev.kind == EVENT_DATA && ev->ev.end;
	}
	CHECK_EQ(n, 250);
	CHECK_EQ(kit_count(&k->b, H2_EV_RESET), 250);
	CHECK_EQ(h2_conn_open_streams(k->b.conn), 250);
	CHECK_EQ(h2_conn_open_streams(k->a.conn), 250);
	CHECK(h2_stream_user(s[7]) == &s[7] && h2_stream_conn(s[7]) == k->a.conn);
	kit_destroy(k);
}

static struct kit_bytes late;

TEST(late_frames_of_many_cancelled_streams_are_ignored)
{
	struct kit *k = kit_create(NULL, NULL);
	kit_run(k);
	for (uint32_t i = 0; i < 1000; i++)
		h2_stream_release(kit_open(k, KIT_REQUEST, false));
	size_t len;
	free(kit_drain(&k->a, &len));
	for (int round = 0; round < 30; round++) {
		late.len = 0;
		for (uint32_t id = 1; id < 2000; id += 2) {
			if (round == 0)
				kit_frame(&late, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS, id, "\x88",
					1);
			kit_frame(&late, H2_FRAME_DATA, 0, id, "late", 4);
		}
		kit_feed(k, &k->a, late.at, late.len);
	}
	CHECK(!h2_conn_is_dead(k->a.conn));
	CHECK_EQ(h2_conn_unwritten(k->a.conn), 0);
	CHECK_EQ(k->a.data_len, 0);
	kit_destroy(k);
}

TEST(every_value_of_a_setting_counts_and_one_pass_is_made)
{
	struct kit *k = kit_create(NULL, NULL);
	struct h2_stream *s = kit_open(k, KIT_REQUEST, false);
	struct h2_stream_info info;
	uint8_t p[30] = {0}, frame[13];
	static const uint32_t calm[5] = {0, 200000, 5, 70000, 65536};
	kit_run(k);
	kit_feed(k, &k->a, frame, h2_frame_put_window(frame, 1, 10));
	h2_stream_inspect(s, &info);
	int64_t before = info.send_window_bytes;
	for (int last = 0; last < 2; last++) {
		for (int i = 0; i < 5; i++) {
			h2_put_u16(p + 6 * i, H2_SETTING_INITIAL_WINDOW_SIZE);
			h2_put_u32(p + 6 * i + 2, i == 2 && last ? H2_WINDOW_MAX_BYTES : calm[i]);
		}
		late.len = 0;
		kit_frame(&late, H2_FRAME_SETTINGS, 0, 0, p, sizeof(p));
		kit_feed(k, &k->a, late.at, late.len);
		if (!last) {
			h2_stream_inspect(s, &info);
			CHECK_EQ(info.send_window_bytes, before - 262144 + 65536);
		}
	}
	REQUIRE(kit_last(&k->a, H2_EV_DEAD) != NULL);
	CHECK_EQ(kit_last(&k->a, H2_EV_DEAD)->code, H2_FLOW_CONTROL_ERROR);
	kit_destroy(k);
}

/* A conversation with everything in it; failures are expected, so it checks nothing. */
static void anything(struct kit *k)
{
	static uint8_t big[20000];
	struct h2_stream *s[3] = {NULL};
	for (int i = 0; i < 3; i++)
		s[i] = kit_open(k,
			KIT_FIELDS(":method", "POST", ":scheme", "http", ":path", "/a/b", "cookie",
				"a=1", "cookie", "b=2", "x-own", "value"),
			false);
	kit_run(k);
	for (int i = 0; i < 3 && s[i]; i++) {
		kit_push_data(s[i], big, i ? sizeof(big) : 300, false);
		kit_push_data(s[i], big, 3000, false);
		if (i)
			kit_push_fields(s[i], EVENT_TRAILERS, KIT_FIELDS("x-end", "1"), true);
	}
	kit_run(k);
	int events = k->b.count;
	for (int i = 0; i < events; i++) {
		struct h2_event *ev = &k->b.events[i];
		if (ev->kind != H2_EV_MESSAGE || ev->ev.kind != EVENT_HEAD)
			continue;
		kit_push_fields(ev->stream, EVENT_HEAD, KIT_RESPONSE, false);
		kit_push_data(ev->stream, big, sizeof(big), false);
		kit_push_fields(ev->stream, EVENT_TRAILERS, KIT_TRAILERS, true);
		h2_stream_reset(ev->stream, H2_NO_ERROR);
	}
	if (s[0])
		h2_stream_reset(s[0], H2_CANCEL);
	h2_conn_drain(k->b.conn, "drain");
	kit_run(k);
}

/* Was the failure still to come? Then everything has been failed once. */
static bool failure_pending(void)
{
	bool pending = false;
	for (int i = 0; i < 1000 && !pending; i++) {
		void *p = mem_alloc(1);
		pending = !p;
		mem_free(p);
	}
	mem_fail_after(0);
	return pending;
}

/* The kit tries again where its own allocation fails, so every one of the engine's gets its turn.
 */
TEST(every_failed_allocation_leaves_the_books_even)
{
	for (size_t chop = 0; chop < 60; chop += 29) {
		bool over = false;
		for (long nth = 1; !over; nth++) {
			struct kit *k = kit_create(NULL, NULL);
			k->chop = chop;
			mem_fail_after(nth);
			anything(k);
			over = failure_pending();
			kit_destroy(k);
			REQUIRE(nth < 20000);
		}
	}
}

TEST(a_connection_that_can_not_be_made_leaves_nothing)
{
	struct h2_options o = h2_options_default(H2_SERVER);
	struct h2_books books = {0};
	struct slab_pool *pool = slab_pool_create(1);
	struct h2_conn *c = NULL;
	long live = mem_live_blocks();
	for (long nth = 1; !c; nth++) {
		mem_fail_after(nth);
		c = h2_conn_create(H2_SERVER, &o, pool, &books);
		mem_fail_after(0);
		if (!c) {
			CHECK_EQ(mem_live_blocks(), live);
			CHECK_EQ(books.conns, 0);
		}
		REQUIRE(nth < 20);
	}
	h2_conn_destroy(c);
	slab_pool_destroy(pool);
}

TAP_MAIN()
