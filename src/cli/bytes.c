#include "bytes.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

void bytes_free(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

static void reserve(struct bytes *b, size_t more)
{
    if (b->capacity - b->length >= more)
        return;
    size_t capacity = b->capacity * 2 > b->length + more ? b->capacity * 2 : b->length + more;
    b->data = memory_resize(b->data, capacity, 1);
    b->capacity = capacity;
}

void bytes_add(struct bytes *b, const void *data, size_t length)
{
    if (length == 0)
        return;
    reserve(b, length);
    memcpy(b->data + b->length, data, length);
    b->length += length;
}

void bytes_add_text(struct bytes *b, const char *text)
{
    bytes_add(b, text, strlen(text));
}

void bytes_add_char(struct bytes *b, char c)
{
    bytes_add(b, &c, 1);
}

void bytes_drop(struct bytes *b, size_t length)
{
    if (length == 0)
        return;
    b->length -= length;
    memmove(b->data, b->data + length, b->length);
}

char *bytes_take_text(struct bytes *b)
{
    bytes_add_char(b, '\0');
    char *text = b->data;
    *b = (struct bytes){0};
    return text;
}
