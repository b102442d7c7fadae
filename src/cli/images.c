#include "images.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf.h"
#include "memory.h"
#include "tool.h"

#define SECTION ".mitosis.images"

enum { IMAGE_MAX = 256 * 1024 * 1024, ENTRY_SIZE = 60, KIND_SIZE = 16 };

static const char magic[8] = "MITOIMG1";

struct image *images_find(struct images *images, const struct kind *kind)
{
    for (size_t i = 0; i < images->count; i++) {
        if (images->items[i].kind == kind)
            return &images->items[i];
    }
    return NULL;
}

void images_free(struct images *images)
{
    for (size_t i = 0; i < images->count; i++)
        bytes_free(&images->items[i].packed);
    images->count = 0;
}

/* The place for an image of that kind, which is empty. */
static struct image *place(struct images *images, const struct kind *kind)
{
    struct image *image = images_find(images, kind);
    if (image == NULL)
        image = &images->items[images->count++];
    bytes_free(&image->packed);
    *image = (struct image){.kind = kind};
    return image;
}

/* --- those of a file ------------------------------------------------------------------------- */

struct loading {
    struct images *images;
    const struct bytes *file;
    struct complaint *why;
};

static int load(void *arg, const struct mito_image *from)
{
    struct loading *l = arg;
    const struct kind *kind = kind_find(from->kind);
    if (kind == NULL)
        return complain(l->why, "an image for a kind of machine that is not known: %s", from->kind);
    if (from->offset > l->file->length || from->packed_size > l->file->length - from->offset)
        return complain(l->why, "it is changed while it is read");
    struct image *image = place(l->images, kind);
    image->size = from->size;
    memcpy(image->sha256, from->sha256, sizeof image->sha256);
    bytes_add(&image->packed, l->file->data + from->offset, from->packed_size);
    return 0;
}

int images_load(struct images *images, const char *file, struct complaint *why)
{
    struct bytes content = {0};
    struct loading loading = {images, &content, why};
    int result = file_read(file, &content, why);
    *why->text = result < 0 ? *why->text : '\0';
    if (result == 0 && mito_images(file, load, &loading) < 0)
        result = *why->text == '\0' ? complain(why, "%s", mito_error())
                                    : complain_prefix(why, "%s", file);
    bytes_free(&content);
    return result;
}

/* --- packing --------------------------------------------------------------------------------- */

