/* Files that the command makes on its way, and those that it leaves. */
#ifndef CLI_SCRATCH_H
#define CLI_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bytes.h"
#include "cli.h"

/* A directory of our own; it is made when the first file in it is. Zero-initialised is empty. */
struct scratch {
    char *path;
    size_t files;
};

/* The name of a new file there, which ends in `name` and is the caller's to free; NULL with a
 * complaint. Nothing is there yet. */
char *scratch_file(struct scratch *s, const char *name, struct complaint *why);
/* With all that is in it. */
void scratch_remove(struct scratch *s);

/* The whole file, behind what is in *out. */
int file_read(const char *path, struct bytes *out, struct complaint *why);
/* The same; a complaint when there are more than `most` bytes, which are not read. */
int file_read_most(const char *path, size_t most, struct bytes *out, struct complaint *why);
/* Creates or replaces it. Where a file is already, it is replaced at once: what runs it, or maps
 * it, keeps the old one. What is no regular file (/dev/null) is written to. */
int file_write(const char *path, const void *data, size_t length, mode_t mode,
               struct complaint *why);
/* The permissions of a new executable. */
mode_t file_executable_mode(void);
/* The part of a path behind the last slash. */
const char *file_name(const char *path);

#endif
