/* sample_test.c - which messages are sampled, and how much of each. */
#include "filter/sample_kit.h"

TEST(without_a_rule_no_call_has_the_filter_and_no_worker_a_sampler)
{
	begin((struct config_sample){.every = 1});
	sampler_destroy(&env);
	route.sample = (struct config_sample){0};
	CHECK_EQ(sampler_install(&env, &config), 0);
	CHECK(!env.sampler);
	struct call *c = sampled_call();
	CHECK_EQ(c->stage_count, 1);
	over(c);
	end();
}

TEST(calls_of_other_routes_and_calls_that_are_not_rpc_have_not_the_filter)
{
	begin((struct config_sample){.every = 1});
	struct call *c = grpc_call(&named, "/a.B/C");
	CHECK_EQ(c->stage_count, 1);
	over(c);
	c = call_with(&route, FIELDS(":method", "GET", ":path", "/x"), true);
	CHECK_EQ(c->stage_count, 1);
	over(c);
	c = sampled_call();
	CHECK_EQ(c->stage_count, 2);
	over(c);
	end();
}

TEST(a_sample_says_what_it_is_of)
{
	begin((struct config_sample){.every = 1, .bytes = 4});
	struct call *c = sampled_call();
	request(c, two, TWO_BYTES, false); /* "abc", and a compressed "z" */
	response_head(c);
	response(c, "\0\0\0\0\6abcdef\0\0\0\0\0", 16, false);
	CHECK_EQ(look(), 4);
	CHECK_EQ(samples[0].time_ns, 1700000000000000000);
	CHECK_EQ(samples[0].stream, c->id);
	CHECK(is(samples[0].listener, "in") && is(samples[0].route, "sampled"));
	CHECK(is(samples[0].cluster, "up") && is(samples[0].service, "a.B"));
	CHECK(is(samples[0].method, "C") && is(samples[0].payload, "abc"));
	CHECK_EQ(samples[0].direction, SAMPLE_DIRECTION_SENT);
	CHECK(samples[0].message == 1 && samples[0].size == 3 && !samples[0].compressed);
	CHECK(samples[1].message == 2 && samples[1].size == 1 && samples[1].compressed);
	CHECK(is(samples[1].payload, "z"));
	CHECK_EQ(samples[2].direction, SAMPLE_DIRECTION_RECEIVED);
	CHECK(samples[2].message == 1 && samples[2].size == 6 && is(samples[2].payload, "abcd"));
	CHECK(samples[3].message == 2 && samples[3].size == 0 && is(samples[3].payload, ""));
	CHECK_EQ(taken("sent"), 2);
	CHECK_EQ(taken("received"), 2);
	CHECK_EQ(served.data_bytes, TWO_BYTES);
	CHECK_EQ(told.data_bytes, 16);
	over(c);
	forget();
	end();
}

TEST(a_message_in_any_pieces_is_sampled_the_same)
{
	char bytes[600], payload[500];
	begin((struct config_sample){.every = 1, .bytes = 300});
	for (unsigned i = 0; i < sizeof payload; i++)
		payload[i] = (char)(i * 11);
	size_t n = message(bytes, 1, payload, sizeof payload);
	n += message(bytes + n, 0, "xyz", 3);
	for (uint32_t every = 1; every < n; every++) {
		struct call *c = sampled_call();
		for (size_t at = 0; at < n; at += every)
			request(c, bytes + at, (uint32_t)(n - at < every ? n - at : every), false);
		CHECK_EQ(served.data_bytes, n);
		served.data_bytes = 0;
		look();
		REQUIRE(sample_count >= 2);
		const struct sample *s = &samples[sample_count - 2];
		CHECK(s->stream == c->id && s->size == 500 && s->compressed && !s->cut);
		CHECK_MEM(s->payload.at, s->payload.len, payload, 300);
		CHECK(is(samples[sample_count - 1].payload, "xyz"));
		over(c);
	}
	forget();
	end();
}

