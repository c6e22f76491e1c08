/* screen.h - the terminal: a screen of our own, drawn as a whole, and keys.
 *
 * Plain ANSI sequences and termios, no curses: we redraw a few KB once a second, so there is
 * nothing to optimise; a frame is text that tests can read; everything goes through one gate
 * (text_line), which lets no control character of a peer through; and a signal finds no library's
 * state to save. The sequences used are those that every terminal of the last decades knows
 * (ECMA-48, and xterm's alternate screen); TERM=dumb is refused.
 *
 * What it does: opens and restores the terminal, also when the program is stopped (Ctrl-Z), ended
 * by a signal, or breaks an assertion. Reads keys and signals in one place: while it is open,
 * SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP and SIGWINCH are events, and interrupt nothing. What it
 * does not: know what is drawn.
 *
 * Owner: top; one at a time. Threads: the main one, alone. Errors: negative enum err, and why. */
#ifndef WEIR_CLI_SCREEN_H
#define WEIR_CLI_SCREEN_H
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>
#include "base/buf.h"
#include "base/err.h"
#include "cli/text.h"

/* Keys are bytes; what is none is above them. */
enum screen_key {
	KEY_NONE = 0,
	KEY_TAB = '\t',
	KEY_ENTER = '\r',
	KEY_ESC = 0x1b,
	KEY_BACKSPACE = 0x7f,
	KEY_UP = 0x100,
	KEY_DOWN,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_HOME,
	KEY_END,
	KEY_BACKTAB,
	KEY_OTHER,  /* an escape sequence that means nothing here */
	KEY_RESIZE, /* not a key: the window has another size */
	KEY_STOP,   /* not a key: the terminal is gone, or somebody wants us to end */
};

#define KEYS_MAX_BYTES 64
struct keys {
	char bytes[KEYS_MAX_BYTES];
	size_t len;
};
/* The next of what was typed. KEY_NONE: nothing is there, or an escape sequence that may go on;
 * with `all` nothing more comes, and a lone ESC is KEY_ESC. */
int keys_next(struct keys *k, bool all);

struct screen {
	bool open;
	enum text_colours colours;
	struct termios saved;
	int signals, wait; /* descriptors: of signals; of those and stdin */
	struct keys keys;
	struct buf out;
};
#define SCREEN_WHY_MAX 128

int screen_open(struct screen *s, char why[SCREEN_WHY_MAX]) MUST_USE;
void screen_close(struct screen *s);
void screen_size(unsigned *columns, unsigned *lines);
/* Lines with styles (text.h), each ended by '\n'; those beyond the window are left out. */
int screen_draw(struct screen *s, const char *frame, size_t len) MUST_USE;
/* The next key, or KEY_NONE after `timeout_ms`. */
int screen_key(struct screen *s, int timeout_ms);
#endif
