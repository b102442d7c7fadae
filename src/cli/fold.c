/* Folding names into one short list: web01 web02 web03 -> web[01-03].
 *
 * Each name is taken apart into its text and its numbers. Then, one number after the other from the
 * last to the first, names that differ in that number alone become one. A number that has been
 * folded is text from then on, so r1n1 r1n2 r2n1 r2n2 become r1n[1-2] r2n[1-2], then r[1-2]n[1-2].
 */
#include "hosts.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "memory.h"

enum {
    NUMBERS_MAX = 8, /* further numbers of a name count as text */
};

/* Stands for a number in the text of a name; names have no control characters. */
static const char MARK = '\1';

struct entry {
    char *text;
    char *numbers[NUMBERS_MAX]; /* "01", or "01-03,07" once folded */
    size_t count;
    char *key;          /* all but the number that is being folded */
    const char *number; /* that number */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void take_apart(struct entry *e, const char *name)
{
    struct bytes text = {0};
    /* With brackets or marks in it, it could not be read back: it stays as it is. */
    bool whole = strpbrk(name, "[]\1") != NULL;
    while (*name != '\0') {
        size_t digits = 0;
        while (is_digit(name[digits]))
            digits++;
        if (!whole && digits > 0 && digits <= HOSTS_DIGITS_MAX && e->count < NUMBERS_MAX) {
            e->numbers[e->count++] = memory_text_n(name, digits);
            bytes_add_char(&text, MARK);
        } else {
            digits += digits == 0;
            bytes_add(&text, name, digits);
        }
        name += digits;
    }
    e->text = bytes_take_text(&text);
}

static void entry_free(struct entry *e)
{
    for (size_t i = 0; i < e->count; i++)
        free(e->numbers[i]);
    free(e->text);
    free(e->key);
}

static void set_key(struct entry *e, size_t folding)
{
    struct bytes key = {0};
    bytes_add_text(&key, e->text);
    for (size_t i = 0; i < e->count; i++) {
        bytes_add_char(&key, MARK);
        if (i != folding)
            bytes_add_text(&key, e->numbers[i]);
    }
    free(e->key);
    e->key = bytes_take_text(&key);
    e->number = folding < e->count ? e->numbers[folding] : "";
}

/* By value, then by length: 1 01 2 02 10. For folded numbers, by their first. */
static int compare_numbers(const char *a, const char *b)
{
    unsigned long long left = strtoull(a, NULL, 10), right = strtoull(b, NULL, 10);
    if (left != right)
        return left < right ? -1 : 1;
    if (strlen(a) != strlen(b))
        return strlen(a) < strlen(b) ? -1 : 1;
    return strcmp(a, b);
}

static int by_key(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    int order = strcmp(left->key, right->key);
    return order != 0 ? order : compare_numbers(left->number, right->number);
}

static int for_people(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    int order = strcmp(left->text, right->text);
    for (size_t i = 0; order == 0 && i < left->count && i < right->count; i++)
        order = compare_numbers(left->numbers[i], right->numbers[i]);
    return order;
}

/* Is `number` what comes after `before` in a range that starts with `first`? */
static bool follows(const char *first, const char *before, const char *number)
{
    char next[HOSTS_DIGITS_MAX + 3];
    int width = first[0] == '0' && first[1] != '\0' ? (int)strlen(first) : 0;
    snprintf(next, sizeof next, "%0*llu", width, strtoull(before, NULL, 10) + 1);
    return strcmp(next, number) == 0;
}

/* The numbers of the entries, which are sorted, as text: 01-03,07. */
static char *fold_numbers(const struct entry *entries, size_t count)
{
    struct bytes out = {0};
    for (size_t at = 0; at < count;) {
        size_t end = at + 1, last = at;
        for (; end < count; end++) {
            if (strcmp(entries[end].number, entries[last].number) == 0)
                continue; /* the same name again */
            if (!follows(entries[at].number, entries[last].number, entries[end].number))
                break;
            last = end;
        }
        if (out.length > 0)
            bytes_add_char(&out, ',');
        bytes_add_text(&out, entries[at].number);
        if (last != at) {
            bytes_add_char(&out, '-');
            bytes_add_text(&out, entries[last].number);
        }
        at = end;
    }
    return bytes_take_text(&out);
}

/* Joins entries that differ in their number `folding` alone; returns how many are left. */
static size_t fold_once(struct entry *entries, size_t count, size_t folding)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        set_key(&entries[i], folding);
    qsort(entries, count, sizeof *entries, by_key);
    for (size_t at = 0, end = 0; at < count; at = end) {
        for (end = at + 1; end < count && strcmp(entries[at].key, entries[end].key) == 0;)
            end++;
        if (folding < entries[at].count) {
            char *folded = fold_numbers(entries + at, end - at);
            free(entries[at].numbers[folding]);
            entries[at].numbers[folding] = folded;
        }
        for (size_t i = at + 1; i < end; i++)
            entry_free(&entries[i]);
        entries[kept++] = entries[at];
    }
    return kept;
}

static void print_entry(struct bytes *out, const struct entry *e)
{
    size_t number = 0;
    for (const char *at = e->text; *at != '\0'; at++) {
        if (*at != MARK || number == e->count) {
            bytes_add_char(out, *at);
            continue;
        }
        const char *text = e->numbers[number++];
        bool folded = strpbrk(text, "-,") != NULL;
        if (folded)
            bytes_add_char(out, '[');
        bytes_add_text(out, text);
        if (folded)
            bytes_add_char(out, ']');
    }
}

char *hosts_fold(const char *const *names, size_t count)
{
    struct bytes out = {0};
    struct entry *entries = memory_zeroed(count, sizeof *entries);
    size_t folding = 0;
    for (size_t i = 0; i < count; i++) {
        take_apart(&entries[i], names[i]);
        folding = entries[i].count > folding ? entries[i].count : folding;
    }
    count = fold_once(entries, count, folding); /* of the same names one is left */
    while (folding-- > 0)
        count = fold_once(entries, count, folding);
    qsort(entries, count, sizeof *entries, for_people);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            bytes_add_char(&out, ',');
        print_entry(&out, &entries[i]);
        entry_free(&entries[i]);
    }
    free(entries);
    return bytes_take_text(&out);
}
