/* pool.h - one cluster's endpoints as one worker sees them, and the links to each.
 *
 * Many clients' streams share few links: a call takes the oldest link of its endpoint that has
 * room. A further link is opened when the others have reached the peer's MAX_CONCURRENT_STREAMS, or
 * when one has been blocked on its connection window for 100 ms.
 *
 * A pool outlives configurations (found again by the cluster's name); pool_for adds endpoints that
 * are new, pool_retire_absent lets go of those that no configuration names: their links take no new
 * calls and close when their last ends.
 *
 * Back-off: after a failed connect an endpoint is left alone for 100 ms, doubling to 10 s, +-20 %;
 * a call that finds only such endpoints fails at once with the last cause.
 *
 * Owner: its worker; for ever, as the number of cluster names that ever were is small. */
#ifndef WEIR_PROXY_POOL_H
#define WEIR_PROXY_POOL_H
#include "config/config.h"
#include "proxy/worker.h"

#define POOL_BACKOFF_MIN_NS (100 * 1000000ull)
#define POOL_BACKOFF_MAX_NS (10 * 1000000000ull)
#define POOL_LINKS_MAX      64 /* to one endpoint, from one worker */

struct link;

struct pool_endpoint {
	struct pool *pool;
	struct endpoint *shared; /* referenced: live streams over all workers */
	/* Those of this worker, and of these what the others know: they hear of it once a turn. */
	uint64_t streams, streams_told;
	struct list untold; /* in worker->untold */
	struct sockaddr_storage sa;
	socklen_t sa_len;
	char *address;     /* text */
	struct list links; /* of struct link, oldest first */
	uint32_t link_count;
	/* waiting.h: calls that wait for a stream, oldest first, and those among them whose last
	 * connection has gone, for the reason below. All of struct upstream. */
	struct list waiting, lost;
	enum call_reason_id lost_reason;
	char lost_why[160];
	struct list due;            /* in worker->endpoints_due: its queues are looked at */
	uint64_t further_at_ns;     /* no connection is opened beside others until then */
	struct timer further_timer; /* then waiting calls may open it */
	uint32_t index;             /* in the pool, never reused */
	bool retired;               /* no configuration names it */
	uint32_t failures;          /* connects in a row */
	uint32_t stream_limit;      /* MAX_CONCURRENT_STREAMS as it said last; 0 = not yet */
	uint64_t retry_at_ns;       /* in back-off until then */
	uint64_t calls, connect_failures, failed_ns; /* in all; when the last connect failed */
	char last_error[96];
	struct list node; /* in pool->endpoints */
};

struct pool {
	struct worker *worker;
	char *name; /* the cluster's */
	enum config_balance balance;
	uint64_t connect_timeout_ns;
	char congestion_control[CONFIG_CONGESTION_MAX]; /* "" = the system's */
	struct list endpoints;                          /* of struct pool_endpoint */
	uint32_t endpoint_count, next_index;
	uint32_t turn;         /* round_robin */
	struct series *series; /* GROUP_CLUSTER */
	struct list node;      /* in worker->pools */
};

/* Finds by name or makes, and brings its settings and endpoints up to date. NULL: out of
 * memory. */
struct pool *pool_for(struct worker *w, const struct config_cluster *cluster) MUST_USE;
void pool_retire_absent(struct worker *w, const struct config *config);
void pool_destroy(struct pool *p);

/* An endpoint for one attempt. Those with their bit in `tried` (index modulo 64) are taken only
 * when there is no other. NULL: there is none, or all are in back-off; *why then names the cause.
 */
struct pool_endpoint *pool_pick(struct pool *p, uint64_t tried, const char **why) MUST_USE;
/* A call's attempt is on the endpoint, or no longer. */
static inline void pool_count_stream(struct pool_endpoint *e, bool more)
{
	e->streams += more ? 1 : (uint64_t)0 - 1;
	if (list_empty(&e->untold))
		list_push_back(&e->pool->worker->untold, &e->untold);
}
/* Live calls on it, all workers'. */
static inline uint64_t pool_streams(const struct pool_endpoint *e)
{
	return atomic_load_explicit(&e->shared->streams, memory_order_relaxed) + e->streams -
	       e->streams_told;
}
/* The turn ends: the other workers hear of what changed. */
void pool_tell_streams(struct worker *w);
void pool_connect_failed(struct pool_endpoint *e, const char *why);
void pool_connect_succeeded(struct pool_endpoint *e);
#endif
