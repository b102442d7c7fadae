/* Expanding patterns into names. The reverse is in fold.c. */
#include "hosts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum {
    GROUPS_MAX = 16, /* bracket groups in one pattern */
    INTERVALS_MAX = HOSTS_PATTERN_MAX / 2,
};

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct names){0};
}

void names_add(struct names *names, const char *name, size_t length)
{
    names->items = memory_grow(names->items, names->count, &names->capacity, sizeof *names->items);
    names->items[names->count++] = memory_text_n(name, length);
}

/* Numbers from low to high, padded with zeros to `width` digits (0: not padded). */
struct interval {
    int64_t low, high;
    int width;
};

/* A bracket group with the literal text in front of it. */
struct group {
    const char *text;
    size_t length;
    size_t first, count; /* its intervals */
    size_t at;           /* while expanding: the interval and number that it shows */
    int64_t number;
};

struct pattern {
    struct group groups[GROUPS_MAX];
    size_t group_count;
    struct interval intervals[INTERVALS_MAX];
    size_t interval_count;
    const char *tail; /* the literal text behind the last group */
    size_t tail_length;
};

static bool read_number(const char **at, const char *end, int64_t *number, int *digits)
{
    *number = 0;
    for (*digits = 0; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        if (++*digits > HOSTS_DIGITS_MAX)
            return false;
        *number = *number * 10 + (**at - '0');
    }
    return *digits > 0;
}

/* "7", "007", "01-20": false when it is none. */
static bool read_interval(const char **at, const char *end, struct interval *out)
{
    int low_digits = 0, high_digits = 0;
    const char *start = *at;
    if (!read_number(at, end, &out->low, &low_digits))
        return false;
    out->width = *start == '0' && low_digits > 1 ? low_digits : 0;
    out->high = out->low;
    if (*at == end || **at != '-')
        return true;
    const char *high = ++*at;
    if (!read_number(at, end, &out->high, &high_digits) || out->high < out->low)
        return false;
    /* Padded ends must agree: 01-20 and 08-100 do, 001-20 and 1-020 are slips of the pen. */
    bool padded = *high == '0' && high_digits > 1;
    return padded ? high_digits == low_digits : high_digits >= out->width;
}

static int read_group(struct pattern *p, const char *at, const char *end, struct complaint *why)
{
    const char *start = at;
    struct group *group = &p->groups[p->group_count];
    group->first = p->interval_count;
    for (;; at++) {
        /* A pattern is too short to hold more intervals than there is room for. */
        if (!read_interval(&at, end, &p->intervals[p->interval_count]))
            return complain(why, "bad range '[%.*s]'", (int)(end - start), start);
        p->interval_count++;
        if (at == end)
            break;
        if (*at != ',')
            return complain(why, "bad range '[%.*s]'", (int)(end - start), start);
    }
    group->count = p->interval_count - group->first;
    p->group_count++;
    return 0;
}

static int read_pattern(struct pattern *p, const char *text, size_t length, struct complaint *why)
{
    const char *end = text + length, *literal = text, *at = text;
    while (at < end) {
        if (*at == ']')
            return complain(why, "']' without '[' in '%.*s'", (int)length, text);
        if (*at != '[') {
            at++;
            continue;
        }
        const char *close = memchr(at, ']', (size_t)(end - at));
        if (close == NULL)
            return complain(why, "'[' without ']' in '%.*s'", (int)length, text);
        if (memchr(at, ':', (size_t)(close - at)) != NULL) {
            at = close + 1; /* an IPv6 address */
            continue;
        }
        if (p->group_count == GROUPS_MAX)
            return complain(why, "more than %d ranges in '%.*s'", GROUPS_MAX, (int)length, text);
        p->groups[p->group_count].text = literal;
        p->groups[p->group_count].length = (size_t)(at - literal);
        if (read_group(p, at + 1, close, why) < 0)
            return -1;
        literal = at = close + 1;
    }
    p->tail = literal;
    p->tail_length = (size_t)(end - literal);
    return 0;
}

/* How many names the pattern stands for, or anything over HOSTS_MAX when it is more than that. */
static size_t count_names(const struct pattern *p)
{
    size_t names = 1;
    for (size_t g = 0; g < p->group_count; g++) {
        uint64_t numbers = 0;
        for (size_t i = 0; i < p->groups[g].count; i++) {
            const struct interval *in = &p->intervals[p->groups[g].first + i];
            numbers += (uint64_t)(in->high - in->low) + 1;
            if (numbers > HOSTS_MAX)
                return HOSTS_MAX + 1;
        }
        names *= (size_t)numbers; /* both factors are at most HOSTS_MAX */
        if (names > HOSTS_MAX)
            return HOSTS_MAX + 1;
    }
    return names;
}

