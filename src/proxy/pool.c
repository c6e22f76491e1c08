#include "proxy/pool.h"
#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/link.h"
#include "proxy/waiting.h"

static struct pool_endpoint *find_endpoint(struct pool *p, const char *address)
{
	LIST_FOR_EACH (n, &p->endpoints) {
		struct pool_endpoint *e = CONTAINER_OF(n, struct pool_endpoint, node);
		if (!strcmp(e->address, address))
			return e;
	}
	return NULL;
}

static void tell_streams(struct pool_endpoint *e)
{
	uint64_t more = e->streams - e->streams_told; /* or less: it wraps */
	atomic_fetch_add_explicit(&e->shared->streams, more, memory_order_relaxed);
	e->streams_told = e->streams;
}

void pool_tell_streams(struct worker *w)
{
	for (struct list *n; (n = list_pop_front(&w->untold));)
		tell_streams(CONTAINER_OF(n, struct pool_endpoint, untold));
}

static void endpoint_destroy(struct pool_endpoint *e)
{
	waiting_fini(e);
	if (!list_empty(&e->untold))
		tell_streams(e);
	list_remove(&e->untold);
	if (e->shared)
		shared_endpoint_unref(e->pool->worker->shared, e->shared);
	mem_free(e->address);
	mem_free(e);
}

static int add_endpoint(struct pool *p, const struct config_address *a)
{
	struct pool_endpoint *e = mem_zalloc(sizeof(*e));
	if (!e)
		return ERR_NOMEM;
	e->pool = p;
	e->sa = a->sa;
	e->sa_len = a->sa_len;
	list_init(&e->links);
	list_init(&e->node);
	list_init(&e->untold);
	waiting_init(e);
	e->address = mem_dup(a->text, strlen(a->text));
	e->shared = shared_endpoint(p->worker->shared, p->name, a->text);
	if (!e->address || !e->shared) {
		endpoint_destroy(e);
		return ERR_NOMEM;
	}
	e->index = p->next_index++;
	p->endpoint_count++;
	list_push_back(&p->endpoints, &e->node);
	return 0;
}

/* What was found goes to the end: a reload, which asks in the order of its file, finds the next one
 * in front, and streams do not wait while thousands of names are compared. */
static struct pool *find_pool(struct worker *w, const char *name)
{
	LIST_FOR_EACH (n, &w->pools) {
		struct pool *p = CONTAINER_OF(n, struct pool, node);
		if (strcmp(p->name, name) != 0)
			continue;
		list_remove(&p->node);
		list_push_back(&w->pools, &p->node);
		return p;
	}
	return NULL;
}

static struct pool *create_pool(struct worker *w, const char *name)
{
	struct pool *p = mem_zalloc(sizeof(*p));
	if (!p)
		return NULL;
	p->name = mem_dup(name, strlen(name));
	if (!p->name) {
		mem_free(p);
		return NULL;
	}
	const char *labels[] = {name};
	p->worker = w;
	p->turn = (uint32_t)rand_u64(&w->rand); /* workers begin at different endpoints */
	p->series = metrics_series(w->env.metrics, GROUP_CLUSTER, labels);
	list_init(&p->endpoints);
	list_push_back(&w->pools, &p->node);
	return p;
}

struct pool *pool_for(struct worker *w, const struct config_cluster *cluster)
{
	struct pool *p = find_pool(w, cluster->name);
	if (!p)
		p = create_pool(w, cluster->name);
	if (!p)
		return NULL;
	p->balance = cluster->balance;
	p->connect_timeout_ns = cluster->connect_timeout_ns;
	snprintf(p->congestion_control, sizeof(p->congestion_control), "%s",
		cluster->congestion_control ? cluster->congestion_control : "");
	for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
		struct pool_endpoint *e = find_endpoint(p, cluster->endpoints[i].text);
		if (e)
			e->retired = false;
		else if (add_endpoint(p, &cluster->endpoints[i]) != 0)
			return NULL;
	}
	return p;
}

static bool names_endpoint(const struct config_cluster *c, const char *address)
{
	for (uint32_t i = 0; c && i < c->endpoint_count; i++) {
		if (!strcmp(c->endpoints[i].text, address))
			return true;
	}
	return false;
}

/* Looks first at the one behind the last that was found: pools are in the order of the file. */
static const struct config_cluster *find_cluster(
	const struct config *config, const char *name, uint32_t *next)
{
	for (uint32_t i = 0; i < config->cluster_count; i++) {
		uint32_t at = (*next + i) % config->cluster_count;
		if (strcmp(config->clusters[at].name, name) != 0)
			continue;
		*next = at + 1;
		return &config->clusters[at];
	}
	return NULL;
}

static void retire(struct pool_endpoint *e)
{
	e->retired = true;
	LIST_FOR_EACH_SAFE (n, &e->links)
		link_retire(CONTAINER_OF(n, struct link, node));
}

/* Calls of older generations may still be sent to a retired endpoint's open links; they get no new
 * ones. */
