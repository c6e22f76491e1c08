/* sample_outputs_test.c - where samples go, who finds them there, and what they do not show. */
#include "filter/sample_kit.h"

static char *slurp(const char *path, size_t *len)
{
	static char bytes[1 << 18];
	FILE *f = fopen(path, "rb");
	*len = f ? fread(bytes, 1, sizeof bytes - 1, f) : 0;
	bytes[*len] = '\0';
	if (f)
		fclose(f);
	return bytes;
}

/* As if "x-marked" had come as never to be indexed. */
static struct fields *with_marked(struct fields *f)
{
	for (uint32_t i = 0; i < f->count; i++)
		if (!strncmp(fields_own(f)[i].name, "x-marked", 8))
			fields_own(f)[i].flags |= FIELD_NEVER_INDEX;
	return f;
}

static struct call *call_with_secrets(void)
{
	struct fields *head = FIELDS(":method", "POST", ":path", "/a.B/C?key=SECRET", ":authority",
		"h", "content-type", "application/grpc", "authorization", "Bearer SECRET", "cookie",
		"SECRET", "x-api-key", "SECRET", "proxy-authorization", "SECRET", "x-session",
		"SECRET", "x-plain", "shown", "x-marked", "SECRET");
	return call_with(&route, with_marked(head), false);
}

TEST(no_secret_reaches_any_output)
{
	static char *redact[] = {(char *)"x-session"};
	size_t len;
	begin((struct config_sample){.every = 1,
		.bytes = 100,
		.outputs = SAMPLE_TO_RING | SAMPLE_TO_LOG | SAMPLE_TO_FILE});
	open_outputs();
	config.sampling.redact = redact;
	config.sampling.redact_count = 1;
	struct call *c = call_with_secrets();
	request(c, two, TWO_BYTES, false);
	response_fields(c, EVENT_HEAD,
		with_marked(FIELDS(":status", "200", "set-cookie", "SECRET", "x-session", "SECRET",
			"x-marked", "SECRET", "x-seen", "here")),
		false);
	response_fields(c, EVENT_TRAILERS,
		with_marked(FIELDS("grpc-status", "0", "authorization", "SECRET", "x-session",
			"SECRET", "x-marked", "SECRET")),
		true);
	finish(c);
	CHECK_EQ(look(), 3);
	CHECK(!memmem(latest.bytes, latest.len, "SECRET", 6));
	close_outputs();
	char *text = slurp(log_path, &len);
	CHECK(len && !memmem(text, len, "SECRET", 6));
	CHECK(strstr(text, "[\"x-plain\",\"shown\"]") && strstr(text, "[\"authorization\",null]"));
	CHECK(strstr(text, "[\"cookie\",null]") && strstr(text, "[\"x-api-key\",null]"));
	CHECK(strstr(text, "[\"proxy-authorization\",null]") &&
		strstr(text, "[\"x-session\",null]"));
	CHECK(strstr(text, "[\"x-marked\",null]"));
	CHECK(strstr(text, "\"response_metadata\":[[\"set-cookie\",null],[\"x-session\",null],"
			   "[\"x-marked\",null],[\"x-seen\",\"here\"]]"));
	CHECK(strstr(text, "\"trailers\":[[\"grpc-status\",\"0\"],[\"authorization\",null],"
			   "[\"x-session\",null],[\"x-marked\",null]]"));
	CHECK(strstr(text, "\n{\"sample\":{") && text[len - 1] == '\n');
	text = slurp(file_path, &len);
	CHECK(len && !memmem(text, len, "SECRET", 6));
	CHECK_EQ(records_in(text, len), 3);
	CHECK(is(samples[1].payload, "z") && samples[1].compressed);
	forget();
	end();
}

TEST(metadata_is_bounded_and_says_so)
{
	char value[3000];
	begin((struct config_sample){.every = 1, .bytes = 1});
	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	struct call *c = call_with(&route,
		FIELDS(":method", "POST", ":path", "/a.B/C", "content-type", "application/grpc",
			"x-one", value, "x-two", value, "x-three", "3"),
		false);
	send_numbered(c, LANE_REQUEST, 0, 1);
	CHECK_EQ(look(), 1);
	const struct sample_fields *list = &samples[0].lists[SAMPLE_LIST_REQUEST];
	CHECK(list->cut && list->fields.len < SAMPLE_METADATA_BYTES + 20);
	CHECK(has(list, "x-one") && !has(list, "x-two") && has(list, "x-three"));
	response_fields(
		c, EVENT_HEAD, FIELDS(":status", "200", "x-four", value, "x-five", value), false);
	response_fields(
		c, EVENT_TRAILERS, FIELDS("x-six", value, "x-seven", value, "a", "b"), true);
	finish(c);
	CHECK_EQ(look(), 2);
	list = &samples[1].lists[SAMPLE_LIST_RESPONSE];
	CHECK(list->cut && has(list, "x-four") && !has(list, "x-five"));
	list = &samples[1].lists[SAMPLE_LIST_TRAILERS];
	CHECK(list->cut && has(list, "x-six") && !has(list, "x-seven") && has(list, "a"));
	forget();
	end();
}

