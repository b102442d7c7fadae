/* Text from a format: see format.h. */
#include "base/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct sink {
    char *out;
    size_t size;
    size_t need;
};

static void put(struct sink *s, char c)
{
    if (s->need + 1 < s->size)
        s->out[s->need] = c;
    s->need++;
}

static void fill(struct sink *s, char c, size_t count)
{
    for (; count > 0; count--)
        put(s, c);
}

/* What is between the percent sign and the letter. */
struct spec {
    bool left;
    bool zeros;
    size_t width;
    size_t precision;
    int longs;
};

/* Padded to the width. Zeros go between a sign and the digits. */
static void put_padded(struct sink *s, const struct spec *spec, const char *text, size_t length)
{
    size_t missing = spec->width > length ? spec->width - length : 0;

    if (!spec->left && !spec->zeros)
        fill(s, ' ', missing);
    if (spec->zeros && *text == '-') {
        put(s, *text++);
        length--;
    }
    if (spec->zeros)
        fill(s, '0', missing);
    while (length-- > 0)
        put(s, *text++);
    if (spec->left)
        fill(s, ' ', missing);
}

static void put_number(struct sink *s, const struct spec *spec, uint64_t n, char letter)
{
    char digits[24], *at = digits + sizeof digits;
    unsigned base = letter == 'o' ? 8 : letter == 'x' || letter == 'X' ? 16 : 10;
    bool negative = (letter == 'd' || letter == 'i') && (int64_t)n < 0;

    if (negative)
        n = 0 - n;
    do
        *--at = (letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[n % base];
    while ((n /= base) > 0);
    if (negative)
        *--at = '-';
    put_padded(s, spec, at, (size_t)(digits + sizeof digits - at));
}

/* A va_list alone may be an array, which a function cannot take by reference. */
struct arguments {
    va_list ap;
};

static uint64_t take_number(struct arguments *from, int longs, char letter)
{
    bool is_signed = letter == 'd' || letter == 'i';

    if (longs > 1)
        return va_arg(from->ap, unsigned long long);
    if (longs == 1)
        return is_signed ? (uint64_t)va_arg(from->ap, long) : va_arg(from->ap, unsigned long);
    return is_signed ? (uint64_t)va_arg(from->ap, int) : va_arg(from->ap, unsigned);
}

/* A width or a precision. */
static size_t take_size(const char **at, struct arguments *from)
{
    size_t n = 0;

    if (**at == '*') {
        int given = va_arg(from->ap, int);
        ++*at;
        return given > 0 ? (size_t)given : 0;
    }
    for (; **at >= '0' && **at <= '9'; ++*at)
        n = n * 10 + (size_t)(**at - '0');
    return n;
}

static const char *read_spec(const char *p, struct spec *spec, struct arguments *from)
{
    *spec = (struct spec){.precision = SIZE_MAX};
    for (; *p == '-' || *p == '0'; p++) {
        spec->left = spec->left || *p == '-';
        spec->zeros = !spec->left && *p == '0';
    }
    spec->width = take_size(&p, from);
    if (*p == '.') {
        p++;
        spec->precision = take_size(&p, from);
    }
    for (; *p != '\0' && strchr("hlztj", *p) != NULL; p++)
        spec->longs += *p == 'j' ? 2 : *p != 'h'; /* size_t and ptrdiff_t are as wide as a long */
    return p;
}

/* False when there is no such conversion. */
static bool convert(struct sink *s, struct spec *spec, char letter, struct arguments *from)
{
    const char *text;
    char c = '%';

    switch (letter) {
    case 'p':
        spec->longs = 1;
        put(s, '0');
        put(s, letter = 'x');
        /* fall through */
    case 'd':
    case 'i':
    case 'u':
    case 'o':
    case 'x':
    case 'X':
        put_number(s, spec, take_number(from, spec->longs, letter), letter);
        return true;
    case 's':
        text = va_arg(from->ap, const char *);
        if (text == NULL)
            text = "(null)";
        put_padded(s, spec, text, strnlen(text, spec->precision));
        return true;
    case 'c':
        c = (char)va_arg(from->ap, int);
        /* fall through */
    case '%':
        put_padded(s, spec, &c, 1);
        return true;
    default:
        return false;
    }
}

size_t format_va(char *out, size_t size, const char *format, va_list ap)
{
    struct sink s = {.out = out, .size = size};
    struct arguments from;

    va_copy(from.ap, ap);
    for (const char *p = format; *p != '\0'; p++) {
        struct spec spec;
        const char *letter = *p == '%' ? read_spec(p + 1, &spec, &from) : NULL;
        if (letter != NULL && convert(&s, &spec, *letter, &from)) {
            p = letter;
        } else if (letter != NULL) {
            spec = (struct spec){0};
            put_padded(&s, &spec, p, strlen(p));
            break;
        } else {
            put(&s, *p);
        }
    }
    va_end(from.ap);
    if (size > 0)
        out[s.need < size ? s.need : size - 1] = '\0';
    return s.need;
}

size_t format_to(char *out, size_t size, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    size_t need = format_va(out, size, format, ap);
    va_end(ap);
    return need;
}
