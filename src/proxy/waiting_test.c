/* waiting_test.c - calls that wait for a stream, over real connections to a listener that accepts
 * nothing. The test says when a connection is established and what its server's SETTINGS are, and
 * runs the part of the event loop that serves those who wait. */
#include "proxy/waiting.h"
#include <sys/socket.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "call/stall.h"
#include "proxy/link.h"
#include "proxy/upstream.h"
#include "tap.h"

enum { CALLS_MAX = 2000, MAX_CONCURRENT_STREAMS = 3, MAX_HEADER_LIST_SIZE = 6 };

static struct metrics *metrics;
static struct worker *w;
static struct config_address address = {.text = (char *)"peer"};
static struct config_cluster clusters[] = {{.name = (char *)"up",
						   .endpoints = &address,
						   .endpoint_count = 1,
						   .connect_timeout_ns = 1000000000},
	{.name = (char *)"other",
		.endpoints = &address,
		.endpoint_count = 1,
		.connect_timeout_ns = 1000000000}};
static struct config config = {.clusters = clusters, .cluster_count = 2};
static struct config_listener listener = {.name = (char *)"in"};
static struct pool *pools[2];
static struct generation generation;
static struct pool_endpoint *endpoint, *other; /* of the two clusters */
static int listen_fd;

static struct call *calls[CALLS_MAX];
static uint32_t call_count, ended; /* ended: calls whose client got an answer or a reset */

static void end_front(struct call *c)
{
	ended++;
	call_front_done(c);
}

static void front_push(struct call *c, struct event *ev)
{
	bool end = ev->end;
	event_drop(ev);
	if (end)
		end_front(c);
}

static void front_credit(struct call *c, uint32_t bytes)
{
}

static const struct call_front front = {front_push, front_credit, NULL, end_front};

static void begin(void)
{
	struct sockaddr_un {
		sa_family_t family;
		char path[16];
	} un = {.family = AF_UNIX}; /* the kernel finds a name without a file */
	struct sockaddr *sa = (struct sockaddr *)&address.sa;
	listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	memcpy(sa, &un, sizeof(un.family));
	address.sa_len = sizeof(address.sa);
	REQUIRE(listen_fd >= 0 && bind(listen_fd, sa, sizeof(un.family)) == 0 &&
		listen(listen_fd, POOL_LINKS_MAX) == 0 &&
		getsockname(listen_fd, sa, &address.sa_len) == 0);
	metrics = metrics_create(100);
	struct worker_setup setup = {.shared = shared_create(1), .metrics = metrics};
	w = worker_create(&setup, 0, false);
	REQUIRE(metrics && setup.shared && w);
	log_set_level(LOG_ERROR);
	w->env.now_ns = w->loop.now_ns;
	for (int i = 0; i < 2; i++)
		pools[i] = pool_for(w, &clusters[i]);
	generation = (struct generation){.base = {.config = &config}, .pools = pools};
	generation.base.owner = &generation;
	endpoint = CONTAINER_OF(pools[0]->endpoints.next, struct pool_endpoint, node);
	other = CONTAINER_OF(pools[1]->endpoints.next, struct pool_endpoint, node);
	call_count = ended = 0;
}

static void end(void)
{
	struct shared *shared = w->shared;
	for (uint32_t i = 0; i < call_count; i++)
		if (!calls[i]->front_done) {
			call_reset(calls[i], CALL_BY_CLIENT, REASON_CLIENT_GONE, H2_CANCEL);
			call_front_done(calls[i]);
		}
	CHECK(list_empty(&endpoint->waiting) && list_empty(&endpoint->lost));
	const char *labels[] = {"up"};
	CHECK_EQ(metrics_read(metrics, M_STREAMS_WAITING, labels), 0);
	free_list_purge(&w->held); /* as the event loop does at its end */
	worker_destroy(w);
	shared_destroy(shared);
	metrics_destroy(metrics);
	fields_cache_purge();
	close(listen_fd);
	log_set_level(LOG_INFO);
}

