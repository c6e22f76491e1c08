/* known.h - request heads that come again and again: what a call takes from one, found once.
 *
 *   generation -> run of fields (http/run.h) -> method, path, service ... as texts
 *                                            -> route and cluster, where nothing else decides them
 *                                            -> the method's series (labels.h)
 *
 * What it does: remembers by the run's address, for heads whose run has all that a call asks of its
 * head. What it does not: decide anything; whoever found something out leaves it here. A call holds
 * its known head, whose texts it borrows, to its end.
 * Owner: a worker's generation, and calls by reference. Threads: its worker's. Memory: at most
 * KNOWN_MAX heads a generation, and those of calls that are not over. Errors: NULL is no error. */
#ifndef WEIR_CALL_KNOWN_H
#define WEIR_CALL_KNOWN_H
#include "call/call.h"
#include "grpc/frame.h"

struct call_known {
	struct fields_run *run;
	uint32_t refs;
	bool usable; /* else only the run is remembered: it does not have everything */
	bool is_grpc, is_head, is_connect;
	uint8_t wire; /* enum grpc_wire; 0: not known, or none */
	bool routed;  /* the next two hold for every call */
	const struct config_route *route;
	const struct config_cluster *cluster;
	struct call_said said;      /* the run's texts, and `texts` */
	struct call_labels *labels; /* whose `series` is of this path; NULL: not looked up yet */
	struct method_labels *series;
	char texts[]; /* service and method */
};

/* With a reference for the caller; NULL: nothing is known, and the head must be read. */
struct call_known *known_find(struct call_generation *g, const struct fields *head);
void known_unref(struct call_known *k);               /* NULL is fine */
bool known_is_grpc(const struct field *content_type); /* NULL: false */
/* Of the request, whose head is `head`: every stage asks here, and a known head is read once. */
enum grpc_wire known_wire(const struct call *c, const struct fields *head);
/* Forgets all but what calls hold; the generation is going. */
void known_fini(struct call_generation *g);
#endif
