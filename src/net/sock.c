#include "net/sock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h> /* glibc's struct tcp_info ends before tcpi_min_rtt */
#include <netinet/in.h>
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

void sock_set_congestion(int fd, const char *name)
{
	char system[64] = ""; /* a new socket's */
	socklen_t len = sizeof(system) - 1;
	int fresh = name ? -1 : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fresh >= 0) {
		if (getsockopt(fresh, IPPROTO_TCP, TCP_CONGESTION, system, &len) == 0)
			name = system;
		close(fresh);
	}
	if (name) /* as in set_int */
		(void)!setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
}

static int close_keeping_errno(int fd)
{
	int saved = errno;
	close(fd);
	errno = saved;
	return ERR_SYS;
}

int sock_listen(const struct sockaddr *sa, socklen_t sa_len, const char *congestion, int backlog)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_SYS;
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (sa->sa_family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	set_stream_options(fd); /* those that are accepted have them from here (Linux) */
	if (congestion)
		sock_set_congestion(fd, congestion);
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
	if (peer)
		sock_text((struct sockaddr *)&sa, peer, peer_cap);
	return fd;
}

int sock_connect(const struct sockaddr *sa, socklen_t sa_len, const char *congestion)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_SYS;
	set_stream_options(fd);
	if (congestion)
		sock_set_congestion(fd, congestion);
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

uint64_t sock_path_ns(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 || info.tcpi_min_rtt == 0)
		return UINT64_MAX;
	return info.tcpi_min_rtt * 1000ull;
}

static char *put_number(char *at, unsigned n)
{
	char digits[10];
	unsigned i = sizeof(digits);
	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	memcpy(at, digits + i, sizeof(digits) - i);
	return at + sizeof(digits) - i;
}

/* Asked for every connection, where snprintf and inet_ntop took three thousand instructions. */
static void text_of_v4(const struct sockaddr_in *in, char *out, size_t cap)
{
	char text[INET_ADDRSTRLEN + 8], *at = text;
	uint8_t bytes[4];
	memcpy(bytes, &in->sin_addr, sizeof(bytes));
	for (unsigned i = 0; i < 4; i++) {
		at = put_number(at, bytes[i]);
		*at++ = i < 3 ? '.' : ':';
	}
	at = put_number(at, ntohs(in->sin_port));
	size_t len = (size_t)(at - text);
	if (cap == 0)
		return;
	len = len < cap ? len : cap - 1;
	memcpy(out, text, len);
	out[len] = '\0';
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
		text_of_v4(&in, out, cap);
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

void sock_abort_on_close(int fd)
{
	struct linger l = {.l_onoff = 1, .l_linger = 0};
	(void)!setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}