TEST(one_of_each_n_messages_in_a_row_is_taken_at_a_random_place)
{
	enum { EVERY = 10, ROUNDS = 40 };
	begin((struct config_sample){.every = EVERY, .bytes = 100});
	struct call *a = sampled_call(), *b = sampled_call();
	unsigned places[EVERY] = {0}, used = 0;
	response_head(b);
	for (unsigned round = 0; round < ROUNDS; round++) {
		/* Half on one stream, half on another: the route counts, not the stream. */
		send_numbered(a, LANE_REQUEST, round * EVERY, EVERY / 2);
		send_numbered(b, LANE_RESPONSE, round * EVERY, EVERY); /* counts by itself */
		CHECK_EQ(taken("received"), round + 1);
		send_numbered(b, LANE_REQUEST, round * EVERY + EVERY / 2, EVERY / 2);
		CHECK_EQ(taken("sent"), round + 1);
	}
	look();
	for (unsigned i = 0; i < sample_count; i++)
		if (samples[i].direction == SAMPLE_DIRECTION_SENT)
			places[strtoul(samples[i].payload.at + 8, NULL, 10) % EVERY]++;
	for (unsigned i = 0; i < EVERY; i++)
		used += places[i] > 0;
	CHECK(used >= 5); /* 40 draws of 10 places leave more than 5 out once in 10^9 */
	finish(a);
	finish(b);
	forget();
	end();
}

TEST(a_header_asks_for_every_message_of_its_call)
{
	begin((struct config_sample){
		.header = {.name = (char *)"x-debug", .kind = MATCH_EXACT, .value = (char *)"1"},
		.bytes = 100});
	struct call *without = sampled_call();
	CHECK_EQ(without->stage_count, 1);
	struct call *other = call_with(&route,
		FIELDS(":method", "POST", ":path", "/a.B/C", "content-type", "application/grpc",
			"x-debug", "10"),
		false);
	CHECK_EQ(other->stage_count, 1);
	struct call *c = call_with(&route,
		FIELDS(":method", "POST", ":path", "/a.B/C", "content-type", "application/grpc",
			"x-debug", "1"),
		false);
	CHECK_EQ(c->stage_count, 2);
	send_numbered(without, LANE_REQUEST, 0, 7);
	send_numbered(c, LANE_REQUEST, 0, 20);
	CHECK_EQ(look(), 20);
	for (unsigned i = 0; i < sample_count; i++)
		CHECK(samples[i].stream == c->id && samples[i].message == i + 1);
	over(without);
	over(other);
	over(c);
	forget();
	end();
}

TEST(only_the_directions_that_are_asked_for_are_sampled)
{
	begin((struct config_sample){.every = 1, .bytes = 9, .lanes = SAMPLE_RECEIVED});
	struct call *c = sampled_call();
	send_numbered(c, LANE_REQUEST, 0, 5);
	response_head(c);
	send_numbered(c, LANE_RESPONSE, 0, 3);
	CHECK_EQ(look(), 3);
	for (unsigned i = 0; i < sample_count; i++)
		CHECK_EQ(samples[i].direction, SAMPLE_DIRECTION_RECEIVED);
	over(c);
	forget();
	end();
}

TEST(a_message_that_its_stream_does_not_finish_is_shown_as_cut)
{
	begin((struct config_sample){.every = 1, .bytes = 100});
	struct call *c = sampled_call();
	request(c, "\0\0\0\0\12half", 9, true); /* ended in order, in the middle of it */
	CHECK_EQ(look_at_messages(), 1);
	CHECK(samples[0].cut && samples[0].size == 10 && is(samples[0].payload, "half"));
	over(c);
	c = sampled_call();
	request(c, "\0\0\0\0\12hal", 8, false);
	CHECK_EQ(look_at_messages(), 1);
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, H2_CANCEL);
	finish(c);
	CHECK_EQ(look_at_messages(), 2);
	CHECK(samples[1].cut && samples[1].size == 10 && is(samples[1].payload, "hal"));
	forget();
	end();
}

