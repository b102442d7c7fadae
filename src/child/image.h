/* The executable that this process runs, which is what its children are made of. */
#ifndef CHILD_IMAGE_H
#define CHILD_IMAGE_H

#include <stdbool.h>

/* Open for reading since mito_start(), also when the file's name is long gone; -1 when there is no
 * /proc. */
extern int child_image_fd;
/* mito_set_image() made that something else than the executable. */
extern bool child_image_is_set;
/* Of the images for all kinds that the root has, see image_hashes(). */
enum { IMAGE_HASHES_MAX = 512 };
extern char child_image_hashes[IMAGE_HASHES_MAX];

#endif
