/* Lists of hosts as people write them, and back.
 *
 *     web[01-20],db1          two patterns; commas and blanks separate, not inside brackets
 *     r[1-2]n[1-4]            the product of several ranges
 *     web[01-20,30]           numbers keep the zeros they are padded with
 *     [2001:db8::1]:22        brackets around a colon are an address, and stay
 */
#ifndef CLI_HOSTS_H
#define CLI_HOSTS_H

#include <stddef.h>
#include <stdio.h>

#include "cli.h"

enum {
    HOSTS_MAX = 100000,       /* names in all, after expansion */
    HOSTS_PATTERN_MAX = 1024, /* bytes of one pattern */
    HOSTS_DIGITS_MAX = 18,    /* of one number: it fits an int64_t */
};

struct names {
    char **items;
    size_t count;
    size_t capacity;
};

void names_free(struct names *names);
void names_add(struct names *names, const char *name, size_t length);

/* Appends what the pattern stands for; -1 with a complaint, and maybe some names more. */
int hosts_expand(struct names *out, const char *pattern, size_t length, struct complaint *why);
/* The same for a list of patterns. */
int hosts_expand_list(struct names *out, const char *list, struct complaint *why);
/* The same for a file: lists in lines, '#' starts a comment; complaints name `title` and line. */
int hosts_expand_file(struct names *out, FILE *file, const char *title, struct complaint *why);
/* Opens the path, or stdin for "-", and reads it so. */
int hosts_expand_path(struct names *out, const char *path, struct complaint *why);

/* The names as one short list, sorted, each once: hosts_expand_list() of it gives them back, when
 * they have no commas, blanks or brackets in them. From malloc(). */
char *hosts_fold(const char *const *names, size_t count);

#endif
