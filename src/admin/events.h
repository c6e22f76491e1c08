/* events.h - GET /events: what the dashboard shows, pushed as server-sent events
 * (text/event-stream, WHATWG HTML 9.2).
 *
 *   tick --ask--> the pages of introspect, once for all clients (streams: once for each query)
 *   tick <--json--            --> one event each:  id: 7
 *                                                  event: snapshot
 *                                                  data: {"health":{...},"routes":{...},...}
 *                                                  (null for a page that did not answer)
 *
 * An event stream is a call that never ends by itself: events_open takes it over from the page that
 * began it, as its terminus. A client gets a snapshot at each multiple of its interval, and only
 * when the one before has left for its socket: slow readers skip snapshots, and hold one at most.
 * One that takes nothing for limits.admin_idle is cut. A comment goes out when nothing else did for
 * EVENTS_QUIET_NS. events_end says `end` to all of them, and why.
 *
 * Owner: admin. Threads: control only. Errors: events_open's status; without memory a snapshot is
 * skipped. Limits: limits.admin_event_streams; EVENTS_ROWS_MAX rows of streams, so about 1 MB that
 * each client holds at most; one round of questions at a time. */
#ifndef WEIR_ADMIN_EVENTS_H
#define WEIR_ADMIN_EVENTS_H
#include "admin/admin.h"

#define EVENTS_TICK_MS         250u
#define EVENTS_INTERVAL_MAX_MS 60000u
#define EVENTS_ROWS_MAX        1000u
#define EVENTS_CLIENTS_MAX     64u
#define EVENTS_QUIET_NS        15000000000ull
#define EVENTS_RETRY_MS        2000u /* what clients are told to wait before they come again */

void events_init(const struct admin_hooks *hooks);
/* 0: the call's terminus is an event stream from now on, its head pushed. Else the HTTP status to
 * refuse it with: 400, 503; `why` has the text. Reads the query of c->path. `head` is taken in any
 * case. */
int events_open(struct call *c, struct fields *head, struct buf *why) MUST_USE;
void events_end(const char *reason); /* a last event for all of them: static text */
uint32_t events_clients(void);
#endif
