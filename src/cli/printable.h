/* Text that may be hostile, made safe to show. */
#ifndef CLI_PRINTABLE_H
#define CLI_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* The length of the UTF-8 character that starts at `text` and its code point; 0 when the bytes are
 * no valid character. */
size_t utf8_decode(const char *text, size_t length, uint32_t *code);

/* True for what a terminal could take as more than a character to draw: C0 (tab too), DEL, C1, and
 * the marks that reorder the text around them. */
bool is_control(uint32_t code);

/* Appends the text with control characters (tab excepted) and bytes of invalid UTF-8 as \xNN.
 * With `utf8` false, for terminals that read single bytes, everything beyond ASCII as well. */
void printable_add(struct bytes *out, const char *text, size_t length, bool utf8);

/* Does the environment (LC_ALL, LC_CTYPE, LANG) ask for UTF-8? */
bool locale_is_utf8(void);

#endif
