/* load.c - the benchmarks' load: gRPC over HTTP/2 without TLS, both ends, every message checked.
 *
 *   bench_load server PORT
 *   bench_load client WORK PORT [--conns N] [--streams N] [--size BYTES] [--warm MS] [--run MS]
 *                     [--messages N] [--rate N] [--stall N] [--watch PID,...] [--patience S]
 *
 *   unary         calls of one message there and one back, --streams at a time on each connection
 *   echo          streams; a message there, the same back, then the next (ping-pong)
 *   server_flood  streams; the server sends as fast as it is read
 *   bidi_flood    streams; both do
 *   connect       connect, one unary call, close: --conns x --streams at a time
 *   idle          opens the streams, each answered once, prints "holding", and ends them when
 *                 something (or the end) comes on stdin
 *   parked        the same with connections that had one call each and have none now
 *
 * The client prints one line of JSON: messages (calls, for unary and connect; both directions, for
 * echo and bidi_flood), seconds, CPU seconds of the processes named by --watch, latencies. Warm-up
 * and measurement last --warm and --run; with --messages it runs until so many were counted
 * instead. With --rate, unary, echo and connect offer so many calls (echo: messages there) a
 * second, come what may, and latency counts from the moment at which each was due. Exit status: 0,
 * or 1 when anything was lost, changed, reset or refused, with a line on stderr. */
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "message.h"

static const char *const works[WORK_COUNT] = {
	[WORK_UNARY] = "unary",
	[WORK_ECHO] = "echo",
	[WORK_SERVER_FLOOD] = "server_flood",
	[WORK_BIDI_FLOOD] = "bidi_flood",
	[WORK_CONNECT] = "connect",
	[WORK_IDLE] = "idle",
	[WORK_PARKED] = "parked",
};

static int usage(void)
{
	fputs("usage: bench_load server PORT\n"
	      "       bench_load client WORK PORT [--conns N] [--streams N] [--size BYTES] [--warm "
	      "MS]\n"
	      "                  [--run MS] [--messages N] [--rate N] [--stall N] [--watch "
	      "PID,...]\n"
	      "                  [--patience S]\n"
	      "WORK: unary echo server_flood bidi_flood connect idle parked\n",
		stderr);
	return 2;
}

static bool set_watch(struct load_options *o, char *list)
{
	for (char *p = strtok(list, ","); p; p = strtok(NULL, ",")) {
		if (o->watched == WATCH_MAX)
			return false;
		o->watch[o->watched++] = atoi(p);
	}
	return o->watched > 0;
}

static bool set_option(struct load_options *o, const char *name, char *value)
{
	unsigned n = (unsigned)strtoul(value, NULL, 10);
	if (!strcmp(name, "--watch"))
		return set_watch(o, value);
	if (!strcmp(name, "--conns"))
		o->conns = n;
	else if (!strcmp(name, "--streams"))
		o->streams = n;
	else if (!strcmp(name, "--size"))
		o->size = n;
	else if (!strcmp(name, "--warm"))
		o->warm_ms = n;
	else if (!strcmp(name, "--run"))
		o->run_ms = n;
	else if (!strcmp(name, "--messages"))
		o->messages = n;
	else if (!strcmp(name, "--rate"))
		o->rate = n;
	else if (!strcmp(name, "--stall"))
		o->stall = n;
	else if (!strcmp(name, "--patience"))
		o->patience_s = n;
	else
		return false;
	return true;
}

static bool parse(struct load_options *o, int argc, char **argv)
{
	unsigned work = 0;
	while (work < WORK_COUNT && strcmp(argv[2], works[work]) != 0)
		work++;
	if (work == WORK_COUNT)
		return false;
	o->work = work;
	o->work_name = works[work];
	o->port = (unsigned)atoi(argv[3]);
	for (int i = 4; i < argc; i += 2) {
		if (i + 1 == argc || !set_option(o, argv[i], argv[i + 1]))
			return false;
	}
	return o->size >= MESSAGE_MIN && o->size <= MESSAGE_MAX && o->conns > 0 &&
	       (o->streams > 0 || work == WORK_IDLE) &&
	       (!o->rate || work == WORK_UNARY || work == WORK_ECHO || work == WORK_CONNECT);
}

int main(int argc, char **argv)
{
	struct load_options o = {.conns = 1,
		.streams = 1,
		.size = 128,
		.warm_ms = 200,
		.run_ms = 1000,
		.patience_s = 60};
	if (argc == 3 && !strcmp(argv[1], "server"))
		return server_main((unsigned)atoi(argv[2]));
	if (argc < 4 || strcmp(argv[1], "client") != 0 || !parse(&o, argc, argv))
		return usage();
	return client_main(&o);
}
