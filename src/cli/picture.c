#include "picture.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "printable.h"

struct picture_row *picture_add(struct picture *p, const bool *last, size_t depth)
{
    p->rows = memory_grow(p->rows, p->count, &p->capacity, sizeof *p->rows);
    struct picture_row *row = &p->rows[p->count++];
    *row = (struct picture_row){.note = NULL};
    for (size_t i = 0; i < depth; i++) {
        bool own = i + 1 == depth; /* the branch to this row, or one that passes it */
        const char *box = own ? (last[i] ? "└── " : "├── ") : (last[i] ? "    " : "│   ");
        const char *ascii = own ? (last[i] ? "`-- " : "|-- ") : (last[i] ? "    " : "|   ");
        bytes_add_text(&row->cells[0], p->utf8 ? box : ascii);
    }
    return row;
}

void picture_text(const struct picture *p, struct picture_row *row, size_t column, const char *text)
{
    printable_add(&row->cells[column], text, strlen(text), p->utf8);
}

/* Columns that it takes on a terminal, near enough: characters. */
static size_t width(const struct bytes *cell)
{
    size_t characters = 0;
    for (size_t i = 0; i < cell->length; i++)
        characters += (cell->data[i] & 0xc0) != 0x80;
    return characters;
}

static size_t column_width(const struct picture *p, size_t column)
{
    size_t widest = 0;
    for (size_t i = 0; i < p->count; i++) {
        size_t this = width(&p->rows[i].cells[column]);
        widest = this > widest ? this : widest;
    }
    return widest;
}

static void print_row(const struct picture *p, const struct picture_row *row, const size_t *widths,
                      struct bytes *out)
{
    size_t columns = row->note != NULL ? 1 : PICTURE_COLUMNS;
    size_t behind = 0; /* blanks that are due before the next cell with something in it */
    for (size_t i = 0; i < columns; i++) {
        const struct bytes *cell = &row->cells[i];
        for (; cell->length > 0 && behind > 0; behind--)
            bytes_add_char(out, ' ');
        bytes_add(out, cell->data, cell->length);
        behind += widths[i] + 2 - width(cell);
    }
    for (; row->note != NULL && behind > 0; behind--)
        bytes_add_char(out, ' ');
    if (row->note != NULL)
        printable_add(out, row->note, strlen(row->note), p->utf8);
    bytes_add_char(out, '\n');
}

void picture_print(const struct picture *p, struct bytes *out)
{
    size_t widths[PICTURE_COLUMNS];
    for (size_t i = 0; i < PICTURE_COLUMNS; i++)
        widths[i] = column_width(p, i);
    for (size_t i = 0; i < p->count; i++)
        print_row(p, &p->rows[i], widths, out);
}

void picture_free(struct picture *p)
{
    for (size_t i = 0; i < p->count; i++) {
        for (size_t column = 0; column < PICTURE_COLUMNS; column++)
            bytes_free(&p->rows[i].cells[column]);
        free(p->rows[i].note);
    }
    free(p->rows);
    *p = (struct picture){0};
}
