#include "socket.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 4096
#define SOURCES 4096u

void die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static struct sockaddr_in address(uint32_t ip, unsigned port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(ip)};
}

static int make(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket: %s", strerror(errno));
	return fd;
}

static void set(int fd, int level, int name)
{
	int on = 1;
	if (setsockopt(fd, level, name, &on, sizeof(on)))
		die("setsockopt: %s", strerror(errno));
}

int socket_listen(unsigned port)
{
	struct sockaddr_in sa = address(INADDR_LOOPBACK, port);
	int fd = make();
	set(fd, SOL_SOCKET, SO_REUSEADDR);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, BACKLOG))
		die("port %u: %s", port, strerror(errno));
	return fd;
}

int socket_accept(int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		set(fd, IPPROTO_TCP, TCP_NODELAY);
	else if (errno == EMFILE || errno == ENFILE)
		die("accept: %s", strerror(errno));
	return fd;
}

int socket_connect(unsigned port, int many)
{
	static uint32_t turn;
	struct sockaddr_in to = address(INADDR_LOOPBACK, port);
	struct sockaddr_in from = address(0x7f010000u + 1 + turn++ % SOURCES, 0);
	int fd = make();
	set(fd, IPPROTO_TCP, TCP_NODELAY);
	if (many) {
		set(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT);
		if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
			die("bind: %s", strerror(errno));
	}
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		die("connect to port %u: %s", port, strerror(errno));
	return fd;
}

void socket_congestion(int fd, const char *name)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)))
		die("congestion control %s: %s", name, strerror(errno));
}
