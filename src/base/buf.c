/* A growable byte buffer: see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/err.h"
#include "base/format.h"

void buf_free(struct buf *b)
{
    block_free(b->data, b->capacity);
    *b = (struct buf){0};
}

int buf_reserve(struct buf *b, size_t more)
{
    if (more <= b->capacity - b->length)
        return 0;
    /* Sizes over half the address space would overflow the arithmetic below. */
    if (more > SIZE_MAX / 4 || b->length > SIZE_MAX / 4)
        return error_nomem();
    size_t need = b->length + more;
    size_t capacity = b->capacity + b->capacity / 2;
    if (capacity < need)
        capacity = need + need / 16; /* what follows a large part is often small */
    if (capacity < 128)
        capacity = 128;
    uint8_t *data = block_resize(b->data, b->capacity, b->length, &capacity);
    if (data == NULL)
        return error_nomem();
    b->data = data;
    b->capacity = capacity;
    return 0;
}

int buf_append(struct buf *b, const void *data, size_t length)
{
    if (length == 0)
        return 0;
    if (buf_reserve(b, length) < 0)
        return -1;
    memcpy(b->data + b->length, data, length);
    b->length += length;
    return 0;
}

int buf_byte(struct buf *b, uint8_t byte)
{
    return buf_append(b, &byte, 1);
}

int buf_str(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

int buf_printf(struct buf *b, const char *format, ...)
{
    for (;;) {
        size_t room = b->capacity - b->length;
        va_list ap;
        va_start(ap, format);
        size_t n = format_va(room > 0 ? (char *)b->data + b->length : NULL, room, format, ap);
        va_end(ap);
        if (n < room) { /* with the NUL that stands behind it */
            b->length += n;
            return 0;
        }
        if (buf_reserve(b, n + 1) < 0)
            return -1;
    }
}

void buf_consume(struct buf *b, size_t length)
{
    if (length > b->length)
        length = b->length;
    b->length -= length;
    if (b->length > 0 && length > 0)
        memmove(b->data, b->data + length, b->length);
}
