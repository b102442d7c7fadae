/* Small helpers for text. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

/* Appends `text` with every byte that could mean something to a terminal made visible as \xNN:
 * control characters (C0, C1, DEL; tab excepted) and bytes that are not UTF-8. */
int text_escape(struct buf *out, const char *text, size_t length);
/* The same into an array: cuts, never inside a character or an escape, always terminates. Returns
 * the length it would need, like snprintf(3). `out` may be NULL when size is 0. */
size_t text_escape_to(char *out, size_t size, const char *text, size_t length);

/* Is it UTF-8? With `surrogates` these count as characters, as they do in a pickled Python str. */
bool text_is_utf8(const char *text, size_t length, bool surrogates);
/* The length of the longest part from the start that has at most `max` characters. */
size_t text_cut(const char *text, size_t length, size_t max);

/* Percent-encodes all but [A-Za-z0-9._:@/+-], which no shell and no separator of ours touches. */
int text_percent_encode(struct buf *out, const char *text);
/* In place; false when it is malformed (a NUL in it is, too); then the text is undefined. */
bool text_percent_decode(char *text);

/* Whole-string decimal; false unless it is all digits and at most `max`. */
bool text_to_u32(const char *text, size_t length, uint32_t max, uint32_t *out);

/* Reads decimal digits at *at and moves it behind them; 0 and unmoved when there are none;
 * UINT64_MAX when the number is larger. Here, as text_find, because libc's do more and weigh 2 KB
 * each in every image. */
uint64_t text_number(const char **at);
/* The next word of *rest, which it ends with a NUL, in front of one of the characters `between`;
 * NULL when there is none. *rest is moved behind it. */
char *text_word(char **rest, const char *between);
/* Where `word` begins in the first `length` bytes of `in`; NULL when it does not. */
const char *text_find(const void *in, size_t length, const char *word);

/* The name of a level of enum mito_level ("unknown" for others), and back (-1 when it is none). */
const char *text_level_name(int level);
int text_level_of(const char *name);

#endif
