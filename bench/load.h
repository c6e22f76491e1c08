/* load.h - what the two mains of the load generator share: see load.c for the words. */
#ifndef WEIR_BENCH_LOAD_H
#define WEIR_BENCH_LOAD_H
#include <stdbool.h>
#include <stdint.h>

#define WATCH_MAX 16

enum work {
	WORK_UNARY,
	WORK_ECHO,
	WORK_SERVER_FLOOD,
	WORK_BIDI_FLOOD,
	WORK_CONNECT,
	WORK_IDLE, /* this and what follows hold still until they are told to end */
	WORK_PARKED,
	WORK_COUNT,
};

struct load_options {
	enum work work;
	const char *work_name;
	unsigned port, conns, streams; /* streams of each connection */
	unsigned size;                 /* payload bytes */
	unsigned stall;                /* so many streams of each connection get no credit */
	unsigned warm_ms, run_ms;
	uint64_t messages;    /* instead of warm_ms and run_ms: stop after so many */
	uint64_t rate;        /* messages a second, offered in all; 0: as fast as answers come */
	unsigned patience_s;  /* then it is over, with an error */
	int watch[WATCH_MAX]; /* processes whose CPU time is reported */
	int watched;
};

int server_main(unsigned port);
int client_main(const struct load_options *o);
#endif
