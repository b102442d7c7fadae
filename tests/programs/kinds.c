/* A context on another kind of machine, for tests/targets/test_targets.sh:
 *   kinds SSH KIND          a context of that kind, through that stand-in for ssh(1)
 *   kinds SSH KIND BACK     and from there one of this program's own kind, through that stand-in
 * Prints "ok NAME" or "not ok NAME" lines that begin with KIND. */
#include "judge.h"

#include <mitosis.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static struct mito_router *router;
static const char *kind;

/* --- functions ---------------------------------------------------------------------------------
 */

static const char *compiled_for(void)
{
#if defined(__x86_64__)
    return "x86_64";
#elif defined(__aarch64__)
    return "aarch64";
#elif defined(__arm__)
    return "armv7";
#elif defined(__i386__)
    return "i386";
#elif defined(__riscv)
    return "riscv64";
#else
    return "unknown";
#endif
}

/* () -> what it was compiled for, its process id, the time of day */
MITO_FUNCTION(look_around)
{
    return mito_return(call, "sii", compiled_for(), (int)getpid(), time(NULL));
}

/* The same values, which crossed the wire in between. */
MITO_FUNCTION(echo)
{
    int64_t low, high;
    double real;
    const char *text;
    const void *bytes;
    size_t length;

    if (mito_args(call, "iidsB", &low, &high, &real, &text, &bytes, &length) < 0)
        return -1;
    return mito_return(call, "iidsB", low, high, real, text, bytes, length);
}

/* --- judging -----------------------------------------------------------------------------------
 */

static void judge_step(bool fine, const char *what)
{
    char name[100];

    snprintf(name, sizeof name, "%s: %s", kind, what);
    judge(fine, name, "%s", fine ? "" : mito_error());
}

static bool is_of_kind(struct mito_context *context, const char *expected)
{
    int64_t pid, now;
    char *of = NULL;

    if (mito_call(context, &look_around, "", "sii", &of, &pid, &now) < 0)
        return false;
    bool same = strcmp(of, expected) == 0 && pid != getpid() && llabs(now - time(NULL)) < 600;
    printf("# compiled for %s, process %" PRId64 "\n", of, pid);
    free(of);
    return same;
}

/* The image for this machine is one that the context there does not have: it asks for it. */
static void start_back(struct mito_context *there, const char *ssh)
{
    struct mito_context *back = mito_ssh(router, .hostname = "back", .ssh_path = ssh, .via = there);

    judge_step(back != NULL, "starts one of the first kind");
    judge_step(back != NULL && is_of_kind(back, compiled_for()), "which is called");
}

static bool gives_back(struct mito_context *context)
{
    enum { SIZE = 300 * 1000 };
    static unsigned char sent[SIZE];
    int64_t low, high;
    double real;
    char *text = NULL;
    void *bytes = NULL;
    size_t length = 0;

    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (unsigned char)(i * 7 + i / 256);
    bool same = mito_call(context, &echo, "iidsB", INT64_MIN, INT64_MAX, -1.5e300, "\xc3\xa4", sent,
                          sizeof sent, "iidsB", &low, &high, &real, &text, &bytes, &length) == 0 &&
                low == INT64_MIN && high == INT64_MAX && real > -1.51e300 && real < -1.49e300 &&
                strcmp(text, "\xc3\xa4") == 0 && length == SIZE && memcmp(bytes, sent, SIZE) == 0;
    free(text);
    free(bytes);
    return same;
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    if (argc < 3)
        return 2;
    kind = argv[2];
    router = mito_router_new(NULL);
    if (router == NULL)
        return 1;
    struct mito_context *there = mito_ssh(router, .hostname = kind, .ssh_path = argv[1]);
    judge_step(there != NULL, "starts");
    if (there != NULL) {
        judge_step(is_of_kind(there, kind), "is called");
        judge_step(gives_back(there), "gives back what it is sent");
        struct mito_context *below = mito_local(router, .via = there);
        judge_step(below != NULL, "grows a child");
        judge_step(below != NULL && is_of_kind(below, kind), "its child is called");
        if (argc > 3)
            start_back(there, argv[3]);
        judge_step(mito_context_shutdown(there, 10000) == 0, "ends");
    }
    mito_router_free(router);
    return failures > 0;
}
