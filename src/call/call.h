/* call.h - one RPC or HTTP exchange in transit: the heart of the house.
 *
 * What it does: owns the life of a call between the front that received it and the terminus that
 * answers it; carries events along two lanes through the filter chain; carries credit back; latches
 * the one reason why a call was aborted; composes the truthful answer when Weir itself must end it.
 * What it does not: know protocols' bytes, sockets, or what kind of front or terminus it has.
 *
 *            call_push_request ->  [filter 0 .. n-1] ->  terminus->push
 *     front                                                              terminus
 *            front->push       <-  [filter n-1 .. 0] <-  call_push_response
 *
 *            front->credit     <-------------------------  call_credit_request
 *            call_credit_response ---------------------->  terminus->credit
 *
 * Life: call_create at HEAD -> call_open chooses route and terminus, opens filters -> events ->
 * both lanes END, or abort -> front and terminus each say call_front_done / call_terminus_done when
 * they hold nothing of the call any more -> queued for the loop's reap, where call_reap frees it.
 * push takes ownership of an event, never blocks, never refuses, destroys nothing.
 *
 * abort: call_fail (Weir ends it, with an answer), call_reset (one side vanished: who, code). The
 * first reason wins; later ones are ignored. After it each end is told once, by its abort().
 *
 * Owner: the front. Threads: the worker's. Time: call->env->now_ns, read once a turn.
 * Errors: out of memory at creation refuses the stream; later it aborts the call. */
#ifndef WEIR_CALL_CALL_H
#define WEIR_CALL_CALL_H
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/freelist.h"
#include "base/list.h"
#include "base/rand.h"
#include "config/config.h"
#include "http/event.h"
#include "metrics/metrics.h"
#include "shared/sink.h"

enum lane_id { LANE_REQUEST, LANE_RESPONSE };

/* What can keep a lane from moving: stall.h. */
enum stall_cause {
	STALL_NONE,
#define STALL(id, label) STALL_##id,
#include "call/stall.def"
#undef STALL
	STALL_CAUSE_COUNT,
};
enum hung_state { HUNG_NO, HUNG_STALLED, HUNG_SILENT };

/* Messages of one turn that wait to be admitted: timing.h. */
#define LANE_MARKS 3
struct lane_mark {
	uint64_t at_ns;
	uint32_t end_bytes; /* of the lane's bytes, modulo 2^32: less than a window is under way */
	uint32_t messages;
};

/* One direction of a call, as far as it is not a filter's business. Times: CLOCK_MONOTONIC of a
 * turn. */
struct call_lane {
	uint64_t messages, bytes; /* that passed the filters */
	uint64_t admitted_bytes;  /* of those, on the wire */
	uint64_t message_ns;      /* the last message ended */
	uint64_t last_ns;         /* content or a message passed; 0 = never */
	uint8_t mark_count;
	uint8_t transport; /* enum stall_cause that the far end has now */
	bool withheld;     /* its credit, by the memory budget */
	struct lane_mark marks[LANE_MARKS];
	uint64_t charged_ns; /* up to here the present stall is charged */
};

/* Why a call ended otherwise than by both ENDs. Rows of reason.def: REASON(id, "label", grpc,
 * http). */
enum call_reason_id {
#define REASON(id, label, grpc, http) REASON_##id,
#include "call/reason.def"
#undef REASON
	REASON_COUNT,
};
const char *call_reason_label(enum call_reason_id id);

enum call_who { CALL_BY_NOBODY, CALL_BY_CLIENT, CALL_BY_UPSTREAM, CALL_BY_SELF };

struct call_abort {
	enum call_who who : 8; /* CALL_BY_NOBODY: not aborted */
	enum call_reason_id reason : 8;
	uint32_t h2_code; /* for the side that is still there (RFC 9113 section 7) */
	const char *text; /* static, or in the call's arena: names the cause for the client and the
			     log */
};

struct call;

