/* Keys are pressed, frames are read: no terminal is needed for that. */
#include "cli/top_frame.h"

#include "cli/screen.h"
#include "cli/top_kit.h"

struct at {
	struct top_ui ui;
	struct top_look look;
	const char *notice;
	unsigned columns, lines;
	char frame[65536]; /* as the terminal would show it, without styles */
	char styled[65536];
};

static void draw(struct at *a)
{
	struct buf frame, plain;
	buf_init(&frame);
	buf_init(&plain);
	top_frame(&frame, &a->ui, &a->look, a->notice, a->columns, a->lines, 1700000000);
	CHECK(!frame.failed);
	snprintf(a->styled, sizeof(a->styled), "%s", frame.bytes);
	for (size_t i = 0; i < frame.len;) {
		const char *end = memchr(frame.bytes + i, '\n', frame.len - i);
		REQUIRE(end);
		size_t len = (size_t)(end - frame.bytes) - i;
		text_line(&plain, frame.bytes + i, len, a->columns, TEXT_NO_STYLES);
		buf_char(&plain, '\n');
		i += len + 1;
	}
	snprintf(a->frame, sizeof(a->frame), "%s", plain.bytes);
	buf_fini(&frame);
	buf_fini(&plain);
}

static void press(struct at *a, int key)
{
	top_ui_key(&a->ui, &a->look, key, a->lines);
	draw(a);
}

static void type(struct at *a, const char *text)
{
	for (; *text; text++)
		press(a, (unsigned char)*text);
}

/* The page that the person's choice asks for. */
static const char *wanted(const struct at *a)
{
	static char text[512];
	struct buf path, rest;
	buf_init(&path);
	buf_init(&rest);
	top_ui_query(&a->ui, &path, &rest);
	snprintf(text, sizeof(text), "%s", path.bytes);
	buf_fini(&path);
	buf_fini(&rest);
	return text;
}

static void begin(struct at *a, enum top_view_id view, const char *body)
{
	text_init("C.UTF-8");
	*a = (struct at){.notice = "", .columns = 80, .lines = 24};
	top_look_init(&a->look);
	top_ui_init(&a->ui, "127.0.0.1:9901", view, 1000000000);
	CHECK(kit_read(&a->look, view, wanted(a), body, 1));
	draw(a);
}

static void finish(struct at *a)
{
	top_look_fini(&a->look);
}

/* Whether `first` stands above `second` in the frame. */
static bool above(const struct at *a, const char *first, const char *second)
{
	const char *f = strstr(a->frame, first), *s = strstr(a->frame, second);
	return f && s && f < s;
}

