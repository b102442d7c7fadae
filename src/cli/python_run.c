#include "python_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "scratch.h"

/* The module that runs there. */
__asm__(".pushsection .rodata, \"a\"\n"
        "mitosis_run_text: .incbin \"src/cli/mitosis_run.py\"\n"
        ".byte 0\n"
        ".popsection\n");
extern const char mitosis_run_text[] __attribute__((visibility("hidden")));

enum { SOURCE_MAX = 1 << 20 };

int python_run_read(struct python_run *p, struct complaint *why)
{
    if (p->expression != NULL) {
        bytes_add_text(&p->source, p->expression);
        return 0;
    }
    if (file_read_most(p->script, SOURCE_MAX, &p->source, why) < 0)
        return complain_prefix(why, "--script");
    return 0;
}

void python_run_free(struct python_run *p)
{
    bytes_free(&p->source);
}

/* In values of options these bytes have a meaning of their own. */
static void add_encoded(struct bytes *out, const char *text)
{
    char code[4];
    for (; *text != '\0'; text++) {
        if (strchr("%&", *text) == NULL) {
            bytes_add_char(out, *text);
            continue;
        }
        snprintf(code, sizeof code, "%%%02X", (unsigned)(unsigned char)*text);
        bytes_add_text(out, code);
    }
}

char *python_run_hop(const struct python_run *p)
{
    struct bytes hop = {0};
    bytes_add_text(&hop, "python:");
    if (p->interpreter != NULL) {
        bytes_add_text(&hop, "?python_path=");
        add_encoded(&hop, p->interpreter);
    }
    return bytes_take_text(&hop);
}

/* The directory of a path, as dirname(3) has it. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return memory_text(".");
    return slash == path ? memory_text("/") : memory_text_n(path, (size_t)(slash - path));
}

int python_run_serve(struct mito_router *router, const char *const *directories)
{
    static const struct mito_python_text texts[] = {{"mitosis_run", mitosis_run_text}, {0}};
    struct mito_python_modules modules = {.directories = directories, .texts = texts};
    return mito_serve_python(router, &modules);
}

int python_run_serve_own(const struct python_run *p, struct mito_router *router)
{
    char *directory = p->script != NULL ? directory_of(p->script) : NULL;
    const char *directories[] = {directory, NULL};
    int result = python_run_serve(router, directories);
    free(directory);
    return result;
}

int python_run_call(const struct python_run *p, struct mito_context *context,
                    struct mito_receiver *rx, void *tag, const struct mito_value *argv, int window)
{
    const char *kind = p->script != NULL ? "script" : "expression";
    const char *path = p->script != NULL ? p->script : "<expression>";
    return mito_call_python_async(context, "mitosis_run", "run", rx, tag, "syyvri", kind, path,
                                  strlen(path), (const void *)p->source.data, p->source.length,
                                  argv, rx, window);
}
