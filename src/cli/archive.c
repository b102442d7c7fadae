#include "archive.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "number.h"
#include "scratch.h"

enum { MAGIC_SIZE = 8, HEADER_SIZE = 60, NAME_SIZE = 16, SIZE_AT = 48, SIZE_SIZE = 10 };

struct reader {
    const char *file;
    const struct bytes *content;
    bool thin;
    const char *names; /* the long ones, each ended by "/\n" */
    size_t names_size;
    int (*each)(void *arg, const char *name, const char *data, size_t size);
    void *arg;
    struct complaint *why;
};

static bool begins(const struct bytes *content, const char *magic)
{
    return content->length >= MAGIC_SIZE && memcmp(content->data, magic, MAGIC_SIZE) == 0;
}

bool archive_is_one(const struct bytes *content)
{
    return begins(content, "!<arch>\n") || begins(content, "!<thin>\n");
}

/* A field of a header: digits with blanks behind them. */
static bool parse_field(const char *field, size_t size, size_t *out)
{
    char text[32];
    int64_t number = 0;
    while (size > 0 && field[size - 1] == ' ')
        size--;
    memcpy(text, field, size);
    text[size] = '\0';
    *out = number_parse(text, 0, INT64_MAX / 16, &number) ? (size_t)number : 0;
    return number > 0 || strcmp(text, "0") == 0;
}

/* NULL when the header makes no sense. */
static char *name_of(const struct reader *r, const char *header)
{
    const char *name = header;
    size_t left = NAME_SIZE, at = 0, length = 0;
    if (name[0] == '/' && name[1] >= '0' && name[1] <= '9') {
        if (!parse_field(name + 1, NAME_SIZE - 1, &at) || at >= r->names_size)
            return NULL;
        name = r->names + at;
        left = r->names_size - at;
    }
    while (length < left && name[length] != '\n' &&
           !(name[length] == '/' &&
             (name == header || length + 1 == left || name[length + 1] == '\n')))
        length++;
    return memory_text_n(name, length);
}

/* The file of a member of a thin archive: relative to where the archive is. */
static int give_file(struct reader *r, const char *name)
{
    struct bytes content = {0};
    int directory = name[0] == '/' ? 0 : (int)(file_name(r->file) - r->file);
    char *path = memory_printf("%.*s%s", directory, r->file, name);
    int result = file_read(path, &content, r->why);
    if (result == 0)
        result = r->each(r->arg, name, content.data, content.length);
    bytes_free(&content);
    free(path);
    return result;
}

/* One member, at *at, which moves on. */
static int give_member(struct reader *r, size_t *at)
{
    const char *header = r->content->data + *at;
    size_t left = r->content->length - *at, size = 0;
    if (left < HEADER_SIZE || !parse_field(header + SIZE_AT, SIZE_SIZE, &size))
        return complain(r->why, "%s: damaged", r->file);
    bool is_symbols = memcmp(header, "/ ", 2) == 0 || memcmp(header, "/SYM64/", 7) == 0;
    bool is_names = memcmp(header, "//", 2) == 0;
    bool is_inside = is_symbols || is_names || !r->thin;
    if (is_inside && size > left - HEADER_SIZE)
        return complain(r->why, "%s: cut short", r->file);
    *at += HEADER_SIZE + (is_inside ? size + size % 2 : 0);
    if (is_names) {
        r->names = header + HEADER_SIZE;
        r->names_size = size;
    }
    if (is_symbols || is_names)
        return 0;
    char *name = name_of(r, header);
    if (name == NULL)
        return complain(r->why, "%s: damaged", r->file);
    int result = r->thin ? give_file(r, name) : r->each(r->arg, name, header + HEADER_SIZE, size);
    free(name);
    return result;
}

int archive_each(const char *file, const struct bytes *content,
                 int (*each)(void *arg, const char *name, const char *data, size_t size), void *arg,
                 struct complaint *why)
{
    struct reader r = {.file = file, .content = content, .each = each, .arg = arg, .why = why};
    size_t at = MAGIC_SIZE;
    int result = 0;
    r.thin = begins(content, "!<thin>\n");
    while (result == 0 && at < content->length)
        result = give_member(&r, &at);
    return result;
}