static unsigned lines_of(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static const char METRICS[] =
	"grpc_streams_active{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method=\"Talk\"} 6\n"
	"grpc_streams_active{rt_route=\"feed\",grpc_service=\"f.Feed\",grpc_method=\"Watch\"} 9\n"
	"grpc_streams_completed_total{rt_route=\"chat\",grpc_service=\"c.Chat\",grpc_method="
	"\"Talk\",grpc_status=\"INTERNAL\"} 4\n";

TEST(a_frame_of_streams_fits_80_by_24)
{
	static const char want[] =
		"weir at 127.0.0.1:9901\n"
		"1200 streams, the first 3 are here\n"
		" 1 routes  2 streams  3 connections  4 clusters  every 1s, oldest\n"
		"\n"
		"ID      PATH            AGE  SENT  RECV MSG/s SENT/s  LAST STATE   WHY         \n"
		"0-1     /c.Chat/Talk   1m01   100   300     -      -    0s open                \n"
		"1-2     /c.Chat/Sub    2h00     1  4.0k     -      -   42s stalled recv: window\n"
		"1-3     /f.Feed/Watch  1d01     1     0     -      -  1d01 silent              "
		"\n\n";
	static struct at a;
	begin(&a, TOP_STREAMS, KIT_STREAMS);
	a.frame[sizeof(want) - 1 < strlen(a.frame) ? sizeof(want) - 1 : 0] = '\0';
	CHECK_STR(a.frame, want);
	draw(&a);
	CHECK_EQ(lines_of(a.frame), 24);
	CHECK(strstr(a.frame, "? help  q quit\n"));
	finish(&a);
}

TEST(tab_and_digits_switch_the_view_and_ask_for_its_page)
{
	static struct at a;
	begin(&a, TOP_ROUTES, METRICS);
	CHECK(above(&a, "feed", "chat"));
	CHECK_STR(wanted(&a), "/metrics");
	press(&a, KEY_TAB);
	CHECK(a.ui.fetch);
	CHECK_STR(wanted(&a), "/streams?sort=oldest&limit=500");
	CHECK(strstr(a.frame, "waiting for an answer"));
	press(&a, '4');
	CHECK(!strncmp(wanted(&a), "/clusters", 9));
	press(&a, KEY_TAB);
	CHECK_STR(wanted(&a), "/metrics");
	press(&a, KEY_BACKTAB);
	CHECK(!strncmp(wanted(&a), "/clusters", 9));
	press(&a, '3');
	CHECK(!strncmp(wanted(&a), "/connections", 12));
	finish(&a);
}

TEST(s_cycles_the_order_and_r_reverses_it)
{
	static struct at a;
	begin(&a, TOP_ROUTES, METRICS);
	for (int i = 0; i < 4; i++)
		press(&a, 's');
	CHECK(strstr(a.frame, "most errors"));
	CHECK(above(&a, "chat", "feed"));
	press(&a, 'r');
	CHECK(strstr(a.frame, "most errors, reversed"));
	CHECK(above(&a, "feed", "chat"));
	finish(&a);
	begin(&a, TOP_STREAMS, KIT_STREAMS);
	press(&a, 's');
	CHECK(a.ui.fetch); /* the server sorts: it has more than it shows */
	CHECK_STR(wanted(&a), "/streams?sort=busiest&limit=500");
	press(&a, 'r');
	CHECK(above(&a, "\n1-3", "\n0-1"));
	finish(&a);
}

TEST(a_filter_is_typed_kept_and_cleared)
{
	static struct at a;
	begin(&a, TOP_STREAMS, KIT_STREAMS);
	press(&a, '/');
	type(&a, "chatq route=x");
	CHECK(strstr(a.frame, "filter: chatq route=x"));
	for (int i = 0; i < 8; i++)
		press(&a, KEY_BACKSPACE);
	type(&a, "\xc3\xb6");
	press(&a, KEY_BACKSPACE); /* both bytes */
	press(&a, KEY_BACKSPACE);
	CHECK(strstr(a.frame, "filter: chat "));
	type(&a, " state=stalled");
	press(&a, KEY_ENTER);
	CHECK(a.ui.fetch && !a.ui.editing);
	CHECK_STR(wanted(&a), "/streams?sort=oldest&limit=500&state=stalled");
	CHECK(strstr(a.frame, "filter: chat state=stalled\n"));
	CHECK(strstr(a.frame, "\n0-1") && strstr(a.frame, "\n1-2") && !strstr(a.frame, "\n1-3"));
	a.ui.fetch = false;
	press(&a, KEY_ESC);
	CHECK(a.ui.fetch && !a.ui.quit);
	CHECK(strstr(a.frame, "\n1-3"));
	finish(&a);
}

TEST(the_filter_takes_no_more_than_it_can_hold)
{
	static struct at a;
	begin(&a, TOP_STREAMS, KIT_STREAMS);
	press(&a, '/');
	for (int i = 0; i < 500; i++)
		press(&a, 0xff);
	CHECK_EQ(strlen(a.ui.edit), TOP_FILTER_MAX - 1);
	press(&a, KEY_ENTER);
	CHECK(strstr(a.frame, "nothing matches"));
	press(&a, '/');
	press(&a, 'U' - '@');
	press(&a, KEY_ENTER);
	CHECK(strstr(a.frame, "\n1-3"));
	finish(&a);
}

static void many(struct buf *out, unsigned from, unsigned to)
{
	buf_clear(out);
	buf_str(out, "{\"streams\":[");
	for (unsigned i = from; i < to; i++)
		buf_fmt(out, "%s{\"id\":\"0-%u\",\"path\":\"/p%u\"}", i > from ? "," : "", i, i);
	buf_str(out, "]}");
}

static const char *selected(const struct at *a)
{
	return a->ui.tables[a->ui.view].key;
}

TEST(the_selection_moves_and_follows_its_row)
{
	static struct at a;
	struct buf page;
	buf_init(&page);
	many(&page, 1, 101);
	begin(&a, TOP_STREAMS, page.bytes);
	press(&a, 'j');
	press(&a, KEY_DOWN);
	CHECK_STR(selected(&a), "0-3");
	press(&a, KEY_UP);
	CHECK_STR(selected(&a), "0-2");
	press(&a, KEY_PAGE_DOWN);
	CHECK_STR(selected(&a), "0-20");
	CHECK(strstr(a.frame, "\n0-20 ") && !strstr(a.frame, "\n0-1 "));
	/* ten streams before it have ended: it is still the one */
	many(&page, 11, 101);
	CHECK(kit_read(&a.look, TOP_STREAMS, wanted(&a), page.bytes, 2));
	draw(&a);
	CHECK_EQ(a.ui.tables[TOP_STREAMS].at, 9);
	press(&a, KEY_END);
	CHECK_STR(selected(&a), "0-100");
	press(&a, 'j');
	CHECK_STR(selected(&a), "0-100");
	press(&a, 'g');
	CHECK_STR(selected(&a), "0-11");
	press(&a, 'k');
	CHECK_STR(selected(&a), "0-11");
	/* none is left */
	CHECK(kit_read(&a.look, TOP_STREAMS, wanted(&a), "{\"streams\":[]}", 3));
	draw(&a);
	press(&a, 'j');
	press(&a, KEY_ENTER);
	CHECK(strstr(a.frame, "nothing yet") && !a.ui.opened);
	buf_fini(&page);
	finish(&a);
}

TEST(enter_opens_a_stream_and_says_in_words_what_it_waits_for)
{
	static struct at a;
	begin(&a, TOP_STREAMS, KIT_STREAMS);
	a.columns = 100;
	a.lines = 40;
	press(&a, 'j');
	press(&a, KEY_ENTER);
	CHECK(a.ui.opened && a.ui.fetch);
	CHECK_STR(wanted(&a), "/streams?id=1-2");
	CHECK(strstr(a.frame, "\nstream 1-2, open for 2h00, stalled\n"));
	CHECK(strstr(
		a.frame, "\nStalled: it has been blocked for longer than its route allows.\n"));
	CHECK(strstr(a.frame,
		"\nServer to client is blocked (peer_stream_window): the client takes "
		"no more of this stream: it has\nused up"));
	CHECK(strstr(a.frame, "\nroute               chat, listener in, cluster a\n"));
	CHECK(strstr(a.frame, "\nlast message        2h00 ago                  42s ago\n"));
	CHECK(strstr(a.frame, "\nbytes held in weir  0                         66k\n"));
	CHECK(strstr(a.frame, "\nblocked now         no                        yes, for 42s\n"));
	CHECK(strstr(a.frame, "\nblocked so far, >   never\n"));
	CHECK(strstr(a.frame, " peer_stream_window 42s") && strstr(a.frame, "socket 1s"));
	CHECK(!strstr(a.frame, "rate_limit"));
	CHECK(strstr(a.frame, "\nrequest             /c.Chat/Sub to chat.example, grpc\n"));
	CHECK(strstr(
		a.frame, "\nclient              127.0.0.1:5001, stream 5 of connection 0-7\n"));
	CHECK(strstr(
		a.frame, "\nserver              127.0.0.1:9000, stream 9 of connection 0-8\n"));
	CHECK(strstr(a.frame,
		"\n  may still get     0 bytes on this stream, 1048576 on the connection\n"));
	CHECK(strstr(a.frame, "\n  may still send    65536 bytes on this stream\n"));
	/* it ends */
	CHECK(kit_read(&a.look, TOP_STREAMS, wanted(&a), "{\"streams\":[]}", 2));
	draw(&a);
	CHECK(strstr(a.frame, "\nstream 1-2 is gone: it has ended."));
	press(&a, KEY_ESC);
	CHECK(!a.ui.opened && !a.ui.quit);
	CHECK_STR(wanted(&a), "/streams?sort=oldest&limit=500");
	finish(&a);
}

TEST(every_cause_is_explained_for_both_directions)
{
	static const char *const causes[] = {
#define STALL(id, label) label,
#include "call/stall.def"
#undef STALL
	};
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		static struct at a;
		char page[512];
		snprintf(page, sizeof(page),
			"{\"streams\":[{\"id\":\"0-1\",\"state\":\"open\",\"sent\":{\"stalled\":\"%"
			"s\"},"
			"\"received\":{\"stalled\":\"%s\"}}]}",
			causes[i], causes[i]);
		begin(&a, TOP_STREAMS, page);
		CHECK(strstr(a.frame, "sent: "));
		a.lines = 50;
		press(&a, KEY_ENTER);
		CHECK(strstr(a.frame, "Client to server is blocked ("));
		CHECK(strstr(a.frame, "Server to client is blocked ("));
		CHECK(strstr(a.frame, causes[i]));
		CHECK(!strstr(a.frame, "new to weir top"));
		finish(&a);
	}
}