TEST(connect_unary_and_web_text_are_sampled_too)
{
	begin((struct config_sample){.every = 1, .bytes = 100});
	struct call *c = call_with(&route,
		FIELDS(":method", "POST", ":path", "/a.B/C", "content-type", "application/proto",
			"connect-protocol-version", "1", "content-encoding", "gzip"),
		false);
	request(c, "hel", 3, false);
	request(c, "lo", 2, true);
	CHECK_EQ(look_at_messages(), 1);
	CHECK(samples[0].compressed && samples[0].size == 5 && is(samples[0].payload, "hello"));
	response_fields(c, EVENT_HEAD, FIELDS(":status", "200"), false);
	response(c, "", 0, true);
	CHECK_EQ(look_at_messages(), 2);
	CHECK(!samples[1].compressed && samples[1].size == 0);
	finish(c);
	c = call_with(&route,
		FIELDS(":method", "POST", ":path", "/a.B/C", "content-type",
			"application/grpc-web-text"),
		false);
	request(c, "AAAAAANhYmM=", 12, true);
	CHECK_EQ(look_at_messages(), 3);
	CHECK(is(samples[2].payload, "abc"));
	response_fields(c, EVENT_HEAD,
		FIELDS(":status", "200", "content-type", "application/grpc-web-text"), true);
	finish(c);
	forget();
	end();
}

TEST(with_no_bytes_a_sample_has_lengths_and_nothing_of_a_payload)
{
	begin((struct config_sample){.every = 1, .bytes = 0});
	struct call *c = sampled_call();
	request(c, two, TWO_BYTES, false);
	response_head(c);
	response(c, "\0\0\0\0\6SECRET", 11, false);
	response(c, "\0\0\0\0\6SEC", 8, true); /* and one that is cut */
	CHECK_EQ(look_at_messages(), 4);
	CHECK(samples[0].size == 3 && samples[1].size == 1 && samples[1].compressed);
	CHECK(samples[2].size == 6 && samples[3].size == 6 && samples[3].cut);
	for (unsigned i = 0; i < sample_count; i++)
		CHECK_EQ(samples[i].payload.len, 0);
	CHECK(!memmem(latest.bytes, latest.len, "SEC", 3));
	finish(c);
	forget();
	end();
}

/* The only record of `c`, whose messages no rule chose, or that had none. */
static const struct sample *only_end(void)
{
	CHECK_EQ(look(), 1);
	CHECK_EQ(samples[0].event, SAMPLE_EVENT_END);
	CHECK_EQ(samples[0].direction, SAMPLE_DIRECTION_UNKNOWN);
	CHECK(samples[0].message == 0 && samples[0].size == 0 && samples[0].payload.len == 0);
	return &samples[0];
}

