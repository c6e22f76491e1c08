#include "net/loop.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/clock.h"

int loop_init(struct loop *l)
{
	memset(l, 0, sizeof(*l));
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return ERR_SYS;
	l->now_ns = clock_mono_ns();
	l->wall_ns = clock_wall_ns();
	wheel_init(&l->wheel, l->now_ns);
	return 0;
}

void loop_fini(struct loop *l)
{
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	l->epoll_fd = -1;
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

static int wait_ms(struct loop *l, int max_wait_ms)
{
	if (l->again || l->stop)
		return 0;
	int timer = wheel_timeout_ms(&l->wheel, clock_mono_ns());
	if (timer < 0 || (max_wait_ms >= 0 && max_wait_ms < timer))
		return max_wait_ms;
	return timer;
}

void loop_wait(struct loop *l, int max_wait_ms)
{
	int n = epoll_wait(l->epoll_fd, l->events, LOOP_EVENTS, wait_ms(l, max_wait_ms));
	ASSERT(n >= 0 || errno == EINTR);
	l->event_count = n > 0 ? n : 0;
	l->again = false;
	l->woke_ns = l->now_ns = clock_mono_ns();
	l->wall_ns = clock_wall_ns();
}

void loop_run(struct loop *l)
{
	/* A watch deleted by an earlier one's ready() has fd -1; its memory stays until reap. */
	for (int i = 0; i < l->event_count; i++) {
		struct watch *w = l->events[i].data.ptr;
		if (w->fd >= 0)
			w->ready(w, l->events[i].events);
	}
	l->event_count = 0;
	wheel_advance(&l->wheel, l->now_ns);
}
