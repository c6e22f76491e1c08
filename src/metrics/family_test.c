/* family_test.c - families as delimited messages, byte for byte; judges_test.py has others decode
 * whole pages. */
#include <string.h>
#include "base/mem.h"
#include "metrics/page.h"
#include "metrics/protobuf.h"
#include "tap.h"

static struct metrics *m;
static struct metrics_slab *slab;
static struct buf got, want;

static void begin(void)
{
	m = metrics_create(100);
	slab = metrics_slab_create(m);
	buf_init(&got);
	buf_init(&want);
}

static void end(void)
{
	buf_fini(&got);
	buf_fini(&want);
	metrics_destroy(m);
}

/* The page's message of one family, its length cut off, into `got`. */
static void render(const char *name)
{
	struct buf page;
	buf_init(&page);
	metrics_render(m, METRICS_PROTOBUF, &page);
	CHECK(!page.failed);
	buf_clear(&got);
	for (size_t at = 0; at < page.len;) {
		size_t len = 0, name_len = strlen(name);
		for (unsigned shift = 0, more = 1; more && at < page.len; shift += 7) {
			uint8_t c = (uint8_t)page.bytes[at++];
			len |= (size_t)(c & 0x7f) << shift;
			more = c & 0x80;
		}
		REQUIRE(len <= page.len - at && len > name_len + 2);
		if (page.bytes[at + 1] == (char)name_len &&
			!memcmp(page.bytes + at + 2, name, name_len))
			buf_add(&got, page.bytes + at, len);
		at += len;
	}
	buf_fini(&page);
}

static void literal(const char *bytes, size_t len)
{
	buf_add(&want, bytes, len);
}
#define LITERAL(s) literal(s, sizeof(s) - 1)

TEST(a_counter_is_a_double_below_its_labels_and_its_name_ends_in_total)
{
	begin();
	series_add(metrics_series(slab, GROUP_H2_SIDE, (const char *const[]){"upstream"}),
		M_H2_FRAMES_IN, 3);
	render("weir_http2_received_frames_total");
	LITERAL("\x0a\x20weir_http2_received_frames_total"
		"\x12\x0e"
		"Frames parsed."
		"\x18\x00"
		"\x22\x1d"
		"\x0a\x10\x0a\x04side\x12\x08upstream"
		"\x1a\x09\x09\0\0\0\0\0\0\x08\x40");
	CHECK_MEM(got.bytes, got.len, want.bytes, want.len);
	end();
}

TEST(a_gauge_may_be_negative_and_has_its_unit_behind)
{
	begin();
	series_sub(metrics_series(slab, GROUP_H2_SIDE, (const char *const[]){"x"}), M_H2_HELD_BYTES,
		2);
	render("weir_http2_held_bytes");
	LITERAL("\x0a\x15weir_http2_held_bytes"
		"\x12\x21Payload bytes queued for writing."
		"\x18\x01"
		"\x22\x16"
		"\x0a\x09\x0a\x04side\x12\x01x"
		"\x12\x09\x09\0\0\0\0\0\0\0\xc0"
		"\x2a\x05"
		"bytes");
	CHECK_MEM(got.bytes, got.len, want.bytes, want.len);
	end();
}

/* What stands behind the classic buckets. */
static void check_native(const char *bytes, size_t len)
{
	render("weir_message_gap_seconds");
	size_t unit = 2 + strlen("seconds");
	REQUIRE(got.len > len + unit);
	const char *native = got.bytes + got.len - unit - len;
	CHECK_MEM(native, len, bytes, len);
	/* The schema is the first field of what is native: 300 s is the last of what is classic. */
	CHECK_MEM(native - 8, 8, "\0\0\0\0\0\xc0\x72\x40", 8);
}
#define CHECK_NATIVE(s) check_native(s, sizeof(s) - 1)
#define NATIVE_HEAD     "\x28\x06\x31\0\0\0\0\0\0\xb0\x3e\x38"

static struct series *timing(void)
{
	return metrics_series(
		slab, GROUP_TIMING, (const char *const[]){"in", "chat", "chat", "sent"});
}

TEST(spans_are_runs_of_buckets_with_the_gaps_between)
{
	begin();
	struct series *s = timing();
	CHECK_NATIVE(NATIVE_HEAD "\0");
	series_observe_times(s, M_MESSAGE_GAP, 1000000000, 5); /* bucket 0 */
	CHECK_NATIVE(NATIVE_HEAD "\0\x62\x04\x08\x00\x10\x01\x6a\x01\x0a");
	series_observe_times(s, M_MESSAGE_GAP, 1001000000, 2); /* bucket 1 */
	series_observe_times(s, M_MESSAGE_GAP, 0, 7);          /* the zero bucket */
	CHECK_NATIVE(NATIVE_HEAD "\x07\x62\x04\x08\x00\x10\x02\x6a\x02\x0a\x05");
	series_observe_times(s, M_MESSAGE_GAP, 2000000000, 3);      /* bucket 8 */
	series_observe_times(s, M_MESSAGE_GAP, 954, 1);             /* bucket -159 */
	series_observe_times(s, M_MESSAGE_GAP, 7200000000000, 300); /* bucket 97 */
	/* Spans -159, +158 empty then 0 and 1, +6 then 8, +88 then 97. */
	CHECK_NATIVE(NATIVE_HEAD "\x07"
				 "\x62\x05\x08\xbd\x02\x10\x01"
				 "\x62\x05\x08\xbc\x02\x10\x02"
				 "\x62\x04\x08\x0c\x10\x01"
				 "\x62\x05\x08\xb0\x01\x10\x01"
				 "\x6a\x06\x02\x08\x05\x02\xd2\x04");
	end();
}

TEST(a_bucket_with_a_classic_bound_inside_is_one_native_bucket)
{
	begin();
	struct series *s = timing();
	/* 0.1 s lies in bucket -26, above 0.0964 s and up to 0.1051 s. */
	series_observe_times(s, M_MESSAGE_GAP, 100000000, 1);
	series_observe_times(s, M_MESSAGE_GAP, 100000001, 2);
	CHECK_NATIVE(NATIVE_HEAD "\0\x62\x04\x08\x33\x10\x01\x6a\x01\x06");
	end();
}

TEST(a_page_for_which_there_is_no_memory_says_so)
{
	bool whole = false;
	begin();
	series_observe_times(timing(), M_MESSAGE_GAP, 12345, 1);
	metrics_render(m, METRICS_PROTOBUF, &want);
	for (long n = 1; n < 400 && !whole; n++) {
		buf_fini(&got);
		buf_init(&got);
		mem_fail_after(n);
		metrics_render(m, METRICS_PROTOBUF, &got);
		mem_fail_after(0);
		whole = !got.failed;
	}
	CHECK(whole);
	CHECK_MEM(got.bytes, got.len, want.bytes, want.len);
	end();
}

TAP_MAIN()
