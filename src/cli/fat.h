/* Fat objects: objects for this machine that carry, in sections which the linker drops, what was
 * compiled for others. */
#ifndef CLI_FAT_H
#define CLI_FAT_H

#include "cli.h"
#include "kinds.h"
#include "scratch.h"

/* What was compiled for another kind: a file. */
struct fat_part {
    const struct kind *kind;
    const char *file;
};

/* Puts them into the object, in place. 0, or -1 with a complaint. */
int fat_make(const char *object, const struct fat_part *parts, size_t count, struct complaint *why);

/* What to link for that kind instead of an object, or an archive, that is named on the command
 * line: a file in `scratch`, or the file itself when it is for that kind already or no object. The
 * caller's to free. NULL with a complaint when there is nothing for that kind in it. */
char *fat_take(const char *file, const struct kind *kind, struct scratch *scratch,
               struct complaint *why);
/* Likewise for the archive of -lNAME, when it is in one of the directories and made of fat objects.
 * Else it is the linker's to find: -lNAME itself. */
char *fat_take_library(const char *option, const char *const *directories, const struct kind *kind,
                       struct scratch *scratch, struct complaint *why);

#endif
