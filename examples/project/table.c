#include "table.h"

#include <stdio.h>

void table_head(void)
{
    printf("%-20s %-10s %10s %6s\n", "NAME", "KIND", "PROCESSORS", "LOAD");
}

void table_row(const char *name, const char *kind, long processors, long load)
{
    printf("%-20s %-10s %10ld %5ld%%\n", name, kind, processors, load);
}
