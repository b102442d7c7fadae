/* Errors: see err.h. Nothing here allocates: an error about memory must always be sayable. */
#include "base/err.h"

#include <errno.h>
#include <string.h>

#include "base/format.h"

static __thread struct error last;

/* In the order of the codes, one after the other. They cross the wire: never change one. */
static const char names[] =
    "ok\0nomem\0system\0invalid\0type\0range\0malformed\0too_large\0timeout\0"
    "closed\0dead\0denied\0overflow\0no_function\0remote\0refused\0"
    "unreachable\0host_key\0permission\0no_shell\0no_place\0arch\0garbage\0"
    "died\0no_tool\0password\0no_password\0no_user\0locked\0not_allowed\0no_"
    "container\0stopped\0crashed";
enum { NAME_COUNT = MITO_E_CRASHED + 1 };

const char *mito_error(void)
{
    return last.text[0] != '\0' ? last.text : mito_error_name(last.code);
}

int mito_error_code(void)
{
    return last.code;
}

const char *mito_error_name(int code)
{
    if (code >= MITO_E_USER)
        return "user";
    if (code < 0 || code >= NAME_COUNT)
        return "unknown";
    const char *name = names;
    while (code-- > 0)
        name += strlen(name) + 1;
    return name;
}

int error_code_of(const char *name, size_t length)
{
    for (int code = 0; code < NAME_COUNT; code++) {
        const char *known = mito_error_name(code);
        if (strlen(known) == length && memcmp(known, name, length) == 0)
            return code;
    }
    return -1;
}

/* A text that was cut must not end inside a character. */
static void drop_partial_character(char *text)
{
    size_t end = strlen(text), start = end;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t width = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (end - (start - 1) < width)
        text[start - 1] = '\0';
}

__attribute__((format(printf, 3, 0))) static void fill(struct error *e, int code,
                                                       const char *format, va_list ap)
{
    char text[ERROR_TEXT_MAX]; /* the arguments may point into e->text */
    size_t n = format_va(text, sizeof(text), format, ap);
    if (n >= sizeof(text))
        drop_partial_character(text);
    e->code = code;
    memcpy(e->text, text, sizeof(e->text));
}

void error_fill(struct error *e, int code, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fill(e, code, format, ap);
    va_end(ap);
}

int error_setv(int code, const char *format, va_list ap)
{
    fill(&last, code, format, ap);
    return -1;
}

int error_set(int code, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    error_setv(code, format, ap);
    va_end(ap);
    return -1;
}

/* Puts more behind the text that was just set. */
static int add(const char *more)
{
    return error_set(last.code, "%s: %s", last.text, more);
}

int error_errno(const char *format, ...)
{
    int number = errno;
    va_list ap;
    va_start(ap, format);
    error_setv(number == ENOMEM ? MITO_E_NOMEM : MITO_E_SYSTEM, format, ap);
    va_end(ap);
    add(strerror(number));
    errno = number;
    return -1;
}

int error_nomem(void)
{
    return error_set(MITO_E_NOMEM, "out of memory");
}

int error_null(const char *what)
{
    if (last.code == MITO_OK)
        return error_set(MITO_E_INVALID, "no %s given", what);
    return error_set(MITO_E_INVALID, "no %s given; the last error was: %s", what, mito_error());
}

int error_prefix(const char *format, ...)
{
    struct error cause = last;
    va_list ap;
    va_start(ap, format);
    error_setv(cause.code, format, ap);
    va_end(ap);
    return add(cause.text);
}

void error_get(struct error *out)
{
    *out = last;
}

int error_put(const struct error *e)
{
    last = *e;
    return -1;
}