TEST(enter_on_a_route_or_method_shows_its_streams)
{
	static struct at a;
	begin(&a, TOP_ROUTES, METRICS);
	press(&a, 'j'); /* feed's method */
	press(&a, KEY_ENTER);
	CHECK_EQ(a.ui.view, TOP_STREAMS);
	CHECK_STR(wanted(&a),
		"/streams?sort=oldest&limit=500&route=feed&service=f.Feed&method=Watch");
	finish(&a);
}

TEST(enter_opens_a_connection_field_by_field)
{
	static const char page[] = "{\"connections\":[{\"id\":\"0-7\",\"side\":\"upstream\","
				   "\"waits\":\"socket\",\"fd\":12,\"ping_ms\":0.25,\"x\":{\"y\":"
				   "true,\"z\":null}}]}";
	static struct at a;
	begin(&a, TOP_CONNECTIONS, page);
	press(&a, KEY_ENTER);
	CHECK_STR(wanted(&a), "/connections?id=0-7");
	CHECK(strstr(a.frame, "\nside                          upstream\n"));
	CHECK(strstr(a.frame, "\nfd                            12\n"));
	CHECK(strstr(a.frame, "\nping_ms                       0.250\n"));
	CHECK(strstr(a.frame, "\n  y                           yes\n"));
	CHECK(strstr(a.frame, "\n  z                           -\n"));
	finish(&a);
}

