#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS_MAX = 40, NUMBERS_MAX = 100 };

/* --- numbers of others -------------------------------------------------------------------------
 */

static struct number {
    char key[48];
    double value;
} numbers[NUMBERS_MAX];
static int number_count;

void numbers_load(const char *path)
{
    FILE *f = fopen(path, "re");

    if (f == NULL)
        die("cannot read %s", path);
    while (number_count < NUMBERS_MAX &&
           fscanf(f, "%47s %lf", numbers[number_count].key, &numbers[number_count].value) == 2)
        number_count++;
    fclose(f);
}

void numbers_add(const char *prefix, const char *key, double value)
{
    struct number *n = &numbers[number_count];

    if (number_count == NUMBERS_MAX)
        die("more than %d numbers", NUMBERS_MAX);
    snprintf(n->key, sizeof n->key, "%s%s", prefix, key);
    n->value = value;
    number_count++;
}

bool numbers_find(const char *prefix, const char *key, double *out)
{
    size_t length = strlen(prefix);

    for (int i = 0; i < number_count; i++) {
        if (strncmp(numbers[i].key, prefix, length) == 0 &&
            strcmp(numbers[i].key + length, key) == 0) {
            *out = numbers[i].value;
            return true;
        }
    }
    return false;
}

/* --- rows --------------------------------------------------------------------------------------
 */

static struct row rows[ROWS_MAX];
static int row_count;

void table_add(const struct row *row)
{
    if (row_count == ROWS_MAX)
        die("more than %d rows", ROWS_MAX);
    rows[row_count++] = *row;
    if (isatty(2))
        fprintf(stderr, ".");
}

/* Four significant digits, without exponents. */
static const char *digits(double x, char out[32])
{
    int decimals = x >= 1000 ? 0 : x >= 100 ? 1 : x >= 10 ? 2 : 3;

    snprintf(out, 32, "%.*f", decimals, x);
    return out;
}

static void print_summary(const struct summary *s)
{
    char median[32], low[32], high[32], range[72];

    if (s->median <= 0) {
        printf(" %9s %-19s", "", "");
        return;
    }
    snprintf(range, sizeof range, "(%s..%s)", digits(s->low, low), digits(s->high, high));
    if (s->low == s->high) /* not many rounds, one number */
        range[0] = '\0';
    printf(" %9s %-19s", digits(s->median, median), range);
}

static bool met(const struct row *r)
{
    switch (r->demand) {
    case RATIO_AT_MOST:
        return r->ours.median <= r->bound * r->reference.median;
    case RATIO_AT_LEAST:
        return r->ours.median >= r->bound * r->reference.median;
    case VALUE_AT_MOST:
        return r->ours.median <= r->bound;
    case DEMAND_NOTHING:
        break;
    }
    return true;
}

static void print_row(const struct row *r)
{
    static const char *const forms[] = {"", "<= %gx", ">= %gx", "<= %g"};
    char ratio[32] = "", required[32], number[32] = "", its_ratio[32] = "";
    double mitogen;

    if (r->reference.median > 0)
        snprintf(ratio, sizeof ratio, "%.2fx", r->ours.median / r->reference.median);
    if (r->demand == DEMAND_NOTHING)
        required[0] = '\0';
    else
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(required, sizeof required, forms[r->demand], r->bound);
#pragma GCC diagnostic pop
    if (numbers_find("mitogen.", r->key, &mitogen))
        digits(mitogen, number);
    if (number[0] != '\0' && r->reference.median > 0)
        snprintf(its_ratio, sizeof its_ratio, "%.3gx", mitogen / r->reference.median);
    printf("%-34s %-6s", r->name, r->unit);
    print_summary(&r->ours);
    print_summary(&r->reference);
    printf(" %8s %8s %-5s %9s %8s\n", ratio, required,
           r->demand == DEMAND_NOTHING ? ""
           : met(r)                    ? "PASS"
                                       : "FAIL",
           number, its_ratio);
}

int table_print(void)
{
    int missed = 0;

    if (isatty(2))
        fprintf(stderr, "\n");
    printf("%-34s %-6s %9s %-19s %9s %-19s %8s %8s %-5s %9s %8s\n", "", "unit", "mitosis",
           "(quartiles)", "reference", "(quartiles)", "ratio", "required", "", "mitogen", "ratio");
    for (int i = 0; i < row_count; i++) {
        print_row(&rows[i]);
        missed += !met(&rows[i]);
    }
    return missed;
}

/* --- side by side ------------------------------------------------------------------------------
 */

static const struct side {
    const char *key, *name, *unit;
} sides[] = {
    {"call", "call, round trip", "us"},
    {"pipeline", "calls, 64 under way", "1/s"},
    {"start", "start of a local context", "ms"},
    {"blobs.down", "1 MiB blobs, to the child", "MiB/s"},
    {"blobs.up", "1 MiB blobs, from the child", "MiB/s"},
    {"memory.pss", "memory of an idle child, PSS", "KiB"},
    {"memory.rss", "  RSS", "KiB"},
};

static void print_side(const struct side *s)
{
    double python, mixed, c;
    char a[32], b[32], d[32];

    if (!numbers_find("mitogen.", s->key, &python) || !numbers_find("python.", s->key, &mixed) ||
        !numbers_find("c.", s->key, &c))
        return;
    printf("%-34s %-6s %14s %14s %8.3gx %14s %8.3gx\n", s->name, s->unit, digits(python, a),
           digits(mixed, b), mixed / python, digits(c, d), c / python);
}

void table_print_sides(void)
{
    double there;

    if (!numbers_find("mitogen.", sides[0].key, &there) ||
        !numbers_find("python.", sides[0].key, &there))
        return;
    printf("\n%-34s %-6s %14s %14s %9s %14s %9s\n", "master and context", "unit", "Python, Python",
           "C, Python", "ratio", "C, C", "ratio");
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++)
        print_side(&sides[i]);
}
