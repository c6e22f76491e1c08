#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { ESC_WAIT_MS = 50 }; /* for what follows an ESC, over a slow line */

/* A screen of our own, no cursor, no wrapping: should the terminal think a character wider than we
 * do, its line is cut and the next one stands where it should. */
static const char OPEN[] = "\033[?1049h\033[?25l\033[?7l\033[2J";
static const char CLOSE[] = "\033[0m\033[?7h\033[?25h\033[?1049l";

/* ---- keys ---- */

static void keys_drop(struct keys *k, size_t len)
{
	memmove(k->bytes, k->bytes + len, k->len - len);
	k->len -= len;
}

/* What ESC [ ... or ESC O ... means. */
static int sequence_key(const char *s, size_t len)
{
	static const struct {
		const char *text;
		int key;
	} known[] = {{"[A", KEY_UP}, {"[B", KEY_DOWN}, {"OA", KEY_UP}, {"OB", KEY_DOWN},
		{"[5~", KEY_PAGE_UP}, {"[6~", KEY_PAGE_DOWN}, {"[H", KEY_HOME}, {"[F", KEY_END},
		{"OH", KEY_HOME}, {"OF", KEY_END}, {"[1~", KEY_HOME}, {"[4~", KEY_END},
		{"[7~", KEY_HOME}, {"[8~", KEY_END}, {"[Z", KEY_BACKTAB}, {"OM", KEY_ENTER}};
	for (size_t i = 0; i < COUNT(known); i++)
		if (strlen(known[i].text) == len && !memcmp(known[i].text, s, len))
			return known[i].key;
	return KEY_OTHER;
}

/* The length of the sequence behind the ESC; 0: it is not complete. ECMA-48 section 5.4. */
static size_t sequence_len(const char *s, size_t len)
{
	if (len < 2)
		return 0;
	if (s[0] == 'O')
		return 2;
	for (size_t i = 1; i < len; i++)
		if (s[i] >= 0x40 && s[i] <= 0x7e)
			return i + 1;
		else if (s[i] < 0x20 || s[i] > 0x3f)
			return i; /* it breaks off */
	return 0;
}

int keys_next(struct keys *k, bool all)
{
	if (k->len == 0)
		return KEY_NONE;
	int key = (unsigned char)k->bytes[0];
	if (key == '\n')
		key = KEY_ENTER;
	else if (key == '\b')
		key = KEY_BACKSPACE;
	if (key != KEY_ESC || (k->len > 1 && k->bytes[1] != '[' && k->bytes[1] != 'O')) {
		keys_drop(k, 1);
		return key;
	}
	size_t len = k->len > 1 ? sequence_len(k->bytes + 1, k->len - 1) : 0;
	if (!len && !all && k->len < KEYS_MAX_BYTES)
		return KEY_NONE;
	if (!len) { /* nothing more comes: whoever typed ESC meant it */
		bool alone = k->len == 1;
		k->len = 0;
		return alone ? KEY_ESC : KEY_OTHER;
	}
	key = sequence_key(k->bytes + 1, len);
	keys_drop(k, 1 + len);
	return key;
}

/* ---- the terminal as it was ---- */

static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static struct screen *on_fatal; /* the one that is open */

static void restore(const struct screen *s)
{
	/* Nothing can be done about a terminal that is gone. */
	if (write(STDOUT_FILENO, CLOSE, sizeof(CLOSE) - 1) < 0)
		errno = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &s->saved);
}

/* Only calls that are safe in a handler. The signal comes again, and finds its default action. */
static void die(int number)
{
	if (on_fatal)
		restore(on_fatal);
	raise(number);
}

static void watch_fatal(bool on)
{
	struct sigaction act = {.sa_flags = (int)SA_RESETHAND};
	act.sa_handler = on ? die : SIG_DFL;
	for (size_t i = 0; i < COUNT(fatal); i++)
		sigaction(fatal[i], &act, NULL);
}

static bool enter(struct screen *s)
{
	struct termios raw = s->saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0 &&
	       write(STDOUT_FILENO, OPEN, sizeof(OPEN) - 1) == (ssize_t)sizeof(OPEN) - 1;
}

static void signals_wanted(sigset_t *set)
{
	static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
	sigemptyset(set);
	for (size_t i = 0; i < COUNT(wanted); i++)
		sigaddset(set, wanted[i]);
}

static bool open_descriptors(struct screen *s)
{
	sigset_t set;
	struct epoll_event ev = {.events = EPOLLIN};
	signals_wanted(&set);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->wait = epoll_create1(EPOLL_CLOEXEC);
	ev.data.fd = STDIN_FILENO;
	if (s->signals < 0 || s->wait < 0 || epoll_ctl(s->wait, EPOLL_CTL_ADD, STDIN_FILENO, &ev))
		return false;
	ev.data.fd = s->signals;
	return epoll_ctl(s->wait, EPOLL_CTL_ADD, s->signals, &ev) == 0;
}

