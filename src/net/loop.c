#include "net/loop.h"
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/clock.h"

static void read_clocks(struct loop *l)
{
	l->now_ns = clock_mono_ns();
	if (!l->wall_read_ns || l->now_ns - l->wall_read_ns >= LOOP_WALL_NS) {
		l->wall_ahead_ns = clock_wall_ns() - l->now_ns;
		l->wall_read_ns = l->now_ns;
	}
	l->wall_ns = l->now_ns + l->wall_ahead_ns;
}

int loop_init(struct loop *l)
{
	memset(l, 0, sizeof(*l));
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	/* Setting it again takes back that it rang, so it is never read. */
	struct epoll_event alarm = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
	if (l->epoll_fd < 0 || l->alarm_fd < 0 ||
		epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->alarm_fd, &alarm) != 0) {
		loop_fini(l);
		return ERR_SYS;
	}
	read_clocks(l);
	wheel_init(&l->wheel, l->now_ns);
	return 0;
}

void loop_fini(struct loop *l)
{
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	if (l->alarm_fd >= 0)
		close(l->alarm_fd);
	l->epoll_fd = l->alarm_fd = -1;
}

static int add(struct loop *l, struct watch *w, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
		return ERR_SYS;
	w->fd = fd;
	return 0;
}

int loop_add(struct loop *l, struct watch *w, int fd)
{
	return add(l, w, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

int loop_add_listener(struct loop *l, struct watch *w, int fd)
{
	return add(l, w, fd, EPOLLIN | EPOLLEXCLUSIVE);
}

int loop_add_level(struct loop *l, struct watch *w, int fd)
{
	return add(l, w, fd, EPOLLIN);
}

void loop_del(struct loop *l, struct watch *w)
{
	if (w->fd < 0)
		return;
	int rc = epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	ASSERT(rc == 0);
	w->fd = -1; /* loop_poll passes over it */
}

void loop_close(struct loop *l, struct watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

void loop_again(struct loop *l)
{
	l->again = true;
}

static int wait_ms(struct loop *l, int max_wait_ms, uint64_t now_ns)
{
	if (l->again || l->stop)
		return 0;
	int timer = wheel_timeout_ms(&l->wheel, now_ns);
	if (timer < 0 || (max_wait_ms >= 0 && max_wait_ms < timer))
		return max_wait_ms;
	return timer;
}

/* The timeout for epoll_wait: 0, or -1 where the alarm sees to it. */
static int set_alarm(struct loop *l, int max_wait_ms)
{
	uint64_t now_ns = l->ended_ns ? l->ended_ns : clock_mono_ns();
	l->ended_ns = 0;
	int wait = wait_ms(l, max_wait_ms, now_ns);
	if (wait <= 0)
		return wait;
	uint64_t due_ns = now_ns + (uint64_t)wait * NS_PER_MS;
	if (l->alarm_ns && l->alarm_ns <= due_ns)
		return -1;
	struct itimerspec at = {
		.it_value = {(time_t)(due_ns / NS_PER_SEC), (long)(due_ns % NS_PER_SEC)}};
	if (timerfd_settime(l->alarm_fd, TFD_TIMER_ABSTIME, &at, NULL) != 0)
		return wait;
	l->alarm_ns = due_ns;
	return -1;
}

void loop_wait(struct loop *l, int max_wait_ms)
{
	int timeout = set_alarm(l, max_wait_ms);
	/* Not the C library's, for what sock.h says of recv; every architecture has the p. */
	long n = syscall(SYS_epoll_pwait, l->epoll_fd, l->events, LOOP_EVENTS, timeout, NULL, 0);
	ASSERT(n >= 0 || errno == EINTR);
	l->event_count = n > 0 ? (int)n : 0;
	l->again = false;
	read_clocks(l);
	l->woke_ns = l->now_ns;
}

uint64_t loop_end(struct loop *l)
{
	l->ended_ns = clock_mono_ns();
	return l->ended_ns - l->woke_ns;
}

void loop_run(struct loop *l)
{
	/* A watch deleted by an earlier one's ready() has fd -1; its memory stays until reap. */
	for (int i = 0; i < l->event_count; i++) {
		struct watch *w = l->events[i].data.ptr;
		if (!w)
			l->alarm_ns = 0; /* it rang */
		else if (w->fd >= 0)
			w->ready(w, l->events[i].events);
	}
	l->event_count = 0;
	wheel_advance(&l->wheel, l->now_ns);
}
