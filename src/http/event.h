/* event.h - what travels along a lane: the one in-transit form of every protocol.
 *
 * INFO* HEAD DATA* TRAILERS? then END, or RESET at any point. Each of HEAD, DATA, TRAILERS may
 * carry END, which closes its lane; RESET closes both. TRAILERS always carries END. After a 101 or
 * an accepted CONNECT, DATA is opaque.
 *
 * An event owns what it points to (fields, data): the one it is pushed to takes both. event_drop
 * releases an event that goes nowhere. */
#ifndef WEIR_HTTP_EVENT_H
#define WEIR_HTTP_EVENT_H
#include <stdbool.h>
#include <stdint.h>
#include "base/slice.h"
#include "http/fields.h"

enum event_kind {
	EVENT_INFO,     /* fields: a 1xx response head (:status 100-199 but not 101) */
	EVENT_HEAD,     /* fields: request or final response head */
	EVENT_DATA,     /* data: content bytes, maybe none */
	EVENT_TRAILERS, /* fields */
	EVENT_RESET,    /* code */
};

struct event {
	enum event_kind kind;
	uint32_t code; /* EVENT_RESET: an HTTP/2 error code (RFC 9113 section 7), kept end to end */
	/* The lane ends with this event. Not beside `kind`: gcc reads neighbours that are asked for
	 * together in one load, which waits for both of their stores (a seventh of a message's
	 * time). */
	bool end;
	struct fields *fields; /* owned */
	struct slice data;     /* owned */
};

void event_drop(struct event *ev); /* releases fields and data; ev is empty afterwards */
#endif
