/* RFC 9113 section 4.3: field section compression, and what RFC 7541 asks of a connection. */
#include "wire.h"

/* A block on a stream where the peer may send its head; ES so that nothing more is needed. */
static uint32_t send_block(struct wire *w, const void *block, size_t len)
{
	uint32_t id = w->role == H2_SERVER ? w->next_id : app_open(w, GET_REQ, true);
	w->next_id = id + 2;
	wire_frame(w, HEADERS, ES | EH, id, block, len);
	return id;
}
#define BLOCK(w, literal) send_block(w, literal, sizeof(literal) - 1)

#define REQ_BLOCK                                                                                  \
	"\x82\x86\x84\x41\x03"                                                                     \
	"a.b"             /* static: GET http / ; authority, indexed as 62 */
#define RESP_BLOCK "\x88" /* static: 200 */

static uint32_t send_head_and(struct wire *w, const void *more, size_t len)
{
	static struct block b;
	b.len = 0;
	if (w->role == H2_SERVER)
		block_raw(&b,
			"\x82\x86\x84\x01\x03"
			"a.b",
			8); /* authority without indexing */
	else
		block_raw(&b, RESP_BLOCK, 1);
	block_raw(&b, more, len);
	return send_block(w, b.p, b.len);
}
#define HEAD_AND(w, literal) send_head_and(w, literal, sizeof(literal) - 1)

