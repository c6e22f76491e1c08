/* view_connections.c - /connections: both sides' connections, what they carried and where they
 * wait. */
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include "base/assert.h"
#include "base/clock.h"
#include "net/sock.h"
#include "proxy/front.h"
#include "proxy/link.h"
#include "proxy/view.h"

#define NONE UINT64_MAX

/* ---- the query ---- */

enum sort { SORT_OLDEST, SORT_BUSIEST, SORT_IDLE, SORT_REUSED };
static const char *const sorts[] = {"oldest", "busiest", "idle", "reused", NULL};
enum side { SIDE_DOWNSTREAM, SIDE_UPSTREAM };
static const char *const sides[] = {"downstream", "upstream", NULL};
static const char *const yes_no[] = {"0", "1", NULL};

enum { SIDE = VIEW_OWN_KEYS, NAME, ID, PING };
static const struct query_key keys[] = {
	[VIEW_SORT] = {"sort", QUERY_CHOICE, sorts, 0, 0, SORT_OLDEST},
	[VIEW_LIMIT] = VIEW_LIMIT_KEY,
	[SIDE] = {"side", QUERY_CHOICE, sides, 0, 0, 0},
	[NAME] = {"name", QUERY_TEXT, NULL, 0, 0, 0},
	[ID] = {"id", QUERY_ID, NULL, 0, 0, 0},
	[PING] = {"ping", QUERY_CHOICE, yes_no, 0, 0, 0},
	{NULL, QUERY_TEXT, NULL, 0, 0, 0},
};

/* ---- a row ---- */

enum text { T_NAME, T_PEER, T_LOCAL, TEXTS };

struct connection_row {
	struct ranked ranked; /* its id is the row's */
	enum side side;
	int fd;
	const char *protocol, *state, *waits; /* static */
	uint64_t opened_ns, moved_ns, calls, bytes_in, bytes_out, unwritten_bytes;
	uint64_t unsent_bytes, tcp_rtt_ns; /* the kernel's; or NONE */
	uint64_t ping_ns, ping_sent_ns;    /* or NONE */
	uint32_t streams;
	const char *texts[TEXTS];
};

static const struct link *link_of(const struct h2io *io)
{
	return link_is(io) ? CONTAINER_OF(io, const struct link, io) : NULL;
}

static const struct front *front_of(const struct h2io *io)
{
	return CONTAINER_OF(io, const struct front, io);
}

static const char *protocol_of(const struct h2io *io)
{
	return io->h2 ? "h2" : !link_is(io) && front_of(io)->http1 ? "http1" : "unknown";
}

static const char *state_of(const struct h2io *io)
{
	const struct link *l = link_of(io);
	if (io->finishing || (l && l->state == LINK_CLOSING))
		return "closing";
	if (l)
		return l->state == LINK_CONNECTING ? "connecting" : "open";
	return front_of(io)->draining ? "draining" : "open";
}

static uint32_t streams_of(const struct h2io *io)
{
	return io->h2 ? h2_conn_open_streams(io->h2) : 0;
}

/* The first that holds of what can keep a connection from moving. */
static const char *waits_of(const struct h2io *io)
{
	const struct link *l = link_of(io);
	if (l && l->state == LINK_CONNECTING)
		return "connect";
	if (!io->h2)
		return !l && front_of(io)->http1 ? "peer" : "preface";
	if (!io->writable && h2_conn_unwritten(io->h2))
		return "socket";
	if (h2_conn_window_blocked(io->h2))
		return "peer_connection_window";
	if (!list_empty(&io->again))
		return "turn"; /* it has used up its share of this one */
	return streams_of(io) ? "peer" : "idle";
}

static bool matches(const struct h2io *io, const struct view_part *p)
{
	const struct query *q = p->query;
	if (q->given[ID] && q->number[ID] != query_id(p->worker->index, io->id))
		return false;
	if (q->given[SIDE] && (q->number[SIDE] == SIDE_UPSTREAM) != link_is(io))
		return false;
	return !q->given[NAME] || !strcmp(query_text(q, NAME), io->name);
}

static void rank(const struct h2io *io, enum sort sort, uint64_t rank[2])
{
	rank[1] = view_earlier(io->opened_ns);
	switch (sort) {
	case SORT_OLDEST:
		rank[0] = view_earlier(io->opened_ns);
		return;
	case SORT_BUSIEST:
		rank[0] = streams_of(io);
		rank[1] = io->bytes_in + io->bytes_out;
		return;
	case SORT_IDLE:
		rank[0] = view_earlier(io->moved_ns);
		return;
	case SORT_REUSED:
		rank[0] = io->calls;
		return;
	}
	UNREACHABLE();
}

