/* config.h - the configuration: text -> tree -> verified, immutable snapshot.
 *
 * What it does: parses YAML (libyaml) with positions, checks every key, value and reference, and
 * makes a `struct config` that never changes again. Reports every error, not only the first, each
 * as file:line:column, what was expected, and a suggestion for a misspelt name. What it does not:
 * listen or connect, resolve names, keep live state (registries do, keyed by identity).
 *
 * Owner: atomic refcount; workers and calls hold it. Threads: any may read and unref.
 * Defaults and ranges: docs/reference.md, checked against config.def by a test.
 * Errors: config_parse answers NULL and fills `errors`, one line each. */
#ifndef WEIR_CONFIG_CONFIG_H
#define WEIR_CONFIG_CONFIG_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/buf.h"
#include "base/err.h"

struct sink;

struct config_address {
	char *text; /* as written, "127.0.0.1:8080" or "[::1]:9000" */
	struct sockaddr_storage sa;
	socklen_t sa_len;
};

#define CONFIG_CONGESTION_MAX 16 /* a congestion control's name, with its NUL */

struct config_listener {
	char *name;
	struct config_address address;
	char *congestion_control; /* NULL = the system's */
};

enum config_match_kind { MATCH_EXACT, MATCH_PREFIX, MATCH_PRESENT };

struct config_header_match {
	char *name; /* lower case */
	enum config_match_kind kind;
	char *value; /* NULL with MATCH_PRESENT */
};

struct config_match {
	char **hosts; /* lower case, without port; "*.example.org" matches any deeper name */
	uint32_t host_count;
	char *service, *method;           /* NULL = any */
	enum config_match_kind path_kind; /* EXACT or PREFIX */
	char *path;                       /* NULL = any */
	struct config_header_match *headers;
	uint32_t header_count;
};

struct config_backend {
	uint32_t cluster; /* index into config.clusters */
	uint32_t weight;  /* 0 = none of the traffic; their sum > 0 */
};

enum { SAMPLE_TO_RING = 1, SAMPLE_TO_LOG = 2, SAMPLE_TO_FILE = 4 };
enum { SAMPLE_SENT = 1, SAMPLE_RECEIVED = 2 };

/* Which messages of a route are sampled. Off: `every` is 0 and header.name is NULL. */
struct config_sample {
	uint32_t every;                    /* 0 = none by count */
	struct config_header_match header; /* of calls whose messages all are; name NULL = none */
	uint32_t bytes;                    /* of a message; default 256 */
	uint8_t lanes;                     /* SAMPLE_SENT, SAMPLE_RECEIVED; default both */
	uint8_t outputs;                   /* SAMPLE_TO_*; default the ring */
};

struct config_route {
	char *name;
	struct config_match match; /* routes are tried in the order of the file; first match wins */
	struct config_backend *backends;
	uint32_t backend_count;
	uint64_t weight_sum;
	uint64_t stalled_after_ns; /* default 30s; 0 = never */
	uint64_t silent_after_ns;  /* default 0 = never */
	struct config_sample sample;
	bool access_log; /* default on */
};

enum config_balance { BALANCE_ROUND_ROBIN, BALANCE_LEAST_STREAMS };

struct config_cluster {
	char *name;
	struct config_address *endpoints;
	uint32_t endpoint_count;
	enum config_balance balance; /* default round_robin */
	uint64_t connect_timeout_ns; /* default 5s */
	char *congestion_control;    /* NULL = the system's */
};

struct config_limits {
	uint64_t memory_bytes;           /* default 512MiB */
	uint32_t streams_per_connection; /* default 1000 */
	uint32_t header_bytes;           /* default 64KiB */
	uint32_t crowded_window_bytes;   /* default 32KiB */
	uint64_t message_bytes;          /* default 64MiB */
	uint32_t series_per_family;      /* default 1000 */
	uint32_t connections;            /* downstream, in all; default 100000 */
	uint64_t preface_timeout_ns;     /* default 10s */
	uint64_t settings_timeout_ns;    /* default 10s */
	uint64_t admin_idle_ns;          /* default 60s */
	uint32_t admin_event_streams;    /* default 16 */
	uint64_t admin_bytes;            /* pages that clients have not read; default 64MiB */
	uint64_t output_bytes;           /* waiting for each log or sample file; default 4MiB */
	uint64_t replay_bytes;           /* held a call until commit, for replays; default 64KiB */
};

struct config_sampling {
	uint64_t ring_bytes; /* of each worker; default 1MiB */
	char *file;          /* NULL = none */
	char **redact;       /* lower case; besides those that always are */
	uint32_t redact_count;
	struct sink *file_sink, *log_sink; /* set by whoever installs it, where a route asks */
};

enum { LOG_OPEN = 1, LOG_UPDATE = 2, LOG_CLOSE = 4 };

struct config_access_log {
	char *path;        /* NULL = no access log; "stderr" */
	uint64_t every_ns; /* default 60s; 0 = never */
	uint8_t events;    /* LOG_*; default all */
	struct sink *sink; /* set by whoever installs it */
};

struct config {
	_Atomic uint32_t refs;
	uint64_t generation; /* set by whoever installs it */
	char *file;
	char *text;       /* as read, for /config */
	uint32_t workers; /* default: online CPUs; 1..256 */
	struct config_address admin;
	bool has_admin; /* default 127.0.0.1:9901 */
	struct config_listener *listeners;
	uint32_t listener_count;
	struct config_route *routes;
	uint32_t route_count;
	struct config_cluster *clusters;
	uint32_t cluster_count;
	struct config_sampling sampling;
	struct config_access_log access_log;
	struct config_limits limits;
	uint64_t drain_grace_ns; /* default 30s */
	void *arena;             /* all strings and arrays */
};

/* refs = 1. NULL: `errors` has one line for each error, "FILE:LINE:COLUMN: ...\n". `file` names the
 * text in messages. */
struct config *config_parse(
	const char *file, const char *text, size_t len, struct buf *errors) MUST_USE;
struct config *config_load(const char *file, struct buf *errors) MUST_USE; /* reads, then parses */
struct config *config_ref(struct config *c);
void config_unref(struct config *c); /* NULL is fine */
#endif
