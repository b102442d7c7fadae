#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "cli.h"
#include "printable.h"

int complain(struct complaint *why, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(why->text, sizeof why->text, format, ap);
    va_end(ap);
    return -1;
}

int complain_prefix(struct complaint *why, const char *format, ...)
{
    struct complaint prefix;
    struct bytes whole = {0};
    va_list ap;
    va_start(ap, format);
    vsnprintf(prefix.text, sizeof prefix.text, format, ap);
    va_end(ap);
    bytes_add_text(&whole, prefix.text);
    bytes_add_text(&whole, ": ");
    bytes_add_text(&whole, why->text);
    bytes_add_char(&whole, '\0');
    size_t length = whole.length < sizeof why->text ? whole.length : sizeof why->text;
    memcpy(why->text, whole.data, length);
    why->text[sizeof why->text - 1] = '\0';
    bytes_free(&whole);
    return -1;
}

/* One write, so that lines of several writers to one stderr stay whole. */
static void print_line(const char *text)
{
    struct bytes line = {0};
    bytes_add_text(&line, "mitosis: ");
    printable_add(&line, text, strlen(text), locale_is_utf8());
    bytes_add_char(&line, '\n');
    ssize_t written = write(STDERR_FILENO, line.data, line.length);
    (void)written; /* there is no other place to say that stderr is gone */
    bytes_free(&line);
}

void print_error(const char *format, ...)
{
    struct complaint text;
    va_list ap;
    va_start(ap, format);
    vsnprintf(text.text, sizeof text.text, format, ap);
    va_end(ap);
    print_line(text.text);
}

int print_complaint(const struct complaint *why)
{
    print_line(why->text);
    return STATUS_USAGE;
}
