#include "filter/sample_record.h"
#include <jansson.h>
#include "base/mem.h"
#include "base/rand.h"
#include "tap.h"

static struct buf fields[SAMPLE_LISTS], record;

static struct sample_text text(const char *s, size_t len)
{
	return (struct sample_text){s, len};
}

static void add_field(enum sample_list list, const char *name, const char *value)
{
	struct sample_field f = {sample_text(name), {NULL, 0}};
	if (value)
		f.value = sample_text(value);
	sample_field_encode(&fields[list], list, &f);
}

static struct sample full(void)
{
	for (int i = 0; i < SAMPLE_LISTS; i++)
		buf_clear(&fields[i]);
	add_field(SAMPLE_LIST_REQUEST, "user-agent", "grpc \xc3\xa4");
	add_field(SAMPLE_LIST_REQUEST, "authorization", NULL);
	add_field(SAMPLE_LIST_REQUEST, "x-empty", "");
	add_field(SAMPLE_LIST_RESPONSE, "set-cookie", NULL);
	return (struct sample){
		.time_ns = 1700000000123456789,
		.worker = 3,
		.stream = 77,
		.listener = sample_text("in"),
		.route = sample_text("all"),
		.cluster = sample_text("up"),
		.service = sample_text("a.B"),
		.method = sample_text("C"),
		.direction = SAMPLE_DIRECTION_RECEIVED,
		.message = 3,
		.size = 1ull << 32,
		.compressed = true,
		.cut = true,
		.payload = text("\0\1\xff\xfe", 4),
		.lists = {{{fields[0].bytes, fields[0].len}, true},
			{{fields[1].bytes, fields[1].len}, false}},
		.grpc_status = -1,
	};
}

static struct sample ending(void)
{
	struct sample s = full();
	add_field(SAMPLE_LIST_TRAILERS, "grpc-status", "5");
	s.event = SAMPLE_EVENT_END;
	s.direction = SAMPLE_DIRECTION_UNKNOWN;
	s.message = s.size = 0;
	s.compressed = s.cut = false;
	s.payload = text("", 0);
	s.lists[SAMPLE_LIST_TRAILERS] =
		(struct sample_fields){{fields[2].bytes, fields[2].len}, true};
	s.http_status = 200;
	s.grpc_status = 5;
	s.ended_by = sample_text("upstream");
	s.reason = sample_text("complete");
	return s;
}

static bool same_text(struct sample_text a, struct sample_text b)
{
	return a.len == b.len && (!a.len || !memcmp(a.at, b.at, a.len));
}

static bool same_list(const struct sample *a, const struct sample *b, enum sample_list i)
{
	return same_text(a->lists[i].fields, b->lists[i].fields) &&
	       a->lists[i].cut == b->lists[i].cut;
}

static bool same(const struct sample *a, const struct sample *b)
{
	return a->time_ns == b->time_ns && a->worker == b->worker && a->stream == b->stream &&
	       same_text(a->listener, b->listener) && same_text(a->route, b->route) &&
	       same_text(a->cluster, b->cluster) && same_text(a->service, b->service) &&
	       same_text(a->method, b->method) && a->direction == b->direction &&
	       a->message == b->message && a->size == b->size && a->compressed == b->compressed &&
	       a->cut == b->cut && same_text(a->payload, b->payload) &&
	       same_list(a, b, SAMPLE_LIST_REQUEST) && same_list(a, b, SAMPLE_LIST_RESPONSE) &&
	       same_list(a, b, SAMPLE_LIST_TRAILERS) && a->event == b->event &&
	       a->http_status == b->http_status && a->grpc_status == b->grpc_status &&
	       same_text(a->ended_by, b->ended_by) && same_text(a->reason, b->reason);
}

static void done(void)
{
	for (int i = 0; i < SAMPLE_LISTS; i++)
		buf_fini(&fields[i]);
	buf_fini(&record);
	CHECK_EQ(mem_live_blocks(), 0);
}

