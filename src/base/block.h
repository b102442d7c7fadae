/* Large blocks of memory that are used again: a message of a megabyte would otherwise cost more in
 * page faults, each time, than in copying. Small sizes are plain malloc(3). A few freed blocks are
 * kept while the process is busy; the broker releases them when it has been idle. Thread-safe. */
#ifndef BASE_BLOCK_H
#define BASE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

/* At least *size bytes; *size becomes what there really is, which block_free must be told. NULL (no
 * error set) when out of memory. */
void *block_new(size_t *size);
void block_free(void *block, size_t size); /* NULL is allowed */
/* As realloc(3): keeps the first `used` bytes. NULL: `block` is as it was. */
void *block_resize(void *block, size_t size, size_t used, size_t *new_size);

bool block_any_kept(void);
void block_release_kept(void);

/* In a process that was just forked: forgets what is kept, which another thread may have been
 * changing. */
void block_after_fork(void);

#endif
