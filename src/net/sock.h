/* sock.h - TCP sockets: non-blocking, close-on-exec, TCP_NODELAY, TCP_NOTSENT_LOWAT 128 KiB.
 * Errors: a descriptor, or ERR_SYS with errno set. */
#ifndef WEIR_NET_SOCK_H
#define WEIR_NET_SOCK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/err.h"

#define SOCK_NOTSENT_LOWAT_BYTES 131072
#define SOCK_TEXT_MAX            64

/* `congestion`: TCP's congestion control by the kernel's name; NULL: the system's. */
int sock_listen(
	const struct sockaddr *sa, socklen_t sa_len, const char *congestion, int backlog) MUST_USE;
/* An accepted socket has the listening one's options; the peer's address in text goes to `peer`
 * when it is not NULL. */
int sock_accept(int listen_fd, char *peer, size_t peer_cap) MUST_USE;
/* Begins to connect: completion shows as writability, then sock_error. */
int sock_connect(const struct sockaddr *sa, socklen_t sa_len, const char *congestion) MUST_USE;
/* Of a socket that has one already; for a listening socket, what it accepts from now on. */
void sock_set_congestion(int fd, const char *name);
/* The shortest round trip that the kernel has seen of late, the handshake's included; UINT64_MAX:
 * it can't say. */
uint64_t sock_path_ns(int fd);
int sock_error(int fd);                                           /* SO_ERROR: 0 or an errno */
void sock_text(const struct sockaddr *sa, char *out, size_t cap); /* "127.0.0.1:80", "[::1]:80" */
int sock_local_text(int fd, char *out, size_t cap) MUST_USE;
/* Closes with RST instead of FIN. */
void sock_abort_on_close(int fd);

/* recv and send without flags but MSG_NOSIGNAL. The C library's are points of cancellation, for
 * which a process with threads pays with two locked instructions each time; nobody here cancels
 * threads. */
static inline ssize_t sock_recv(int fd, void *to, size_t bytes)
{
	return syscall(SYS_recvfrom, fd, to, bytes, 0, NULL, NULL);
}
static inline ssize_t sock_send(int fd, const void *from, size_t bytes)
{
	return syscall(SYS_sendto, fd, from, bytes, MSG_NOSIGNAL, NULL, 0);
}
static inline ssize_t sock_send_all(int fd, const struct msghdr *msg)
{
	return syscall(SYS_sendmsg, fd, msg, MSG_NOSIGNAL);
}
#endif