static void group_rewind(struct pattern *p, struct group *g)
{
    g->at = g->first;
    g->number = p->intervals[g->at].low;
}

/* The next number of the group; false when it went back to its first. */
static bool group_advance(struct pattern *p, struct group *g)
{
    if (g->number++ < p->intervals[g->at].high)
        return true;
    if (++g->at < g->first + g->count) {
        g->number = p->intervals[g->at].low;
        return true;
    }
    group_rewind(p, g);
    return false;
}

static bool pattern_advance(struct pattern *p)
{
    for (size_t g = p->group_count; g-- > 0;) {
        if (group_advance(p, &p->groups[g]))
            return true;
    }
    return false;
}

/* Numbers of 18 digits in place of the brackets: no name is longer than this. */
enum { NAME_ROOM = HOSTS_PATTERN_MAX + GROUPS_MAX * (HOSTS_DIGITS_MAX + 1) };

static void add_name(struct names *out, const struct pattern *p)
{
    char name[NAME_ROOM + 1];
    size_t length = 0;
    for (size_t g = 0; g < p->group_count; g++) {
        const struct group *group = &p->groups[g];
        memcpy(name + length, group->text, group->length);
        length += group->length;
        length += (size_t)snprintf(name + length, sizeof name - length, "%0*" PRId64,
                                   p->intervals[group->at].width, group->number);
    }
    memcpy(name + length, p->tail, p->tail_length);
    names_add(out, name, length + p->tail_length);
}

int hosts_expand(struct names *out, const char *pattern, size_t length, struct complaint *why)
{
    struct pattern p = {.group_count = 0, .interval_count = 0};
    if (length > HOSTS_PATTERN_MAX)
        return complain(why, "host of more than %d bytes", HOSTS_PATTERN_MAX);
    if (read_pattern(&p, pattern, length, why) < 0)
        return -1;
    if (count_names(&p) > HOSTS_MAX - out->count)
        return complain(why, "more than %d hosts", HOSTS_MAX);
    for (size_t g = 0; g < p.group_count; g++)
        group_rewind(&p, &p.groups[g]);
    do
        add_name(out, &p);
    while (pattern_advance(&p));
    return 0;
}

enum { LINE_MAX_BYTES = 1 << 16 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int hosts_expand_list(struct names *out, const char *list, struct complaint *why)
{
    for (const char *at = list; *at != '\0';) {
        if (*at == ',' || is_blank(*at)) {
            at++;
            continue;
        }
        const char *start = at;
        for (bool inside = false; *at != '\0' && (inside || (*at != ',' && !is_blank(*at))); at++)
            inside = *at == '[' || (inside && *at != ']');
        if (hosts_expand(out, start, (size_t)(at - start), why) < 0)
            return -1;
    }
    return 0;
}

/* '#' at the start of a line or behind a blank starts a comment. */
static void cut_comment(char *line)
{
    for (char *at = line; *at != '\0'; at++) {
        if (*at == '#' && (at == line || is_blank(at[-1]))) {
            *at = '\0';
            return;
        }
    }
}

/* Reads a line into `line`, without its newline: 1, or 0 at the end, or -1. */
static int read_line(FILE *file, char *line, struct complaint *why)
{
    int length = 0, c = 0;
    while ((c = getc(file)) != EOF && c != '\n') {
        if (c == '\0')
            return complain(why, "a NUL byte");
        if (length == LINE_MAX_BYTES)
            return complain(why, "a line of more than %d bytes", LINE_MAX_BYTES);
        line[length++] = (char)c;
    }
    line[length] = '\0';
    if (c == EOF && ferror(file))
        return complain(why, "cannot read: %s", strerror(errno));
    return c != EOF || length > 0;
}

int hosts_expand_file(struct names *out, FILE *file, const char *title, struct complaint *why)
{
    char *line = memory_resize(NULL, LINE_MAX_BYTES + 1, 1);
    int result = 1;
    for (size_t number = 1; result > 0; number++) {
        result = read_line(file, line, why);
        if (result > 0) {
            cut_comment(line);
            if (hosts_expand_list(out, line, why) < 0)
                result = -1;
        }
        if (result < 0)
            complain_prefix(why, "%s:%zu", title, number);
    }
    free(line);
    return result;
}

int hosts_expand_path(struct names *out, const char *path, struct complaint *why)
{
    if (strcmp(path, "-") == 0)
        return hosts_expand_file(out, stdin, "stdin", why);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return complain(why, "cannot read %s: %s", path, strerror(errno));
    int result = hosts_expand_file(out, file, path, why);
    fclose(file);
    return result;
}
