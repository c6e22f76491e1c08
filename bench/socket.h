/* socket.h - the benchmarks' sockets: plain TCP over loopback, non-blocking, TCP_NODELAY.
 * What fails ends the program. */
#ifndef WEIR_BENCH_SOCKET_H
#define WEIR_BENCH_SOCKET_H

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);

int socket_listen(unsigned port);
int socket_accept(int listen_fd); /* -1: nobody waits */
/* From 127.0.0.1, or from one of 127.1.0.0/20 in turn: `many` connections that come and go need
 * more ports than one address has. */
int socket_connect(unsigned port, int many);
/* TCP's congestion control; a listening socket's goes to those it accepts. */
void socket_congestion(int fd, const char *name);
#endif