TEST(what_was_written_is_read)
{
	struct sample want = full(), got;
	sample_encode(&record, &want);
	CHECK_EQ(sample_record_bytes(record.bytes, record.len), record.len);
	CHECK_EQ(sample_decode(record.bytes + 4, record.len - 4, &got), 0);
	CHECK(same(&want, &got));
	struct sample_field f;
	struct sample_text *metadata = &got.lists[SAMPLE_LIST_REQUEST].fields;
	REQUIRE(sample_field_next(metadata, &f));
	CHECK(same_text(f.name, sample_text("user-agent")));
	CHECK(same_text(f.value, sample_text("grpc \xc3\xa4")));
	REQUIRE(sample_field_next(metadata, &f));
	CHECK(same_text(f.name, sample_text("authorization")));
	CHECK(!f.value.at);
	REQUIRE(sample_field_next(metadata, &f));
	CHECK(same_text(f.name, sample_text("x-empty")));
	CHECK(f.value.at && !f.value.len);
	CHECK(!sample_field_next(metadata, &f));

	buf_clear(&record);
	want = ending();
	sample_encode(&record, &want);
	CHECK_EQ(sample_decode(record.bytes + 4, record.len - 4, &got), 0);
	CHECK(same(&want, &got));

	buf_clear(&record);
	struct sample none = {.grpc_status = -1};
	sample_encode(&record, &none);
	CHECK_MEM(record.bytes, record.len, "\0\0\0\0", 4);
	CHECK_EQ(sample_decode(record.bytes + 4, 0, &got), 0);
	CHECK(same(&none, &got));
	done();
}

TEST(a_record_is_complete_at_its_last_byte_and_not_before)
{
	struct sample want = ending(), got;
	sample_encode(&record, &want);
	for (size_t len = 0; len < record.len; len++) {
		char *exact = malloc(len + 1); /* so that a read behind it shows */
		memcpy(exact, record.bytes, len);
		CHECK_EQ(sample_record_bytes(exact, len), 0);
		if (len >= 4 && sample_decode(exact + 4, len - 4, &got) == 0)
			CHECK(!same(&want, &got));
		free(exact);
	}
	CHECK_EQ(sample_record_bytes("\0\20\0\0", 4), 0);
	CHECK_EQ(sample_record_bytes("\0\20\0\1", 4), ERR_LIMIT);
	CHECK_EQ(sample_record_bytes("\xff\xff\xff\xff", 4), ERR_LIMIT);
	done();
}

static bool decodes(const char *bytes, size_t len, struct sample *out)
{
	return sample_decode(bytes, len, out) == 0;
}
#define DECODES(bytes, out) decodes(bytes, sizeof(bytes) - 1, out)

TEST(fields_of_later_versions_are_passed_over_and_nonsense_is_refused)
{
	struct sample s;
	/* 100: varint; 101: text; 102: fixed64; 103: fixed32; then stream = 5. */
	CHECK(DECODES("\xa0\6\1\xaa\6\3abc\xb1\6"
		      "12345678\xbd\6"
		      "1234\x10\5",
		&s));
	CHECK_EQ(s.stream, 5);
	CHECK(DECODES("\x40\7", &s)); /* a third direction */
	CHECK_EQ(s.direction, SAMPLE_DIRECTION_UNKNOWN);
	CHECK(DECODES("\x12\1x", &s)); /* stream as a text */
	CHECK_EQ(s.stream, 0);
	CHECK(!DECODES("\x10", &s));
	CHECK(!DECODES("\x10\x80", &s));
	CHECK(!DECODES("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", &s));
	CHECK(!DECODES("\0\0", &s));                                      /* field 0 */
	CHECK(!DECODES("\x13", &s));                                      /* a group */
	CHECK(!DECODES("\x6a\5abcd", &s));                                /* a payload cut off */
	CHECK(!DECODES("\x6a\xff\xff\xff\xff\xff\xff\xff\xff\x7fx", &s)); /* 2^63 - 1 bytes */
	CHECK(!DECODES("\x72\2\x0a\5", &s));                              /* bad metadata */
	CHECK(!DECODES("\x72\2\x0a\0\x10\5\x72\2\x0a\0", &s));            /* metadata torn apart */
	CHECK(!DECODES("\xa2\1\2\x0a\0\x10\5\xa2\1\2\x0a\0", &s));        /* trailers, too */
	CHECK(DECODES("\xb8\1\x11", &s)); /* a status that gRPC has not: as its readers take it */
	CHECK_EQ(s.grpc_status, 2);
	CHECK(DECODES("\x88\1\2", &s)); /* an event of a later version */
	CHECK_EQ(s.event, SAMPLE_EVENT_MESSAGE);
}

