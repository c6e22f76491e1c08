/* worker.h - one thread of the data plane: its loop, its connections, its calls, its counters.
 *
 *   turn:  poll -> read/accept -> engine events -> calls -> start calls that waited for a stream
 *          -> flush every dirty connection -> reap
 *
 * Workers share nothing on the data path. Others reach a worker only by its mailbox (worker_post).
 * The control thread is one more worker that has the admin listener instead of data listeners.
 *
 * Memory budget: each turn publishes the bytes held; at 80 % of limits.memory (all workers) stream
 * credit stops and new streams are refused, at 100 % the worker that holds most cuts its heaviest
 * stream.
 *
 * Owner: control. Threads: worker_post from any; all else only its own thread. */
#ifndef WEIR_PROXY_WORKER_H
#define WEIR_PROXY_WORKER_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/freelist.h"
#include "base/mailbox.h"
#include "base/rand.h"
#include "base/slice.h"
#include "call/call.h"
#include "config/config.h"
#include "http2/conn.h"
#include "metrics/metrics.h"
#include "net/loop.h"
#include "proxy/watch.h"
#include "shared/shared.h"

#define WORKER_CONN_READ_BYTES (1u << 20) /* a connection's share of a turn */
#define WORKER_TURN_READ_BYTES (4u << 20) /* all connections' */
/* A connection is crowded in a turn in which it brings so much, behind one that read so much in
 * all: the worker is behind, and what waits in line waits because of what stands before it. Unless
 * its path is so long that most of a window is on the way and not here: a smaller one would only
 * slow it down. On shorter ones the least window still lets 32 MB/s through, a stream. */
#define WORKER_CROWD_CONN_BYTES (128u << 10)
#define WORKER_CROWD_TURN_BYTES (1u << 20)
#define WORKER_CROWD_PATH_NS    1000000ull
#define WORKER_CROWDED          (WORKER_TURN_READ_BYTES / WORKER_CROWD_CONN_BYTES + 1)

struct listener;
struct h2io;

/* One configuration as this worker sees it: call_generation and the clusters' pools, by index. */
struct generation {
	struct call_generation base;
	struct pool **pools; /* config->cluster_count */
	struct list node;    /* in worker->generations, newest last */
};

struct worker {
	uint32_t index;
	bool is_control;
	pthread_t thread;
	struct shared *shared;
	struct shared_cell *cell;
	struct metrics *metrics;
	struct loop loop;
	struct mailbox box;
	struct watch box_watch;
	struct call_env env;
	struct rand rand;

	struct slab_pool *slabs;
	struct slab *in; /* reads go here first */
	uint32_t in_used;
	uint32_t read_left;                   /* bytes that this turn may still read */
	uint32_t read_before;                 /* bytes that the turn before this one read */
	struct h2io *crowded[WORKER_CROWDED]; /* of this turn */
	uint32_t crowded_count;
	struct h2_books down, up, down_shown, up_shown; /* *_shown: as last published */
	uint64_t waiting_bytes; /* request bytes held by calls that wait or could be replayed */
	struct free_list held, held_bytes; /* blocks for them */
	uint64_t cooled_ns;                /* when memory that nobody needed was last given up */

	struct list dirty, full, again, ios,
		dead;          /* of struct h2io; full: dirty, with much to write */
	struct list listeners; /* of struct worker_listener */
	struct list generations;
	struct generation *current; /* NULL until the first configuration is installed */
	struct list pools;          /* of struct pool */
	struct list untold;         /* of struct pool_endpoint: live streams have changed */
	struct list endpoints_due;  /* of struct pool_endpoint: waiting.h */
	struct list walks;          /* of struct walk: under way over `ios` */
	uint64_t ios_begun;         /* connections so far: their ids */
	struct worker **workers;    /* all data workers, for handing over connections */
	uint32_t worker_count;
	const struct call_terminus *admin_terminus;

	struct series *process, *series; /* GROUP_PROCESS, GROUP_WORKER */
	bool draining, grace_over;
	bool listeners_ended; /* one of `listeners` may be due for reap */
	bool calls_may_start; /* `endpoints_due` is not empty */
	struct timer grace_timer, blocked_timer;
	struct call_watch watch;
	int spare_fd; /* closed and reopened to turn connections away when descriptors run out */
	void (*stopped)(
		struct worker *w); /* on its own thread, when its loop has ended; may be NULL */
	void *stopped_arg;
};

/* What is the same for all workers; given to each at creation. */
struct worker_setup {
	struct shared *shared;
	struct metrics *metrics;
	const struct call_filter *const *filters;
	const struct call_terminus *admin_terminus; /* for listeners with `admin` */
	struct worker **workers;                    /* data workers */
	uint32_t worker_count;
};

struct worker *worker_create(
	const struct worker_setup *setup, uint32_t index, bool is_control) MUST_USE;
void worker_destroy(struct worker *w);       /* after its thread ended */
int worker_start(struct worker *w) MUST_USE; /* its thread; ERR_SYS */
void worker_run(struct worker *w);           /* the loop, until worker_stop took effect */
void worker_post(struct worker *w, struct letter *l);

/* On the worker's own thread. */
int worker_install(struct worker *w, struct config *config, struct listener **listeners,
	uint32_t listener_count) MUST_USE;
void worker_drain(
	struct worker *w, uint64_t grace_ns);        /* GOAWAY, grace, UNAVAILABLE, close, stop */
void worker_publish(struct worker *w);               /* books into metrics */
bool worker_refuses_streams(const struct worker *w); /* draining or above 80 % of the budget */
struct series *worker_closed_series(
	struct worker *w, const char *side, const char *name, const char *reason);
#endif
