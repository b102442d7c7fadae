/* Writes JSON objects, one a line, in pieces of bounded size.
 *
 *     json_begin(&j);
 *     json_text(&j, "host", "db1", 3);
 *     json_integer(&j, "status", 0);
 *     json_end(&j);
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mitosis.h"

struct json {
    void (*write)(void *arg, const char *data, size_t length);
    void *arg;
    char piece[8192];
    size_t used;
    bool comma;
};

void json_begin(struct json *j);
void json_end(struct json *j); /* with a newline; all has been written then */
void json_null(struct json *j, const char *key);
void json_true(struct json *j, const char *key);
void json_integer(struct json *j, const char *key, int64_t value);
/* With three digits behind the point. */
void json_thousandths(struct json *j, const char *key, int64_t value);
/* Bytes that are no UTF-8 become U+FFFD; control characters, also DEL and C1, are escaped. */
void json_text(struct json *j, const char *key, const char *text, size_t length);
/* Lists and tuples, dicts with texts as keys, texts, numbers, truth values and None; nothing is
 * written when there is anything else in it. */
void json_value(struct json *j, const char *key, const struct mito_value *value);

#endif