/* What the kernel knows of it. */
static void fill_socket(const struct h2io *io, struct connection_row *row)
{
	int unsent;
	struct tcp_info info;
	socklen_t len = sizeof(info);
	row->unsent_bytes = row->tcp_rtt_ns = NONE;
	if (ioctl(io->watch.fd, SIOCOUTQ, &unsent) == 0)
		row->unsent_bytes = (uint64_t)unsent;
	if (getsockopt(io->watch.fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_rtt)
		row->tcp_rtt_ns = info.tcpi_rtt * 1000ull;
}

static void fill(const struct h2io *io, struct connection_row *row)
{
	row->side = link_is(io) ? SIDE_UPSTREAM : SIDE_DOWNSTREAM;
	row->fd = io->watch.fd;
	row->protocol = protocol_of(io);
	row->state = state_of(io);
	row->waits = waits_of(io);
	row->opened_ns = io->opened_ns;
	row->moved_ns = io->moved_ns;
	row->calls = io->calls;
	row->streams = streams_of(io);
	row->bytes_in = io->bytes_in;
	row->bytes_out = io->bytes_out;
	row->unwritten_bytes = io->h2 ? h2_conn_unwritten(io->h2) : 0;
	row->ping_ns = io->ping_ns ? io->ping_ns : NONE;
	row->ping_sent_ns = io->pinging ? io->ping_sent_ns : NONE;
	fill_socket(io, row);
}

static void visit(struct h2io *io, void *part)
{
	struct view_part *p = part;
	struct connection_row row = {.ranked.id = query_id(p->worker->index, io->id)};
	if (!matches(io, p))
		return;
	rank(io, (enum sort)p->query->number[VIEW_SORT], row.ranked.rank);
	if (!best_counts(&p->best, &row.ranked))
		return;
	if (p->query->number[PING])
		h2io_ping(io);
	char local[SOCK_TEXT_MAX];
	if (sock_local_text(io->watch.fd, local, sizeof(local)) != 0)
		local[0] = '\0';
	fill(io, &row);
	row.texts[T_NAME] = io->name;
	row.texts[T_PEER] = link_is(io) ? link_of(io)->endpoint->address : front_of(io)->peer;
	row.texts[T_LOCAL] = local;
	best_keep(&p->best,
		view_row(&row, sizeof(row), offsetof(struct connection_row, texts), TEXTS));
}

/* ---- JSON ---- */

static void write_ms(struct jsonw *j, const char *key, uint64_t ns)
{
	if (ns == NONE)
		jsonw_null(j, key);
	else
		jsonw_milli(j, key, ns / 1000);
}

static void write_row(struct jsonw *j, const struct ranked *ranked, uint64_t now_ns)
{
	const struct connection_row *r = (const void *)ranked;
	jsonw_object(j, NULL);
	view_write_id(j, "id", ranked->id);
	jsonw_str(j, "side", sides[r->side]);
	jsonw_str(j, "name", r->texts[T_NAME]);
	jsonw_str(j, "peer", r->texts[T_PEER]);
	jsonw_str(j, "local", r->texts[T_LOCAL]);
	jsonw_i64(j, "fd", r->fd);
	jsonw_str(j, "protocol", r->protocol);
	jsonw_str(j, "state", r->state);
	jsonw_str(j, "waits", r->waits);
	jsonw_u64(j, "age_ms", view_since(now_ns, r->opened_ns) / NS_PER_MS);
	jsonw_u64(j, "idle_ms", view_since(now_ns, r->moved_ns) / NS_PER_MS);
	jsonw_u64(j, "streams", r->streams);
	jsonw_u64(j, "streams_total", r->calls);
	jsonw_u64(j, "bytes_in", r->bytes_in);
	jsonw_u64(j, "bytes_out", r->bytes_out);
	jsonw_u64(j, "unwritten_bytes", r->unwritten_bytes);
	if (r->unsent_bytes == NONE)
		jsonw_null(j, "socket_unsent_bytes");
	else
		jsonw_u64(j, "socket_unsent_bytes", r->unsent_bytes);
	write_ms(j, "tcp_rtt_ms", r->tcp_rtt_ns);
	write_ms(j, "ping_ms", r->ping_ns);
	write_ms(j, "ping_waits_ms",
		r->ping_sent_ns == NONE ? NONE : view_since(now_ns, r->ping_sent_ns));
	jsonw_end(j);
}

static const struct view_rows rows = {
	.name = "connections",
	.visit_connection = visit,
	.write = write_row,
};

static void ask(
	void *arg, const struct query *query, void (*done)(void *ctx, struct buf *json), void *ctx)
{
	view_ask_rows(arg, &rows, query, done, ctx);
}

const struct introspect_page view_connections = {
	.path = "/connections",
	.title = "connections of both sides: ages, streams, round trips, where they wait (JSON)",
	.keys = keys,
	.ask = ask,
};
