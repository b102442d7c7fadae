/* One option of a method: how its text becomes a field of the method's struct, and back. */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "cli.h"

enum option_kind {
    /* const char *, which go on pointing into the text that is read: */
    TEXT,           /* anything but control characters */
    WORD,           /* no blanks, and no '-' in front that a program could misread */
    SECRET,         /* no text of a route; never printed */
    CONTAINER_KIND, /* one of those that setns knows */
    /* const char *const *: */
    TEXTS, /* each time it is given, one more */
    /* bool: */
    TRUTH, /* "yes" or "no" */
    /* int: */
    SECONDS, /* in ms */
    PORT,
    COUNT,    /* from 1 on */
    INTERVAL, /* from -1 on */
    LEVEL,    /* 0 to 3 */
    HOST_KEYS /* enum mito_host_keys */
};

struct method_option {
    const char *name;
    uint16_t kind, offset;
};

/* 0, or -1 with a complaint that names `what`: text for people, not empty. */
int check_text(const char *text, const char *what, struct complaint *why);

/* Sets the field at `out`; -1 with a complaint. */
int option_set(const struct method_option *option, void *out, const char *value,
               struct complaint *why);
/* Appends "&name=value", percent-encoded, for what option_set() has put there, or nothing when that
 * is the default. */
void option_print(const struct method_option *option, const void *at, struct bytes *out);
/* Can such text stand in front of the '?' of a hop, where nothing is encoded? */
bool option_is_plain(const char *text);

#endif