void pool_retire_absent(struct worker *w, const struct config *config)
{
	uint32_t next = 0;
	LIST_FOR_EACH (n, &w->pools) {
		struct pool *p = CONTAINER_OF(n, struct pool, node);
		const struct config_cluster *c = find_cluster(config, p->name, &next);
		LIST_FOR_EACH (en, &p->endpoints) {
			struct pool_endpoint *e = CONTAINER_OF(en, struct pool_endpoint, node);
			if (!e->retired && !names_endpoint(c, e->address))
				retire(e);
		}
	}
}

void pool_destroy(struct pool *p)
{
	LIST_FOR_EACH_SAFE (n, &p->endpoints) {
		ASSERT(list_empty(&CONTAINER_OF(n, struct pool_endpoint, node)->links));
		endpoint_destroy(CONTAINER_OF(n, struct pool_endpoint, node));
	}
	list_remove(&p->node);
	mem_free(p->name);
	mem_free(p);
}

/* ---- choosing ---- */

static bool usable(const struct pool_endpoint *e, uint64_t now_ns)
{
	return !e->retired && (e->failures == 0 || now_ns >= e->retry_at_ns || link_any_ready(e));
}

static bool tried(const struct pool_endpoint *e, uint64_t mask)
{
	return mask >> (e->index % 64) & 1;
}

static uint32_t count_usable(struct pool *p, uint64_t mask)
{
	uint32_t n = 0;
	LIST_FOR_EACH (node, &p->endpoints) {
		struct pool_endpoint *e = CONTAINER_OF(node, struct pool_endpoint, node);
		n += usable(e, p->worker->loop.now_ns) && !tried(e, mask);
	}
	return n;
}

static struct pool_endpoint *nth_usable(struct pool *p, uint64_t mask, uint32_t nth)
{
	LIST_FOR_EACH (node, &p->endpoints) {
		struct pool_endpoint *e = CONTAINER_OF(node, struct pool_endpoint, node);
		if (usable(e, p->worker->loop.now_ns) && !tried(e, mask) && nth-- == 0)
			return e;
	}
	UNREACHABLE();
}

/* Power of two choices on counts that all workers share. */
static struct pool_endpoint *least_of_two(struct pool *p, uint64_t mask, uint32_t n)
{
	uint32_t first = (uint32_t)rand_below(&p->worker->rand, n);
	uint32_t second = (uint32_t)rand_below(&p->worker->rand, n - 1);
	second += second >= first;
	struct pool_endpoint *a = nth_usable(p, mask, first), *b = nth_usable(p, mask, second);
	return pool_streams(b) < pool_streams(a) ? b : a;
}

static const char *why_none(const struct pool *p)
{
	LIST_FOR_EACH (n, &p->endpoints) {
		const struct pool_endpoint *e = CONTAINER_OF(n, struct pool_endpoint, node);
		if (!e->retired && e->last_error[0])
			return e->last_error;
	}
	return NULL;
}

struct pool_endpoint *pool_pick(struct pool *p, uint64_t mask, const char **why)
{
	struct pool_endpoint *first = CONTAINER_OF(p->endpoints.next, struct pool_endpoint, node);
	/* the only one is taken, tried or not */
	if (p->endpoint_count == 1 && usable(first, p->worker->loop.now_ns))
		return first;
	uint32_t n = count_usable(p, mask);
	if (n == 0 && mask) {
		mask = 0;
		n = count_usable(p, 0);
	}
	if (n == 0) {
		*why = why_none(p);
		return NULL;
	}
	if (n == 1)
		return nth_usable(p, mask, 0);
	switch (p->balance) {
	case BALANCE_ROUND_ROBIN:
		return nth_usable(p, mask, p->turn++ % n);
	case BALANCE_LEAST_STREAMS:
		return least_of_two(p, mask, n);
	}
	UNREACHABLE();
}

/* ---- back-off ---- */

void pool_connect_failed(struct pool_endpoint *e, const char *why)
{
	struct worker *w = e->pool->worker;
	uint64_t wait = POOL_BACKOFF_MIN_NS << (e->failures < 7 ? e->failures : 7);
	wait = rand_jitter(&w->rand, wait < POOL_BACKOFF_MAX_NS ? wait : POOL_BACKOFF_MAX_NS, 20);
	if (e->failures++ == 0)
		log_line(LOG_WARN, "upstream connect failed", "cluster", e->pool->name, "endpoint",
			e->address, "cause", why, NULL);
	e->retry_at_ns = w->loop.now_ns + wait;
	e->failed_ns = w->loop.now_ns;
	e->connect_failures++;
	snprintf(e->last_error, sizeof(e->last_error), "%s", why);
	series_add(e->pool->series, M_CONNECT_FAILURES, 1);
}

void pool_connect_succeeded(struct pool_endpoint *e)
{
	if (e->failures > 0)
		log_line(LOG_INFO, "upstream reachable again", "cluster", e->pool->name, "endpoint",
			e->address, NULL);
	e->failures = 0;
	e->last_error[0] = '\0';
}
