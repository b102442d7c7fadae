/* A table whose first column draws a tree. */
#ifndef CLI_PICTURE_H
#define CLI_PICTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

enum { PICTURE_COLUMNS = 7 };

struct picture_row {
    struct bytes cells[PICTURE_COLUMNS];
    char *note; /* instead of all cells but the first; may be NULL */
};

struct picture {
    bool utf8; /* boxes; else ASCII */
    struct picture_row *rows;
    size_t count, capacity;
};

/* A new row, to be filled. The first cell begins with branches: `last` has one truth value for each
 * level from the top: is what stands there the last of its siblings? */
struct picture_row *picture_add(struct picture *p, const bool *last, size_t depth);
/* Appends text to a cell, control characters made visible. */
void picture_text(const struct picture *p, struct picture_row *row, size_t column,
                  const char *text);
void picture_print(const struct picture *p, struct bytes *out);
void picture_free(struct picture *p);

#endif
