/* Errors: one code and one line of text, per thread.
 *
 * Functions return -1 (or NULL) after error_set(); callers add what only they know with
 * error_prefix() or pass it on untouched. A struct error carries one from thread to thread. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include "mitosis.h"

enum { ERROR_TEXT_MAX = 512 };

struct error {
    int code;
    char text[ERROR_TEXT_MAX];
};

/* Sets the thread's error and returns -1. Cuts long texts. `format` is ours, never received. */
int error_set(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
int error_setv(int code, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
/* As error_set with MITO_E_SYSTEM and ": strerror(errno)" behind the text. ENOMEM: E_NOMEM. */
int error_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* MITO_E_NOMEM, without needing memory. */
int error_nomem(void);
/* MITO_E_INVALID: what must be given was NULL. Most often that is what a call that failed returned,
 * so the error from before is quoted. */
int error_null(const char *what);
/* Puts "prefix: " in front of the thread's error, keeps its code, returns -1. */
int error_prefix(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Copies: the thread's error out, and back in (returns -1). */
void error_get(struct error *out);
int error_put(const struct error *e);
/* Fills a struct error without touching the thread's. */
void error_fill(struct error *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The code of a name from mito_error_name(); -1 when it is none. */
int error_code_of(const char *name, size_t length);

#endif
