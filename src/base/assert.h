/* assert.h - invariants that stay on in release.
 *
 * ASSERT is for memory safety: a broken one prints where and aborts. DEBUG_ASSERT is for the books
 * that are too dear to check on every turn: on in debug builds only. Protocol-state invariants use
 * neither: they end their connection and count in weir_bugs_total. */
#ifndef WEIR_BASE_ASSERT_H
#define WEIR_BASE_ASSERT_H

/* What ends a call or a connection, and whatever leads there, is laid out behind what does not: the
 * code of an ordinary message lies close together. */
#define COLD __attribute__((cold))

_Noreturn COLD void assert_failed(const char *what, const char *file, int line);

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define ASSERT(cond)  (LIKELY(cond) ? (void)0 : assert_failed(#cond, __FILE__, __LINE__))
#define UNREACHABLE() assert_failed("unreachable", __FILE__, __LINE__)

#if WEIR_DEBUG
#define DEBUG_ASSERT(cond) ASSERT(cond)
#else
#define DEBUG_ASSERT(cond) ((void)sizeof(!!(cond)))
#endif
#endif
