/* mailbox.h - the only cross-thread queue: many producers, one consumer, woken by an eventfd.
 *
 * mailbox_post is lock-free (Vyukov's MPSC list) and may be called by any thread; it writes the
 * eventfd only when the owner was not yet called. mailbox_run is for the owner. The order of one
 * producer is kept. A letter belongs to the box from post until it is opened; it is embedded in
 * whatever it carries. Producers are done before mailbox_fini. */
#ifndef WEIR_BASE_MAILBOX_H
#define WEIR_BASE_MAILBOX_H
#include <stdatomic.h>
#include "base/err.h"

struct letter {
	struct letter *_Atomic next;
	void (*open)(struct letter *l, void *owner); /* run by the consumer; may free l */
};
struct mailbox {
	struct letter *_Atomic head; /* producers push here */
	struct letter *tail;         /* consumer takes here */
	struct letter stub;
	atomic_bool signalled;
	int fd; /* eventfd: readable when there may be letters */
};
int mailbox_init(struct mailbox *b) MUST_USE; /* ERR_SYS */
void mailbox_fini(struct mailbox *b);         /* closes fd; asserts that the box is empty */
void mailbox_post(struct mailbox *b, struct letter *l);
/* Opens every letter that is there; called when fd is readable. Returns how many. One that is
 * posted to the same box meanwhile waits for the next run. */
unsigned mailbox_run(struct mailbox *b, void *owner);
#endif
