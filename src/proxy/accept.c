#include "proxy/accept.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/sock.h"
#include "proxy/front.h"
#include "proxy/worker.h"

#define ACCEPTS_PER_TURN 64

struct listener *listener_ref(struct listener *l)
{
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void listener_unref(struct listener *l)
{
	if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	close(l->fd);
	mem_free(l->config.name);
	mem_free(l->config.address.text);
	mem_free(l);
}

void accept_drop(struct worker_listener *wl)
{
	list_remove(&wl->node);
	listener_unref(wl->listener);
	mem_free(wl);
}

struct handover {
	struct letter letter;
	struct listener *listener;
	int fd;
	char peer[SOCK_TEXT_MAX];
};

struct worker_listener *accept_find(struct worker *w, const struct listener *l)
{
	LIST_FOR_EACH (n, &w->listeners) {
		struct worker_listener *wl = CONTAINER_OF(n, struct worker_listener, node);
		if (wl->listener == l)
			return wl;
	}
	return NULL;
}

/* Weir's own pages are outside limits.connections: they must answer when it is reached. */
static void connections_add(struct worker *w, const struct listener *l, int64_t n)
{
	if (!l->admin)
		atomic_fetch_add_explicit(&w->cell->connections, (uint64_t)n, memory_order_relaxed);
}

static void begin_front(struct worker *w, struct worker_listener *wl, int fd, const char *peer)
{
	if (front_create(w, wl, fd, peer) != 0) {
		connections_add(w, wl->listener, -1);
		series_add(wl->series, M_CONNECTIONS_REFUSED, 1);
	}
}

static void open_handover(struct letter *l, void *owner)
{
	struct handover *h = CONTAINER_OF(l, struct handover, letter);
	struct worker *w = owner;
	struct worker_listener *wl = accept_find(w, h->listener);
	if (wl && !w->draining) {
		begin_front(w, wl, h->fd, h->peer);
	} else {
		close(h->fd);
		connections_add(w, h->listener, -1);
	}
	listener_unref(h->listener);
	mem_free(h);
}

/* The data worker with the fewest connections; this one when the difference is small. */
static struct worker *least_loaded(struct worker *w)
{
	struct worker *best = w;
	uint64_t least = atomic_load_explicit(&w->cell->connections, memory_order_relaxed);
	for (uint32_t i = 0; i < w->worker_count; i++) {
		uint64_t n = atomic_load_explicit(
			&w->workers[i]->cell->connections, memory_order_relaxed);
		if (n + 1 < least) {
			least = n;
			best = w->workers[i];
		}
	}
	return best;
}

static void place(struct worker *w, struct worker_listener *wl, int fd, const char *peer)
{
	struct worker *to = wl->listener->admin ? w : least_loaded(w);
	/* Counted before it arrives, so that a burst of accepts spreads. */
	connections_add(to, wl->listener, 1);
	struct handover *h = to == w ? NULL : mem_alloc(sizeof(*h));
	if (!h) {
		if (to != w) {
			connections_add(to, wl->listener, -1);
			connections_add(w, wl->listener, 1);
		}
		begin_front(w, wl, fd, peer);
		return;
	}
	*h = (struct handover){
		.letter.open = open_handover, .listener = listener_ref(wl->listener), .fd = fd};
	memcpy(h->peer, peer, strlen(peer) + 1);
	worker_post(to, &h->letter);
}

/* Out of descriptors: take the connection with the spare one and close it, so that the client
 * learns at once and the level-triggered listener does not spin. */
static void turn_away(struct worker *w, struct worker_listener *wl)
{
	static _Atomic uint64_t said_ns;
	series_add(wl->series, M_CONNECTIONS_REFUSED, 1);
	if (w->spare_fd >= 0)
		close(w->spare_fd);
	int fd = accept4(wl->listener->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	w->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	uint64_t last = atomic_load_explicit(&said_ns, memory_order_relaxed);
	if (w->loop.now_ns - last < 10 * NS_PER_SEC && last)
		return;
	atomic_store_explicit(&said_ns, w->loop.now_ns, memory_order_relaxed);
	log_line(LOG_WARN, "connection refused: out of file descriptors", "listener",
		wl->listener->config.name, NULL);
}

static void on_acceptable(struct watch *watch, uint32_t events)
{
	struct worker_listener *wl = CONTAINER_OF(watch, struct worker_listener, watch);
	struct worker *w = wl->worker;
	uint32_t most = w->current->base.config->limits.connections;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		char peer[SOCK_TEXT_MAX];
		int fd = sock_accept(wl->listener->fd, peer, sizeof(peer));
		if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
			turn_away(w, wl);
			return;
		}
		if (fd < 0)
			return; /* EAGAIN, or a connection that is gone again */
		if (!wl->listener->admin && shared_connections(w->shared) >= most) {
			close(fd);
			series_add(wl->series, M_CONNECTIONS_REFUSED, 1);
			continue;
		}
		place(w, wl, fd, peer);
	}
}

void accept_gone(struct worker_listener *wl)
{
	ASSERT(wl->fronts > 0);
	wl->fronts--;
	connections_add(wl->worker, wl->listener, -1);
	wl->worker->listeners_ended = true;
}

void accept_stop(struct worker_listener *wl)
{
	if (!wl->accepting)
		return;
	wl->accepting = false;
	loop_del(&wl->worker->loop, &wl->watch);
	wl->worker->listeners_ended = true;
}

int accept_start(struct worker *w, struct listener *l)
{
	struct worker_listener *wl = mem_zalloc(sizeof(*wl));
	if (!wl)
		return ERR_NOMEM;
	const char *labels[] = {l->config.name};
	wl->worker = w;
	wl->listener = listener_ref(l);
	wl->series = metrics_series(w->env.metrics, GROUP_LISTENER, labels);
	wl->watch.ready = on_acceptable;
	wl->watch.fd = -1;
	list_init(&wl->node);
	list_push_back(&w->listeners, &wl->node);
	if (loop_add_listener(&w->loop, &wl->watch, l->fd) != 0) {
		accept_drop(wl);
		return ERR_SYS;
	}
	wl->accepting = true;
	return 0;
}

/* Here and not where they end: an event of this turn may still point to them. */
void accept_reap(struct worker *w)
{
	w->listeners_ended = false;
	LIST_FOR_EACH_SAFE (n, &w->listeners) {
		struct worker_listener *wl = CONTAINER_OF(n, struct worker_listener, node);
		if (!wl->accepting && wl->fronts == 0)
			accept_drop(wl);
	}
}
