#include "base/log.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/utf8.h"

#define LINE_BYTES 4096u /* a longer line is cut and ends in "..." */

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static _Atomic int min_level = LOG_INFO;
static _Atomic unsigned long long lost;
static void (*_Atomic sink_fn)(const char *line);

/* No heap: the line that says "out of memory" must come out too. */
struct line {
	char bytes[LINE_BYTES];
	size_t len;
	bool cut;
};

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&min_level, (int)level, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *out)
{
	for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_set_sink(void (*sink)(const char *line))
{
	atomic_store(&sink_fn, sink);
}

/* Whole or not at all, so that no escape or character is cut in two; room stays for "...\n" and a
 * NUL. */
static void add(struct line *l, const char *bytes, size_t len)
{
	if (l->cut || len > sizeof(l->bytes) - 5 - l->len) {
		l->cut = true;
		return;
	}
	memcpy(l->bytes + l->len, bytes, len);
	l->len += len;
}

/* C1 controls (U+0080 to U+009F) can drive a terminal as well as C0 can. */
static bool is_control(const uint8_t *s, unsigned n)
{
	return n == 0 || (n == 1 && (s[0] < 0x20 || s[0] == 0x7f)) ||
	       (n == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

static void add_escaped_bytes(struct line *l, const uint8_t *s, unsigned n)
{
	char hex[5];
	if (n == 1 && (*s == '\n' || *s == '\r' || *s == '\t')) {
		add(l, *s == '\n' ? "\\n" : *s == '\r' ? "\\r" : "\\t", 2);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		snprintf(hex, sizeof(hex), "\\x%02x", s[i]);
		add(l, hex, 4);
	}
}

static void add_text(struct line *l, const char *text, bool quoted)
{
	const uint8_t *s = (const uint8_t *)text;
	size_t len = strlen(text);
	while (len > 0) {
		unsigned n = utf8_char_bytes(s, len), step = n ? n : 1;
		if (is_control(s, n))
			add_escaped_bytes(l, s, step);
		else if (quoted && (*s == '"' || *s == '\\'))
			add(l, *s == '"' ? "\\\"" : "\\\\", 2);
		else
			add(l, (const char *)s, step);
		s += step;
		len -= step;
	}
}

static bool needs_quotes(const char *value)
{
	if (!*value || strcmp(value, "-") == 0)
		return true; /* "-" alone stands for NULL */
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || strchr("\"\\=", *c))
			return true;
	return false;
}

static void add_pair(struct line *l, const char *key, const char *value)
{
	add(l, " ", 1);
	add_text(l, key, false);
	add(l, "=", 1);
	if (!value) {
		add(l, "-", 1);
		return;
	}
	bool quoted = needs_quotes(value);
	if (quoted)
		add(l, "\"", 1);
	add_text(l, value, quoted);
	if (quoted)
		add(l, "\"", 1);
}

static void add_time(struct line *l)
{
	char text[CLOCK_TEXT_BYTES];
	clock_text(clock_wall_ns(), text);
	add(l, text, strlen(text));
	add(l, " ", 1);
}

unsigned long long log_lost(void)
{
	return atomic_load_explicit(&lost, memory_order_relaxed);
}

/* A pipe that poll finds writable takes PIPE_BUF bytes whole, so a line too. */
static bool stderr_is_full(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	return poll(&p, 1, 0) == 0;
}

static void write_line(struct line *l)
{
	if (l->cut) {
		memcpy(l->bytes + l->len, "...", 3);
		l->len += 3;
	}
	l->bytes[l->len] = '\0';
	void (*sink)(const char *) = atomic_load(&sink_fn);
	if (sink)
		sink(l->bytes);
	l->bytes[l->len++] = '\n';
	if (stderr_is_full()) {
		atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
		return;
	}
	/* One write a line, so that lines of several threads do not mix. */
	while (write(STDERR_FILENO, l->bytes, l->len) < 0 && errno == EINTR)
		;
}

void log_line(enum log_level level, const char *message, ...)
{
	if ((int)level < atomic_load_explicit(&min_level, memory_order_relaxed))
		return;
	int saved_errno = errno;
	struct line l;
	l.len = 0;
	l.cut = false;
	add_time(&l);
	add(&l, level_names[level], strlen(level_names[level]));
	add(&l, " ", 1);
	add_text(&l, message, false);
	va_list ap;
	va_start(ap, message);
	const char *key;
	while ((key = va_arg(ap, const char *)))
		add_pair(&l, key, va_arg(ap, const char *));
	va_end(ap);
	write_line(&l);
	errno = saved_errno;
}
