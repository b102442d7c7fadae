/* A growable byte buffer. Zero-initialised is empty. Not thread-safe. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data;
    size_t length;
    size_t capacity;
};

void buf_free(struct buf *b); /* and empties it */
static inline void buf_freep(struct buf *b)
{
    buf_free(b);
}
#define AUTO_BUF __attribute__((cleanup(buf_freep))) struct buf

/* Each returns 0, or -1 with MITO_E_NOMEM and the buffer unchanged. */
int buf_reserve(struct buf *b, size_t more); /* room for that many more bytes */
int buf_append(struct buf *b, const void *data, size_t length);
int buf_byte(struct buf *b, uint8_t byte);
int buf_str(struct buf *b, const char *text); /* without its NUL */
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_consume(struct buf *b, size_t length); /* drops that many from the front */

#endif