/* The two ends. Both are told of an abort once; neither may free the call. */
struct call_front {
	void (*push)(struct call *c, struct event *ev); /* response lane's end: takes ev */
	void (*credit)(struct call *c, uint32_t bytes); /* the request's stream may send more */
	/* Forget queued, unadmitted response DATA, so that an error's trailers can follow at once.
	 * NULL: it cannot, as in HTTP/1, where content is framed when it is pushed. A call that
	 * fails in mid-response gets no trailers then, but the abort, which cuts the response. */
	void (*drop_queued)(struct call *c);
	void (*abort)(struct call *c); /* reset the stream with c->abort.h2_code */
};
struct call_terminus {
	const char *name;
	int (*open)(struct call *c) MUST_USE;           /* ERR_NOMEM */
	void (*push)(struct call *c, struct event *ev); /* request lane's end: takes ev */
	void (*credit)(
		struct call *c, uint32_t bytes); /* the front sent this much of the response */
	void (*abort)(struct call *c);           /* let go; then call_terminus_done, maybe later */
};

/* A stage. push returns true to pass the event on; false when it took it (then it owns it). An
 * event that is passed on by a stage which has ended the call goes no further than the chain.
 * request: before the terminus sees it; response: before the front does. Any may be NULL.
 * A call that a filter does not want has not that stage in its chain: it costs the call a question
 * and no memory, and its events nothing. */
struct call_filter {
	const char *name;
	uint32_t state_bytes; /* zeroed memory in the call's arena */
	/* Asked once, when the call opens (route, cluster and head are known). NULL: every call. */
	bool (*wants)(const struct call *c);
	int (*open)(struct call *c,
		void *state) MUST_USE; /* ERR_NOMEM; or it may call_fail and return 0 */
	bool (*request)(struct call *c, void *state, struct event *ev);
	bool (*response)(struct call *c, void *state, struct event *ev);
	void (*close)(struct call *c, void *state); /* once, when the call is over; c->abort and the
						       status fields say how */
	/* About once a second while the call is open, at a worker's watch of its calls. */
	void (*tick)(struct call *c, void *state);
};
#define CALL_FILTERS_MAX 6 /* stages of one call */
struct call_stage {
	const struct call_filter *filter;
	void *state;
};

#define KNOWN_MAX 64 /* request heads that are remembered */

/* One configuration as one worker sees it. Calls count on it worker-locally, so that no call
 * touches the snapshot's atomic count. Freed by its worker when superseded and calls == 0. */
struct call_generation {
	struct config *config; /* referenced */
	uint64_t calls;
	struct series *gauge;                /* GENERATION_STREAMS */
	struct call_labels *labels;          /* series found so far: labels.h */
	struct call_known *known[KNOWN_MAX]; /* request heads, by their runs: known.h */
	void *owner;                         /* the worker's own part */
};

/* What a worker lends to its calls. */
struct call_env {
	const struct fields *head; /* of the request whose call opens now: its filters may look */
	uint64_t now_ns;           /* CLOCK_MONOTONIC, this turn */
	uint64_t wall_ns;          /* CLOCK_REALTIME, this turn */
	uint64_t tick_ns[3]; /* of the last timing_begin_ticks, the oldest first; 0 = not yet */
	bool tick_odd;       /* changes with each */
	struct rand *rand;
	struct metrics_slab *metrics;
	struct list reap;            /* calls to free at the end of the turn */
	struct list withheld;        /* calls that are owed credit while credit_stopped */
	bool credit_stopped;         /* memory budget at 80 %: no stream credit is given */
	struct free_list blocks;     /* of calls that are over */
	uint64_t calls;              /* alive, until reaped */
	uint64_t started, completed; /* the books: started = completed + active */
	const struct call_filter *const *filters; /* NULL-terminated, in reading order */
	void *worker;                             /* struct worker, for termini and fronts */
	struct sampler *sampler;                  /* filter/sample.h; NULL: never asked for */
	uint32_t index;                           /* the worker's */
	struct sink_producer outputs;             /* records of this turn */
	struct buf line;                          /* where a record is made; its memory is kept */
};

/* What a request says of itself. Texts end in a NUL; empty when absent. */
struct call_said {
	const char *method, *path, *authority;
	const char *grpc_service, *grpc_method; /* "" when the path has not that shape */
};

struct call {
	/* What every message needs, in as few lines of the cache as it takes. */
	struct call_env *env;
	const struct call_front *front;
	void *front_state;
	const struct call_terminus *terminus;
	void *terminus_state;
	struct call_stage *stages; /* filters that want this call, in order; in the arena */
	struct call_labels
		*labels; /* series of its route: labels.h; NULL: unfiltered, or no memory */
	uint8_t stage_count;
	bool request_ended, response_started, response_ended;
	bool front_done, terminus_done;
	struct call_abort abort;
	struct call_lane lanes[2]; /* by enum lane_id */

