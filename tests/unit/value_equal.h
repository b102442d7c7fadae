/* Are two trees of values the same? Types, order of pairs and bits of floats count. */
#ifndef UNIT_VALUE_EQUAL_H
#define UNIT_VALUE_EQUAL_H

#include <string.h>

#include "wire/value.h"

static inline bool value_equal(const struct mito_value *a, const struct mito_value *b);

static inline bool bytes_equal(const void *a, size_t a_length, const void *b, size_t b_length)
{
    return a != NULL && b != NULL && a_length == b_length && memcmp(a, b, a_length) == 0;
}

static inline bool items_equal(const struct mito_value *a, const struct mito_value *b)
{
    bool pairs = mito_value_type(a) == MITO_DICT || mito_value_type(a) == MITO_KWARGS;
    if (mito_value_length(a) != mito_value_length(b))
        return false;
    for (size_t i = 0; i < mito_value_length(a); i++) {
        if (!value_equal(mito_value_item(a, i), mito_value_item(b, i)))
            return false;
        if (pairs && !value_equal(mito_value_key(a, i), mito_value_key(b, i)))
            return false;
    }
    return true;
}

static inline bool names_equal(const struct mito_value *a, const struct mito_value *b)
{
    const char *x = value_context_name(a), *y = value_context_name(b);
    return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

static inline bool value_equal(const struct mito_value *a, const struct mito_value *b)
{
    union {
        bool truth;
        double real;
        struct {
            uint32_t id, handle;
        } address;
    } x = {.address = {0}}, y = {.address = {0}};
    size_t m = 0, n = 0;
    if (mito_value_type(a) != mito_value_type(b))
        return false;
    switch (mito_value_type(a)) {
    case MITO_NONE:
        return true;
    case MITO_BOOL:
        mito_value_bool(a, &x.truth);
        mito_value_bool(b, &y.truth);
        return x.truth == y.truth;
    case MITO_DOUBLE:
        mito_value_double(a, &x.real);
        mito_value_double(b, &y.real);
        return memcmp(&x.real, &y.real, sizeof(x.real)) == 0;
    case MITO_INT:
    case MITO_BYTES:
    case MITO_BLOB: {
        const void *p = mito_value_bytes(a, &m), *q = mito_value_bytes(b, &n);
        return bytes_equal(p, m, q, n);
    }
    case MITO_STR:
    case MITO_SECRET:
    case MITO_FAILURE: {
        const void *p = mito_value_str(a, &m), *q = mito_value_str(b, &n);
        return bytes_equal(p, m, q, n);
    }
    case MITO_CONTEXT:
    case MITO_SENDER:
        mito_value_address(a, &x.address.id, &x.address.handle);
        mito_value_address(b, &y.address.id, &y.address.handle);
        return memcmp(&x, &y, sizeof(x)) == 0 && names_equal(a, b);
    default:
        return items_equal(a, b);
    }
}

#endif
