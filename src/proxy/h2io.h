/* h2io.h - a socket and an HTTP/2 connection that belong together: reads, feeds, polls, flushes,
 * closes.
 *
 * What it does: one turn's I/O for one connection. Reads up to 1 MiB (and 4 MiB for all
 * connections) a turn into the worker's slab, hands each engine event to its owner, writes once at
 * the end of the turn (and before more is read from anywhere when 64 KiB of new DATA have come
 * together, which are then still in the cache), lingers after a GOAWAY so that the peer can read
 * it. What it does not: know whether it is a front (downstream) or a link (upstream): they are its
 * owners.
 *
 *   ready -> read -> feed -> poll -> ops->event ...      end of turn: dirty -> output -> writev ->
 * poll end of file, error, finish -> ops->lost (once: let go of every stream) -> reap: ops->destroy
 *
 * Owner: embedded in front and link. Threads: its worker's. */
#ifndef WEIR_PROXY_H2IO_H
#define WEIR_PROXY_H2IO_H
#include <stdbool.h>
#include <stdint.h>
#include "base/list.h"
#include "base/slice.h"
#include "base/wheel.h"
#include "call/call.h"
#include "http2/conn.h"
#include "metrics/metrics.h"
#include "net/loop.h"

#define H2IO_PING_EVERY_NS (10 * 1000000000ull)

struct worker;
struct h2io;

/* Why a connection ended: label of weir_connections_closed_total. CLOSE(id, "label", "text") */
#define CLOSE_REASONS(CLOSE)                                                                       \
	CLOSE(NONE, "none", "closed")                                                              \
	CLOSE(PEER, "peer_closed", "closed by the peer")                                           \
	CLOSE(RESET, "reset", "connection reset")                                                  \
	CLOSE(PROTOCOL, "protocol_error", "closed after a protocol error")                         \
	CLOSE(PEER_GOAWAY, "peer_goaway", "closed after the peer's GOAWAY")                        \
	CLOSE(DRAIN, "drain", "drained")                                                           \
	CLOSE(NOT_HTTP2, "not_http2", "did not speak HTTP/2")                                      \
	CLOSE(HTTP1, "http1", "HTTP/1 exchange ended")                                             \
	CLOSE(PREFACE_TIMEOUT, "preface_timeout", "sent no complete HTTP/2 preface in time")       \
	CLOSE(SETTINGS_TIMEOUT, "settings_timeout", "did not acknowledge SETTINGS in time")        \
	CLOSE(IDLE, "idle", "idle for too long")                                                   \
	CLOSE(CONNECT_REFUSED, "connect_refused", "connection refused")                            \
	CLOSE(CONNECT_TIMEOUT, "connect_timeout", "connect timed out")                             \
	CLOSE(NO_MEMORY, "out_of_memory", "out of memory")                                         \
	CLOSE(SHUTDOWN, "shutdown", "closed at shutdown")

enum close_reason {
#define CLOSE(id, label, text) CLOSED_##id,
	CLOSE_REASONS(CLOSE)
#undef CLOSE
		CLOSE_REASON_COUNT,
};
const char *close_reason_label(enum close_reason r);
const char *close_reason_text(enum close_reason r);

/* What an engine's stream waits for, as a call's cause. */
enum stall_cause stall_of(enum h2_blocked blocked);

struct h2io_ops {
	void (*event)(struct h2io *io, struct h2_event *ev); /* owns ev->ev's parts */
	/* Input while h2 is NULL; takes the slice. May set h2 and feed the rest with h2io_feed. */
	void (*raw)(struct h2io *io, struct slice in);
	void (*writable)(struct h2io *io); /* while connecting; may be NULL */
	/* While h2 is NULL: may more input come now? NULL = always. h2io_resume when it may again.
	 */
	bool (*raw_wants)(struct h2io *io);
	/* The peer's FIN while h2 is NULL: true when there is still an answer to give. NULL =
	 * false. */
	bool (*raw_eof)(struct h2io *io);
	/* Output while h2 is NULL: fills iov; NULL = none. */
	int (*raw_output)(struct h2io *io, struct iovec *iov, int max);
	void (*raw_written)(struct h2io *io, size_t bytes);
	void (*flushed)(
		struct h2io *io); /* output was framed and written as far as it goes; may be NULL */
	void (*lost)(struct h2io *io); /* io->reason says why: release all streams, now */
	void (*destroy)(struct h2io *io);
};

