/* Archives of objects (ar), also thin ones, which name files. */
#ifndef CLI_ARCHIVE_H
#define CLI_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"
#include "cli.h"

bool archive_is_one(const struct bytes *content);
/* Calls `each` for every member but the tables of names. 0, or -1 with a complaint: that of `each`
 * when it returned -1. `file` is where the content is from. */
int archive_each(const char *file, const struct bytes *content,
                 int (*each)(void *arg, const char *name, const char *data, size_t size), void *arg,
                 struct complaint *why);

#endif
