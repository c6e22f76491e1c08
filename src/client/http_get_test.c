#include "client/http_get.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/fields.h"
#include "tap.h"

/* A server for one connection: reads a request head, writes `answer` in pieces of `step` bytes, and
 * closes (or keeps the connection open until the client goes, with `stay`). */
struct server {
	int fd;
	struct sockaddr_storage sa;
	socklen_t sa_len;
	const char *answer;
	size_t step;
	bool stay;
	char request[1024];
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct server *s = arg;
	int fd = accept(s->fd, NULL, NULL);
	size_t len = 0;
	char rest;
	if (fd < 0)
		return NULL;
	while (len < sizeof(s->request) - 1 && !strstr(s->request, "\r\n\r\n")) {
		ssize_t n = read(fd, s->request + len, sizeof(s->request) - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	for (size_t at = 0, all = strlen(s->answer); at < all;) {
		size_t part = s->step && s->step < all - at ? s->step : all - at;
		ssize_t n = send(fd, s->answer + at, part, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	if (s->stay)
		while (read(fd, &rest, 1) > 0)
			;
	close(fd);
	return NULL;
}

static bool server_start(struct server *s)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	memcpy(&s->sa, &in, sizeof(in));
	s->sa_len = sizeof(in);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	/* Fixed ports stay below 32768: the kernel's own choice never collides with a listener of
	 * another test. */
	for (uint16_t port = 21100; port < 21200; port++) {
		((struct sockaddr_in *)&s->sa)->sin_port = htons(port);
		if (bind(s->fd, (struct sockaddr *)&s->sa, s->sa_len) == 0)
			return listen(s->fd, 1) == 0 &&
			       pthread_create(&s->thread, NULL, serve, s) == 0;
	}
	return false;
}

static int get_with(struct server *s, struct http_get *g, unsigned *status, struct buf *body,
	char why[HTTP_GET_WHY_MAX])
{
	*g = (struct http_get){.sa = &s->sa,
		.sa_len = s->sa_len,
		.authority = "127.0.0.1:1",
		.path = "/metrics",
		.accept = g->accept,
		.timeout_ns = g->timeout_ns ? g->timeout_ns : 20 * NS_PER_SEC,
		.body_max_bytes = g->body_max_bytes ? g->body_max_bytes : 1 << 20,
		.wake_fd = g->wake_fd};
	return http_get(g, status, body, why);
}

struct got {
	int err;
	unsigned status;
	char body[256], why[HTTP_GET_WHY_MAX], request[1024];
};

static struct got fetch(const char *answer, size_t step, bool stay, struct http_get g)
{
	struct server s = {.answer = answer, .step = step, .stay = stay};
	struct got got = {.err = 99};
	struct buf body;
	buf_init(&body);
	if (!server_start(&s))
		return got;
	got.err = get_with(&s, &g, &got.status, &body, got.why);
	pthread_join(s.thread, NULL);
	close(s.fd);
	buf_str(&body, "");
	snprintf(got.body, sizeof(got.body), "%s", body.bytes);
	snprintf(got.request, sizeof(got.request), "%s", s.request);
	buf_fini(&body);
	fields_cache_purge();
	return got;
}

TEST(a_page_with_a_length_arrives_whole)
{
	struct got g = fetch("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0, true,
		(struct http_get){.accept = "text/plain"});
	CHECK_EQ(g.err, 0);
	CHECK_EQ(g.status, 200);
	CHECK_STR(g.body, "hello");
	CHECK(!strncmp(g.request, "GET /metrics HTTP/1.1\r\n", 23));
	CHECK(strcasestr(g.request, "\r\nhost: 127.0.0.1:1\r\n"));
	CHECK(strcasestr(g.request, "\r\naccept: text/plain\r\n"));
}

TEST(a_chunked_page_in_single_bytes_arrives_whole)
{
	struct got g = fetch("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			     "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
		1, true, (struct http_get){0});
	CHECK_EQ(g.err, 0);
	CHECK_STR(g.body, "hello");
}

TEST(a_page_that_ends_with_its_connection_arrives_whole)
{
	struct got g = fetch(
		"HTTP/1.1 503 Service Unavailable\r\n\r\ndraining", 0, false, (struct http_get){0});
	CHECK_EQ(g.err, 0);
	CHECK_EQ(g.status, 503);
	CHECK_STR(g.body, "draining");
}

TEST(a_page_cut_short_is_an_error)
{
	struct got g = fetch("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", 0, false,
		(struct http_get){0});
	CHECK(g.err < 0);
	CHECK(g.why[0]);
}

TEST(no_answer_at_all_is_an_error)
{
	struct got g = fetch("", 0, false, (struct http_get){0});
	CHECK(g.err < 0);
	CHECK(g.why[0]);
}

TEST(what_is_not_http_is_an_error)
{
	struct got g = fetch("SSH-2.0-OpenSSH_9.2\r\n", 0, false, (struct http_get){0});
	CHECK(g.err < 0);
	CHECK(g.why[0]);
}

TEST(a_page_above_the_limit_is_an_error)
{
	struct got g = fetch("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0, false,
		(struct http_get){.body_max_bytes = 4});
	CHECK_EQ(g.err, ERR_LIMIT);
	CHECK_STR(g.why, "more than 4 bytes");
}

TEST(a_server_that_stays_silent_runs_into_the_deadline)
{
	struct got g = fetch("", 0, true, (struct http_get){.timeout_ns = 30 * NS_PER_MS});
	CHECK_EQ(g.err, ERR_AGAIN);
	CHECK_STR(g.why, "no answer in 30 ms");
}

TEST(a_refused_connection_says_so)
{
	struct server s = {0};
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_port = htons(1), /* tcpmux: nobody listens */
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct http_get g = {0};
	unsigned status;
	struct buf body;
	char why[HTTP_GET_WHY_MAX];
	buf_init(&body);
	memcpy(&s.sa, &in, sizeof(in));
	s.sa_len = sizeof(in);
	CHECK_EQ(get_with(&s, &g, &status, &body, why), ERR_SYS);
	CHECK_STR(why, "Connection refused");
	buf_fini(&body);
}

TEST(each_failed_allocation_is_an_error_and_leaks_nothing)
{
	static const char page[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	long before = mem_live_blocks();
	for (long nth = 1; nth < 100; nth++) {
		struct server s = {.answer = page};
		struct http_get g = {0};
		unsigned status;
		struct buf body;
		char why[HTTP_GET_WHY_MAX];
		REQUIRE(server_start(&s));
		buf_init(&body);
		mem_fail_after(nth);
		int err = get_with(&s, &g, &status, &body, why);
		mem_fail_after(0);
		if (err)
			shutdown(s.fd, SHUT_RDWR); /* maybe nobody came: the server stops waiting */
		pthread_join(s.thread, NULL);
		close(s.fd);
		bool ok = !err && body.len == 5;
		buf_fini(&body);
		fields_cache_purge();
		CHECK_EQ(mem_live_blocks(), before);
		CHECK(ok || (err < 0 && why[0]));
		if (ok) {
			CHECK(nth > 3);
			return;
		}
	}
	CHECK(!"still allocating");
}

TEST(input_elsewhere_ends_the_wait)
{
	int ends[2];
	REQUIRE(pipe(ends) == 0);
	CHECK_EQ(write(ends[1], "k", 1), 1);
	struct got g = fetch("", 0, true, (struct http_get){.wake_fd = ends[0]});
	CHECK_EQ(g.err, ERR_AGAIN);
	CHECK_STR(g.why, "");
	close(ends[0]);
	close(ends[1]);
}

TAP_MAIN()
