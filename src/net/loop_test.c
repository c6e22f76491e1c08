#include "net/loop.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include "base/clock.h"
#include "net/sock.h"
#include "tap.h"

struct probe {
	struct watch watch;
	struct loop *loop;
	struct probe *victim; /* its watch is deleted when this one is ready */
	int calls;
	uint32_t events;
};

static void on_ready(struct watch *w, uint32_t events)
{
	struct probe *p = CONTAINER_OF(w, struct probe, watch);
	p->calls++;
	p->events |= events;
	if (p->victim)
		loop_del(p->loop, &p->victim->watch);
}

static struct probe make_probe(struct loop *l)
{
	return (struct probe){.watch = {.fd = -1, .ready = on_ready}, .loop = l};
}

TEST(an_edge_is_told_once_a_level_until_it_is_gone)
{
	struct loop l;
	int pair[2], efd = eventfd(1, EFD_NONBLOCK);
	REQUIRE(loop_init(&l) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	struct probe edge = make_probe(&l), level = make_probe(&l);
	CHECK_EQ(loop_add(&l, &edge.watch, pair[0]), 0);
	CHECK_EQ(loop_add_level(&l, &level.watch, efd), 0);
	CHECK_EQ(write(pair[1], "x", 1), 1);
	for (int i = 0; i < 3; i++) {
		loop_wait(&l, 0);
		loop_run(&l);
	}
	CHECK_EQ(edge.calls, 1);
	CHECK(edge.events & EPOLLIN && edge.events & EPOLLOUT);
	CHECK_EQ(level.calls, 3);
	loop_del(&l, &edge.watch);
	loop_del(&l, &edge.watch); /* again is harmless */
	loop_del(&l, &level.watch);
	close(pair[0]), close(pair[1]), close(efd);
	loop_fini(&l);
}

TEST(a_watch_deleted_in_the_same_turn_is_not_called)
{
	struct loop l;
	int a = eventfd(1, EFD_NONBLOCK), b = eventfd(1, EFD_NONBLOCK);
	REQUIRE(loop_init(&l) == 0);
	struct probe p = make_probe(&l), q = make_probe(&l);
	p.victim = &q;
	q.victim = &p;
	CHECK(loop_add_level(&l, &p.watch, a) == 0 && loop_add_level(&l, &q.watch, b) == 0);
	loop_wait(&l, 0);
	loop_run(&l);
	CHECK_EQ(p.calls + q.calls, 1);
	loop_del(&l, &p.watch);
	loop_del(&l, &q.watch);
	close(a), close(b);
	loop_fini(&l);
}

static int fired;
static void on_fire(struct timer *t, uint64_t now_ns)
{
	fired++;
}

TEST(a_wait_ends_for_a_timer_and_does_not_sleep_when_work_is_left)
{
	struct loop l;
	struct timer t;
	REQUIRE(loop_init(&l) == 0);
	timer_init(&t, on_fire);
	wheel_arm(&l.wheel, &t, l.now_ns + 5 * NS_PER_MS);
	while (!fired) {
		loop_wait(&l, -1); /* would hang here without the timer */
		loop_run(&l);
	}
	loop_again(&l);
	loop_wait(&l, -1); /* would hang */
	loop_run(&l);
	CHECK_EQ(fired, 1);
	loop_fini(&l);
}

TEST(a_turn_that_said_its_end_sleeps_for_its_timers_all_the_same)
{
	struct loop l;
	struct timer t;
	REQUIRE(loop_init(&l) == 0);
	fired = 0;
	timer_init(&t, on_fire);
	for (int turn = 0; turn < 3; turn++) {
		wheel_arm(&l.wheel, &t, l.now_ns + 2 * NS_PER_MS);
		while (fired == turn) {
			loop_wait(&l, -1);
			loop_run(&l);
			uint64_t before = clock_mono_ns(), took = loop_end(&l);
			CHECK(l.woke_ns + took >= before && l.woke_ns + took <= clock_mono_ns());
		}
	}
	loop_fini(&l);
}

/* The wall clock of a turn, within half an hour: a machine may stop between two reads. */
static bool wall_is_right(const struct loop *l)
{
	int64_t behind = (int64_t)(clock_wall_ns() - l->wall_ns);
	int64_t most = 1800 * (int64_t)NS_PER_SEC;
	return behind < most && behind > -most;
}

TEST(the_wall_clock_goes_with_the_monotonic_one_and_is_read_again_soon)
{
	struct loop l;
	REQUIRE(loop_init(&l) == 0);
	CHECK(wall_is_right(&l));
	uint64_t ahead = l.wall_ns - l.now_ns;
	loop_wait(&l, 0);
	CHECK(l.wall_ns - l.now_ns == ahead || l.now_ns == l.wall_read_ns);
	CHECK(wall_is_right(&l));
	/* it was set back an hour while nobody looked */
	l.wall_ahead_ns += 3600 * NS_PER_SEC;
	l.wall_read_ns -= LOOP_WALL_NS;
	loop_wait(&l, 0);
	CHECK(wall_is_right(&l));
	loop_fini(&l);
}

TEST(bytes_are_sent_and_received_and_a_gone_peer_is_no_signal)
{
	int pair[2];
	char got[8];
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	CHECK(sock_recv(pair[0], got, sizeof(got)) < 0 && errno == EAGAIN);
	CHECK_EQ(sock_send(pair[1], "abc", 3), 3);
	struct iovec parts[2] = {{.iov_base = "d", .iov_len = 1}, {.iov_base = "ef", .iov_len = 2}};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
	CHECK_EQ(sock_send_all(pair[1], &msg), 3);
	CHECK_EQ(sock_recv(pair[0], got, sizeof(got)), 6);
	CHECK(!memcmp(got, "abcdef", 6));
	close(pair[0]);
	CHECK(sock_send(pair[1], "x", 1) < 0 && errno == EPIPE);
	CHECK(sock_send_all(pair[1], &msg) < 0 && errno == EPIPE);
	CHECK_EQ(sock_recv(pair[1], got, sizeof(got)), 0);
	close(pair[1]);
}

TEST(sockets_connect_accept_and_say_their_addresses)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int l = sock_listen((struct sockaddr *)&sa, sizeof(sa), NULL, 8);
	REQUIRE(l >= 0);
	socklen_t len = sizeof(sa);
	REQUIRE(getsockname(l, (struct sockaddr *)&sa, &len) == 0);
	int c = sock_connect((struct sockaddr *)&sa, sizeof(sa), NULL);
	REQUIRE(c >= 0);
	char peer[SOCK_TEXT_MAX], local[SOCK_TEXT_MAX];
	int s;
	while ((s = sock_accept(l, peer, sizeof(peer))) < 0)
		;
	CHECK_EQ(sock_local_text(c, local, sizeof(local)), 0);
	CHECK_STR(peer, local);
	CHECK(!strncmp(peer, "127.0.0.1:", 10));
	int on = 0, low = 0; /* from the listening socket */
	len = sizeof(on);
	CHECK(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, &len) == 0 && on);
	CHECK(getsockopt(s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low, &len) == 0);
	CHECK_EQ(low, SOCK_NOTSENT_LOWAT_BYTES);
	CHECK_EQ(sock_error(c), 0);
	close(s), close(c), close(l);
}

