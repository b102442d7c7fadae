#include "json.h"

#include <inttypes.h>
#include <stdio.h>
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