static struct fields *request_head(void)
{
	struct fields *f = fields_create();
	if (!f || fields_add_str(f, TOKEN_METHOD, "POST") ||
		fields_add_str(f, TOKEN_SCHEME, "http") ||
		fields_add_str(f, TOKEN_PATH, "/a.B/C") || fields_add_str(f, TOKEN_AUTHORITY, "h"))
		abort();
	return f;
}

static void open_calls_to(const struct config_cluster *cluster, uint32_t n)
{
	for (; n > 0; n--) {
		struct event head = {.kind = EVENT_HEAD, .end = true, .fields = request_head()};
		struct call *c = call_create(
			&w->env, &generation.base, &listener, &front, NULL, head.fields);
		REQUIRE(c && call_count < CALLS_MAX);
		calls[call_count++] = c;
		c->unfiltered = true;
		c->cluster = cluster;
		REQUIRE(call_open(c, &upstream_terminus) == 0);
		call_push_request(c, &head);
	}
}

static void open_calls(uint32_t n)
{
	open_calls_to(&clusters[0], n);
}

static struct link *link_number(uint32_t n)
{
	LIST_FOR_EACH (node, &endpoint->links)
		if (n-- == 0)
			return CONTAINER_OF(node, struct link, node);
	return NULL;
}

static void establish(struct link *l)
{
	REQUIRE(l && l->state == LINK_CONNECTING);
	l->io.writable = true;
	l->io.ops->writable(&l->io);
}