TEST(the_end_of_a_sampled_call_has_its_status_and_what_stood_around_its_messages)
{
	begin((struct config_sample){.every = 1, .bytes = 9});
	struct call *c = sampled_call();
	send_numbered(c, LANE_REQUEST, 0, 1);
	response_fields(c, EVENT_HEAD, FIELDS(":status", "200", "x-head", "1"), false);
	send_numbered(c, LANE_RESPONSE, 0, 1);
	CHECK_EQ(look(), 2);
	CHECK(!has(&samples[0].lists[SAMPLE_LIST_RESPONSE], "x-head")); /* had not come yet */
	CHECK(has(&samples[1].lists[SAMPLE_LIST_RESPONSE], "x-head"));
	CHECK(!has(&samples[1].lists[SAMPLE_LIST_RESPONSE], ":status"));
	env.wall_ns += 5;
	response_fields(c, EVENT_TRAILERS, FIELDS("grpc-status", "5", "x-trailer", "2"), true);
	CHECK_EQ(look(), 2);
	uint64_t id = c->id;
	finish(c);
	REQUIRE(look() == 3);
	const struct sample *s = &samples[2];
	CHECK(s->event == SAMPLE_EVENT_END && s->stream == id && s->time_ns % 10 == 5);
	CHECK(is(s->route, "sampled") && is(s->service, "a.B") && is(s->method, "C"));
	CHECK(s->http_status == 200 && s->grpc_status == GRPC_NOT_FOUND);
	CHECK(is(s->ended_by, "upstream") && is(s->reason, "complete"));
	CHECK(has(&s->lists[SAMPLE_LIST_REQUEST], "content-type"));
	CHECK(has(&s->lists[SAMPLE_LIST_RESPONSE], "x-head"));
	CHECK(has(&s->lists[SAMPLE_LIST_TRAILERS], "x-trailer"));
	CHECK(has(&s->lists[SAMPLE_LIST_TRAILERS], "grpc-status"));
	CHECK_EQ(taken("sent") + taken("received"), 2); /* an end is no message */
	forget();
	end();
}

TEST(a_call_of_which_no_message_was_taken_has_no_end_unless_its_header_asked)
{
	begin((struct config_sample){.every = 1000000000,
		.header = {.name = (char *)"x-debug", .kind = MATCH_PRESENT},
		.bytes = 9});
	struct call *c = sampled_call();
	send_numbered(c, LANE_REQUEST, 0, 3);
	response_head(c);
	over(c);
	CHECK_EQ(look(), 0);
	c = call_with(&route,
		FIELDS(":method", "POST", ":path", "/a.B/C", "content-type", "application/grpc",
			"x-debug", ""),
		true);
	/* "Trailers-Only": they are the head. */
	response_fields(c, EVENT_HEAD, FIELDS(":status", "200", "grpc-status", "7"), true);
	finish(c);
	const struct sample *s = only_end();
	CHECK_EQ(s->grpc_status, GRPC_PERMISSION_DENIED);
	CHECK(has(&s->lists[SAMPLE_LIST_RESPONSE], "grpc-status"));
	CHECK(has(&s->lists[SAMPLE_LIST_REQUEST], "x-debug"));
	forget();
	end();
}

TEST(the_end_of_a_call_that_was_cut_off_says_why_and_what_the_client_was_told)
{
	begin((struct config_sample){
		.header = {.name = (char *)"content-type", .kind = MATCH_PRESENT}});
	struct call *c = sampled_call();
	call_reset(c, CALL_BY_CLIENT, REASON_CLIENT_GONE, H2_CANCEL);
	finish(c);
	const struct sample *s = only_end();
	CHECK(s->http_status == 0 && s->grpc_status == -1 && is(s->ended_by, "client"));
	CHECK_EQ(s->lists[SAMPLE_LIST_RESPONSE].fields.len, 0);
	forget();
	end();
	begin((struct config_sample){
		.header = {.name = (char *)"content-type", .kind = MATCH_PRESENT}});
	c = sampled_call();
	call_fail(c, REASON_UPSTREAM_LOST, "lost");
	finish(c);
	s = only_end();
	CHECK(s->grpc_status == GRPC_UNAVAILABLE && is(s->reason, "upstream_lost"));
	CHECK(has(&s->lists[SAMPLE_LIST_RESPONSE], "grpc-message"));
	forget();
	end();
}

/* Of the request's last message the end may be known only when the trailers have passed. */
TEST(trailers_are_shown_also_where_a_message_was_taken_only_after_them)
{
	begin((struct config_sample){.every = 1, .bytes = 9, .lanes = SAMPLE_SENT});
	struct call *c = sampled_call();
	request(c, "\0\0\0\0\6ab", 7, false);
	response_head(c);
	response_fields(c, EVENT_TRAILERS, FIELDS("x-trailer", "2"), true);
	finish(c);
	CHECK_EQ(look(), 2);
	CHECK(samples[0].cut && has(&samples[1].lists[SAMPLE_LIST_TRAILERS], "x-trailer"));
	forget();
	end();
}

