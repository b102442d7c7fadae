/* What contexts are started from: a small program (copy.c) that is part of this one. */
#ifndef CLI_IMAGE_H
#define CLI_IMAGE_H

/* From now on, where the kernel can (mito_set_image); else from this program itself, which is
 * larger and does as well. */
void image_use(void);

#endif
