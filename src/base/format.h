/* Text from a format: what printf(3) does, without what no image should have to carry.
 *
 * Conversions: %d %i %u %o %x %X %c %s %p %%, with the flags - and 0, a width, a precision (of %s
 * alone; each may be *), and hh h l ll z t j. No floating point, no wide characters, no %n, no
 * positions: at a conversion that it does not know, the rest of the format is taken as it is. */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* Into an array: cuts, terminates if size is not 0, returns the length it would need. The arguments
 * must not point into `out`. */
size_t format_va(char *out, size_t size, const char *format, va_list ap)
    __attribute__((format(printf, 3, 0)));
size_t format_to(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
