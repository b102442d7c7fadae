/* Allocation for the master's side of the command, which ends when there is no memory: the tree
 * below a master that ends takes itself down. Code that runs in contexts does not use these. */
#ifndef CLI_MEMORY_H
#define CLI_MEMORY_H

#include <stddef.h>

void *memory_zeroed(size_t count, size_t size);
void *memory_resize(void *block, size_t count, size_t size);
char *memory_text(const char *text);
char *memory_text_n(const char *text, size_t length);
char *memory_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes room for one more item in an array that grows by doubling. */
void *memory_grow(void *items, size_t count, size_t *capacity, size_t size);

#endif
