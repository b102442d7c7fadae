#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "printable.h"

static void flush(struct json *j)
{
    if (j->used > 0)
        j->write(j->arg, j->piece, j->used);
    j->used = 0;
}

/* `length` is at most the size of a piece. */
static void put(struct json *j, const char *data, size_t length)
{
    if (length > sizeof j->piece - j->used)
        flush(j);
    memcpy(j->piece + j->used, data, length);
    j->used += length;
}

static void put_text(struct json *j, const char *text)
{
    put(j, text, strlen(text));
}

/* What must be escaped: U+2028 and U+2029 too, which are no control characters to JSON but line
 * ends to JavaScript. All such are in the first plane. */
static void put_character(struct json *j, uint32_t code, const char *text, size_t size)
{
    char escape[8];
    if (code == '\n' || code == '\t' || code == '\r') {
        put_text(j, code == '\n' ? "\\n" : code == '\t' ? "\\t" : "\\r");
    } else if (code == '"' || code == '\\') {
        put_text(j, "\\");
        put(j, text, size);
    } else if (is_control(code)) {
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(code & 0xffff));
        put_text(j, escape);
    } else {
        put(j, text, size);
    }
}

static void put_string(struct json *j, const char *text, size_t length)
{
    put_text(j, "\"");
    for (size_t at = 0; at < length;) {
        uint32_t code = 0;
        size_t size = utf8_decode(text + at, length - at, &code);
        if (size == 0)
            put_text(j, "\xef\xbf\xbd");
        else
            put_character(j, code, text + at, size);
        at += size + (size == 0);
    }
    put_text(j, "\"");
}

static void put_key(struct json *j, const char *key)
{
    if (j->comma)
        put_text(j, ",");
    j->comma = true;
    put_string(j, key, strlen(key));
    put_text(j, ":");
}

void json_begin(struct json *j)
{
    j->comma = false;
    put_text(j, "{");
}

void json_end(struct json *j)
{
    put_text(j, "}\n");
    flush(j);
}

void json_null(struct json *j, const char *key)
{
    put_key(j, key);
    put_text(j, "null");
}

void json_true(struct json *j, const char *key)
{
    put_key(j, key);
    put_text(j, "true");
}

void json_integer(struct json *j, const char *key, int64_t value)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, value);
    put_key(j, key);
    put_text(j, number);
}

void json_thousandths(struct json *j, const char *key, int64_t value)
{
    char number[32];
    snprintf(number, sizeof number, "%" PRId64 ".%03" PRId64, value / 1000, value % 1000);
    put_key(j, key);
    put_text(j, number);
}

void json_text(struct json *j, const char *key, const char *text, size_t length)
{
    put_key(j, key);
    put_string(j, text, length);
}

/* ------------------------------------------------------------------------------------------- */
/* Values, which may come from anybody: their depth is bounded by the library                    */
/* ------------------------------------------------------------------------------------------- */

static bool has_items(enum mito_type type)
{
    return type == MITO_LIST || type == MITO_TUPLE || type == MITO_DICT;
}

static bool is_scalar(const struct mito_value *value, enum mito_type type)
{
    int64_t number = 0;
    double real = 0;
    if (type == MITO_INT)
        return mito_value_int(value, &number) == 0;
    if (type == MITO_DOUBLE)
        return mito_value_double(value, &real) == 0 && isfinite(real);
    return type == MITO_NONE || type == MITO_BOOL || type == MITO_STR;
}

static bool is_json(const struct mito_value *value)
{
    enum mito_type type = mito_value_type(value);
    if (!has_items(type))
        return is_scalar(value, type);
    for (size_t i = 0; i < mito_value_length(value); i++) {
        if (type == MITO_DICT && mito_value_type(mito_value_key(value, i)) != MITO_STR)
            return false;
        if (!is_json(mito_value_item(value, i)))
            return false;
    }
    return true;
}

static void put_str(struct json *j, const struct mito_value *value)
{
    size_t length = 0;
    const char *text = mito_value_str(value, &length);
    put_string(j, text, length);
}

/* With the fewest digits that are read as the same number. */
static void put_double(struct json *j, double number)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    put_text(j, text);
}

static void put_number(struct json *j, const struct mito_value *value)
{
    char text[24];
    int64_t number = 0;
    double real = 0;
    if (mito_value_type(value) == MITO_DOUBLE && mito_value_double(value, &real) == 0) {
        put_double(j, real);
    } else if (mito_value_int(value, &number) == 0) {
        snprintf(text, sizeof text, "%" PRId64, number);
        put_text(j, text);
    }
}

static void put_value(struct json *j, const struct mito_value *value);

static void put_items(struct json *j, const struct mito_value *value, bool dict)
{
    put_text(j, dict ? "{" : "[");
    for (size_t i = 0; i < mito_value_length(value); i++) {
        put_text(j, i > 0 ? "," : "");
        if (dict) {
            put_str(j, mito_value_key(value, i));
            put_text(j, ":");
        }
        put_value(j, mito_value_item(value, i));
    }
    put_text(j, dict ? "}" : "]");
}

static void put_value(struct json *j, const struct mito_value *value)
{
    enum mito_type type = mito_value_type(value);
    bool truth = false;
    if (has_items(type)) {
        put_items(j, value, type == MITO_DICT);
    } else if (type == MITO_STR) {
        put_str(j, value);
    } else if (type == MITO_NONE) {
        put_text(j, "null");
    } else if (type == MITO_BOOL) {
        mito_value_bool(value, &truth);
        put_text(j, truth ? "true" : "false");
    } else {
        put_number(j, value);
    }
}

void json_value(struct json *j, const char *key, const struct mito_value *value)
{
    if (!is_json(value))
        return;
    put_key(j, key);
    put_value(j, value);
}
