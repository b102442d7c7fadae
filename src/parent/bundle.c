#include "parent/bundle.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

static const char magic[8] = "MITOIMG1";

enum {
    SECTION_PROGBITS = 1,
    SECTION_HEADER_MAX = 64,
    TABLE_HEADER = sizeof magic + 4,
    KIND_SIZE = 16,
    ENTRY_SIZE = KIND_SIZE + 3 * 4 + SHA256_SIZE,
};

/* A file of which every part that is read lies within `size`. */
struct file {
    int fd;
    uint64_t size;
};

/* A part of it. */
struct part {
    uint64_t offset, size;
};

/* Where the numbers of the two classes of ELF files are. */
struct layout {
    uint8_t header_size, word, table, entry_size; /* word: the size of offsets */
    uint8_t section_size, offset, size;           /* of a section header */
};
static const struct layout layouts[] = {
    {.header_size = 52, .word = 4, .table = 32, .entry_size = 46, 40, 16, 20},
    {.header_size = 64, .word = 8, .table = 40, .entry_size = 58, 64, 24, 32},
};

static int damaged(const char *what)
{
    return error_set(MITO_E_MALFORMED, "the executable or the images in it are damaged: %s", what);
}

static int read_at(const struct file *f, uint64_t offset, void *out, size_t size)
{
    uint8_t *to = out;
    if (offset > f->size || size > f->size - offset)
        return damaged("cut short");
    while (size > 0) {
        ssize_t n = pread(f->fd, to, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? damaged("it shrinks while it is read")
                          : error_errno("reading the executable");
        to += n;
        size -= (size_t)n;
        offset += (size_t)n;
    }
    return 0;
}

static uint64_t little_endian(const uint8_t *p, unsigned size)
{
    uint64_t x = 0;
    while (size > 0)
        x = x << 8 | p[--size];
    return x;
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Where a section's content is, and the offset of its name, which is returned. */
static uint32_t parse_section(const struct layout *l, const uint8_t *header, struct part *out)
{
    out->offset = little_endian(header + l->offset, l->word);
    out->size = little_endian(header + l->size, l->word);
    return (uint32_t)little_endian(header, 4);
}

static bool is_ours(const struct file *f, const struct part *names, uint32_t name)
{
    char text[sizeof BUNDLE_SECTION];
    return name <= names->size && sizeof text <= names->size - name &&
           read_at(f, names->offset + name, text, sizeof text) == 0 &&
           memcmp(text, BUNDLE_SECTION, sizeof text) == 0;
}

/* Fills *out; its size stays 0 when there is no such section. */
static int find_section(const struct file *f, struct part *out)
{
    uint8_t elf[64] = {0}, header[SECTION_HEADER_MAX];
    struct part names;
    if (f->size < layouts[0].header_size ||
        read_at(f, 0, elf, f->size < sizeof elf ? (size_t)f->size : sizeof elf) < 0 ||
        memcmp(elf, "\177ELF", 4) != 0 || elf[4] < 1 || elf[4] > 2 || elf[5] != 1)
        return error_set(MITO_E_MALFORMED, "not an ELF executable of a little endian machine");
    const struct layout *l = &layouts[elf[4] - 1];
    if (f->size < l->header_size)
        return damaged("cut short");
    uint64_t table = little_endian(elf + l->table, l->word);
    unsigned entry_size = (unsigned)little_endian(elf + l->entry_size, 2);
    unsigned count = (unsigned)little_endian(elf + l->entry_size + 2, 2);
    unsigned index = (unsigned)little_endian(elf + l->entry_size + 4, 2);
    if (table == 0 || count == 0)
        return 0;
    if (table > f->size || entry_size != l->section_size || index >= count)
        return damaged("table of sections");
    if (read_at(f, table + (uint64_t)index * entry_size, header, entry_size) < 0)
        return -1;
    parse_section(l, header, &names);
    for (unsigned i = 0; i < count; i++) {
        struct part part;
        if (read_at(f, table + (uint64_t)i * entry_size, header, entry_size) < 0)
            return -1;
        uint32_t name = parse_section(l, header, &part);
        if (little_endian(header + 4, 4) == SECTION_PROGBITS && is_ours(f, &names, name)) {
            *out = part;
            return part.size > 0 ? 0 : damaged("empty");
        }
    }
    return 0;
}

static bool is_kind(const char kind[KIND_SIZE])
{
    size_t length = strnlen(kind, KIND_SIZE);
    for (size_t i = length; i < KIND_SIZE; i++) {
        if (kind[i] != '\0')
            return false;
    }
    return length > 0 && length < KIND_SIZE &&
           strspn(kind, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

/* Is it an entry that makes sense? `first` is where the table ends. */
static bool parse_entry(const uint8_t *entry, const struct part *section, uint64_t first,
                        struct bundle_image *out)
{
    const uint8_t *numbers = entry + KIND_SIZE;
    uint32_t offset = big_endian(numbers);
    memcpy(out->kind, entry, KIND_SIZE);
    out->packed_size = big_endian(numbers + 4);
    out->plain_size = big_endian(numbers + 8);
    memcpy(out->sha256, numbers + 12, SHA256_SIZE);
    out->offset = section->offset + offset;
    return is_kind(out->kind) && out->packed_size > 0 && out->plain_size > 0 &&
           out->packed_size <= BUNDLE_IMAGE_MAX && out->plain_size <= BUNDLE_IMAGE_MAX &&
           offset >= first && offset <= section->size && out->packed_size <= section->size - offset;
}

static int read_table(struct bundle *b, const struct file *f, const struct part *section)
{
    uint8_t header[TABLE_HEADER], entry[ENTRY_SIZE];
    if (section->offset > f->size || section->size > f->size - section->offset)
        return damaged("cut short");
    if (section->size < sizeof header)
        return damaged("too short");
    if (read_at(f, section->offset, header, sizeof header) < 0)
        return -1;
    uint32_t count = big_endian(header + sizeof magic);
    uint64_t first = sizeof header + (uint64_t)count * sizeof entry;
    if (memcmp(header, magic, sizeof magic) != 0)
        return damaged("of another version");
    if (count > BUNDLE_MOST || first > section->size)
        return damaged("number of images");
    for (uint32_t i = 0; i < count; i++) {
        struct bundle_image *image = &b->images[i];
        if (read_at(f, section->offset + sizeof header + i * sizeof entry, entry, sizeof entry) < 0)
            return -1;
        if (!parse_entry(entry, section, first, image) || bundle_find(b, image->kind) != NULL)
            return damaged("table of images");
        b->count++;
    }
    return 0;
}

int bundle_open(struct bundle *b, int fd)
{
    struct stat st;
    struct part section = {0, 0};
    b->fd = fd;
    b->count = 0;
    if (fstat(fd, &st) < 0)
        return error_errno("reading the executable");
    struct file file = {fd, (uint64_t)st.st_size};
    if (find_section(&file, &section) < 0)
        return -1;
    if (section.size > 0 && read_table(b, &file, &section) < 0) {
        b->count = 0;
        return -1;
    }
    return 0;
}

const struct bundle_image *bundle_find(const struct bundle *b, const char *kind)
{
    for (uint32_t i = 0; i < b->count; i++) {
        if (strcmp(b->images[i].kind, kind) == 0)
            return &b->images[i];
    }
    return NULL;
}

int bundle_read(const struct bundle *b, const struct bundle_image *image, struct buf *out)
{
    struct file file = {b->fd, image->offset + image->packed_size};
    if (buf_reserve(out, image->packed_size) < 0 ||
        read_at(&file, image->offset, out->data + out->length, image->packed_size) < 0)
        return -1;
    out->length += image->packed_size;
    return 0;
}