TEST(enter_on_a_cluster_or_endpoint_shows_the_clusters_streams)
{
	static const char page[] = "{\"clusters\":[{\"name\":\"up\",\"endpoints\":[{\"address\":"
				   "\"127.0.0.1:1\",\"state\":\"down\"}]}]}";
	for (int row = 0; row < 2; row++) {
		static struct at a;
		begin(&a, TOP_CLUSTERS, page);
		if (row)
			press(&a, 'j');
		press(&a, KEY_ENTER);
		CHECK_EQ(a.ui.view, TOP_STREAMS);
		CHECK_STR(wanted(&a), "/streams?sort=oldest&limit=500&cluster=up");
		finish(&a);
	}
}

TEST(q_and_esc_go_back_and_at_last_quit)
{
	static struct at a;
	begin(&a, TOP_STREAMS, KIT_STREAMS);
	press(&a, '?');
	CHECK(strstr(a.frame, "Tab, 1 to 4") && lines_of(a.frame) == 24);
	press(&a, 'q');
	CHECK(!a.ui.help && !a.ui.quit);
	press(&a, KEY_ENTER);
	press(&a, 'q');
	CHECK(!a.ui.opened && !a.ui.quit);
	press(&a, 'q');
	CHECK(a.ui.quit);
	a.ui.quit = false;
	press(&a, KEY_ESC);
	CHECK(a.ui.quit);
	finish(&a);
}

TEST(p_pauses_and_plus_and_minus_change_the_interval)
{
	static struct at a;
	begin(&a, TOP_ROUTES, METRICS);
	press(&a, '+');
	CHECK(strstr(a.frame, "every 2s"));
	press(&a, '-');
	press(&a, '-');
	CHECK(strstr(a.frame, "every 500ms"));
	for (int i = 0; i < 20; i++)
		press(&a, '-');
	CHECK_EQ(a.ui.interval_ns, TOP_INTERVAL_MIN_NS);
	for (int i = 0; i < 20; i++)
		press(&a, '+');
	CHECK_EQ(a.ui.interval_ns, TOP_INTERVAL_MAX_NS);
	press(&a, 'p');
	CHECK(a.ui.paused && strstr(a.frame, " paused"));
	press(&a, 'p');
	CHECK(!a.ui.paused && a.ui.fetch);
	finish(&a);
}

TEST(what_is_wrong_stands_above_the_last_table)
{
	static struct at a;
	begin(&a, TOP_STREAMS, KIT_STREAMS);
	a.notice = "127.0.0.1:9901: Connection refused";
	draw(&a);
	CHECK(strstr(a.frame, "\n127.0.0.1:9901: Connection refused\nID "));
	CHECK(strstr(a.frame, "\n1-3"));
	finish(&a);
}

