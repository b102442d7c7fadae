/* A function that starts a copy of its own program and calls itself there.
 *     recursion [depth] */
#include <mitosis.h>
#include <stdio.h>
#include <stdlib.h>

/* The names of the contexts from here down. */
MITO_FUNCTION(descend)
{
    struct mito_router *router = mito_call_router(call);
    MITO_AUTO_CONTEXT self = mito_context_self(router);
    MITO_AUTO_CONTEXT below = NULL;
    char *rest = NULL, path[1024];
    int64_t depth;

    if (mito_args(call, "i", &depth) < 0)
        return -1;
    if (depth > 1) {
        below = mito_local(router);
        if (below == NULL || mito_call(below, &descend, "i", depth - 1, "s", &rest) < 0)
            return -1; /* the error says where and why; it travels up as it is */
    }
    snprintf(path, sizeof path, "%s%s%s", mito_context_name(self), rest != NULL ? " > " : "",
             rest != NULL ? rest : "");
    free(rest);
    return mito_return(call, "s", path);
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    struct mito_router *router = mito_router_new(NULL);
    struct mito_context *copy = mito_local(router);
    int depth = argc > 1 ? atoi(argv[1]) : 4;
    char *path = NULL;

    if (copy != NULL && mito_call(copy, &descend, "i", depth, "s", &path) == 0)
        printf("master > %s\n", path);
    else
        fprintf(stderr, "recursion: %s\n", mito_error());
    mito_router_free(router); /* takes the whole chain down */
    int rc = path == NULL;
    free(path);
    return rc;
}
