#include <mitosis.h>
#include <stdio.h>

MITO_FUNCTION(greet)
{
    static int greetings; /* every copy of the program has its own */
    const char *name;

    if (mito_args(call, "s", &name) < 0)
        return -1;
    printf("Hello, %s!\n", name); /* travels to the program that the user started */
    return mito_return(call, "i", ++greetings);
}

int main(int argc, char **argv)
{
    mito_start(argc, argv); /* in a copy: serves calls, never returns */
    struct mito_router *router = mito_router_new(NULL);
    struct mito_context *copy = mito_local(router);
    int64_t greetings = 0;

    if (copy == NULL || mito_call(copy, &greet, "s", "world", "i", &greetings) < 0)
        fprintf(stderr, "hello: %s\n", mito_error());
    mito_router_free(router); /* the copy is gone when this returns */
    return greetings != 1;
}
