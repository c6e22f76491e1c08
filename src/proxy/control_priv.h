/* control_priv.h - the control thread, as its own files see it: control.c, hooks.c and the views.
 */
#ifndef WEIR_PROXY_CONTROL_PRIV_H
#define WEIR_PROXY_CONTROL_PRIV_H
#include <signal.h>
#include "base/mailbox.h"
#include "net/loop.h"
#include "proxy/control.h"
#include "proxy/gather.h"
#include "proxy/outputs.h"
#include "proxy/worker.h"

/* From a worker's thread as its last act. */
struct worker_end {
	struct letter letter;
	bool over;
};

struct control {
	struct worker *worker; /* the control thread's own */
	struct worker **workers;
	uint32_t worker_count, started, running;
	_Atomic uint32_t installed; /* workers that took the first configuration */
	struct shared *shared;
	struct metrics *metrics;
	struct sinks *sinks;
	struct config *config;
	struct listener **listeners; /* one reference each */
	uint32_t listener_count;
	char *file;
	struct watch signals;
	bool draining;
	void (*last_words)(void);
	struct worker_end *ends; /* one for each worker */
	struct gather_home gathers;
};

/* Asks every worker; the answer is there after half a second at the latest. ERR_LIMIT, ERR_NOMEM.
 */
int control_gather(struct control *c, const struct gather_ops *ops, void *question) MUST_USE;
#endif