/* The server's SETTINGS, with one setting (RFC 9113 section 6.5). */
static void settings(struct link *l, uint8_t id, uint32_t value)
{
	const uint8_t frame[] = {0, 0, 6, 4, 0, 0, 0, 0, 0, 0, id, (uint8_t)(value >> 24),
		(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
	h2io_feed(&l->io, slice_copy(frame, sizeof(frame)));
}

static const struct upstream *attempt_of(uint32_t i)
{
	return calls[i]->terminus_state;
}

static bool has_stream(uint32_t i)
{
	return !calls[i]->terminus_done && attempt_of(i)->stream;
}

/* The first calls have streams, the next ones wait in their order, and there are no others. */
static void check_streams(uint32_t with_stream)
{
	struct list *node = endpoint->waiting.next;
	for (uint32_t i = 0; i < call_count; i++) {
		CHECK_EQ(has_stream(i), i < with_stream);
		if (i < with_stream)
			continue;
		REQUIRE(node != &endpoint->waiting);
		CHECK(CONTAINER_OF(node, struct upstream, node) == attempt_of(i));
		CHECK_EQ(call_stalled(calls[i], LANE_REQUEST), STALL_STREAM_SLOT);
		node = node->next;
	}
	CHECK(node == &endpoint->waiting);
}

static void cancel(uint32_t i)
{
	call_reset(calls[i], CALL_BY_CLIENT, REASON_CLIENT_RESET, H2_CANCEL);
	call_front_done(calls[i]);
}

TEST(a_loop_iteration_starts_a_bounded_number_of_calls_and_the_others_keep_their_order)
{
	enum { ALLOWED = 2 * WAITING_CALLS_PER_TURN + 100 };
	begin();
	open_calls(1000);
	check_streams(0);
	CHECK_EQ(endpoint->link_count, 1);
	waiting_run(w); /* nothing has happened */
	check_streams(0);
	struct link *l = link_number(0);
	establish(l);
	settings(l, MAX_CONCURRENT_STREAMS, ALLOWED);
	check_streams(0); /* marked, not started */
	for (uint32_t started = WAITING_CALLS_PER_TURN; started < ALLOWED;
		started += WAITING_CALLS_PER_TURN) {
		waiting_run(w);
		check_streams(started);
		CHECK(!list_empty(&w->endpoints_due)); /* the next iteration does not sleep */
	}
	waiting_run(w);
	check_streams(ALLOWED);
	CHECK(list_empty(&w->endpoints_due));
	CHECK_EQ(endpoint->link_count, 2); /* a further connection is being opened */
	end();
}

TEST(an_endpoint_that_is_not_reached_in_an_iteration_is_served_in_the_next_which_does_not_sleep)
{
	begin();
	open_calls(WAITING_CALLS_PER_TURN);
	open_calls_to(&clusters[1], 10);
	struct link *l = link_number(0);
	struct link *l2 = CONTAINER_OF(other->links.next, struct link, node);
	establish(l);
	settings(l, MAX_CONCURRENT_STREAMS, 1000);
	establish(l2);
	w->loop.again = false;
	waiting_run(w); /* exactly what one iteration may do */
	CHECK(list_empty(&endpoint->waiting));
	CHECK(!has_stream(WAITING_CALLS_PER_TURN));
	CHECK(w->loop.again && w->calls_may_start);
	w->loop.again = false;
	waiting_run(w);
	CHECK(has_stream(WAITING_CALLS_PER_TURN) && has_stream(call_count - 1));
	CHECK(!w->loop.again && !w->calls_may_start);
	end();
}

TEST(before_the_servers_settings_a_hundred_streams_are_opened_and_no_further_connection)
{
	begin();
	open_calls(150);
	establish(link_number(0));
	waiting_run(w);
	check_streams(100);
	CHECK_EQ(endpoint->link_count, 1);
	open_calls(1);
	check_streams(100);
	CHECK_EQ(endpoint->link_count, 1);
	settings(link_number(0), MAX_CONCURRENT_STREAMS, 120);
	waiting_run(w);
	check_streams(120);
	CHECK_EQ(endpoint->link_count, 2);
	end();
}

TEST(calls_that_no_server_takes_end_a_bounded_number_in_each_loop_iteration)
{
	begin();
	establish((open_calls(1), link_number(0)));
	waiting_run(w);
	settings(link_number(0), MAX_CONCURRENT_STREAMS, 1);
	open_calls(CALLS_MAX - 1);
	check_streams(1);
	settings(link_number(0), MAX_HEADER_LIST_SIZE, 10);
	CHECK_EQ(ended, 0);
	cancel(0);
	CHECK_EQ(ended, 0); /* the end of one call is its own */
	uint32_t iterations = 0;
	for (; ended < CALLS_MAX - 1 && iterations < CALLS_MAX; iterations++) {
		uint32_t before = ended;
		waiting_run(w);
		CHECK(ended - before <= WAITING_CALLS_PER_TURN);
	}
	CHECK_EQ(iterations, (CALLS_MAX - 1 + WAITING_CALLS_PER_TURN - 1) / WAITING_CALLS_PER_TURN);
	for (uint32_t i = 1; i < CALLS_MAX; i++)
		CHECK_EQ(calls[i]->abort.reason, REASON_UPSTREAM_HEADER_BYTES);
	end();
}

TEST(the_end_of_a_stream_on_any_connection_starts_the_first_that_waits)
{
	begin();
	open_calls(1);
	establish(link_number(0));
	settings(link_number(0), MAX_CONCURRENT_STREAMS, 1);
	waiting_run(w);
	open_calls(1);
	establish(link_number(1));
	settings(link_number(1), MAX_CONCURRENT_STREAMS, 1);
	waiting_run(w);
	check_streams(2);
	open_calls(3); /* for which a third connection is being opened */
	CHECK_EQ(endpoint->link_count, 3);
	cancel(0);
	open_calls(1); /* a stream is free, and others have waited for longer */
	CHECK(!has_stream(2) && !has_stream(5));
	waiting_run(w);
	CHECK(has_stream(2) && attempt_of(2)->link == link_number(0));
	cancel(1);
	waiting_run(w);
	CHECK(has_stream(3) && attempt_of(3)->link == link_number(1));
	CHECK(!has_stream(4) && !has_stream(5));
	end();
}

TEST(calls_whose_last_connection_is_lost_are_sent_to_a_new_one_by_the_event_loop_in_their_order)
{
	begin();
	open_calls(1);
	establish(link_number(0));
	settings(link_number(0), MAX_CONCURRENT_STREAMS, 1);
	waiting_run(w);
	w->loop.now_ns++;
	endpoint->further_at_ns = w->loop.now_ns + 1; /* as after a refused connection */
	open_calls(300);
	CHECK_EQ(endpoint->link_count, 1);
	h2io_close(&link_number(0)->io, CLOSED_RESET);
	CHECK_EQ(ended, 1); /* the one that had a stream */
	CHECK_EQ(endpoint->link_count, 0);
	waiting_run(w);
	CHECK_EQ(endpoint->link_count, 1);
	CHECK(!list_empty(&w->endpoints_due));
	waiting_run(w);
	CHECK(list_empty(&endpoint->lost));
	CHECK_EQ(ended, 1);
	establish(link_number(0));
	settings(link_number(0), MAX_CONCURRENT_STREAMS, 10);
	waiting_run(w);
	for (uint32_t i = 1; i <= 300; i++)
		CHECK_EQ(has_stream(i), i <= 10);
	end();
}

TEST(calls_whose_only_connection_is_refused_end_in_the_event_loop_with_the_cause)
{
	begin();
	open_calls(400);
	h2io_close(&link_number(0)->io, CLOSED_CONNECT_REFUSED);
	CHECK_EQ(ended, 0);
	waiting_run(w);
	CHECK_EQ(ended, WAITING_CALLS_PER_TURN);
	waiting_run(w);
	CHECK_EQ(ended, 400);
	for (uint32_t i = 0; i < 400; i++) {
		CHECK_EQ(calls[i]->abort.reason, REASON_CONNECT_REFUSED);
		CHECK(strstr(calls[i]->abort.text, "peer"));
	}
	end();
}

/* A further connection that fails is tried again by the clock, also when no stream ends. */
TEST(a_further_connection_that_is_refused_is_tried_again_after_the_back_off)
{
	begin();
	open_calls(1);
	establish(link_number(0));
	settings(link_number(0), MAX_CONCURRENT_STREAMS, 1);
	waiting_run(w);
	open_calls(5);
	CHECK_EQ(endpoint->link_count, 2);
	h2io_close(&link_number(1)->io, CLOSED_CONNECT_REFUSED);
	waiting_run(w);
	check_streams(1); /* the others wait for the stream of the first */
	CHECK_EQ(endpoint->link_count, 1);
	CHECK(endpoint->further_at_ns > w->loop.now_ns);
	CHECK(list_empty(&w->endpoints_due));
	w->loop.now_ns += POOL_BACKOFF_MAX_NS;
	wheel_advance(&w->loop.wheel, w->loop.now_ns);
	waiting_run(w);
	CHECK_EQ(endpoint->link_count, 2);
	check_streams(1);
	end();
}

TEST(a_server_that_closes_each_further_connection_at_once_is_not_asked_without_end)
{
	begin();
	open_calls(1);
	establish(link_number(0));
	settings(link_number(0), MAX_CONCURRENT_STREAMS, 1);
	waiting_run(w);
	open_calls(5);
	for (int i = 0; i < 10; i++) {
		if (endpoint->link_count == 2) {
			establish(link_number(1));
			h2io_close(&link_number(1)->io, CLOSED_PEER);
		}
		waiting_run(w);
	}
	const char *labels[] = {"up"};
	CHECK_EQ(metrics_read(metrics, M_CONNECT_ATTEMPTS, labels), 2);
	check_streams(1);
	end();
}

TEST(the_connections_of_a_retired_endpoint_are_kept_for_those_that_wait_and_close_then)
{
	static struct config none;
	begin();
	open_calls(3);
	pool_retire_absent(w, &none);
	waiting_run(w);
	check_streams(0); /* the connection is still being opened */
	struct link *l = link_number(0);
	establish(l);
	settings(l, MAX_CONCURRENT_STREAMS, 2);
	waiting_run(w);
	check_streams(2);
	CHECK_EQ(endpoint->link_count, 1);
	cancel(0);
	waiting_run(w);
	CHECK(has_stream(1) && has_stream(2));
	waiting_run(w);
	CHECK_EQ(l->state, LINK_CLOSING);
	CHECK(!l->io.finishing);
	cancel(1);
	cancel(2);
	CHECK(l->io.finishing);
	end();
}

TAP_MAIN()
