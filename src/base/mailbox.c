#include "base/mailbox.h"
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/assert.h"

int mailbox_init(struct mailbox *b)
{
	atomic_init(&b->stub.next, NULL);
	b->stub.open = NULL;
	atomic_init(&b->head, &b->stub);
	b->tail = &b->stub;
	atomic_init(&b->signalled, false);
	b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return b->fd < 0 ? ERR_SYS : 0;
}

void mailbox_fini(struct mailbox *b)
{
	ASSERT(b->tail == &b->stub && atomic_load(&b->head) == &b->stub);
	close(b->fd);
	b->fd = -1;
}

static void push(struct mailbox *b, struct letter *l)
{
	atomic_store_explicit(&l->next, NULL, memory_order_relaxed);
	struct letter *before = atomic_exchange_explicit(&b->head, l, memory_order_acq_rel);
	/* Until this store the chain is cut behind `before`: pop then answers "nothing", and the
	 * signal that follows wakes the consumer again. */
	atomic_store_explicit(&before->next, l, memory_order_release);
}

static struct letter *next_of(struct letter *l)
{
	return atomic_load_explicit(&l->next, memory_order_acquire);
}

/* The oldest letter, or NULL when there is none whose successor is linked. A letter leaves only
 * when another (maybe the stub) stands behind it, so a producer never writes to a letter that is
 * gone. */
static struct letter *pop(struct mailbox *b)
{
	struct letter *tail = b->tail, *next = next_of(tail);
	if (tail == &b->stub) {
		if (!next)
			return NULL;
		b->tail = tail = next;
		next = next_of(tail);
	}
	if (!next) {
		if (tail != atomic_load_explicit(&b->head, memory_order_acquire))
			return NULL;
		push(b, &b->stub);
		next = next_of(tail);
		if (!next)
			return NULL;
	}
	b->tail = next;
	return tail;
}

void mailbox_post(struct mailbox *b, struct letter *l)
{
	push(b, l);
	if (atomic_exchange_explicit(&b->signalled, true, memory_order_acq_rel))
		return;
	uint64_t one = 1;
	while (write(b->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

unsigned mailbox_run(struct mailbox *b, void *owner)
{
	uint64_t count;
	while (read(b->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	/* Empty the eventfd first, then clear the flag, then look: whoever found the flag set
	 * pushed before this exchange and is seen below; whoever finds it clear writes the eventfd
	 * again. */
	atomic_exchange_explicit(&b->signalled, false, memory_order_acq_rel);

	/* Take all, then open: a letter that posts to this box waits for the next turn. */
	struct letter *first = NULL, *last = NULL, *l;
	while ((l = pop(b))) {
		atomic_store_explicit(&l->next, NULL, memory_order_relaxed);
		if (last)
			atomic_store_explicit(&last->next, l, memory_order_relaxed);
		else
			first = l;
		last = l;
	}
	unsigned opened = 0;
	for (l = first; l; opened++) {
		struct letter *next = atomic_load_explicit(&l->next, memory_order_relaxed);
		l->open(l, owner);
		l = next;
	}
	return opened;
}
