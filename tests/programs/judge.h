/* How the programs of this directory report: "ok NAME # why" or "not ok NAME # why". */
#ifndef PROGRAMS_JUDGE_H
#define PROGRAMS_JUDGE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int failures;

__attribute__((format(printf, 3, 4))) static void judge(bool fine, const char *name,
                                                        const char *format, ...)
{
    va_list ap;

    printf("%s %s # ", fine ? "ok" : "not ok", name);
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
    failures += !fine;
}

#endif