BOTH(rfc9113_4_3_a_truncated_literal_is_compression_error)
{
	HEAD_AND(w, "\x00\x05"
		    "ab");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc9113_4_3_a_block_that_ends_inside_an_integer_is_compression_error)
{
	HEAD_AND(w, "\xff\x80");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc9113_4_3_a_block_that_ends_before_the_value_is_compression_error)
{
	HEAD_AND(w, "\x40\x01"
		    "a");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc7541_6_1_index_0_is_compression_error)
{
	HEAD_AND(w, "\x80");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc7541_2_3_3_an_index_beyond_the_tables_is_compression_error)
{
	HEAD_AND(w, "\xc6"); /* 70 */
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc7541_2_3_3_a_literal_with_a_name_index_beyond_the_tables_is_compression_error)
{
	HEAD_AND(w, "\x7f\x0a\x01"
		    "x"); /* 73 */
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc7541_5_1_an_integer_beyond_32_bits_is_compression_error)
{
	HEAD_AND(w, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc7541_5_2_a_string_longer_than_the_block_is_compression_error)
{
	HEAD_AND(w, "\x00\x7f\xff\xff\xff\x7f");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc7541_5_2_huffman_padding_over_7_bits_is_compression_error)
{
	HEAD_AND(w, "\x00\x01"
		    "a\x83\x1f\xff\xff"); /* 'a' is 00011, then 19 bits of padding */
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc7541_5_2_huffman_padding_of_zeros_is_compression_error)
{
	HEAD_AND(w, "\x00\x01"
		    "a\x81\x18"); /* 'a' then 000 */
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc7541_5_2_eos_in_a_huffman_string_is_compression_error)
{
	HEAD_AND(w, "\x00\x01"
		    "a\x84\xff\xff\xff\xff");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc7541_5_2_a_huffman_string_is_decoded)
{
	uint32_t id = HEAD_AND(w, "\x00\x01"
				  "x\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(wire_has_field(e->text, "x www.example.com"));
	ALIVE(w);
}

BOTH(rfc7541_4_2_a_size_update_behind_a_field_is_compression_error)
{
	HEAD_AND(w, "\x20");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc7541_6_3_a_size_update_above_the_setting_is_compression_error)
{
	if (w->role == H2_SERVER)
		BLOCK(w, "\x3f\xe2\x1f" REQ_BLOCK); /* 4097 */
	else
		BLOCK(w, "\x3f\xe2\x1f" RESP_BLOCK);
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc7541_6_3_size_updates_up_to_the_setting_are_accepted)
{
	uint32_t id = w->role == H2_SERVER ? BLOCK(w, "\x20\x3f\xe1\x1f" REQ_BLOCK)
					   : BLOCK(w, "\x20\x3f\xe1\x1f" RESP_BLOCK);
	CHECK(wire_got_message(w, EVENT_HEAD, id, 0));
	ALIVE(w);
}

BOTH(rfc7541_4_3_a_size_update_to_0_evicts_every_entry)
{
	HEAD_AND(w, "\x40\x01"
		    "a\x01"
		    "b");
	wire_sync(w);
	CHECK(!h2_conn_is_dead(w->c));
	if (w->role == H2_SERVER)
		BLOCK(w, "\x20\x82\x86\x84\xbe");
	else
		BLOCK(w, "\x20\x88\xbe");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc7541_6_2_1_an_indexed_literal_is_found_in_the_next_block)
{
	HEAD_AND(w, "\x40\x01"
		    "a\x01"
		    "b");
	uint32_t id = HEAD_AND(w, "\xbe");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(wire_has_field(e->text, "a b"));
	ALIVE(w);
}

BOTH(rfc7541_6_2_2_a_literal_without_indexing_enters_no_table)
{
	HEAD_AND(w, "\x00\x01"
		    "a\x01"
		    "b");
	HEAD_AND(w, "\xbe");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc7541_6_2_3_a_never_indexed_literal_enters_no_table)
{
	uint32_t id = HEAD_AND(w, "\x10\x01"
				  "a\x01"
				  "b");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(wire_has_field(e->text, "a b"));
	HEAD_AND(w, "\xbe");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

RAW_BOTH(rfc7541_4_2_our_smaller_table_setting_is_enforced)
{
	struct h2_options o = h2_options_default(w->role);
	o.decoder_table_bytes = 0;
	wire_begin(w, &o);
	/* The peer acknowledged 0, so a block must begin with a size update to 0. */
	uint32_t id = w->role == H2_SERVER ? BLOCK(w, "\x20\x82\x86\x84\x01\x03"
						      "a.b")
					   : BLOCK(w, "\x20\x88");
	CHECK(wire_got_message(w, EVENT_HEAD, id, 0));
	HEAD_AND(w, "\x40\x01"
		    "a\x01"
		    "b");
	HEAD_AND(w, "\xbe");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

RAW_BOTH(rfc7541_4_2_a_missing_size_update_after_our_acknowledged_reduction_is_compression_error)
{
	struct h2_options o = h2_options_default(w->role);
	o.decoder_table_bytes = 0;
	wire_begin(w, &o);
	HEAD_AND(w, "\x00\x01"
		    "a\x01"
		    "b");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

/* ---- the decoder stays in step with blocks that nobody reads ---- */

SERVER(rfc9113_4_3_the_block_of_a_malformed_request_updates_the_table)
{
	BLOCK(w, "\x40\x01"
		 "a\x01"
		 "b"); /* no pseudo-headers */
	uint32_t id = HEAD_AND(w, "\xbe");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(wire_has_field(e->text, "a b"));
	ALIVE(w);
}

RAW_SERVER(rfc9113_4_3_the_block_of_a_refused_stream_updates_the_table)
{
	struct h2_options o = h2_options_default(w->role);
	o.max_concurrent_streams = 1;
	wire_begin(w, &o);
	uint32_t first = stream_open(w);
	uint32_t refused = HEAD_AND(w, "\x40\x01"
				       "a\x01"
				       "b");
	FRAMES(w, RST_STREAM, refused, 1);
	app_reset(w, first, H2_CANCEL);
	uint32_t id = HEAD_AND(w, "\xbe");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(wire_has_field(e->text, "a b"));
}

BOTH(rfc9113_5_1_headers_on_a_stream_we_reset_update_the_table)
{
	uint32_t id = stream_we_reset(w);
	if (w->role == H2_SERVER)
		FRAME(w, HEADERS, ES | EH, id,
			"\x40\x01"
			"a\x01"
			"b");
	else
		FRAME(w, HEADERS, ES | EH, id,
			"\x88\x40\x01"
			"a\x01"
			"b");
	id = HEAD_AND(w, "\xbe");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(wire_has_field(e->text, "a b"));
	ALIVE(w);
}

BOTH(rfc9113_5_1_continuations_on_a_stream_we_reset_update_the_table)
{
	uint32_t id = stream_we_reset(w);
	FRAME(w, HEADERS, ES, id,
		"\x40\x01"
		"a");
	FRAME(w, CONTINUATION, EH, id,
		"\x01"
		"b");
	id = HEAD_AND(w, "\xbe");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(wire_has_field(e->text, "a b"));
	ALIVE(w);
}

BOTH(rfc9113_4_3_trailers_share_the_connections_table)
{
	uint32_t id = stream_in_body(w);
	FRAME(w, HEADERS, ES | EH, id,
		"\x40\x01"
		"a\x01"
		"b");
	MESSAGE(w, id, EVENT_TRAILERS, "a b", true);
	id = HEAD_AND(w, "\xbe");
	const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
	REQUIRE(e);
	CHECK(wire_has_field(e->text, "a b"));
}

BOTH(rfc9113_4_3_a_broken_block_on_a_stream_we_reset_is_compression_error)
{
	uint32_t id = stream_we_reset(w);
	FRAME(w, HEADERS, ES | EH, id, "\x80");
	GOAWAY(w, H2_COMPRESSION_ERROR);
}

BOTH(rfc9113_4_3_a_block_may_be_cut_anywhere)
{
	static struct block b;
	for (size_t cut = 0; cut <= 60; cut++) {
		uint32_t id = w->role == H2_SERVER ? w->next_id : app_open(w, GET_REQ, true);
		b.len = 0;
		block_text(&b,
			w->role == H2_SERVER ? GET_REQ "|cut anywhere" : OK_RESP "|cut anywhere");
		size_t at = cut < b.len ? cut : b.len;
		w->next_id = id + 2;
		wire_frame(w, HEADERS, ES, id, b.p, at);
		wire_frame(w, CONTINUATION, 0, id, b.p + at, 0);
		wire_frame(w, CONTINUATION, EH, id, b.p + at, b.len - at);
		const struct wire_event *e = wire_got_message(w, EVENT_HEAD, id, 0);
		REQUIRE(e);
		CHECK(wire_has_field(e->text, "cut anywhere"));
		if (w->role == H2_SERVER)
			app_head(w, id, OK_RESP, true);
	}
	ALIVE(w);
}

/* ---- our encoder keeps to the peer's table ---- */

static uint32_t answer(struct wire *w, const char *more)
{
	char text[200];
	if (w->role == H2_CLIENT) {
		snprintf(text, sizeof(text), GET_REQ "|%s", more);
		return app_open(w, text, true);
	}
	uint32_t id = stream_peer_ended(w);
	snprintf(text, sizeof(text), OK_RESP "|%s", more);
	app_head(w, id, text, true);
	return id;
}

static void check_sent_field(struct wire *w, uint32_t id, const char *field)
{
	const struct wire_frame *f = wire_sent(w, HEADERS, id, 0);
	if (!f || !wire_has_field(f->fields, field))
		w->broken = "a field that we sent did not arrive";
}

BOTH(rfc7541_4_2_our_encoder_announces_a_reduced_table)
{
	check_sent_field(w, answer(w, "x-repeat me"), "x-repeat me");
	wire_table_setting(w, 0); /* the kit's decoder now insists on the size update */
	check_sent_field(w, answer(w, "x-repeat me"), "x-repeat me");
	check_sent_field(w, answer(w, "x-repeat me"), "x-repeat me");
	wire_table_setting(w, 4096);
	check_sent_field(w, answer(w, "x-repeat me"), "x-repeat me");
	check_sent_field(w, answer(w, "x-repeat me"), "x-repeat me");
	ALIVE(w);
}

BOTH(rfc7541_4_2_our_encoder_announces_the_smallest_of_two_changes)
{
	check_sent_field(w, answer(w, "x-repeat me"), "x-repeat me");
	wire_table_setting(w, 0);
	wire_table_setting(w, 4096);
	check_sent_field(w, answer(w, "x-repeat me"), "x-repeat me");
	check_sent_field(w, answer(w, "x-repeat me"), "x-repeat me");
	ALIVE(w);
}

BOTH(rfc7541_4_2_a_huge_table_of_the_peer_is_not_used_up)
{
	wire_table_setting(w, 0xffffffffu);
	for (int i = 0; i < 50; i++) {
		char field[40];
		snprintf(field, sizeof(field), "x-%d value", i);
		check_sent_field(w, answer(w, field), field);
		if (w->role == H2_CLIENT)
			wire_headers(w, (uint32_t)(2 * i + 1), ES, OK_RESP);
	}
	ALIVE(w);
}

TAP_MAIN()
