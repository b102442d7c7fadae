/* cmocka.h wants these in front of it. */
#ifndef UNIT_CMOCKA_ALL_H
#define UNIT_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mitosis.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The thread's error has that code, and its text has `part` in it. */
#define assert_error(expected, part)                                                               \
    do {                                                                                           \
        assert_string_equal(mito_error_name(mito_error_code()), mito_error_name(expected));        \
        if (strstr(mito_error(), (part)) == NULL)                                                  \
            fail_msg("\"%s\" is not in the error \"%s\"", (part), mito_error());                   \
    } while (0)

#endif
