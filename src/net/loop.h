/* loop.h - one turn: poll, run, flush, reap.
 *
 *   poll   epoll_wait until something is ready or a timer may be due; read the clocks, once
 *   run    ready(watch) for each descriptor; due timers
 *   flush  the owner's flush(): every connection that has something to write, one writev each
 *   reap   the owner's reap(): things die here and nowhere else
 *
 * Watches are edge-triggered (EPOLLET): `ready` must read until a short read or remember that there
 * is more and call loop_again, which makes the next poll not sleep. Listening sockets are
 * level-triggered and exclusive. Owner: a worker. One thread. Errors: ERR_SYS at init and add. */
#ifndef WEIR_NET_LOOP_H
#define WEIR_NET_LOOP_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include "base/err.h"
#include "base/wheel.h"

#define LOOP_EVENTS 256 /* taken in one poll */
/* Reading clocks is a twentieth of a lone message's cost: the wall clock is read so often, and goes
 * with the monotonic one in between. */
#define LOOP_WALL_NS 100000000u

struct watch {
	int fd; /* -1: not watched */
	void (*ready)(struct watch *w, uint32_t epoll_events);
};

struct loop {
	int epoll_fd;
	/* A timerfd that ends the sleep, set when a turn needs it earlier than it is. A timeout of
	 * epoll_wait would be set up and taken down in every turn: a twentieth of a lone message's
	 * cost. */
	int alarm_fd;
	uint64_t alarm_ns; /* when it rings, CLOCK_MONOTONIC; 0: not set */
	bool again;        /* work is left over: the next poll does not sleep */
	bool stop;
	uint64_t now_ns, wall_ns; /* CLOCK_MONOTONIC, CLOCK_REALTIME of this turn */
	uint64_t wall_ahead_ns;   /* of the monotonic clock; wraps */
	uint64_t wall_read_ns;    /* when it was read: LOOP_WALL_NS */
	uint64_t woke_ns;         /* when the last poll returned */
	uint64_t ended_ns;        /* what follows it was done; 0: nobody said so */
	struct wheel wheel;
	struct epoll_event events[LOOP_EVENTS]; /* of the last poll */
	int event_count;
};

int loop_init(struct loop *l) MUST_USE;
void loop_fini(struct loop *l);
/* Edge-triggered in and out. */
int loop_add(struct loop *l, struct watch *w, int fd) MUST_USE;
/* Level-triggered in, EPOLLEXCLUSIVE: for a listening socket that several loops share. */
int loop_add_listener(struct loop *l, struct watch *w, int fd) MUST_USE;
/* Level-triggered in: eventfd, signalfd. */
int loop_add_level(struct loop *l, struct watch *w, int fd) MUST_USE;
/* Forgets the watch (not closing fd); events already polled for it are not delivered. */
void loop_del(struct loop *l, struct watch *w);
/* The same with a descriptor that is closed, which takes it off epoll without a word. */
void loop_close(struct loop *l, struct watch *w);
void loop_again(struct loop *l);
/* The turn is over: how long it took, in nanoseconds. The next poll begins now. */
uint64_t loop_end(struct loop *l);
/* Polls, at most max_wait_ms (-1: as long as no timer is due), and reads the clocks. */
void loop_wait(struct loop *l, int max_wait_ms);
/* Calls what is ready and what is due. Flush and reap are the caller's. */
void loop_run(struct loop *l);
#endif
