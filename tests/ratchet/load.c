/* load.c - the ratchet's load: both ends of a conversation through Weir, in one thread and in step.
 *
 *   ratchet_load SHAPE ROUNDS WEIR_PORT UPSTREAM_PORT
 *
 *   unary         a round is a call: one message there, one back
 *   ping_pong     one stream; a round is one message there, one back
 *   bidi_flood    four streams; a round is 64 messages there, 64 back
 *   server_flood  four streams; a round is 64 messages back
 *
 * A side speaks when it has heard all that the other said, and all it says in one write. So the
 * number of Weir's turns, and what each of them finds, do not depend on time, and the instructions
 * that Weir spends on ROUNDS rounds repeat from run to run. Every byte of every payload is checked.
 * The heads are those of a gRPC client, with a request id that never repeats. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "peer.h"

#define FLOOD_MESSAGES 64u
#define PATIENCE_S     60

static struct peer client, server;
static int listen_fd;

/* ---- sockets ---- */

static struct sockaddr_in local(unsigned port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int no_delay(int fd)
{
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static int listen_on(unsigned port)
{
	struct sockaddr_in sa = local(port);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 1))
		die("cannot listen on port %u: %s", port, strerror(errno));
	return fd;
}

/* Weir may still be starting. */
static int connect_to(unsigned port)
{
	struct sockaddr_in sa = local(port);
	for (int tries = 0; tries < PATIENCE_S * 50; tries++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && !connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
			return no_delay(fd);
		close(fd);
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	}
	die("cannot connect to weir on port %u: %s", port, strerror(errno));
}

/* Reads from whoever has something to say. */
static void read_some(void)
{
	struct pollfd fds[] = {{.fd = client.fd, .events = POLLIN},
		{.fd = server.h2 ? server.fd : listen_fd, .events = POLLIN}};
	int n = poll(fds, 2, PATIENCE_S * 1000);
	if (n <= 0)
		die("nothing came for %d s: client heard %llu, server heard %llu", PATIENCE_S,
			(unsigned long long)peer_heard(&client),
			(unsigned long long)peer_heard(&server));
	if (fds[0].revents)
		peer_read(&client);
	if (!fds[1].revents)
		return;
	if (server.h2)
		peer_read(&server);
	else
		peer_init(&server, "server", H2_SERVER, no_delay(accept(listen_fd, NULL, NULL)));
}

static void until_heard(const struct peer *p, uint64_t messages)
{
	while (peer_heard(p) < messages)
		read_some();
}

static void until_ended(const struct peer *p, unsigned streams)
{
	for (unsigned i = 0; i < streams; i++) {
		while (!p->halves[i].ended)
			read_some();
	}
}

/* What `p` still has to say (credit, acknowledgements) is said, and Weir has read it. */
static void settle(struct peer *p)
{
	unsigned acks = p->ping_acks;
	h2_conn_ping(p->h2, acks);
	peer_flush(p);
	while (p->ping_acks == acks)
		read_some();
}

/* ---- shapes ---- */

static void one_call(uint64_t number)
{
	peer_ask(&client, "/ratchet.Ratchet/Unary", number);
	peer_say(&client, 0, true);
	peer_flush(&client);
	until_ended(&server, 1);
	peer_answer(&server, 0);
	peer_say(&server, 0, false);
	peer_trailers(&server, 0);
	peer_flush(&server);
	until_ended(&client, 1);
	if (peer_heard(&client) != 1 || peer_heard(&server) != 1)
		die("call %llu carried another number of messages", (unsigned long long)number);
	peer_forget(&client);
	peer_forget(&server);
}

static void unary(uint64_t rounds)
{
	for (uint64_t i = 1; i <= rounds; i++)
		one_call(i);
}

static void burst(struct peer *p, unsigned streams, unsigned messages)
{
	for (unsigned i = 0; i < messages; i++)
		peer_say(p, i % streams, false);
	peer_flush(p);
}

/* `there` and `back`: messages a round. */
static void stream_rounds(
	const char *path, unsigned streams, uint64_t rounds, unsigned there, unsigned back)
{
	for (unsigned i = 0; i < streams; i++)
		peer_ask(&client, path, i);
	peer_flush(&client);
	while (!server.h2 || !server.halves[streams - 1].stream)
		read_some();
	for (unsigned i = 0; i < streams; i++)
		peer_answer(&server, i);
	for (uint64_t r = 1; r <= rounds; r++) {
		if (there)
			burst(&client, streams, there);
		until_heard(&server, r * there);
		burst(&server, streams, back);
		until_heard(&client, r * back);
		if (!there && h2_conn_wants_write(client.h2))
			settle(&client);
	}
	for (unsigned i = 0; i < streams; i++)
		peer_end(&client, i);
	peer_flush(&client);
	until_ended(&server, streams);
	for (unsigned i = 0; i < streams; i++)
		peer_trailers(&server, i);
	peer_flush(&server);
	until_ended(&client, streams);
	if (peer_heard(&client) != rounds * back || peer_heard(&server) != rounds * there)
		die("another number of messages arrived than was sent");
	peer_forget(&client);
	peer_forget(&server);
}

static void run(const char *shape, uint64_t rounds)
{
	if (!strcmp(shape, "unary"))
		unary(rounds);
	else if (!strcmp(shape, "ping_pong"))
		stream_rounds("/ratchet.Ratchet/PingPong", 1, rounds, 1, 1);
	else if (!strcmp(shape, "bidi_flood"))
		stream_rounds("/ratchet.Ratchet/Bidi", PEER_STREAMS, rounds, FLOOD_MESSAGES,
			FLOOD_MESSAGES);
	else if (!strcmp(shape, "server_flood"))
		stream_rounds("/ratchet.Ratchet/Server", PEER_STREAMS, rounds, 0, FLOOD_MESSAGES);
	else
		die("no shape is called %s", shape);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		die("usage: ratchet_load SHAPE ROUNDS WEIR_PORT UPSTREAM_PORT");
	listen_fd = listen_on((unsigned)atoi(argv[4]));
	peer_init(&client, "client", H2_CLIENT, connect_to((unsigned)atoi(argv[3])));
	one_call(0); /* Weir connects, tables fill */
	settle(&client);
	settle(&server);
	run(argv[1], strtoull(argv[2], NULL, 10));
	peer_fini(&client);
	peer_fini(&server);
	close(listen_fd);
	return 0;
}
