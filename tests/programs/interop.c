/* The C side of tests/interop: a program that Python programs join, or that joins a Python one.
 *   interop listen PATH           serves until its standard input ends
 *   interop join PATH CHILD RX    joins a Mitogen master: a child of it, a receiver of it
 * Prints "ok NAME" or "not ok NAME". */
#define MITO_MODULE "inventory"
#include <mitosis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- functions ---------------------------------------------------------------------------------
 */

MITO_FUNCTION(add)
{
    int64_t a, b;

    if (mito_args(call, "ii", &a, &b) < 0)
        return -1;
    return mito_return(call, "i", a + b);
}

MITO_FUNCTION(echo)
{
    const struct mito_value *v;

    if (mito_args(call, "v", &v) < 0)
        return -1;
    return mito_return(call, "v", v);
}

MITO_FUNCTION(pid)
{
    return mito_return(call, "i", (int64_t)getpid());
}

MITO_FUNCTION(caller) /* the id of who calls */
{
    return mito_return(call, "i", mito_context_id(mito_call_caller(call)));
}

MITO_FUNCTION(fail)
{
    const char *text;

    if (mito_args(call, "s", &text) < 0)
        return -1;
    return mito_fail(call, MITO_E_USER + 1, "%s", text);
}

MITO_FUNCTION(depth)
{
    int64_t given = -1;
    const struct mito_value *v = mito_call_keyword(call, "depth");

    if (v != NULL && mito_value_int(v, &given) < 0)
        return -1;
    return mito_return(call, "i", given);
}

MITO_FUNCTION(kinds) /* what C sees of a Blob, a Secret and bytes */
{
    const void *blob, *bytes;
    const char *secret;
    size_t blob_size, size;

    if (mito_args(call, "BSy", &blob, &blob_size, &secret, &bytes, &size) < 0)
        return -1;
    return mito_return(call, "BSy", blob, blob_size, secret, bytes, size);
}

MITO_FUNCTION(pid_there) /* of another context, which the caller names */
{
    MITO_AUTO_CONTEXT there = NULL;
    int64_t number;

    if (mito_args(call, "c", &there) < 0 || mito_call(there, &pid, "", "i", &number) < 0)
        return -1;
    return mito_return(call, "ic", number, there);
}

MITO_FUNCTION(count_to) /* sends 1 to n to a sender, then closes it */
{
    MITO_AUTO_SENDER tx = NULL;
    int64_t n;

    if (mito_args(call, "ti", &tx, &n) < 0)
        return -1;
    for (int64_t i = 1; i <= n; i++) {
        if (mito_send(tx, "i", i) < 0)
            return -1;
    }
    return mito_sender_close(tx);
}

MITO_FUNCTION_FLAGS(sum_of, MITO_CONCURRENT) /* sends a sender of its own, sums what comes */
{
    MITO_AUTO_RECEIVER rx = mito_receiver_new(mito_call_router(call));
    MITO_AUTO_SENDER tx = NULL;
    struct mito_message *m;
    int64_t sum = 0, item;

    if (mito_args(call, "t", &tx) < 0 || mito_send(tx, "r", rx) < 0)
        return -1;
    while ((m = mito_receive(rx, 30000)) != NULL) {
        int rc = mito_message_read(m, "i", &item);
        mito_message_free(m);
        if (rc < 0)
            return -1;
        sum += item;
    }
    return mito_error_code() == MITO_E_CLOSED ? mito_return(call, "i", sum) : -1;
}

MITO_FUNCTION(leave)
{
    (void)call;
    _exit(0);
}

static int serve(const char *path)
{
    struct mito_router *router = mito_router_new(NULL);
    struct mito_listener *listener = router != NULL ? mito_listen(router, .path = path) : NULL;

    if (listener == NULL) {
        fprintf(stderr, "interop: %s\n", mito_error());
        return 1;
    }
    printf("ready\n");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    mito_router_free(router);
    return 0;
}

/* --- joining a Python master -------------------------------------------------------------------
 */

static int failures;

static void check(const char *name, bool fine)
{
    if (fine) {
        printf("ok %s\n", name);
    } else {
        printf("not ok %s\n# %s\n", name, mito_error());
        failures++;
    }
    fflush(stdout);
}

static bool failed_with(int rc, int code, const char *part)
{
    return rc < 0 && mito_error_code() == code && strstr(mito_error(), part) != NULL;
}

