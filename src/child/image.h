/* The executable that this process runs, which is what its children are made of. */
#ifndef CHILD_IMAGE_H
#define CHILD_IMAGE_H

/* Open for reading since mito_start(), also when the file's name is long gone; -1 when there is no
 * /proc. */
extern int child_image_fd;

#endif
