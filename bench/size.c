/* How large the images are that cross the wire; bench/run has compressed them. */
#include "bench.h"

static void add(const char *key, const char *name, enum demand demand)
{
    struct row row = {.key = key, .name = name, .unit = "KiB", .demand = demand, .bound = 96};
    double bytes;

    if (!numbers_find("gzip.", key, &bytes))
        return;
    row.ours.median = row.ours.low = row.ours.high = bytes / 1024;
    table_add(&row);
}

void bench_size(struct bench *b)
{
    (void)b;
    add("size.minimal", "image of a minimal program, gzip", VALUE_AT_MOST);
    add("size.command", "image that the command sends, gzip", VALUE_AT_MOST);
}
