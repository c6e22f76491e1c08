/* shared.h - what workers share: relaxed atomics, touched per call, connection or turn, never per
 * message.
 *
 * cells: one cache-padded cell for each thread, written by it, read by all: connections, bytes
 * held, heartbeat. Sums are read by walking the cells. endpoints: live counts by identity (cluster
 * name, address). They outlive configurations: a reload that names the same endpoint finds the same
 * counters. The registry is locked; only installing a configuration touches it.
 *
 * Owner: main creates, threads borrow; endpoints are reference-counted. */
#ifndef WEIR_SHARED_SHARED_H
#define WEIR_SHARED_SHARED_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/map.h"

#define SHARED_THREADS_MAX 257 /* 256 workers and the control thread */

struct shared_cell {
	_Alignas(128) _Atomic uint64_t heartbeat_ns; /* CLOCK_MONOTONIC of the last turn */
	_Atomic uint64_t connections;                /* downstream, open */
	_Atomic uint64_t held_bytes;                 /* stream bytes held: the memory budget */
};

/* One upstream address of one cluster. */
struct endpoint {
	_Atomic uint32_t refs;
	_Atomic uint64_t streams; /* live calls on it, all workers: least_streams compares these */
	char *key;                /* cluster '\0' address: its identity */
	uint32_t key_len;
};

struct shared {
	struct shared_cell cells[SHARED_THREADS_MAX];
	uint32_t threads;
	atomic_bool draining;
	pthread_mutex_t lock; /* of `endpoints` */
	struct strmap endpoints;
};

struct shared *shared_create(uint32_t threads) MUST_USE; /* NULL: out of memory */
void shared_destroy(struct shared *s);                   /* every endpoint was unreffed */
uint64_t shared_connections(const struct shared *s);     /* sum over the cells */
uint64_t shared_held_bytes(const struct shared *s);

/* Finds or makes; one reference. NULL: out of memory. */
struct endpoint *shared_endpoint(
	struct shared *s, const char *cluster, const char *address) MUST_USE;
void shared_endpoint_unref(struct shared *s, struct endpoint *e);
#endif
