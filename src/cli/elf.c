#include "elf.h"

#include <elf.h>
#include <string.h>

/* Where the numbers of the two classes are: their offsets in the headers, their sizes. */
struct layout {
    size_t header, word;
    size_t sections, section, section_count; /* in the file's header; the size of a row */
    size_t section_offset, section_size;     /* in a row */
    size_t segments, segment, segment_count; /* likewise */
    size_t segment_offset, segment_size;
};

#define LAYOUT(N)                                                                                  \
    {                                                                                              \
        sizeof(Elf##N##_Ehdr), sizeof(Elf##N##_Off), offsetof(Elf##N##_Ehdr, e_shoff),             \
            sizeof(Elf##N##_Shdr), offsetof(Elf##N##_Ehdr, e_shnum),                               \
            offsetof(Elf##N##_Shdr, sh_offset), offsetof(Elf##N##_Shdr, sh_size),                  \
            offsetof(Elf##N##_Ehdr, e_phoff), sizeof(Elf##N##_Phdr),                               \
            offsetof(Elf##N##_Ehdr, e_phnum), offsetof(Elf##N##_Phdr, p_offset),                   \
            offsetof(Elf##N##_Phdr, p_filesz),                                                     \
    }
static const struct layout layouts[] = {LAYOUT(32), LAYOUT(64)};

static const struct {
    const char *kind;
    uint16_t machine;
    bool wide;
} machines[] = {
    {"x86_64", EM_X86_64, true}, {"aarch64", EM_AARCH64, true}, {"armv7", EM_ARM, false},
    {"riscv64", EM_RISCV, true}, {"i386", EM_386, false},
};

static const struct layout *layout(const struct elf *e)
{
    return &layouts[e->wide];
}

/* 0 for what is not within the file. */
static uint64_t number(const struct elf *e, uint64_t at, size_t size)
{
    uint64_t x = 0;
    if (at > e->size || size > e->size - at)
        return 0;
    while (size > 0)
        x = x << 8 | e->data[at + --size];
    return x;
}

static bool part(const struct elf *e, uint64_t offset, uint64_t size, struct elf_part *out)
{
    if (offset > e->size || size > e->size - offset)
        return false;
    *out = (struct elf_part){e->data + offset, (size_t)size};
    return true;
}

bool elf_open(struct elf *e, const void *data, size_t size)
{
    *e = (struct elf){.data = data, .size = size};
    if (size < EI_NIDENT || memcmp(data, ELFMAG, SELFMAG) != 0 || e->data[EI_DATA] != ELFDATA2LSB)
        return false;
    e->wide = e->data[EI_CLASS] == ELFCLASS64;
    return (e->wide || e->data[EI_CLASS] == ELFCLASS32) && size >= layout(e)->header;
}

const char *elf_kind(const struct elf *e)
{
    uint64_t machine = number(e, offsetof(Elf64_Ehdr, e_machine), 2);
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        if (machines[i].machine == machine && machines[i].wide == e->wide)
            return machines[i].kind;
    }
    return NULL;
}

static uint64_t type_of(const struct elf *e)
{
    return number(e, offsetof(Elf64_Ehdr, e_type), 2);
}

bool elf_is_object(const struct elf *e)
{
    return type_of(e) == ET_REL;
}

/* The offset of a segment's row, or 0 behind the last. */
static uint64_t segment(const struct elf *e, uint64_t index)
{
    const struct layout *l = layout(e);
    uint64_t table = number(e, l->segments, l->word);
    if (table > e->size || index >= number(e, l->segment_count, 2))
        return 0;
    return table + index * l->segment;
}

bool elf_is_program(const struct elf *e)
{
    return (type_of(e) == ET_EXEC || type_of(e) == ET_DYN) && segment(e, 0) != 0;
}

bool elf_needs_loader(const struct elf *e)
{
    uint64_t row = 0;
    for (uint64_t i = 0; (row = segment(e, i)) != 0; i++) {
        if (number(e, row, 4) == PT_INTERP)
            return true;
    }
    return false;
}

/* Where the row of a section is; the table is known to begin within the file. */
static bool section(const struct elf *e, uint64_t index, uint64_t *row, struct elf_part *out)
{
    const struct layout *l = layout(e);
    *row = number(e, l->sections, l->word) + index * l->section;
    return *row <= e->size && l->section <= e->size - *row &&
           number(e, *row + offsetof(Elf64_Shdr, sh_type), 4) != SHT_NOBITS &&
           part(e, number(e, *row + l->section_offset, l->word),
                number(e, *row + l->section_size, l->word), out);
}

static bool is_named(const struct elf_part *names, uint64_t at, const char *name)
{
    size_t size = strlen(name) + 1;
    return at <= names->size && size <= names->size - at &&
           memcmp(names->data + at, name, size) == 0;
}

bool elf_section(const struct elf *e, const char *name, struct elf_part *out)
{
    const struct layout *l = layout(e);
    uint64_t table = number(e, l->sections, l->word), row = 0;
    uint64_t count = number(e, l->section_count, 2),
             names_index = number(e, l->section_count + 2, 2);
    struct elf_part names;
    if (table == 0 || table > e->size)
        return false;
    /* Numbers that are too large for their fields are in the first section's row. */
    if (count == 0)
        count = number(e, table + l->section_size, l->word);
    if (names_index == SHN_XINDEX)
        names_index = number(e, table + l->section_size + l->word, 4);
    if (!section(e, names_index, &row, &names))
        return false;
    for (uint64_t i = 1; i < count && table + i * l->section < e->size; i++) {
        if (section(e, i, &row, out) && is_named(&names, number(e, row, 4), name))
            return true;
    }
    return false;
}

static bool find_note(const struct elf *e, const struct elf_part *notes, struct elf_part *out)
{
    enum { HEADER = sizeof(Elf64_Nhdr) };
    uint64_t at = (uint64_t)(notes->data - e->data), end = at + notes->size;
    while (end - at >= HEADER) {
        uint64_t name_size = number(e, at, 4), size = number(e, at + 4, 4);
        uint64_t name = at + HEADER, content = name + (name_size + 3) / 4 * 4;
        if (content > end || size > end - content)
            return false;
        if (number(e, at + 8, 4) == NT_GNU_BUILD_ID && name_size == sizeof ELF_NOTE_GNU &&
            memcmp(e->data + name, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0)
            return part(e, content, size, out);
        at = content + (size + 3) / 4 * 4;
        if (at > end)
            return false;
    }
    return false;
}

bool elf_build_id(const struct elf *e, struct elf_part *out)
{
    const struct layout *l = layout(e);
    uint64_t row = 0;
    struct elf_part notes;
    for (uint64_t i = 0; (row = segment(e, i)) != 0; i++) {
        if (number(e, row, 4) == PT_NOTE &&
            part(e, number(e, row + l->segment_offset, l->word),
                 number(e, row + l->segment_size, l->word), &notes) &&
            find_note(e, &notes, out))
            return true;
    }
    return false;
}