TEST(json_has_every_field_and_is_read_by_jansson)
{
	struct sample s = full();
	struct buf out;
	struct jsonw j;
	buf_init(&out);
	jsonw_begin(&j, &out);
	sample_json(&j, NULL, &s);
	CHECK_STR(out.bytes,
		"{\"time\":\"2023-11-14T22:13:20.123Z\",\"event\":\"message\","
		"\"stream\":\"3-77\",\"listener\":\"in\","
		"\"route\":\"all\",\"cluster\":\"up\",\"service\":\"a.B\",\"method\":\"C\","
		"\"direction\":\"received\",\"message\":3,\"size\":4294967296,\"compressed\":true,"
		"\"cut\":true,\"truncated\":true,\"payload\":\"AAH//g==\",\"metadata\":["
		"[\"user-agent\",\"grpc \xc3\xa4\"],[\"authorization\",null],[\"x-empty\",\"\"]],"
		"\"metadata_cut\":true,\"response_metadata\":[[\"set-cookie\",null]],"
		"\"response_metadata_cut\":false}");
	json_t *read = json_loads(out.bytes, 0, NULL);
	CHECK(read);
	json_decref(read);
	s = ending();
	buf_clear(&out);
	jsonw_begin(&j, &out);
	sample_json(&j, NULL, &s);
	CHECK_STR(out.bytes,
		"{\"time\":\"2023-11-14T22:13:20.123Z\",\"event\":\"end\","
		"\"stream\":\"3-77\",\"listener\":\"in\","
		"\"route\":\"all\",\"cluster\":\"up\",\"service\":\"a.B\",\"method\":\"C\","
		"\"http_status\":200,\"grpc_status\":\"NOT_FOUND\",\"ended_by\":\"upstream\","
		"\"reason\":\"complete\",\"metadata\":["
		"[\"user-agent\",\"grpc \xc3\xa4\"],[\"authorization\",null],[\"x-empty\",\"\"]],"
		"\"metadata_cut\":true,\"response_metadata\":[[\"set-cookie\",null]],"
		"\"response_metadata_cut\":false,\"trailers\":[[\"grpc-status\",\"5\"]],"
		"\"trailers_cut\":true}");
	buf_fini(&out);
	done();
}

TEST(payloads_of_every_length_are_base64_as_RFC_4648_has_it)
{
	static const char *const want[] = {
		"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	for (size_t n = 0; n <= 6; n++) {
		struct sample s = {.payload = text("foobar", n)};
		struct buf out;
		struct jsonw j;
		char expected[64];
		buf_init(&out);
		jsonw_begin(&j, &out);
		sample_json(&j, NULL, &s);
		snprintf(expected, sizeof expected, "\"payload\":\"%s\",", want[n]);
		CHECK(strstr(out.bytes, expected));
		buf_fini(&out);
	}
}

TEST(records_one_behind_the_other_are_lines_up_to_where_they_end)
{
	struct sample s = full();
	struct buf out, line;
	struct jsonw j;
	size_t used;
	buf_init(&out);
	buf_init(&line);
	jsonw_begin(&j, &line);
	sample_json(&j, NULL, &s);
	buf_char(&line, '\n');
	sample_encode(&record, &s);
	size_t one = record.len;
	sample_encode(&record, &s);
	for (size_t len = 0; len <= record.len; len++) {
		buf_clear(&out);
		CHECK_EQ(sample_lines(record.bytes, len, &out, &used), 0);
		CHECK_EQ(used, len / one * one);
		CHECK_EQ(out.len, len / one * line.len);
		CHECK(len < one || !memcmp(out.bytes, line.bytes, line.len));
	}
	record.bytes[one + 4] = '\x0f'; /* no such wire type */
	CHECK_EQ(sample_lines(record.bytes, record.len, &out, &used), ERR_INVALID);
	CHECK_EQ(used, one);
	record.bytes[one] = 1; /* 16 MiB */
	CHECK_EQ(sample_lines(record.bytes, record.len, &out, &used), ERR_LIMIT);
	CHECK_EQ(used, one);
	buf_fini(&out);
	buf_fini(&line);
	done();
}

TEST(random_bytes_never_lead_outside)
{
	struct rand r;
	struct sample want = ending(), s;
	struct buf out;
	struct jsonw j;
	rand_seed(&r, tap_seed());
	sample_encode(&record, &want);
	buf_init(&out);
	for (unsigned round = 0; round < 20000; round++) {
		size_t len = record.len - 4;
		char *bytes = malloc(len);
		memcpy(bytes, record.bytes + 4, len);
		for (uint64_t n = 1 + rand_below(&r, 4); n; n--)
			bytes[rand_below(&r, len)] = (char)rand_u64(&r);
		buf_clear(&out);
		jsonw_begin(&j, &out);
		if (sample_decode(bytes, len, &s) == 0)
			sample_json(&j, NULL, &s);
		CHECK(j.depth == 0 && !out.failed);
		free(bytes);
	}
	buf_fini(&out);
	done();
}

TAP_MAIN()
