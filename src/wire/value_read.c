/* Reading values: what the public header offers. */
#include "wire/value_layout.h"

#include <string.h>

#include "base/err.h"

static const char *const type_names[] = {
    [MITO_NONE] = "None",         [MITO_BOOL] = "a truth value", [MITO_INT] = "an integer",
    [MITO_DOUBLE] = "a float",    [MITO_STR] = "a string",       [MITO_BYTES] = "bytes",
    [MITO_TUPLE] = "a tuple",     [MITO_LIST] = "a list",        [MITO_DICT] = "a dict",
    [MITO_BLOB] = "a Blob",       [MITO_SECRET] = "a Secret",    [MITO_KWARGS] = "Kwargs",
    [MITO_FAILURE] = "a failure", [MITO_CONTEXT] = "a context",  [MITO_SENDER] = "a sender",
};

const char *value_type_name(const struct mito_value *v)
{
    return v == NULL ? "nothing" : type_names[v->type];
}

int value_wrong_type(int type, char letter, const struct mito_value *v)
{
    char shown[] = {' ', '(', letter, ')', '\0'};
    return error_set(MITO_E_TYPE, "expected %s%s, got %s", type_names[type],
                     letter != '\0' ? shown : "", value_type_name(v));
}

int value_missing(void)
{
    return error_set(MITO_E_TYPE, "expected a value, got nothing");
}

static bool is(const struct mito_value *v, enum mito_type type)
{
    return v != NULL && v->type == type;
}

enum mito_type mito_value_type(const struct mito_value *value)
{
    return value != NULL ? (enum mito_type)value->type : (enum mito_type)value_missing();
}

int mito_value_bool(const struct mito_value *value, bool *out)
{
    if (!is(value, MITO_BOOL))
        return value_wrong_type(MITO_BOOL, '\0', value);
    *out = value->truth;
    return 0;
}

int mito_value_int(const struct mito_value *value, int64_t *out)
{
    if (!is(value, MITO_INT))
        return value_wrong_type(MITO_INT, '\0', value);
    if (value->integer.length > sizeof(value->integer.bytes))
        return error_set(MITO_E_RANGE, "an integer of more than 64 bits");
    uint64_t x = 0;
    for (int i = 7; i >= 0; i--)
        x = x << 8 | value->integer.bytes[i];
    *out = (int64_t)x;
    return 0;
}

int mito_value_double(const struct mito_value *value, double *out)
{
    if (!is(value, MITO_DOUBLE))
        return value_wrong_type(MITO_DOUBLE, '\0', value);
    *out = value->real;
    return 0;
}

static const void *bytes_of(const struct mito_value *value, size_t *length)
{
    if (length != NULL)
        *length = value->bytes.length;
    return value->bytes.data;
}

const char *mito_value_str(const struct mito_value *value, size_t *length)
{
    if (is(value, MITO_STR) || is(value, MITO_SECRET) || is(value, MITO_FAILURE))
        return bytes_of(value, length);
    value_wrong_type(MITO_STR, '\0', value);
    return NULL;
}

const void *mito_value_bytes(const struct mito_value *value, size_t *length)
{
    if (is(value, MITO_INT) && value->integer.length <= sizeof(value->integer.bytes)) {
        if (length != NULL)
            *length = value->integer.length;
        return value->integer.bytes;
    }
    if (is(value, MITO_BYTES) || is(value, MITO_BLOB) || is(value, MITO_INT))
        return bytes_of(value, length);
    value_wrong_type(MITO_BYTES, '\0', value);
    return NULL;
}

size_t mito_value_length(const struct mito_value *value)
{
    if (value == NULL || !value_is_container(value))
        return 0;
    return value_is_pairs(value) ? value->items.length / 2 : value->items.length;
}

/* The item, or with `is_key` the key, at an index. */
static const struct mito_value *slot(const struct mito_value *value, size_t index, bool is_key)
{
    bool pairs = value != NULL && value_is_pairs(value);
    if (value == NULL || !value_is_container(value) || (is_key && !pairs)) {
        value_wrong_type(is_key ? MITO_DICT : MITO_LIST, '\0', value);
        return NULL;
    }
    size_t length = mito_value_length(value);
    if (index >= length) {
        error_set(MITO_E_RANGE, "item %zu of %zu", index, length);
        return NULL;
    }
    return value->items.slots[pairs ? 2 * index + !is_key : index];
}

const struct mito_value *mito_value_item(const struct mito_value *value, size_t index)
{
    return slot(value, index, false);
}

const struct mito_value *mito_value_key(const struct mito_value *value, size_t index)
{
    return slot(value, index, true);
}

const struct mito_value *mito_value_get(const struct mito_value *value, const char *key)
{
    if (value == NULL || !value_is_pairs(value)) {
        value_wrong_type(MITO_DICT, '\0', value);
        return NULL;
    }
    /* From the end: where a key is there twice, the later one counts, as it does in Python. */
    size_t length = strlen(key);
    for (uint32_t i = value->items.length; i >= 2; i -= 2) {
        const struct mito_value *k = value->items.slots[i - 2];
        if (k->type == MITO_STR && k->bytes.length == length &&
            memcmp(k->bytes.data, key, length) == 0)
            return value->items.slots[i - 1];
    }
    return NULL;
}

int mito_value_address(const struct mito_value *value, uint32_t *context_id, uint32_t *handle)
{
    if (!is(value, MITO_CONTEXT) && !is(value, MITO_SENDER))
        return value_wrong_type(MITO_SENDER, '\0', value);
    if (context_id != NULL)
        *context_id = value->address.id;
    if (handle != NULL)
        *handle = value->address.handle;
    return 0;
}

const char *value_context_name(const struct mito_value *value)
{
    return is(value, MITO_CONTEXT) ? value->address.name : NULL;
}
