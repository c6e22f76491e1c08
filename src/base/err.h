/* err.h - what a function answers when the world, not the program, is at fault.
 *
 * 0 is success; errors are negative and MUST_USE makes the compiler insist on a look. A function
 * that returns a count returns it as a non-negative int or ssize_t. */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#define MUST_USE __attribute__((warn_unused_result))

enum err {
	ERR_NONE = 0,
	ERR_NOMEM = -1,    /* an allocation failed: refuse the newest work */
	ERR_AGAIN = -2,    /* would block */
	ERR_CLOSED = -3,   /* the peer closed in order */
	ERR_RESET = -4,    /* the peer or the network aborted */
	ERR_LIMIT = -5,    /* a named limit was reached */
	ERR_PROTOCOL = -6, /* the peer broke the protocol */
	ERR_INVALID = -7,  /* input (configuration, argument) is not acceptable */
	ERR_NOT_FOUND = -8,
	ERR_SYS = -9, /* a system call failed: errno has why */
};

const char *err_name(int err); /* "out of memory", ...; never NULL */
#endif