/* A file without a name, to be read from its start; -1 with a complaint. */
static int anonymous_file(const struct bytes *content, struct complaint *why)
{
    int fd = memfd_create("mitosis", MFD_CLOEXEC);
    size_t done = 0;
    while (fd >= 0 && done < content->length) {
        ssize_t n = write(fd, content->data + done, content->length - done);
        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0 && done == content->length && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    complain(why, "cannot keep a file in memory: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int gzip(const char *options, const struct bytes *in, size_t most, struct bytes *out,
                struct complaint *why)
{
    const char *argv[] = {"gzip", options, NULL};
    int fd = anonymous_file(in, why);
    if (fd < 0)
        return -1;
    int result = tool_read(&(struct tool){argv, fd, -1, -1}, most, out, why);
    close(fd);
    return result;
}

static int look(const struct bytes *content, struct program *out, struct complaint *why)
{
    struct elf elf;
    struct elf_part id = {NULL, 0};
    if (!elf_open(&elf, content->data, content->length) || !elf_is_program(&elf))
        return complain(why, "no executable");
    const char *name = elf_kind(&elf);
    if (name == NULL)
        return complain(why, "an executable for a kind of machine that there are no images for");
    *out = (struct program){.kind = kind_find(name), .is_static = !elf_needs_loader(&elf)};
    if (elf_build_id(&elf, &id) && 2 * id.size < sizeof out->build_id) {
        for (size_t i = 0; i < id.size; i++)
            snprintf(out->build_id + 2 * i, 3, "%02x", id.data[i]);
    }
    return 0;
}

int program_look(const char *file, struct program *out, struct complaint *why)
{
    struct bytes content = {0};
    int result = file_read(file, &content, why);
    if (result == 0 && look(&content, out, why) < 0)
        result = complain_prefix(why, "%s", file);
    bytes_free(&content);
    return result;
}

/* What is sent to a machine has to run there with nothing but itself. */
static int check_program(const struct bytes *content, struct program *out, struct complaint *why)
{
    if (look(content, out, why) < 0)
        return -1;
    if (!out->is_static)
        return complain(why, "not static: it would need its libraries on every machine. Build it "
                             "with mitosis cc, or against musl with -static");
    return 0;
}

int image_unpack(const struct image *image, struct bytes *plain, struct program *program,
                 struct complaint *why)
{
    uint8_t hash[MITO_SHA256_SIZE];
    if (gzip("-dc", &image->packed, image->size, plain, why) < 0)
        return -1;
    if (plain->length != image->size)
        return complain(why, "%zu bytes, where there should be %u", plain->length,
                        (unsigned)image->size);
    mito_sha256(plain->data, plain->length, hash);
    if (memcmp(hash, image->sha256, sizeof hash) != 0)
        return complain(why, "its SHA-256 is not the one that is noted");
    if (check_program(plain, program, why) < 0)
        return -1;
    if (program->kind != image->kind)
        return complain(why, "a program for %s", program->kind->name);
    return 0;
}

char *image_bare(const char *file, const struct kind *kind, struct scratch *scratch,
                 struct complaint *why)
{
    char *bare = scratch_file(scratch, "bare", why);
    char *objcopy = bare == NULL ? NULL : kind_tool(kind, "objcopy", why);
    const char *argv[] = {objcopy, "-S", "--remove-section", SECTION, file, bare, NULL};
    if (objcopy == NULL || tool_must(&(struct tool){argv, -1, -1, -1}, why) < 0) {
        free(bare);
        bare = NULL;
    }
    free(objcopy);
    return bare;
}

/* Is there more in it than runs? */
static bool is_bare(const struct bytes *program)
{
    static const char *const extra[] = {SECTION, ".symtab", ".debug_info"};
    struct elf elf;
    struct elf_part part;
    bool is = elf_open(&elf, program->data, program->length);
    for (size_t i = 0; i < sizeof extra / sizeof *extra; i++)
        is = is && !elf_section(&elf, extra[i], &part);
    return is;
}

/* Replaces what was read of the file by what remains. */
static int strip(const char *file, const struct kind *kind, struct bytes *program,
                 struct scratch *scratch, struct complaint *why)
{
    char *bare = image_bare(file, kind, scratch, why);
    bytes_free(program);
    int result = bare == NULL ? -1 : file_read(bare, program, why);
    free(bare);
    return result;
}

int images_add_program(struct images *images, const char *file, struct scratch *scratch,
                       struct complaint *why)
{
    struct bytes plain = {0}, packed = {0};
    struct program program;
    int result = file_read(file, &plain, why);
    if (result == 0 && check_program(&plain, &program, why) < 0)
        result = complain_prefix(why, "%s", file);
    if (result == 0 && !is_bare(&plain))
        result = strip(file, program.kind, &plain, scratch, why);
    if (result == 0 && plain.length > IMAGE_MAX)
        result = complain(why, "%s: larger than %d MiB", file, IMAGE_MAX >> 20);
    if (result == 0 && gzip("-9nc", &plain, IMAGE_MAX, &packed, why) < 0)
        result = complain_prefix(why, "%s", file);
    if (result == 0) {
        struct image *image = place(images, program.kind);
        image->size = (uint32_t)plain.length;
        mito_sha256(plain.data, plain.length, image->sha256);
        image->packed = packed;
        packed = (struct bytes){0};
    }
    bytes_free(&plain);
    bytes_free(&packed);
    return result;
}

/* --- binding --------------------------------------------------------------------------------- */

static void add_number(struct bytes *out, uint64_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        bytes_add_char(out, (char)(number >> shift & 0xff));
}

/* As src/parent/bundle.h has it. */
static void lay_out(const struct images *images, struct bytes *out)
{
    uint64_t offset = sizeof magic + 4 + images->count * ENTRY_SIZE;
    bytes_add(out, magic, sizeof magic);
    add_number(out, images->count);
    for (size_t i = 0; i < images->count; i++) {
        const struct image *image = &images->items[i];
        char kind[KIND_SIZE] = "";
        memcpy(kind, image->kind->name, strlen(image->kind->name));
        bytes_add(out, kind, sizeof kind);
        add_number(out, offset);
        add_number(out, image->packed.length);
        add_number(out, image->size);
        bytes_add(out, image->sha256, sizeof image->sha256);
        offset += image->packed.length;
    }
    for (size_t i = 0; i < images->count; i++)
        bytes_add(out, images->items[i].packed.data, images->items[i].packed.length);
}

static int put_section(const struct images *images, const char *file, const char *out,
                       struct scratch *scratch, struct complaint *why)
{
    struct program program;
    if (program_look(file, &program, why) < 0)
        return -1;
    struct bytes content = {0};
    char *section = scratch_file(scratch, "images", why);
    char *objcopy = section == NULL ? NULL : kind_tool(program.kind, "objcopy", why);
    char *add = memory_printf("%s=%s", SECTION, section == NULL ? "" : section);
    /* Without an image only what was there is taken away. */
    const char *argv[] = {objcopy,
                          "--remove-section",
                          SECTION,
                          images->count > 0 ? "--add-section" : "--remove-section",
                          images->count > 0 ? add : SECTION,
                          file,
                          out,
                          NULL};
    int result = objcopy == NULL ? -1 : 0;
    lay_out(images, &content);
    if (result == 0 && content.length > UINT32_MAX)
        result = complain(why, "the images are larger than 4 GiB");
    if (result == 0)
        result = file_write(section, content.data, content.length, 0600, why);
    if (result == 0)
        result = tool_must(&(struct tool){argv, -1, -1, -1}, why);
    bytes_free(&content);
    free(section);
    free(objcopy);
    free(add);
    return result;
}

/* A static program is sent to machines of its own kind itself. But contexts of other kinds, which
 * are no such program, may be asked to start one there, and get it from what is bound. */
static int add_itself(struct images *images, const char *file, struct scratch *scratch,
                      struct complaint *why)
{
    struct program program;
    if (program_look(file, &program, why) < 0)
        return -1;
    if (!program.is_static || images->count == 0 || images_find(images, program.kind) != NULL)
        return 0;
    if (images_add_program(images, file, scratch, why) < 0)
        return -1;
    struct image last = images->items[images->count - 1];
    memmove(images->items + 1, images->items, (images->count - 1) * sizeof *images->items);
    images->items[0] = last;
    return 0;
}

int images_bind(struct images *images, const char *file, const char *out, struct scratch *scratch,
                struct complaint *why)
{
    struct bytes bound = {0};
    struct stat st = {.st_mode = 0};
    char *path = scratch_file(scratch, "bound", why);
    int result = path == NULL ? -1 : add_itself(images, file, scratch, why);
    if (result == 0)
        result = put_section(images, file, path, scratch, why);
    if (result == 0)
        result = file_read(path, &bound, why);
    if (result == 0 && stat(file, &st) == 0)
        result = file_write(out, bound.data, bound.length, st.st_mode & 07777, why);
    bytes_free(&bound);
    free(path);
    return result;
}