static void close_descriptors(struct screen *s)
{
	if (s->signals >= 0)
		close(s->signals);
	if (s->wait >= 0)
		close(s->wait);
}

int screen_open(struct screen *s, char why[SCREEN_WHY_MAX])
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	sigset_t set;
	*s = (struct screen){.signals = -1, .wait = -1};
	buf_init(&s->out);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !term || !*term ||
		!strcmp(term, "dumb")) {
		snprintf(why, SCREEN_WHY_MAX, "%s: --once prints a table, --json a document",
			isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)
				? "this terminal cannot be drawn on (TERM)"
				: "needs a terminal");
		return ERR_INVALID;
	}
	s->colours = no_color && *no_color ? TEXT_MONOCHROME : TEXT_COLOURS;
	signals_wanted(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (tcgetattr(STDIN_FILENO, &s->saved) || !open_descriptors(s)) {
		snprintf(why, SCREEN_WHY_MAX, "the terminal: %s", strerror(errno));
		close_descriptors(s);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		return ERR_SYS;
	}
	s->open = true;
	on_fatal = s;
	watch_fatal(true);
	if (!enter(s)) {
		snprintf(why, SCREEN_WHY_MAX, "the terminal: %s", strerror(errno));
		screen_close(s);
		return ERR_SYS;
	}
	return ERR_NONE;
}

void screen_close(struct screen *s)
{
	sigset_t set;
	if (!s->open)
		return;
	restore(s);
	watch_fatal(false);
	on_fatal = NULL;
	close_descriptors(s);
	signals_wanted(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	buf_fini(&s->out);
	s->open = false;
}

/* ---- what is on it ---- */

void screen_size(unsigned *columns, unsigned *lines)
{
	struct winsize size;
	*columns = 80;
	*lines = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
		*columns = size.ws_col;
		*lines = size.ws_row;
	}
}

static int write_all(const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, len);
		if (n < 0 && errno != EINTR)
			return ERR_SYS;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return ERR_NONE;
}

int screen_draw(struct screen *s, const char *frame, size_t len)
{
	unsigned columns, lines;
	screen_size(&columns, &lines);
	buf_clear(&s->out);
	buf_str(&s->out, "\033[H");
	for (unsigned n = 0; len > 0 && n < lines; n++) {
		const char *end = memchr(frame, '\n', len);
		size_t line = end ? (size_t)(end - frame) : len;
		/* Erased before it is written: behind its last column that would take a character.
		 */
		buf_str(&s->out, n ? "\r\n\033[K" : "\033[K");
		text_line(&s->out, frame, line, columns, s->colours);
		line += end != NULL;
		frame += line;
		len -= line;
	}
	buf_str(&s->out, "\033[J");
	return s->out.failed ? ERR_NOMEM : write_all(s->out.bytes, s->out.len);
}

/* ---- what comes from it ---- */

/* Ctrl-Z: the shell gets its terminal, and we get ours back when it lets us go on. */
static int suspend(struct screen *s)
{
	restore(s);
	raise(SIGSTOP);
	return enter(s) ? KEY_RESIZE : KEY_STOP;
}

static int take_signal(struct screen *s)
{
	struct signalfd_siginfo info;
	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return KEY_NONE;
	if (info.ssi_signo == SIGWINCH)
		return KEY_RESIZE;
	return info.ssi_signo == SIGTSTP ? suspend(s) : KEY_STOP;
}

/* True when there is more to read keys from. */
static bool wait_input(const struct screen *s, int timeout_ms, bool *signal_came, bool *gone)
{
	struct pollfd p[2] = {
		{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = s->signals, .events = POLLIN}};
	*signal_came = *gone = false;
	if (poll(p, 2, timeout_ms) <= 0)
		return false;
	*signal_came = (p[1].revents & POLLIN) != 0;
	*gone = !(p[0].revents & POLLIN) && (p[0].revents & (POLLHUP | POLLERR | POLLNVAL));
	return (p[0].revents & POLLIN) != 0;
}

int screen_key(struct screen *s, int timeout_ms)
{
	struct keys *k = &s->keys;
	bool signal_came, gone;
	int key = keys_next(k, false);
	while (!key) {
		/* The rest of half a sequence is on its way, or it is a key of its own. */
		bool half = k->len > 0;
		bool input = wait_input(s, half ? ESC_WAIT_MS : timeout_ms, &signal_came, &gone);
		if (signal_came)
			return take_signal(s);
		if (gone)
			return KEY_STOP;
		if (!input)
			return half ? keys_next(k, true) : KEY_NONE;
		ssize_t n = read(STDIN_FILENO, k->bytes + k->len, KEYS_MAX_BYTES - k->len);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return KEY_STOP;
		k->len += n > 0 ? (size_t)n : 0;
		key = keys_next(k, false);
		if (!k->len)
			return key;
	}
	return key;
}
