#include "image.h"

#include <stddef.h>

#include "mitosis.h"

#ifdef MITO_COPY /* where it is; the Makefile says so */
__asm__(".pushsection .rodata, \"a\"\n"
        ".balign 16\n"
        "image_start: .incbin \"" MITO_COPY "\"\n"
        "image_end:\n"
        ".popsection\n");
extern const char image_start[] __attribute__((visibility("hidden")));
extern const char image_end[] __attribute__((visibility("hidden")));

void image_use(void)
{
    mito_set_image(image_start, (size_t)(image_end - image_start));
}
#else
void image_use(void) {}
#endif