/* No line wider than the window, as many lines as it has, printable ASCII alone. */
static void check_fits(struct at *a, unsigned columns, unsigned lines)
{
	unsigned column = 0, wide = 0, odd = 0;
	a->columns = columns;
	a->lines = lines;
	draw(a);
	for (const char *c = a->frame; *c; c++) {
		column = *c == '\n' ? 0 : column + 1;
		wide += column > columns;
		odd += *c != '\n' && (*c < ' ' || *c > '~');
	}
	CHECK_EQ(wide, 0);
	CHECK_EQ(odd, 0);
	if (columns >= TOP_COLUMNS_MIN && lines >= TOP_LINES_MIN)
		CHECK_EQ(lines_of(a->frame), lines);
	else
		CHECK(!strncmp(a->frame, "too small", columns < 9 ? columns : 9));
}

TEST(every_frame_fits_its_window)
{
	static const unsigned sizes[][2] = {
		{80, 24}, {40, 10}, {40, 8}, {39, 24}, {80, 7}, {1, 1}, {200, 60}, {1000, 300}};
	static struct at a;
	static const char metrics[] =
		"grpc_streams_active{rt_route=\"a-route-with-quite-a-long-name\",grpc_service=\""
		"example.company.department.v1.VeryLongService\",grpc_method=\"\x1b[2JM\"} 1\n";
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		begin(&a, TOP_STREAMS, KIT_STREAMS);
		check_fits(&a, sizes[i][0], sizes[i][1]);
		press(&a, '?');
		check_fits(&a, sizes[i][0], sizes[i][1]);
		press(&a, '?');
		a.ui.tables[TOP_STREAMS].at = 1;
		a.ui.tables[TOP_STREAMS].key[0] = '\0';
		press(&a, KEY_ENTER);
		check_fits(&a, sizes[i][0], sizes[i][1]);
		press(&a, KEY_END);
		check_fits(&a, sizes[i][0], sizes[i][1]);
		finish(&a);
		begin(&a, TOP_ROUTES, metrics);
		check_fits(&a, sizes[i][0], sizes[i][1]);
		finish(&a);
	}
}

TEST(wide_windows_show_more_columns)
{
	static struct at a;
	begin(&a, TOP_STREAMS, KIT_STREAMS);
	CHECK(!strstr(a.frame, "ENDPOINT"));
	a.columns = 200;
	draw(&a);
	CHECK(strstr(a.frame, "ENDPOINT") && strstr(a.frame, "127.0.0.1:9001"));
	CHECK(strstr(a.frame, "RECV B/s") && strstr(a.frame, "LISTENER"));
	finish(&a);
}

/* Everything that a client can choose, in every place where it is shown. */
TEST(values_from_peers_never_reach_the_terminal_as_they_are)
{
	static const char page[] =
		"{\"total\":1,\"streams\":[{\"id\":\"0-1\",\"path\":\"/"
		"\\u001b]0;x\\u0007\\u009b2J\","
		"\"authority\":\"\\u001b[31m\\r\\n\",\"client\":\"\\u202e\\u0008\",\"route\":"
		"\"\\u0005\","
		"\"state\":\"\\u001bc\",\"endpoint\":\"\\u007f\",\"sent\":{\"messages\":\"\\u001b["
		"2J\","
		"\"stalled\":\"\\u001b[5m\",\"stalled_seconds\":{\"\\u001b[7m\":3}},"
		"\"downstream\":{\"stream\":1,\"connection\":\"\\u001b[1m\"}}]}";
	static struct at a;
	begin(&a, TOP_STREAMS, page);
	for (int opened = 0; opened < 2; opened++) {
		a.columns = 200;
		a.lines = 50;
		draw(&a);
		CHECK(strstr(a.frame, "?]0;x??2J"));
		for (const char *c = a.frame; *c; c++)
			CHECK(*c == '\n' || (*c >= ' ' && *c <= '~'));
		for (const char *c = a.styled; *c; c++)
			CHECK(*c == '\n' || text_is_style(*c) || (*c >= ' ' && *c <= '~'));
		press(&a, KEY_ENTER);
	}
	finish(&a);
}

TAP_MAIN()
