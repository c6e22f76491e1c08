/* accesslog.h - the filter that writes about streams: a line of JSON when one opens, each
 * access_log.every while it is open, and when it has ended; and one about a stream that was refused
 * before it was a call.
 *
 *   {"time":"2026-11-21T23:31:38.123Z","event":"close","id":"0-7","listener":"in",...}\n
 *
 * What it does: notes what only passes by (trace id, user agent, when the response began), and puts
 * it with what the call knows into one record for a sink. What it does not: count (count.c does,
 * and stands behind it, so a response has been counted when it comes here); wait for anything; see
 * calls when the log is off, or their route says so. Every key is in docs/reference.md.
 *
 * When: update lines are due from half to a whole `every` after a stream began, at random, then
 * each `every`, so that those of streams which began together do not come together. Looked after at
 * the worker's watch of calls, about once a second or a quarter of `every`.
 *
 * Owner: the call. Threads: its worker's. Errors: a line that cannot be kept is dropped and counted
 * by the sink. Limits: ACCESS_LOG_LINE_BYTES, and texts of peers in it by ACCESS_LOG_*_BYTES, as
 * they stand in the line; what is longer is cut and ends in "...". */
#ifndef WEIR_FILTER_ACCESSLOG_H
#define WEIR_FILTER_ACCESSLOG_H
#include "call/call.h"

#define ACCESS_LOG_LINE_BYTES   4096u /* PIPE_BUF: what gets into a pipe in one piece */
#define ACCESS_LOG_PATH_BYTES   768u
#define ACCESS_LOG_TEXT_BYTES   256u /* authority, user agent, detail */
#define ACCESS_LOG_NAME_BYTES   192u /* service, method */
#define ACCESS_LOG_METHOD_BYTES 32u

extern const struct call_filter filter_accesslog;

/* A request that became no call, and so has no route and no id: REFUSED_STREAM and its like. */
struct accesslog_refusal {
	const char *listener, *client;
	const char *reason, *detail; /* detail: NULL = none */
	const struct fields *head;   /* NULL: not known */
	uint32_t h2_code;            /* of the RST_STREAM; 0 = http_status was the answer */
	uint16_t http_status;
};
/* Its close line, when `log` is on and has such lines. */
void accesslog_refused(struct call_env *env, const struct config_access_log *log,
	const struct accesslog_refusal *why);
#endif