static void calls(struct mito_context *child)
{
    int64_t number = 0, other = 0;
    char *text = NULL;
    void *data = NULL;
    size_t size = 0;
    enum { BIG = 8 << 20 };

    check("calls a Python function",
          mito_call_python(child, "os", "getpid", "", "i", &number) == 0 && number > 1);
    check("keyword arguments",
          mito_call_python(child, "json", "dumps", "{sisi}|sbs(ss)", "b", 1, "a", 2, "sort_keys",
                           true, "separators", ",", ":", "s", &text) == 0 &&
              strcmp(text, "{\"a\":2,\"b\":1}") == 0);
    free(text);
    check("a method of a class",
          mito_call_python(child, "builtins", "dict.fromkeys", "[s]i", "key", 7, "v", NULL) == 0);
    check("a big blob there",
          mito_call_python(child, "builtins", "len", "y", (const void *)calloc(1, BIG), BIG, "i",
                           &number) == 0 &&
              number == BIG);
    check("big bytes back",
          mito_call_python(child, "builtins", "bytes", "i", BIG, "y", &data, &size) == 0 &&
              size == BIG);
    free(data);
    check("without an answer",
          mito_call_python_no_reply(child, "os", "putenv", "ss", "INTEROP", "x") == 0);
    check("a timeout",
          failed_with(mito_call_python_timeout(child, 100, "time", "sleep", "d", 0.5, ""),
                      MITO_E_TIMEOUT, "no answer within 100 ms"));
    check("and it goes on", mito_call_python(child, "os", "getppid", "", "i", &other) == 0);
}

static void errors(struct mito_context *child)
{
    check("an exception has its class and text",
          failed_with(mito_call_python(child, "os", "listdir", "s", "/no/such", "v", NULL),
                      MITO_E_REMOTE, "FileNotFoundError: [Errno 2]"));
    check("and its traceback, in one line",
          failed_with(mito_call_python(child, "json", "loads", "s", "{", "v", NULL), MITO_E_REMOTE,
                      " | File \"") &&
              strstr(mito_error(), "JSONDecodeError: Expecting") != NULL &&
              strchr(mito_error(), '\n') == NULL);
    check("no such function", failed_with(mito_call_python(child, "os", "no_such_thing", "", ""),
                                          MITO_E_REMOTE, "AttributeError"));
    check("no such module", failed_with(mito_call_python(child, "no_such_module", "f", "", ""),
                                        MITO_E_REMOTE, "no_such_module"));
    check("a wrong result type is an error here",
          failed_with(mito_call_python(child, "os", "getpid", "", "s", NULL), MITO_E_TYPE, "int"));
    check("a type outside the table",
          failed_with(mito_call_python(child, "builtins", "set", "", "v", NULL), MITO_E_MALFORMED,
                      "set"));
}

/* Every value of the table, through Python and back. */
static void values(struct mito_context *child)
{
    struct mito_value *v = NULL;
    int64_t i;
    double d;
    bool b;
    char *s, *secret;
    void *bytes, *blob;
    size_t size, blob_size;

    int rc = mito_call_python(child, "copy", "copy", "(nbids)", true, INT64_MIN, 0.1,
                              "\xe2\x82\xac", "nbids", &b, &i, &d, &s);
    check("values of the simple types come back",
          rc == 0 && b && i == INT64_MIN && d == 0.1 && strcmp(s, "\xe2\x82\xac") == 0);
    if (rc == 0)
        free(s);
    rc = mito_call_python(child, "copy", "copy", "(yBS[i(s)]{si})", "\0\xff", 2, "blob", 4,
                          "secret", -1, "x", "k", 1, "yBSvv", &bytes, &size, &blob, &blob_size,
                          &secret, NULL, &v);
    check("bytes, Blob, Secret, lists and dicts, too",
          rc == 0 && size == 2 && memcmp(bytes, "\0\xff", 2) == 0 && blob_size == 4 &&
              memcmp(blob, "blob", 4) == 0 && strcmp(secret, "secret") == 0 &&
              mito_value_int(mito_value_get(v, "k"), &i) == 0 && i == 1);
    if (rc < 0)
        return;
    free(secret);
    free(bytes);
    free(blob);
    mito_value_free(v);
}