static bool has_congestion(int fd, const char *want)
{
	char name[64] = "";
	socklen_t len = sizeof(name) - 1;
	return getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0 && !strcmp(name, want);
}

/* An accepted connection; the client's end goes to *client. */
static int connect_and_accept(int l, const char *congestion, int *client)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	int s = getsockname(l, (struct sockaddr *)&sa, &len);
	*client = sock_connect((struct sockaddr *)&sa, len, congestion);
	while (s == 0 && *client >= 0 && (s = sock_accept(l, NULL, 0)) < 0)
		s = 0;
	return s;
}

TEST(the_kernel_says_how_long_a_path_is_from_the_handshake_on)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int l = sock_listen((struct sockaddr *)&sa, sizeof(sa), NULL, 8), client;
	REQUIRE(l >= 0);
	int s = connect_and_accept(l, NULL, &client);
	CHECK(sock_path_ns(s) > 0 && sock_path_ns(s) < UINT64_MAX);
	CHECK(sock_path_ns(client) > 0 && sock_path_ns(client) < UINT64_MAX);
	CHECK(sock_path_ns(-1) == UINT64_MAX);
	CHECK(sock_path_ns(l) == UINT64_MAX);
	close(s), close(client), close(l);
}

TEST(sockets_have_the_congestion_control_that_they_were_given_and_else_the_systems)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char system[64] = "";
	FILE *f = fopen("/proc/sys/net/ipv4/tcp_congestion_control", "r");
	REQUIRE(f && fscanf(f, "%63s", system) == 1);
	fclose(f);
	/* Every kernel has reno. */
	int l = sock_listen((struct sockaddr *)&sa, sizeof(sa), "reno", 8), client, other;
	REQUIRE(l >= 0);
	int s = connect_and_accept(l, NULL, &client);
	CHECK(has_congestion(s, "reno"));
	CHECK(has_congestion(client, system));
	sock_set_congestion(l, NULL);
	int t = connect_and_accept(l, "reno", &other);
	CHECK(has_congestion(t, system));
	CHECK(has_congestion(other, "reno"));
	CHECK(has_congestion(s, "reno")); /* what was accepted stays as it is */
	sock_set_congestion(l, "no-such-control");
	CHECK(has_congestion(l, system));
	close(s), close(t), close(client), close(other), close(l);
}

TEST(every_ipv4_address_is_written_as_the_c_library_would)
{
	static const char *const texts[] = {
		"0.0.0.0", "255.255.255.255", "10.0.200.9", "1.23.45.99"};
	for (unsigned i = 0; i < 4; i++) {
		struct sockaddr_in sa = {
			.sin_family = AF_INET, .sin_port = htons((uint16_t)(i * 21845))};
		char text[SOCK_TEXT_MAX], want[SOCK_TEXT_MAX];
		REQUIRE(inet_pton(AF_INET, texts[i], &sa.sin_addr) == 1);
		snprintf(want, sizeof(want), "%s:%u", texts[i], i * 21845);
		sock_text((struct sockaddr *)&sa, text, sizeof(text));
		CHECK_STR(text, want);
		sock_text((struct sockaddr *)&sa, text, 6); /* cut, with its NUL */
		want[5] = '\0';
		CHECK_STR(text, want);
	}
}

TEST(an_ipv6_address_is_written_in_brackets)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6,
		.sin6_port = htons(80),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	char text[SOCK_TEXT_MAX];
	sock_text((struct sockaddr *)&sa, text, sizeof(text));
	CHECK_STR(text, "[::1]:80");
}

TEST(a_port_in_use_is_an_error_with_its_errno)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int l = sock_listen((struct sockaddr *)&sa, sizeof(sa), NULL, 8);
	socklen_t len = sizeof(sa);
	REQUIRE(l >= 0 && getsockname(l, (struct sockaddr *)&sa, &len) == 0);
	CHECK_EQ(sock_listen((struct sockaddr *)&sa, sizeof(sa), NULL, 8), ERR_SYS);
	close(l);
}

TAP_MAIN()
