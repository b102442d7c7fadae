/* A program of several files: facts about the hosts that are named, or about this one. How it is
 * built for several kinds of machine is in ../make, ../cmake and ../meson. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "facts.h"
#include "table.h"

static int show(struct mito_context *context, const char *host)
{
    char *name = NULL, *kind = NULL;
    int64_t processors = 0, load = 0;

    if (context == NULL ||
        mito_call(context, &facts, "", "(ssii)", &name, &kind, &processors, &load) < 0) {
        fprintf(stderr, "%s: %s\n", host, mito_error());
        return -1;
    }
    table_row(name, kind, (long)processors, (long)load);
    free(name);
    free(kind);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    mito_start(argc, argv);
    struct mito_router *router = mito_router_new(NULL);
    if (router == NULL) {
        fprintf(stderr, "%s\n", mito_error());
        return 1;
    }
    table_head();
    if (argc < 2)
        failed |= show(mito_local(router), "this machine");
    for (int i = 1; i < argc; i++)
        failed |= show(mito_ssh(router, .hostname = argv[i]), argv[i]);
    mito_router_free(router);
    return failed != 0;
}