static void chains(struct mito_context *child)
{
    struct mito_chain *chain = mito_chain_new(child);
    int64_t number = 0;

    check("a chain fails",
          failed_with(mito_chain_call_python(chain, "os", "listdir", "s", "/no/such", ""),
                      MITO_E_REMOTE, "FileNotFoundError"));
    check("and what follows in it with the same error",
          failed_with(mito_chain_call_python(chain, "os", "getpid", "", "i", &number),
                      MITO_E_REMOTE, "FileNotFoundError"));
    check("until it is reset",
          mito_chain_reset(chain) == 0 &&
              mito_chain_call_python(chain, "os", "getpid", "", "i", &number) == 0);
    mito_chain_free(chain);
}

static void services(struct mito_context *master)
{
    int64_t sum = 0;

    check("a service", mito_call_service(master, "__main__.Calculator", "add", "sisi", "a", 2, "b",
                                         3, "i", &sum) == 0 &&
                           sum == 5);
    check("an exception of a service",
          failed_with(mito_call_service(master, "__main__.Calculator", "divide", "si", "a", 1, ""),
                      MITO_E_REMOTE, "ZeroDivisionError"));
    check("a missing argument of a service",
          failed_with(mito_call_service(master, "__main__.Calculator", "add", "si", "a", 2, ""),
                      MITO_E_REMOTE, "Required argument 'b' missing"));
    check("a wrong argument of a service",
          failed_with(
              mito_call_service(master, "__main__.Calculator", "add", "siss", "a", 2, "b", "x", ""),
              MITO_E_REMOTE, "incorrect"));
    check("what a service returns is outside the table",
          failed_with(mito_call_service(master, "__main__.Calculator", "odd", "", "v", NULL),
                      MITO_E_MALFORMED, "complex"));
    check("no such service",
          failed_with(mito_call_service(master, "__main__.NoSuch", "add", "", ""), MITO_E_REMOTE,
                      "NoSuch"));
    check("and the services go on", mito_call_service(master, "__main__.Calculator", "add", "sisi",
                                                      "a", 4, "b", 3, "i", &sum) == 0 &&
                                        sum == 7);
    check("no such method",
          failed_with(mito_call_service(master, "__main__.Calculator", "no_such", "", ""),
                      MITO_E_REMOTE, "No such method"));
}

/* Sends to a receiver of Python; gets a sender to a second one, and what that side sends back. */
static void messages(struct mito_router *router, struct mito_context *master, uint32_t handle)
{
    MITO_AUTO_SENDER tx = mito_sender_new(master, handle);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(router);
    int64_t number = 0, sum = 0;
    struct mito_message *m;

    check("sends to a Python receiver",
          mito_send(tx, "isr", 1, "two", rx) == 0 && mito_sender_close(tx) == 0);
    while ((m = mito_receive(rx, 30000)) != NULL) {
        if (mito_message_read(m, "i", &number) == 0)
            sum += number;
        mito_message_free(m);
    }
    check("receives what Python sends, until it closes",
          sum == 6 && mito_error_code() == MITO_E_CLOSED);
}

static void ends(struct mito_context *child)
{
    check("who waits for a Python context that dies is told",
          failed_with(mito_call_python(child, "os", "_exit", "i", 1, "v", NULL), MITO_E_DEAD, ""));
}

static int join(const char *path, uint32_t child_id, uint32_t handle)
{
    struct mito_router *router = mito_unix_connect(path, NULL);

    check("joins a Mitogen master", router != NULL);
    if (router == NULL)
        return 1;
    struct mito_context *master = mito_context_parent(router);
    struct mito_context *child = mito_context_by_id(router, child_id);
    calls(child);
    errors(child);
    values(child);
    chains(child);
    services(master);
    messages(router, master, handle);
    ends(child);
    struct mito_receiver *rx = mito_receiver_new(router);
    printf("done\n");
    fflush(stdout);
    check("is told when the Python master ends",
          mito_receive(rx, 30000) == NULL && mito_error_code() == MITO_E_DEAD);
    mito_receiver_free(rx);
    mito_context_unref(master);
    mito_context_unref(child);
    mito_router_free(router);
    return failures > 0;
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    if (argc == 3 && strcmp(argv[1], "listen") == 0)
        return serve(argv[2]);
    if (argc == 5 && strcmp(argv[1], "join") == 0)
        return join(argv[2], (uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]));
    fprintf(stderr, "usage: interop listen PATH | join PATH CHILD RECEIVER\n");
    return 2;
}