enum h2io_ping { H2IO_PING_NONE, H2IO_PING_ASKED, H2IO_PING_DRAIN };

struct h2io {
	struct worker *worker;
	const struct h2io_ops *ops;
	struct watch watch;
	struct h2_conn *h2;
	struct list dirty;     /* in worker->dirty or ->full: has output */
	struct list again;     /* in worker->again: more input is waiting */
	struct list all;       /* in worker->ios, or worker->dead */
	struct timer timer;    /* the owner's until h2io_finish, then the linger's */
	struct series *series; /* GROUP_CONNECTION */
	const char *side, *name;
	enum close_reason reason;
	int sys_errno; /* with CLOSED_RESET: what the kernel said */
	uint64_t opened_ns, calls;
	uint64_t id;                            /* in its worker */
	uint64_t bytes_in, bytes_out, moved_ns; /* the last of them */
	uint64_t ping_sent_ns, ping_ns;         /* the last PING; the last round trip. 0: none */
	uint64_t path_ns, path_asked_ns;        /* sock_path_ns, and when it was asked. 0: never */
	uint8_t pinging;                        /* enum h2io_ping that is not answered */
	bool readable, writable, hangup;        /* as epoll reported */
	bool counted;                           /* in CONNECTIONS_OPEN */
	bool finishing;                         /* close once the output is written */
	bool crowded;                           /* in worker->crowded */
	bool lingering; /* FIN sent; input is discarded until the peer's FIN */
	bool dead;      /* lost() was called */
};

/* Takes fd. ERR_SYS: fd is closed. */
int h2io_init(struct h2io *io, struct worker *w, const struct h2io_ops *ops, int fd,
	const char *side, const char *name) MUST_USE;
/* The connection is established: it counts from here on. */
void h2io_count_open(struct h2io *io);
/* Feeds bytes and handles every event that follows. Takes the slice. */
void h2io_feed(struct h2io *io, struct slice in);
void h2io_dirty(struct h2io *io);  /* has output: flush it at the end of the turn */
void h2io_resume(struct h2io *io); /* raw_wants has become true: reads what is waiting */
/* Writes what is queued, then closes (with a linger of at most 1 s). No more events. */
void h2io_finish(struct h2io *io, enum close_reason reason);
void h2io_close(struct h2io *io, enum close_reason reason); /* at once */

/* The peer has so long to acknowledge our SETTINGS. Takes the timer, which nobody else needs then.
 */
void h2io_expect_settings_ack(struct h2io *io, uint64_t timeout_ns);
/* After H2_EV_DEAD: finishes for that reason. */
void h2io_finish_dead(struct h2io *io, const struct h2_event *ev);

/* Asks for a round trip: one PING, unless one is under way or was sent less than H2IO_PING_EVERY_NS
 * ago (peers take many for an attack). */
void h2io_ping(struct h2io *io);
void h2io_ping_answered(struct h2io *io, uint64_t opaque);
/* The PING of the engine's drain is measured too: it is out; it was answered. */
void h2io_drain_pinged(struct h2io *io);
void h2io_drain_answered(struct h2io *io);

/* The worker's turn. */
void h2io_read_again(struct worker *w); /* connections that had more than their share */
void h2io_flush_all(struct worker *w);
/* `bytes` came in this turn: do its streams get smaller windows (worker.h)? */
void h2io_note_crowd(struct h2io *io, uint32_t bytes);
void h2io_crowds_over(struct worker *w); /* the end of the turn, before h2io_reap */
void h2io_reap(struct worker *w);
#endif
