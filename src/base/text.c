/* Small helpers for text: see text.h. */
#include "base/text.h"

#include <string.h>

#include "base/err.h"

/* The length of the UTF-8 character at the start of [p, end), 0 when there is none. */
static size_t character(const unsigned char *p, size_t left, bool surrogates)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (p[0] < 0x80)
        return 1;
    size_t width = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc0 || p[0] >= 0xf8 || left < width)
        return 0;
    uint32_t code = p[0] & (0x7fu >> width);
    for (size_t i = 1; i < width; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    if (code < smallest[width] || code > 0x10ffff)
        return 0;
    return code >= 0xd800 && code <= 0xdfff && !surrogates ? 0 : width;
}

bool text_is_utf8(const char *text, size_t length, bool surrogates)
{
    const unsigned char *p = (const unsigned char *)text;
    while (length > 0) {
        size_t width = character(p, length, surrogates);
        if (width == 0)
            return false;
        p += width;
        length -= width;
    }
    return true;
}

size_t text_cut(const char *text, size_t length, size_t max)
{
    size_t end = 0;
    for (size_t characters = 0; end < length; end++)
        if (((unsigned char)text[end] & 0xc0) != 0x80 && characters++ == max)
            break;
    return end;
}

static bool is_control(const unsigned char *p)
{
    return (p[0] < 0x20 && p[0] != '\t') || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

static const char digits[] = "0123456789abcdef";

size_t text_escape_to(char *out, size_t size, const char *text, size_t length)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t need = 0, used = 0;
    bool full = false;
    while (length > 0) {
        size_t width = character(p, length, false);
        char escape[4] = {'\\', 'x', digits[p[0] >> 4], digits[p[0] & 15]};
        bool plain = width > 0 && !is_control(p);
        size_t n = plain ? width : sizeof(escape);
        if (!plain)
            width = 1; /* the rest of it is invalid on its own and escaped in its turn */
        full = full || used + n >= size;
        if (!full) {
            memcpy(out + used, plain ? (const char *)p : escape, n);
            used += n;
        }
        need += n;
        p += width;
        length -= width;
    }
    if (size > 0)
        out[used] = '\0';
    return need;
}

int text_escape(struct buf *out, const char *text, size_t length)
{
    size_t need = text_escape_to(NULL, 0, text, length);
    if (buf_reserve(out, need + 1) < 0)
        return -1;
    text_escape_to((char *)out->data + out->length, need + 1, text, length);
    out->length += need;
    return 0;
}

static bool is_unreserved(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("._:@/+-", c) != NULL);
}

int text_percent_encode(struct buf *out, const char *text)
{
    size_t before = out->length;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        char escape[3] = {'%', digits[*p >> 4], digits[*p & 15]};
        bool plain = is_unreserved(*p);
        if (buf_append(out, plain ? (const void *)p : escape, plain ? 1 : sizeof(escape)) < 0) {
            out->length = before;
            return -1;
        }
    }
    return 0;
}

static int digit_value(char c)
{
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c);
    return at == NULL ? -1 : (int)(at - digits);
}

bool text_percent_decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = digit_value(from[1]);
        int low = high < 0 ? -1 : digit_value(from[2]);
        if (low < 0 || (high | low) == 0)
            return false;
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    *to = '\0';
    return true;
}

bool text_to_u32(const char *text, size_t length, uint32_t max, uint32_t *out)
{
    uint64_t x = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        x = x * 10 + (uint64_t)(text[i] - '0');
        if (x > max)
            return false;
    }
    if (length == 0)
        return false;
    *out = (uint32_t)x;
    return true;
}

static const char *const levels[] = {"error", "warning", "info", "debug", "io"};
enum { LEVEL_COUNT = sizeof(levels) / sizeof(levels[0]) };

const char *text_level_name(int level)
{
    return level >= 0 && level < LEVEL_COUNT ? levels[level] : "unknown";
}

int text_level_of(const char *name)
{
    for (int level = 0; level < LEVEL_COUNT; level++)
        if (strcmp(levels[level], name) == 0)
            return level;
    return -1;
}

uint64_t text_number(const char **at)
{
    const char *p = *at;
    uint64_t n = 0;

    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
    }
    *at = p;
    return n;
}

char *text_word(char **rest, const char *between)
{
    char *word;

    do
        word = strsep(rest, between);
    while (word != NULL && *word == '\0');
    return word;
}

const char *text_find(const void *in, size_t length, const char *word)
{
    size_t size = strlen(word);
    const char *at = in;

    for (; length >= size; at++, length--) {
        if (memcmp(at, word, size) == 0)
            return at;
    }
    return NULL;
}
