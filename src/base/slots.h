/* slots.h - small objects of a thread, each size in blocks of pages of its own.
 *
 * What lives long and what is gone in a moment are of different sizes. In one heap they lie between
 * each other, and what ten thousand calls needed while they began stays resident between what they
 * keep. Here a block has objects of one size; when the last one comes back, so does the block, and
 * a block that nobody took for a while goes back to the system (slots_cool).
 *
 *   region, 256 KiB   [ block | block | - given back - | block ... ]
 *   block, 16 KiB     [ head | object | object | free | object ... | never used ]
 *
 * An object costs its size rounded up to 8 bytes and no head. Nothing is zeroed. What it does not:
 * keep free objects at hand (freelist.h), or take what is larger than SLOTS_MAX_BYTES itself: that
 * goes to mem.h.
 * With a sanitizer every object comes from mem.h, so that it sees uses after the end.
 * Owner: the thread. Threads: an object goes back on the thread that took it. Errors: NULL when out
 * of memory; tests make objects fail as they do mem.h's blocks, and objects count as those. */
#ifndef WEIR_BASE_SLOTS_H
#define WEIR_BASE_SLOTS_H
#include <stddef.h>
#include "base/err.h"

#define SLOTS_MAX_BYTES   2048u
#define SLOTS_BLOCK_BYTES 16384u

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOTS_IN_BLOCKS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define SLOTS_IN_BLOCKS 0
#endif
#endif
#ifndef SLOTS_IN_BLOCKS
#define SLOTS_IN_BLOCKS 1
#endif

void *slots_take(size_t bytes) MUST_USE;
void *slots_take_zeroed(size_t bytes) MUST_USE;
void slots_give(void *p, size_t bytes); /* as many as were asked for; NULL is fine */
/* The same for what its owner did not need since the last slots_cool. */
void slots_give_up(void *p, size_t bytes);
/* Gives empty blocks back that nobody needed since the last time. Its owner calls it now and then.
 */
void slots_cool(void);
void slots_purge(void); /* gives all empty blocks back: the thread ends */
/* Of the thread: what blocks with objects in them take; what empty ones do. */
size_t slots_used_bytes(void);
size_t slots_spare_bytes(void);
#endif
