/* What the command wants to know of an ELF file in memory, which may be damaged: no part that is
 * found lies outside of it. */
#ifndef CLI_ELF_H
#define CLI_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf {
    const uint8_t *data;
    size_t size;
    bool wide; /* of 64 bits */
};

struct elf_part {
    const uint8_t *data;
    size_t size;
};

/* False unless it is one, of a little endian machine. */
bool elf_open(struct elf *e, const void *data, size_t size);
/* The kind of machine as the first stage says it, or NULL for those that there are no images for.
 */
const char *elf_kind(const struct elf *e);
bool elf_is_object(const struct elf *e);  /* to be linked */
bool elf_is_program(const struct elf *e); /* an executable */
bool elf_needs_loader(const struct elf *e);
/* The content of the first section of that name. */
bool elf_section(const struct elf *e, const char *name, struct elf_part *out);
/* What the linker put into the program (--build-id). */
bool elf_build_id(const struct elf *e, struct elf_part *out);

#endif
