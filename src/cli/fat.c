#include "fat.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "elf.h"
#include "memory.h"
#include "tool.h"

#define SECTION ".mitosis.object."

int fat_make(const char *object, const struct fat_part *parts, size_t count, struct complaint *why)
{
    struct words argv = {.items = NULL};
    char *texts[2 * KINDS], *objcopy = kind_tool(kind_own(), "objcopy", why);
    if (objcopy == NULL)
        return -1;
    words_add(&argv, objcopy);
    for (size_t i = 0; i < count; i++) {
        const char *name = parts[i].kind->name;
        texts[2 * i] = memory_printf(SECTION "%s=%s", name, parts[i].file);
        texts[2 * i + 1] = memory_printf(SECTION "%s=exclude,readonly", name);
        words_add(&argv, "--add-section");
        words_add(&argv, texts[2 * i]);
        words_add(&argv, "--set-section-flags");
        words_add(&argv, texts[2 * i + 1]);
    }
    words_add(&argv, object);
    int result = tool_must(&(struct tool){argv.items, -1, -1, -1}, why);
    for (size_t i = 0; i < 2 * count; i++)
        free(texts[i]);
    words_free(&argv);
    free(objcopy);
    return result;
}

enum verdict {
    NO_OBJECT,
    FITS, /* it is for that kind */
    FAT,  /* something in it is */
    LACKS,
};

static enum verdict look(const void *data, size_t size, const struct kind *kind,
                         struct elf_part *part)
{
    struct elf elf;
    char section[64] = SECTION;
    strcat(section, kind->name);
    if (!elf_open(&elf, data, size) || !elf_is_object(&elf))
        return NO_OBJECT;
    if (elf_section(&elf, section, part))
        return FAT;
    const char *name = elf_kind(&elf);
    return name != NULL && strcmp(name, kind->name) == 0 ? FITS : LACKS;
}

static int lacks(const char *file, const char *member, const struct kind *kind,
                 struct complaint *why)
{
    return complain(
        why,
        "%s%s%s has nothing for %s in it: compile it with mitosis cc, and name the same "
        "kinds with --targets, or in MITOSIS_TARGETS, when compiling and linking",
        file, *member == '\0' ? "" : ": ", member, kind->name);
}

/* --- archives --------------------------------------------------------------------------------- */

struct taking {
    const char *file;
    const struct kind *kind;
    struct scratch *scratch;
    struct words members; /* files with what was taken; each is freed in the end */
    const char *lacks;    /* the first member without it */
    bool fits;            /* there is one that fits as it is */
    struct complaint *why;
};

static int take_member(void *arg, const char *name, const char *data, size_t size)
{
    struct taking *t = arg;
    struct elf_part part;
    switch (look(data, size, t->kind, &part)) {
    case NO_OBJECT:
        return 0;
    case FITS:
        t->fits = true;
        return 0;
    case LACKS:
        if (t->lacks == NULL)
            t->lacks = memory_text(name);
        return 0;
    case FAT:
        break;
    }
    char *file = scratch_file(t->scratch, file_name(name), t->why);
    if (file == NULL)
        return -1;
    words_add(&t->members, file);
    return file_write(file, part.data, part.size, 0600, t->why);
}

static char *make_archive(struct taking *t)
{
    struct words argv = {.items = NULL};
    char *archive = scratch_file(t->scratch, "members.a", t->why);
    char *ar = archive == NULL ? NULL : kind_tool(t->kind, "ar", t->why);
    words_add(&argv, ar);
    words_add(&argv, "qcsD");
    words_add(&argv, archive);
    for (size_t i = 0; i < t->members.count; i++)
        words_add(&argv, t->members.items[i]);
    if (ar == NULL || tool_must(&(struct tool){argv.items, -1, -1, -1}, t->why) < 0) {
        free(archive);
        archive = NULL;
    }
    words_free(&argv);
    free(ar);
    return archive;
}

/* NULL with an empty complaint when it is not made of fat objects. */
static char *take_archive(const char *file, const struct bytes *content, const struct kind *kind,
                          struct scratch *scratch, struct complaint *why)
{
    struct taking t = {.file = file, .kind = kind, .scratch = scratch, .why = why};
    char *archive = NULL;
    *why->text = '\0';
    if (archive_each(file, content, take_member, &t, why) == 0) {
        if (t.members.count > 0 && t.lacks != NULL)
            lacks(file, t.lacks, kind, why);
        else if (t.members.count > 0)
            archive = make_archive(&t);
        else if (t.lacks == NULL || t.fits)
            archive = memory_text(file);
    }
    for (size_t i = 0; i < t.members.count; i++)
        free((void *)(uintptr_t)t.members.items[i]);
    words_free(&t.members);
    free((void *)(uintptr_t)t.lacks);
    return archive;
}

/* --- what stands on the command line ---------------------------------------------------------- */

static char *take_object(const char *file, const struct bytes *content, const struct kind *kind,
                         struct scratch *scratch, struct complaint *why)
{
    struct elf_part part;
    enum verdict verdict = look(content->data, content->length, kind, &part);
    if (verdict == LACKS)
        lacks(file, "", kind, why);
    if (verdict != FAT)
        return verdict == LACKS ? NULL : memory_text(file);
    char *object = scratch_file(scratch, file_name(file), why);
    if (object != NULL && file_write(object, part.data, part.size, 0600, why) < 0) {
        free(object);
        object = NULL;
    }
    return object;
}

char *fat_take(const char *file, const struct kind *kind, struct scratch *scratch,
               struct complaint *why)
{
    struct bytes content = {0};
    char *taken = NULL;
    if (file_read(file, &content, why) == 0) {
        if (archive_is_one(&content)) {
            taken = take_archive(file, &content, kind, scratch, why);
            if (taken == NULL && *why->text == '\0')
                lacks(file, "", kind, why);
        } else {
            taken = take_object(file, &content, kind, scratch, why);
        }
    }
    bytes_free(&content);
    return taken;
}

char *fat_take_library(const char *option, const char *const *directories, const struct kind *kind,
                       struct scratch *scratch, struct complaint *why)
{
    const char *name = option + 2;
    for (; directories != NULL && *directories != NULL; directories++) {
        char *file = *name == ':' ? memory_printf("%s/%s", *directories, name + 1)
                                  : memory_printf("%s/lib%s.a", *directories, name);
        struct bytes content = {0};
        char *taken = NULL;
        bool is_there = access(file, R_OK) == 0 && file_read(file, &content, why) == 0;
        *why->text = '\0';
        if (is_there && archive_is_one(&content))
            taken = take_archive(file, &content, kind, scratch, why);
        bytes_free(&content);
        free(file);
        if (is_there)
            return taken != NULL || *why->text != '\0' ? taken : memory_text(option);
    }
    return memory_text(option);
}
