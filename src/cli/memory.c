#include "memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static _Noreturn void out_of_memory(void)
{
    fputs("mitosis: out of memory\n", stderr);
    exit(STATUS_FAILED);
}

void *memory_zeroed(size_t count, size_t size)
{
    void *block = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (block == NULL)
        out_of_memory();
    return block;
}

void *memory_resize(void *block, size_t count, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes))
        out_of_memory();
    void *moved = realloc(block, bytes > 0 ? bytes : 1);
    if (moved == NULL)
        out_of_memory();
    return moved;
}

char *memory_text_n(const char *text, size_t length)
{
    char *copy = memory_resize(NULL, length + 1, 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *memory_text(const char *text)
{
    return memory_text_n(text, strlen(text));
}

char *memory_printf(const char *format, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, format);
    int length = vasprintf(&text, format, ap);
    va_end(ap);
    if (length < 0)
        out_of_memory();
    return text;
}

void *memory_grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    if (*capacity > SIZE_MAX / 2)
        out_of_memory();
    *capacity = *capacity == 0 ? 16 : *capacity * 2;
    return memory_resize(items, *capacity, size);
}
