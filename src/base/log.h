/* log.h - the program's own log: one line a fact, on stderr.
 *
 *   2026-11-21T23:31:38.123Z warn upstream connect refused cluster=chat endpoint=127.0.0.1:9000
 *
 * Format: time (UTC, ms), level, a sentence, then key=value pairs (values with spaces are quoted,
 * control characters escaped). One write(2) a line, and none into a pipe that is full: then the
 * line is lost and counted, as no worker may wait for whoever reads. Not for the data path: see the
 * access log.
 * Threads: any. Level: process-wide, set once at start or on reload (relaxed atomic). */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H
#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level level); /* default LOG_INFO */
bool log_level_parse(const char *name, enum log_level *out);
/* kv pairs: key, value (both const char *; a NULL value is printed as -), ended by NULL. */
void log_line(enum log_level level, const char *message, ...) __attribute__((sentinel));
unsigned long long log_lost(void); /* lines, since the start */
/* Every line also goes to this function when it is set (tests). */
void log_set_sink(void (*sink)(const char *line));
#endif
