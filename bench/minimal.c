/* The smallest program that replicates itself and calls a function there: what it weighs is what
 * the library weighs. */
#include <mitosis.h>

MITO_FUNCTION(empty)
{
    return mito_args(call, "");
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    struct mito_router *router = mito_router_new(NULL);
    struct mito_context *child = router == NULL ? NULL : mito_local(router);
    int status = child == NULL || mito_call(child, &empty, "", "") < 0;

    mito_context_unref(child);
    mito_router_free(router);
    return status;
}
