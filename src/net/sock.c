#include "net/sock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void set_int(int fd, int level, int name, int value)
{
	/* An option that the kernel refuses costs speed, never correctness. */
	(void)!setsockopt(fd, level, name, &value, sizeof(value));
}

static void set_stream_options(int fd)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, SOCK_NOTSENT_LOWAT_BYTES);
}

static int close_keeping_errno(int fd)
{
	int saved = errno;
	close(fd);
	errno = saved;
	return ERR_SYS;
}

int sock_listen(const struct sockaddr *sa, socklen_t sa_len, int backlog)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_SYS;
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (sa->sa_family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (bind(fd, sa, sa_len) != 0 || listen(fd, backlog) != 0)
		return close_keeping_errno(fd);
	return fd;
}

int sock_accept(int listen_fd, char *peer, size_t peer_cap)
{
	struct sockaddr_storage sa = {0};
	socklen_t sa_len = sizeof(sa);
	int fd = accept4(listen_fd, (struct sockaddr *)&sa, &sa_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return ERR_SYS;
	set_stream_options(fd);
	if (peer)
		sock_text((struct sockaddr *)&sa, peer, peer_cap);
	return fd;
}

int sock_connect(const struct sockaddr *sa, socklen_t sa_len)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_SYS;
	set_stream_options(fd);
	if (connect(fd, sa, sa_len) != 0 && errno != EINPROGRESS)
		return close_keeping_errno(fd);
	return fd;
}

int sock_error(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		return errno;
	return err;
}

void sock_text(const struct sockaddr *sa, char *out, size_t cap)
{
	char ip[INET6_ADDRSTRLEN] = "?";
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, ip, sizeof(ip));
		snprintf(out, cap, "[%s]:%u", ip, ntohs(in6.sin6_port));
	} else {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, ip, sizeof(ip));
		snprintf(out, cap, "%s:%u", ip, ntohs(in.sin_port));
	}
}

int sock_local_text(int fd, char *out, size_t cap)
{
	struct sockaddr_storage sa = {0};
	socklen_t sa_len = sizeof(sa);
	if (getsockname(fd, (struct sockaddr *)&sa, &sa_len) != 0)
		return ERR_SYS;
	sock_text((struct sockaddr *)&sa, out, cap);
	return 0;
}

int sock_peer_text(int fd, char *out, size_t cap)
{
	struct sockaddr_storage sa = {0};
	socklen_t sa_len = sizeof(sa);
	if (getpeername(fd, (struct sockaddr *)&sa, &sa_len) != 0)
		return ERR_SYS;
	sock_text((struct sockaddr *)&sa, out, cap);
	return 0;
}

void sock_abort_on_close(int fd)
{
	struct linger l = {.l_onoff = 1, .l_linger = 0};
	(void)!setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}
