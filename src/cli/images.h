/* Images: taken from executables, and bound to them. */
#ifndef CLI_IMAGES_H
#define CLI_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "cli.h"
#include "kinds.h"
#include "mitosis.h"
#include "scratch.h"

struct image {
    const struct kind *kind;
    uint32_t size;
    uint8_t sha256[MITO_SHA256_SIZE];
    struct bytes packed;
};

/* What can be seen of a program. */
struct program {
    const struct kind *kind;
    bool is_static;
    char build_id[65]; /* hexadecimal; empty when it has none */
};

/* At most one for each kind, in the order in which they came. */
struct images {
    struct image items[KINDS];
    size_t count;
};

/* Each returns 0, or -1 with a complaint. */

/* Those that are bound to the file are added. */
int images_load(struct images *images, const char *file, struct complaint *why);
/* The program of that file is added, instead of one for the same kind: it must be static. What is
 * bound to it is not part of it; nor is what a debugger needs. */
int images_add_program(struct images *images, const char *file, struct scratch *scratch,
                       struct complaint *why);
/* Writes `out`: the program of that file with these images bound to it, and no others but itself: a
 * static program is added to them, if none of its kind is among them. */
int images_bind(struct images *images, const char *file, const char *out, struct scratch *scratch,
                struct complaint *why);
struct image *images_find(struct images *images, const struct kind *kind); /* or NULL */
void images_free(struct images *images);

/* Uncompresses it, and checks all that can be: sums, sizes, the kind of machine. */
int image_unpack(const struct image *image, struct bytes *plain, struct program *program,
                 struct complaint *why);
int program_look(const char *file, struct program *out, struct complaint *why);
/* The program of that file, as a file in `scratch`, with nothing bound to it. */
char *image_bare(const char *file, const struct kind *kind, struct scratch *scratch,
                 struct complaint *why);

#endif