TEST(a_huge_message_costs_no_more_than_its_first_bytes)
{
	static char piece[65536];
	begin((struct config_sample){.every = 1, .bytes = 64});
	config.limits.message_bytes = 4ull << 30;
	struct call *c = sampled_call();
	memset(piece, 'x', sizeof piece);
	request(c, "\0\20\0\0\0", 5, false); /* 256 MiB */
	long blocks = mem_live_blocks();
	for (unsigned i = 0; i < 4096; i++) {
		CHECK_EQ(mem_live_blocks(), blocks);
		request(c, piece, sizeof piece, false);
	}
	CHECK_EQ(look(), 1);
	CHECK(samples[0].size == 256 << 20 && samples[0].payload.len == 64 && !samples[0].cut);
	over(c);
	forget();
	end();
}

TEST(beginnings_under_way_are_bounded_and_what_is_above_is_dropped_and_counted)
{
	begin((struct config_sample){.every = 1, .bytes = 64 << 10});
	struct call *calls[4];
	for (unsigned i = 0; i < 4; i++) {
		calls[i] = sampled_call();
		request(calls[i], "\0\0\0\xe0\0x", 6, false); /* 56 KiB are announced */
	}
	CHECK_EQ(dropped("memory"), 2); /* sampling.ring is 128 KiB here */
	for (unsigned i = 0; i < 4; i++)
		over(calls[i]);
	CHECK_EQ(taken("sent"), 2);
	struct call *c = sampled_call(); /* and there is room again */
	request(c, "\0\0\0\0\1x", 6, false);
	CHECK_EQ(taken("sent"), 3);
	over(c);
	end();
}

TEST(each_allocation_may_fail_and_costs_samples_and_no_call)
{
	for (long nth = 1; nth < 12; nth++) {
		begin((struct config_sample){.every = 1,
			.bytes = 100,
			.outputs = SAMPLE_TO_RING | SAMPLE_TO_LOG | SAMPLE_TO_FILE});
		open_outputs();
		struct call *warm = sampled_call();
		over(warm); /* what the call itself needs is there */
		struct fields *head = FIELDS(
			":method", "POST", ":path", "/a.B/C", "content-type", "application/grpc");
		struct call *c = call_create(&env, &generation, &listener, &front, NULL, head);
		c->route = &route;
		c->cluster = &cluster;
		/* leaves a chunk with room for what the call itself needs */
		CHECK(arena_alloc(&c->arena, 600) && arena_alloc(&c->arena, 300));
		mem_fail_after(nth);
		CHECK_EQ(call_open(c, &terminus), 0);
		struct event ev = {.kind = EVENT_HEAD, .fields = head};
		call_push_request(c, &ev);
		struct event data = {.kind = EVENT_DATA, .data = slice_static(two, TWO_BYTES)};
		call_push_request(c, &data);
		mem_fail_after(0);
		CHECK_EQ(served.data_bytes, TWO_BYTES);
		CHECK(c->abort.who == CALL_BY_NOBODY);
		over(c);
		look();
		forget();
		end();
	}
}

TEST(a_reload_changes_how_many_are_taken_and_how_much_is_kept)
{
	begin((struct config_sample){.every = 1000, .bytes = 100});
	struct call *c = sampled_call();
	send_numbered(c, LANE_REQUEST, 0, 5);
	route.sample.every = 2;
	config.sampling.ring_bytes = 256 << 10;
	CHECK_EQ(sampler_install(&env, &config), 0);
	uint64_t before = taken("sent");
	send_numbered(c, LANE_REQUEST, 0, 100);
	CHECK_EQ(taken("sent") - before, 50);
	over(c);
	end();
}

TAP_MAIN()