TEST(the_latest_of_a_route_or_of_a_stream_are_asked_for)
{
	begin((struct config_sample){.every = 1, .bytes = 100});
	struct call *c = sampled_call();
	send_numbered(c, LANE_REQUEST, 0, 10);
	CHECK_EQ(look_for("sampled", 0, 3), 3);
	CHECK(is(samples[0].payload, "message 7") && is(samples[2].payload, "message 9"));
	CHECK_EQ(look_for("sampled", c->id, 20), 10);
	CHECK_EQ(look_for("sampled", c->id + 1, 20), 0);
	CHECK_EQ(look_for("other", 0, 20), 0);
	CHECK_EQ(look_for(NULL, 0, 1), 1);
	CHECK(is(samples[0].payload, "message 9"));
	struct sampler *kept = env.sampler;
	env.sampler = NULL;
	CHECK_EQ(look(), 0);
	env.sampler = kept;
	over(c);
	forget();
	end();
}

TEST(a_search_takes_a_share_at_a_time_and_bears_that_the_ring_moves_on)
{
	static char bytes[70000];
	begin((struct config_sample){.every = 1, .bytes = 64 << 10});
	config.sampling.ring_bytes = 4 << 20;
	CHECK_EQ(sampler_install(&env, &config), 0);
	struct call *c = sampled_call();
	size_t n = message(bytes, 0, bytes + 5, 64 << 10);
	for (unsigned i = 0; i < 60; i++)
		request(c, bytes, (uint32_t)n, false);
	struct sample_search search = {.limit = 5};
	unsigned shares = 1;
	buf_init(&search.found);
	CHECK(!sampler_search(env.sampler, &search));
	CHECK(search.matched > 10 && search.matched < 20);
	for (unsigned i = 0; i < 40; i++) /* the place where it stands is overwritten */
		request(c, bytes, (uint32_t)n, false);
	while (!sampler_search(env.sampler, &search))
		shares++;
	CHECK(shares >= 3 && shares <= 5);
	CHECK_EQ(search.count, 5);
	CHECK_EQ(records_in(search.found.bytes + search.gone, search.found.len - search.gone), 5);
	for (unsigned i = 0; i < 5; i++)
		CHECK_EQ(samples[i].message, 96 + i);
	buf_fini(&search.found);
	over(c);
	end();
}

TEST(a_ring_that_is_full_lets_go_of_the_oldest_and_counts_them)
{
	static char bytes[40000];
	begin((struct config_sample){.every = 1, .bytes = 32 << 10});
	struct call *c = sampled_call();
	for (unsigned i = 0; i < 10; i++) {
		size_t n = message(bytes, 0, bytes + 5, 32000);
		request(c, bytes, (uint32_t)n, false);
	}
	struct series *worker = metrics_series(env.metrics, GROUP_WORKER, (const char *[]){"0"});
	sampler_publish(&env, worker);
	CHECK_EQ(look(), 4); /* of 128 KiB */
	CHECK_EQ(samples[3].message, 10);
	CHECK_EQ(metrics_read(metrics, M_SAMPLES_OVERWRITTEN, (const char *[]){"0"}), 6);
	over(c);
	forget();
	end();
}

TEST(an_output_that_takes_nothing_drops_counts_and_the_call_goes_on)
{
	begin((struct config_sample){
		.every = 1, .bytes = 100, .outputs = SAMPLE_TO_FILE | SAMPLE_TO_LOG});
	open_outputs();
	sinks_set_limit(sinks, 1);
	struct call *c = sampled_call();
	request(c, two, TWO_BYTES, false);
	CHECK_EQ(dropped("file"), 2);
	CHECK_EQ(dropped("log"), 2);
	CHECK_EQ(served.data_bytes, TWO_BYTES);
	CHECK_EQ(look(), 0);
	over(c);
	forget();
	end();
}

TAP_MAIN()