	struct call_generation *generation; /* of the snapshot it began under */
	const struct config_listener *listener;
	const struct config_route *route;     /* NULL until routed, and when none matched */
	const struct config_cluster *cluster; /* chosen backend; NULL for local termini */

	struct call_known *known;     /* NULL: its head is not; known.h */
	const struct call_said *said; /* in the arena or in `known` */
	bool is_grpc;    /* content-type application/grpc*: errors are trailers with grpc-status */
	bool is_head;    /* HEAD: the answer has no content */
	bool unfiltered; /* set before call_open: Weir's own pages pass no filters */
	uint8_t hung;    /* enum hung_state */
	uint8_t hung_said;    /* bit by state: it was in the log */
	uint8_t stall_causes; /* so many times are in `stalls` */
	bool status_missing;  /* its body has the status, and ended without it */
	bool is_connect;      /* CONNECT */
	bool tick_odd;        /* as env->tick_odd was at its last timing_tick */
	/* What the client was told. */
	uint16_t http_status; /* 0 = no head yet */
	int16_t grpc_status;  /* -1 = none seen */

	struct stall_times *stalls; /* NULL: never stalled */
	const char *peer;           /* the client's address; "" when not known */
	const char *endpoint;       /* the upstream's address; "" without one */
	uint64_t id, begun_ns;
	uint32_t ticks[2]; /* messages of both lanes at the last two timing_ticks */

	struct list node;                     /* in the front's list, then in env->reap */
	struct list withheld;                 /* in env->withheld */
	uint32_t owed_request, owed_response; /* bytes of credit held back by the memory budget */
	struct arena arena;
};

/* `head` is borrowed: the call copies what it needs. NULL: out of memory. */
struct call *call_create(struct call_env *env, struct call_generation *generation,
	const struct config_listener *listener, const struct call_front *front, void *front_state,
	const struct fields *head) MUST_USE;
/* Opens filters and terminus. On ERR_NOMEM nothing is open and the caller frees with call_discard.
 */
int call_open(struct call *c, const struct call_terminus *terminus) MUST_USE;
void call_discard(struct call *c); /* a call that was never opened */
/* Zeroed memory that goes with the call. */
void *call_zalloc(struct call *c, size_t bytes) MUST_USE;

void call_push_request(struct call *c, struct event *ev);  /* from the front; takes ev */
void call_push_response(struct call *c, struct event *ev); /* from the terminus; takes ev */
/* From stage `index` of the call on (a filter that held events goes on with them behind itself). */
void call_resume_request(struct call *c, unsigned index, struct event *ev);
void call_credit_request(struct call *c, uint32_t bytes);
void call_credit_response(struct call *c, uint32_t bytes);

/* Weir ends the call and the client learns why: before the response head a whole answer (gRPC:
 * trailers-only; else the HTTP status and a short text), afterwards trailers with grpc-status for
 * gRPC and a reset for others. The terminus is told to let go. `text` is copied. */
COLD void call_fail(struct call *c, enum call_reason_id reason, const char *text);
/* What was pushed to the front last, the response's head or its trailers, did not go to the client:
 * call_fail may answer in its place. */
COLD void call_unanswer(struct call *c, bool head);
/* One side is gone or reset its stream; the other is told with the code kept. */
void call_reset(struct call *c, enum call_who who, enum call_reason_id reason, uint32_t h2_code);
void call_front_done(struct call *c);
void call_terminus_done(struct call *c);
/* The loop's reap: frees what is done; how many. */
unsigned call_reap(struct call_env *env);
void call_tick(struct call *c); /* the ticks of its filters */
/* The memory budget: stops stream credit, or gives what was withheld. */
void call_credit_stop(struct call_env *env);
void call_credit_resume(struct call_env *env);
/* Lists and counters of an env; the owner sets the rest. fini frees the cache. */
void call_env_init(struct call_env *env);
void call_env_cool(struct call_env *env); /* the cache gives up what nobody needed of late */
void call_env_fini(struct call_env *env);
#endif
