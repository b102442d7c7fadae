/* A C program whose functions Python calls, for tests/interop. */
#define MITO_MODULE "inventory"
#include <mitosis.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

MITO_FUNCTION(pid)
{
    return mito_return(call, "i", (int)getpid());
}

MITO_FUNCTION(echo)
{
    return mito_return(call, "v", mito_call_argument(call, 0));
}

MITO_FUNCTION(add)
{
    int64_t a, b;

    if (mito_args(call, "ii", &a, &b) < 0)
        return -1;
    return mito_return(call, "i", a + b);
}

MITO_FUNCTION(fail)
{
    return mito_fail(call, MITO_E_USER + 7, "the disk is full");
}

MITO_FUNCTION(say)
{
    const char *text;

    if (mito_args(call, "s", &text) < 0)
        return -1;
    printf("%s\n", text);
    fflush(stdout);
    mito_log(mito_call_router(call), MITO_WARNING, "logged: %s", text);
    return 0;
}

MITO_FUNCTION(spin)
{
    while (call != NULL)
        pause();
    return 0;
}

MITO_FUNCTION_FLAGS(send_to, MITO_CONCURRENT)
{
    struct mito_sender *sender = NULL;

    if (mito_args(call, "t", &sender) < 0)
        return -1;
    int rc = 0;
    for (int i = 0; rc == 0 && i < 3; i++)
        rc = mito_send(sender, "i", i);
    mito_sender_free(sender);
    return rc;
}

/* (context) -> what os.getpid() says there, asked from here */
MITO_FUNCTION_FLAGS(pid_of, MITO_CONCURRENT)
{
    struct mito_context *context = NULL;
    int64_t number = 0;

    if (mito_args(call, "c", &context) < 0)
        return -1;
    int rc = mito_call_python(context, "os", "getpid", "", "i", &number);
    mito_context_unref(context);
    return rc < 0 ? -1 : mito_return(call, "i", number);
}

/* (context, service, method) -> what that service answers to this program */
MITO_FUNCTION_FLAGS(service_of, MITO_CONCURRENT)
{
    MITO_AUTO_CONTEXT context = NULL;
    const char *service, *method;
    struct mito_value *v = NULL;

    if (mito_args(call, "css", &context, &service, &method) < 0 ||
        mito_call_service(context, service, method, "", "v", &v) < 0)
        return -1;
    int rc = mito_return(call, "v", v);
    mito_value_free(v);
    return rc;
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    printf("nothing to do by itself\n");
    return 0;
}
