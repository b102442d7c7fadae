#include "printable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The lead byte tells the length, and the range of the second byte that keeps overlong forms,
 * surrogates and what is beyond U+10FFFF out (Unicode, table 3-7). */
static size_t lead(uint8_t first, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    if (first == 0xe0)
        *low = 0xa0;
    if (first == 0xed)
        *high = 0x9f;
    if (first == 0xf0)
        *low = 0x90;
    if (first == 0xf4)
        *high = 0x8f;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t utf8_decode(const char *text, size_t length, uint32_t *code)
{
    const uint8_t *in = (const uint8_t *)text;
    uint8_t low = 0, high = 0;
    if (length == 0)
        return 0;
    *code = in[0];
    if (in[0] < 0x80)
        return 1;
    size_t size = lead(in[0], &low, &high);
    if (size == 0 || size > length || in[1] < low || in[1] > high)
        return 0;
    *code = in[0] & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((in[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (in[i] & 0x3fu);
    }
    return size;
}

bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static void add_hex(struct bytes *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char hex[5];
        snprintf(hex, sizeof hex, "\\x%02x", (unsigned)(uint8_t)text[i]);
        bytes_add(out, hex, 4);
    }
}

void printable_add(struct bytes *out, const char *text, size_t length, bool utf8)
{
    size_t plain = 0; /* bytes before `at` that go out as they are, in one piece */
    for (size_t at = 0; at < length;) {
        uint32_t code = 0;
        size_t size = utf8_decode(text + at, length - at, &code);
        bool safe = size > 0 && (code == '\t' || !is_control(code)) && (utf8 || code < 0x80);
        size += size == 0;
        if (safe) {
            plain += size;
        } else {
            bytes_add(out, text + at - plain, plain);
            plain = 0;
            add_hex(out, text + at, size);
        }
        at += size;
    }
    bytes_add(out, text + length - plain, plain);
}

bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value == NULL || *value == '\0')
            continue;
        const char *charset = strchr(value, '.');
        return charset != NULL &&
               (strncasecmp(charset, ".utf-8", 6) == 0 || strncasecmp(charset, ".utf8", 5) == 0);
    }
    return false;
}
