/* Helpers for text. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_escape(const char *text, size_t size)
{
    struct buf out = {0};
    if (text_escape(&out, text, size) < 0 || out.length < size)
        abort();
    if (!text_is_utf8((const char *)out.data, out.length, false))
        abort();
    for (size_t i = 0; i < out.length; i++)
        if ((out.data[i] < 0x20 && out.data[i] != '\t') || out.data[i] == 0x7f)
            abort();
    /* Into an array of any size: the same, cut. */
    char array[300];
    size_t room = size % sizeof(array);
    if (text_escape_to(array, room, text, size) != out.length)
        abort();
    if (room > 0 && (strlen(array) >= room || memcmp(array, out.data, strlen(array)) != 0))
        abort();
    if (room > 0 && !text_is_utf8(array, strlen(array), false))
        abort();
    /* Escaping what is escaped changes nothing. */
    struct buf twice = {0};
    if (text_escape(&twice, (const char *)out.data, out.length) < 0 || twice.length != out.length ||
        memcmp(twice.data, out.data, out.length) != 0)
        abort();
    buf_free(&twice);
    buf_free(&out);
}

static void check_percent(const char *text)
{
    struct buf out = {0};
    if (text_percent_encode(&out, text) < 0 || buf_byte(&out, 0) < 0)
        abort();
    if (!text_percent_decode((char *)out.data) || strcmp((char *)out.data, text) != 0)
        abort();
    buf_free(&out);
    char *copy = strdup(text);
    if (copy == NULL)
        abort();
    if (text_percent_decode(copy) && strlen(copy) > strlen(text))
        abort();
    free(copy);
}

static void check_number(const char *text, size_t size)
{
    uint32_t x = 0;
    uint32_t max = size % 2 ? UINT32_MAX : 1000;
    if (text_to_u32(text, size, max, &x) && (x > max || size == 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    check_escape((const char *)data, size); /* without the NUL: reading past it is caught */
    check_percent(text);
    check_number((const char *)data, size);
    size_t cut = text_cut((const char *)data, size, 10);
    if (cut > size || (cut < size && text_is_utf8(text, size, true) && cut < 10))
        abort();
    text_level_of(text);
    error_code_of(text, size);
    free(text);
    return 0;
}
