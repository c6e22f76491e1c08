/* ascii.h - letters as protocols mean them, whatever the locale. */
#ifndef WEIR_BASE_ASCII_H
#define WEIR_BASE_ASCII_H

/* 'A' to 'Z' become small; every other byte, signed or not, stays. */
static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
#endif
